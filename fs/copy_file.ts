/**
 * `copyFile`: Deno's, and what it could be told besides.
 *
 * @module
 */

import { show } from "../ffi/check.ts";
import { systemError } from "../ffi/errors.ts";
import { EINVAL, EISDIR } from "../ffi/linux.ts";
import { pathsOf, ringOf } from "./context.ts";
import { checkData } from "./copy_data.ts";
import type { CopyOptions, CopyProgress } from "./copy_options.ts";
import { copyRegular } from "./copy_regular.ts";
import { withPath } from "./failure.ts";
import { followed } from "./followed.ts";
import { allowOpen, type Opening } from "./permission.ts";
import { fileInfo, isSame, lookAt } from "./stat.ts";

export type {
  CopyOptions,
  CopyProgress,
  PreserveOptions,
  ReflinkPolicy,
  SparsePolicy,
} from "./copy_options.ts";

/** There nothing new can be made, to replace what is there. */
const OF_KERNEL = /^\/(?:proc|sys)\//;

/**
 * Copies a file, as `Deno.copyFile`: contents and permissions. A symbolic link is followed, at
 * both ends.
 *
 * Beyond Deno: a file that exists is never seen half copied. Its successor is written beside it,
 * and renamed into its place when it is whole; whatever happens before, an error, a full disk,
 * kill -9, the old file is still there, all of it. A new file too appears only when it is whole. It
 * gets the owner of the one that it replaces where that is permitted. Its other hard links stay
 * what they were, and the folder must be writable: `{ inPlace: true }` writes into the file itself, as
 * Deno does.
 *
 * Where not everything is allowed, a symbolic link to nothing is followed only if it may be read
 * itself: otherwise nobody could tell where the copy is to go. And no link may lead into /proc, /sys
 * and /dev, with Deno's few exceptions. With all permissions it may; files of /proc and /sys are
 * written to in place.
 *
 * Holes of the source are holes of the copy. File systems that can share storage do (`reflink`).
 * What has no opcode is done by system calls of a microsecond on this thread: fchmod, fchown,
 * futimens, FICLONE, lseek.
 *
 * @param from the path of a regular file, or a `file:` URL.
 * @param to the path of the copy.
 * @throws {Deno.errors.NotFound} if there is no source, or no folder for the copy; other errors as
 * `Deno.copyFile` has them, with `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { copyFile } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * await Deno.writeTextFile(`${folder}/a`, "one");
 * await copyFile(`${folder}/a`, `${folder}/b`);
 * assertEquals(await Deno.readTextFile(`${folder}/b`), "one");
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function copyFile(
  from: string | URL,
  to: string | URL,
  options: CopyOptions = {},
): Promise<void> {
  const [source, target] = pathsOf("copy", from, to);
  checkCopy("copyFile", options);
  options.signal?.throwIfAborted();
  const reading = allowOpen(source, { read: true, write: false }, "copyFile");
  const writing = allowTarget(source, target);
  const ring = ringOf(options);
  try {
    const info = await ring.submit(fileInfo(reading.path, 0));
    if (!info.isFile) {
      // Deno asks first whether the two are one, and about what else is wrong with the target last.
      const twin = await lookAt(ring, writing.path).catch(() => undefined);
      const isTwin = twin !== undefined && isSame(info, twin);
      throw isTwin ? same(source, target) : noFile(source, target);
    }
    const { place, exists } = await followed(
      ring,
      writing,
      "copyFile",
      target,
    );
    if (exists?.isDirectory === true) throw systemError(EISDIR, "openat");
    if (exists !== undefined && isSame(info, exists)) {
      throw same(source, target);
    }
    const mode = info.mode ?? 0o600;
    const { preserve, inPlace = OF_KERNEL.test(place.path) } = options;
    await copyRegular({
      ring,
      info,
      exists,
      from: reading,
      to: place,
      replace: true,
      mode: mode & 0o777,
      options: { ...options, inPlace, preserve: { mode: true, ...preserve } },
      progress: teller(options, source, info.size),
      sharing: { possible: true },
    });
  } catch (error) {
    // Those two are in Deno's words already.
    if (error instanceof TypeError) throw error;
    throw withPath(error, "copy", source, target);
  }
}

/** Checks what all copies of files are told. */
export function checkCopy(what: string, options: CopyOptions): void {
  if (options === null || typeof options !== "object") {
    throw new TypeError(
      `${what}: options must be an object; got ${show(options)}.`,
    );
  }
  checkData(what, options);
  const { direct, inPlace, preserve = {}, progress } = options;
  const switches = { direct, inPlace, ...preserve };
  for (const [name, value] of Object.entries(switches)) {
    if (value === undefined || typeof value === "boolean") continue;
    throw new TypeError(
      `${what}: ${name} must be a boolean; got ${show(value)}.`,
    );
  }
  if (progress !== undefined && typeof progress !== "function") {
    throw new TypeError(
      `${what}: progress must be a function; got ${show(progress)}.`,
    );
  }
}

/** Unlike its source, its target Deno names in every error. */
function allowTarget(source: string, target: string): Opening {
  try {
    return allowOpen(target, { read: false, write: true }, "copyFile");
  } catch (error) {
    throw withPath(error, "copy", source, target);
  }
}

function noFile(from: string, to: string): TypeError {
  return withCode(
    `the source path is neither a regular file nor a symlink to a regular file: ` +
      `copy '${from}' -> '${to}'`,
    from,
  );
}

function same(from: string, to: string): TypeError {
  return withCode(
    `Source and destination paths refer to the same file: copy '${from}' -> '${to}'`,
    from,
  );
}

function withCode(message: string, path: string): TypeError {
  const fields = { code: "EINVAL", errno: EINVAL, op: "openat", path };
  return Object.assign(new TypeError(message), fields);
}

function teller(
  { progress }: CopyOptions,
  current: string,
  totalBytes: number,
): ((bytes: number) => void) | undefined {
  if (progress === undefined) return undefined;
  const so: CopyProgress = {
    files: 0,
    folders: 0,
    bytes: 0,
    totalBytes,
    totalFiles: 1,
    current,
  };
  return (bytes) => {
    so.bytes += bytes;
    progress({ ...so });
  };
}
