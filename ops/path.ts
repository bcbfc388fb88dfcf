/**
 * Names in directories: what is behind one, and making, moving and removing them.
 *
 * @module
 */

import {
  IORING_OP_LINKAT,
  IORING_OP_MKDIRAT,
  IORING_OP_RENAMEAT,
  IORING_OP_STATX,
  IORING_OP_SYMLINKAT,
  IORING_OP_UNLINKAT,
} from "../ffi/abi.ts";
import { takeBlock } from "../ffi/block.ts";
import { statx as layout } from "../ffi/layout.ts";
import { AT_FDCWD, STATX_BASIC_STATS, STATX_BTIME } from "../ffi/linux.ts";
import { readStatx, type Statx } from "../ffi/structs/statx.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  checkFlags,
  checkPath,
  checkUnsigned,
  checkWord,
  cString,
  cStrings,
  cStringSize,
  type Path,
  pathText,
  writeCString,
} from "./arguments.ts";
import { checkDirfd } from "./fd.ts";
import { nothing, Op } from "./op.ts";

/**
 * Queues a statx(2), `statxbuf` being the address of the `struct statx` that it fills.
 * `io_uring_prep_statx(3)`, since 5.6.
 */
export function prepStatx(
  sqe: Sqe,
  dfd: number,
  path: number | bigint,
  flags: number,
  mask: number,
  statxbuf: number | bigint,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_STATX, dfd, path, mask, statxbuf);
}

/** Queues an unlinkat(2). `io_uring_prep_unlinkat(3)`, since 5.11. */
export function prepUnlinkat(
  sqe: Sqe,
  dfd: number,
  path: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_UNLINKAT, dfd, path, 0, 0);
}

/**
 * Queues an unlink(2), or an rmdir(2) with `AT_REMOVEDIR`. `io_uring_prep_unlink(3)`, since
 * 5.11.
 */
export function prepUnlink(
  sqe: Sqe,
  path: number | bigint,
  flags: number,
): void {
  prepUnlinkat(sqe, AT_FDCWD, path, flags);
}

/**
 * Queues a renameat2(2). The new directory stands where others have a length.
 * `io_uring_prep_renameat(3)`, since 5.11.
 */
export function prepRenameat(
  sqe: Sqe,
  olddfd: number,
  oldpath: number | bigint,
  newdfd: number,
  newpath: number | bigint,
  flags: number,
): void {
  const directory = checkWord("prepRenameat: newdfd", newdfd);
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_RENAMEAT, olddfd, oldpath, directory, newpath);
}

/** Queues a rename(2). `io_uring_prep_rename(3)`, since 5.11. */
export function prepRename(
  sqe: Sqe,
  oldpath: number | bigint,
  newpath: number | bigint,
): void {
  prepRenameat(sqe, AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}

/** Queues a mkdirat(2). `io_uring_prep_mkdirat(3)`, since 5.15. */
export function prepMkdirat(
  sqe: Sqe,
  dfd: number,
  path: number | bigint,
  mode: number,
): void {
  sqe.prep(IORING_OP_MKDIRAT, dfd, path, mode, 0);
}

/** Queues a mkdir(2). `io_uring_prep_mkdir(3)`, since 5.15. */
export function prepMkdir(
  sqe: Sqe,
  path: number | bigint,
  mode: number,
): void {
  prepMkdirat(sqe, AT_FDCWD, path, mode);
}

/** Queues a symlinkat(2). `io_uring_prep_symlinkat(3)`, since 5.15. */
export function prepSymlinkat(
  sqe: Sqe,
  target: number | bigint,
  newdirfd: number,
  linkpath: number | bigint,
): void {
  sqe.prep(IORING_OP_SYMLINKAT, newdirfd, target, 0, linkpath);
}

/** Queues a symlink(2). `io_uring_prep_symlink(3)`, since 5.15. */
export function prepSymlink(
  sqe: Sqe,
  target: number | bigint,
  linkpath: number | bigint,
): void {
  prepSymlinkat(sqe, target, AT_FDCWD, linkpath);
}

/**
 * Queues a linkat(2). The new directory stands where others have a length.
 * `io_uring_prep_linkat(3)`, since 5.15.
 */
export function prepLinkat(
  sqe: Sqe,
  olddfd: number,
  oldpath: number | bigint,
  newdfd: number,
  newpath: number | bigint,
  flags: number,
): void {
  const directory = checkWord("prepLinkat: newdfd", newdfd);
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_LINKAT, olddfd, oldpath, directory, newpath);
}

/** Queues a link(2). `io_uring_prep_link(3)`, since 5.15. */
export function prepLink(
  sqe: Sqe,
  oldpath: number | bigint,
  newpath: number | bigint,
  flags: number,
): void {
  prepLinkat(sqe, AT_FDCWD, oldpath, AT_FDCWD, newpath, flags);
}

