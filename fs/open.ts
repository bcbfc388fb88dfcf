/**
 * Opening files.
 *
 * @module
 */

import {
  O_APPEND,
  O_CREAT,
  O_DIRECT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../ffi/linux.ts";
import { show } from "../ffi/check.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { openDescriptor } from "./descriptor.ts";
import { withPath } from "./failure.ts";
import { type FsFile, makeFile } from "./file.ts";
import { allowOpen } from "./permission.ts";

/** Options of {@linkcode open}: Deno's own, and the ring. */
export interface OpenOptions extends Deno.OpenOptions, RingOption {
  /** Stops it: the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Opens a file, as `Deno.open`.
 *
 * Needs `--allow-read`, `--allow-write`, or both, as the options say. If the process has no
 * descriptor left (EMFILE), it waits until a file that this module opened is closed; it rejects
 * if there is none, or if for a second none is.
 *
 * @param path a path or a `file:` URL.
 * @param options how; by default for reading.
 * @returns the file. Rejects as Deno does: with `Deno.errors.NotFound` and so on, which also have
 * `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { open } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * {
 *   using file = await open(path, { read: true, write: true });
 *   await file.write(new TextEncoder().encode("hello"));
 *   await file.seek(1, Deno.SeekMode.Start);
 *   const buffer = new Uint8Array(8);
 *   assertEquals(await file.read(buffer), 4);
 * }
 * await Deno.remove(path);
 * ```
 */
export function open(
  path: string | URL,
  options?: OpenOptions,
): Promise<FsFile> {
  return openWith(path, options);
}

/**
 * Makes a file, or empties the one that is there, and opens it for reading and writing, as
 * `Deno.create`.
 *
 * @example
 * ```ts
 * import { create } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * {
 *   using file = await create(path);
 *   assertEquals(await file.write(new Uint8Array(3)), 3);
 * }
 * await Deno.remove(path);
 * ```
 */
export function create(
  path: string | URL,
  options?: RingOption,
): Promise<FsFile> {
  const { ring } = options ?? {};
  const how = { read: true, write: true, truncate: true, create: true, ring };
  return openWith(path, how);
}

/** {@linkcode open}, with more flags: `O_*`. */
export async function openWith(
  path: string | URL,
  options: OpenOptions | undefined,
  more = 0,
): Promise<FsFile> {
  const how = optionsOf(options);
  const { read = false, write = false, append = false, signal, mode } = how;
  const plain = pathOf(path, "open");
  const writes = write || append;
  signal?.throwIfAborted();
  const where = allowOpen(plain, { read, write: writes }, "open");
  const ring = ringOf(how);
  const flags = flagsOf(how, plain) | more;
  try {
    const manner = { flags, mode: modeOf(mode), stay: "kept", signal } as const;
    const { fd, size } = await openDescriptor(ring, where, manner);
    return makeFile({
      ring,
      fd,
      path: plain,
      place: where.path,
      read,
      write: writes,
      append,
      seekable: size >= 0,
      direct: (flags & O_DIRECT) !== 0,
    });
  } catch (error) {
    throw withPath(error, "open", plain);
  }
}

/** Each option is read once: the kernel is to be told what the permissions were asked for. */
function optionsOf(given: OpenOptions | undefined): OpenOptions {
  if (given === undefined || given === null) return { read: true };
  const options = { ...given };
  checkOptions(options);
  // A ring or a signal alone says nothing of how to open.
  return saysHow(options) ? options : { ...options, read: true };
}

function saysHow(options: OpenOptions): boolean {
  const names = Object.keys(options);
  return names.length === 0 ||
    names.some((name) => name !== "ring" && name !== "signal");
}

/** What Deno demands of the options, in its words. */
function checkOptions(options: OpenOptions): void {
  if (!saysHow(options)) return;
  const { write, append, truncate, create, createNew } = options;
  if (!Object.values(options).includes(true)) {
    throw new Error("'options' requires at least one option to be true");
  }
  if (truncate && !write) {
    throw new Error("'truncate' option requires 'write' to be true");
  }
  if ((create || createNew) && !(write || append)) {
    throw new Error(
      "'create' or 'createNew' options require 'write' or 'append' to be true",
    );
  }
}

/** Permissions as Deno reads them: of a file that is opened without the bits above. */
export function modeOf(
  mode: number | undefined,
  bits = 0o777,
): number | undefined {
  if (mode === undefined || mode === null) return undefined;
  if (typeof mode !== "number") {
    throw new TypeError(`mode must be a number; got ${show(mode)}.`);
  }
  // As an unsigned integer of 32 bits, and no larger or smaller than those.
  return Math.min(Math.max(Math.trunc(mode) || 0, 0), 0xffff_ffff) & bits;
}

/** `O_*` for the options. */
export function flagsOf(
  { read, write, append, truncate, create, createNew }: Deno.OpenOptions,
  path: string,
): number {
  const writes = write || append;
  if (!read && !writes) {
    throw invalid(
      "must specify at least one of read, write, or append access",
      path,
    );
  }
  if (append && truncate && !createNew) {
    throw invalid(
      "creating or truncating a file requires write or append access",
      path,
    );
  }
  return (writes ? (read ? O_RDWR : O_WRONLY) : O_RDONLY) |
    (append ? O_APPEND : 0) |
    (truncate && !createNew ? O_TRUNC : 0) |
    (create || createNew ? O_CREAT : 0) |
    (createNew ? O_EXCL : 0);
}

function invalid(message: string, path: string): TypeError {
  const error = new TypeError(`${message}: open '${path}'`);
  return Object.assign(error, { code: "EINVAL" });
}
