/**
 * Ops whose result is wanted at once.
 *
 * @module
 */

import type { Op } from "../ops/op.ts";
import { run } from "../ops/run.ts";
import { Ring } from "../ring/ring.ts";

/** A ring beside that of the event loop, on which nothing is ever in flight. */
let ring: Ring | undefined;

/** Runs an op, and waits for it. */
export function now<T>(op: Op<T>): T {
  return run(ring ??= new Ring(2), op);
}