/** Options of {@linkcode statx}. */
export interface StatxOptions {
  /** The directory that a relative path starts from. Default: `AT_FDCWD`, the current one. */
  dirfd?: number;
  /**
   * `AT_SYMLINK_NOFOLLOW` for a link itself, `AT_EMPTY_PATH` with the path "" for `dirfd`
   * itself, `AT_STATX_*`. Default: 0.
   */
  flags?: number;
  /** What to ask for, `STATX_*`. Default: `STATX_BASIC_STATS | STATX_BTIME`. */
  mask?: number;
}

/**
 * Asks what is behind a path, as statx(2).
 *
 * Gives an object with the fields of `Deno.FileInfo`, and more. ENOENT: nothing is there.
 *
 * Since kernel 5.6; see io_uring_prep_statx(3).
 *
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { run, statx } from "@uring/uring/ops";
 * import { assert, assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, "12345");
 * const stat = run(ring, statx(path));
 * assert(stat.isFile);
 * assertEquals([stat.size, stat.mode & 0o777], [5, 0o600]);
 * Deno.removeSync(path);
 * ```
 */
export function statx(
  path: Path,
  {
    dirfd = AT_FDCWD,
    flags = 0,
    mask = STATX_BASIC_STATS | STATX_BTIME,
  }: StatxOptions = {},
): Op<Statx> {
  const place = checkPath("statx: path", path);
  checkDirfd("statx: dirfd", dirfd);
  checkFlags("statx: flags", flags);
  checkUnsigned("statx: mask", mask);
  return Op.of({
    opcode: IORING_OP_STATX,
    name: "statx",
    path: pathText(path),
    encode: (sqe) => {
      const block = takeBlock(layout.size + cStringSize(place));
      writeCString(block.bytes.subarray(layout.size), place);
      const placeAt = block.address + layout.size;
      prepStatx(sqe, dirfd, placeAt, flags, mask, block.address);
      return block;
    },
    decode: (_completion, { view }) => readStatx(view, 0),
  });
}

/** Options of {@linkcode unlinkat}. */
export interface UnlinkatOptions {
  /** The directory that a relative path starts from. Default: `AT_FDCWD`, the current one. */
  dirfd?: number;
  /** `AT_REMOVEDIR` to remove an empty directory instead of a file. Default: 0. */
  flags?: number;
}

/**
 * Removes a name, and the file if it was the last, as unlinkat(2).
 *
 * EISDIR: a directory needs `AT_REMOVEDIR`. ENOTEMPTY: the directory has something in it.
 *
 * Since kernel 5.11; see io_uring_prep_unlinkat(3).
 *
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { AT_REMOVEDIR } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { opcodes, run, unlinkat } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * if (opcodes.unlinkat.supported()) {
 *   using ring = new Ring(4);
 *   const directory = Deno.makeTempDirSync();
 *   run(ring, unlinkat(directory, { flags: AT_REMOVEDIR }));
 *   assertThrows(() => Deno.statSync(directory), Deno.errors.NotFound);
 * }
 * ```
 */
export function unlinkat(
  path: Path,
  { dirfd = AT_FDCWD, flags = 0 }: UnlinkatOptions = {},
): Op<void> {
  const place = checkPath("unlinkat: path", path);
  checkDirfd("unlinkat: dirfd", dirfd);
  checkFlags("unlinkat: flags", flags);
  return Op.of({
    opcode: IORING_OP_UNLINKAT,
    name: "unlinkat",
    path: pathText(path),
    encode: (sqe) => {
      const block = cString(place);
      prepUnlinkat(sqe, dirfd, block.address, flags);
      return block;
    },
    decode: nothing,
  });
}

/** Options of {@linkcode renameat} and {@linkcode linkat}. */
export interface TwoPathOptions {
  /** The directory that a relative old path starts from. Default: `AT_FDCWD`. */
  oldDirfd?: number;
  /** The directory that a relative new path starts from. Default: `AT_FDCWD`. */
  newDirfd?: number;
  /** `RENAME_*` for a rename, `AT_SYMLINK_FOLLOW` or `AT_EMPTY_PATH` for a link. Default: 0. */
  flags?: number;
}

/**
 * Gives a file a new name, as renameat2(2). What had that name is replaced.
 *
 * EXDEV: the two are on different file systems. EEXIST: `RENAME_NOREPLACE`, and there is one.
 *
 * Since kernel 5.11; see io_uring_prep_renameat(3).
 *
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { RENAME_NOREPLACE } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { opcodes, renameat, run } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * if (opcodes.renameat.supported()) {
 *   using ring = new Ring(4);
 *   const path = Deno.makeTempFileSync();
 *   run(ring, renameat(path, path + ".new", { flags: RENAME_NOREPLACE }));
 *   assert(Deno.statSync(path + ".new").isFile);
 *   Deno.removeSync(path + ".new");
 * }
 * ```
 */
export function renameat(
  oldPath: Path,
  newPath: Path,
  options: TwoPathOptions = {},
): Op<void> {
  return ofTwoPaths(RENAMEAT, oldPath, newPath, options);
}

