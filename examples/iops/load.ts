/**
 * I/O on a bare ring, as fast as it goes: the loop that is measured.
 *
 * @module
 */

import { IOSQE_FIXED_FILE } from "../../ffi/abi.ts";
import { EAGAIN, RWF_NOWAIT } from "../../ffi/linux.ts";
import { Memory } from "../../ffi/memory.ts";
import { prepNop } from "../../ops/nop.ts";
import {
  prepRead,
  prepReadFixed,
  prepWrite,
  prepWriteFixed,
} from "../../ops/rw.ts";
import type { Cqe } from "../../ring/cqe.ts";
import type { Ring } from "../../ring/ring.ts";
import type { Sqe } from "../../ring/sqe.ts";
import { Clock } from "./clock.ts";
import type { Counters } from "./counters.ts";
import { ioError } from "./failure.ts";
import { makeRing } from "./rings.ts";
import { asksCache, type Settings } from "./settings.ts";
import { closeAll, openAll, type Target } from "./targets.ts";
import { Work, WRITE } from "./work.ts";

// The same number on x86-64 and aarch64.

/**
 * With SQPOLL: after so many looks in vain, a few milliseconds, the kernel is asked to wait. Who still
 * spins then takes the time of the very thread that is to do the work, where CPUs are scarce.
 */
const LOOKS = 65536;

/** What a slot, which has one I/O after the other, is about. */
const IDLE = 0;
/** It knows what to do, and there was no entry for it. */
const CHOSEN = 1;
/** Its read asks the page cache. */
const ASKING = 2;
/** Its read missed the page cache, and is sent again to be waited for. */
const MISSED = 3;

/**
 * One thread's I/O. A round fills up to `batch` entries, makes one system call, and takes what
 * is done. Nothing is allocated in it. {@linkcode Clock} says how latency is taken.
 */
export class RingLoad {
  /** The ring. */
  declare readonly ring: Ring;
  declare private readonly settings: Settings;
  declare private readonly counters: Counters;
  declare private readonly clock: Clock;
  declare private readonly work: Work;
  declare private readonly memory: Memory;
  declare private readonly fds: readonly number[];
  /** The bytes that an I/O moves: a NOP none. */
  declare private readonly moved: number;
  declare private readonly asks: boolean;
  declare private readonly sqeFlags: number;
  declare private readonly states: Uint8Array;
  /** The slots that are free; of those below, too, the first so many elements count. */
  declare private readonly idle: Int32Array;
  declare private idleCount: number;
  /** The slots whose read missed the page cache. */
  declare private readonly missed: Int32Array;
  declare private missedCount: number;
  /** The slots that the current round completed. */
  declare private readonly done: Int32Array;
  declare private doneCount: number;
  declare private inKernel: number;
  /** How many it had when the round's completions were taken. */
  declare private submitted: number;
  /** How often it looked for completions in vain since there were some. */
  declare private looks: number;
  declare private hits: number;
  declare private misses: number;
  /** Whether no work is left. */
  declare private exhausted: boolean;
  declare private readonly visit: (cqe: Cqe) => void;

  /** Makes the ring, opens the files, and registers what is to be fixed. */
  constructor(
    settings: Settings,
    targets: readonly Target[],
    counters: Counters,
    thread: number,
    attachTo?: number,
  ) {
    const { depth, block, operation } = settings;
    this.settings = settings;
    this.counters = counters;
    this.clock = new Clock(depth, counters);
    this.work = new Work(settings, targets, thread);
    this.memory = new Memory(depth * block, { populate: true });
    this.ring = makeRing(settings, attachTo);
    this.fds = openAll(targets, settings);
    this.moved = operation === "nop" ? 0 : block;
    this.asks = asksCache(settings);
    if (settings.fixedBuffers) this.ring.buffers.register([this.memory.bytes]);
    const fixed = settings.fixedFiles && this.fds.length > 0;
    if (fixed) this.ring.files.register(this.fds);
    this.sqeFlags = fixed ? IOSQE_FIXED_FILE : 0;
    this.states = new Uint8Array(depth);
    this.idle = Int32Array.from({ length: depth }, (_, slot) => slot);
    this.idleCount = depth;
    this.missed = new Int32Array(depth);
    this.missedCount = 0;
    this.done = new Int32Array(depth);
    this.doneCount = 0;
    this.inKernel = 0;
    this.submitted = 0;
    this.looks = 0;
    this.hits = 0;
    this.misses = 0;
    this.exhausted = false;
    this.visit = (cqe) => this.#take(cqe.tag, cqe.res);
  }

