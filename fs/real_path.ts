/**
 * Absolute paths without symbolic links.
 *
 * @module
 */

import type { RingOption } from "./context.ts";
import { own } from "./own.ts";

/**
 * Resolves a path to an absolute one without symbolic links, `.` and `..`, as `Deno.realPath`,
 * which is what runs: io_uring has no opcode for it.
 *
 * @param path a path or a `file:` URL; something must be there.
 * @throws {Deno.errors.NotFound} if nothing is there; other errors as `Deno.realPath` has them,
 * with `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { realPath } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await realPath("/proc/self/.."), "/proc");
 * ```
 */
export async function realPath(
  path: string | URL,
  _options?: RingOption,
): Promise<string> {
  return await own("realpath", path, () => Deno.realPath(path));
}
