/**
 * `copyTree`: folders with all that is in them.
 *
 * @module
 */

import { checkInteger, show } from "../ffi/check.ts";
import { isSystemError } from "../ffi/errors.ts";
import { AT_SYMLINK_NOFOLLOW, EINVAL } from "../ffi/linux.ts";
import { statMany } from "./batch.ts";
import { pathsOf, ringOf } from "./context.ts";
import { checkCopy } from "./copy_file.ts";
import type {
  CopyTreeEntry,
  CopyTreeOptions,
  CopyTreeResult,
} from "./copy_options.ts";
import { CopyWalk } from "./copy_walk.ts";
import { withPath } from "./failure.ts";
import { allowRead, allowWrite } from "./permission.ts";
import { readDir } from "./read_dir.ts";
import { type FileInfo, fileInfo, isSame, lookAt } from "./stat.ts";

export type {
  CopyTreeEntry,
  CopyTreeFailure,
  CopyTreeOptions,
  CopyTreeResult,
} from "./copy_options.ts";

/**
 * Copies a folder with all that is in it, or a single file, link or FIFO, many at a time.
 *
 * `to` is what the copy is called, not where it goes: `copyTree("a", "b")` makes `b` a copy of
 * `a`, even if there is a folder `b`, which is merged with it. Every file appears whole, or not at
 * all, see `copyFile`. What was copied before an error stays.
 *
 * Folders are listed, links read, and modes of folders set by Deno's own functions, as io_uring has
 * no opcode for those; FIFOs and devices are made by mknod(2).
 *
 * Needs permission to read and write all paths below the two; for symbolic links, as in Deno, to
 * read and write everything.
 *
 * @param from the path of what is copied.
 * @param to the path of the copy; the folder that it is in must exist.
 * @returns what was done. Rejects with the first error, once nothing is in flight any more; with
 * `onError`, only if nothing can be copied at all.
 *
 * @example
 * ```ts
 * import { copyTree } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * await Deno.mkdir(`${folder}/a/b`, { recursive: true });
 * await Deno.writeTextFile(`${folder}/a/b/c`, "text");
 * const { files, folders } = await copyTree(`${folder}/a`, `${folder}/copy`);
 * assertEquals([files, folders], [1, 2]);
 * assertEquals(await Deno.readTextFile(`${folder}/copy/b/c`), "text");
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function copyTree(
  from: string | URL,
  to: string | URL,
  options: CopyTreeOptions = {},
): Promise<CopyTreeResult> {
  const [source, target] = pathsOf("copy", from, to).map(withoutSlash) as [
    string,
    string,
  ];
  checkTree(options);
  options.signal?.throwIfAborted();
  allowRead(source, "copyTree");
  allowWrite(target, "copyTree");
  let entry: CopyTreeEntry;
  let walk: CopyWalk;
  try {
    entry = await lookAtBoth(source, target, options);
    walk = new CopyWalk(ringOf(options), options);
    if (options.count === true) await count(source, entry.info, walk, options);
  } catch (error) {
    if (error instanceof TypeError) throw error;
    throw withPath(error, "copy", source, target);
  }
  return await walk.run(entry);
}

/** Links at the ends of both paths lead on where they have to. */
async function lookAtBoth(
  from: string,
  to: string,
  options: CopyTreeOptions,
): Promise<CopyTreeEntry> {
  const ring = ringOf(options);
  const { symlinks = "keep" } = options;
  const flags = symlinks === "keep" ? AT_SYMLINK_NOFOLLOW : 0;
  const info = await ring.submit(fileInfo(from, flags));
  const exists = await lookAt(ring, to, AT_SYMLINK_NOFOLLOW);
  const led = exists?.isSymlink === true ? await lookAt(ring, to) : exists;
  if (led !== undefined && isSame(info, led) && !info.isSymlink) {
    throw misuse(`'${from}' and '${to}' are the same file`, from);
  }
  if (!info.isDirectory) {
    return exists === undefined
      ? { from, to, info }
      : { from, to, info, exists };
  }
  await checkOutside(from, to);
  return led === undefined
    ? { from, to, info }
    : { from, to, info, exists: led };
}

/** A folder in itself would never end. */
async function checkOutside(from: string, to: string): Promise<void> {
  const slash = to.lastIndexOf("/");
  const above = slash < 0 ? "." : to.slice(0, slash) || "/";
  const source = await Deno.realPath(from);
  let target: string;
  try {
    target = `${await Deno.realPath(above)}/`;
  } catch (error) {
    // There is no folder for it: mkdir says so, in better words.
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (source === "/" || target.startsWith(`${source}/`)) {
    throw misuse(`'${from}' cannot be copied into itself, '${to}'`, from);
  }
}

function misuse(what: string, path: string): TypeError {
  const fields = { code: "EINVAL", errno: EINVAL, op: "openat", path };
  return Object.assign(new TypeError(`copyTree: ${what}.`), fields);
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=[^/])\/+$/, "");
}

/** Adds up what there is, as far as it can be looked at; what cannot, the copy will tell. */
async function count(
  from: string,
  info: FileInfo,
  walk: CopyWalk,
  { symlinks, signal }: CopyTreeOptions,
): Promise<void> {
  if (!info.isDirectory) {
    walk.expect(1, info.isFile ? info.size : 0);
    return;
  }
  const found = statMany(filesBelow(from), {
    followSymlinks: symlinks === "follow",
    ordered: false,
    errors: "yield",
    ...(signal === undefined ? {} : { signal }),
  });
  for await (const { info } of found) {
    if (info === undefined || info.isDirectory) continue;
    walk.expect(1, info.isFile ? info.size : 0);
  }
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  const folders = [folder];
  for (let path = folders.pop(); path !== undefined; path = folders.pop()) {
    try {
      for await (const { name, isDirectory } of readDir(path)) {
        if (isDirectory) folders.push(`${path}/${name}`);
        else yield `${path}/${name}`;
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
}

function checkTree(options: CopyTreeOptions): void {
  checkCopy("copyTree", options);
  const { concurrency = 64, symlinks = "keep", overwrite, count } = options;
  checkInteger("copyTree: concurrency", concurrency, 1, 1024);
  if (!["keep", "follow", "follow-argument"].includes(symlinks)) {
    throw new TypeError(
      'copyTree: symlinks must be "keep", "follow" or "follow-argument"; got ' +
        `${show(symlinks)}.`,
    );
  }
  for (const [name, value] of Object.entries({ overwrite, count })) {
    if (value === undefined || typeof value === "boolean") continue;
    throw new TypeError(
      `copyTree: ${name} must be a boolean; got ${show(value)}.`,
    );
  }
  const { filter, onCopied, onError } = options;
  for (const [name, value] of Object.entries({ filter, onCopied, onError })) {
    if (value === undefined || typeof value === "function") continue;
    throw new TypeError(
      `copyTree: ${name} must be a function; got ${show(value)}.`,
    );
  }
}
