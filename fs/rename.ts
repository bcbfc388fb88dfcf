/**
 * Giving files other names.
 *
 * @module
 */

import { pathsOf, ringOf, type RingOption } from "./context.ts";
import { moveTo } from "./entries.ts";
import { withPath } from "./failure.ts";
import { allowRead, allowWrite } from "./permission.ts";

/**
 * Gives a file or a directory another name, as `Deno.rename`. A file that has this name already is
 * replaced, and so is an empty directory by a directory; at no moment is there nothing of that name.
 *
 * @param oldPath a path or a `file:` URL. Of a symbolic link the link itself is renamed.
 * @param newPath a path or a `file:` URL.
 * @throws {Deno.errors.NotFound} if there is nothing to rename, or no directory for the new name;
 * other errors as `Deno.rename` has them, with `code` (`"EXDEV"`: the two are on different file
 * systems), `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { makeTempDir, readTextFile, remove, rename, writeTextFile } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await makeTempDir();
 * await writeTextFile(`${folder}/old`, "text");
 * await rename(`${folder}/old`, `${folder}/new`);
 * assertEquals(await readTextFile(`${folder}/new`), "text");
 * await remove(folder, { recursive: true });
 * ```
 */
export async function rename(
  oldPath: string | URL,
  newPath: string | URL,
  options?: RingOption,
): Promise<void> {
  const [from, to] = pathsOf("rename", oldPath, newPath);
  allowRead(from, "rename");
  allowWrite(from, "rename");
  allowWrite(to, "rename");
  try {
    await moveTo(ringOf(options), from, to, true);
  } catch (error) {
    throw withPath(error, "rename", from, to);
  }
}
