/** What the tests of copies share. */

import { assertEquals } from "@std/assert";
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

/** What a shell command prints. */
export function printed(command: string, ...args: string[]): string {
  const { stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** Everything about the files of a tree that `find` can tell, and their contents. */
export function portrait(top: string, format: string): string {
  const lines = printed(
    "sh",
    "-c",
    `cd "$1" && find . -printf '${format}'`,
    "sh",
    top,
  );
  return lines.split("\0").sort().join("\n");
}

/** Only what differs is shown: the trees are large. */
export function assertSamePortrait(
  one: string,
  two: string,
  format: string,
): void {
  const [first, second] = [one, two].map((top) =>
    new Set(portrait(top, format).split("\n"))
  ) as [Set<string>, Set<string>];
  assertEquals([...first.difference(second)], [...second.difference(first)]);
}

/** Asserts that files have the same data. */
export function assertSameContents(one: string, two: string): void {
  assertEquals(
    printed("diff", "-r", "--no-dereference", one, two).replaceAll(
      /^File .* is a fifo while file .* is a fifo\n/gm,
      "",
    ),
    "",
  );
}

/** What `cp -r` keeps. */
export const KIND_AND_MODE = "%P %y %m %l\\0";
/** What `cp -a` keeps. */
export const EVERYTHING = "%P %y %m %U:%G %T@ %n %l\\0";
