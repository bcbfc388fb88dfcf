/**
 * What a `Uring` counts.
 *
 * @module
 */

/** Figures of an engine. */
export interface Counters {
  /** Ops handed to the kernel; a timeout that is linked behind one is another. */
  submitted: number;
  /** Ops whose last completion came. */
  completed: number;
  /** Of those, the ones that came within the enter that submitted them. */
  inline: number;
  /** How often it went to sleep. */
  sleeps: number;
  /** How often it was woken. */
  wakes: number;
  /** How often completions had overflowed the queue. */
  overflows: number;
  /** How often a multishot was submitted again. */
  rearms: number;
  /** Completions that belonged to nobody: late, or of a ring that sends messages. */
  strays: number;
}

/** Nothing counted yet. */
export function newCounters(): Counters {
  return {
    submitted: 0,
    completed: 0,
    inline: 0,
    sleeps: 0,
    wakes: 0,
    overflows: 0,
    rearms: 0,
    strays: 0,
  };
}
