/**
 * Opening and closing files.
 *
 * @module
 */

import {
  IORING_OP_CLOSE,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
} from "../ffi/abi.ts";
import { type Block, takeBlock } from "../ffi/block.ts";
import { notInteger, show } from "../ffi/check.ts";
import { errnoName } from "../ffi/errno.ts";
import { open_how } from "../ffi/layout.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_TMPFILE,
} from "../ffi/linux.ts";
import { type OpenHow, writeOpenHow } from "../ffi/structs/open_how.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  checkFlags,
  checkLength,
  checkPath,
  checkUnsigned,
  cString,
  cStringSize,
  type Path,
  pathText,
  writeCString,
} from "./arguments.ts";
import {
  checkDirfd,
  checkFd,
  checkSlot,
  encodeSlot,
  type Fd,
  FixedFile,
  slotResult,
} from "./fd.ts";
import { count, nothing, Op } from "./op.ts";

/** Queues an openat(2). `io_uring_prep_openat(3)`, since 5.6. */
export function prepOpenat(
  sqe: Sqe,
  dfd: number,
  path: number | bigint,
  flags: number,
  mode: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_OPENAT, dfd, path, mode, 0);
}

/**
 * Queues an openat(2) whose result goes to slot `file_index` of the registered files, or to
 * a free one with `IORING_FILE_INDEX_ALLOC`. `io_uring_prep_openat_direct(3)`, since 5.15.
 */
export function prepOpenatDirect(
  sqe: Sqe,
  dfd: number,
  path: number | bigint,
  flags: number,
  mode: number,
  fileIndex: number,
): void {
  encodeSlot(sqe, "prepOpenatDirect: file_index", fileIndex);
  prepOpenat(sqe, dfd, path, flags, mode);
}

/** Queues an open(2). `io_uring_prep_open(3)`, since 5.6. */
export function prepOpen(
  sqe: Sqe,
  path: number | bigint,
  flags: number,
  mode: number,
): void {
  prepOpenat(sqe, AT_FDCWD, path, flags, mode);
}

/**
 * Queues an open(2) whose result goes to slot `file_index` of the registered files, or to a
 * free one with `IORING_FILE_INDEX_ALLOC`. `io_uring_prep_open_direct(3)`, since 5.15.
 */
export function prepOpenDirect(
  sqe: Sqe,
  path: number | bigint,
  flags: number,
  mode: number,
  fileIndex: number,
): void {
  encodeSlot(sqe, "prepOpenDirect: file_index", fileIndex);
  prepOpenat(sqe, AT_FDCWD, path, flags, mode);
}

/**
 * Queues an openat2(2), `how` being the address of a `struct open_how`.
 * `io_uring_prep_openat2(3)`, since 5.6.
 */
export function prepOpenat2(
  sqe: Sqe,
  dfd: number,
  path: number | bigint,
  how: number | bigint,
): void {
  sqe.prep(IORING_OP_OPENAT2, dfd, path, open_how.size, how);
}

/**
 * Queues an openat2(2) whose result goes to slot `file_index` of the registered files, or to
 * a free one with `IORING_FILE_INDEX_ALLOC`. `io_uring_prep_openat2_direct(3)`, since 5.15.
 */
export function prepOpenat2Direct(
  sqe: Sqe,
  dfd: number,
  path: number | bigint,
  how: number | bigint,
  fileIndex: number,
): void {
  encodeSlot(sqe, "prepOpenat2Direct: file_index", fileIndex);
  prepOpenat2(sqe, dfd, path, how);
}

/** Queues a close(2). `io_uring_prep_close(3)`, since 5.6. */
export function prepClose(sqe: Sqe, fd: number): void {
  sqe.prep(IORING_OP_CLOSE, fd, 0, 0, 0);
}

/**
 * Queues the close of the registered file `file_index`. `io_uring_prep_close_direct(3)`,
 * since 5.15.
 *
 * @throws {RangeError} for `IORING_FILE_INDEX_ALLOC`, of which C makes a close of descriptor 0.
 */
