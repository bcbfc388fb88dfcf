/**
 * How ops fail as promises.
 *
 * @module
 */

import { errnoName } from "../ffi/errno.ts";
import { type SystemError, systemError, UringError } from "../ffi/errors.ts";
import type { Op } from "../ops/op.ts";

const ETIME = 62;
const ECANCELED = 125;

/** An op that took longer than its `timeout`, and was cancelled. */
export class TimeoutError extends UringError {
  /** An error for an op that was given `timeout` milliseconds. */
  constructor(op: string, timeout: number, path?: string) {
    const subject = path === undefined ? op : `${op} '${path}'`;
    super(
      `${subject}: not done after ${timeout} ms, and cancelled.`,
      ETIME,
      op,
    );
    this.name = "TimeoutError";
    if (path !== undefined) Object.assign(this, { path });
  }
}

/** The error of what was still in flight, or waiting, when its `Uring` was closed. */
export function closedError(op: Op<unknown>): SystemError {
  return systemError(ECANCELED, op.name, {
    path: op.path,
    hint: "The Uring was closed.",
  });
}

/** The error of a completion; for an op that this kernel lacks it says which kernel has it. */
export function completionError(op: Op<unknown>, res: number): SystemError {
  return op.errorOf(-res);
}

/** Whether a result says that the op was cancelled, as far as the kernel got to do it. */
export function wasCancelled(res: number): boolean {
  const name = res < 0 ? errnoName(-res) : "";
  // What a worker was blocked in is interrupted.
  return name === "ECANCELED" || name === "EINTR";
}

/**
 * Throws `make()` so that the error's stack shows who awaits the op. V8 writes the stack of
 * an error thrown in an async function on through the promises that wait for it: so the promise
 * of the op is resolved with this one, and by the second turn its awaiters are linked up. An op
 * that succeeds pays nothing for it.
 */
export async function failWith(make: () => unknown): Promise<never> {
  await undefined;
  await undefined;
  throw make();
}
