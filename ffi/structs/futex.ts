/**
 * `struct futex_waitv`: one of the futexes that futex_waitv(2) waits on.
 *
 * @module
 */

import { futex_waitv } from "../layout.ts";

/**
 * Writes a `struct futex_waitv`, 24 bytes.
 *
 * @param value what the futex must hold for the wait to begin.
 * @param address where the futex is.
 * @param flags `FUTEX2_*`.
 *
 * @example
 * ```ts
 * import { FUTEX2_SIZE_U32, writeFutexWaitv } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(24));
 * writeFutexWaitv(view, 0, 7, 0x1000, FUTEX2_SIZE_U32);
 * assertEquals(view.getBigUint64(8, true), 0x1000n);
 * ```
 */
export function writeFutexWaitv(
  view: DataView,
  byteOffset: number,
  value: number,
  address: number,
  flags: number,
): void {
  const { val, uaddr, flags: at, size } = futex_waitv;
  view.setBigUint64(byteOffset + val, BigInt(value), true);
  view.setBigUint64(byteOffset + uaddr, BigInt(address), true);
  view.setUint32(byteOffset + at, flags, true);
  // The kernel refuses a reserved word that is not zero.
  view.setUint32(byteOffset + size - 4, 0, true);
}
