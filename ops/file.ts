/**
 * An open file as a whole: sync it, allocate or cut its space, announce how it, or memory,
 * will be used.
 *
 * @module
 */

import {
  IORING_OP_FADVISE,
  IORING_OP_FALLOCATE,
  IORING_OP_FSYNC,
  IORING_OP_FTRUNCATE,
  IORING_OP_MADVISE,
  IORING_OP_SYNC_FILE_RANGE,
} from "../ffi/abi.ts";
import { EINVAL } from "../ffi/linux.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  checkBuffer,
  checkFlags,
  checkLength,
  checkUnsigned,
  checkWord,
} from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { nothing, Op } from "./op.ts";

// The same number on x86-64 and aarch64.

/** Queues an fsync. `io_uring_prep_fsync(3)`, since 5.1. */
export function prepFsync(sqe: Sqe, fd: number, fsyncFlags: number): void {
  sqe.opFlags = fsyncFlags;
  sqe.prep(IORING_OP_FSYNC, fd, 0, 0, 0);
}

/** Queues a sync_file_range(2). `io_uring_prep_sync_file_range(3)`, since 5.2. */
export function prepSyncFileRange(
  sqe: Sqe,
  fd: number,
  len: number,
  offset: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_SYNC_FILE_RANGE, fd, 0, len, offset);
}

/**
 * Queues a fallocate(2). The length stands where others have an address, the mode where
 * they have a length. `io_uring_prep_fallocate(3)`, since 5.6.
 */
export function prepFallocate(
  sqe: Sqe,
  fd: number,
  mode: number,
  offset: number | bigint,
  len: number | bigint,
): void {
  const word = checkWord("prepFallocate: mode", mode);
  sqe.prep(IORING_OP_FALLOCATE, fd, len, word, offset);
}

/** Queues a posix_fadvise(2) of less than 4 GiB. `io_uring_prep_fadvise(3)`, since 5.6. */
export function prepFadvise(
  sqe: Sqe,
  fd: number,
  offset: number | bigint,
  len: number,
  advice: number,
): void {
  sqe.opFlags = advice;
  sqe.prep(IORING_OP_FADVISE, fd, 0, len, offset);
}

/** Queues a posix_fadvise(2) of any length. `io_uring_prep_fadvise64(3)`, since 6.11. */
export function prepFadvise64(
  sqe: Sqe,
  fd: number,
  offset: number | bigint,
  len: number | bigint,
  advice: number,
): void {
  sqe.opFlags = advice;
  sqe.prep(IORING_OP_FADVISE, fd, len, 0, offset);
}

/** Queues a madvise(2) of less than 4 GiB. `io_uring_prep_madvise(3)`, since 5.6. */
export function prepMadvise(
  sqe: Sqe,
  addr: number | bigint,
  length: number,
  advice: number,
): void {
  sqe.opFlags = advice;
  sqe.prep(IORING_OP_MADVISE, -1, addr, length, 0);
}

/** Queues a madvise(2) of any length. `io_uring_prep_madvise64(3)`, since 6.11. */
export function prepMadvise64(
  sqe: Sqe,
  addr: number | bigint,
  length: number | bigint,
  advice: number,
): void {
  sqe.opFlags = advice;
  sqe.prep(IORING_OP_MADVISE, -1, addr, 0, length);
}

/** Queues an ftruncate(2). `io_uring_prep_ftruncate(3)`, since 6.9. */
export function prepFtruncate(
  sqe: Sqe,
  fd: number,
  len: number | bigint,
): void {
  sqe.prep(IORING_OP_FTRUNCATE, fd, 0, 0, len);
}

/** Options of {@linkcode fsync}. */
export interface FsyncOptions {
  /**
   * `IORING_FSYNC_DATASYNC` leaves out the metadata that reading the data does not need, as
   * fdatasync(2). Default: 0.
   */
  flags?: number;
  /** Where the part to sync begins, in bytes. Default: 0. */
  offset?: number | bigint;
  /**
   * How long the part is, in bytes, below 4 GiB; 0 up to the end, for which the kernel syncs the
   * whole file. Default: 0.
   */
  length?: number;
}

