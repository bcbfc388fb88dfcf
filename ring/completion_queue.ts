/**
 * The completion queue: what the kernel has done, for the program to take.
 *
 * @module
 */

import {
  IORING_CQ_EVENTFD_DISABLED,
  IORING_CQE_F_32,
  IORING_CQE_F_SKIP,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_DEFER_TASKRUN,
} from "../ffi/abi.ts";
import type { RingMapping } from "../ffi/kernel.ts";
import { Cqe } from "./cqe.ts";

// `private declare`, not `#private`: see submission_queue.ts.

/**
 * The completion queue of a ring. {@linkcode Ring.forEachCqe} is the way to take from it;
 * this is for looking at it, and for `eventfdEnabled`, which says whether the registered eventfd is
 * rung for completions.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(8);
 * ring.sqe(); // a zeroed entry is a NOP
 * ring.submitAndWait(1);
 * assertEquals([ring.cq.entries, ring.cq.ready], [16, 1]);
 * ```
 */
export class CompletionQueue {
  /** How many completions the queue holds: a power of two. */
  declare readonly entries: number;
  declare private readonly words: Int32Array<ArrayBuffer>;
  declare private readonly headAt: number;
  declare private readonly tailAt: number;
  declare private readonly overflowAt: number;
  declare private readonly flagsAt: number;
  declare private readonly mask: number;
  /** The first entry, in 32-bit words. */
  declare private readonly cqesAt: number;
  /** log2 of an entry's size in 32-bit words: 2, or 3 for entries of 32 bytes. */
  declare private readonly shift: number;
  declare private readonly mixed: boolean;
  /**
   * Whether the kernel posts completions inside our own `enter` and nowhere else, as it does with
   * `IORING_SETUP_DEFER_TASKRUN`. Then program order is enough, and saves 14 ns a round: the
   * compiler moves no access across a call that it cannot see into.
   */
  declare private readonly ownTask: boolean;
  declare private readonly flyweight: Cqe;
  /** The next completion to take: the kernel's head is moved up to it after a round. */
  declare private next: number;
  #visiting = false;
  #afterwards: (() => void) | null = null;

  /** Lays a queue over a ring's memory. Internal: a {@linkcode Ring} makes its own. */
  constructor(mapping: RingMapping) {
    const { cq, flags } = mapping;
    const wide = (flags & IORING_SETUP_CQE32) !== 0;
    this.entries = mapping.cqEntries;
    this.words = new Int32Array(cq.buffer, 0, cq.buffer.byteLength >> 2);
    this.headAt = cq.head >> 2;
    this.tailAt = cq.tail >> 2;
    this.overflowAt = cq.overflow >> 2;
    this.flagsAt = cq.flags >> 2;
    this.mask = mapping.cqEntries - 1;
    this.cqesAt = cq.cqes >> 2;
    this.shift = wide ? 3 : 2;
    this.mixed = (flags & IORING_SETUP_CQE_MIXED) !== 0;
    this.ownTask = (flags & IORING_SETUP_DEFER_TASKRUN) !== 0;
    this.flyweight = new Cqe(cq.buffer, 0, wide ? 32 : 16);
    this.next = Atomics.load(this.words, this.headAt);
  }

  /** Runs `task` now, or when the visits that are under way are over. Internal. */
  whenIdle(task: () => void): void {
    if (this.#visiting) this.#afterwards = task;
    else task();
  }

  /**
   * Whether `count` completions are there. A plain read, for directly after a call that the
   * compiler cannot see into: one that comes out too low costs a second look. Internal.
   */
  has(count: number): boolean {
    const next = this.#visiting ? this.#position : this.next;
    return (((this.words[this.tailAt] as number) - next) | 0) >= count;
  }

  /**
   * Visits every completion that is there, then moves the head once. Internal:
   * {@linkcode Ring.forEachCqe} calls it.
   */
  drain(visit: (cqe: Cqe) => void): number {
    if (this.#visiting) {
      throw new Error(
        "Ring.forEachCqe was called from within a visit. Return from the visit first.",
      );
    }
    const tail = this.ownTask
      ? this.words[this.tailAt] as number
      : Atomics.load(this.words, this.tailAt);
    const first = this.next;
    if (tail === first) return 0;
    if (this.mixed) return this.#drainMixed(tail, visit);
    const cqe = this.flyweight;
    const mask = this.mask;
    const shift = this.shift;
    const cqes = this.cqesAt;
    let next = first;
    this.#visiting = true;
    try {
      do {
        cqe.base = cqes + ((next & mask) << shift);
        // Before the visit: what a visit that throws has seen is taken.
        next = (next + 1) | 0;
        visit(cqe);
      } while (next !== tail);
    } finally {
      this.next = next;
      this.#leave();
    }
    return (next - first) | 0;
  }

  /** In a mixed ring a completion takes one slot or two, and a slot may be padding. */
  #drainMixed(tail: number, visit: (cqe: Cqe) => void): number {
    const cqe = this.flyweight;
    let visited = 0;
    this.#visiting = true;
    try {
      while (this.next !== tail) {
        cqe.base = this.cqesAt + ((this.next & this.mask) << 2);
        const flags = cqe.flags;
        const wide = (flags & IORING_CQE_F_32) !== 0;
        cqe.byteLength = wide ? 32 : 16;
        this.next = (this.next + (wide ? 2 : 1)) | 0;
        if ((flags & IORING_CQE_F_SKIP) !== 0) continue;
        visited++;
        visit(cqe);
      }
    } finally {
      this.#leave();
    }
    return visited;
  }

