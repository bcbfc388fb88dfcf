/**
 * The completion queue entry: `struct io_uring_cqe`, 16 or 32 bytes.
 *
 * @module
 */

import {
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
} from "../ffi/abi.ts";

/**
 * One completion, laid over memory. A flyweight: a ring has one, which
 * {@linkcode Ring.forEachCqe} moves from completion to completion. Read what you need
 * before you return from the visit.
 *
 * @example
 * ```ts
 * import { Cqe } from "@uring/uring/ring";
 * import { assertEquals } from "@std/assert";
 *
 * const words = Int32Array.of(7, 0, -2, 0);
 * const cqe = new Cqe(words.buffer);
 * assertEquals([cqe.tag, cqe.userData, cqe.res], [7, 7n, -2]);
 * ```
 */
export class Cqe {
  /** The memory that holds the entry, as 32-bit words. The entry begins at {@linkcode base}. */
  declare words: Int32Array<ArrayBufferLike>;
  /** The index in {@linkcode words} of the entry's first word. */
  declare base: number;
  /** The entry's size in bytes: 16, or 32 (`IORING_SETUP_CQE32`, or `IORING_CQE_F_32` in a mixed ring). */
  declare byteLength: 16 | 32;

  /**
   * Lays an entry over any memory.
   *
   * @param buffer the memory.
   * @param byteOffset where in it the entry begins; a multiple of 4.
   * @param byteLength 16, or 32 for big entries.
   * @throws {RangeError} if the entry does not lie within the memory.
   */
  constructor(
    buffer: ArrayBufferLike,
    byteOffset = 0,
    byteLength: 16 | 32 = 16,
  ) {
    if (byteLength !== 16 && byteLength !== 32) {
      throw new RangeError(
        `Cqe: byteLength must be 16 or 32; got ${byteLength}.`,
      );
    }
    if (
      !Number.isInteger(byteOffset) || byteOffset < 0 || byteOffset % 4 !== 0 ||
      byteOffset + byteLength > buffer.byteLength
    ) {
      throw new RangeError(
        `Cqe: an entry of ${byteLength} bytes at byteOffset ${byteOffset} must lie, ` +
          `4-byte aligned, within the buffer of ${buffer.byteLength} bytes.`,
      );
    }
    this.words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
    this.base = byteOffset >> 2;
    this.byteLength = byteLength;
  }

  /** The `user_data` of the submission that this completes. */
  get userData(): bigint {
    const { words, base } = this;
    return (BigInt((words[base + 1] as number) >>> 0) << 32n) |
      BigInt((words[base] as number) >>> 0);
  }

  /** The low 32 bits of {@linkcode userData}, unsigned. */
  get tag(): number {
    return (this.words[this.base] as number) >>> 0;
  }

  /** The high 32 bits of {@linkcode userData}, unsigned. */
  get tagHigh(): number {
    return (this.words[this.base + 1] as number) >>> 0;
  }

  /** The result: what the system call would return, or an errno, negated. */
  get res(): number {
    return this.words[this.base + 2] as number;
  }

  /** The completion's flags, `IORING_CQE_F_*`. */
  get flags(): number {
    return (this.words[this.base + 3] as number) >>> 0;
  }

  /** Whether more completions of the same submission will come (`IORING_CQE_F_MORE`). */
  get more(): boolean {
    return ((this.words[this.base + 3] as number) & IORING_CQE_F_MORE) !== 0;
  }

  /** The id of the provided buffer that was used, or -1 if none was (`IORING_CQE_F_BUFFER`). */
  get bufferId(): number {
    const flags = this.words[this.base + 3] as number;
    return (flags & IORING_CQE_F_BUFFER) === 0
      ? -1
      : flags >>> IORING_CQE_BUFFER_SHIFT;
  }

  /**
   * One of the two 64-bit words that a big completion carries beyond the usual.
   *
   * @param index 0 or 1.
   * @throws {RangeError} if this completion is not big, or the index neither.
   */
  bigCqe(index: 0 | 1): bigint {
    if (this.byteLength !== 32 || (index !== 0 && index !== 1)) {
      throw new RangeError(
        `cqe.bigCqe: index ${index} of a completion of ${this.byteLength} bytes; ` +
          "only 32-byte ones have words 0 and 1 (IORING_SETUP_CQE32 or CQE_MIXED).",
      );
    }
    const word = this.base + 4 + 2 * index;
    return (BigInt((this.words[word + 1] as number) >>> 0) << 32n) |
      BigInt((this.words[word] as number) >>> 0);
  }
}
