/**
 * Sending: bytes, datagrams, messages. Without copying them: see send_zc.ts.
 *
 * @module
 */

import {
  IORING_OP_SEND,
  IORING_OP_SENDMSG,
  IORING_RECVSEND_BUNDLE,
  IORING_RECVSEND_POLL_FIRST,
  IORING_SEND_VECTORIZED,
} from "../ffi/abi.ts";
import { type Block, takeBlock } from "../ffi/block.ts";
import { notInteger } from "../ffi/check.ts";
import { iovec } from "../ffi/layout.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import {
  checkControl,
  type ControlMessage,
  writeControl,
} from "../ffi/structs/cmsghdr.ts";
import {
  encodeSockaddr,
  showAddress,
  type SocketAddressLike,
} from "../ffi/structs/sockaddr.ts";
import type { Sqe } from "../ring/sqe.ts";
import { copyBlock } from "./address.ts";
import {
  checkBuffer,
  checkFlags,
  checkIntact,
  checkUnsigned,
  MAX_TRANSFER,
} from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { length32, messageBuffers, MessageLayout } from "./message.ts";
import { Op } from "./op.ts";
import {
  checkGroup,
  groupHint,
  selectBuffer,
  selectsBuffer,
  type Sent,
  sent,
} from "./provided.ts";
import { checkBuffers, writeIovecs } from "./vectored.ts";

/** Queues a send. `io_uring_prep_send(3)`, since 5.6. */
export function prepSend(
  sqe: Sqe,
  sockfd: number,
  buf: number | bigint,
  len: number | bigint,
  flags: number,
): void {
  const length = length32("prepSend: len", len);
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_SEND, sockfd, buf, length, 0);
}

/**
 * Queues sends from several provided buffers at once; the entry also wants a buffer group and
 * `IOSQE_BUFFER_SELECT`. `io_uring_prep_send_bundle(3)`, since 6.10.
 */
export function prepSendBundle(
  sqe: Sqe,
  sockfd: number,
  len: number | bigint,
  flags: number,
): void {
  sqe.ioprio |= IORING_RECVSEND_BUNDLE;
  prepSend(sqe, sockfd, 0, len, flags);
}

/**
 * Adds a destination to a send that was queued; `dest_addr` is the address of a
 * `struct sockaddr`. `io_uring_prep_send_set_addr(3)`, since 6.0 for sends without a copy, 6.1
 * for others.
 */
export function prepSendSetAddr(
  sqe: Sqe,
  destAddr: number | bigint,
  addrLen: number,
): void {
  setAddrLen(sqe, "prepSendSetAddr: addr_len", addrLen);
  sqe.off = destAddr;
}

/**
 * Queues a send to a destination; `addr` is the address of a `struct sockaddr`.
 * `io_uring_prep_sendto(3)`, since 6.1.
 */
export function prepSendto(
  sqe: Sqe,
  sockfd: number,
  buf: number | bigint,
  len: number | bigint,
  flags: number,
  addr: number | bigint,
  addrlen: number,
): void {
  const length = length32("prepSendto: len", len);
  setAddrLen(sqe, "prepSendto: addrlen", addrlen);
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_SEND, sockfd, buf, length, addr);
}

/** The length has only the low half of its word; the high half is not C's to write. */
function setAddrLen(sqe: Sqe, what: string, length: number): void {
  if ((length & 0xffff) !== length) throw notInteger(what, length, 0, 0xffff);
  sqe.fileIndex = ((sqe.fileIndex & 0xffff_0000) | length) >>> 0;
}

/**
 * Queues a message; `msg` is the address of a `struct msghdr`. `io_uring_prep_sendmsg(3)`,
 * since 5.3.
 */
export function prepSendmsg(
  sqe: Sqe,
  fd: number,
  msg: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_SENDMSG, fd, msg, 1, 0);
}

/** Options of {@linkcode send} and its relatives. */
export interface SendOptions {
  /**
   * `MSG_*`, see send(2). `MSG_WAITALL` sends all of it, not only what finds room at once.
   * No signal is raised in any case. Default: 0.
   */
  flags?: number;
  /**
   * Whether to expect that the socket is full, and to save the first attempt
   * (`IORING_RECVSEND_POLL_FIRST`, since kernel 5.19). Default: false.
   */
  pollFirst?: boolean;
}

/** Options of {@linkcode send} and {@linkcode sendBundle} with provided buffers. */
export interface SendSelectOptions extends SendOptions {
  /** The group of provided buffers, from 0 to 65535, that the kernel takes the bytes from. */
  bufferGroup: number;
  /** How many bytes to send at most. Default: 0, all of the buffer. */
  length?: number;
}

/** What a message carries. */
export interface Message {
  /** The bytes, in one buffer or several. */
  buffers: View | readonly View[];
  /** Where to. Default: where the socket is connected to. */
  address?: SocketAddressLike;
  /** What travels beside the bytes: file descriptors, see `rights`. Default: nothing. */
  control?: readonly ControlMessage[];
}

