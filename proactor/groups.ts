/**
 * Groups of provided buffers that a {@linkcode BufferRing} looks after, as streams and the engine
 * see them: what nobody takes goes back, and who waits for buffers hears when some come.
 *
 * @module
 */

import { IORING_CQE_F_BUFFER, IOSQE_BUFFER_SELECT } from "../ffi/abi.ts";
import type { Completion, Op } from "../ops/op.ts";
import { type Received, received } from "../ops/provided.ts";
import type { Ring } from "../ring/ring.ts";
import { entryOf } from "./in_use.ts";

/** A group of provided buffers. */
export interface BufferGroup {
  /** How many buffers have come back so far. */
  readonly returned: number;
  /** Whether its buffers are gone for good. */
  readonly closed: boolean;
  /**
   * Calls back, once, when a buffer has come back, or when none will any more: those that found
   * none, in turn.
   *
   * @param callback whether it has a use for the buffer; if not, the next one is called.
   * @returns what ends the waiting.
   */
  whenReturned(callback: () => boolean): () => void;
  /** Notes a result in the order in which the kernel gave it; whoever takes it may be later. */
  note(result: Received): void;
  /** Gives back the buffer of a result that was noted and that nobody takes. */
  discard(result: Received): void;
}

const groups = new WeakMap<Ring, Map<number, BufferGroup>>();

/** Makes a group known. */
export function addGroup(ring: Ring, id: number, group: BufferGroup): void {
  let known = groups.get(ring);
  if (known === undefined) groups.set(ring, known = new Map());
  known.set(id, group);
}

/** Forgets a group. */
export function removeGroup(ring: Ring, id: number): void {
  groups.get(ring)?.delete(id);
}

/** Whether a group is known. */
export function hasGroup(ring: Ring, id: number): boolean {
  return groups.get(ring)?.has(id) === true;
}

/** The group that an op takes buffers from, if a `BufferRing` looks after it. */
export function groupOf(
  ring: Ring,
  op: Op<unknown>,
): BufferGroup | undefined {
  const known = groups.get(ring);
  if (known === undefined || known.size === 0) return undefined;
  const sqe = entryOf(op);
  return sqe !== undefined && (sqe.flags & IOSQE_BUFFER_SELECT) !== 0
    ? known.get(sqe.bufIndex)
    : undefined;
}

/**
 * Gives back the buffer of a completion without a result. One that failed can have taken a
 * buffer all the same: a read that a worker was blocked in when it was cancelled.
 */
export function returnBuffer(
  ring: Ring,
  op: Op<unknown>,
  { res, flags }: Completion,
): void {
  if ((flags & IORING_CQE_F_BUFFER) === 0) return;
  const group = groupOf(ring, op);
  if (group === undefined) return;
  const result = received({ res: Math.max(res, 0), flags });
  group.note(result);
  group.discard(result);
}