/**
 * Waits until what was written to a file is on its device, as fsync(2).
 *
 * Writes still in flight are not waited for: link them before, or await them. EIO: a write
 * since the last sync was lost. EINVAL: nothing that could be synced, a pipe for example.
 *
 * Since kernel 5.1; see io_uring_prep_fsync(3).
 *
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync, writeSync } from "node:fs";
 * import { IORING_FSYNC_DATASYNC } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { fsync, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "w");
 * writeSync(fd, "kept");
 * assertEquals(run(ring, fsync(fd, { flags: IORING_FSYNC_DATASYNC })), undefined);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function fsync(
  fd: Fd,
  { flags = 0, offset = 0, length = 0 }: FsyncOptions = {},
): Op<void> {
  checkFd("fsync: fd", fd);
  checkFlags("fsync: flags", flags);
  checkLength("fsync: offset", offset);
  checkUnsigned("fsync: length", length);
  return Op.of({
    opcode: IORING_OP_FSYNC,
    name: "fsync",
    encode: (sqe) => {
      prepFsync(sqe, fdNumber(fd), flags);
      // To the kernel a length of 0 is the end only from the file's beginning on; from elsewhere it
      // would be a single page.
      if (length !== 0) sqe.off = offset;
      sqe.len = length;
      markFixed(sqe, fd);
      return undefined;
    },
    decode: nothing,
  });
}

/** Options of {@linkcode syncFileRange}. */
export interface SyncFileRangeOptions {
  /** Where the part begins, in bytes. Default: 0. */
  offset?: number | bigint;
  /** How long the part is, in bytes, below 4 GiB; 0 up to the end. Default: 0. */
  length?: number;
}

/**
 * Starts or awaits the write-back of a part of a file, as sync_file_range(2). No metadata
 * is written, so this keeps write-back going but makes nothing safe: {@linkcode fsync} does.
 *
 * Since kernel 5.2; see io_uring_prep_sync_file_range(3).
 *
 * @param flags `SYNC_FILE_RANGE_*`.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync, writeSync } from "node:fs";
 * import { SYNC_FILE_RANGE_WRITE } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { run, syncFileRange } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "w");
 * writeSync(fd, "on its way");
 * const op = syncFileRange(fd, SYNC_FILE_RANGE_WRITE, { length: 4096 });
 * assertEquals(run(ring, op), undefined);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function syncFileRange(
  fd: Fd,
  flags: number,
  { offset = 0, length = 0 }: SyncFileRangeOptions = {},
): Op<void> {
  checkFd("syncFileRange: fd", fd);
  checkFlags("syncFileRange: flags", flags);
  checkLength("syncFileRange: offset", offset);
  checkUnsigned("syncFileRange: length", length);
  return Op.of({
    opcode: IORING_OP_SYNC_FILE_RANGE,
    name: "sync_file_range",
    encode: (sqe) => {
      prepSyncFileRange(sqe, fdNumber(fd), length, offset, flags);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: nothing,
  });
}

/**
 * Allocates a part of a file's space, or gives it back, as fallocate(2).
 *
 * ENOSPC: the disk is full. EOPNOTSUPP: the file system has no such mode. EFBIG: the file
 * would grow too large. EINVAL: flags that exclude each other, or a part that is not of whole
 * blocks where the mode wants that.
 *
 * Since kernel 5.6; see io_uring_prep_fallocate(3).
 *
 * @param mode `FALLOC_FL_*`; 0 allocates and grows the file where needed.
 * @param offset where the part begins, in bytes.
 * @param length how long it is, in bytes, from 1 on.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { fallocate, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "w");
 * run(ring, fallocate(fd, 0, 0, 10_000));
 * assertEquals(Deno.statSync(path).size, 10_000);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function fallocate(
  fd: Fd,
  mode: number,
  offset: number | bigint,
  length: number | bigint,
): Op<void> {
  checkFd("fallocate: fd", fd);
  checkFlags("fallocate: mode", mode);
  checkLength("fallocate: offset", offset);
  checkLength("fallocate: length", length, 1);
  return Op.of({
    opcode: IORING_OP_FALLOCATE,
    name: "fallocate",
    encode: (sqe) => {
      prepFallocate(sqe, fdNumber(fd), mode, offset, length);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: nothing,
    hint: (errno) =>
      errno === EINVAL
        ? "The mode's flags must go together, and some want whole blocks, see fallocate(2)."
        : undefined,
  });
}

/**
 * Announces how a part of a file will be read, as posix_fadvise(2).
 *
 * ESPIPE: a pipe has no parts. EINVAL: no such advice, or a length from 4 GiB on before
 * kernel 6.11.
 *
 * Since kernel 5.6; see io_uring_prep_fadvise(3).
 *
 * @param offset where the part begins, in bytes.
 * @param length how long it is, in bytes; 0 up to the end.
 * @param advice `POSIX_FADV_*`.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { POSIX_FADV_SEQUENTIAL } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { fadvise, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "r");
 * const op = fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
 * assertEquals(run(ring, op), undefined);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function fadvise(
  fd: Fd,
  offset: number | bigint,
  length: number | bigint,
  advice: number,
): Op<void> {
  checkFd("fadvise: fd", fd);
  checkLength("fadvise: offset", offset);
  checkLength("fadvise: length", length);
  checkUnsigned("fadvise: advice", advice);
  return Op.of({
    opcode: IORING_OP_FADVISE,
    name: "fadvise",
    encode: (sqe) => {
      // Kernels before 6.11 refuse a 64-bit length, so only what needs one gets one.
      if (length <= 0xffff_ffff) {
        prepFadvise(sqe, fdNumber(fd), offset, Number(length), advice);
      } else {
        prepFadvise64(sqe, fdNumber(fd), offset, length, advice);
      }
      markFixed(sqe, fd);
      return undefined;
    },
    decode: nothing,
  });
}

/**
 * Announces how memory will be used, as madvise(2).
 *
 * Mind that some advice changes the memory: `MADV_DONTNEED` gives it back, so that it reads
 * as zeros. EINVAL: the address is not that of a page, or there is no such advice.
 *
 * Since kernel 5.6; see io_uring_prep_madvise(3).
 *
 * @param memory what memory: it must begin on a page, as a `Memory` does.
 * @param advice `MADV_*`.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { MADV_DONTNEED, Memory } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { madvise, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * using memory = new Memory(8192);
 * memory.bytes.fill(1);
 * run(ring, madvise(memory.bytes, MADV_DONTNEED));
 * assertEquals(memory.bytes[0], 0);
 * ```
 */
