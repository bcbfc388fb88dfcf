/**
 * What is copied of a tree, but for folders: files, links, FIFOs, devices.
 *
 * @module
 */

import { isSystemError, systemError } from "../ffi/errors.ts";
import { makeNode, setLinkTimes } from "../ffi/inode.ts";
import {
  AT_SYMLINK_NOFOLLOW,
  EEXIST,
  EISDIR,
  O_NOFOLLOW,
} from "../ffi/linux.ts";
import { statx } from "../ops/path.ts";
import type { Uring } from "../proactor/uring.ts";
import type { CopyTreeEntry } from "./copy_options.ts";
import { copyRegular } from "./copy_regular.ts";
import type { CopyWalk } from "./copy_walk.ts";
import { hiddenBeside } from "./draft.ts";
import { linkTo, moveTo, removeAt, symlinkTo } from "./entries.ts";
import { followed } from "./followed.ts";
import { attemptLinkOwner } from "./owner.ts";
import { allowOpen, allowReadAndWriteAll, type Opening } from "./permission.ts";
import { isSame, lookAt } from "./stat.ts";

/** How an entry is counted. */
export type EntryKind = "files" | "symlinks" | "links";

/** Copies an entry that is no folder. */
export async function copyEntry(
  walk: CopyWalk,
  entry: CopyTreeEntry,
): Promise<EntryKind> {
  const { info, exists, to } = entry;
  if (exists?.isDirectory === true) {
    throw systemError(EISDIR, "openat", { path: to });
  }
  if (exists !== undefined && walk.options.overwrite === false) {
    throw systemError(EEXIST, "openat", { path: to });
  }
  const named = walk.options.preserve?.links === true && (info.nlink ?? 1) > 1;
  return named ? await copyOnce(walk, entry) : await copyAlone(walk, entry);
}

/** Copies a file that has several names, or links to the copy that was made for the first. */
async function copyOnce(
  walk: CopyWalk,
  entry: CopyTreeEntry,
): Promise<EntryKind> {
  const { info, to } = entry;
  const key = `${info.dev}:${info.ino}`;
  for (let earlier = walk.linked.get(key); earlier !== undefined;) {
    const place = await earlier;
    if (place !== undefined) {
      await linkAgain(walk.ring, place, entry);
      return "links";
    }
    earlier = walk.linked.get(key);
  }
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  walk.linked.set(key, promise);
  try {
    const kind = await copyAlone(walk, entry);
    resolve(to);
    return kind;
  } catch (error) {
    walk.linked.delete(key);
    resolve(undefined);
    throw error;
  }
}

async function linkAgain(
  ring: Uring,
  place: string,
  { to, exists }: CopyTreeEntry,
): Promise<void> {
  if (exists !== undefined) {
    const first = await lookAt(ring, place, AT_SYMLINK_NOFOLLOW);
    if (first !== undefined && isSame(first, exists)) return;
  }
  await putInPlace(ring, to, (name) => linkTo(ring, place, name));
}

async function copyAlone(
  walk: CopyWalk,
  entry: CopyTreeEntry,
): Promise<EntryKind> {
  const { info } = entry;
  if (info.isSymlink) {
    await copyLink(walk, entry);
    return "symlinks";
  }
  if (info.isFile) await copyContents(walk, entry);
  else await copyNode(walk, entry);
  return "files";
}

async function copyContents(
  walk: CopyWalk,
  { from, to, info, exists }: CopyTreeEntry,
): Promise<void> {
  const { ring, options } = walk;
  const reading = admitted(walk, from, { read: true, write: false });
  const writing = admitted(walk, to, { read: false, write: true });
  // What a link at the destination leads to is replaced, not the link.
  const { place, exists: found } = exists?.isSymlink === true
    ? await followed(ring, writing, "copyTree")
    : { place: writing, exists };
  if (found?.isDirectory === true) {
    throw systemError(EISDIR, "openat", { path: to });
  }
  const follow = options.symlinks === "follow" ||
    options.symlinks === "follow-argument";
  await copyRegular({
    ring,
    info,
    exists: found,
    from: follow ? reading : { ...reading, flags: reading.flags | O_NOFOLLOW },
    to: place,
    replace: true,
    mode: (info.mode ?? 0o600) & 0o777,
    options,
    progress: (bytes) => walk.moved(bytes, from),
    sharing: walk.sharing,
  });
}

/** How a path may be opened: as it is, where everything may. */
function admitted(
  { asks }: CopyWalk,
  path: string,
  access: { read: boolean; write: boolean },
): Opening {
  return asks
    ? allowOpen(path, access, "copyTree")
    : { path, flags: 0, resolve: 0 };
}

async function copyLink(
  { ring, options }: CopyWalk,
  { from, to, info }: CopyTreeEntry,
): Promise<void> {
  allowReadAndWriteAll("symlink");
  const { ownership, timestamps } = options.preserve ?? {};
  const target = await Deno.readLink(from);
  const stat = timestamps === true
    ? await ring.submit(statx(from, { flags: AT_SYMLINK_NOFOLLOW }))
    : undefined;
  await putInPlace(ring, to, async (name) => {
    await symlinkTo(ring, target, name);
    if (ownership === true) {
      attemptLinkOwner(name, info.uid ?? 0, info.gid ?? 0);
    }
    if (stat === undefined) return;
    setLinkTimes(name, stat.atimeNanoseconds, stat.mtimeNanoseconds);
  });
}

async function copyNode(
  { ring, options }: CopyWalk,
  { from, to, info }: CopyTreeEntry,
): Promise<void> {
  const { mode: keepMode, ownership, timestamps } = options.preserve ?? {};
  const mode = info.mode ?? 0o010600;
  const stat = timestamps === true
    ? await ring.submit(statx(from, { flags: AT_SYMLINK_NOFOLLOW }))
    : undefined;
  await putInPlace(ring, to, async (name) => {
    makeNode(name, mode & 0o170777, info.rdev ?? 0);
    if (ownership === true) {
      attemptLinkOwner(name, info.uid ?? 0, info.gid ?? 0);
    }
    if (keepMode === true) await Deno.chmod(name, mode & 0o7777);
    if (stat === undefined) return;
    setLinkTimes(name, stat.atimeNanoseconds, stat.mtimeNanoseconds);
  });
}

/**
 * Makes something under its name; where that is taken, under a hidden one which then takes its
 * place, so that there is never nothing.
 */
async function putInPlace(
  ring: Uring,
  path: string,
  make: (name: string) => Promise<void>,
): Promise<void> {
  try {
    await make(path);
    return;
  } catch (error) {
    if (!isTaken(error)) throw error;
  }
  const hidden = hiddenBeside(path);
  try {
    await make(hidden);
    await moveTo(ring, hidden, path, true);
  } catch (error) {
    await remove(ring, hidden);
    throw error;
  }
  // Between two names of one file a rename does nothing.
  await remove(ring, hidden);
}

function isTaken(error: unknown): boolean {
  return error instanceof Deno.errors.AlreadyExists;
}

/** Removes what may be there. */
async function remove(ring: Uring, path: string): Promise<void> {
  try {
    await removeAt(ring, path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
