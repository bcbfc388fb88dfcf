/**
 * Functions that take two paths.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import type { Op } from "../ops/op.ts";
import { type OpcodeName, opcodes } from "../ops/opcodes.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { withPath } from "./failure.ts";
import { own } from "./own.ts";

/** What there is to run. */
export interface TwoPaths {
  /** The function's name, as Deno's messages have it. */
  api: string;
  /** The opcode for it. */
  opcode: OpcodeName;
  /** The op that does it. */
  op: (from: string, to: string) => Op<void>;
  /** Deno's own function, for kernels without the opcode. */
  deno: (from: string, to: string) => Promise<void>;
}

/** Runs an op of two paths, both of which the error names. */
export async function runTwoPaths(
  { api, opcode, op, deno }: TwoPaths,
  from: string,
  to: string,
  options?: RingOption,
): Promise<void> {
  const ring = ringOf(options);
  if (!opcodes[opcode].supported()) {
    return await own(api, from, () => deno(from, to));
  }
  try {
    await ring.submit(op(from, to));
  } catch (error) {
    // Deno's words name the second path; the op's own message had to add it.
    if (isSystemError(error)) error.message = "";
    throw withPath(error, api, from, to);
  }
}

/**
 * Two paths as text.
 *
 * @throws {TypeError} as {@linkcode pathOf} does, in the words that Deno has for two.
 */
export function pathsOf(
  api: string,
  oldPath: string | URL,
  newPath: string | URL,
): [from: string, to: string] {
  try {
    return [pathOf(oldPath, api), pathOf(newPath, api)];
  } catch (error) {
    const hasNul = error instanceof TypeError && "code" in error;
    if (!hasNul) throw error;
    const [reason = ""] = error.message.split(":");
    error.message = `${reason}: ${api} '${oldPath}' -> '${newPath}'`;
    throw error;
  }
}
