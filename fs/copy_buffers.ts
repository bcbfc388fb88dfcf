/**
 * Memory that data passes through on its way from file to file.
 *
 * @module
 */

import { Memory } from "../ffi/memory.ts";

/** The sizes that are lent, in bytes; all are multiples of a page, as O_DIRECT wants them. */
const SIZES = [16 * 1024, 64 * 1024, 256 * 1024, 1024 * 1024] as const;
/** The largest buffer. */
export const LARGEST_BUFFER: number = SIZES[3];
/** How much is lent at a time; whoever wants more waits. */
const LIMIT = 64 * 2 ** 20;
/** How much is kept for the next copy. */
const KEPT = 16 * 2 ** 20;

const free: Memory[][] = SIZES.map(() => []);
let lent = 0;
let kept = 0;
const waiting: (() => void)[] = [];

/** A buffer, for as long as it is needed. */
export interface Loan extends Disposable {
  /** Its bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Lends a buffer of so many bytes at least, when there is one. Whoever holds one must not wait
 * for another. No op may use it any more when it is given back.
 */
export async function lend(byteLength: number): Promise<Loan> {
  const rank = SIZES.findIndex((size) => size >= byteLength);
  const size = SIZES[rank];
  if (size === undefined) {
    throw new RangeError(`No buffer has ${byteLength} bytes.`);
  }
  while (lent + size > LIMIT) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  lent += size;
  const rooms = free[rank] as Memory[];
  const room = rooms.pop();
  if (room !== undefined) kept -= size;
  const memory = room ?? new Memory(size);
  return {
    bytes: memory.bytes,
    [Symbol.dispose]() {
      lent -= size;
      if (kept + size > KEPT) memory.close();
      else {
        kept += size;
        rooms.push(memory);
      }
      // All look again: they want different sizes.
      for (const look of waiting.splice(0)) look();
    },
  };
}
