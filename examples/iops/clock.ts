/**
 * How long I/Os take, without a clock reading for each.
 *
 * @module
 */

import type { Counters } from "./counters.ts";
import { bucketOf } from "./histogram.ts";

/** What `performance.now()` takes, in milliseconds, and which part of the time it may take. */
const COST = 0.0002;
const SHARE = 0.02;
/** Of so many rounds at least one is timed. */
const LONGEST_STRIDE = 64;

/**
 * The latency of each I/O, from one clock reading a round: what a round completes ends at its
 * reading, and what the next one submits begins there. So the microseconds that the program
 * takes in between count as latency, and none of the kernel's time is left out. Where rounds
 * are so short that the clock would take more than 2 % of the time, only the I/Os of one round
 * in n are timed.
 */
export class Clock {
  declare private readonly counters: Counters;
  /** When a slot's I/O began; 0 if it is not timed. */
  declare private readonly began: Float64Array;
  /** How many I/Os that are timed are under way. */
  declare private timed: number;
  /** The last reading; 0 if there is none of this round. */
  declare private now: number;
  /** What begins now began then; 0 if it is not timed. */
  declare private stamp: number;
  declare private roundsLeft: number;
  declare private stride: number;
  declare private strideBegan: number;

  /** A clock for so many slots. */
  constructor(slots: number, counters: Counters) {
    this.counters = counters;
    this.began = new Float64Array(slots);
    this.timed = 0;
    this.now = 0;
    this.stamp = 0;
    this.roundsLeft = 1;
    this.stride = 1;
    this.strideBegan = 0;
  }

  /** Begins after a pause: what is under way is not timed. */
  start(): void {
    this.began.fill(0);
    this.timed = 0;
    this.stamp = this.strideBegan = performance.now();
    this.stride = this.roundsLeft = 1;
  }

  /** An I/O of this slot is submitted next. */
  begin(slot: number): void {
    this.began[slot] = this.stamp;
    if (this.stamp !== 0) this.timed++;
  }

  /** Reads the clock, if anything depends on it. */
  look(): void {
    const due = --this.roundsLeft <= 0;
    this.now = due || this.timed > 0 ? performance.now() : 0;
    this.stamp = 0;
    if (!due) return;
    const round = (this.now - this.strideBegan) / this.stride;
    const wanted = Math.ceil(COST / (SHARE * round));
    this.stride = Math.min(Math.max(wanted, 1), LONGEST_STRIDE);
    this.roundsLeft = this.stride;
    this.stamp = this.strideBegan = this.now;
  }

  /** The I/O of this slot was done by the last look. */
  end(slot: number): void {
    const began = this.began[slot] as number;
    if (began === 0) return;
    this.counters.record(bucketOf(this.now - began));
    this.timed--;
  }
}
