/**
 * The submission queue: entries that the program fills and the kernel takes.
 *
 * @module
 */

import {
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_LINK_TIMEOUT,
  IORING_OP_MSG_RING,
  IORING_OP_POLL_ADD,
  IORING_OP_POLL_REMOVE,
  IORING_OP_READ,
  IORING_OP_READ_FIXED,
  IORING_OP_READV,
  IORING_OP_READV_FIXED,
  IORING_OP_TIMEOUT,
  IORING_OP_TIMEOUT_REMOVE,
  IORING_SETUP_SQ_REWIND,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQE_MIXED,
  IORING_SETUP_SQPOLL,
  IORING_SQ_NEED_WAKEUP,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../ffi/abi.ts";
import type { RingMapping } from "../ffi/kernel.ts";
import { io_uring_sqe } from "../ffi/layout.ts";
import { RWF_NOWAIT } from "../ffi/linux.ts";
import { Sqe } from "./sqe.ts";

// The fields of the hot paths are `private declare`, not `#private`: assigned once, in the
// constructor, they are constants to V8, which folds the queues and their memory into the code of
// whoever uses them. A #field is undefined first, and then never a constant: 6 ns an operation.

/** Ops that move no data and never block: what marks every entry leaves them as they are. */
const UNMARKED: ReadonlySet<number> = new Set([
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_LINK_TIMEOUT,
  IORING_OP_MSG_RING,
  IORING_OP_POLL_ADD,
  IORING_OP_POLL_REMOVE,
  IORING_OP_TIMEOUT,
  IORING_OP_TIMEOUT_REMOVE,
]);

/** Reads with `RWF_NOWAIT` ask the page cache: a worker would wait, and all would be hits. */
const READS: ReadonlySet<number> = new Set([
  IORING_OP_READV,
  IORING_OP_READ_FIXED,
  IORING_OP_READ,
  IORING_OP_READV_FIXED,
]);
const RW_FLAGS = io_uring_sqe.rw_flags >> 2;

/**
 * The submission queue of a ring. {@linkcode Ring.sqe} and {@linkcode Ring.submit} are the
 * way to use it; this is for looking at it.
 *
 * Counters are 32 bits wide and wrap; differences of them, taken `| 0`, stay right.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(8);
 * ring.sqe(); // a zeroed entry is a NOP
 * assertEquals([ring.sq.entries, ring.sq.ready, ring.sq.space], [8, 1, 7]);
 * ring.submit();
 * assertEquals(ring.sq.ready, 0);
 * ```
 */
export class SubmissionQueue {
  /** How many entries the queue holds: a power of two. */
  declare readonly entries: number;
  declare private readonly words: Int32Array<ArrayBuffer>;
  declare private readonly doubles: Float64Array<ArrayBuffer>;
  declare private readonly headAt: number;
  declare private readonly tailAt: number;
  declare private readonly flagsAt: number;
  declare private readonly droppedAt: number;
  declare private readonly mask: number;
  /** log2 of an entry's size in 32-bit words: 4, or 5 for entries of 128 bytes. */
  declare private readonly shift: number;
  declare private readonly polled: boolean;
  /**
   * Whether free entries are zero already. Where nobody but `enter` takes entries they are
   * wiped in bulk when it returns; otherwise each when it is handed out.
   */
  declare private readonly clean: boolean;
  /** `IORING_SETUP_SQ_REWIND`: no head and no tail, every submission begins at entry 0. */
  declare private readonly rewind: boolean;
  /** `IOSQE_*` that every entry gets when it is published, see `workers` of `RingOptions`. */
  declare readonly entryFlags: number;
  declare private readonly flyweight: Sqe;
  /** An entry over two slots, in a ring with `IORING_SETUP_SQE_MIXED`. */
  declare private readonly wideFlyweight: Sqe | null;
  /** One past the last entry handed out. */
  declare private filled: number;
  /** One past the last entry over two slots. */
  declare private wideEnd: number;
  /** The tail that the kernel was shown: `#filled` as of the last publish. */
  declare private published: number;
  /** The kernel's head as last seen: it can only have moved on since. */
  declare private seenHead: number;

  /** Lays a queue over a ring's memory. Internal: a {@linkcode Ring} makes its own. */
  constructor(mapping: RingMapping, entryFlags = 0) {
    const { sq, sqes, flags } = mapping;
    this.entryFlags = entryFlags;
    const wide = (flags & IORING_SETUP_SQE128) !== 0;
    this.entries = mapping.sqEntries;
    this.words = new Int32Array(sq.buffer, 0, sq.buffer.byteLength >> 2);
    this.doubles = new Float64Array(sqes);
    this.headAt = sq.head >> 2;
    this.tailAt = sq.tail >> 2;
    this.flagsAt = sq.flags >> 2;
    this.droppedAt = sq.dropped >> 2;
    this.mask = mapping.sqEntries - 1;
    this.shift = wide ? 5 : 4;
    this.polled = (flags & IORING_SETUP_SQPOLL) !== 0;
    this.clean = (flags & (IORING_SETUP_SQPOLL | IORING_SETUP_SQ_REWIND)) === 0;
    this.rewind = (flags & IORING_SETUP_SQ_REWIND) !== 0;
    this.flyweight = new Sqe(sqes, 0, wide ? 128 : 64);
    const mixed = (flags & IORING_SETUP_SQE_MIXED) !== 0 && this.entries > 1;
    this.wideFlyweight = wide
      ? this.flyweight
      : mixed
      ? new Sqe(sqes, 0, 128)
      : null;
    this.filled = Atomics.load(this.words, this.tailAt);
    this.published = this.filled;
    this.seenHead = Atomics.load(this.words, this.headAt);
  }

  /**
   * The next free entry, every byte of it zero; null when the queue is full. Internal:
   * {@linkcode Ring.sqe} calls it.
   */
  next(): Sqe | null {
    const filled = this.filled;
    if (((filled - this.seenHead) | 0) >= this.entries) {
      // Without a thread of the kernel the head moves in `enter` only, and took() knows.
      if (!this.polled) return null;
      this.seenHead = Atomics.load(this.words, this.headAt);
      if (((filled - this.seenHead) | 0) >= this.entries) return null;
    }
    const base = (filled & this.mask) << this.shift;
    if (!this.clean) this.#zero(base >> 1);
    this.flyweight.base = base;
    this.filled = (filled + 1) | 0;
    return this.flyweight;
  }

  /**
   * The next free entry of 128 bytes, every byte of it zero; null when the queue has no room
   * for it. In a mixed ring it takes two slots, which must be neighbours: at the end of the
   * queue a NOP without a completion fills the odd one. Internal: {@linkcode Ring.sqe128}.
   */
  next128(): Sqe | null {
    const sqe = this.wideFlyweight;
    if (sqe === null) {
      throw new TypeError(
        "Ring.sqe128: the ring has entries of 64 bytes only. Make it with " +
          "IORING_SETUP_SQE128 (Linux 5.19) or IORING_SETUP_SQE_MIXED (6.19).",
      );
    }
    if (this.shift === 5) return this.next();
    const atEnd = (this.filled & this.mask) === this.mask;
    if (this.space < (atEnd ? 3 : 2)) return null;
    if (atEnd) {
      const links = this.#lastFlags() & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
      const padding = this.next();
      // A chain goes on behind the padding.
      if (padding !== null) padding.flags = IOSQE_CQE_SKIP_SUCCESS | links;
    }
    const first = this.next();
    if (first === null || this.next() === null) return null;
    sqe.base = ((this.filled - 2) & this.mask) << 4;
    this.wideEnd = this.filled;
    return sqe;
  }

  /** The flags of the entry handed out last, if the kernel has not taken it; else 0. */
  #lastFlags(): number {
    const filled = this.filled;
    if (filled === this.seenHead) return 0;
    const slots = filled === this.wideEnd ? 2 : 1;
    const base = ((filled - slots) & this.mask) << 4;
    return ((this.flyweight.words[base] as number) >>> 8) & 0xff;
  }

  /** Eight stores of doubles cost 2 ns, `fill` a call into the runtime. */
  #zero(first: number): void {
    const doubles = this.doubles;
    doubles[first] = 0;
    doubles[first + 1] = 0;
    doubles[first + 2] = 0;
    doubles[first + 3] = 0;
    doubles[first + 4] = 0;
    doubles[first + 5] = 0;
    doubles[first + 6] = 0;
    doubles[first + 7] = 0;
    if (this.shift === 5) doubles.fill(0, first + 8, first + 16);
  }

  /** Zeroes `count` entries from the one at `head` on: for many, `fill` costs 1 ns each. */
  #wipe(head: number, count: number): void {
    const first = head & this.mask;
    const shift = this.shift - 1;
    if (count < 12) {
      for (let index = 0; index < count; index++) {
        this.#zero(((first + index) & this.mask) << shift);
      }
      return;
    }
    const last = Math.min(first + count, this.entries);
    this.doubles.fill(0, first << shift, last << shift);
    const wrapped = count - (last - first);
    if (wrapped > 0) this.doubles.fill(0, 0, wrapped << shift);
  }

  /**
   * Shows the kernel every entry handed out so far; returns how many it has not been asked
   * to take yet. Internal.
   */
  publish(): number {
    const filled = this.filled;
    if (this.entryFlags !== 0) this.#mark(filled);
    if (this.polled) {
      const fresh = (filled - this.published) | 0;
      // seq_cst, hence a full fence before the flags are read: see needsWakeup.
      if (fresh !== 0) Atomics.store(this.words, this.tailAt, filled);
      this.published = filled;
      return fresh;
    }
    // The kernel reads the tail inside our own io_uring_enter and nowhere else: program order
    // is enough, and the compiler keeps a store before a call that it cannot see into.
    this.words[this.tailAt] = filled;
    this.published = filled;
    return (filled - this.seenHead) | 0;
  }

  /** Sets the flags that every entry is to have in those that the kernel was not shown yet. */
  #mark(filled: number): void {
    const { mask, shift, entryFlags } = this;
    const { words: entries } = this.flyweight;
    for (let at = this.published; at !== filled; at = (at + 1) | 0) {
      const base = (at & mask) << shift;
      const first = entries[base] as number;
      const opcode = first & 0xff;
      const flags = entries[base + RW_FLAGS] as number;
      const asks = READS.has(opcode) && (flags & RWF_NOWAIT) !== 0;
      if (!asks && !UNMARKED.has(opcode)) {
        entries[base] = first | entryFlags << 8;
      }
    }
  }

  /** Notes that the kernel took `count` entries inside `enter`. Internal. */
  took(count: number): void {
    if (!this.rewind) {
      this.#wipe(this.seenHead, count);
      this.seenHead = (this.seenHead + count) | 0;
      return;
    }
    const doubles = 1 << (this.shift - 1);
    this.doubles.copyWithin(0, count * doubles, this.filled * doubles);
    this.filled -= count;
    this.published = this.filled;
  }

  /** Reads the head anew; returns how many published entries the kernel has not taken. Internal. */
  refresh(): number {
    if (this.rewind) return this.filled;
    const head = Atomics.load(this.words, this.headAt);
    this.took((head - this.seenHead) | 0);
    return (this.published - head) | 0;
  }

  /** The entries that the kernel has not taken, for a queue of another size. Internal. */
  save(): Float64Array {
    const count = this.refresh();
    const size = 1 << (this.shift - 1);
    const saved = new Float64Array(count * size);
    for (let index = 0; index < count; index++) {
      const at = ((this.seenHead + index) & this.mask) * size;
      saved.set(this.doubles.subarray(at, at + size), index * size);
    }
    return saved;
  }

  /**
   * Puts back what {@linkcode save} gave, from the head on. The kernel moves entries itself,
   * but of those with 128 bytes only halves (Linux 6.13 to 6.18). Internal.
   */
  restore(saved: Float64Array): void {
    const size = 1 << (this.shift - 1);
    for (let index = 0; index * size < saved.length; index++) {
      const at = ((this.seenHead + index) & this.mask) * size;
      const entry = saved.subarray(index * size, (index + 1) * size);
      this.doubles.set(entry, at);
    }
  }

  /**
   * The kernel's flags, `IORING_SQ_*`. Between publishing the tail and reading these lies a
   * full fence (both are seq_cst Atomics); without it the kernel's thread can go to sleep
   * without having seen the tail, and we miss that it sleeps.
   */
  get flags(): number {
    return Atomics.load(this.words, this.flagsAt);
  }

  /**
   * Whether the kernel's thread sleeps and must be woken to see what was published
   * (`IORING_SQ_NEED_WAKEUP`). Meaningful after a publish, see {@linkcode flags}. A ring without
   * `IORING_SETUP_SQPOLL` has no thread: false.
   */
  get needsWakeup(): boolean {
    return (this.flags & IORING_SQ_NEED_WAKEUP) !== 0;
  }

  /** How many entries are handed out and not taken by the kernel yet. */
  get ready(): number {
    if (this.rewind) return this.filled;
    return (this.filled - Atomics.load(this.words, this.headAt)) | 0;
  }

  /** How many entries are free. */
  get space(): number {
    return this.entries - this.ready;
  }

  /** How many entries the kernel refused for a bad index: always 0 in a ring of this library. */
  get dropped(): number {
    return Atomics.load(this.words, this.droppedAt) >>> 0;
  }
}