  /** Ends a round: the kernel may overwrite what was visited. */
  #leave(): void {
    this.#visiting = false;
    // Release: what lies behind the head the kernel may overwrite.
    if (this.ownTask) this.words[this.headAt] = this.next;
    else Atomics.store(this.words, this.headAt, this.next);
    if (this.#afterwards !== null) this.#runAfterwards();
  }

  /**
   * One past the last completion handed out. During a round the flyweight tells where that is:
   * a store for each completion would be 5 % of what one costs.
   */
  get #position(): number {
    const first = this.next;
    if (!this.#visiting || this.mixed) return first;
    const last = (this.flyweight.base - this.cqesAt) >> this.shift;
    return (first + ((last - first) & this.mask) + 1) | 0;
  }

  #runAfterwards(): void {
    const task = this.#afterwards;
    this.#afterwards = null;
    task?.();
  }

  /**
   * For a wait from within a visit: lets the kernel have what was visited before, which it would
   * go on counting as there. The completion in view stays. Internal.
   *
   * @returns how many slots that one takes: so many more must be waited for. 0 outside a visit.
   */
  giveBack(): number {
    if (!this.#visiting) return 0;
    const inView = this.mixed && this.flyweight.byteLength === 32 ? 2 : 1;
    const head = (this.#position - inView) | 0;
    Atomics.store(this.words, this.headAt, head);
    return inView;
  }

  /**
   * Throws from within a visit of {@linkcode drain}, for what would move the queue beneath it.
   * Internal.
   */
  checkNoVisit(what: string): void {
    if (!this.#visiting) return;
    throw new Error(
      `${what} was called from within a visit of forEachCqe. Return from the visit first.`,
    );
  }

  /** Whether a visit of {@linkcode drain} is under way. Internal. */
  get visiting(): boolean {
    return this.#visiting;
  }

  /** The completions that are there to take, for a queue of another size. Internal. */
  save(): Int32Array {
    const size = 1 << this.shift;
    const next = this.#position;
    const saved = new Int32Array(this.ready * size);
    for (let index = 0; index * size < saved.length; index++) {
      const at = this.cqesAt + ((next + index) & this.mask) * size;
      saved.set(this.words.subarray(at, at + size), index * size);
    }
    return saved;
  }

  /**
   * Puts back what {@linkcode save} gave, from the head on. The kernel moves entries itself,
   * but of those with 32 bytes only halves (Linux 6.13 to 6.18). Internal.
   */
  restore(saved: Int32Array): void {
    const size = 1 << this.shift;
    for (let index = 0; index * size < saved.length; index++) {
      const at = this.cqesAt + ((this.next + index) & this.mask) * size;
      const entry = saved.subarray(index * size, (index + 1) * size);
      this.words.set(entry, at);
    }
  }

  /** How many completions are there to take (in a mixed ring: slots, of which one may take two). */
  get ready(): number {
    return (Atomics.load(this.words, this.tailAt) - this.#position) | 0;
  }

  /**
   * How many completions did not fit the queue, since the ring was made. They are not lost:
   * since Linux 5.5 the kernel keeps them and hands them on when there is room.
   */
  get overflow(): number {
    return Atomics.load(this.words, this.overflowAt) >>> 0;
  }

  /** Whether the registered eventfd is rung for completions. True at first. */
  get eventfdEnabled(): boolean {
    const flags = Atomics.load(this.words, this.flagsAt);
    return (flags & IORING_CQ_EVENTFD_DISABLED) === 0;
  }
  set eventfdEnabled(enabled: boolean) {
    Atomics.store(
      this.words,
      this.flagsAt,
      enabled ? 0 : IORING_CQ_EVENTFD_DISABLED,
    );
  }
}
