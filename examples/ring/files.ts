/**
 * What `cat` and `cp` do with a file on a ring, one op at a time.
 *
 * @module
 */

import {
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  IOSQE_ASYNC,
} from "../../ffi/abi.ts";
import { isSystemError } from "../../ffi/errors.ts";
import { lseek, nextData } from "../../ffi/file.ts";
import { AT_EMPTY_PATH, O_CLOEXEC, SEEK_SET } from "../../ffi/linux.ts";
import type { Memory } from "../../ffi/memory.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { fallocate } from "../../ops/file.ts";
import * as ops from "../../ops/open.ts";
import { statx } from "../../ops/path.ts";
import { run } from "../../ops/run.ts";
import { write } from "../../ops/rw.ts";
import { Ring } from "../../ring/ring.ts";
import type { Sqe } from "../../ring/sqe.ts";

/**
 * A ring for one thread that submits and then waits. With DEFER_TASKRUN (Linux 6.1) it sleeps
 * until as many completions are there as it waits for, and is not interrupted for each;
 * COOP_TASKRUN (5.19) is half of that.
 */
export function newRing(entries: number): Ring {
  const deferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  for (const flags of [deferred, IORING_SETUP_COOP_TASKRUN]) {
    try {
      return new Ring({ entries, flags });
    } catch (error) {
      if (!isSystemError(error) || error.code !== "EINVAL") throw error;
    }
  }
  return new Ring(entries);
}

/** The next free entry of a ring; its tag comes back with its completion. */
export function entry(ring: Ring, tag: number, flags = 0): Sqe {
  const sqe = ring.sqe();
  if (sqe === null) throw new Error("More was queued than the ring holds.");
  sqe.tag = tag;
  sqe.flags = flags;
  return sqe;
}

/**
 * Registers memory, which the kernel then pins once, and not for every block. False for what it
 * may not pin (RLIMIT_MEMLOCK): plain reads and writes do, at little cost.
 */
export function pin(ring: Ring, memory: Memory): boolean {
  if (ring.buffers.length > 0) return true;
  try {
    ring.buffers.register([memory.bytes]);
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "ENOMEM") return false;
    throw error;
  }
}

/**
 * Opens a file on a ring. A ring tries not to block first, and a FIFO opened that way reads as
 * empty until somebody writes: IOSQE_ASYNC has a thread of the kernel open it, and wait.
 */
export function open(
  ring: Ring,
  path: string,
  flags: number,
  mode = 0,
): number {
  const op = ops.openat(path, flags | O_CLOEXEC, { mode });
  return run(ring, op, { flags: IOSQE_ASYNC });
}

/** Closes a file on a ring. */
export function close(ring: Ring, fd: number): void {
  run(ring, ops.close(fd));
}

/** What the kernel knows of the file at a path. */
export function stat(ring: Ring, path: string, flags = 0): Statx {
  return run(ring, statx(path, { flags }));
}

/** What the kernel knows of the file at a path; null if there is none. */
export function lookUp(ring: Ring, path: string, flags = 0): Statx | null {
  try {
    return stat(ring, path, flags);
  } catch (error) {
    if (isSystemError(error) && error.code === "ENOENT") return null;
    throw error;
  }
}

/** What the kernel knows of an open file. */
export function fstat(ring: Ring, dirfd: number): Statx {
  return run(ring, statx("", { dirfd, flags: AT_EMPTY_PATH }));
}

/** Whether two names, or descriptors, are of one file. */
export function sameFile(a: Statx, b: Statx): boolean {
  return a.dev === b.dev && a.inoBigInt === b.inoBigInt;
}

/** Whether a file has holes: less storage than its size needs. */
function isSparse({ size, blocks }: Statx): boolean {
  return blocks * 512 < size;
}

/** Where a file has data, in pieces of `most` bytes at most. */
export function* dataOf(
  fd: number,
  stat: Statx,
  most: number,
): Generator<[offset: number, length: number], undefined> {
  const { size } = stat;
  const sparse = isSparse(stat);
  for (let end = 0; end < size;) {
    const data = sparse ? nextData(fd, end) : [0, size];
    const [begin = size, next = size] = data ?? [];
    end = Math.min(next, size);
    for (let at = begin; at < end; at += most) {
      yield [at, Math.min(most, end - at)];
    }
  }
}

/**
 * Reserves the space that a copy will need, unless it will have holes: to write where there is
 * space takes ext4 a third less time. Where it cannot be had, the writes find it, or say why not.
 */
export function reserve(ring: Ring, fd: number, input: Statx): void {
  if (isSparse(input)) return;
  try {
    run(ring, fallocate(fd, 0, 0, input.size));
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

/** An offset so many bytes further on. That of a stream, -1, remains. */
export function further(offset: number, length: number): number {
  return offset < 0 ? offset : offset + length;
}

/**
 * Writes bytes at an offset, or to a stream, whose offset is -1, however few of them each write
 * takes. Leaves the file's position behind what was written.
 *
 * To write a file at its position, -1 would do too. But when a full disk cuts such a write
 * short, Linux 6.18 tells how much was written and does not move on: the next write goes to
 * the same place, and is a success.
 */
export function writeAll(
  ring: Ring,
  fd: number,
  bytes: Uint8Array,
  offset: number,
): void {
  let done = 0;
  try {
    while (done < bytes.length) {
      const rest = bytes.subarray(done);
      done += run(ring, write(fd, rest, { offset: further(offset, done) }));
    }
  } finally {
    if (offset >= 0) lseek(fd, offset + done, SEEK_SET);
  }
}
