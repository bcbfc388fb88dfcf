/**
 * Sending without copying: the network card takes the bytes from the program's own memory.
 *
 * Such a send completes twice. The first completion has the result; if it has
 * `IORING_CQE_F_MORE`, the kernel still reads the memory, and a second one with
 * `IORING_CQE_F_NOTIF`, the notification, says when it no longer does. Whoever runs the op
 * waits for that before the buffer is used again: {@linkcode run} does.
 *
 * @module
 */

import {
  IORING_CQE_F_NOTIF,
  IORING_NOTIF_USAGE_ZC_COPIED,
  IORING_OP_SEND_ZC,
  IORING_OP_SENDMSG_ZC,
  IORING_RECVSEND_FIXED_BUF,
  IORING_SEND_ZC_REPORT_USAGE,
} from "../ffi/abi.ts";
import { ENOBUFS, ENOMEM, EOPNOTSUPP } from "../ffi/linux.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import {
  encodeSockaddr,
  showAddress,
  type SocketAddressLike,
} from "../ffi/structs/sockaddr.ts";
import type { Sqe } from "../ring/sqe.ts";
import { copyBlock } from "./address.ts";
import {
  checkBuffer,
  checkIntact,
  checkUnsigned,
  MAX_TRANSFER,
} from "./arguments.ts";
import { type Fd, fdNumber, markFixed } from "./fd.ts";
import { length32 } from "./message.ts";
import { type Completion, Op } from "./op.ts";
import {
  checkMessage,
  checkSend,
  type Message,
  prepSendSetAddr,
  type SendOptions,
} from "./send.ts";

/** Queues a send without a copy. `io_uring_prep_send_zc(3)`, since 6.0. */
export function prepSendZc(
  sqe: Sqe,
  sockfd: number,
  buf: number | bigint,
  len: number | bigint,
  flags: number,
  zcFlags: number,
): void {
  const length = length32("prepSendZc: len", len);
  sqe.opFlags = flags;
  sqe.ioprio = zcFlags;
  sqe.prep(IORING_OP_SEND_ZC, sockfd, buf, length, 0);
}

/**
 * Queues a send without a copy from the registered buffer `buf_index`.
 * `io_uring_prep_send_zc_fixed(3)`, since 6.0.
 */
export function prepSendZcFixed(
  sqe: Sqe,
  sockfd: number,
  buf: number | bigint,
  len: number | bigint,
  flags: number,
  zcFlags: number,
  bufIndex: number,
): void {
  sqe.bufIndex = bufIndex;
  prepSendZc(sqe, sockfd, buf, len, flags, zcFlags);
  sqe.ioprio |= IORING_RECVSEND_FIXED_BUF;
}

/**
 * Queues a message without a copy; `msg` is the address of a `struct msghdr`.
 * `io_uring_prep_sendmsg_zc(3)`, since 6.1.
 */
export function prepSendmsgZc(
  sqe: Sqe,
  fd: number,
  msg: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_SENDMSG_ZC, fd, msg, 1, 0);
}

/**
 * Queues a message without a copy, whose iovecs lie in the registered buffer `buf_index`.
 * `io_uring_prep_sendmsg_zc_fixed(3)`, since 6.15.
 */
export function prepSendmsgZcFixed(
  sqe: Sqe,
  fd: number,
  msg: number | bigint,
  flags: number,
  bufIndex: number,
): void {
  sqe.bufIndex = bufIndex;
  sqe.ioprio |= IORING_RECVSEND_FIXED_BUF;
  prepSendmsgZc(sqe, fd, msg, flags);
}

/** Options of {@linkcode sendmsgZc} and {@linkcode sendmsgZcFixed}. */
export interface SendmsgZcOptions extends SendOptions {
  /**
   * Whether the notification shall say if the bytes were copied after all, see
   * {@linkcode wasCopied} (`IORING_SEND_ZC_REPORT_USAGE`, since kernel 6.2). Default: false.
   */
  reportUsage?: boolean;
}

/** Options of {@linkcode sendZc} and {@linkcode sendZcFixed}. */
export interface SendZcOptions extends SendmsgZcOptions {
  /** Where to. Default: where the socket is connected to. */
  address?: SocketAddressLike;
}

