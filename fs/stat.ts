/**
 * What is behind a path.
 *
 * @module
 */

import { IORING_OP_STATX } from "../ffi/abi.ts";
import { takeBlock } from "../ffi/block.ts";
import { statx as layout, statx_timestamp } from "../ffi/layout.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  STATX_BASIC_STATS,
  STATX_BTIME,
} from "../ffi/linux.ts";
import { cStringSize, writeCString } from "../ops/arguments.ts";
import { Op } from "../ops/op.ts";
import { prepStatx } from "../ops/path.ts";
import type { Uring } from "../proactor/uring.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { withPath } from "./failure.ts";
import { allowRead } from "./permission.ts";

/** What {@linkcode stat} tells: Deno's own type. */
export type FileInfo = Deno.FileInfo;

const { tv_sec, tv_nsec } = statx_timestamp;
const NOTHING = ["ENOENT", "ENOTDIR"];

/**
 * Tells what is behind a path, as `Deno.stat`. Symbolic links are followed.
 *
 * @param path a path or a `file:` URL.
 * @throws {Deno.errors.NotFound} if nothing is there; other errors as `Deno.stat` has them, with
 * `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { stat } from "@uring/uring/fs";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const info = await stat("/proc/self");
 * assert(info.isDirectory);
 * assertEquals(info.isSymlink, false);
 * ```
 */
export function stat(
  path: string | URL,
  options?: RingOption,
): Promise<FileInfo> {
  return look("stat", path, 0, options);
}

/**
 * Tells what is behind a path, as `Deno.lstat`: of a symbolic link itself.
 *
 * @param path a path or a `file:` URL.
 * @throws {Deno.errors.NotFound} if nothing is there; other errors as `Deno.lstat` has them, with
 * `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { lstat } from "@uring/uring/fs";
 * import { assert } from "@std/assert";
 *
 * assert((await lstat("/proc/self")).isSymlink);
 * ```
 */
export function lstat(
  path: string | URL,
  options?: RingOption,
): Promise<FileInfo> {
  return look("lstat", path, AT_SYMLINK_NOFOLLOW, options);
}

async function look(
  api: "stat" | "lstat",
  path: string | URL,
  flags: number,
  options?: RingOption,
): Promise<FileInfo> {
  const place = pathOf(path, api);
  allowRead(place, api);
  try {
    return await ringOf(options).submit(fileInfo(place, flags));
  } catch (error) {
    throw withPath(error, api, place);
  }
}

/**
 * The op behind {@linkcode stat}: statx(2), read as Deno tells of a file.
 *
 * @param path not checked: a path, or "" with `AT_EMPTY_PATH` for `dirfd` itself.
 */
export function fileInfo(
  path: string,
  flags: number,
  dirfd: number = AT_FDCWD,
): Op<FileInfo> {
  return Op.of({
    opcode: IORING_OP_STATX,
    name: "statx",
    path: (flags & AT_EMPTY_PATH) === 0 ? path : undefined,
    encode: (sqe) => {
      const block = takeBlock(layout.size + cStringSize(path));
      writeCString(block.bytes.subarray(layout.size), path);
      const mask = STATX_BASIC_STATS | STATX_BTIME;
      const pathAt = block.address + layout.size;
      prepStatx(sqe, dirfd, pathAt, flags, mask, block.address);
      return block;
    },
    decode: (_completion, { view }) => fileInfoAt(view, 0),
  });
}

/** What is behind a path; undefined if nothing is, or no folder for it. */
export async function lookAt(
  ring: Uring,
  path: string,
  flags = 0,
): Promise<FileInfo | undefined> {
  try {
    return await ring.submit(fileInfo(path, flags));
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code === "string" && NOTHING.includes(code)) return undefined;
    throw error;
  }
}

/** Whether two names are of one file. */
export function isSame(a: FileInfo, b: FileInfo): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/**
 * A `struct statx` as Deno tells of a file, in Deno's order: numbers only, where `readStatx` makes
 * a dozen bigints besides.
 */
export function fileInfoAt(view: DataView, at: number): FileInfo {
  const mode = view.getUint16(at + layout.stx_mode, true);
  const format = mode & S_IFMT;
  const born = (view.getUint32(at + layout.stx_mask, true) & STATX_BTIME) !== 0;
  return {
    isFile: format === S_IFREG,
    isDirectory: format === S_IFDIR,
    isSymlink: format === S_IFLNK,
    size: u64(view, at + layout.stx_size),
    mtime: date(view, at + layout.stx_mtime),
    atime: date(view, at + layout.stx_atime),
    birthtime: born ? date(view, at + layout.stx_btime) : null,
    // Deno 2.9 tells of this one whole seconds only.
    ctime: new Date(seconds(view, at + layout.stx_ctime) * 1000),
    dev: device(view, at + layout.stx_dev_major, at + layout.stx_dev_minor),
    mode,
    ino: u64(view, at + layout.stx_ino),
    nlink: view.getUint32(at + layout.stx_nlink, true),
    uid: view.getUint32(at + layout.stx_uid, true),
    gid: view.getUint32(at + layout.stx_gid, true),
    rdev: device(view, at + layout.stx_rdev_major, at + layout.stx_rdev_minor),
    blksize: view.getUint32(at + layout.stx_blksize, true),
    blocks: u64(view, at + layout.stx_blocks),
    isBlockDevice: format === S_IFBLK,
    isCharDevice: format === S_IFCHR,
    isFifo: format === S_IFIFO,
    isSocket: format === S_IFSOCK,
  };
}

/** Beyond 2^53 - 1 rounded, as Deno does. */
function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 +
    view.getUint32(at, true);
}

function seconds(view: DataView, at: number): number {
  return view.getInt32(at + tv_sec + 4, true) * 0x1_0000_0000 +
    view.getUint32(at + tv_sec, true);
}

/** To the millisecond, towards 1970. */
function date(view: DataView, at: number): Date {
  const nanoseconds = view.getUint32(at + tv_nsec, true);
  const milliseconds = seconds(view, at) * 1000 +
    Math.floor(nanoseconds / 1_000_000);
  const isFraction = nanoseconds % 1_000_000 !== 0;
  return new Date(milliseconds + (milliseconds < 0 && isFraction ? 1 : 0));
}

/** As stat(2) numbers devices, see makedev(3): the kernel's majors have 12 bits, minors 20. */
function device(view: DataView, majorAt: number, minorAt: number): number {
  const major = view.getUint32(majorAt, true);
  const minor = view.getUint32(minorAt, true);
  return ((minor & 0xfff00) << 12 | (major & 0xfff) << 8 | minor & 0xff) >>> 0;
}
