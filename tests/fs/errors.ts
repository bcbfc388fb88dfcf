/** Errors of ours beside Deno's. */

import { assertEquals } from "@std/assert";
import { UringError } from "../../ffi/mod.ts";

/**
 * Whether an error is the one that Deno throws: message, code, and class where Deno has one for
 * the errno.
 */
export function assertSame(ours: unknown, theirs: unknown): void {
  const fields = (error: unknown) => {
    const { name, message, code } = error as Error & { code?: string };
    // For other errnos Deno has a plain Error.
    return [error instanceof UringError ? "Error" : name, message, code];
  };
  assertEquals(fields(ours), fields(theirs));
}