/** Checks what all sends have; returns their flags, and `sqe.ioprio`. */
export function checkSend(
  op: string,
  fd: Fd,
  { flags = 0, pollFirst = false }: SendOptions,
): { flags: number; ioprio: number } {
  checkFd(`${op}: fd`, fd);
  checkFlags(`${op}: flags`, flags);
  return { flags, ioprio: pollFirst ? IORING_RECVSEND_POLL_FIRST : 0 };
}

/**
 * Sends bytes on a connected socket, as send(2); from a buffer, or from a provided one of the
 * kernel's choice, so that sends one after the other keep their order.
 *
 * Gives how many bytes were sent: of a stream maybe not all. EPIPE, ECONNRESET: the other end
 * is gone. ENOTCONN, EDESTADDRREQ: there is none. EMSGSIZE: too long for a datagram.
 *
 * Since kernel 5.6; from provided buffers since 6.10. See io_uring_prep_send(3).
 *
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_UNIX, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { bind, close, connect, opcodes, run, send, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   const self = { path: `\0uring-send-${Deno.pid}` };
 *   const fd = run(ring, socket(AF_UNIX, SOCK_DGRAM));
 *   run(ring, bind(fd, self));
 *   run(ring, connect(fd, self));
 *   assertEquals(run(ring, send(fd, new Uint8Array(5))), 5);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function send(fd: Fd, buffer: View, options?: SendOptions): Op<number>;
/**
 * Sends a provided buffer of the kernel's choice. Since kernel 6.10.
 *
 * Gives how many bytes were sent, and which buffer. ENOBUFS: the group is empty.
 */
export function send(fd: Fd, options: SendSelectOptions): Op<Sent>;
export function send(
  fd: Fd,
  source: View | SendSelectOptions,
  options: SendOptions = {},
): Op<number> | Op<Sent> {
  if (selectsBuffer<SendSelectOptions>(source)) {
    return sendSelected("send", fd, source);
  }
  const { flags, ioprio } = checkSend("send", fd, options);
  const buffer = checkBuffer("send: buffer", source);
  const { byteLength } = buffer;
  const length = Math.min(byteLength, MAX_TRANSFER);
  return Op.of({
    opcode: IORING_OP_SEND,
    name: "send",
    encode: (sqe) => {
      sqe.ioprio = ioprio;
      prepSend(sqe, fdNumber(fd), addressOf(buffer), length, flags);
      markFixed(sqe, fd);
      return buffer;
    },
    decode: ({ res }) => {
      checkIntact("send", buffer, byteLength);
      return res;
    },
  });
}

