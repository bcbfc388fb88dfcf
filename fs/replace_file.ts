/**
 * Replacing a file as a whole.
 *
 * @module
 */

import { isSystemError, systemError } from "../ffi/errors.ts";
import { setMode } from "../ffi/inode.ts";
import {
  AT_SYMLINK_NOFOLLOW,
  EEXIST,
  EISDIR,
  O_DIRECTORY,
  O_RDONLY,
} from "../ffi/linux.ts";
import { fsync } from "../ops/file.ts";
import type { Uring } from "../proactor/uring.ts";
import { pathOf, ringOf } from "./context.ts";
import { succeed } from "./copy_belongings.ts";
import { giveBack, openDescriptor } from "./descriptor.ts";
import { checkWritable, Draft, folderOf } from "./draft.ts";
import { withPath } from "./failure.ts";
import { checkName, type Followed, followed } from "./followed.ts";
import { modeOf } from "./open.ts";
import { allowOpen, allowWrite, type Opening } from "./permission.ts";
import { type FileInfo, fileInfo, lookAt } from "./stat.ts";
import type { Fill, WriteFileOptions } from "./write_options.ts";

/** The permissions, and set-user-ID, set-group-ID, sticky. */
export const ALL_BITS = 0o7777;

/**
 * Writes a file beside another, and puts it in that one's place: see {@linkcode
 * WriteFileOptions.atomic}.
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
    const { place, exists } = await targetOf(ring, where, plain, options);
    allowWrite(folderOf(place.path) || ".", "writeFile");
    if (exists !== undefined) await checkWritable(ring, place, options.signal);
    await writeDraft(ring, place.path, exists, options, fill);
    if (options.sync) await syncFolderOf(ring, place.path);
  } catch (error) {
    throw withPath(error, "writefile", plain);
  }
}

/** Where the file goes, and what is there; throws what open(2) says of what cannot be written. */
async function targetOf(
  ring: Uring,
  where: Opening,
  name: string,
  { create = true, createNew = false }: WriteFileOptions,
): Promise<Followed> {
  const { path } = where;
  // What is not there, in the kernel's words.
  if (!create && !createNew) await ring.submit(fileInfo(path, 0));
  if (createNew) {
    await checkName(ring, path);
    const exists = await lookAt(ring, path, AT_SYMLINK_NOFOLLOW);
    if (exists !== undefined) throw systemError(EEXIST, "openat", { path });
    return { place: where, exists };
  }
  const target = await followed(ring, where, "writeFile", name);
  const { exists } = target;
  if (exists === undefined || exists.isFile) return target;
  if (exists.isDirectory) throw systemError(EISDIR, "openat", { path });
  throw new TypeError(
    `writeFile: '${path}' is no regular file, and can only be written to, not replaced. ` +
      "Leave out atomic.",
  );
}

async function writeDraft(
  ring: Uring,
  path: string,
  old: FileInfo | undefined,
  { createNew, mode, signal, sync }: WriteFileOptions,
  fill: Fill,
): Promise<void> {
  const wanted = modeOf(mode, ALL_BITS);
  const draft = await Draft.make(ring, path, {
    // Nobody gets to see more of it than of the old one.
    mode: old === undefined ? wanted ?? 0o666 : 0o600,
    signal,
  });
  const { fd } = draft;
  try {
    await fill({ ring, fd, signal }, 0);
    if (old !== undefined) succeed(fd, old);
    if (wanted !== undefined) setMode(fd, wanted);
    if (sync) await ring.submit(fsync(fd));
    signal?.throwIfAborted();
    await draft.publish(createNew !== true, old !== undefined);
  } catch (error) {
    await draft.discard();
    throw error;
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