/**
 * Whether a completion is a notification: the second one of a zero-copy send, which says that
 * the kernel no longer reads the memory. It has no result.
 *
 * @example
 * ```ts
 * import { IORING_CQE_F_NOTIF } from "@uring/uring/ffi";
 * import { isNotification } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * assert(isNotification({ res: 0, flags: IORING_CQE_F_NOTIF }));
 * ```
 */
export function isNotification(completion: Completion): boolean {
  return (completion.flags & IORING_CQE_F_NOTIF) !== 0;
}

/**
 * Whether the kernel copied the bytes after all: on loopback it always does, and for a card
 * that cannot gather. Then a plain send is cheaper.
 *
 * @param notification the {@linkcode isNotification notification} of a send with `reportUsage`.
 *
 * @example
 * ```ts
 * import { IORING_CQE_F_NOTIF, IORING_NOTIF_USAGE_ZC_COPIED } from "@uring/uring/ffi";
 * import { wasCopied } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * const res = IORING_NOTIF_USAGE_ZC_COPIED | 0; // of a Cqe: as a signed integer
 * assert(wasCopied({ res, flags: IORING_CQE_F_NOTIF }));
 * ```
 */
export function wasCopied(notification: Completion): boolean {
  return isNotification(notification) &&
    (notification.res & IORING_NOTIF_USAGE_ZC_COPIED) !== 0;
}

function usageFlag({ reportUsage = false }: SendmsgZcOptions): number {
  return reportUsage ? IORING_SEND_ZC_REPORT_USAGE : 0;
}

function zeroCopyHint(errno: number): string | undefined {
  switch (errno) {
    case EOPNOTSUPP:
      return "Only TCP, UDP and a few others send without copying, Unix sockets do not: " +
        "use send or sendmsg.";
    case ENOMEM:
    case ENOBUFS:
      return "Memory that is being sent counts against RLIMIT_MEMLOCK and the socket's " +
        "optmem_max: have fewer of these sends in flight, or register the buffer.";
    default:
      return undefined;
  }
}

