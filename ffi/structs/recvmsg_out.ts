/**
 * `struct io_uring_recvmsg_out`: how a multishot recvmsg lays a message out in a provided
 * buffer. See io_uring_recvmsg_out(3).
 *
 * @module
 */

import { checkInteger } from "../check.ts";
import { io_uring_recvmsg_out } from "../layout.ts";
import { MSG_CMSG_CLOEXEC } from "../linux.ts";
import { type ControlMessage, readControl } from "./cmsghdr.ts";
import { decodeSockaddr, type SocketAddress } from "./sockaddr.ts";

/** How much room a multishot recvmsg leaves before the payload: what the op was made with. */
export interface RecvmsgOutLayout {
  /** The room for the sender's address, in bytes. Default: 0. */
  nameLength?: number;
  /** The room for control messages, in bytes. Default: 0. */
  controlLength?: number;
}

/** A message that a multishot recvmsg put into a provided buffer. */
export interface RecvmsgOut {
  /** Who sent it; undefined on a connected socket, or without room for the address. */
  address: SocketAddress | undefined;
  /** What came beside the bytes. */
  control: ControlMessage[];
  /** The bytes that came: a view of the buffer, no copy. */
  payload: Uint8Array;
  /**
   * How many bytes came; if the op's flags had `MSG_TRUNC`, how long the message was, also
   * when it was cut.
   */
  payloadLength: number;
  /** `MSG_TRUNC`, `MSG_CTRUNC` and the like, see recvmsg(2). */
  flags: number;
}

/**
 * Reads a message that a multishot recvmsg put into a provided buffer.
 *
 * @param bytes the buffer, as far as the kernel filled it: the completion's `length`.
 * @param layout the rooms that the op was made with.
 * @throws {RangeError} if there are fewer bytes than the layout takes: they are no such
 * message, or the layout is another one.
 *
 * @example
 * ```ts
 * import { readRecvmsgOut } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new Uint8Array(16 + 3);
 * new Uint32Array(bytes.buffer, 0, 4)[2] = 3; // payloadlen
 * bytes.set([7, 8, 9], 16);
 * assertEquals(readRecvmsgOut(bytes).payload, Uint8Array.of(7, 8, 9));
 * ```
 */
export function readRecvmsgOut(
  bytes: Uint8Array,
  { nameLength = 0, controlLength = 0 }: RecvmsgOutLayout = {},
): RecvmsgOut {
  checkInteger("readRecvmsgOut: nameLength", nameLength, 0, 0xffff_ffff);
  checkInteger("readRecvmsgOut: controlLength", controlLength, 0, 0xffff_ffff);
  const nameStart = io_uring_recvmsg_out.size;
  const controlStart = nameStart + nameLength;
  const payloadStart = controlStart + controlLength;
  if (bytes.length < payloadStart) {
    throw new RangeError(
      `readRecvmsgOut: the layout takes ${payloadStart} bytes before the payload, ` +
        `but there are only ${bytes.length}. Pass the buffer as far as the completion's ` +
        "length, and the lengths that recvmsgMultishot was given.",
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { namelen, controllen, payloadlen, flags } = io_uring_recvmsg_out;
  const nameEnd = nameStart +
    Math.min(view.getUint32(namelen, true), nameLength);
  const controlEnd = controlStart +
    Math.min(view.getUint32(controllen, true), controlLength);
  return {
    // Only a socket without a connection says who sent: one of datagrams.
    address: decodeSockaddr(bytes.subarray(nameStart, nameEnd), "datagram"),
    control: readControl(bytes.subarray(controlStart, controlEnd)),
    payload: bytes.subarray(payloadStart),
    payloadLength: view.getUint32(payloadlen, true),
    // What the request asked for comes back among what happened.
    flags: (view.getUint32(flags, true) & ~MSG_CMSG_CLOEXEC) >>> 0,
  };
}