/**
 * Gives a file one more name, as linkat(2): a hard link.
 *
 * EEXIST: the new name is taken. EXDEV: the two are on different file systems. EPERM: a
 * directory, or a file system without hard links.
 *
 * Since kernel 5.15; see io_uring_prep_linkat(3).
 *
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { linkat, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.linkat.supported()) {
 *   using ring = new Ring(4);
 *   const path = Deno.makeTempFileSync();
 *   run(ring, linkat(path, path + ".too"));
 *   assertEquals(Deno.statSync(path).nlink, 2);
 *   Deno.removeSync(path);
 *   Deno.removeSync(path + ".too");
 * }
 * ```
 */
export function linkat(
  oldPath: Path,
  newPath: Path,
  options: TwoPathOptions = {},
): Op<void> {
  return ofTwoPaths(LINKAT, oldPath, newPath, options);
}

const RENAMEAT = {
  opcode: IORING_OP_RENAMEAT,
  name: "renameat",
  prep: prepRenameat,
};

const LINKAT = { opcode: IORING_OP_LINKAT, name: "linkat", prep: prepLinkat };

function ofTwoPaths(
  { opcode, name, prep }: typeof RENAMEAT,
  oldPath: Path,
  newPath: Path,
  { oldDirfd = AT_FDCWD, newDirfd = AT_FDCWD, flags = 0 }: TwoPathOptions,
): Op<void> {
  const oldPlace = checkPath(`${name}: oldPath`, oldPath);
  const newPlace = checkPath(`${name}: newPath`, newPath);
  checkDirfd(`${name}: oldDirfd`, oldDirfd);
  checkDirfd(`${name}: newDirfd`, newDirfd);
  checkFlags(`${name}: flags`, flags);
  return Op.of({
    opcode,
    name,
    path: pathText(oldPath),
    encode: (sqe) => {
      const [block, newAt] = cStrings(oldPlace, newPlace);
      prep(sqe, oldDirfd, block.address, newDirfd, newAt, flags);
      return block;
    },
    decode: nothing,
    hint: () => `The new name was to be '${pathText(newPlace)}'.`,
  });
}

/** Options of {@linkcode mkdirat}. */
export interface MkdiratOptions {
  /** The directory that a relative path starts from. Default: `AT_FDCWD`, the current one. */
  dirfd?: number;
  /** The permissions, before the umask. Default: 0o777. */
  mode?: number;
}

/**
 * Makes a directory, as mkdirat(2).
 *
 * EEXIST: the name is taken. ENOENT: the directory for it does not exist.
 *
 * Since kernel 5.15; see io_uring_prep_mkdirat(3).
 *
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { mkdirat, opcodes, run } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * if (opcodes.mkdirat.supported()) {
 *   using ring = new Ring(4);
 *   const directory = Deno.makeTempDirSync();
 *   run(ring, mkdirat(directory + "/inside", { mode: 0o700 }));
 *   assert(Deno.statSync(directory + "/inside").isDirectory);
 *   Deno.removeSync(directory, { recursive: true });
 * }
 * ```
 */
export function mkdirat(
  path: Path,
  { dirfd = AT_FDCWD, mode = 0o777 }: MkdiratOptions = {},
): Op<void> {
  const place = checkPath("mkdirat: path", path);
  checkDirfd("mkdirat: dirfd", dirfd);
  checkUnsigned("mkdirat: mode", mode, 0o7777);
  return Op.of({
    opcode: IORING_OP_MKDIRAT,
    name: "mkdirat",
    path: pathText(path),
    encode: (sqe) => {
      const block = cString(place);
      prepMkdirat(sqe, dirfd, block.address, mode);
      return block;
    },
    decode: nothing,
  });
}

/** Options of {@linkcode symlinkat}. */
export interface SymlinkatOptions {
  /** The directory that a relative link path starts from. Default: `AT_FDCWD`. */
  dirfd?: number;
}

/**
 * Makes a symbolic link, as symlinkat(2).
 *
 * EEXIST: the name is taken. EPERM: a file system without symbolic links.
 *
 * Since kernel 5.15; see io_uring_prep_symlinkat(3).
 *
 * @param target what the link says; relative to the link's own directory, and never checked.
 * @param linkPath where the link comes to be.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { opcodes, run, symlinkat } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.symlinkat.supported()) {
 *   using ring = new Ring(4);
 *   const directory = Deno.makeTempDirSync();
 *   run(ring, symlinkat("else/where", directory + "/link"));
 *   assertEquals(Deno.readLinkSync(directory + "/link"), "else/where");
 *   Deno.removeSync(directory, { recursive: true });
 * }
 * ```
 */
export function symlinkat(
  target: Path,
  linkPath: Path,
  { dirfd = AT_FDCWD }: SymlinkatOptions = {},
): Op<void> {
  const text = checkPath("symlinkat: target", target);
  const place = checkPath("symlinkat: linkPath", linkPath);
  checkDirfd("symlinkat: dirfd", dirfd);
  return Op.of({
    opcode: IORING_OP_SYMLINKAT,
    name: "symlinkat",
    path: pathText(linkPath),
    encode: (sqe) => {
      const [block, placeAt] = cStrings(text, place);
      prepSymlinkat(sqe, block.address, dirfd, placeAt);
      return block;
    },
    decode: nothing,
  });
}
