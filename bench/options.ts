import { parseArgs, type ParseArgsConfig } from "node:util";

/** A command line that means nothing. Its message is all that the user needs. */
export class UsageError extends RangeError {}

/** `parseArgs`, whose complaints are the user's. */
export function parse<T extends ParseArgsConfig>(
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message, { cause: error });
  }
}

/**
 * The value of an option that is an integer, no less than `least`.
 *
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { integer } from "./options.ts";
 *
 * assertEquals(integer("--pairs", "7", 5), 7);
 * assertThrows(() => integer("--pairs", "4", 5), RangeError, "5 or more; got 4");
 * ```
 */
export function integer(option: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new UsageError(
    `${option} must be an integer of ${least} or more; got ${text}`,
  );
}
