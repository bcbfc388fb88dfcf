/**
 * `struct msghdr`: a message of sendmsg(2) and recvmsg(2), by its parts' addresses.
 *
 * @module
 */

import { msghdr } from "../layout.ts";

/** The size of a `struct msghdr` in bytes. */
export const MSGHDR_SIZE: number = msghdr.size;

/** Where the parts of a message are. An address of 0 says that it has no such part. */
export interface Msghdr {
  /** The address of the socket address. */
  name: number;
  /** Its length; before a receive, how much room it has. */
  nameLength: number;
  /** The address of the array of iovecs. */
  iov: number;
  /** How many iovecs. */
  iovLength: number;
  /** The address of the control messages. */
  control: number;
  /** Their length; before a receive, how much room they have. */
  controlLength: number;
}

/**
 * Writes a `struct msghdr`.
 *
 * @example
 * ```ts
 * import { MSGHDR_SIZE, writeMsghdr } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(MSGHDR_SIZE));
 * const none = { name: 0, nameLength: 0, control: 0, controlLength: 0 };
 * writeMsghdr(view, 0, { ...none, iov: 0x1000, iovLength: 2 });
 * assertEquals(view.getBigUint64(16, true), 0x1000n);
 * assertEquals(view.getBigUint64(24, true), 2n);
 * ```
 */
export function writeMsghdr(
  view: DataView,
  offset: number,
  message: Msghdr,
): void {
  const set64 = (field: number, value: number) =>
    view.setBigUint64(offset + field, BigInt(value), true);
  set64(msghdr.msg_name, message.name);
  // The length has 32 bits; the other half of its word is padding.
  set64(msghdr.msg_namelen, message.nameLength);
  set64(msghdr.msg_iov, message.iov);
  set64(msghdr.msg_iovlen, message.iovLength);
  set64(msghdr.msg_control, message.control);
  set64(msghdr.msg_controllen, message.controlLength);
  set64(msghdr.msg_flags, 0);
}

/** What the kernel writes to a `struct msghdr` when it has received a message. */
export interface ReceivedMsghdr {
  /** How long the sender's address is: longer than its room if it was cut. */
  nameLength: number;
  /** How long the control messages are that it wrote. */
  controlLength: number;
  /** `MSG_TRUNC`, `MSG_CTRUNC` and the like, see recvmsg(2). */
  flags: number;
}

/**
 * Reads what the kernel wrote to a `struct msghdr`.
 *
 * @example
 * ```ts
 * import { readMsghdr } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(56));
 * view.setUint32(48, 0x20, true); // MSG_TRUNC
 * assertEquals(readMsghdr(view, 0).flags, 0x20);
 * ```
 */
export function readMsghdr(view: DataView, offset: number): ReceivedMsghdr {
  return {
    nameLength: view.getUint32(offset + msghdr.msg_namelen, true),
    controlLength: Number(
      view.getBigUint64(offset + msghdr.msg_controllen, true),
    ),
    flags: view.getUint32(offset + msghdr.msg_flags, true),
  };
}
