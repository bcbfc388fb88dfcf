/**
 * Names in folders: given, moved and taken away, whatever the kernel has opcodes for. What it has
 * none for, before Linux 5.11 or 5.15, Deno's own functions do.
 *
 * @module
 */

import {
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  RENAME_NOREPLACE,
} from "../ffi/linux.ts";
import { opcodes } from "../ops/opcodes.ts";
import {
  linkat,
  mkdirat,
  renameat,
  statx,
  symlinkat,
  unlinkat,
} from "../ops/path.ts";
import type { Uring } from "../proactor/uring.ts";
import { own } from "./own.ts";

const STICKY = 0o1000;

/** Makes a folder. Its mode may have the sticky bit. */
export async function makeFolderAt(
  ring: Uring,
  path: string,
  mode: number,
): Promise<void> {
  if (opcodes.mkdirat.supported()) {
    return await ring.submit(mkdirat(path, { mode }));
  }
  await own("mkdir", path, () => Deno.mkdir(path, { mode }));
  // Deno leaves that bit out.
  if ((mode & STICKY) === 0) return;
  const made = await ring.submit(statx(path, { flags: AT_SYMLINK_NOFOLLOW }));
  const all = (made.mode & 0o7777) | STICKY;
  await own("chmod", path, () => Deno.chmod(path, all));
}

/**
 * Gives a file one more name.
 *
 * @param follow whether a symbolic link is followed, or gets the name itself.
 */
export async function linkTo(
  ring: Uring,
  from: string,
  to: string,
  follow = false,
): Promise<void> {
  if (opcodes.linkat.supported()) {
    const flags = follow ? AT_SYMLINK_FOLLOW : 0;
    return await ring.submit(linkat(from, to, { flags }));
  }
  await own("link", from, async () => {
    await Deno.link(follow ? await Deno.realPath(from) : from, to);
  });
}

/** Makes a symbolic link. */
export async function symlinkTo(
  ring: Uring,
  target: string,
  path: string,
): Promise<void> {
  if (opcodes.symlinkat.supported()) {
    return await ring.submit(symlinkat(target, path));
  }
  await own("symlink", path, () => Deno.symlink(target, path));
}

/**
 * Gives a file another name.
 *
 * @param replace whether what has that name makes room; otherwise it is EEXIST.
 */
export async function moveTo(
  ring: Uring,
  from: string,
  to: string,
  replace: boolean,
): Promise<void> {
  if (opcodes.renameat.supported()) {
    const flags = replace ? 0 : RENAME_NOREPLACE;
    return await ring.submit(renameat(from, to, { flags }));
  }
  if (replace) return await own("rename", from, () => Deno.rename(from, to));
  await own("link", from, () => Deno.link(from, to));
  await removeAt(ring, from);
}

/** Takes a name away from what is no folder. Before Linux 5.11 it may be an empty one. */
export async function removeAt(ring: Uring, path: string): Promise<void> {
  await unlink(ring, path, 0);
}

/** Removes an empty folder. */
export async function removeFolderAt(ring: Uring, path: string): Promise<void> {
  await unlink(ring, path, AT_REMOVEDIR);
}

async function unlink(ring: Uring, path: string, flags: number): Promise<void> {
  if (opcodes.unlinkat.supported()) {
    return await ring.submit(unlinkat(path, { flags }));
  }
  await own("remove", path, () => Deno.remove(path));
}
