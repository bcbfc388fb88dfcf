/**
 * Copies files to standard output, on a ring, as cat(1): `deno run -A examples/cat.ts [OPTION]... [FILE]...`
 *
 * It behaves as coreutils' `cat`, with its options, messages and exit statuses. Into a pipe it hands
 * the pages of files as they are, without a copy, where no option changes bytes: who writes to
 * such a file at the same time may change what is in the pipe.
 *
 * @module
 */

import { isSystemError, type SystemError } from "../ffi/errors.ts";
import type { Statx } from "../ffi/structs/statx.ts";
import { Misuse } from "./cp/getopt.ts";
import { Input } from "./cat/input.ts";
import { readRequest, type Request } from "./cat/options.ts";
import { Pump } from "./cat/pump.ts";
import { reason } from "./cp/trouble.ts";
import { commandLine } from "./names.ts";
import { NOBODY_READS, print } from "./print.ts";
import { quoteIfNeeded } from "./quote.ts";
import { fstat } from "./ring/files.ts";

const STDOUT = 1;

/** Below so many bytes a copy is quicker than a splice. */
const SMALL = 256 * 1024;

function complain(message: string): 1 {
  console.error(`cat: ${message}`);
  return 1;
}

function copy(
  pump: Pump,
  name: string,
  output: Statx,
  isChanged: boolean,
): void {
  using input = new Input(pump.ring, name, output);
  const { fd, size } = input;
  // A splice is done by a worker of the kernel, which for a small file is a detour.
  const isSmall = size > 0 && size < SMALL;
  const isSpliced = output.isFifo && !isChanged && !isSmall;
  if (isSpliced && pump.splice(fd, size)) return;
  pump.copy(fd, size);
}

/** What becomes of an error: a message, and the exit status; `isOver` if nothing can go on. */
function failure(
  error: unknown,
  name: string,
): { status: number; isOver: boolean } {
  const { op, code } = error as Partial<SystemError>;
  if (code === "EPIPE") return { status: NOBODY_READS, isOver: true };
  const isOver = op === "write";
  const what = isOver ? "write error" : quoteIfNeeded(name);
  return { status: complain(`${what}: ${reason(error)}`), isOver };
}

function concatenate({ format, names }: Request): number {
  using pump = new Pump(format);
  const output = fstat(pump.ring, STDOUT);
  let status = 0;
  for (const name of names.length > 0 ? names : ["-"]) {
    try {
      copy(pump, name, output, format !== null);
    } catch (error) {
      const { status: its, isOver } = failure(error, name);
      if (isOver) return its;
      status = its;
    }
  }
  try {
    pump.flush();
    return status;
  } catch (error) {
    return failure(error, "-").status;
  }
}

/**
 * Copies files to standard output, as cat(1), and gives the exit status: 0; 1 if something went
 * wrong; 141, a shell's word for SIGPIPE, if nobody reads the output.
 *
 * @param args the command line: `[OPTION]... [FILE]...`; `--help` lists the options.
 * @throws {SystemError} if there is no ring to be had.
 *
 * @example
 * ```ts
 * import { cat } from "@uring/uring/examples/cat";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await cat(["-n", "/dev/null"]), 0);
 * ```
 */
export async function cat(args: readonly string[]): Promise<number> {
  let request: Request | "help" | "version";
  try {
    request = readRequest(args);
  } catch (error) {
    if (!(error instanceof Misuse)) throw error;
    return complain(
      `${error.message}\nTry 'cat --help' for more information.`,
    );
  }
  if (typeof request !== "string") return concatenate(request);
  // Whoever wants no help need not wait for it.
  const { HELP, VERSION } = await import("./cat/usage.ts");
  return print("cat", request === "help" ? HELP : VERSION);
}

if (import.meta.main) {
  try {
    Deno.exit(await cat(commandLine()));
  } catch (error) {
    // No ring: the message says why, and what to do. A stack would hide it.
    if (!isSystemError(error)) throw error;
    Deno.exit(complain(error.message));
  }
}
