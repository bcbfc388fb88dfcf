/**
 * The twins of liburing's `io_uring_sqe_set_*`: what any op's entry takes beside what its
 * `prepX` wrote.
 *
 * @module
 */

import type { Sqe } from "../ring/sqe.ts";

/**
 * Sets what comes back as the completion's `user_data`: twin of
 * `io_uring_sqe_set_data`, see io_uring_sqe_set_data(3). In C it is a pointer; here any
 * 64-bit value.
 */
export function setData(sqe: Sqe, data: number | bigint): void {
  sqe.userData = data;
}

/**
 * Sets what comes back as the completion's `user_data`: twin of
 * `io_uring_sqe_set_data64`, see io_uring_sqe_set_data64(3).
 */
export function setData64(sqe: Sqe, data: number | bigint): void {
  sqe.userData = data;
}

/**
 * Sets the entry's flags, `IOSQE_*`, in place of those it has: twin of
 * `io_uring_sqe_set_flags`, see io_uring_sqe_set_flags(3).
 *
 * @throws {RangeError} if they need more than 8 bits, which C would cut off.
 */
export function setFlags(sqe: Sqe, flags: number): void {
  sqe.flags = flags;
}

/**
 * Sets the group of provided buffers that the kernel picks from, for an op with
 * `IOSQE_BUFFER_SELECT`: twin of `io_uring_sqe_set_buf_group`, see
 * io_uring_sqe_set_buf_group(3). It stands where a registered buffer's index would.
 *
 * @throws {RangeError} if it needs more than 16 bits, which C would cut off.
 */
export function setBufGroup(sqe: Sqe, bgid: number): void {
  sqe.bufIndex = bgid;
}
