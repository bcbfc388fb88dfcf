/**
 * Where symbolic links lead that a new file is to take the place of, or to be made at the end of: what
 * is put there by its name would otherwise replace the link.
 *
 * @module
 */

import { systemError } from "../ffi/errors.ts";
import { AT_SYMLINK_NOFOLLOW, EISDIR, ELOOP, ENOENT } from "../ffi/linux.ts";
import type { Uring } from "../proactor/uring.ts";
import { allowLinked, beside, mayReadAll, type Opening } from "./permission.ts";
import { type FileInfo, fileInfo, lookAt } from "./stat.ts";

/** How many links in a row the kernel follows. */
const MAX_LINKS = 40;

/** What a path leads to. */
export interface Followed {
  /** Its own path: no symbolic link, unless it leads to what is no file. */
  readonly place: Opening;
  /** What is there. */
  readonly exists: FileInfo | undefined;
}

/**
 * What a path leads to, where a file is to be; of a symbolic link to nothing what it would lead to,
 * and what Deno makes then.
 *
 * @param api the function's name, `"copyFile"`.
 * @param name the path as it was given: that one may be read, where not every path may.
 * @throws {SystemError} what open(2) says of a name that no file can have.
 * @throws {Deno.errors.NotCapable} if it is a link to nothing that may not be read.
 */
export async function followed(
  ring: Uring,
  where: Opening,
  api: string,
  name?: string,
): Promise<Followed> {
  const free = mayReadAll();
  let place = where;
  for (let links = 0; links < MAX_LINKS; links++) {
    const { path } = place;
    await checkName(ring, path);
    const link = await lookAt(ring, path, AT_SYMLINK_NOFOLLOW);
    if (link?.isSymlink !== true) return { place, exists: link };
    const exists = await lookAt(ring, path);
    if (exists !== undefined) {
      // What such a link says may be no path: "pipe:[123]".
      const hasPath = free && exists.isFile;
      return { place: hasPath ? await resolved(place) : place, exists };
    }
    const target = await readLink(links === 0 ? name ?? path : path);
    place = free
      ? { ...place, path: beside(path, target) }
      : allowLinked(place, target, api);
  }
  throw systemError(ELOOP, "openat", { path: where.path });
}

/** A path without symbolic links. */
async function resolved(place: Opening): Promise<Opening> {
  try {
    return { ...place, path: await Deno.realPath(place.path) };
  } catch (error) {
    // It has been removed, and is open yet: /proc/self/fd/3.
    if (error instanceof Deno.errors.NotFound) return place;
    throw error;
  }
}

async function readLink(path: string): Promise<string> {
  try {
    return await Deno.readLink(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      error.message +=
        ". It is a symbolic link to nothing: what is to be made there, only its " +
        "text tells.";
    }
    throw error;
  }
}

/** Throws what open(2) says of a path at which no file can be made. */
export async function checkName(ring: Uring, path: string): Promise<void> {
  if (path === "") throw systemError(ENOENT, "openat");
  if (!path.endsWith("/")) return;
  const folder = path.replace(/[^/]+\/+$/, "");
  await ring.submit(fileInfo(folder || ".", 0));
  throw systemError(EISDIR, "openat");
}
