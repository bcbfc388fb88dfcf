/**
 * Many files at a time: what `Deno.readFile` and `Deno.stat` do, for thousands of paths.
 *
 * @module
 */

import { checkInteger, show } from "../ffi/check.ts";
import { Failure, Loop, type Work } from "./batch_loop.ts";
import { ReadWork } from "./batch_read.ts";
import { type Batch, Results } from "./batch_results.ts";
import { type PathSource, type Supply, supply } from "./batch_source.ts";
import { StatWork } from "./batch_stat.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import {
  allowOpen,
  allowRead,
  mayReadAll,
  type Opening,
} from "./permission.ts";
import type { FileInfo } from "./stat.ts";
import { SliceRing } from "./slice_ring.ts";

export type { PathSource } from "./batch_source.ts";

const READING = { read: true, write: false };

/** Options of {@linkcode readFiles} and {@linkcode statMany}. */
export interface BatchOptions extends RingOption {
  /** How many paths are at work at a time, 1 to 1024. Default: 64. */
  concurrency?: number;
  /**
   * Whether the results come in the order of the paths. Otherwise they come as they are done:
   * nobody waits for a slow one. Default: true.
   */
  ordered?: boolean;
  /**
   * What becomes of a path that fails: `"throw"` ends the iteration with its error, `"yield"` gives a
   * result with the `error`, and goes on. Default: `"throw"`.
   */
  errors?: "throw" | "yield";
  /** Ends the iteration, with the signal's reason, when it aborts. */
  signal?: AbortSignal;
}

/** Options of {@linkcode readFiles}. */
export interface ReadFilesOptions extends BatchOptions {
  /**
   * How many bytes of files larger than 16 KiB may be in memory at a time, those that wait for the
   * consumer among them; a file that is larger than this comes alone. Default: 64 MiB.
   */
  memory?: number;
}

/** Options of {@linkcode statMany}. */
export interface StatManyOptions extends BatchOptions {
  /** Whether to follow symbolic links, as `stat` does, or not, as `lstat`. Default: true. */
  followSymlinks?: boolean;
}

/** A file that {@linkcode readFiles} has read. */
export interface FileContents {
  /** The path as it was given. */
  path: string | URL;
  /** Its place among the paths, from 0. */
  index: number;
  /** The whole file. */
  data: Uint8Array<ArrayBuffer>;
  /** There is none. */
  error?: undefined;
}

/** A file that {@linkcode statMany} has looked at. */
export interface FileStatus {
  /** The path as it was given. */
  path: string | URL;
  /** Its place among the paths, from 0. */
  index: number;
  /** What is there. */
  info: FileInfo;
  /** There is none. */
  error?: undefined;
}

/** A path that failed, where errors are yielded. */
export interface FileFailure {
  /** The path as it was given. */
  path: string | URL;
  /** Its place among the paths, from 0. */
  index: number;
  /** Why: what `readFile` or `stat` would have thrown. */
  error: Error;
  /** There is none. */
  data?: undefined;
  /** There is none. */
  info?: undefined;
}

/**
 * Reads many files, whole, as `readFile` does each: 64 at a time, in bounded memory.
 *
 * Paths are taken as there is room for them, and nothing runs ahead of the consumer by more than
 * `concurrency` files (in order, four times that). Leaving the loop stops the rest. Files that end
 * in the page cache are read by one system call for many of them, on the thread of the caller,
 * which costs a third of the CPU time of as many calls of `Deno.readFile`; the event loop gets its
 * turn every few milliseconds.
 *
 * A batch runs on a ring of its own: `ring` only says which backend that is to have.
 *
 * Needs read permission, asked once where all may be read, else for each path: a symbolic link that
 * is put into one after that is not followed.
 *
 * @returns results in the order of the paths, or as they are done. Rejects with the first error, of
 * Deno's class and with its message, or with that of `paths` itself.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { readFiles } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const sizes = [];
 * for await (const { data } of readFiles(["/proc/version", "/dev/null"])) {
 *   sizes.push(data.length > 0);
 * }
 * assertEquals(sizes, [true, false]);
 * ```
 */
export function readFiles(
  paths: PathSource,
  options: ReadFilesOptions & { errors: "yield" },
): AsyncIterableIterator<FileContents | FileFailure>;
/** {@linkcode readFiles}; the first path that fails ends it. */
export function readFiles(
  paths: PathSource,
  options?: ReadFilesOptions,
): AsyncIterableIterator<FileContents>;
export function readFiles(
  paths: PathSource,
  options: ReadFilesOptions = {},
): AsyncIterableIterator<FileContents | FileFailure> {
  const slots = check("readFiles", options);
  const { memory = 64 * 2 ** 20 } = options;
  checkInteger("readFiles: memory", memory, 1, Number.MAX_SAFE_INTEGER);
  const all = mayReadAll();
  // Of the path that was admitted last: its work begins before the next one is.
  let opening: Opening;
  const admit = (path: string) => {
    if (!all) opening = allowOpen(path, READING, "readFile");
    return path;
  };
  return run("readFiles", paths, options, {
    // Each has three entries, and the close of the one before it.
    entries: 4 * slots,
    chains: true,
    admit: (given) => admit(pathOf(given, "readfile")),
    work: (ring) =>
      new ReadWork(ring, slots, {
        limit: memory,
        direct: true,
        ...(all ? {} : { opening: () => opening }),
      }),
    present: (path, index, data) => ({ path, index, data }),
  });
}

