/**
 * Writing a whole file.
 *
 * @module
 */

import { show } from "../ffi/check.ts";
import { setMode } from "../ffi/inode.ts";
import { fsync } from "../ops/file.ts";
import { fixed } from "./arguments.ts";
import { pathOf, ringOf } from "./context.ts";
import { giveBack, openDescriptor } from "./descriptor.ts";
import { withPath } from "./failure.ts";
import { writeAll } from "./file_streams.ts";
import { gather } from "./gathered.ts";
import { flagsOf, modeOf, open } from "./open.ts";
import { allowOpen } from "./permission.ts";
import { ALL_BITS, replaceFile, syncFolderOf } from "./replace_file.ts";
import { NO_POSITION, writeFull } from "./transfer.ts";
import type { Fill, WriteFileOptions } from "./write_options.ts";

export type { WriteFileOptions } from "./write_options.ts";

/**
 * Writes a whole file, as `Deno.writeFile`: makes it, or replaces what is in it.
 *
 * Needs `--allow-write`, with `atomic` for the folder. If the process has no descriptor left, it
 * waits for one, see {@linkcode open}.
 *
 * @param path a path or a `file:` URL.
 * @param data the bytes, or a stream of them. The bytes are not to change until it is done.
 * @returns when all is written. Rejects as Deno does: with `Deno.errors.NotFound`,
 * `AlreadyExists` and so on, which also have `code`, `errno`, `op` and `path`; with the signal's
 * reason. Then the file may have a part of it, unless it was to be `atomic`.
 *
 * @example
 * ```ts
 * import { readFile, writeFile } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * await writeFile(path, new Uint8Array([1, 2, 3]), { atomic: true, sync: true });
 * assertEquals(await readFile(path), new Uint8Array([1, 2, 3]));
 * await Deno.remove(path);
 * ```
 */
export async function writeFile(
  path: string | URL,
  data: Uint8Array | ReadableStream<Uint8Array>,
  options: WriteFileOptions = {},
): Promise<void> {
  const { signal } = options;
  signal?.throwIfAborted();
  const streams = data instanceof ReadableStream;
  if (!streams && !(data instanceof Uint8Array)) {
    throw new TypeError(
      "writeFile: data must be a Uint8Array or a ReadableStream; got " +
        `${show(data)}.`,
    );
  }
  if (options.atomic) {
    checkAtomic(options);
    await replaceFile(path, options, streams ? fromStream(data) : from(data));
  } else if (streams) await writeStream(path, data, options);
  else await writeBytes(path, data, options);
  signal?.throwIfAborted();
}

/**
 * Writes a whole file as UTF-8, as `Deno.writeTextFile`.
 *
 * All else is as with {@linkcode writeFile}.
 *
 * @param data the text, or a stream of it.
 *
 * @example
 * ```ts
 * import { readTextFile, writeTextFile } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * await writeTextFile(path, "one\n");
 * await writeTextFile(path, "two\n", { append: true });
 * assertEquals(await readTextFile(path), "one\ntwo\n");
 * await Deno.remove(path);
 * ```
 */
export async function writeTextFile(
  path: string | URL,
  data: string | ReadableStream<string>,
  options?: WriteFileOptions,
): Promise<void> {
  await writeFile(
    path,
    data instanceof ReadableStream
      ? data.pipeThrough(new TextEncoderStream())
      : new TextEncoder().encode(data),
    options,
  );
}

function checkAtomic({ append }: WriteFileOptions): void {
  if (!append) return;
  throw new TypeError(
    "writeFile: append cannot be atomic: what is there would have to be copied first.",
  );
}

function from(data: Uint8Array): Fill {
  return (place, position) => writeFull(place, fixed(data), position);
}

/** Takes the chunks as they come, and lets the stream go if they cannot be written. */
function fromStream(data: ReadableStream<Uint8Array>): Fill {
  return async (place, position) => {
    let at = position;
    await gather(data, async (bytes) => {
      await writeFull(place, fixed(bytes), at);
      at += bytes.length;
    }, place.signal);
  };
}

/** As Deno: what opens a file for a stream is `open`, and so its errors say. */
async function writeStream(
  path: string | URL,
  data: ReadableStream<Uint8Array>,
  options: WriteFileOptions,
): Promise<void> {
  const { append = false, create = true, createNew = false } = options;
  const { mode, ring, signal, sync = false } = options;
  const file = await open(path, {
    write: true,
    append,
    create,
    createNew,
    truncate: !append,
    ...(mode === undefined ? {} : { mode }),
    ring,
    signal,
  });
  {
    await using _closed = file;
    await gather(data, (bytes) => writeAll(file, bytes), signal);
    if (sync) await file.sync();
  }
  if (sync) await syncFolderOf(ringOf(options), pathOf(path));
}

async function writeBytes(
  path: string | URL,
  data: Uint8Array,
  options: WriteFileOptions,
): Promise<void> {
  const { append = false, create = true, createNew = false } = options;
  const { signal, sync = false } = options;
  const plain = pathOf(path, "writefile");
  const where = allowOpen(plain, { read: false, write: true }, "writeFile");
  const ring = ringOf(options);
  const how = { write: true, append, create, createNew, truncate: !append };
  const flags = flagsOf(how, plain);
  const mode = modeOf(options.mode, ALL_BITS);
  try {
    const manner = { flags, mode, stay: "passing", signal } as const;
    const { fd, size } = await openDescriptor(ring, where, manner);
    try {
      if (mode !== undefined) setMode(fd, mode);
      await from(data)({ ring, fd, signal }, size < 0 ? NO_POSITION : 0);
      if (sync) await ring.submit(fsync(fd));
    } finally {
      giveBack(fd, "passing");
    }
    if (sync) await syncFolderOf(ring, where.path);
  } catch (error) {
    throw withPath(error, "writefile", plain);
  }
}
