/**
 * Temporary files and directories.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { O_CLOEXEC, O_CREAT, O_EXCL, O_RDWR } from "../ffi/linux.ts";
import { close, openat } from "../ops/open.ts";
import { ringOf, type RingOption } from "./context.ts";
import { makeFolderAt } from "./entries.ts";
import { withPath } from "./failure.ts";
import { own } from "./own.ts";
import { mayWriteAll } from "./permission.ts";

/** Options of {@linkcode makeTempFile} and {@linkcode makeTempDir}: Deno's own, and the ring. */
export interface MakeTempOptions extends Deno.MakeTempOptions, RingOption {}

const CREATE = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;

/** Parts of names that Deno takes, among others. */
const PLAIN = /^[\w.+@ -]*$/;

/**
 * Makes an empty file of a name that nothing else has, for its owner alone, as
 * `Deno.makeTempFile`.
 *
 * On the ring where `dir` is given. Otherwise `Deno.makeTempFile` runs: it knows the system's
 * directory without asking for the environment.
 *
 * @returns the file's path.
 * @throws {Deno.errors.NotFound} if there is no such directory; other errors as `Deno.makeTempFile`
 * has them, with `code`, `errno` and `op`.
 *
 * @example
 * ```ts
 * import { makeTempFile, remove, stat } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await makeTempFile({ prefix: "draft-", suffix: ".txt" });
 * assertEquals((await stat(path)).mode, 0o100600);
 * await remove(path);
 * ```
 */
export async function makeTempFile(
  options: MakeTempOptions = {},
): Promise<string> {
  const ring = ringOf(options);
  if (!isOurs(options)) {
    return await own("tmpfile", undefined, () => Deno.makeTempFile(options));
  }
  return await make("tmpfile", options, async (path) => {
    const fd = await ring.submit(openat(path, CREATE, { mode: 0o600 }));
    await ring.submit(close(fd));
  });
}

/**
 * Makes a directory of a name that nothing else has, for its owner alone, as `Deno.makeTempDir`.
 *
 * On the ring where `dir` is given. Otherwise `Deno.makeTempDir` runs: it knows the system's
 * directory without asking for the environment.
 *
 * @returns the directory's path.
 * @throws {Deno.errors.NotFound} if there is no such directory; other errors as `Deno.makeTempDir`
 * has them, with `code`, `errno` and `op`.
 *
 * @example
 * ```ts
 * import { makeTempDir, makeTempFile, remove } from "@uring/uring/fs";
 * import { assert } from "@std/assert";
 *
 * const dir = await makeTempDir();
 * const path = await makeTempFile({ dir });
 * assert(path.startsWith(`${dir}/`));
 * await remove(dir, { recursive: true });
 * ```
 */
export async function makeTempDir(
  options: MakeTempOptions = {},
): Promise<string> {
  const ring = ringOf(options);
  if (!isOurs(options)) {
    return await own("tmpdir", undefined, () => Deno.makeTempDir(options));
  }
  return await make(
    "tmpdir",
    options,
    (path) => makeFolderAt(ring, path, 0o700),
  );
}

/** Whether all is as usual: what Deno would refuse, it shall refuse in its own words. */
function isOurs({ dir, prefix = "", suffix = "" }: MakeTempOptions): boolean {
  const isText = [dir, prefix, suffix].every((part) =>
    typeof part === "string"
  );
  return isText && !dir?.includes("\0") && PLAIN.test(prefix) &&
    PLAIN.test(suffix) && mayWriteAll();
}

async function make(
  api: string,
  { dir = "", prefix = "", suffix = "" }: MakeTempOptions,
  create: (path: string) => Promise<void>,
): Promise<string> {
  const folder = dir === "" || dir.endsWith("/") ? dir : `${dir}/`;
  for (;;) {
    const path = folder + prefix + randomName() + suffix;
    try {
      await create(path);
      return path;
    } catch (error) {
      const isTaken = isSystemError(error) && error.code === "EEXIST";
      if (!isTaken) throw withPath(error, api);
    }
  }
}

function randomName(): string {
  const [number = 0n] = crypto.getRandomValues(new BigUint64Array(1));
  return number.toString(16);
}
