/**
 * Making directories.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { checkUnsigned } from "../ops/arguments.ts";
import type { Uring } from "../proactor/uring.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { makeFolderAt } from "./entries.ts";
import { withPath } from "./failure.ts";
import { allowWrite } from "./permission.ts";
import { fileInfo } from "./stat.ts";

/** Options of {@linkcode mkdir}: Deno's own, and the ring. */
export interface MkdirOptions extends Deno.MkdirOptions, RingOption {}

/**
 * Makes a directory, as `Deno.mkdir`.
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
  allowWrite(place, "mkdir");
  const ring = ringOf(options);
  try {
    if (recursive) await makeAll(ring, place, mode);
    else await makeFolderAt(ring, place, mode);
  } catch (error) {
    throw withPath(error, "mkdir", place);
  }
}

/** Makes a directory and those above; one that others make at the same time will do. */
async function makeAll(
  ring: Uring,
  path: string,
  mode: number,
): Promise<void> {
  // Nothing is the current directory.
  if (path === "") return;
  try {
    return await makeFolderAt(ring, path, mode);
  } catch (error) {
    const isMissing = isSystemError(error) && error.code === "ENOENT";
    if (!isMissing) return await accept(ring, path, error);
  }
  await makeAll(ring, parentOf(path), mode);
  try {
    await makeFolderAt(ring, path, mode);
  } catch (error) {
    await accept(ring, path, error);
  }
}

/** Throws what kept a directory from being made, unless it is there. */
async function accept(
  ring: Uring,
  path: string,
  error: unknown,
): Promise<void> {
  const isDirectory = await ring.submit(fileInfo(path, 0)).then(
    (info) => info.isDirectory,
    () => false,
  );
  if (!isDirectory) throw error;
}

/** The path without its last name. */
function parentOf(path: string): string {
  const end = path.replace(/\/+$/, "");
  return end.slice(0, end.lastIndexOf("/") + 1);
}
