/**
 * Receiving: bytes, datagrams, messages; into buffers of the caller's, or into provided ones,
 * once or again and again. Without copying them: see receive_zc.ts.
 *
 * @module
 */

import {
  IORING_OP_RECV,
  IORING_OP_RECVMSG,
  IORING_RECV_MULTISHOT,
  IORING_RECVSEND_BUNDLE,
  IORING_RECVSEND_POLL_FIRST,
} from "../ffi/abi.ts";
import { MSG_WAITALL } from "../ffi/linux.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import type { SocketKind } from "../ffi/structs/sockaddr.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  checkBuffer,
  checkFlags,
  checkIntact,
  checkUnsigned,
  MAX_TRANSFER,
} from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { length32 } from "./message.ts";
import { Op } from "./op.ts";
import {
  checkGroup,
  groupHint,
  type Received,
  received,
  receivedBundle,
  selectBuffer,
  selectedLength,
  selectsBuffer,
} from "./provided.ts";

/** Queues a receive. `io_uring_prep_recv(3)`, since 5.6. */
export function prepRecv(
  sqe: Sqe,
  sockfd: number,
  buf: number | bigint,
  len: number | bigint,
  flags: number,
): void {
  const length = length32("prepRecv: len", len);
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_RECV, sockfd, buf, length, 0);
}

/**
 * Queues receives, one whenever something arrives; the entry also wants a buffer group and
 * `IOSQE_BUFFER_SELECT`. `io_uring_prep_recv_multishot(3)`, since 6.0.
 */
export function prepRecvMultishot(
  sqe: Sqe,
  sockfd: number,
  buf: number | bigint,
  len: number | bigint,
  flags: number,
): void {
  sqe.ioprio |= IORING_RECV_MULTISHOT;
  prepRecv(sqe, sockfd, buf, len, flags);
}

/**
 * Queues the receive of a message; `msg` is the address of a `struct msghdr`.
 * `io_uring_prep_recvmsg(3)`, since 5.3.
 */
export function prepRecvmsg(
  sqe: Sqe,
  fd: number,
  msg: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_RECVMSG, fd, msg, 1, 0);
}

/**
 * Queues the receive of one message after the other; the entry also wants a buffer group and
 * `IOSQE_BUFFER_SELECT`. `io_uring_prep_recvmsg_multishot(3)`, since 6.0.
 */
export function prepRecvmsgMultishot(
  sqe: Sqe,
  fd: number,
  msg: number | bigint,
  flags: number,
): void {
  sqe.ioprio |= IORING_RECV_MULTISHOT;
  prepRecvmsg(sqe, fd, msg, flags);
}

/** Options of {@linkcode recv} and its relatives. */
export interface ReceiveOptions {
  /** `MSG_*`, see recv(2). `MSG_WAITALL` waits until the buffer is full. Default: 0. */
  flags?: number;
  /**
   * Whether to expect that the socket is empty, and to save the first attempt
   * (`IORING_RECVSEND_POLL_FIRST`, since kernel 5.19). Default: false.
   */
  pollFirst?: boolean;
}

/** Options of {@linkcode recv} with provided buffers. */
export interface ReceiveSelectOptions extends ReceiveOptions {
  /** The group of provided buffers, from 0 to 65535, that the kernel takes one from. */
  bufferGroup: number;
  /** How many bytes to receive at most at a time. Default: 0, as many as the buffer holds. */
  length?: number;
  /**
   * Whether to fill several buffers at a time, in the order that they have in their ring of
   * buffers (`IORING_RECVSEND_BUNDLE`, since kernel 6.10). Default: false.
   */
  bundle?: boolean;
}

/** Options of {@linkcode recvMultishot}. */
export interface ReceiveMultishotOptions extends ReceiveSelectOptions {
  /**
   * After how many bytes in all to end, so that other sockets have their turn. Since kernel
   * 6.17. Default: 0, never.
   */
  limit?: number;
  /**
   * What the socket carries. Nothing received is the end of a `"stream"`, and an empty one
   * among `"datagram"`s. Default: `"stream"`.
   */
  kind?: SocketKind;
}

/** Checks what all receives have; returns their flags, and `sqe.ioprio`. */
export function checkReceive(
  op: string,
  fd: Fd,
  { flags = 0, pollFirst = false }: ReceiveOptions,
): { flags: number; ioprio: number } {
  checkFd(`${op}: fd`, fd);
  checkFlags(`${op}: flags`, flags);
  return { flags, ioprio: pollFirst ? IORING_RECVSEND_POLL_FIRST : 0 };
}

/** Checks that a multishot does not wait for a full buffer. */
export function checkNoWait(op: string, flags: number): void {
  if ((flags & MSG_WAITALL) !== 0) {
    throw new RangeError(
      `${op}: flags have MSG_WAITALL, which a multishot cannot have: it gives what is ` +
        "there.",
    );
  }
}

