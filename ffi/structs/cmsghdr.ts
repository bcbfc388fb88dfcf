/**
 * `struct cmsghdr`: control messages, what travels beside the bytes of a socket: file
 * descriptors, credentials, times. See cmsg(3) and unix(7).
 *
 * @module
 */

import { checkInteger, show } from "../check.ts";
import { cmsghdr } from "../layout.ts";
import { SCM_RIGHTS, SOL_SOCKET } from "../linux.ts";

/** A control message. */
export interface ControlMessage {
  /** The protocol that it belongs to: `SOL_SOCKET`, `IPPROTO_IP`. */
  level: number;
  /** What it is: `SCM_RIGHTS`, `IP_PKTINFO`. Each level counts anew. */
  type: number;
  /** Its data: a C struct, or an array of them. */
  data: Uint8Array;
}

/** Messages start at multiples of a size_t. */
function align(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/**
 * How much room a control message with so many bytes of data needs, in bytes: `CMSG_SPACE`.
 *
 * @example
 * ```ts
 * import { controlSpace } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(controlSpace(4), 24); // one file descriptor
 * assertEquals(controlSpace(8), 24); // or two
 * ```
 */
export function controlSpace(dataLength: number): number {
  return cmsghdr.size + align(dataLength);
}

/**
 * Checks control messages, and tells how many bytes they need together.
 *
 * @param what how errors call them: "sendmsg: control".
 * @throws {TypeError} if they are no array of messages.
 * @throws {RangeError} if a level or a type is no 32-bit integer.
 */
export function checkControl(
  what: string,
  messages: readonly ControlMessage[],
): number {
  if (!Array.isArray(messages)) {
    throw new TypeError(`${what} must be an array; got ${show(messages)}.`);
  }
  let size = 0;
  messages.forEach(({ level, type, data }, i) => {
    checkInteger(`${what}[${i}].level`, level, -0x8000_0000, 0x7fff_ffff);
    checkInteger(`${what}[${i}].type`, type, -0x8000_0000, 0x7fff_ffff);
    if (!(data instanceof Uint8Array)) {
      throw new TypeError(
        `${what}[${i}].data must be a Uint8Array; got ${show(data)}.`,
      );
    }
    size += controlSpace(data.length);
  });
  return size;
}

/**
 * Writes control messages one after the other, padding included.
 *
 * @param bytes where to; see {@linkcode controlSpace} for the room that each needs.
 * @returns how many bytes were written: what goes to `msg_controllen`.
 *
 * @example
 * ```ts
 * import { readControl, rights, writeControl } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new Uint8Array(64);
 * const length = writeControl(bytes, [rights(0, 1)]);
 * assertEquals(length, 24);
 * assertEquals(readControl(bytes.subarray(0, length)), [rights(0, 1)]);
 * ```
 */
export function writeControl(
  bytes: Uint8Array,
  messages: readonly ControlMessage[],
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  for (const { level, type, data } of messages) {
    const next = offset + controlSpace(data.length);
    bytes.fill(0, offset, next);
    view.setUint32(offset + cmsghdr.cmsg_len, cmsghdr.size + data.length, true);
    view.setInt32(offset + cmsghdr.cmsg_level, level, true);
    view.setInt32(offset + cmsghdr.cmsg_type, type, true);
    bytes.set(data, offset + cmsghdr.size);
    offset = next;
  }
  return offset;
}

/**
 * Reads the control messages that the kernel wrote. Their data are copies. A message that
 * claims more than there is ends the reading.
 *
 * @param bytes the messages, as long as `msg_controllen` said.
 */
export function readControl(bytes: Uint8Array): ControlMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: ControlMessage[] = [];
  let offset = 0;
  while (offset + cmsghdr.size <= bytes.length) {
    const length = Number(view.getBigUint64(offset + cmsghdr.cmsg_len, true));
    if (length < cmsghdr.size || offset + length > bytes.length) break;
    messages.push({
      level: view.getInt32(offset + cmsghdr.cmsg_level, true),
      type: view.getInt32(offset + cmsghdr.cmsg_type, true),
      data: bytes.slice(offset + cmsghdr.size, offset + length),
    });
    offset += align(length);
  }
  return messages;
}

/**
 * The control message that passes file descriptors over a Unix socket, `SCM_RIGHTS`: the
 * receiver gets numbers of its own for the same open files. See unix(7).
 *
 * @throws {RangeError} if one is no file descriptor.
 *
 * @example
 * ```ts
 * import { receivedFds, rights } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(receivedFds([rights(5, 6)]), [5, 6]);
 * ```
 */
export function rights(...fds: readonly number[]): ControlMessage {
  const words = Int32Array.from(
    fds,
    (fd, i) => checkInteger(`rights: fds[${i}]`, fd, 0, 0x7fff_ffff),
  );
  return {
    level: SOL_SOCKET,
    type: SCM_RIGHTS,
    data: new Uint8Array(words.buffer),
  };
}

/**
 * The file descriptors that came with a message. They are open, and the receiver's to close.
 */
export function receivedFds(control: readonly ControlMessage[]): number[] {
  return control
    .filter(({ level, type }) => level === SOL_SOCKET && type === SCM_RIGHTS)
    .flatMap(({ data }) => [
      ...new Int32Array(data.slice().buffer, 0, data.length >> 2),
    ]);
}
