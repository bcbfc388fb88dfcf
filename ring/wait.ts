/**
 * How long a wait for completions may take.
 *
 * @module
 */

import { IORING_FEAT_MIN_TIMEOUT } from "../ffi/abi.ts";
import { type Block, takeBlock } from "../ffi/block.ts";
import { systemError } from "../ffi/errors.ts";
import { io_uring_getevents_arg as getevents } from "../ffi/layout.ts";
import { EINVAL } from "../ffi/linux.ts";
import { checkMilliseconds, writeTimespec } from "../ffi/structs/timespec.ts";
import { toMicroseconds } from "./registration/wait_region.ts";

/** Options of {@linkcode Ring.wait} and {@linkcode Ring.submitAndWait}. */
export interface WaitOptions {
  /** How long to wait at most, in milliseconds. Default: for ever. */
  timeout?: number;
  /**
   * How long to wait for all the completions asked for, in milliseconds: from then on one is
   * enough, so that a batch gathers where there is much to do and nobody waits long where
   * there is little. Without a timeout the wait ends then in any case. Since Linux 6.12.
   */
  minWait?: number;
}

/**
 * Checks the options of a wait.
 *
 * @param what whose options: for the error.
 * @param features `IORING_FEAT_*` of this kernel.
 * @throws {TypeError | RangeError} if a time is no such number.
 * @throws {SystemError} EINVAL for minWait before Linux 6.12.
 */
export function checkWait(
  what: string,
  { timeout, minWait }: WaitOptions,
  features: number,
): void {
  if (timeout !== undefined) checkMilliseconds(`${what}: timeout`, timeout);
  if (minWait === undefined) return;
  toMicroseconds(`${what}: minWait`, minWait);
  if ((features & IORING_FEAT_MIN_TIMEOUT) === 0) {
    const hint = "minWait needs Linux 6.12 or later.";
    throw systemError(EINVAL, "io_uring_enter", { hint });
  }
}

/** A `struct io_uring_getevents_arg` and, behind it, the timespec that it points to. */
export function newWaitArgument(): Block {
  const block = takeBlock(getevents.size + 16);
  block.bytes.fill(0);
  return block;
}

/**
 * Writes what a wait is to be.
 *
 * @param timeout in milliseconds; Infinity for none.
 */
export function writeWait(
  block: Block,
  timeout: number,
  minWait: number | undefined,
): void {
  const { view, address } = block;
  const timed = timeout !== Infinity;
  if (timed) writeTimespec(view, getevents.size, timeout);
  const timespec = timed ? BigInt(address + getevents.size) : 0n;
  view.setBigUint64(getevents.ts, timespec, true);
  const microseconds = minWait === undefined
    ? 0
    : toMicroseconds("Ring.wait: minWait", minWait);
  view.setUint32(getevents.min_wait_usec, microseconds, true);
}
