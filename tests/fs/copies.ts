/** What the tests of copies share. */

import { setLength } from "../../ffi/mod.ts";
import { closeSync, openSync, writeSync } from "node:fs";

/** Bytes that tell where they are from. */
export function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = state | 1;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** A file of a size with data here and there, each piece the pattern of its offset. */
export function sparseFile(
  path: string,
  size: number,
  pieces: readonly [at: number, length: number][],
): void {
  const fd = openSync(path, "w");
  try {
    setLength(fd, size);
    for (const [at, length] of pieces) {
      writeSync(fd, pattern(length, at), 0, length, at);
    }
  } finally {
    closeSync(fd);
  }
}

/** How much storage a file takes, in units of 512 bytes. */
export function blocksOf(path: string): number {
  return Deno.statSync(path).blocks ?? 0;
}
