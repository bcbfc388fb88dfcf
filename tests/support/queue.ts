/**
 * Ops by hand: several in flight on one ring, and their completions in the order they came.
 */

import { IORING_SETUP_SQPOLL } from "../../ffi/abi.ts";
import { type Held, type Op, release } from "../../ops/op.ts";
import type { Ring, Sqe } from "../../ring/mod.ts";

/** A completion, copied out of the ring. */
export interface Seen {
  tag: number;
  res: number;
  flags: number;
  more: boolean;
}

/** A kernel's thread tells of the entries that it took after it has completed them. */
function waitForSqe(ring: Ring): Sqe | null {
  if ((ring.flags & IORING_SETUP_SQPOLL) === 0) return null;
  ring.waitForSpace();
  return ring.sqe();
}

/**
 * Queues an op with a tag, and returns what must be released after its last completion. A
 * full queue fails the test.
 */
export function queue(
  ring: Ring,
  op: Op<unknown>,
  tag: number,
  flags = 0,
): Held {
  const sqe = ring.sqe() ?? waitForSqe(ring);
  if (sqe === null) throw new Error("The test's ring is too small.");
  const held = op.encode(sqe);
  sqe.flags |= flags;
  sqe.tag = tag;
  return held;
}

/** Submits what is queued, and waits until `count` completions have come. */
export function collect(ring: Ring, count: number): Seen[] {
  const seen: Seen[] = [];
  while (seen.length < count) {
    ring.submitAndWait(1);
    ring.forEachCqe(({ tag, res, flags, more }) => {
      seen.push({ tag, res, flags, more });
    });
  }
  return seen;
}

/**
 * Queues ops, tagged 1, 2, ... with the flags beside them, and gives the results of as many
 * completions, in the order they came, by tag.
 */
export function runAll(
  ring: Ring,
  ...entries: readonly (readonly [op: Op<unknown>, flags?: number])[]
): Map<number, number> {
  const held = entries.map(([op, flags], index) =>
    queue(ring, op, index + 1, flags)
  );
  const seen = collect(ring, entries.length);
  held.forEach(release);
  return new Map(seen.map(({ tag, res }) => [tag, res]));
}
