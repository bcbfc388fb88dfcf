/**
 * Making directories.
 *
 * @module
 */

import { checkUnsigned } from "../ops/arguments.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { makeFolderAt } from "./entries.ts";
import { withPath } from "./failure.ts";
import { own } from "./own.ts";
import { allowWrite } from "./permission.ts";

/** Options of {@linkcode mkdir}: Deno's own, and the ring. */
export interface MkdirOptions extends Deno.MkdirOptions, RingOption {}

/**
 * Makes a directory, as `Deno.mkdir`; with `recursive` those above it too.
 *
 * What is recursive `Deno.mkdir` itself does. On a ring a thread of the kernel has to be woken for
 * each directory, and again to see that what is there already is one: that took three times as long.
 *
 * @param path a path or a `file:` URL.
 * @throws {Deno.errors.AlreadyExists} if the name is taken; other errors as `Deno.mkdir` has them, with
 * `code`, `errno`, `op` and `path`.
 * @throws {TypeError | RangeError} for a mode that is none.
 *
 * @example
 * ```ts
 * import { makeTempDir, mkdir, remove, stat } from "@uring/uring/fs";
 * import { assert } from "@std/assert";
 *
 * const folder = await makeTempDir();
 * await mkdir(`${folder}/one/two`, { recursive: true, mode: 0o700 });
 * assert((await stat(`${folder}/one/two`)).isDirectory);
 * await remove(folder, { recursive: true });
 * ```
 */
export async function mkdir(
  path: string | URL,
  options?: MkdirOptions,
): Promise<void> {
  const place = pathOf(path, "mkdir");
  const mode = checkUnsigned("mkdir: mode", options?.mode ?? 0o777) & 0o777;
  // What else is true counts for Deno.remove, but not here.
  const recursive = options?.recursive === true;
  if (recursive) {
    await own("mkdir", place, () => Deno.mkdir(place, { recursive, mode }));
    return;
  }
  allowWrite(place, "mkdir");
  try {
    await makeFolderAt(ringOf(options), place, mode);
  } catch (error) {
    throw withPath(error, "mkdir", place);
  }
}
