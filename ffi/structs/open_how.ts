/**
 * `struct open_how`: how openat2(2) opens a file.
 *
 * @module
 */

import { open_how } from "../layout.ts";

/** How openat2(2) opens a file. */
export interface OpenHow {
  /** `O_*`. Unlike openat(2), the kernel refuses flags that it does not know. */
  flags: number | bigint;
  /**
   * The permissions of a file that is created, before the umask. Default: 0o666 with
   * `O_CREAT` or `O_TMPFILE`, else 0, the only mode that the kernel takes then.
   */
  mode?: number | bigint;
  /** How the path may be resolved, `RESOLVE_*`. Default: 0, as openat(2) does. */
  resolve?: number | bigint;
}

/**
 * Writes a `struct open_how`.
 *
 * @param view where to.
 * @param byteOffset where in it, in bytes.
 * @param how what to write, complete.
 *
 * @example
 * ```ts
 * import { writeOpenHow } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(24));
 * writeOpenHow(view, 0, { flags: 0o100, mode: 0o600, resolve: 8 });
 * assertEquals(view.getBigUint64(8, true), 0o600n);
 * ```
 */
export function writeOpenHow(
  view: DataView,
  byteOffset: number,
  how: Required<OpenHow>,
): void {
  view.setBigUint64(byteOffset + open_how.flags, BigInt(how.flags), true);
  view.setBigUint64(byteOffset + open_how.mode, BigInt(how.mode), true);
  view.setBigUint64(byteOffset + open_how.resolve, BigInt(how.resolve), true);
}
