/**
 * errno's names and messages.
 *
 * @module
 */

import { ERRNOS } from "./errno_table.ts";
import { libc } from "./libc.ts";

let numbers: Map<string, number> | undefined;

/**
 * The name of an errno, `"ENOENT"` for 2; `"E<number>"` for one without a name.
 *
 * @example
 * ```ts
 * import { errnoName } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(errnoName(2), "ENOENT");
 * assertEquals(errnoName(62), "ETIME");
 * ```
 */
export function errnoName(errno: number): string {
  return ERRNOS[errno]?.[0] ?? `E${errno}`;
}

/**
 * The number behind an errno's name, 2 for `"ENOENT"`; undefined for a name that Linux
 * does not have.
 *
 * @example
 * ```ts
 * import { errnoNumber } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(errnoNumber("ECANCELED"), 125);
 * ```
 */
export function errnoNumber(name: string): number | undefined {
  if (numbers === undefined) {
    numbers = new Map();
    for (const [errno, [known]] of Object.entries(ERRNOS)) {
      numbers.set(known, Number(errno));
    }
  }
  return numbers.get(name);
}

/**
 * The message of an errno in the words of node:util, "no such file or directory" for 2;
 * in the C library's words where node:util has none.
 *
 * @example
 * ```ts
 * import { errnoMessage } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(errnoMessage(2), "no such file or directory");
 * ```
 */
export function errnoMessage(errno: number): string {
  return ERRNOS[errno]?.[1] ?? strerror(errno);
}

/**
 * The message of an errno in the C library's words, "No such file or directory" for 2:
 * what coreutils print. See strerror(3).
 *
 * @example
 * ```ts
 * import { strerror } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(strerror(28), "No space left on device");
 * ```
 */
export function strerror(errno: number): string {
  const text = libc().strerror(errno);
  return text === null
    ? `Unknown error ${errno}`
    : Deno.UnsafePointerView.getCString(text);
}
