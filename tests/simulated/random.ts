/**
 * Pseudo-random numbers: one seed determines everything that a simulation does.
 */

/** A generator (mulberry32): the same seed gives the same numbers for ever. */
export class Random {
  #state: number;

  /** Only the low 32 bits of the seed count. */
  constructor(seed: number) {
    // Neighbouring seeds are to have nothing in common, not even their first numbers.
    this.#state = Math.imul(seed ^ 0x5bd1_e995, 0x9e37_79b1) | 0;
  }

  /** 32 bits, unsigned. */
  word(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A fraction, from 0 to below 1. */
  fraction(): number {
    return this.word() / 0x1_0000_0000;
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of them. */
  pick<T>(values: readonly T[]): T {
    if (values.length === 0) throw new RangeError("There is nothing to pick.");
    return values[this.below(values.length)] as T;
  }

  /** One of the keys, each as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
    let left = this.fraction() * total;
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    return (entries.at(-1) as [K, number])[0];
  }

  /** Takes one of them out. */
  take<T>(values: T[]): T {
    const index = this.below(values.length);
    const taken = values[index] as T;
    // The last one takes its place: order does not matter where the choice is random.
    values[index] = values.at(-1) as T;
    values.pop();
    return taken;
  }
}
