/**
 * Checks of numbers at the library's edge. The hot paths test a value themselves, in one
 * comparison, and come here only to say what is wrong with it.
 *
 * @module
 */

/** Shows a value as an error message should: strings quoted, bigints with their n. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return String(value);
  return Object.prototype.toString.call(value);
}

/** The error for a value that is not an integer from `least` to `most`. */
export function notInteger(
  what: string,
  value: unknown,
  least: number | bigint,
  most: number | bigint,
): TypeError | RangeError {
  const message = `${what} must be an integer from ${least} to ${most}; got ${
    show(value)
  }.`;
  return typeof value === "number" || typeof value === "bigint"
    ? new RangeError(message)
    : new TypeError(message);
}

/**
 * Checks that a value is an integer of `least` to `most`, and returns it.
 *
 * @throws {TypeError} if it is no number.
 * @throws {RangeError} if it is not an integer, or out of range.
 */
export function checkInteger(
  what: string,
  value: number,
  least: number,
  most: number,
): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw notInteger(what, value, least, most);
  }
  return value;
}

/** The largest unsigned 64-bit integer. */
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/**
 * Checks that a value fits 64 bits, as a signed or an unsigned integer: numbers must be
 * safe integers, beyond them a bigint is needed.
 *
 * @throws {TypeError} if it is neither number nor bigint.
 * @throws {RangeError} if it does not fit.
 */
export function check64(what: string, value: number | bigint): number | bigint {
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return value;
    throw new RangeError(
      `${what} must be an integer; beyond 2^53 - 1 pass a bigint; got ${value}.`,
    );
  }
  if (typeof value !== "bigint") {
    throw new TypeError(
      `${what} must be a number or a bigint; got ${show(value)}.`,
    );
  }
  if (value < -(1n << 63n) || value > UINT64_MAX) {
    throw new RangeError(`${what} must fit 64 bits; got ${value}n.`);
  }
  return value;
}
