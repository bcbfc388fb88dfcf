/**
 * Names of files that are no UTF-8, as strings.
 *
 * A name is any bytes. In a string each byte that is no UTF-8 is a surrogate without its other half,
 * U+DC80 to U+DCFF, which no other name has: so does Python (`surrogateescape`).
 *
 * @module
 */

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** What `Deno.args` has in place of what it cannot tell. */
const UNKNOWN = "\ufffd";
const ESCAPE = 0xdc00;
/** The most bytes that a character has in UTF-8. */
const MOST = 4;

/** The program's arguments, as they were given. */
export function commandLine(): string[] {
  if (!Deno.args.some((word) => word.includes(UNKNOWN))) return Deno.args;
  const bytes = Deno.readFileSync("/proc/self/cmdline");
  const words: string[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(0, start);
    words.push(nameOf(bytes.subarray(start, end)));
    start = end + 1;
  }
  // Before them are Deno's own.
  return words.slice(-Deno.args.length);
}

/**
 * The string for the bytes of a name.
 *
 * @example
 * ```ts
 * import { bytesOf, nameOf } from "./names.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new Uint8Array([97, 0xff, 0xc3, 0xa9]);
 * assertEquals(nameOf(bytes), "a\udcffé");
 * assertEquals(bytesOf("a\udcffé"), bytes);
 * ```
 */
export function nameOf(bytes: Uint8Array<ArrayBuffer>): string {
  let name = "";
  for (let at = 0; at < bytes.length;) {
    const [character, size] = characterAt(bytes, at);
    name += character;
    at += size;
  }
  return name;
}

function characterAt(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
): [character: string, size: number] {
  for (let size = 1; size <= MOST; size++) {
    try {
      return [strict.decode(bytes.subarray(at, at + size)), size];
    } catch {
      // It is longer than that, or none.
    }
  }
  return [String.fromCharCode(ESCAPE | (bytes[at] as number)), 1];
}

/** The bytes of a name, for the kernel; a name that is UTF-8 may stay a string. */
export function bytesOf(name: string): string | Uint8Array {
  if (name.isWellFormed()) return name;
  return Uint8Array.from(
    Array.from(name).flatMap((character) =>
      character.isWellFormed()
        ? [...encoder.encode(character)]
        : [character.charCodeAt(0) & 0xff]
    ),
  );
}
