/**
 * Where the next I/O goes.
 *
 * @module
 */

/** The golden ratio's fraction: its multiples spread evenly over a file. */
const GOLDEN = 0.6180339887498949;

/** Gives the number of a block, again and again; -1 when there is none left. */
export interface Offsets {
  /** The next block. */
  next(): number;
}

/**
 * Marsaglia's xorshift with 32 bits: three shifts a number, and the same numbers for the same
 * seed.
 */
export class Random {
  declare private state: number;

  /** Begins with a seed; 0 stands for 1, as zero would stay zero. */
  constructor(seed: number) {
    this.state = seed | 0 || 1;
  }

  /** An integer from 0 to `limit` - 1; the limit is 2^32 at most. */
  below(limit: number): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return Math.floor((x >>> 0) * (limit / 2 ** 32));
  }
}

/** Any block, each as likely as the other. */
export class RandomOffsets extends Random implements Offsets {
  declare private readonly blocks: number;

  /** Blocks of a file that has so many. */
  constructor(blocks: number, seed: number) {
    super(seed);
    this.blocks = blocks;
  }

  next(): number {
    return this.below(this.blocks);
  }
}

/**
 * Every block once in each pass, a step further each time: the next one, or one far away.
 */
export class SteppingOffsets implements Offsets {
  declare private readonly blocks: number;
  declare private readonly step: number;
  declare private block: number;
  /** How many blocks are left to give; Infinity goes on for ever. */
  declare private left: number;

  /**
   * Blocks of a file.
   *
   * @param blocks how many it has.
   * @param far whether the next block is to be far away, else it is the neighbour.
   * @param passes how often to go through the file.
   * @param first where to begin.
   */
  constructor(blocks: number, far: boolean, passes: number, first: number) {
    this.blocks = blocks;
    this.step = far ? coprime(Math.floor(blocks * GOLDEN), blocks) : 1;
    this.left = passes * blocks;
    this.block = first % blocks;
  }

  next(): number {
    if (this.left <= 0) return -1;
    this.left--;
    const block = this.block;
    const next = block + this.step;
    this.block = next >= this.blocks ? next - this.blocks : next;
    return block;
  }
}

/** The first number from `start` on that has no divisor in common with `other`. */
function coprime(start: number, other: number): number {
  let candidate = Math.max(start, 1);
  while (greatestCommonDivisor(candidate, other) !== 1) candidate++;
  return candidate % Math.max(other, 1);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