function sendSelected(
  op: "send" | "sendBundle",
  fd: Fd,
  options: SendSelectOptions,
): Op<Sent> {
  const { flags, ioprio } = checkSend(op, fd, options);
  const { length = 0 } = options;
  const group = checkGroup(`${op}: bufferGroup`, options.bufferGroup);
  checkUnsigned(`${op}: length`, length, 0x7fff_ffff);
  const bundle = op === "sendBundle";
  return Op.of({
    opcode: IORING_OP_SEND,
    name: "send",
    multishot: bundle,
    encode: (sqe) => {
      sqe.ioprio = ioprio;
      if (bundle) prepSendBundle(sqe, fdNumber(fd), length, flags);
      else prepSend(sqe, fdNumber(fd), 0, length, flags);
      selectBuffer(sqe, group);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: sent,
    ends: ({ res }) => res === 0,
    hint: (errno) => groupHint(group, errno),
  });
}

/**
 * Sends the provided buffers of a group, in their order, as many as there are, each completion
 * telling of a bundle of them. The group must be a ring of buffers.
 *
 * Gives how many bytes were sent, and the first of the buffers that they were in; the others
 * are those after it in the ring of buffers. The last completion comes without
 * `IORING_CQE_F_MORE`, most often ENOBUFS: the group is empty.
 *
 * Since kernel 6.10; see io_uring_prep_send_bundle(3).
 *
 * @param options `bufferGroup` is required.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { sendBundle } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * assert(sendBundle(3, { bufferGroup: 7 }).multishot);
 * ```
 */
export function sendBundle(fd: Fd, options: SendSelectOptions): Op<Sent> {
  return sendSelected("sendBundle", fd, options);
}

/**
 * Sends a datagram to an address, as sendto(2).
 *
 * Gives how many bytes were sent. EINVAL: the kernel is older. EISCONN, ECONNREFUSED,
 * EMSGSIZE: see send(2). {@linkcode sendmsg} does the same on older kernels.
 *
 * Since kernel 6.1; see io_uring_prep_sendto(3).
 *
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_UNIX, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { bind, close, opcodes, run, sendto, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   const self = { path: `\0uring-sendto-${Deno.pid}` };
 *   const fd = run(ring, socket(AF_UNIX, SOCK_DGRAM));
 *   run(ring, bind(fd, self));
 *   assertEquals(run(ring, sendto(fd, new Uint8Array(5), self)), 5);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function sendto(
  fd: Fd,
  buffer: View,
  address: SocketAddressLike,
  options: SendOptions = {},
): Op<number> {
  const { flags, ioprio } = checkSend("sendto", fd, options);
  const { byteLength } = checkBuffer("sendto: buffer", buffer);
  const sockaddr = encodeSockaddr("sendto: address", address);
  const length = Math.min(byteLength, MAX_TRANSFER);
  return Op.of({
    opcode: IORING_OP_SEND,
    name: "sendto",
    path: showAddress(address),
    encode: (sqe) => {
      const from = addressOf(buffer);
      const block = copyBlock(sockaddr);
      block.keep = buffer;
      const to = block.address;
      sqe.ioprio = ioprio;
      prepSendto(sqe, fdNumber(fd), from, length, flags, to, sockaddr.length);
      markFixed(sqe, fd);
      return block;
    },
    decode: ({ res }) => {
      checkIntact("sendto", buffer, byteLength);
      return res;
    },
  });
}

/**
 * Sends the bytes of several buffers on a connected socket, as writev(2) does on a file.
 * {@linkcode sendmsg} does the same on older kernels.
 *
 * Gives how many bytes were sent; errors are those of {@linkcode send}.
 *
 * Since kernel 6.17 (`IORING_SEND_VECTORIZED`), EINVAL before; see io_uring_prep_send(3).
 *
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { sendVectored } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const op = sendVectored(3, [new Uint8Array(4), new Uint8Array(8)]);
 * assertEquals(op.name, "send"); // run it on a connected socket
 * ```
 */
export function sendVectored(
  fd: Fd,
  buffers: readonly View[],
  options: SendOptions = {},
): Op<number> {
  const { flags, ioprio } = checkSend("sendVectored", fd, options);
  const views = checkBuffers("sendVectored: buffers", buffers);
  const lengths = views.map((view) => view.byteLength);
  return Op.of({
    opcode: IORING_OP_SEND,
    name: "send",
    encode: (sqe) => {
      const block = iovecBlock(views);
      sqe.ioprio = ioprio | IORING_SEND_VECTORIZED;
      prepSend(sqe, fdNumber(fd), block.address, views.length, flags);
      markFixed(sqe, fd);
      return block;
    },
    decode: ({ res }) => {
      views.forEach((view, i) =>
        checkIntact("sendVectored", view, lengths[i] as number)
      );
      return res;
    },
  });
}

function iovecBlock(views: readonly View[]): Block {
  const block = takeBlock(Math.max(1, views.length * iovec.size));
  try {
    writeIovecs(block.view, 0, views);
  } catch (error) {
    block.release();
    throw error;
  }
  block.keep = views;
  return block;
}

/** A message, checked, in the form that it is queued in. */
export interface CheckedMessage {
  /** Takes a block with the whole message in it. */
  take: () => Block;
  /** Notices buffers that were transferred away. */
  checkIntact: (op: string) => void;
  /** Where to, as text. */
  path: string | undefined;
}

/** Checks a message to be sent. */
export function checkMessage(op: string, message: Message): CheckedMessage {
  const { buffers, address, control = [] } = message;
  const views = messageBuffers(`${op}: buffers`, buffers);
  const name = address === undefined
    ? new Uint8Array()
    : encodeSockaddr(`${op}: address`, address);
  const controls = new Uint8Array(checkControl(`${op}: control`, control));
  writeControl(controls, control);
  const layout = new MessageLayout(views, name.length, controls.length);
  return {
    take() {
      const block = layout.take();
      block.bytes.set(name, layout.name);
      block.bytes.set(controls, layout.control);
      return block;
    },
    checkIntact: (op) => layout.checkIntact(op),
    path: address === undefined ? undefined : showAddress(address),
  };
}

/**
 * Sends a message, as sendmsg(2): the bytes of several buffers, to an address if need be, with
 * control messages beside them.
 *
 * Gives how many bytes were sent. Errors are those of {@linkcode send}; EBADF also if a file
 * descriptor to be passed is none.
 *
 * Since kernel 5.3; see io_uring_prep_sendmsg(3).
 *
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_UNIX, rights, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { bind, close, opcodes, run, sendmsg, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   const address = { path: `\0uring-sendmsg-${Deno.pid}` };
 *   const fd = run(ring, socket(AF_UNIX, SOCK_DGRAM));
 *   run(ring, bind(fd, address));
 *   const buffers = new TextEncoder().encode("stdin");
 *   const message = { buffers, address, control: [rights(0)] };
 *   assertEquals(run(ring, sendmsg(fd, message)), 5);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function sendmsg(
  fd: Fd,
  message: Message,
  options: SendOptions = {},
): Op<number> {
  const { flags, ioprio } = checkSend("sendmsg", fd, options);
  const { take, checkIntact, path } = checkMessage("sendmsg", message);
  return Op.of({
    opcode: IORING_OP_SENDMSG,
    name: "sendmsg",
    path,
    encode: (sqe) => {
      const block = take();
      sqe.ioprio = ioprio;
      prepSendmsg(sqe, fdNumber(fd), block.address, flags);
      markFixed(sqe, fd);
      return block;
    },
    decode: ({ res }) => {
      checkIntact("sendmsg");
      return res;
    },
  });
}
