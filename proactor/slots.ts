/**
 * The ops in flight, and how a completion finds its own.
 *
 * @module
 */

import type { Completion, Held, Op } from "../ops/op.ts";
import type { SubmitOptions } from "./options.ts";

/** How many bits of a tag are the slot's index; the others are its generation. */
const INDEX_BITS = 18;
const INDEX_MASK = (1 << INDEX_BITS) - 1;
const GENERATIONS = 1 << (32 - INDEX_BITS);

/** What only some ops have: a signal, a timeout, a consumer of many results. */
export interface Extra {
  /** Why the op was cancelled, once it was. */
  reason?: unknown;
  /** Whether it was cancelled. */
  cancelled: boolean;
  /** The time it was given, by a linked timeout. */
  timeout: Timeout | undefined;
  /** Takes each completion of a multishot. */
  multishot: Multishot | undefined;
  /** Called when the op is over, whatever became of it: takes listeners away. */
  over: (() => void) | undefined;
  /** More flags of the entry, beside what the op itself sets. */
  flags: number;
  /** What the op was submitted with, for the one that may take its place. */
  options?: SubmitOptions;
}

/** Nothing of all that, to begin with. */
export function plainExtra(): Extra {
  return {
    cancelled: false,
    timeout: undefined,
    multishot: undefined,
    over: undefined,
    flags: 0,
  };
}

/** The time that an op was given. */
export interface Timeout {
  /** How long, in milliseconds. */
  readonly milliseconds: number;
  /** Whether it ran out: the linked timeout's own completion says so. */
  readonly expired: Promise<boolean>;
}

/** What consumes the completions of a multishot. */
export interface Multishot {
  /** A completion; `last` if no more will come of this submission. */
  take(completion: Completion, held: Held, last: boolean): void;
}

/** Settles a promise. */
export type Settle = (value: unknown) => void;

/** An op in flight. Slots are used again and again: one hidden class, no allocation. */
export class Slot {
  /** The slot's place in the table. */
  declare readonly index: number;
  /** The tag of the op in flight: generation and index. Unsigned. */
  declare tag: number;
  /** The op; null in a free slot. */
  op: Op<unknown> | null = null;
  /** What the kernel may still write to or read from. */
  held: Held = undefined;
  /** Resolves the op's promise. */
  resolve: Settle = ignore;
  /** Rejects the op's promise. */
  reject: Settle = ignore;
  /** What only some ops have. */
  extra: Extra | null = null;
  /** Of an op with two completions, a zero-copy send, the first: the one with the result. */
  first: Completion | null = null;

  /** Makes a free slot. */
  constructor(index: number) {
    this.index = index;
    this.tag = index;
  }
}

/** Settles nothing: for ops that nobody waits for. */
export function ignore(_value: unknown): void {}

/**
 * A table of slots. The low 32 bits of `user_data` carry a slot's index and its generation, so
 * that a late completion cannot settle the promise of the op that came after.
 */
export class SlotTable {
  readonly #slots: Slot[] = [];
  readonly #free: Slot[] = [];

  /** Takes a free slot. */
  take(): Slot {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const slot = new Slot(this.#slots.length);
    if (slot.index > INDEX_MASK) {
      throw new RangeError(`Uring: more than ${INDEX_MASK + 1} ops in flight.`);
    }
    this.#slots.push(slot);
    return slot;
  }

  /** Gives a slot back: its next op has another tag. */
  give(slot: Slot): void {
    slot.op = null;
    slot.held = undefined;
    slot.resolve = ignore;
    slot.reject = ignore;
    slot.extra = null;
    slot.first = null;
    const generation = ((slot.tag >>> INDEX_BITS) + 1) % GENERATIONS;
    slot.tag = ((generation << INDEX_BITS) | slot.index) >>> 0;
    this.#free.push(slot);
  }

  /** The slot with this tag; undefined if its op is over. */
  find(tag: number): Slot | undefined {
    const slot = this.#slots[tag & INDEX_MASK];
    return slot !== undefined && slot.tag === tag && slot.op !== null
      ? slot
      : undefined;
  }

  /** The slots in use. */
  *inUse(): Generator<Slot> {
    for (const slot of this.#slots) if (slot.op !== null) yield slot;
  }
}
