/**
 * Replacing a file as a whole.
 *
 * @module
 */

import { isSystemError, systemError } from "../ffi/errors.ts";
import { setMode } from "../ffi/inode.ts";
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_WRONLY,
} from "../ffi/linux.ts";
import { fsync } from "../ops/file.ts";
import type { Uring } from "../proactor/uring.ts";
import { pathOf, ringOf } from "./context.ts";
import { giveBack, openDescriptor } from "./descriptor.ts";
import { moveTo, removeAt } from "./entries.ts";
import { withPath } from "./failure.ts";
import { modeOf } from "./open.ts";
import { attemptOwner } from "./owner.ts";
import { allowOpen, allowWrite, mayReadAll } from "./permission.ts";
import { type FileInfo, fileInfo } from "./stat.ts";
import type { Fill, WriteFileOptions } from "./write_options.ts";

/** The permissions, and set-user-ID, set-group-ID, sticky. */
export const ALL_BITS = 0o7777;

const EEXIST = 17;
const ENOENT = 2;
const EISDIR = 21;

/**
 * Writes a file beside another, and puts it in that one's place: see {@linkcode
 * WriteFileOptions.atomic}.
 *
 * A process that is killed in between leaves the unfinished one behind, under a name that begins
 * with `.uring-`.
 */
export async function replaceFile(
  path: string | URL,
  options: WriteFileOptions,
  fill: Fill,
): Promise<void> {
  const plain = pathOf(path, "writefile");
  const where = allowOpen(plain, { read: false, write: true }, "writeFile");
  const ring = ringOf(options);
  try {
    const target = mayReadAll() ? await resolved(plain) : where.path;
    const before = await lookAt(ring, target);
    checkTarget(before, target, options);
    const beside = `${folderOf(target)}.uring-${crypto.randomUUID()}`;
    allowWrite(beside, "writeFile");
    try {
      await writeBeside(ring, beside, before, options, fill);
      options.signal?.throwIfAborted();
      await moveTo(ring, beside, target, options.createNew !== true);
    } catch (error) {
      await discard(ring, beside);
      throw error;
    }
    if (options.sync) await syncFolderOf(ring, target);
  } catch (error) {
    throw withPath(error, "writefile", plain);
  }
}

/** What a path leads to; itself where that is nothing, and what comes next says why. */
async function resolved(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch {
    return path;
  }
}

async function lookAt(
  ring: Uring,
  path: string,
): Promise<FileInfo | undefined> {
  try {
    return await ring.submit(fileInfo(path, 0));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function checkTarget(
  before: FileInfo | undefined,
  path: string,
  { create = true, createNew = false }: WriteFileOptions,
): void {
  if (before === undefined) {
    if (!create && !createNew) throw systemError(ENOENT, "openat", { path });
    return;
  }
  if (createNew) throw systemError(EEXIST, "openat", { path });
  if (before.isDirectory) throw systemError(EISDIR, "openat", { path });
  if (!before.isFile) {
    throw new TypeError(
      `writeFile: '${path}' is no regular file, and can only be written to, not replaced. ` +
        "Leave out atomic.",
    );
  }
}

/** The folder that a path is in, with a slash at its end, or nothing for the current one. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

async function writeBeside(
  ring: Uring,
  path: string,
  before: FileInfo | undefined,
  { mode, signal, sync }: WriteFileOptions,
  fill: Fill,
): Promise<void> {
  const kept = before?.mode === null ? undefined : before?.mode;
  const wanted = modeOf(mode ?? kept, ALL_BITS);
  const where = { path, flags: O_NOFOLLOW, resolve: 0 };
  const { fd } = await openDescriptor(ring, where, {
    flags: O_WRONLY | O_CREAT | O_EXCL,
    // Until it is whole nobody gets to see more of it than of the old one.
    mode: wanted,
    stay: "passing",
    signal,
  });
  try {
    await fill({ ring, fd, signal }, 0);
    const { uid, gid } = before ?? { uid: null, gid: null };
    if (uid !== null && gid !== null) attemptOwner(fd, uid, gid);
    if (wanted !== undefined) setMode(fd, wanted);
    if (sync) await ring.submit(fsync(fd));
  } finally {
    giveBack(fd, "passing");
  }
}

/** Removes what was not finished; the error that is thrown is the one that came before. */
async function discard(ring: Uring, path: string): Promise<void> {
  try {
    await removeAt(ring, path);
  } catch (error) {
    // It was not made, or the disk refuses that too: there is nothing more to be done.
    if (!(error instanceof Error)) throw error;
  }
}

/** Makes the names in the folder that a path is in safe on the storage. */
export async function syncFolderOf(ring: Uring, path: string): Promise<void> {
  const where = { path: folderOf(path) || ".", flags: 0, resolve: 0 };
  const { fd } = await openDescriptor(ring, where, {
    flags: O_RDONLY | O_DIRECTORY,
    stay: "passing",
  });
  try {
    await ring.submit(fsync(fd));
  } catch (error) {
    // A file system whose folders need no fsync says EINVAL.
    if (!isSystemError(error) || error.code !== "EINVAL") throw error;
  } finally {
    giveBack(fd, "passing");
  }
}
