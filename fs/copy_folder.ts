/**
 * Folders of a tree that is copied: made first, and finished when all is in them.
 *
 * @module
 */

import { systemError } from "../ffi/errors.ts";
import { setMode } from "../ffi/inode.ts";
import {
  AT_SYMLINK_NOFOLLOW,
  ENOTDIR,
  O_DIRECTORY,
  O_RDONLY,
} from "../ffi/linux.ts";
import type { Statx } from "../ffi/structs/statx.ts";
import { statx } from "../ops/path.ts";
import type { Uring } from "../proactor/uring.ts";
import { copyAttributes } from "./copy_attributes.ts";
import { giveOwnerAndMode, giveTimes } from "./copy_belongings.ts";
import type { CopyTreeEntry, CopyTreeOptions } from "./copy_options.ts";
import { giveBack, openDescriptor } from "./descriptor.ts";
import { makeFolderAt } from "./entries.ts";

/** A folder that has been made, or was there. */
export interface FolderCopy {
  /** What it is a copy of, and where. */
  readonly entry: CopyTreeEntry;
  /** Whether it was made just now. */
  readonly fresh: boolean;
  /** Its times, before it was listed. */
  readonly stat: Statx | undefined;
}

/** What is needed to put something into a folder. */
const USABLE = 0o700;
/** What mkdir(2) takes of a mode: permissions, and the sticky bit. */
const BITS = 0o1777;

/** Makes a folder, unless there is one. */
export async function makeFolder(
  ring: Uring,
  entry: CopyTreeEntry,
  { preserve }: CopyTreeOptions,
): Promise<FolderCopy> {
  const { from, to, info, exists } = entry;
  if (exists !== undefined && !exists.isDirectory) {
    throw systemError(ENOTDIR, "mkdirat", { path: to });
  }
  const stat = preserve?.timestamps === true
    ? await ring.submit(statx(from))
    : undefined;
  const fresh = exists === undefined;
  if (fresh) {
    // What is in it may be for its owner's eyes: nobody else gets in before it is finished.
    const open = preserve?.ownership === true || preserve?.mode === true
      ? 0
      : BITS;
    const mode = ((info.mode ?? USABLE) & open) | USABLE;
    await makeFolderAt(ring, to, mode);
  }
  return { entry, fresh, stat };
}

/** Gives a folder what belongs to it, now that nothing changes in it any more. */
export async function leaveFolder(
  ring: Uring,
  { entry, fresh, stat }: FolderCopy,
  { preserve = {} }: CopyTreeOptions,
): Promise<void> {
  const { from, to, info } = entry;
  const { mode, ownership, xattr } = preserve;
  const wanted = info.mode ?? USABLE;
  const narrow = fresh && (wanted & USABLE) !== USABLE;
  const plain = mode !== true && ownership !== true && xattr !== true &&
    stat === undefined && !narrow;
  if (plain) return;
  const fd = await openFolder(ring, to);
  try {
    giveOwnerAndMode(fd, { ...info, mode: wanted }, preserve);
    if (mode !== true && (narrow || (fresh && ownership === true))) {
      setMode(fd, await lessUmask(ring, to, wanted, ownership === true));
    }
    if (xattr === true) await copyFolderAttributes(ring, from, fd);
    if (stat !== undefined) giveTimes(fd, stat);
  } finally {
    giveBack(fd, "passing");
  }
}

/** The mode that mkdir(2) would have given, had the folder not been needed meanwhile. */
async function lessUmask(
  ring: Uring,
  path: string,
  wanted: number,
  hidden: boolean,
): Promise<number> {
  if (hidden) return wanted & BITS & ~umask();
  const { mode } = await ring.submit(
    statx(path, { flags: AT_SYMLINK_NOFOLLOW }),
  );
  return mode & wanted & BITS;
}

/** The process's umask; where it may not be asked for, one that lets in the owner only. */
function umask(): number {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    return parseInt(status.match(/^Umask:\s*(\d+)$/m)?.[1] ?? "77", 8);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return 0o077;
    throw error;
  }
}

async function copyFolderAttributes(
  ring: Uring,
  from: string,
  to: number,
): Promise<void> {
  const fd = await openFolder(ring, from);
  try {
    await copyAttributes(ring, fd, to);
  } finally {
    giveBack(fd, "passing");
  }
}

async function openFolder(ring: Uring, path: string): Promise<number> {
  const { fd } = await openDescriptor(
    ring,
    { path, flags: 0, resolve: 0 },
    { flags: O_RDONLY | O_DIRECTORY, stay: "passing" },
  );
  return fd;
}
