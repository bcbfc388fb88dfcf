/**
 * Provided buffers: the kernel picks one out of a group when there is something to put into
 * it, so that idle connections hold none.
 *
 * @module
 */

import {
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUF_MORE,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
  IORING_CQE_F_SOCK_NONEMPTY,
  IOSQE_BUFFER_SELECT,
} from "../ffi/abi.ts";
import { errnoName } from "../ffi/errno.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkUnsigned, MAX_TRANSFER } from "./arguments.ts";
import type { Completion } from "./op.ts";

/** What an op that took a provided buffer tells of it. */
export interface Selection {
  /** How many bytes: 0 at the end. They are in the buffer `bufferId`, of a bundle also in those after it. */
  length: number;
  /** The id of the (first) buffer, which is the program's again; -1 if none was used. */
  bufferId: number;
  /** Whether more completions of the same submission will come: of a multishot op, until it ends. */
  more: boolean;
  /**
   * Whether the kernel keeps the buffer, and goes on in it behind these bytes: of a group
   * registered with `IOU_PBUF_RING_INC`.
   */
  partial: boolean;
}

/** What was sent from provided buffers. */
export type Sent = Selection;

/** What was received into provided buffers. */
export interface Received extends Selection {
  /** Whether the socket has more to read at once. */
  nonEmpty: boolean;
  /** Of a bundle: it may lie in several buffers. Otherwise what did not fit into the one was cut. */
  bundle?: true;
}

/** Decodes the completion of a send that takes a provided buffer. */
export function sent({ res, flags }: Completion): Sent {
  return {
    length: res,
    bufferId: (flags & IORING_CQE_F_BUFFER) === 0
      ? -1
      : flags >>> IORING_CQE_BUFFER_SHIFT,
    more: (flags & IORING_CQE_F_MORE) !== 0,
    partial: (flags & IORING_CQE_F_BUF_MORE) !== 0,
  };
}

/** Decodes the completion of a receive that takes a provided buffer. */
export function received(completion: Completion): Received {
  const nonEmpty = (completion.flags & IORING_CQE_F_SOCK_NONEMPTY) !== 0;
  return { ...sent(completion), nonEmpty };
}

/** {@linkcode received}, of an op that may fill several buffers at a time. */
export function receivedBundle(completion: Completion): Received {
  return { ...received(completion), bundle: true };
}

/** Checks the number of a group of provided buffers. */
export function checkGroup(what: string, bufferGroup: number): number {
  return checkUnsigned(what, bufferGroup, 0xffff);
}

/** Whether a builder was given options with provided buffers in place of a buffer. */
export function selectsBuffer<T extends { bufferGroup?: number }>(
  source: unknown,
): source is T {
  return !ArrayBuffer.isView(source) &&
    Object(source).bufferGroup !== undefined;
}

/** Makes the entry take a buffer of a group. */
export function selectBuffer(sqe: Sqe, bufferGroup: number): void {
  sqe.bufIndex = bufferGroup;
  sqe.flags |= IOSQE_BUFFER_SELECT;
}

/**
 * The length for an entry that takes as much as its buffer holds where it is 0. Linux 6.1 knows
 * 0 as that, Linux 5.15 takes it for no bytes; all cut what is longer than the buffer.
 */
export function selectedLength(length: number): number {
  return length === 0 ? MAX_TRANSFER : length;
}

/** What to do about an empty group. */
export function groupHint(
  bufferGroup: number,
  errno: number,
): string | undefined {
  return errnoName(errno) === "ENOBUFS"
    ? `Group ${bufferGroup} has no free buffer, or is not registered. Give buffers back ` +
      "to it, then start the op anew."
    : undefined;
}
