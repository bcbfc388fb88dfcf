/**
 * Whole transfers: reads and writes that go on until all is moved, as one op may move less.
 *
 * @module
 */

import { IOSQE_ASYNC } from "../ffi/abi.ts";
import { isSystemError } from "../ffi/errors.ts";
import type { Op } from "../ops/op.ts";
import { read, write } from "../ops/rw.ts";
import type { Uring } from "../proactor/uring.ts";
import { writeZero } from "./failure.ts";

/**
 * From how many bytes on an op is left to the kernel's workers: to copy so much would hold up the
 * event loop.
 */
const LARGE = 1 << 20;

/** How much of a large transfer goes into one op, in bytes. */
const BLOCK = 4 << 20;

/** How many ops of a large read are in flight. */
const DEPTH = 4;

/** The position of what has none. */
export const NO_POSITION = -1;

/** What a transfer is between, beside the buffer. */
export interface Place {
  /** The ring that runs it. */
  readonly ring: Uring;
  /** The file's descriptor. */
  readonly fd: number;
  /** Cancels it. */
  readonly signal?: AbortSignal | undefined;
}

/** What an open file is made of. */
export interface FileParts extends Place {
  /** The path that it was opened with. */
  readonly path: string;
  /** Whether it may be read. */
  readonly read: boolean;
  /** Whether it may be written. */
  readonly write: boolean;
  /** Whether every write goes to its end. */
  readonly append: boolean;
  /** Whether it has positions. */
  readonly seekable: boolean;
}

/** One read; gives how many bytes there were, 0 at the end. */
export function readSome(
  place: Place,
  buffer: Uint8Array,
  offset: number,
): Promise<number> {
  return transfer(place, read(place.fd, buffer, { offset }), buffer.length);
}

/** One write; gives how many bytes were taken. */
export function writeSome(
  place: Place,
  buffer: Uint8Array,
  offset: number,
): Promise<number> {
  return transfer(place, write(place.fd, buffer, { offset }), buffer.length);
}

function transfer(
  { ring, signal }: Place,
  op: Op<number>,
  byteLength: number,
): Promise<number> {
  if (byteLength < LARGE && signal === undefined) return ring.submit(op);
  const flags = byteLength < LARGE ? 0 : IOSQE_ASYNC;
  return ring.submit(op, { signal, flags });
}

/**
 * Reads until the buffer is full or the file ends; gives how many bytes that were.
 *
 * @param position where in the file, in bytes; {@linkcode NO_POSITION} for what has none.
 */
export async function readFull(
  place: Place,
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  if (buffer.length > BLOCK && position !== NO_POSITION) {
    return await readBlocks(place, buffer, position);
  }
  let filled = 0;
  while (filled < buffer.length) {
    const rest = filled === 0 ? buffer : buffer.subarray(filled);
    const offset = position === NO_POSITION ? position : position + filled;
    const count = await again(() => readSome(place, rest, offset));
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** A few blocks at a time: several CPUs touch the memory for the first time, and copy to it. */
async function readBlocks(
  place: Place,
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  let next = 0;
  let end = buffer.length;
  const work = async (): Promise<void> => {
    while (next < end) {
      const at = next;
      next += BLOCK;
      const block = buffer.subarray(at, Math.min(at + BLOCK, buffer.length));
      const count = await readFull(place, block, position + at);
      if (count < block.length) end = Math.min(end, at + count);
    }
  };
  const outcomes = await Promise.allSettled(
    // Nobody is to close the file, or take the buffer, before the last op on them is done.
    Array.from({ length: DEPTH }, () =>
      work().catch((error) => {
        next = Infinity;
        throw error;
      })),
  );
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
  return end;
}

/**
 * Writes all of a buffer.
 *
 * @param position where in the file, in bytes; {@linkcode NO_POSITION} for what has none.
 */
export async function writeFull(
  place: Place,
  buffer: Uint8Array,
  position: number,
): Promise<void> {
  let written = 0;
  while (written < buffer.length) {
    const end = Math.min(written + BLOCK, buffer.length);
    const rest = buffer.subarray(written, end);
    const offset = position === NO_POSITION ? position : position + written;
    const count = await again(() => writeSome(place, rest, offset));
    if (count === 0) throw writeZero();
    written += count;
  }
}

/** Repeats what a signal to the process interrupted. */
export async function again(
  move: () => Promise<number>,
): Promise<number> {
  for (;;) {
    try {
      return await move();
    } catch (error) {
      if (!isSystemError(error) || error.code !== "EINTR") throw error;
    }
  }
}
