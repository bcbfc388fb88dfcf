/**
 * What a copy needs of a file and io_uring has no op for: shared storage, mode, owner, times,
 * the names of extended attributes, and files that are neither regular nor folders.
 *
 * All are system calls on the thread that calls them, of a microsecond or so each: they touch
 * what the kernel has in memory of an open file.
 *
 * @module
 */

import { checkInteger } from "./check.ts";
import { systemError } from "./errors.ts";
import { errno, errnoView, libc } from "./libc.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  ENOSYS,
  EOPNOTSUPP,
  ERANGE,
} from "./linux.ts";

/** `_IOW(0x94, 9, int)`: the same number on x86-64 and aarch64. */
const FICLONE = 0x4004_9409n;
const SECOND = 1_000_000_000n;
const UINT32_MAX = 0xffff_ffff;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Makes one open file share the storage of another, all of it, until either is written to:
 * ioctl_ficlone(2). Since Linux 4.5, on Btrfs, XFS, bcachefs and others.
 *
 * @param to the file that gets the data, open for writing.
 * @param from the file that has it, open for reading.
 * @throws {UringError} EOPNOTSUPP or ENOTTY where the file system cannot; EXDEV for two file
 * systems; EINVAL for files that cannot share.
 *
 * @example
 * ```ts
 * import { cloneFile } from "@uring/uring/ffi";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => cloneFile(1, 1)); // a file does not share with itself
 * ```
 */
export function cloneFile(to: number, from: number): void {
  checkDescriptor("cloneFile: to", to);
  checkDescriptor("cloneFile: from", from);
  errnoView();
  check(libc().ioctl(to, FICLONE, from), "ficlone");
}

/**
 * Sets the permissions of an open file: fchmod(2).
 *
 * @param mode permission bits, set-user-ID and its kin among them.
 * @throws {UringError} EPERM if the file is somebody else's.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { setMode } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "r");
 * setMode(fd, 0o640);
 * closeSync(fd);
 * assertEquals((Deno.statSync(path).mode ?? 0) & 0o7777, 0o640);
 * Deno.removeSync(path);
 * ```
 */
export function setMode(fd: number, mode: number): void {
  checkDescriptor("setMode: fd", fd);
  checkInteger("setMode: mode", mode, 0, 0o7777);
  errnoView();
  check(libc().fchmod(fd, mode), "fchmod");
}

/**
 * Sets owner and group of an open file: fchown(2). Takes set-user-ID and set-group-ID away.
 *
 * @throws {UringError} EPERM for whom that is not permitted.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { setOwner } from "@uring/uring/ffi";
 *
 * const path = Deno.makeTempFileSync();
 * const { uid, gid } = Deno.statSync(path);
 * const fd = openSync(path, "r");
 * setOwner(fd, uid ?? 0, gid ?? 0);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function setOwner(fd: number, uid: number, gid: number): void {
  checkDescriptor("setOwner: fd", fd);
  checkInteger("setOwner: uid", uid, 0, UINT32_MAX);
  checkInteger("setOwner: gid", gid, 0, UINT32_MAX);
  errnoView();
  check(libc().fchown(fd, uid, gid), "fchown");
}

/**
 * Sets owner and group of what a path names, of a symbolic link itself: fchownat(2).
 *
 * @throws {UringError} EPERM for whom that is not permitted; ENOENT if there is nothing.
 *
 * @example
 * ```ts
 * import { setLinkOwner } from "@uring/uring/ffi";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => setLinkOwner("/nothing/here", 0, 0), Deno.errors.NotFound);
 * ```
 */
export function setLinkOwner(path: string, uid: number, gid: number): void {
  checkInteger("setLinkOwner: uid", uid, 0, UINT32_MAX);
  checkInteger("setLinkOwner: gid", gid, 0, UINT32_MAX);
  const place = cString(path);
  errnoView();
  const { fchownat } = libc();
  check(
    fchownat(AT_FDCWD, place, uid, gid, AT_SYMLINK_NOFOLLOW),
    "fchownat",
    path,
  );
}

/**
 * Sets the times of an open file, to the nanosecond: futimens(3).
 *
 * @param accessed nanoseconds since 1970.
 * @param modified nanoseconds since 1970.
 * @throws {UringError} EPERM if the file is somebody else's.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { setTimes } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "r");
 * setTimes(fd, 1_000_000_000n, 2_500_000_000n);
 * closeSync(fd);
 * assertEquals(Deno.statSync(path).mtime?.getTime(), 2500);
 * Deno.removeSync(path);
 * ```
 */
