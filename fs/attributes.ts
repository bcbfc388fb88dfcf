/**
 * Times, permissions and owners of files.
 *
 * @module
 */

import type { RingOption } from "./context.ts";
import { own } from "./own.ts";

/**
 * Sets when a file was read and changed last, as `Deno.utime`, which is what runs: io_uring has
 * no opcode for utimensat(2). Symbolic links are followed.
 *
 * @param path a path or a `file:` URL.
 * @param atime when it was read: a Date, or seconds since 1970.
 * @param mtime when it was changed: a Date, or seconds since 1970.
 * @throws {Deno.errors.NotFound} if nothing is there; other errors as `Deno.utime` has them, with
 * `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { makeTempFile, remove, stat, utime } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await makeTempFile();
 * await utime(path, 1000, new Date(50_000_000));
 * const { atime, mtime } = await stat(path);
 * assertEquals([atime, mtime], [new Date(1_000_000), new Date(50_000_000)]);
 * await remove(path);
 * ```
 */
export async function utime(
  path: string | URL,
  atime: number | Date,
  mtime: number | Date,
  _options?: RingOption,
): Promise<void> {
  await own("utime", path, () => Deno.utime(path, atime, mtime));
}

/**
 * Sets a file's permissions, as `Deno.chmod`, which is what runs: io_uring has no opcode for
 * chmod(2). Symbolic links are followed.
 *
 * @param path a path or a `file:` URL.
 * @param mode the permissions: `0o644`.
 * @throws {Deno.errors.NotFound} if nothing is there; other errors as `Deno.chmod` has them, with
 * `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { chmod, makeTempFile, remove, stat } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await makeTempFile();
 * await chmod(path, 0o640);
 * assertEquals((await stat(path)).mode, 0o100640);
 * await remove(path);
 * ```
 */
export async function chmod(
  path: string | URL,
  mode: number,
  _options?: RingOption,
): Promise<void> {
  await own("chmod", path, () => Deno.chmod(path, mode));
}

/**
 * Sets a file's owner and group, as `Deno.chown`, which is what runs: io_uring has no opcode for
 * chown(2). Symbolic links are followed.
 *
 * @param path a path or a `file:` URL.
 * @param uid the owner's id; null leaves it as it is.
 * @param gid the group's id; null leaves it as it is.
 * @throws {Deno.errors.PermissionDenied} if this user may not; other errors as `Deno.chown` has
 * them, with `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { chown, makeTempFile, remove, stat } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await makeTempFile();
 * await chown(path, Deno.uid(), null);
 * assertEquals((await stat(path)).uid, Deno.uid());
 * await remove(path);
 * ```
 */
export async function chown(
  path: string | URL,
  uid: number | null,
  gid: number | null,
  _options?: RingOption,
): Promise<void> {
  await own("chown", path, () => Deno.chown(path, uid, gid));
}
