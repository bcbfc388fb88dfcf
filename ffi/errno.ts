/**
 * errno's names and messages.
 *
 * @module
 */

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { libc } from "./libc.ts";

let names: Map<number, string> | undefined;
let numbers: Map<string, number> | undefined;

/** libuv calls 95 ENOTSUP, "not supported on socket"; the kernel says EOPNOTSUPP of anything. */
const EOPNOTSUPP = 95;

/** The kernel's errnos end here; those above are libuv's own. */
const LARGEST = 133;

/** node:util and node:os leave out what libuv has no use for; the C library has the rest. */
function nameTable(): Map<number, string> {
  if (names === undefined) {
    names = new Map();
    for (const [name, number] of Object.entries(constants.errno)) {
      if (name !== "EWOULDBLOCK") names.set(number, name);
    }
    for (const [negative, [name]] of getSystemErrorMap()) {
      if (-negative <= LARGEST) names.set(-negative, name);
    }
    names.set(EOPNOTSUPP, "EOPNOTSUPP");
    const nameOf = libc().strerrorname_np;
    for (let errno = 1; nameOf && errno <= LARGEST; errno++) {
      const name = names.has(errno) ? null : nameOf(errno);
      if (name !== null) {
        names.set(errno, Deno.UnsafePointerView.getCString(name));
      }
    }
  }
  return names;
}

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
  return nameTable().get(errno) ?? `E${errno}`;
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
    for (const [number, known] of nameTable()) numbers.set(known, number);
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
  const known = errno === EOPNOTSUPP
    ? undefined
    : getSystemErrorMap().get(-errno);
  return known?.[1] ?? strerror(errno);
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
