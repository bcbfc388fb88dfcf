/**
 * What belongs to a file beside its data.
 *
 * @module
 */

import { setMode, setTimes } from "../ffi/inode.ts";
import { statx as layout, statx_timestamp } from "../ffi/layout.ts";
import type { PreserveOptions } from "./copy_options.ts";
import { attemptOwner } from "./owner.ts";
import type { FileInfo } from "./stat.ts";

const { tv_sec, tv_nsec } = statx_timestamp;

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

/** Gives an open file the owner and the mode of another, as far as they are wanted. */
export function giveOwnerAndMode(
  fd: number,
  { uid, gid, mode }: FileInfo,
  preserve: PreserveOptions,
): void {
  const own = preserve.ownership !== true ||
    attemptOwner(fd, uid ?? 0, gid ?? 0);
  if (preserve.mode !== true) return;
  // Rights of the owner's do not go to somebody else.
  setMode(fd, (mode ?? 0o600) & (own ? 0o7777 : 0o777));
}

/** Gives an open file the owner and the mode of the one whose place it is to take. */
export function succeed(fd: number, old: FileInfo): void {
  giveOwnerAndMode(fd, old, { ownership: true, mode: true });
}

/** Gives an open file the times of another. They come last: all else changes them. */
export function giveTimes(fd: number, times: Times): void {
  setTimes(fd, times.atimeNanoseconds, times.mtimeNanoseconds);
}
