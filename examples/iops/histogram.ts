/**
 * Latencies, counted in buckets whose width grows with them: log-linear.
 *
 * @module
 */

/** One count is of this many nanoseconds; the largest latency told apart is 21 s. */
const UNIT = 10;
const LARGEST = 0x7fff_ffff;

/** Each power of two is cut into 2^6 buckets: a percentile is off by 0.8 % at most. */
const BITS = 6;
const STEPS = 1 << BITS;

/** How many buckets a histogram has. */
export const BUCKETS: number = (31 - BITS + 1) * STEPS;

/** The bucket of a latency in milliseconds. */
export function bucketOf(milliseconds: number): number {
  const units = Math.min(milliseconds * (1e6 / UNIT), LARGEST) >>> 0;
  if (units < 2 * STEPS) return units;
  const shift = 31 - BITS - Math.clz32(units);
  return (shift << BITS) + (units >>> shift);
}

/** The latency in the middle of a bucket, in microseconds. */
export function latencyOf(bucket: number): number {
  if (bucket < 2 * STEPS) return (bucket + 0.5) * UNIT / 1000;
  const shift = (bucket >> BITS) - 1;
  const units = (bucket - (shift << BITS) + 0.5) * 2 ** shift;
  return units * UNIT / 1000;
}

/**
 * The latency, in microseconds, that a share of all stayed below; NaN if there was none.
 *
 * @param share 0 to 1: 0.99 for p99.
 */
export function percentile(counts: ArrayLike<number>, share: number): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i] as number;
  const rank = Math.max(1, Math.ceil(total * share));
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i] as number;
    if (seen >= rank) return latencyOf(i);
  }
  return NaN;
}