export function setTimes(
  fd: number,
  accessed: bigint,
  modified: bigint,
): void {
  checkDescriptor("setTimes: fd", fd);
  errnoView();
  check(libc().futimens(fd, timespecs(accessed, modified)), "futimens");
}

/**
 * Sets the times of what a path names, of a symbolic link itself, to the nanosecond:
 * utimensat(2).
 *
 * @param accessed nanoseconds since 1970.
 * @param modified nanoseconds since 1970.
 * @throws {UringError} EPERM if the file is somebody else's; ENOENT if there is nothing.
 *
 * @example
 * ```ts
 * import { setLinkTimes } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const path = Deno.makeTempDirSync();
 * setLinkTimes(path, 0n, 1_500_000_000n);
 * assertEquals(Deno.lstatSync(path).mtime?.getTime(), 1500);
 * Deno.removeSync(path);
 * ```
 */
export function setLinkTimes(
  path: string,
  accessed: bigint,
  modified: bigint,
): void {
  const place = cString(path);
  const times = timespecs(accessed, modified);
  errnoView();
  const { utimensat } = libc();
  check(
    utimensat(AT_FDCWD, place, times, AT_SYMLINK_NOFOLLOW),
    "utimensat",
    path,
  );
}

/**
 * The names of an open file's extended attributes: flistxattr(2).
 *
 * @throws {UringError} EBADF if it is not open. A file system without attributes has none.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { attributeNames } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const fd = openSync("/proc/self/comm", "r");
 * assertEquals(attributeNames(fd), []);
 * closeSync(fd);
 * ```
 */
export function attributeNames(fd: number): string[] {
  checkDescriptor("attributeNames: fd", fd);
  errnoView();
  // Most files have none, or few: one call does. XATTR_LIST_MAX is 64 KiB.
  for (let size = 1024;; size = 65536) {
    const names = new Uint8Array(size);
    const length = Number(libc().flistxattr(fd, names, BigInt(size)));
    if (length >= 0) {
      const text = decoder.decode(names.subarray(0, length));
      return text.split("\0").slice(0, -1);
    }
    const error = errno();
    if (error === EOPNOTSUPP) return [];
    if (error !== ERANGE || size === 65536) {
      throw systemError(error, "flistxattr");
    }
  }
}

/**
 * Makes a FIFO, a socket's name or a device file: mknod(2).
 *
 * @param mode the kind, `S_IFIFO` and its kin, and the permissions, less the umask.
 * @param device of a device file, as stat(2) numbers it. Default: 0.
 * @throws {UringError} EEXIST: the name is taken. EPERM: a device, and not by root. ENOSYS: the C
 * library has no such function (glibc before 2.33).
 *
 * @example
 * ```ts
 * import { makeNode, S_IFIFO } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * const folder = Deno.makeTempDirSync();
 * makeNode(folder + "/fifo", S_IFIFO | 0o600);
 * assert(Deno.statSync(folder + "/fifo").isFifo);
 * Deno.removeSync(folder, { recursive: true });
 * ```
 */
export function makeNode(path: string, mode: number, device = 0): void {
  checkInteger("makeNode: mode", mode, 0, 0o177777);
  checkInteger("makeNode: device", device, 0, Number.MAX_SAFE_INTEGER);
  const place = cString(path);
  const { mknod } = libc();
  if (mknod === null) throw systemError(ENOSYS, "mknod", { path });
  errnoView();
  check(mknod(place, mode, BigInt(device)), "mknod", path);
}

function checkDescriptor(what: string, fd: number): void {
  checkInteger(what, fd, 0, 0x7fff_ffff);
}

function check(answer: number, name: string, path?: string): void {
  if (answer < 0) throw systemError(errno(), name, { path });
}

function cString(path: string): Uint8Array<ArrayBuffer> {
  if (path.includes("\0")) throw new TypeError("The path contains a NUL.");
  return encoder.encode(path + "\0");
}

/** Two `struct timespec`. Before 1970 the seconds are negative, the nanoseconds never. */
function timespecs(
  accessed: bigint,
  modified: bigint,
): Uint8Array<ArrayBuffer> {
  const words = new BigInt64Array(4);
  [accessed, modified].forEach((time, i) => {
    const nanoseconds = ((time % SECOND) + SECOND) % SECOND;
    words[2 * i] = (time - nanoseconds) / SECOND;
    words[2 * i + 1] = nanoseconds;
  });
  return new Uint8Array(words.buffer);
}