export function prepCloseDirect(sqe: Sqe, fileIndex: number): void {
  if ((fileIndex >>> 0) !== fileIndex || fileIndex === 0xffff_ffff) {
    const what = "prepCloseDirect: file_index";
    throw notInteger(what, fileIndex, 0, 0xffff_fffe);
  }
  sqe.fileIndex = fileIndex + 1;
  prepClose(sqe, 0);
}

/** Options of {@linkcode openat} and {@linkcode openatDirect}. */
export interface OpenatOptions {
  /** The permissions of a file that is created, before the umask. Default: 0o666. */
  mode?: number;
  /** The directory that a relative path starts from. Default: `AT_FDCWD`, the current one. */
  dirfd?: number;
}

/**
 * Opens a file, as openat(2).
 *
 * Gives its file descriptor. ENOENT, EACCES, EISDIR and so on, as openat(2) has them.
 *
 * Since kernel 5.6; see io_uring_prep_openat(3).
 *
 * @param flags `O_*`. Add `O_CLOEXEC`, or every child process gets the file too.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { O_CLOEXEC, O_RDONLY } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, openat, read, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const fd = run(ring, openat("/proc/self/comm", O_RDONLY | O_CLOEXEC));
 * const buffer = new Uint8Array(64);
 * const n = run(ring, read(fd, buffer));
 * assertEquals(buffer[n - 1], 10); // the line's end
 * run(ring, close(fd));
 * ```
 */
export function openat(
  path: Path,
  flags: number,
  options: OpenatOptions = {},
): Op<number> {
  const { place, mode, dirfd } = checkOpenat("openat", path, flags, options);
  return Op.of({
    opcode: IORING_OP_OPENAT,
    name: "openat",
    path: pathText(path),
    encode: (sqe) => {
      const block = cString(place);
      prepOpenat(sqe, dirfd, block.address, flags, mode);
      return block;
    },
    decode: count,
    undo: close,
  });
}

/**
 * Opens a file, as openat(2), in the ring's table of registered files: the process gets no
 * descriptor, and no other thread pays for one.
 *
 * Gives the file, for the ops that work on it. ENFILE: no slot is free. ENXIO: the ring has no
 * table of files. EINVAL: the slot is beyond it.
 *
 * Since kernel 5.15, with `IORING_FILE_INDEX_ALLOC` 5.19; see io_uring_prep_openat_direct(3).
 *
 * @param flags `O_*`, without `O_CLOEXEC`, which the kernel refuses here.
 * @param slot the index in the table; what is there is closed. `IORING_FILE_INDEX_ALLOC` lets
 * the kernel choose a free one.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range, or flags has `O_CLOEXEC`.
 *
 * @example
 * ```ts
 * import { O_RDONLY } from "@uring/uring/ffi";
 * import { openatDirect } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const op = openatDirect("/etc/hostname", O_RDONLY, 3);
 * assertEquals([op.name, op.path], ["openat", "/etc/hostname"]);
 * ```
 */
export function openatDirect(
  path: Path,
  flags: number,
  slot: number,
  options: OpenatOptions = {},
): Op<FixedFile> {
  const name = "openatDirect";
  const { place, mode, dirfd } = checkOpenat(name, path, flags, options);
  checkDirect(name, flags, slot);
  return Op.of({
    opcode: IORING_OP_OPENAT,
    name: "openat",
    path: pathText(path),
    encode: (sqe) => {
      const block = cString(place);
      prepOpenatDirect(sqe, dirfd, block.address, flags, mode, slot);
      return block;
    },
    decode: ({ res }) => slotResult(res, slot),
    undo: close,
    hint: directHint,
  });
}

/** Options of {@linkcode openat2} and {@linkcode openat2Direct}. */
export interface Openat2Options {
  /** The directory that a relative path starts from. Default: `AT_FDCWD`, the current one. */
  dirfd?: number;
}

