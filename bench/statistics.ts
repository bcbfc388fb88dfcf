/** A median and the extremes around it. */
export interface Spread {
  /** The value in the middle. */
  readonly median: number;
  /** The smallest. */
  readonly min: number;
  /** The largest. */
  readonly max: number;
}

/**
 * The median, the smallest and the largest of `values`; an even count takes the mean of the
 * two in the middle. Throws a RangeError for an empty list.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { spread } from "./statistics.ts";
 *
 * assertEquals(spread([3, 1, 10, 2]), { median: 2.5, min: 1, max: 10 });
 * ```
 */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  const min = sorted[0];
  const max = sorted.at(-1);
  if (
    upper === undefined || lower === undefined || min === undefined ||
    max === undefined
  ) {
    throw new RangeError("spread: values must hold at least one number");
  }
  return { median: (lower + upper) / 2, min, max };
}

/**
 * The contestants in the order of a round, which changes from one to the next: what one leaves to
 * the one after it, such as pages to be written, falls on all.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { inTurns } from "./statistics.ts";
 *
 * assertEquals(inTurns(["a", "b", "c"], 4), ["a", "b", "c"]);
 * assertEquals(inTurns(["a", "b", "c"], 5), ["c", "b", "a"]);
 * ```
 */
export function inTurns<T>(contestants: readonly T[], round: number): T[] {
  return round % 2 === 0 ? [...contestants] : contestants.toReversed();
}

/**
 * `values[i] / others[i]` for each pair, summed up. Runs of one pair were neighbours in time,
 * so a machine that slows down halfway slows both and leaves their ratio alone.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ratios } from "./statistics.ts";
 *
 * assertEquals(ratios([9, 5, 4], [10, 5, 8]), { median: 0.9, min: 0.5, max: 1 });
 * ```
 */
export function ratios(
  values: readonly number[],
  others: readonly number[],
): Spread {
  return spread(values.map((value, i) => value / (others[i] ?? NaN)));
}
