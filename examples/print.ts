/**
 * What a utility prints that is all it has to say: its help, its version, a report.
 *
 * @module
 */

import { reason } from "./cp/trouble.ts";

/** A shell's word for SIGPIPE, which ends coreutils' utilities; Deno's processes ignore it. */
export const NOBODY_READS: number = 128 + 13;

/**
 * Prints a text to standard output, and gives the exit status: 0; 1 if it cannot be written, and
 * says why; 141 if nobody reads it.
 *
 * @param name the utility's.
 */
export function print(name: string, text: string): number {
  try {
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) {
      bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    }
    return 0;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return NOBODY_READS;
    console.error(`${name}: write error: ${reason(error)}`);
    return 1;
  }
}
