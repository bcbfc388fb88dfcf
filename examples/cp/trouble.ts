/**
 * What went wrong, in coreutils' words.
 *
 * @module
 */

import { errnoNumber, strerror } from "../../ffi/errno.ts";
import { quote } from "../quote.ts";

/** What went wrong, in words that `cp` may print as they are. */
export class Complaint extends Error {}

/** What ends a copy that the user interrupted. */
export class Interrupted extends Error {
  /** What interrupted it. */
  readonly signal: "SIGINT" | "SIGTERM";

  /** An interruption by a signal. */
  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}

/** The name of the errno that an error is about, the ring's or Deno's; undefined for others. */
export function codeOf(error: unknown): string | undefined {
  // A path that is no UTF-8, which Deno has no errno for.
  if (error instanceof Deno.errors.InvalidData) return "EILSEQ";
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * What an error says behind the name of a file.
 *
 * @throws any error that is not about an errno, as it is: a mistake of the program's.
 */
export function reason(error: unknown): string {
  if (error instanceof Complaint) return error.message;
  const code = codeOf(error);
  const errno = code === undefined ? undefined : errnoNumber(code);
  if (errno === undefined) throw error;
  return strerror(errno);
}

/** What to say of an error: `what: reason`, or the complaint that it already is. */
export function worded(what: string, error: unknown): string {
  return error instanceof Complaint
    ? error.message
    : `${what}: ${reason(error)}`;
}

/** What is said of a name that cannot be copied, as Deno's functions take no such names. */
export function notUtf8(name: string): string {
  return `${quote(name)}: the name is no UTF-8, and Deno has no other`;
}

/** Does something; what an errno says about it becomes a {@linkcode Complaint}. */
export async function attempt<T>(
  what: string,
  action: () => T | Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new Complaint(worded(what, error), { cause: error });
  }
}