/**
 * Opens a file with rules for how its path is resolved, as openat2(2).
 *
 * Gives its file descriptor. ELOOP, EXDEV: the path breaks the rules. EAGAIN:
 * `RESOLVE_CACHED`, and not all of it is cached. EINVAL: a flag that does not exist.
 *
 * Since kernel 5.6; see io_uring_prep_openat2(3).
 *
 * @param how flags, mode and rules.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { O_CLOEXEC, RESOLVE_NO_SYMLINKS } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { openat2, run } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const how = { flags: O_CLOEXEC, resolve: RESOLVE_NO_SYMLINKS };
 * assertThrows(
 *   () => run(ring, openat2("/proc/self/comm", how)), // self is a link
 *   Deno.errors.FilesystemLoop,
 * );
 * ```
 */
export function openat2(
  path: Path,
  how: OpenHow,
  options: Openat2Options = {},
): Op<number> {
  const { place, rules, dirfd } = checkOpenat2("openat2", path, how, options);
  return Op.of({
    opcode: IORING_OP_OPENAT2,
    name: "openat2",
    path: pathText(path),
    encode: (sqe) => {
      const block = packHow(rules, place);
      const placeAt = block.address + open_how.size;
      prepOpenat2(sqe, dirfd, placeAt, block.address);
      return block;
    },
    decode: count,
    undo: close,
  });
}

/**
 * Opens a file with rules, as {@linkcode openat2}, in the ring's table of registered files,
 * as {@linkcode openatDirect}.
 *
 * Gives the file, for the ops that work on it. Errors are those of both.
 *
 * Since kernel 5.15, with `IORING_FILE_INDEX_ALLOC` 5.19; see
 * io_uring_prep_openat2_direct(3).
 *
 * @param how flags, mode and rules; the flags without `O_CLOEXEC`, which the kernel refuses.
 * @param slot the index in the table; what is there is closed. `IORING_FILE_INDEX_ALLOC` lets
 * the kernel choose a free one.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range, or the flags have `O_CLOEXEC`.
 *
 * @example
 * ```ts
 * import { RESOLVE_BENEATH } from "@uring/uring/ffi";
 * import { openat2Direct } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const how = { flags: 0, resolve: RESOLVE_BENEATH };
 * assertEquals(openat2Direct("a/b", how, 3).name, "openat2");
 * ```
 */
export function openat2Direct(
  path: Path,
  how: OpenHow,
  slot: number,
  options: Openat2Options = {},
): Op<FixedFile> {
  const name = "openat2Direct";
  const { place, rules, dirfd } = checkOpenat2(name, path, how, options);
  checkDirect(name, rules.flags, slot);
  return Op.of({
    opcode: IORING_OP_OPENAT2,
    name: "openat2",
    path: pathText(path),
    encode: (sqe) => {
      const block = packHow(rules, place);
      const placeAt = block.address + open_how.size;
      prepOpenat2Direct(sqe, dirfd, placeAt, block.address, slot);
      return block;
    },
    decode: ({ res }) => slotResult(res, slot),
    undo: close,
    hint: directHint,
  });
}

/**
 * Closes a file descriptor, as close(2), or a registered file, as {@linkcode closeDirect}.
 *
 * No op on the file may be in flight: the number could be another file's by the time that
 * the kernel looks at it. EBADF: no such file is open.
 *
 * Since kernel 5.6, registered files 5.15; see io_uring_prep_close(3).
 *
 * @throws {TypeError} if fd is no file.
 * @throws {RangeError} if fd is negative.
 *
 * @example
 * ```ts
 * import { openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { close, run } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const fd = openSync("/proc/self/comm", "r");
 * run(ring, close(fd));
 * assertThrows(() => run(ring, close(fd)), Error, "EBADF");
 * ```
 */
export function close(fd: Fd): Op<void> {
  if (fd instanceof FixedFile) return closeDirect(fd.index);
  checkFd("close: fd", fd);
  return Op.of({
    opcode: IORING_OP_CLOSE,
    name: "close",
    encode: (sqe) => {
      prepClose(sqe, fd);
      return undefined;
    },
    decode: nothing,
  });
}

