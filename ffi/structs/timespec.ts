/**
 * `struct __kernel_timespec`: seconds and nanoseconds, as timeouts take them.
 *
 * @module
 */

import { show } from "../check.ts";
import { __kernel_timespec } from "../layout.ts";

/**
 * Checks a span or a point of time in milliseconds.
 *
 * @param what how the error calls it: "timeout: milliseconds".
 * @throws {TypeError} if it is no number.
 * @throws {RangeError} if it is negative, no finite number, or beyond 2^53 - 1.
 */
export function checkMilliseconds(what: string, milliseconds: number): number {
  const valid = typeof milliseconds === "number" && milliseconds >= 0 &&
    milliseconds <= Number.MAX_SAFE_INTEGER;
  if (valid) return milliseconds;
  const message =
    `${what} must be a number of milliseconds from 0 to 2^53 - 1; got ${
      show(milliseconds)
    }.`;
  throw typeof milliseconds === "number"
    ? new RangeError(message)
    : new TypeError(message);
}

/**
 * Writes milliseconds, fractions included, as a timespec of 16 bytes.
 *
 * @param milliseconds from 0 to 2^53 - 1, see {@linkcode checkMilliseconds}.
 *
 * @example
 * ```ts
 * import { writeTimespec } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(16));
 * writeTimespec(view, 0, 1500.25);
 * assertEquals(view.getBigInt64(0, true), 1n); // seconds
 * assertEquals(view.getBigInt64(8, true), 500_250_000n); // nanoseconds
 * ```
 */
export function writeTimespec(
  view: DataView,
  byteOffset: number,
  milliseconds: number,
): void {
  const whole = Math.floor(milliseconds / 1000);
  // Rounding may reach a whole second, which as nanoseconds would be EINVAL.
  const nanoseconds = Math.round((milliseconds - whole * 1000) * 1e6);
  const carry = nanoseconds >= 1e9 ? 1 : 0;
  const { tv_sec, tv_nsec } = __kernel_timespec;
  view.setBigInt64(byteOffset + tv_sec, BigInt(whole + carry), true);
  view.setBigInt64(
    byteOffset + tv_nsec,
    BigInt(nanoseconds - carry * 1e9),
    true,
  );
}
