/** What the options of examples/cat.ts do to bytes, beside coreutils, on blocks of any size. */

import { assertEquals } from "@std/assert";
import {
  type Format,
  formattedSize,
  Formatter,
} from "../../examples/cat/format.ts";
import { readRequest } from "../../examples/cat/options.ts";
import { LineNumber } from "../../examples/cat/line_number.ts";
import { remove, scratch } from "../support/utilities.ts";

/** Every set of the options, by letters. */
const SETS: string[] = Array.from(
  { length: 64 },
  (_, set) => [..."nbsETv"].filter((_, bit) => set & 1 << bit).join(""),
).slice(1);

function formatOf(letters: string): Format {
  const request = readRequest([`-${letters}`]);
  if (typeof request === "string" || request.format === null) {
    throw new Error(`-${letters} changes nothing.`);
  }
  return request.format;
}

/** Formats parts, each as one block, as a formatter sees those of one file and of several. */
function format(letters: string, parts: Uint8Array[]): Uint8Array {
  const largest = Math.max(...parts.map(({ length }) => length));
  const memory = new Uint8Array(largest + formattedSize(largest));
  const formatter = new Formatter(formatOf(letters), memory);
  const pieces: Uint8Array[] = [];
  for (const part of parts) {
    memory.set(part);
    const end = formatter.run(0, part.length, largest);
    pieces.push(memory.slice(largest, end));
  }
  pieces.push(memory.slice(0, formatter.flush(0)));
  return join(pieces);
}

function join(pieces: Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(
    pieces.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

function theirs(letters: string, paths: string[]): Uint8Array {
  const args = [`-${letters}`, ...paths];
  return new Deno.Command("cat", { args }).outputSync().stdout;
}

/** Numbers that are the same each time. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed;;) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    yield state >>> 8;
  }
}

/** Bytes of a few kinds: texts, line ends, what is shown otherwise. */
function text(length: number, seed: number): Uint8Array {
  const random = numbers(seed);
  const next = (below: number) => random.next().value % below;
  const odd = ["\n", "\n\n", "\r\n", "\r", "\t", "\n\n\n", "\r\r\n", "é\u200b"];
  const pieces: Uint8Array[] = [];
  let size = 0;
  while (size < length) {
    const piece = next(8) === 0
      ? Uint8Array.from({ length: 4 }, () => next(256))
      : new TextEncoder().encode(
        next(2) === 0 ? odd[next(odd.length)] : "words and more of it".slice(
          next(20),
        ),
      );
    pieces.push(piece);
    size += piece.length;
  }
  return join(pieces).slice(0, length);
}

/** Cuts bytes into parts of up to `most`. */
function cut(bytes: Uint8Array, most: number, seed: number): Uint8Array[] {
  const random = numbers(seed);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = 1 + random.next().value % most;
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

const EXAMPLES: Record<string, Uint8Array> = {
  "every byte": Uint8Array.from({ length: 256 }, (_, i) => i),
  "every byte after every other one": Uint8Array.from(
    { length: 32_768 },
    (_, i) => i % 2 === 0 ? i >> 8 << 1 : i >> 1,
  ),
  "line ends": new TextEncoder().encode("\n\n\na\n\n\nb\n\n"),
  "carriage returns": new TextEncoder().encode("\r\na\r\r\n\r\n\rb\r\n\n\r"),
  "no line end at the end": new TextEncoder().encode("a\n\nb"),
  "a long line": new Uint8Array(20_000).fill(120),
  "text": text(12_000, 1),
};

for (const [what, bytes] of Object.entries(EXAMPLES)) {
  Deno.test(`cat, formatting ${what}: as coreutils, however it is cut`, () => {
    const home = scratch();
    try {
      const path = `${home}/f`;
      Deno.writeFileSync(path, bytes);
      for (const letters of SETS) {
        const expected = theirs(letters, [path]);
        for (const most of [1, 2, 3, 7, 64, 4096, bytes.length + 1]) {
          if (bytes.length / most > 5000) continue;
          const actual = format(letters, cut(bytes, most, most));
          assertSame(actual, expected, `-${letters}, up to ${most} bytes`);
        }
      }
    } finally {
      remove(home);
    }
  });
}

function assertSame(
  actual: Uint8Array,
  expected: Uint8Array,
  what: string,
): void {
  const different = expected.findIndex((byte, at) => byte !== actual[at]);
  const at = Math.max(different - 10, 0);
  if (different >= 0) {
    const around = (bytes: Uint8Array) =>
      new TextDecoder("latin1").decode(bytes.subarray(at, at + 40));
    assertEquals(around(actual), around(expected), `${what}, at ${different}`);
  }
  assertEquals(actual.length, expected.length, what);
}

Deno.test("cat, formatting random texts in several files", () => {
  const home = scratch();
  try {
    for (let seed = 1; seed <= 40; seed++) {
      const parts = cut(text(3000, seed), 900, seed);
      const paths = parts.map((part, i) => {
        Deno.writeFileSync(`${home}/${i}`, part);
        return `${home}/${i}`;
      });
      const letters = SETS[seed * 37 % SETS.length] ?? "n";
      const expected = theirs(letters, paths);
      assertSame(format(letters, parts), expected, `-${letters}, ${seed}`);
    }
  } finally {
    remove(home);
  }
});

Deno.test("cat, line numbers: 1 to 1 000 001", () => {
  const numbers = new LineNumber();
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  const decoder = new TextDecoder();
  for (let count = 1; count <= 1_000_001; count++) {
    const end = numbers.put(view, 3);
    if (count % 997 > 20 && count < 999_980) continue;
    const text = decoder.decode(bytes.subarray(3, end));
    assertEquals(text, `${String(count).padStart(6)}\t`);
  }
});

Deno.test("cat, line numbers: of more digits", () => {
  const numbers = new LineNumber(12_999);
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  const texts = new Set<string>();
  for (let i = 0; i < 1_000_010; i++) {
    const end = numbers.put(view, 0);
    if (i % 333_333 === 8) {
      texts.add(new TextDecoder().decode(bytes.subarray(0, end)));
    }
  }
  assertEquals([...texts], [
    "12999000009\t",
    "12999333342\t",
    "12999666675\t",
    "13000000008\t",
  ]);
});
