/**
 * What io_uring has no op for, asked of an open file: its position, its holes, its length on
 * kernels before 6.9, the size of a pipe.
 *
 * @module
 */

import { checkInteger } from "./check.ts";
import { systemError } from "./errors.ts";
import { errno, errnoView, libc } from "./libc.ts";
import {
  EINVAL,
  ENXIO,
  F_GETPIPE_SZ,
  F_SETPIPE_SZ,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_HOLE,
  SEEK_SET,
} from "./linux.ts";

const MOST = Number.MAX_SAFE_INTEGER;

/**
 * Moves a file's position, as lseek(2), and gives the new one: in bytes from the beginning.
 *
 * @param whence `SEEK_SET`, `SEEK_CUR`, `SEEK_END`, `SEEK_DATA` or `SEEK_HOLE`.
 * @throws {RangeError} if an argument is out of range.
 * @throws {UringError} ESPIPE: a pipe or a socket has no position. EINVAL: it would become
 * negative. ENXIO: `SEEK_DATA` found no data, or the offset lies beyond the end.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { lseek, SEEK_CUR, SEEK_END } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, "twelve bytes");
 * const fd = openSync(path, "r");
 * assertEquals(lseek(fd, -5, SEEK_END), 7);
 * assertEquals(lseek(fd, 0, SEEK_CUR), 7);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function lseek(fd: number, offset: number, whence: number): number {
  const place = tryLseek(fd, offset, whence);
  if (place < 0) throw systemError(-place, "lseek");
  return place;
}

/**
 * A file's position, in bytes from the beginning; -1 where it has none, as a pipe, a socket
 * and a terminal: what an op takes as the offset of such a file.
 *
 * @throws {RangeError} if the argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { position } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const fd = openSync("/proc/version", "r");
 * assertEquals(position(fd), 0);
 * closeSync(fd);
 * ```
 */
export function position(fd: number): number {
  return Math.max(tryLseek(fd, 0, SEEK_CUR), -1);
}

/** The new position, or an errno, negated. */
function tryLseek(fd: number, offset: number, whence: number): number {
  checkInteger("lseek: fd", fd, 0, 0x7fff_ffff);
  checkInteger("lseek: offset", offset, -MOST, MOST);
  checkInteger("lseek: whence", whence, SEEK_SET, SEEK_HOLE);
  errnoView();
  const place = Number(libc().lseek(fd, BigInt(offset), whence));
  return place < 0 ? -errno() : place;
}

/**
 * The next part of a file that has data, where holes read as zeros and take no space: its
 * beginning and its end in bytes, or null if there is no data from `offset` on. A file system
 * that knows no holes says that all is data; where it cannot even tell that (/proc, /sys),
 * the part has no end: Infinity.
 *
 * Moves the file's position.
 *
 * @param offset where to look from, in bytes.
 * @throws {RangeError} if an argument is out of range.
 * @throws {UringError} ESPIPE: a pipe or a socket has no position.
 *
 * @example
 * ```ts
 * import { closeSync, openSync, writeSync } from "node:fs";
 * import { nextData } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "w");
 * writeSync(fd, new Uint8Array(65536), 0, 65536, 131072); // behind a hole
 * assertEquals(nextData(fd, 0)?.[1], 196608);
 * assertEquals(nextData(fd, 196608), null);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function nextData(
  fd: number,
  offset: number,
): [begin: number, end: number] | null {
  const begin = tryLseek(fd, offset, SEEK_DATA);
  if (begin === -ENXIO) return null;
  if (begin === -EINVAL) return [offset, Infinity];
  if (begin < 0) throw systemError(-begin, "lseek");
  return [begin, lseek(fd, begin, SEEK_HOLE)];
}

/**
 * Sets the length of a file, as ftruncate(2): cuts it off, or lets it end in a hole. The op of
 * that name needs Linux 6.9.
 *
 * @param length the new length in bytes.
 * @throws {RangeError} if an argument is out of range.
 * @throws {UringError} EINVAL: no regular file, or not open for writing. EFBIG: longer than the
 * file system allows.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { setLength } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "w");
 * setLength(fd, 1234);
 * assertEquals(Deno.statSync(path).size, 1234);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function setLength(fd: number, length: number): void {
  checkInteger("setLength: fd", fd, 0, 0x7fff_ffff);
  checkInteger("setLength: length", length, 0, MOST);
  errnoView();
  if (libc().ftruncate(fd, BigInt(length)) < 0) {
    throw systemError(errno(), "ftruncate");
  }
}

/**
 * Lets a pipe hold at least `byteLength` bytes, if the system allows it, and gives what it
 * holds from now on. The fuller a pipe may become, the less often its two ends wait for each
 * other. What is refused changes nothing: beyond /proc/sys/fs/pipe-max-size (1 MiB), or with
 * too many large pipes, a user without privileges keeps the pipe as it is.
 *
 * See `F_SETPIPE_SZ` in fcntl(2).
 *
 * @throws {RangeError} if an argument is out of range.
 * @throws {UringError} EBADF: no pipe, or no open file.
 *
 * @example
 * ```ts
 * import { growPipe } from "@uring/uring/ffi";
 * import { close, opcodes, pipe, run } from "@uring/uring/ops";
 * import { Ring } from "@uring/uring/ring";
 * import { assert } from "@std/assert";
 *
 * if (opcodes.pipe.supported()) {
 *   using ring = new Ring(4);
 *   const [reader, writer] = run(ring, pipe());
 *   assert(growPipe(writer, 128 * 1024) >= 64 * 1024);
 *   for (const fd of [reader, writer]) run(ring, close(fd));
 * }
 * ```
 */
export function growPipe(fd: number, byteLength: number): number {
  checkInteger("growPipe: fd", fd, 0, 0x7fff_ffff);
  checkInteger("growPipe: byteLength", byteLength, 1, 2 ** 30);
  errnoView();
  const size = libc().fcntl(fd, F_GETPIPE_SZ, 0);
  if (size < 0) throw systemError(errno(), "fcntl");
  if (size >= byteLength) return size;
  return Math.max(size, libc().fcntl(fd, F_SETPIPE_SZ, byteLength));
}
