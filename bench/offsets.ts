/** How much a read reads, as in c/contestant.c. */
export const BLOCK = 4096;

const SEED = 0x2545f491;

/**
 * Where to read in a file whose size is a power of two. xorshift32: a few instructions, and the same
 * numbers in c/contestant.c.
 */
export function offsets(fileSize: number): () => number {
  const mask = fileSize / BLOCK - 1;
  let x = SEED;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x & mask) * BLOCK;
  };
}
