/**
 * Removing files and trees.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { AT_SYMLINK_NOFOLLOW } from "../ffi/linux.ts";
import type { Uring } from "../proactor/uring.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { removeAt, removeFolderAt } from "./entries.ts";
import { withPath } from "./failure.ts";
import { own } from "./own.ts";
import { allowWrite, mayAll } from "./permission.ts";
import { fileInfo } from "./stat.ts";

/** What unlink(2) says of a directory, and what rmdir(2) does, which Linux 5.10 has for it too. */
const FOLDER = ["EISDIR", "ENOTEMPTY", "EINVAL"];

/** Options of {@linkcode remove}: Deno's own, and the ring. */
export interface RemoveOptions extends Deno.RemoveOptions, RingOption {}

/**
 * Removes a file, a symbolic link or an empty directory, as `Deno.remove`; with `recursive` a
 * directory that is not empty too.
 *
 * A directory with what is in it `Deno.remove` itself removes. io_uring has no opcode to list one,
 * and has a thread of the kernel woken up for each file to be removed: on a ring, even by long
 * chains for each folder, it took one and a half times as long, and twice the CPU time.
 *
 * @param path a path or a `file:` URL.
 * @throws {Deno.errors.NotFound} if nothing is there; other errors as `Deno.remove` has them, with
 * `code` (`"ENOTEMPTY"`: there is something in it), `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { lstat, makeTempDir, mkdir, remove } from "@uring/uring/fs";
 * import { assertRejects } from "@std/assert";
 *
 * const folder = await makeTempDir();
 * await mkdir(`${folder}/inside`);
 * await assertRejects(() => remove(folder), Error, "Directory not empty");
 * await remove(folder, { recursive: true });
 * await assertRejects(() => lstat(folder), Deno.errors.NotFound);
 * ```
 */
export async function remove(
  path: string | URL,
  options: RemoveOptions = {},
): Promise<void> {
  const place = pathOf(path, "remove");
  const recursive = Boolean(options.recursive);
  // Into /proc, /sys and /dev too, as in Deno: what is removed is not looked into.
  const isAllowed = place === "" ? mayAll("write") : isGranted(place);
  if (!isAllowed) allowWrite(place, "remove");
  const ring = ringOf(options);
  try {
    if (await removeFile(ring, place)) return;
    if (!recursive) return await removeFolderAt(ring, place);
  } catch (error) {
    throw withPath(error, "remove", place);
  }
  await own("remove", place, () => Deno.remove(place, { recursive }));
}

/** Removes what is no directory; false if it is one that is there yet. */
async function removeFile(ring: Uring, path: string): Promise<boolean> {
  try {
    await removeAt(ring, path);
    return true;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (FOLDER.includes(error.code)) return false;
    // As Deno, which looks first what it is: with a slash behind it, a link leads on.
    if (error.code === "ENOTDIR" && path.endsWith("/")) {
      await ring.submit(fileInfo(path, AT_SYMLINK_NOFOLLOW));
    }
    throw error;
  }
}

function isGranted(path: string): boolean {
  const descriptor = { name: "write", path } as const;
  return Deno.permissions.querySync(descriptor).state === "granted";
}