/**
 * Closes a registered file, and frees its slot in the ring's table of files.
 *
 * EBADF: there is none. ENXIO: the ring has no table of files.
 *
 * Since kernel 5.15; see io_uring_prep_close_direct(3).
 *
 * @param slot the file's index in the table.
 * @throws {TypeError} if slot is no number.
 * @throws {RangeError} if slot is no integer from 0 to 2^31 - 1.
 *
 * @example
 * ```ts
 * import { closeDirect } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(closeDirect(3).name, "close");
 * ```
 */
export function closeDirect(slot: number): Op<void> {
  checkUnsigned("closeDirect: slot", slot, 0x7fff_ffff);
  return Op.of({
    opcode: IORING_OP_CLOSE,
    name: "close",
    encode: (sqe) => {
      prepCloseDirect(sqe, slot);
      return undefined;
    },
    decode: nothing,
  });
}

function checkOpenat(
  name: string,
  path: Path,
  flags: number,
  { mode = 0o666, dirfd = AT_FDCWD }: OpenatOptions,
): { place: string | Uint8Array; mode: number; dirfd: number } {
  checkFlags(`${name}: flags`, flags);
  return {
    place: checkPath(`${name}: path`, path),
    mode: checkUnsigned(`${name}: mode`, mode, 0o7777),
    dirfd: checkDirfd(`${name}: dirfd`, dirfd),
  };
}

function checkOpenat2(
  name: string,
  path: Path,
  how: OpenHow,
  { dirfd = AT_FDCWD }: Openat2Options,
): {
  place: string | Uint8Array;
  rules: Required<OpenHow>;
  dirfd: number;
} {
  if (typeof how !== "object" || how === null) {
    throw new TypeError(
      `${name}: how must be an object with flags; got ${show(how)}.`,
    );
  }
  const flags = checkLength(`${name}: how.flags`, how.flags);
  const { mode = creates(flags) ? 0o666 : 0, resolve = 0 } = how;
  return {
    place: checkPath(`${name}: path`, path),
    rules: {
      flags,
      mode: checkLength(`${name}: how.mode`, mode),
      resolve: checkLength(`${name}: how.resolve`, resolve),
    },
    dirfd: checkDirfd(`${name}: dirfd`, dirfd),
  };
}

/** Whether a file may be created; the kernel refuses a mode otherwise. */
function creates(flags: number | bigint): boolean {
  return hasFlag(flags, O_CREAT) || hasFlag(flags, O_TMPFILE & ~O_DIRECTORY);
}

function hasFlag(flags: number | bigint, flag: number): boolean {
  return (Number(BigInt.asIntN(32, BigInt(flags))) & flag) !== 0;
}

/** Checks what opens registered files: where they go, and no flag for what they cannot have. */
export function checkDirect(
  name: string,
  flags: number | bigint,
  slot: number,
): void {
  checkSlot(`${name}: slot`, slot);
  if (hasFlag(flags, O_CLOEXEC)) {
    throw new RangeError(
      `${name}: flags must be without O_CLOEXEC: registered files are never inherited.`,
    );
  }
}

function directHint(errno: number): string | undefined {
  switch (errnoName(errno)) {
    case "ENXIO":
      return "Register a table of files with the ring first.";
    case "ENFILE":
      return "No slot of the ring's table of files is free: close a file, or register " +
        "a larger table.";
    case "EINVAL":
      return "The slot may be beyond the ring's table of files.";
    default:
      return undefined;
  }
}

/** A block with the `struct open_how` first, then the path. */
function packHow(how: Required<OpenHow>, place: string | Uint8Array): Block {
  const block = takeBlock(open_how.size + cStringSize(place));
  writeOpenHow(block.view, 0, how);
  writeCString(block.bytes.subarray(open_how.size), place);
  return block;
}
