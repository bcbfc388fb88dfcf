/**
 * Reading a whole file.
 *
 * @module
 */

import { O_RDONLY } from "../ffi/linux.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { giveBack, openDescriptor } from "./descriptor.ts";
import { withPath } from "./failure.ts";
import { allowOpen } from "./permission.ts";
import {
  again,
  NO_POSITION,
  type Place,
  readFull,
  readSome,
} from "./transfer.ts";

/** Options of {@linkcode readFile} and {@linkcode readTextFile}. */
export interface ReadFileOptions extends RingOption {
  /** Stops it: the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** More than fits any buffer. */
const HUGE = 2 ** 40;

/** The first buffer for what does not say how much it has. */
const FIRST = 4096;

const READING = { read: true, write: false };

/**
 * Reads a whole file, as `Deno.readFile`.
 *
 * What does not tell its size, as the files of /proc, pipes and FIFOs, is read until it ends. Large
 * files are read in several blocks at a time.
 *
 * Needs `--allow-read`. If the process has no descriptor left, it waits for one, see
 * {@linkcode open}.
 *
 * @param path the file.
 * @returns its bytes. Rejects as Deno does: with `Deno.errors.NotFound`, `IsADirectory` and so on,
 * which also have `code`, `errno`, `op` and `path`; with the signal's reason.
 *
 * @example
 * ```ts
 * import { readFile } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = await readFile("/proc/self/comm");
 * assertEquals(bytes.at(-1), 10); // the line's end
 * ```
 */
export async function readFile(
  path: string | URL,
  options?: ReadFileOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const signal = options?.signal;
  signal?.throwIfAborted();
  const plain = pathOf(path, "readfile");
  const where = allowOpen(plain, READING, "readFile");
  const ring = ringOf(options);
  try {
    const { fd, size } = await openDescriptor(ring, where, {
      flags: O_RDONLY,
      stay: "passing",
      signal,
    });
    try {
      const place = { ring, fd, signal };
      const whole = size > 0 ? readSized(place, size) : readToEnd(place, size);
      const bytes = await whole;
      signal?.throwIfAborted();
      return bytes;
    } finally {
      giveBack(fd, "passing");
    }
  } catch (error) {
    throw withPath(error, "readfile", plain);
  }
}

/** What is read behind the end, to see whether it is one. Nobody looks at the bytes. */
const BEHIND = new Uint8Array(16);

/** Reads a whole file that says how much it has. */
async function readSized(
  place: Place,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  // A directory, which says that it has 2^63 bytes, is to fail as one.
  if (size > HUGE) await readSome(place, BEHIND, 0);
  const bytes = new Uint8Array(size);
  // Both at once. The size may be an old one, or not quite the truth.
  const [reading, behind] = await Promise.allSettled([
    readFull(place, bytes, 0),
    readSome(place, BEHIND, size),
  ]);
  if (reading.status === "rejected") throw reading.reason;
  if (behind.status === "rejected") throw behind.reason;
  // A file of /sys says that it has a page; another may have been cut off meanwhile.
  if (reading.value < size) return bytes.slice(0, reading.value);
  if (behind.value === 0) return bytes;
  const rest = await readToEnd(place, size);
  return joined([bytes, rest], size + rest.length);
}

/** Reads until the end comes. */
async function readToEnd(
  place: Place,
  start: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  let buffer = new Uint8Array(FIRST);
  let filled = 0;
  for (;;) {
    const rest = buffer.subarray(filled);
    const offset = start === NO_POSITION ? NO_POSITION : start + total;
    const count = await again(() => readSome(place, rest, offset));
    if (count === 0) break;
    filled += count;
    total += count;
    if (filled < buffer.length) continue;
    parts.push(buffer);
    buffer = new Uint8Array(2 * buffer.length);
    filled = 0;
  }
  if (parts.length === 0) return buffer.slice(0, filled);
  return joined([...parts, buffer.subarray(0, filled)], total);
}

function joined(
  parts: Uint8Array[],
  byteLength: number,
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(byteLength);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Deno keeps a byte order mark. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads a whole file as UTF-8, as `Deno.readTextFile`: what is no UTF-8 becomes U+FFFD.
 *
 * All else is as with {@linkcode readFile}.
 *
 * @example
 * ```ts
 * import { readTextFile } from "@uring/uring/fs";
 * import { assert } from "@std/assert";
 *
 * assert((await readTextFile("/proc/version")).startsWith("Linux"));
 * ```
 */
export async function readTextFile(
  path: string | URL,
  options?: ReadFileOptions,
): Promise<string> {
  return decoder.decode(await readFile(path, options));
}
