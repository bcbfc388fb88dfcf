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
const NEXT_GENERATION = 1 << INDEX_BITS;
/**
 * Set in every tag. What others send into the ring, messages and the tags of what was registered, has a
 * small `user_data` or none: that is never an op's, whose memory the kernel would still write to.
 */
const OURS = 1 << 31;

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
  /** The tag of the op in flight: generation and index. A signed integer: V8 boxes larger ones. */
  declare tag: number;
  /** The op; null in a free slot, and when the op is over. */
  declare op: Op<unknown> | null;
  /** What the kernel may still write to or read from. */
  declare held: Held;
  /** Resolves the op's promise, if it has one. */
  declare resolve: Settle;
  /** Rejects the op's promise, if it has one. */
  declare reject: Settle;
  /** What only some ops have. */
  declare extra: Extra | null;
  /** Of an op with two completions, a zero-copy send, the first: the one with the result. */
  declare first: Completion | null;
  /** Whether somebody will come for the outcome: until then the slot is not used again. */
  declare claimed: boolean;
  /** For whom claimed it: what the op gave, or a promise of it. */
  declare outcome: unknown;
  /** Gives the outcome to whom claimed it. Made once: a closure for each op would cost. */
  declare readonly collect: () => unknown;
  /** The next free slot. */
  declare next: Slot | null;

  /** Makes a free slot. */
  constructor(index: number, collect: (slot: Slot) => unknown) {
    this.index = index;
    this.tag = index | OURS;
    this.op = null;
    this.held = undefined;
    this.resolve = ignore;
    this.reject = ignore;
    this.extra = null;
    this.first = null;
    this.claimed = false;
    this.outcome = undefined;
    this.collect = () => collect(this);
    this.next = null;
  }
}

/** Settles nothing: for ops that nobody waits for. */
export function ignore(_value: unknown): void {}

/**
 * A table of slots. The low 32 bits of `user_data` carry a slot's index and its generation, so
 * that a late completion cannot settle the promise of the op that came after.
 */
export class SlotTable {
  // Constants to V8, unlike #fields, see ring/submission_queue.ts.
  declare private readonly slots: Slot[];
  declare private readonly collect: (slot: Slot) => unknown;
  declare private free: Slot | null;

  /**
   * An empty table.
   *
   * @param collect gives the outcome of a slot's op to whom claimed it.
   */
  constructor(collect: (slot: Slot) => unknown) {
    this.slots = [];
    this.collect = collect;
    this.free = null;
  }

  /** Takes a free slot. */
  take(): Slot {
    const slot = this.free;
    if (slot === null) return this.#grow();
    this.free = slot.next;
    return slot;
  }

  #grow(): Slot {
    const slot = new Slot(this.slots.length, this.collect);
    if (slot.index > INDEX_MASK) {
      throw new RangeError(`Uring: more than ${INDEX_MASK + 1} ops in flight.`);
    }
    this.slots.push(slot);
    return slot;
  }

  /** The op is over: a completion that comes all the same finds nobody. */
  finish(slot: Slot): void {
    slot.op = null;
    slot.held = undefined;
    slot.tag = (slot.tag + NEXT_GENERATION) | OURS;
  }

  /** Lets the next op have a slot whose op is over. */
  recycle(slot: Slot): void {
    slot.next = this.free;
    this.free = slot;
  }

  /** Gives a slot back, with all that it had; one that is claimed, not before it is collected. */
  give(slot: Slot): void {
    this.finish(slot);
    slot.resolve = ignore;
    slot.reject = ignore;
    slot.extra = null;
    slot.first = null;
    if (!slot.claimed) this.recycle(slot);
  }

  /** The slot with this tag, signed or not; undefined if its op is over. */
  find(tag: number): Slot | undefined {
    const slot = this.slots[tag & INDEX_MASK];
    return slot !== undefined && slot.tag === (tag | 0) && slot.op !== null
      ? slot
      : undefined;
  }

  /** The slots in use. */
  *inUse(): Generator<Slot> {
    for (const slot of this.slots) if (slot.op !== null) yield slot;
  }
}