/**
 * Receives bytes from a socket, as recv(2); into a buffer, or into a provided one of the
 * kernel's choice, which is taken only when something arrives.
 *
 * Gives how many bytes arrived; 0 if the other end has shut the stream down. ENOTCONN: the
 * socket is not connected. ECONNRESET: the other end is gone.
 *
 * Since kernel 5.6; see io_uring_prep_recv(3).
 *
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_UNIX, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { bind, close, opcodes, recv, run, sendto, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   const self = { path: `\0uring-recv-${Deno.pid}` };
 *   const fd = run(ring, socket(AF_UNIX, SOCK_DGRAM));
 *   run(ring, bind(fd, self));
 *   run(ring, sendto(fd, Uint8Array.of(1, 2, 3), self));
 *   assertEquals(run(ring, recv(fd, new Uint8Array(64))), 3);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function recv(
  fd: Fd,
  buffer: View,
  options?: ReceiveOptions,
): Op<number>;
/**
 * Receives bytes into a provided buffer of the kernel's choice. Since kernel 5.7.
 *
 * Gives how many bytes arrived, and in which buffer. ENOBUFS: the group is empty.
 */
export function recv(fd: Fd, options: ReceiveSelectOptions): Op<Received>;
export function recv(
  fd: Fd,
  target: View | ReceiveSelectOptions,
  options: ReceiveOptions = {},
): Op<number> | Op<Received> {
  if (selectsBuffer<ReceiveSelectOptions>(target)) {
    return recvSelected("recv", fd, target);
  }
  const { flags, ioprio } = checkReceive("recv", fd, options);
  const buffer = checkBuffer("recv: buffer", target);
  const { byteLength } = buffer;
  const length = Math.min(byteLength, MAX_TRANSFER);
  return Op.of({
    opcode: IORING_OP_RECV,
    name: "recv",
    encode: (sqe) => {
      sqe.ioprio = ioprio;
      prepRecv(sqe, fdNumber(fd), addressOf(buffer), length, flags);
      markFixed(sqe, fd);
      return buffer;
    },
    decode: ({ res }) => {
      checkIntact("recv", buffer, byteLength);
      return res;
    },
  });
}

/**
 * Receives bytes again and again, whenever some arrive, each time into a provided buffer of
 * the kernel's choice.
 *
 * Each completion gives how many bytes arrived, and in which buffer. It ends at the end of the
 * stream (length 0; also at an empty datagram: start it anew then), with an error, after `limit` bytes, when it is cancelled: the last
 * completion has `more` false. ENOBUFS: the group is empty; what arrived stays in the socket
 * for the next receive. EINVAL: an older kernel.
 *
 * Since kernel 6.0; see io_uring_prep_recv_multishot(3).
 *
 * @param options `bufferGroup` is required. A `length` since kernel 6.17.
 * @throws {TypeError | RangeError} if an argument is wrong, or flags have `MSG_WAITALL`.
 *
 * @example
 * ```ts
 * import { AF_UNIX, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import * as ops from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (ops.opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   using buffers = ring.setupBufRing({ entries: 4, group: 7, bufferSize: 64 });
 *   const self = { path: `\0uring-recv-multishot-${Deno.pid}` };
 *   const fd = ops.run(ring, ops.socket(AF_UNIX, SOCK_DGRAM));
 *   ops.run(ring, ops.bind(fd, self));
 *   ops.run(ring, ops.sendto(fd, Uint8Array.of(1, 2, 3), self));
 *
 *   const op = ops.recvMultishot(fd, { bufferGroup: 7, kind: "datagram" });
 *   const sqe = ring.sqe();
 *   if (sqe !== null) op.encode(sqe);
 *   ring.submitAndWait(1);
 *   ring.forEachCqe((cqe) => {
 *     const { bufferId, length } = op.finish(cqe, undefined);
 *     const bytes = buffers.bytes(bufferId).subarray(0, length);
 *     assertEquals(bytes, Uint8Array.of(1, 2, 3));
 *   });
 *   ops.run(ring, ops.close(fd));
 * }
 * ```
 */
export function recvMultishot(
  fd: Fd,
  options: ReceiveMultishotOptions,
): Op<Received> {
  checkFlags("recvMultishot: flags", options.flags ?? 0);
  checkNoWait("recvMultishot", options.flags ?? 0);
  return recvSelected("recvMultishot", fd, options);
}

function recvSelected(
  op: "recv" | "recvMultishot",
  fd: Fd,
  options: ReceiveMultishotOptions,
): Op<Received> {
  const { length = 0, limit = 0, bundle = false, kind = "stream" } = options;
  const { flags, ioprio } = checkReceive(op, fd, options);
  const group = checkGroup(`${op}: bufferGroup`, options.bufferGroup);
  checkUnsigned(`${op}: length`, length, 0x7fff_ffff);
  checkUnsigned(`${op}: limit`, limit, 0x7fff_ffff);
  const multishot = op === "recvMultishot";
  return Op.of({
    opcode: IORING_OP_RECV,
    name: "recv",
    multishot,
    encode: (sqe) => {
      sqe.ioprio = bundle ? ioprio | IORING_RECVSEND_BUNDLE : ioprio;
      if (multishot) {
        prepRecvMultishot(sqe, fdNumber(fd), 0, length, flags);
        // The field of optlen.
        sqe.fileIndex = limit;
      } else {
        // A bundle is as long as all the buffers that it fills.
        const most = bundle ? length : selectedLength(length);
        prepRecv(sqe, fdNumber(fd), 0, most, flags);
      }
      selectBuffer(sqe, group);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: bundle ? receivedBundle : received,
    ends: ({ res }) => res === 0 && kind === "stream",
    hint: (errno) => groupHint(group, errno),
  });
}
