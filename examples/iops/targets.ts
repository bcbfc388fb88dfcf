/**
 * The files that are measured: found, or made.
 *
 * @module
 */

import { isSystemError } from "../../ffi/errors.ts";
import { lseek } from "../../ffi/file.ts";
import {
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  POSIX_FADV_DONTNEED,
  POSIX_FADV_RANDOM,
  SEEK_END,
  STATX_BASIC_STATS,
  STATX_DIOALIGN,
} from "../../ffi/linux.ts";
import { fadvise, fsync } from "../../ops/file.ts";
import { close, openat } from "../../ops/open.ts";
import { statx } from "../../ops/path.ts";
import { run } from "../../ops/run.ts";
import { read, write } from "../../ops/rw.ts";
import { fsetxattr, getxattr } from "../../ops/xattr.ts";
import { Ring } from "../../ring/ring.ts";
import { Refusal, type Settings } from "./settings.ts";

/** The extended attribute of a file that this tool made. */
const MARK = "user.uring.iops";
const CHUNK = 1 << 20;
/** What O_DIRECT asks for where the kernel does not tell (before Linux 6.1): the usual sector. */
const SECTOR = 512;

/** A file to measure. */
export interface Target {
  /** Its path. */
  readonly path: string;
  /** Its size in bytes. */
  readonly size: number;
  /** What O_DIRECT wants offsets and lengths to be a multiple of; 0 where it is not to be had. */
  readonly alignment: number;
  /** Whether this tool made it, so that it may be written to. */
  readonly ours: boolean;
}

/** Looks at a file. */
export function findTarget(path: string): Target {
  using ring = new Ring(4);
  try {
    const mask = STATX_BASIC_STATS | STATX_DIOALIGN;
    const stat = run(ring, statx(path, { mask }));
    if (!stat.isFile && !stat.isBlockDevice) {
      throw new Refusal(`${path}: neither a regular file nor a block device`);
    }
    const size = stat.isFile ? Number(stat.size) : deviceSize(ring, path);
    const told = (stat.mask & STATX_DIOALIGN) !== 0;
    const alignment = told ? stat.dioOffsetAlign : SECTOR;
    return { path, size, alignment, ours: isMarked(ring, path) };
  } catch (error) {
    if (isSystemError(error)) throw new Refusal(error.message);
    throw error;
  }
}

/** Whether there is such a file. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function deviceSize(ring: Ring, path: string): number {
  const fd = run(ring, openat(path, O_RDONLY | O_CLOEXEC));
  try {
    return lseek(fd, 0, SEEK_END);
  } finally {
    run(ring, close(fd));
  }
}

function isMarked(ring: Ring, path: string): boolean {
  try {
    return run(ring, getxattr(path, MARK)).length > 0;
  } catch (error) {
    // No such attribute, or a file system without any: somebody else's file.
    if (isSystemError(error)) return false;
    throw error;
  }
}

/**
 * Makes a file of noise, whose blocks are all on the disk: zeros some storage does not keep, and
 * until it is synced a file may be a promise.
 */
export function makeTarget(path: string, size: number): Target {
  const noise = new Uint8Array(CHUNK);
  for (let at = 0; at < CHUNK; at += 65536) {
    crypto.getRandomValues(noise.subarray(at, at + 65536));
  }
  using ring = new Ring(4);
  try {
    const flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    const fd = run(ring, openat(path, flags, { mode: 0o600 }));
    try {
      for (let at = 0; at < size;) {
        const chunk = noise.subarray(0, Math.min(CHUNK, size - at));
        at += run(ring, write(fd, chunk, { offset: at }));
      }
      run(ring, fsync(fd));
      mark(ring, fd);
    } finally {
      run(ring, close(fd));
    }
  } catch (error) {
    if (isSystemError(error)) throw new Refusal(error.message);
    throw error;
  }
  return { ...findTarget(path), ours: true };
}

/** Remembers with the file that it may be written to. */
function mark(ring: Ring, fd: number): void {
  try {
    run(ring, fsetxattr(fd, MARK, new TextEncoder().encode("made by iops")));
  } catch (error) {
    // Without extended attributes it counts as made by this tool during this run only.
    if (!isSystemError(error)) throw error;
  }
}

/** Refuses what cannot be done with these files, before the kernel does without a reason. */
export function checkTargets(
  targets: readonly Target[],
  settings: Settings,
  mayWrite: boolean,
): void {
  const { block, direct, operation } = settings;
  if (operation === "nop") return;
  for (const { path, size, alignment, ours } of targets) {
    if (operation !== "read" && !ours && !mayWrite) {
      throw new Refusal(
        `${path} would be overwritten. Say --yes if that is meant, or give no FILE, or one ` +
          "that does not exist: it is made",
      );
    }
    if (size < block) {
      throw new Refusal(`${path}: ${size} bytes, and a --block has ${block}`);
    }
    if (!direct) continue;
    if (alignment === 0) {
      throw new Refusal(`${path}: its file system has no O_DIRECT`);
    }
    if (block % alignment !== 0) {
      throw new Refusal(
        `${path}: --direct needs a --block that is a multiple of ${alignment}; got ${block}`,
      );
    }
  }
}

/** Opens files on a ring that is not measured: one with IOPOLL opens none. */
export function openAll(
  targets: readonly Target[],
  settings: Settings,
): number[] {
  if (settings.operation === "nop") return [];
  using ring = new Ring(4);
  return targets.map((target) => openTarget(ring, target, settings));
}

/** Closes them again. */
export function closeAll(fds: readonly number[]): void {
  using ring = new Ring(4);
  for (const fd of fds) run(ring, close(fd));
}

/** Opens a file for the I/O of these settings. */
function openTarget(
  ring: Ring,
  { path }: Target,
  { direct, operation, random, passes }: Settings,
): number {
  const access = operation === "read" ? O_RDONLY : O_RDWR;
  const flags = access | O_CLOEXEC | (direct ? O_DIRECT : 0);
  const fd = run(ring, openat(path, flags));
  // Without it the kernel reads ahead of what is asked for, and the page cache has what nobody read.
  if (random || passes > 0) run(ring, fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
  return fd;
}

/** Has the kernel drop a file's pages from the page cache; what is dirty is written first. */
export function dropPages({ path }: Target): void {
  using ring = new Ring(4);
  const fd = run(ring, openat(path, O_RDONLY | O_CLOEXEC));
  run(ring, fsync(fd));
  run(ring, fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
  run(ring, close(fd));
}

/** Reads a file through, so that its pages are in the page cache. */
export function warmPages({ path, size }: Target): void {
  using ring = new Ring(4);
  const buffer = new Uint8Array(CHUNK);
  const fd = run(ring, openat(path, O_RDONLY | O_CLOEXEC));
  for (let at = 0; at < size; at += CHUNK) {
    run(ring, read(fd, buffer, { offset: at }));
  }
  run(ring, close(fd));
}