/**
 * Sends bytes on a connected socket, or to an address, without copying them. It pays from some
 * ten KiB on; for less {@linkcode send} is faster.
 *
 * The buffer must not change before the notification, the last completion: {@linkcode run} and
 * `Uring.submit` give their result when that has come. What it says of copies, only a bare ring
 * shows: `reportUsage`, {@linkcode wasCopied}.
 *
 * Gives how many bytes were sent: of a stream maybe not all. EOPNOTSUPP: not this kind of
 * socket. Others are those of {@linkcode send}.
 *
 * Since kernel 6.0; see io_uring_prep_send_zc(3).
 *
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, opcodes, run, sendZc, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.sendZc.supported()) {
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   const address = { hostname: "127.0.0.1", port: 9 }; // where nobody listens
 *   const buffer = new Uint8Array(4096);
 *   assertEquals(run(ring, sendZc(fd, buffer, { address })), 4096);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function sendZc(
  fd: Fd,
  buffer: View,
  options: SendZcOptions = {},
): Op<number> {
  return zeroCopy("sendZc", fd, buffer, options);
}

/**
 * Sends a part of a registered buffer without copying it: as {@linkcode sendZc}, and without
 * pinning the memory each time.
 *
 * Gives how many bytes were sent. EFAULT: no buffer is registered at the index, or `buffer`
 * does not lie within it.
 *
 * Since kernel 6.0; see io_uring_prep_send_zc_fixed(3).
 *
 * @param buffer what to send: the registered buffer, or a view of a part of it.
 * @param bufIndex the index of the registered buffer.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_INET, Memory, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, opcodes, run, sendZcFixed, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.sendZc.supported()) {
 *   using ring = new Ring(4);
 *   const { bytes } = new Memory(65536);
 *   ring.buffers.register([bytes]);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   const address = { hostname: "127.0.0.1", port: 9 }; // where nobody listens
 *   const part = bytes.subarray(0, 4096);
 *   assertEquals(run(ring, sendZcFixed(fd, part, 0, { address })), 4096);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function sendZcFixed(
  fd: Fd,
  buffer: View,
  bufIndex: number,
  options: SendZcOptions = {},
): Op<number> {
  checkUnsigned("sendZcFixed: bufIndex", bufIndex, 0xffff);
  return zeroCopy("sendZcFixed", fd, buffer, options, bufIndex);
}

function zeroCopy(
  op: string,
  fd: Fd,
  buffer: View,
  options: SendZcOptions,
  bufIndex?: number,
): Op<number> {
  const { flags, ioprio } = checkSend(op, fd, options);
  const { byteLength } = checkBuffer(`${op}: buffer`, buffer);
  const { address } = options;
  const sockaddr = address && encodeSockaddr(`${op}: address`, address);
  const zcFlags = ioprio | usageFlag(options);
  const length = Math.min(byteLength, MAX_TRANSFER);
  return Op.of({
    opcode: IORING_OP_SEND_ZC,
    name: "send_zc",
    path: address && showAddress(address),
    encode: (sqe) => {
      const from = addressOf(buffer);
      const number = fdNumber(fd);
      if (bufIndex === undefined) {
        prepSendZc(sqe, number, from, length, flags, zcFlags);
      } else {
        prepSendZcFixed(sqe, number, from, length, flags, zcFlags, bufIndex);
      }
      markFixed(sqe, fd);
      if (sockaddr === undefined) return buffer;
      const block = copyBlock(sockaddr);
      block.keep = buffer;
      prepSendSetAddr(sqe, block.address, sockaddr.length);
      return block;
    },
    decode: ({ res }) => {
      checkIntact(op, buffer, byteLength);
      return res;
    },
    hint: zeroCopyHint,
  });
}

/**
 * Sends a message without copying its buffers: {@linkcode sendmsg} as {@linkcode sendZc} does
 * it. The buffers must not change before the notification.
 *
 * Gives how many bytes were sent; errors are those of {@linkcode sendZc}.
 *
 * Since kernel 6.1; see io_uring_prep_sendmsg_zc(3).
 *
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, opcodes, run, sendmsgZc, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.sendmsgZc.supported()) {
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   const address = { hostname: "127.0.0.1", port: 9 }; // where nobody listens
 *   const buffers = [new Uint8Array(100), new Uint8Array(4096)];
 *   assertEquals(run(ring, sendmsgZc(fd, { buffers, address })), 4196);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function sendmsgZc(
  fd: Fd,
  message: Message,
  options: SendmsgZcOptions = {},
): Op<number> {
  return zeroCopyMessage("sendmsgZc", fd, message, options);
}

/**
 * Sends a message whose buffers lie in a registered buffer, without copying them.
 *
 * Gives how many bytes were sent. EFAULT: no buffer is registered at the index, or one of the
 * message's does not lie within it. EINVAL: an older kernel.
 *
 * Since kernel 6.15; see io_uring_prep_sendmsg_zc_fixed(3).
 *
 * @param bufIndex the index of the registered buffer.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { sendmsgZcFixed } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = new Uint8Array(65536); // registered at 0
 * const buffers = [buffer.subarray(0, 512), buffer.subarray(4096)];
 * assertEquals(sendmsgZcFixed(3, { buffers }, 0).name, "sendmsg_zc");
 * ```
 */
export function sendmsgZcFixed(
  fd: Fd,
  message: Message,
  bufIndex: number,
  options: SendmsgZcOptions = {},
): Op<number> {
  checkUnsigned("sendmsgZcFixed: bufIndex", bufIndex, 0xffff);
  return zeroCopyMessage("sendmsgZcFixed", fd, message, options, bufIndex);
}

function zeroCopyMessage(
  op: string,
  fd: Fd,
  message: Message,
  options: SendmsgZcOptions,
  bufIndex?: number,
): Op<number> {
  const { flags, ioprio } = checkSend(op, fd, options);
  const { take, checkIntact, path } = checkMessage(op, message);
  const zcFlags = ioprio | usageFlag(options);
  return Op.of({
    opcode: IORING_OP_SENDMSG_ZC,
    name: "sendmsg_zc",
    path,
    encode: (sqe) => {
      const block = take();
      const { address } = block;
      sqe.ioprio = zcFlags;
      if (bufIndex === undefined) {
        prepSendmsgZc(sqe, fdNumber(fd), address, flags);
      } else {
        prepSendmsgZcFixed(sqe, fdNumber(fd), address, flags, bufIndex);
      }
      markFixed(sqe, fd);
      return block;
    },
    decode: ({ res }) => {
      checkIntact(op);
      return res;
    },
    hint: zeroCopyHint,
  });
}