export function madvise(memory: View, advice: number): Op<void> {
  const { byteLength } = checkBuffer("madvise: memory", memory);
  checkUnsigned("madvise: advice", advice);
  return Op.of({
    opcode: IORING_OP_MADVISE,
    name: "madvise",
    encode: (sqe) => {
      // As with fadvise: a 64-bit length only where it needs one.
      if (byteLength <= 0xffff_ffff) {
        prepMadvise(sqe, addressOf(memory), byteLength, advice);
      } else {
        prepMadvise64(sqe, addressOf(memory), byteLength, advice);
      }
      return memory;
    },
    decode: nothing,
  });
}

/**
 * Sets a file's length, as ftruncate(2): cuts it off, or lets it end in a hole.
 *
 * EINVAL: not a regular file, or not open for writing. EFBIG: longer than the file system
 * allows.
 *
 * Since kernel 6.9; see io_uring_prep_ftruncate(3).
 *
 * @param length the new length in bytes.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { ftruncate, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.ftruncate.supported()) {
 *   using ring = new Ring(4);
 *   const path = Deno.makeTempFileSync();
 *   const fd = openSync(path, "w");
 *   run(ring, ftruncate(fd, 1234));
 *   assertEquals(Deno.statSync(path).size, 1234);
 *   closeSync(fd);
 *   Deno.removeSync(path);
 * }
 * ```
 */
export function ftruncate(fd: Fd, length: number | bigint): Op<void> {
  checkFd("ftruncate: fd", fd);
  checkLength("ftruncate: length", length);
  return Op.of({
    opcode: IORING_OP_FTRUNCATE,
    name: "ftruncate",
    encode: (sqe) => {
      prepFtruncate(sqe, fdNumber(fd), length);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: nothing,
  });
}
