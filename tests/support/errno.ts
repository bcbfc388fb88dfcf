/** Errnos by number, where a name would be ambiguous or missing. */

import { assert, assertThrows } from "@std/assert";
import { isSystemError } from "../../ffi/mod.ts";

/** The errno of the error that a call throws. A call that throws another error fails the test. */
export function errnoOf(call: () => unknown): number {
  const error = assertThrows(call);
  assert(isSystemError(error), `not an error of the kernel: ${error}`);
  return error.errno;
}
