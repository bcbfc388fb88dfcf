/**
 * Hard links and symbolic links.
 *
 * @module
 */

import { show } from "../ffi/check.ts";
import { pathsOf, ringOf, type RingOption } from "./context.ts";
import { linkTo, symlinkTo } from "./entries.ts";
import { withPath } from "./failure.ts";
import { own } from "./own.ts";
import { allowRead, allowReadAndWriteAll, allowWrite } from "./permission.ts";

const TYPES: readonly unknown[] = ["file", "dir", "junction", null, undefined];

/**
 * Gives a file one more name, as `Deno.link`. Of a symbolic link the link itself gets it.
 *
 * @param oldPath a path; `Deno.link` takes no URL, this function does.
 * @param newPath a path or a `file:` URL.
 * @throws {Deno.errors.AlreadyExists} if the new name is taken; other errors as `Deno.link` has
 * them, with `code` (`"EXDEV"`: the two are on different file systems), `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { link, makeTempDir, remove, stat, writeTextFile } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await makeTempDir();
 * await writeTextFile(`${folder}/one`, "text");
 * await link(`${folder}/one`, `${folder}/two`);
 * assertEquals((await stat(`${folder}/two`)).nlink, 2);
 * await remove(folder, { recursive: true });
 * ```
 */
export async function link(
  oldPath: string | URL,
  newPath: string | URL,
  options?: RingOption,
): Promise<void> {
  const [from, to] = pathsOf("link", oldPath, newPath);
  allowRead(from, "link");
  allowWrite(from, "link");
  allowWrite(to, "link");
  try {
    await linkTo(ringOf(options), from, to);
  } catch (error) {
    throw withPath(error, "link", from, to);
  }
}

/** Options of {@linkcode symlink}: Deno's own, and the ring. */
export interface SymlinkOptions
  extends Partial<Deno.SymlinkOptions>, RingOption {}

/**
 * Makes a symbolic link, as `Deno.symlink`. Where it leads is not looked at: relative to its own
 * directory, and there need be nothing.
 *
 * @param oldPath what the link says: a path or a `file:` URL.
 * @param newPath where the link comes to be: a path or a `file:` URL.
 * @throws {Deno.errors.AlreadyExists} if the name is taken; other errors as `Deno.symlink` has them,
 * with `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { makeTempDir, readLink, remove, symlink } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await makeTempDir();
 * await symlink("over/there", `${folder}/link`);
 * assertEquals(await readLink(`${folder}/link`), "over/there");
 * await remove(folder, { recursive: true });
 * ```
 */
export async function symlink(
  oldPath: string | URL,
  newPath: string | URL,
  options?: SymlinkOptions,
): Promise<void> {
  const [from, to] = pathsOf("symlink", oldPath, newPath);
  const type: unknown = options?.type;
  if (!TYPES.includes(type)) {
    throw new TypeError(
      `symlink: type must be "file", "dir" or "junction"; got ${show(type)}.`,
    );
  }
  // That some paths are denied is not asked for, as in Deno.
  const isAllowed = isGranted("read") && isGranted("write");
  if (!isAllowed) allowReadAndWriteAll("symlink");
  try {
    await symlinkTo(ringOf(options), from, to);
  } catch (error) {
    throw withPath(error, "symlink", from, to);
  }
}

/**
 * Tells where a symbolic link leads, as `Deno.readLink`, which is what runs: io_uring has no
 * opcode for readlink(2).
 *
 * @param path the link: a path or a `file:` URL.
 * @throws {TypeError} if it is no symbolic link; other errors as `Deno.readLink` has them, with `code`,
 * `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { readLink } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await readLink("/proc/self"), String(Deno.pid));
 * ```
 */
export async function readLink(
  path: string | URL,
  _options?: RingOption,
): Promise<string> {
  return await own("readlink", path, () => Deno.readLink(path));
}

function isGranted(name: "read" | "write"): boolean {
  return Deno.permissions.querySync({ name }).state === "granted";
}
