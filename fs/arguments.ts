/**
 * What the methods of open files are given, checked and read as Deno does.
 *
 * @module
 */

import { show } from "../ffi/check.ts";

/** Checks a buffer. */
export function checkBytes(method: string, p: Uint8Array): void {
  if (p instanceof Uint8Array) return;
  throw new TypeError(`${method}: p must be a Uint8Array; got ${show(p)}.`);
}

/** Checks where to seek to. */
export function checkSeek(
  method: string,
  offset: number | bigint,
  whence: Deno.SeekMode,
): void {
  if (typeof offset !== "number" && typeof offset !== "bigint") {
    throw new TypeError(
      `${method}: offset must be a number or a bigint; got ${show(offset)}.`,
    );
  }
  if (whence !== 0 && whence !== 1 && whence !== 2) {
    throw new TypeError(`Invalid seek mode: ${whence}`);
  }
}

/** Checks a position in a file. */
export function checkPosition(method: string, position: number): void {
  if (Number.isSafeInteger(position) && position >= 0) return;
  const message =
    `${method}: position must be an integer from 0 to 2^53 - 1; got ${
      show(position)
    }.`;
  throw typeof position === "number"
    ? new RangeError(message)
    : new TypeError(message);
}

/** A time as Deno reads it, in nanoseconds since 1970. */
export function nanoseconds(time: number | Date): bigint {
  const seconds = time instanceof Date ? time.getTime() / 1000 : time;
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) {
    throw new TypeError(
      `utime: times must be Dates or numbers of seconds; got ${show(time)}.`,
    );
  }
  const whole = Math.trunc(seconds);
  const rest = Math.round((seconds - whole) * 1e6) * 1000;
  return BigInt(whole) * 1_000_000_000n + BigInt(rest);
}

/** A length as Deno reads it: none and less than none are 0, fractions are cut off. */
export function lengthOf(method: string, len: number | undefined): number {
  if (len === undefined || len === null) return 0;
  if (typeof len !== "number") {
    throw new TypeError(`${method}: len must be a number; got ${show(len)}.`);
  }
  return Math.min(Math.max(Math.trunc(len) || 0, 0), Number.MAX_SAFE_INTEGER);
}

/** The kernel takes no memory that may shrink; a copy of it will do. */
export function fixed(bytes: Uint8Array): Uint8Array {
  return isFixed(bytes) ? bytes : bytes.slice();
}

/** Whether memory may be given to the kernel: it cannot shrink. */
export function isFixed({ buffer }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer ? !buffer.resizable : !buffer.growable;
}

/** Has memory filled that the kernel can be given, or a copy of it. */
export async function intoFixed(
  bytes: Uint8Array,
  work: (bytes: Uint8Array) => Promise<number>,
): Promise<number> {
  if (isFixed(bytes)) return await work(bytes);
  const copy = new Uint8Array(bytes.length);
  const count = await work(copy);
  bytes.set(copy.subarray(0, count));
  return count;
}
