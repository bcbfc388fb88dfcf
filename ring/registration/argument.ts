/**
 * The memory that io_uring_register(2) is given, and checks of what goes into it.
 *
 * @module
 */

import { type Block, takeBlock } from "../../ffi/block.ts";
import { check64, show } from "../../ffi/check.ts";
import { errnoName } from "../../ffi/errno.ts";

/** Runs `use` with a zeroed block of memory, and gives it back. */
export function withBlock<T>(byteLength: number, use: (block: Block) => T): T {
  const block = takeBlock(byteLength);
  try {
    block.bytes.fill(0, 0, byteLength);
    return use(block);
  } finally {
    block.release();
  }
}

/** What to do about an errno, by the errno's name. */
export function hints(
  table: Readonly<Record<string, string>>,
): (errno: number) => string | undefined {
  return (errno) => table[errnoName(errno)];
}

/**
 * Checks that a value is an array of a length that the kernel takes.
 *
 * @throws {TypeError} if it is no array.
 * @throws {RangeError} if it is empty or too long.
 */
export function checkArray(
  what: string,
  values: readonly unknown[],
  most: number,
): void {
  if (!Array.isArray(values)) {
    throw new TypeError(`${what} must be an array; got ${show(values)}.`);
  }
  if (values.length === 0 || values.length > most) {
    throw new RangeError(
      `${what} must have 1 to ${most} elements; got ${values.length}.`,
    );
  }
}

/**
 * Checks the tags of registered resources, one for each.
 *
 * @param isEmpty whether a slot is left empty: nothing is there that a tag could tell of.
 */
export function checkTags(
  what: string,
  tags: readonly (number | bigint)[],
  count: number,
  isEmpty: (index: number) => boolean,
): void {
  if (!Array.isArray(tags)) {
    throw new TypeError(`${what} must be an array; got ${show(tags)}.`);
  }
  if (tags.length !== count) {
    throw new RangeError(
      `${what} must be ${count}, one for each slot; got ${tags.length}.`,
    );
  }
  for (const [index, tag] of tags.entries()) {
    check64(`${what}[${index}]`, tag);
    if (BigInt(tag) !== 0n && isEmpty(index)) {
      throw new RangeError(
        `${what}[${index}] is ${tag}, but slot ${index} stays empty: its tag must be 0.`,
      );
    }
  }
}

/** Writes tags, 8 bytes each. */
export function writeTags(
  view: DataView,
  byteOffset: number,
  tags: readonly (number | bigint)[],
): void {
  for (const [index, tag] of tags.entries()) {
    view.setBigUint64(byteOffset + 8 * index, BigInt(tag), true);
  }
}

/** Writes an address, or another 64-bit value that a number holds. */
export function writeAddress(
  view: DataView,
  byteOffset: number,
  address: number,
): void {
  view.setBigUint64(byteOffset, BigInt(address), true);
}
