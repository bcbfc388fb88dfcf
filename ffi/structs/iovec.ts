/**
 * `struct iovec`: one buffer of a vectored read or write, see readv(2).
 *
 * @module
 */

import { iovec } from "../layout.ts";

/**
 * Writes a `struct iovec`.
 *
 * @param view where to.
 * @param byteOffset where in it, in bytes.
 * @param address the buffer's address.
 * @param length the buffer's length in bytes.
 *
 * @example
 * ```ts
 * import { writeIovec } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(16));
 * writeIovec(view, 0, 0x7f00_0000_1000, 512);
 * assertEquals(view.getBigUint64(0, true), 0x7f00_0000_1000n);
 * assertEquals(view.getBigUint64(8, true), 512n);
 * ```
 */
export function writeIovec(
  view: DataView,
  byteOffset: number,
  address: number,
  length: number,
): void {
  writeNumber64(view, byteOffset + iovec.iov_base, address);
  writeNumber64(view, byteOffset + iovec.iov_len, length);
}

/** Two halves from a double are ten times faster than a bigint. */
function writeNumber64(
  view: DataView,
  byteOffset: number,
  value: number,
): void {
  view.setUint32(byteOffset, value, true);
  view.setUint32(byteOffset + 4, Math.floor(value / 0x1_0000_0000), true);
}