/**
 * Asks what is behind many paths, as `stat` does for each: 64 at a time, in bounded memory.
 *
 * The kernel has statx(2) run by threads of its own. To wait for many of them at once, and not for
 * each, is what makes this several times as fast as `stat`. See {@linkcode readFiles} for what both
 * have in common.
 *
 * Needs read permission, asked once where all may be read, else for each path.
 *
 * @returns results in the order of the paths, or as they are done. Rejects with the first error, of
 * Deno's class and with its message, or with that of `paths` itself.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { statMany } from "@uring/uring/fs";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const found = [];
 * for await (const file of statMany(["/", "/nope"], { errors: "yield" })) {
 *   found.push(file.info?.isDirectory ?? file.error);
 * }
 * assertEquals(found[0], true);
 * assert(found[1] instanceof Deno.errors.NotFound);
 * ```
 */
export function statMany(
  paths: PathSource,
  options: StatManyOptions & { errors: "yield" },
): AsyncIterableIterator<FileStatus | FileFailure>;
/** {@linkcode statMany}; the first path that fails ends it. */
export function statMany(
  paths: PathSource,
  options?: StatManyOptions,
): AsyncIterableIterator<FileStatus>;
export function statMany(
  paths: PathSource,
  options: StatManyOptions = {},
): AsyncIterableIterator<FileStatus | FileFailure> {
  const slots = check("statMany", options);
  const { followSymlinks = true } = options;
  if (typeof followSymlinks !== "boolean") {
    throw new TypeError(
      `statMany: followSymlinks must be a boolean; got ${
        show(followSymlinks)
      }.`,
    );
  }
  const all = mayReadAll();
  const api = followSymlinks ? "stat" : "lstat";
  const admit = (path: string) => {
    if (!all) allowRead(path, api);
    return path;
  };
  return run("statMany", paths, options, {
    entries: slots,
    chains: false,
    admit: (given) => admit(pathOf(given, api)),
    work: (ring) => new StatWork(ring, slots, followSymlinks),
    present: (path, index, info) => ({ path, index, info }),
  });
}

function check(what: string, options: BatchOptions): number {
  const { concurrency = 64, ordered, errors, signal } = options;
  checkInteger(`${what}: concurrency`, concurrency, 1, 1024);
  if (ordered !== undefined && typeof ordered !== "boolean") {
    throw new TypeError(
      `${what}: ordered must be a boolean; got ${show(ordered)}.`,
    );
  }
  if (errors !== undefined && errors !== "throw" && errors !== "yield") {
    throw new TypeError(
      `${what}: errors must be "throw" or "yield"; got ${show(errors)}.`,
    );
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(
      `${what}: signal must be an AbortSignal; got ${show(signal)}.`,
    );
  }
  return concurrency;
}

/** What a batch consists of. */
interface Parts<R, T> {
  /** How many entries are in flight at most. */
  entries: number;
  /** Whether they are chains. */
  chains: boolean;
  /** The path that the kernel is given; throws for what is not to be done. */
  admit: (given: string | URL) => string;
  /** What is done with each. */
  work: (ring: SliceRing) => Work<R> & Disposable;
  /** What the consumer gets. */
  present: (path: string | URL, index: number, result: R) => T;
}

function run<R, T>(
  what: string,
  paths: PathSource,
  options: BatchOptions,
  parts: Parts<R, T>,
): AsyncIterableIterator<T | FileFailure> {
  const backend = options.ring === undefined
    ? undefined
    : ringOf(options).ring.backend;
  const source = supply(what, paths);
  return new Results(() => begin(source, options, backend, parts));
}

function begin<R, T>(
  source: Supply,
  options: BatchOptions,
  backend: string | undefined,
  { entries, chains, admit, work: makeWork, present }: Parts<R, T>,
): Batch<R, T | FileFailure> {
  const { ordered = true, errors = "throw", signal } = options;
  const ring = new SliceRing(entries, backend, chains);
  let work: ReturnType<typeof makeWork>;
  try {
    work = makeWork(ring);
  } catch (error) {
    // Nothing is in flight: it does not fail.
    void ring.close();
    throw error;
  }
  const loop = new Loop(ring, source, work, { ordered, signal, pathOf: admit });
  return {
    next: () => loop.next(),
    present: ({ given, index, result }) => {
      if (!(result instanceof Failure)) return present(given, index, result);
      if (errors === "throw") throw result.error;
      return { path: given, index, error: result.error };
    },
    taken: (result) => work.taken(result),
    close: async () => {
      try {
        await ring.close((cqe) => work.late(cqe));
      } finally {
        work[Symbol.dispose]();
        await source.close();
      }
    },
  };
}