  /** Does I/O until the thread is to pause, or nothing is left to do; then the kernel has none. */
  run(): void {
    const { counters } = this;
    this.clock.start();
    while (counters.running && !this.#isOver) {
      this.#fill(this.settings.batch);
      this.#round(!this.exhausted && this.inKernel < this.settings.depth);
    }
    while (this.inKernel > 0) this.#round(false);
    if (this.#isOver) counters.finish();
  }

  get #isOver(): boolean {
    return this.exhausted && this.inKernel === 0 && this.missedCount === 0;
  }

  /** Submits, and takes what is done. With `more` to submit it waits for hardly anything. */
  #round(more: boolean): void {
    const { sqpoll, complete, batch } = this.settings;
    if (sqpoll) this.#submitPolled();
    else {
      // Deferred completions come only to who waits: waiting for one lets all in that are there.
      const some = this.inKernel > batch ? 1 : 0;
      const count = more ? some : Math.min(complete, this.inKernel);
      this.ring.submitAndWait(count);
    }
    this.submitted = this.inKernel;
    if (this.ring.forEachCqe(this.visit) > 0) this.#settle();
    else this.looks++;
  }

  #submitPolled(): void {
    this.ring.submit();
    if (this.looks < LOOKS || this.inKernel === 0) return;
    this.ring.wait(1);
    this.looks = 0;
  }

  /** Entries for slots that have something to do, `most` at most. */
  #fill(most: number): void {
    for (let left = most; left > 0; left--) {
      const again = this.missedCount > 0;
      if (!again && (this.exhausted || this.idleCount === 0)) return;
      const slot = again
        ? this.missed[this.missedCount - 1] as number
        : this.idle[this.idleCount - 1] as number;
      if (this.states[slot] === IDLE && !this.#choose(slot)) return;
      const sqe = this.ring.sqe();
      if (sqe === null) return; // SQPOLL: its thread has not taken the entries before yet
      if (again) this.missedCount--;
      else this.idleCount--;
      this.inKernel++;
      this.#encode(sqe, slot);
    }
  }

  #choose(slot: number): boolean {
    if (!this.work.choose(slot)) {
      this.exhausted = true;
      return false;
    }
    this.clock.begin(slot);
    this.states[slot] = CHOSEN;
    return true;
  }

  #encode(sqe: Sqe, slot: number): void {
    const { work, moved } = this;
    if (moved === 0) prepNop(sqe);
    else {
      const { fixedBuffers, fixedFiles } = this.settings;
      const file = work.files[slot] as number;
      const fd = fixedFiles ? file : this.fds[file] as number;
      const offset = work.offsets[slot] as number;
      const address = this.memory.address + slot * moved;
      if (work.kinds[slot] === WRITE) {
        if (fixedBuffers) prepWriteFixed(sqe, fd, address, moved, offset, 0);
        else prepWrite(sqe, fd, address, moved, offset);
      } else {
        if (fixedBuffers) prepReadFixed(sqe, fd, address, moved, offset, 0);
        else prepRead(sqe, fd, address, moved, offset);
        if (this.asks && this.states[slot] === CHOSEN) {
          this.states[slot] = ASKING;
          sqe.opFlags = RWF_NOWAIT;
        }
      }
      sqe.flags = this.sqeFlags;
    }
    sqe.tag = slot;
  }

  /** A completion. */
  #take(slot: number, res: number): void {
    this.inKernel--;
    const { moved } = this;
    if (this.asks && this.states[slot] === ASKING) {
      if (res === -EAGAIN || (res >= 0 && res < moved)) {
        // Not in the page cache, or not all of it.
        this.states[slot] = MISSED;
        this.missed[this.missedCount++] = slot;
        this.misses++;
        return;
      }
      this.hits++;
    }
    if (res !== moved) {
      throw ioError(res, this.work.kinds[slot] === WRITE, this.settings);
    }
    this.done[this.doneCount++] = slot;
  }

  /** Counts what the round completed, and frees its slots. */
  #settle(): void {
    const { counters, clock, done, doneCount, states, idle } = this;
    clock.look();
    for (let i = 0; i < doneCount; i++) {
      const slot = done[i] as number;
      clock.end(slot);
      states[slot] = IDLE;
      idle[this.idleCount++] = slot;
    }
    this.doneCount = 0;
    this.looks = 0;
    counters.add(doneCount, doneCount * this.moved);
    counters.note(this.ring.enters, this.submitted);
    if (this.asks) {
      counters.addHits(this.hits, this.misses);
      this.hits = this.misses = 0;
    }
  }

  /** Closes the files and the ring. The kernel must have no I/O of it. */
  close(): void {
    this.ring.close();
    closeAll(this.fds);
    this.memory.close();
  }
}
