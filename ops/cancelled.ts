/**
 * What a completion says of an op that was cancelled.
 *
 * @module
 */

import { ECANCELED, EINTR } from "../ffi/linux.ts";

// Of the kernel's own, for a call that is to be made again.
const ERESTARTSYS = 512;
const ERESTART_RESTARTBLOCK = 516;

/** Whether a result says that the op was cancelled, as far as the kernel got to do it. */
export function wasCancelled(res: number): boolean {
  return res === -ECANCELED || wasInterrupted(res);
}

/** The errno of a result that failed: EINTR for what the kernel says of that among itself. */
export function errnoOf(res: number): number {
  return wasInterrupted(res) ? EINTR : -res;
}

/**
 * Whether what a worker was blocked in was interrupted: EINTR, or one of the kernel's own words
 * for that, which some ops let out (openat of a FIFO).
 */
function wasInterrupted(res: number): boolean {
  return res === -EINTR ||
    (res <= -ERESTARTSYS && res >= -ERESTART_RESTARTBLOCK);
}
