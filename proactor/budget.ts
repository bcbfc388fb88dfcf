/**
 * How long promises may settle each other before the event loop gets its turn.
 *
 * @module
 */

/**
 * After so much work without a turn of the event loop timers and sockets get theirs. A completion
 * counts as 1, a round, which is a system call, as {@linkcode ROUND}.
 */
const BUDGET = 2048;
/** What a round costs. */
export const ROUND = 32;

/**
 * Within so many milliseconds that budget begins anew: a turn of the event loop takes longer than
 * a whole round, and nobody's turn is late yet.
 */
const SLICE = 0.25;

/** What is left until timers and sockets get their turn. */
export class Budget {
  /** What was done since the last turn of the event loop. */
  spent = 0;
  /** When the event loop was last given its turn. */
  #began = 0;

  /** Whether there is something left. */
  get left(): boolean {
    return this.spent < BUDGET || this.#renew();
  }

  #renew(): boolean {
    if (this.spent === Infinity) return false;
    const now = performance.now();
    const early = now - this.#began < SLICE;
    if (early) this.spent = 0;
    else this.#began = now;
    return early;
  }

  /** There is nothing to be done before the event loop has had its turn. */
  exhaust(): void {
    this.spent = Infinity;
  }
}
