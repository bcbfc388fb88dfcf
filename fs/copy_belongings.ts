/**
 * What belongs to a file beside its data.
 *
 * @module
 */

import { attributeNames, setMode, setTimes } from "../ffi/inode.ts";
import { statx as layout, statx_timestamp } from "../ffi/layout.ts";
import { libc } from "../ffi/libc.ts";
import { listAttributes } from "../ffi/path.ts";
import type { PreserveOptions } from "./copy_options.ts";
import { attemptOwner } from "./owner.ts";
import type { FileInfo } from "./stat.ts";

const { tv_sec, tv_nsec } = statx_timestamp;

const encoder = new TextEncoder();

/** When a file was read and changed last, in nanoseconds since 1970. */
export interface Times {
  /** When it was read. */
  readonly atimeNanoseconds: bigint;
  /** When it was changed. */
  readonly mtimeNanoseconds: bigint;
}

/** The times in a `struct statx`: two bigints, where `readStatx` makes a dozen. */
export function timesAt(view: DataView, at: number): Times {
  return {
    atimeNanoseconds: nanoseconds(view, at + layout.stx_atime),
    mtimeNanoseconds: nanoseconds(view, at + layout.stx_mtime),
  };
}

function nanoseconds(view: DataView, at: number): bigint {
  return view.getBigInt64(at + tv_sec, true) * 1_000_000_000n +
    BigInt(view.getUint32(at + tv_nsec, true));
}

/**
 * Gives an open file the owner, the mode and the times of another, as far as they are wanted. The
 * times come last: all else changes them. Extended attributes are not given here.
 *
 * @param times to be given, if any.
 */
export function giveBelongings(
  fd: number,
  { uid, gid, mode }: FileInfo,
  preserve: PreserveOptions,
  times: Times | undefined,
): void {
  const own = preserve.ownership !== true ||
    attemptOwner(fd, uid ?? 0, gid ?? 0);
  if (preserve.mode === true) {
    // Rights of the owner's do not go to somebody else.
    setMode(fd, (mode ?? 0o600) & (own ? 0o7777 : 0o777));
  }
  if (times === undefined) return;
  setTimes(fd, times.atimeNanoseconds, times.mtimeNanoseconds);
}

/**
 * Whether a file has extended attributes: an open one, or what a path leads to. Most have none, and
 * how long the list of them would be takes less time to ask than the list.
 *
 * @throws {SystemError} if that cannot be told.
 */
export function hasAttributes(file: number | string): boolean {
  const { flistxattr, listxattr } = libc();
  const isOpen = typeof file === "number";
  const length = isOpen
    ? flistxattr(file, null, 0n)
    : listxattr(encoder.encode(`${file}\0`), null, 0n);
  if (Number(length) === 0) return false;
  return (isOpen ? attributeNames(file) : listAttributes(file)).length > 0;
}
