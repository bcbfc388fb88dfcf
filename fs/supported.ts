/**
 * Whether any of this can run.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { ringOf } from "./context.ts";

let supported: boolean | undefined;

/**
 * Whether this folder's functions can run here: on Linux, with `--allow-ffi`, where the kernel
 * has io_uring and lets this process have it. Asks nobody, and throws nothing; the answer is kept.
 *
 * @example
 * ```ts
 * import * as uring from "@uring/uring/fs";
 * import { assert } from "@std/assert";
 *
 * const fs = uring.isSupported() ? uring : Deno; // runs anywhere, on a ring where there is one
 * assert((await fs.readTextFile("/proc/version")).startsWith("Linux"));
 * ```
 */
export function isSupported(): boolean {
  return supported ??= look();
}

function look(): boolean {
  if (Deno.build.os !== "linux") return false;
  // A path list is not enough: see the README on permissions.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return false;
  }
  try {
    ringOf();
    return true;
  } catch (error) {
    if (isSystemError(error) || error instanceof Deno.errors.NotCapable) {
      return false;
    }
    throw error;
  }
}
