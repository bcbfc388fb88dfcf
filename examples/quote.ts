/**
 * File names in messages, quoted for a shell, as coreutils does.
 *
 * @module
 */

/** What may stand between double quotes as it is. */
const WITHIN_DOUBLE =
  /^[#~]?[\w%+,./:@\]' \u{a0}-\u{d7ff}\u{e000}-\u{10ffff}-]*$/u;
/** Besides control characters: bytes that are no UTF-8, see names.ts. */
// deno-lint-ignore no-control-regex -- a name may have any character but NUL and slash.
const UNQUOTED = /'|[\x01-\x1f\x7f\u{dc80}-\u{dcff}]+/gu;
const SHORT = ["\\a", "\\b", "\\t", "\\n", "\\v", "\\f", "\\r"];

/** What a shell reads back as it is without quotes. */
const PLAIN = /^(?![#~])[\w%+,./@\]{}#~\u{a0}-\u{d7ff}\u{e000}-\u{10ffff}-]+$/u;

/** A file name as `cat` shows it: in quotes only where a shell needs them. */
export function quoteIfNeeded(name: string): string {
  return PLAIN.test(name) && !/^[{}]$/.test(name) ? name : quote(name);
}

/**
 * A file name in quotes: a shell would read it back as it is, and no terminal obeys it.
 *
 * @example
 * ```ts
 * import { quote } from "./quote.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(quote("a b"), "'a b'");
 * assertEquals(quote("it's"), `"it's"`);
 * assertEquals(quote("two\nlines"), "'two'$'\\n''lines'");
 * assertEquals(quote("no UTF-8: \udcff"), "'no UTF-8: '$'\\377'");
 * ```
 */
export function quote(name: string): string {
  if (name.includes("'") && WITHIN_DOUBLE.test(name)) return `"${name}"`;
  const escaped = name.replace(UNQUOTED, (found, at: number) => {
    if (found === "'") return "'\\''";
    const next = name[at + found.length];
    const reopened = next === undefined || next === "'" ? "" : "''";
    return `'$'${Array.from(found, escape).join("")}${reopened}`;
  });
  return `'${escaped}'`;
}

function escape(character: string): string {
  const code = character.charCodeAt(0) & 0xff;
  return SHORT[code - 7] ?? `\\${code.toString(8).padStart(3, "0")}`;
}
