/**
 * Files that an op works on: descriptors of the process, or registered ones.
 *
 * @module
 */

import { IORING_FILE_INDEX_ALLOC, IOSQE_FIXED_FILE } from "../ffi/abi.ts";
import { checkInteger, notInteger } from "../ffi/check.ts";
import { AT_FDCWD } from "../ffi/linux.ts";
import type { Sqe } from "../ring/sqe.ts";

/**
 * A registered ("fixed", "direct") file: an index in the ring's table of files, which the
 * process has no descriptor for. Make one with {@linkcode fixedFile}.
 */
export class FixedFile {
  /** The index in the ring's table of registered files. */
  readonly index: number;

  /** A registered file by its index. */
  constructor(index: number) {
    this.index = checkInteger("FixedFile: index", index, 0, 0x7fff_ffff);
  }
}

/** A file that an op works on: a file descriptor, or a registered file. */
export type Fd = number | FixedFile;

/**
 * The registered file with this index, for an op to work on instead of a descriptor.
 *
 * @throws {RangeError} if index is no integer from 0 on.
 *
 * @example
 * ```ts
 * import { fixedFile, fsync } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const op = fsync(fixedFile(3)); // syncs the file registered at 3
 * assertEquals(op.name, "fsync");
 * ```
 */
export function fixedFile(index: number): FixedFile {
  return new FixedFile(index);
}

/**
 * Checks a file that a builder was given.
 *
 * @param what how the error calls it: "read: fd".
 */
export function checkFd(what: string, fd: Fd): Fd {
  if (fd instanceof FixedFile) return fd;
  if (typeof fd !== "number" || (fd | 0) !== fd || fd < 0) {
    throw notInteger(what, fd, 0, 0x7fff_ffff);
  }
  return fd;
}

/**
 * Checks the directory that a relative path starts from: a file descriptor, or `AT_FDCWD` for
 * the current directory. The kernel takes no registered file here.
 *
 * @param what how the error calls it: "openat: dirfd".
 */
export function checkDirfd(what: string, dirfd: number): number {
  if (dirfd === AT_FDCWD) return dirfd;
  if ((dirfd | 0) !== dirfd || dirfd < 0) {
    const error = notInteger(what, dirfd, 0, 0x7fff_ffff);
    error.message += " AT_FDCWD (-100) is the current directory.";
    throw error;
  }
  return dirfd;
}

/** What stands in `sqe.fd` for a file. */
export function fdNumber(fd: Fd): number {
  return typeof fd === "number" ? fd : fd.index;
}

/** Marks the entry's `fd` as a registered file's index, where it is one. */
export function markFixed(sqe: Sqe, fd: Fd): void {
  if (typeof fd !== "number") sqe.flags |= IOSQE_FIXED_FILE;
}

/**
 * Checks a slot for a new direct descriptor: an index, or `IORING_FILE_INDEX_ALLOC` for
 * one that the kernel chooses.
 */
export function checkSlot(what: string, index: number): number {
  // 0xfffffffe would become 0xffffffff when the kernel's + 1 is added: ALLOC by accident.
  return index === IORING_FILE_INDEX_ALLOC
    ? index
    : checkInteger(what, index, 0, 0x7fff_ffff);
}

/**
 * Writes the slot that a new direct descriptor goes to, as liburing's `_direct` functions do:
 * one more than the index, because 0 means that none is wanted.
 *
 * @param what how the error calls the index: "prepOpenatDirect: file_index".
 */
export function encodeSlot(sqe: Sqe, what: string, index: number): void {
  if ((index >>> 0) !== index) throw notInteger(what, index, 0, 0xffff_ffff);
  sqe.fileIndex = index === IORING_FILE_INDEX_ALLOC ? index : index + 1;
}

/** The direct descriptor that an op filled: the one asked for, or the one the kernel chose. */
export function slotResult(res: number, asked: number): FixedFile {
  return new FixedFile(asked === IORING_FILE_INDEX_ALLOC ? res : asked);
}
