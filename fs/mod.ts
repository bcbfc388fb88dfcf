/**
 * Layer 3: Deno's file API on a ring. The names, arguments, results and errors are Deno's own, so
 * that a program changes its import and keeps its code.
 *
 * What is beyond Deno: every function takes a `ring`, most a `signal`; errors also have `errno`,
 * `op` and `path`; batches, trees, atomic writes, files without the page cache.
 *
 * Permissions. A ring steps around Deno's sandbox, so each path is asked of `Deno.permissions`
 * before the kernel is, and refused in Deno's words. That protects a program that has less than
 * `--allow-all` from paths that come from elsewhere: those out of what is allowed, also by way of
 * `..`, and those into /proc, /sys and /dev, also by way of symbolic links. As with Deno a link in an
 * allowed folder may lead to a file outside of it. It does not protect from the program itself:
 * whoever has `--allow-ffi` needs none of this folder. Whether everything is allowed is asked once.
 *
 * @example
 * ```ts
 * import * as uring from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const fs = uring.isSupported() ? uring : Deno;
 * const path = await Deno.makeTempFile();
 * await fs.writeTextFile(path, "hello");
 * assertEquals(await fs.readTextFile(path), "hello");
 * await fs.remove(path);
 * ```
 *
 * @module
 */

export { chmod, chown, utime } from "./attributes.ts";
export {
  type BatchOptions,
  type FileContents,
  type FileFailure,
  type FileStatus,
  type PathSource,
  readFiles,
  type ReadFilesOptions,
  statMany,
  type StatManyOptions,
} from "./batch.ts";
export { defaultRing, type RingOption } from "./context.ts";
export { copyData, type CopyDataOptions } from "./copy_data.ts";
export { copyFile } from "./copy_file.ts";
export type {
  CopyOptions,
  CopyProgress,
  CopyTreeEntry,
  CopyTreeFailure,
  CopyTreeOptions,
  CopyTreeResult,
  PreserveOptions,
  ReflinkPolicy,
  SparsePolicy,
} from "./copy_options.ts";
export { copyTree } from "./copy_tree.ts";
export {
  type BlocksOptions,
  type FileBlock,
  openDirect,
  type OpenDirectOptions,
  UnbufferedFile,
} from "./direct.ts";
export { FsFile } from "./file.ts";
export { link, readLink, symlink, type SymlinkOptions } from "./link.ts";
export { mkdir, type MkdirOptions } from "./mkdir.ts";
export { create, open, type OpenOptions } from "./open.ts";
export { type DirEntry, readDir } from "./read_dir.ts";
export { readFile, type ReadFileOptions, readTextFile } from "./read_file.ts";
export { realPath } from "./real_path.ts";
export { remove, type RemoveOptions } from "./remove.ts";
export { rename } from "./rename.ts";
export { type FileInfo, lstat, stat } from "./stat.ts";
export { isSupported } from "./supported.ts";
export {
  makeTempDir,
  makeTempFile,
  type MakeTempOptions,
} from "./temporary.ts";
export { truncate } from "./truncate.ts";
export {
  writeFile,
  type WriteFileOptions,
  writeTextFile,
} from "./write_file.ts";
export {
  getXattr,
  listXattrs,
  removeXattr,
  setXattr,
  type SetXattrOptions,
} from "./xattr.ts";
