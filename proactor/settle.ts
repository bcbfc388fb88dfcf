/**
 * How an op's promise learns what became of it.
 *
 * @module
 */

import { type Completion, type Held, type Op, release } from "../ops/op.ts";
import type { Engine } from "./engine.ts";
import {
  CLOSED,
  closedError,
  completionError,
  failWith,
  timeoutError,
} from "./errors.ts";
import { returnBuffer } from "./groups.ts";
import { type Extra, ignore, type Settle, type Slot } from "./slots.ts";

let settleNow: Settle = ignore;
let refuseNow: Settle = ignore;

/** One executor for all promises: a closure for each would cost more than the promise. */
function executor(resolve: Settle, reject: Settle): void {
  settleNow = resolve;
  refuseNow = reject;
}

/** Makes the promise that whoever claimed a slot will collect. */
export function promiseOutcome(slot: Slot): void {
  slot.outcome = new Promise(executor);
  slot.resolve = settleNow;
  slot.reject = refuseNow;
}

/** Settles the promise of an op by its completion. */
export function settleOp(
  engine: Engine,
  op: Op<unknown>,
  completion: Completion,
  held: Held,
  resolve: Settle,
  reject: Settle,
  extra: Extra | null,
): void {
  // What an op of somebody else's throws is that op's failure, and not the ring's.
  try {
    if (!op.failed(completion)) {
      resolve(op.decode(completion, held));
      return;
    }
    const { res } = completion;
    returnBuffer(engine.ring, op, completion);
    const again = op.retry(completion);
    if (again !== undefined) resolve(engine.resubmit(again, extra));
    else resolve(failWith(() => completionError(op, res)));
  } catch (error) {
    reject(error);
  } finally {
    release(held);
  }
}

/** Settles the promise of an op that was cancelled, by whomever. */
export function settleCancelled(
  op: Op<unknown>,
  extra: Extra,
  res: number,
  resolve: Settle,
  reject: Settle,
): void {
  const { timeout } = extra;
  if (extra.reason === CLOSED) resolve(failWith(() => closedError(op)));
  else if (extra.cancelled) reject(extra.reason);
  else if (timeout !== undefined) {
    resolve(failWith(() => timeoutError(op, timeout, res)));
  } else resolve(failWith(() => completionError(op, res)));
}
