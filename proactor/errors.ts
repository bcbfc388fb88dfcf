/**
 * How ops fail as promises.
 *
 * @module
 */

import { type SystemError, systemError, UringError } from "../ffi/errors.ts";
import { ECANCELED, EINVAL, EOPNOTSUPP, ETIME } from "../ffi/linux.ts";
import { errnoOf } from "../ops/cancelled.ts";
import type { Op } from "../ops/op.ts";
import { opcodeOf } from "../ops/opcodes.ts";
import type { Timeout } from "./slots.ts";

/**
 * An op that took longer than its `timeout`, and was cancelled. Its `code` is `"ETIME"`.
 *
 * @example
 * ```ts
 * import { TimeoutError, Uring } from "@uring/uring";
 * import { timeout } from "@uring/uring/ops";
 * import { assert, assertEquals } from "@std/assert";
 *
 * await using uring = new Uring();
 * const hour = timeout(3_600_000);
 * const error: unknown = await uring.submit(hour, { timeout: 5 }).catch((error) => error);
 * assert(error instanceof TimeoutError);
 * assertEquals([error.op, error.code], ["timeout", "ETIME"]);
 * ```
 */
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

/** The reason of what is cancelled because its `Uring` closes: {@linkcode closedError} is made of it. */
export const CLOSED: unique symbol = Symbol("closed");

/** The error of what was still in flight, or waiting, when its `Uring` was closed. */
export function closedError(op: Op<unknown>): SystemError {
  return systemError(ECANCELED, op.name, {
    path: op.path,
    hint: "The Uring was closed.",
  });
}

/** The error of a completion; for an op that this kernel lacks it says which kernel has it. */
export function completionError(op: Op<unknown>, res: number): SystemError {
  const errno = errnoOf(res);
  const opcode = opcodeOf(op.opcode);
  const mayBeUnknown = errno === EINVAL || errno === EOPNOTSUPP;
  if (!mayBeUnknown || opcode === undefined || opcode.supported()) {
    return op.errorOf(errno);
  }
  const { constant, since } = opcode;
  return systemError(errno, op.name, {
    path: op.path,
    hint: `This kernel has no ${constant}: it needs Linux ${since} or later.`,
  });
}

/** The error of an op with a timeout that was cancelled: by that, or by somebody else. */
export async function timeoutError(
  op: Op<unknown>,
  { milliseconds, expired }: Timeout,
  res: number,
): Promise<SystemError> {
  return await expired
    ? new TimeoutError(op.name, milliseconds, op.path)
    : completionError(op, res);
}

/**
 * Throws what `make` gives so that the error's stack shows who awaits the op. V8 writes the stack of
 * an error thrown in an async function on through the promises that wait for it: so the promise
 * of the op is resolved with this one, and by the second turn its awaiters are linked up. An op
 * that succeeds pays nothing for it.
 */
export async function failWith(make: () => unknown): Promise<never> {
  await undefined;
  await undefined;
  throw await make();
}
