/** Files with a block that cannot be read, and what is said of them. */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLessOrEqual,
} from "@std/assert";
import type { SystemError } from "../../ffi/mod.ts";
import { pattern } from "../support/files.ts";
import { BLOCK, type FaultyDisk } from "./faulty_disk.ts";

/** A file of which a block cannot be read. */
export interface Damaged {
  readonly path: string;
  /** All that was in it. */
  readonly content: Uint8Array<ArrayBuffer>;
  /** Where the block begins, in bytes. */
  readonly begin: number;
  /** Where it ends. */
  readonly end: number;
  /** Where what may fail with it begins, and ends: see {@linkcode FOLIO}. */
  readonly around: readonly [first: number, end: number];
}

/**
 * How much the page cache takes as one piece, at most, in bytes. Since Linux 6.16 ext4 has pieces
 * larger than pages: at first one fails as a whole.
 */
const FOLIO = 2 ** 21;

/** How large damaged files are, and a byte of the block that is bad, in bytes. */
export const DAMAGES: readonly (readonly [length: number, at: number])[] = [
  [100, 0],
  [20_000, 0],
  [20_000, 9000],
  [20_000, 19_999],
  [300_000, 150_000],
  // Read, and copied, in several blocks at a time.
  [5_000_001, 3_000_000],
  [5_000_001, 5_000_000],
];

/** Makes a file, and breaks the block that has the byte at `at`. */
export function damaged(
  disk: FaultyDisk,
  name: string,
  length: number,
  at: number,
): Damaged {
  const content = pattern(length, length + at);
  const path = disk.file(name, content);
  disk.breakBlock(path, at);
  const begin = Math.floor(at / BLOCK) * BLOCK;
  const first = Math.floor(at / FOLIO) * FOLIO;
  const around = [first, first + FOLIO] as const;
  return { path, content, begin, end: begin + BLOCK, around };
}

/** Whether bytes are what comes before a bad block, as far as the page cache can tell it. */
export function assertBefore(
  bytes: Uint8Array,
  { content, begin, around: [first] }: Damaged,
): void {
  assertGreaterOrEqual(bytes.length, first);
  assertLessOrEqual(bytes.length, begin);
  assertEquals(bytes, content.subarray(0, bytes.length));
}

/** What an EIO is told of: nothing, of an open file. */
export interface About {
  /** The function, as Deno's messages have it; left out where they name none. */
  readonly api?: string;
  readonly path?: string;
  /** The second path, where there are two. */
  readonly to?: string;
}

/** Whether an error is an EIO of the kernel's, with all that is to be told about it. */
export function assertInputOutputError(
  error: unknown,
  op: string,
  { api, path, to }: About = {},
): void {
  assertInstanceOf(error, Error);
  const { message, code, errno, op: told, path: name } = error as SystemError;
  const where = api === undefined ? "" : `: ${api} '${path}'`;
  const second = to === undefined ? "" : ` -> '${to}'`;
  assertEquals(
    { message, code, errno, op: told, path: name },
    {
      code: "EIO",
      errno: 5,
      op,
      path,
      message: `Input/output error (os error 5)${where}${second}`,
    },
  );
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error("Nothing went wrong, where EIO was to be expected.");
    },
    (error: unknown) => error,
  );
}
