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
import { position } from "../ffi/file.ts";
import { O_RDONLY } from "../ffi/linux.ts";
import { Misuse } from "./cp/getopt.ts";
import { readRequest, type Request } from "./cat/options.ts";
import { Pump } from "./cat/pump.ts";
import { Complaint, quote, reason } from "./ring/command.ts";
import { close, fstat, open, sameFile } from "./ring/files.ts";

const [STDIN, STDOUT] = [0, 1];
/** A shell's word for SIGPIPE, which ends coreutils' cat; Deno's processes ignore it. */
const NOBODY_READS = 128 + 13;

function complain(message: string): 1 {
  console.error(`cat: ${message}`);
  return 1;
}

function copy(pump: Pump, name: string, isChanged: boolean): void {
  const { ring } = pump;
  const fd = name === "-" ? STDIN : open(ring, name, O_RDONLY);
  try {
    const [input, output] = [fstat(ring, fd), fstat(ring, STDOUT)];
    const { isFile, size } = input;
    if (isFile && sameFile(input, output) && position(fd) < size) {
      throw new Complaint("input file is output file");
    }
    if (!isChanged && output.isFifo && pump.splice(fd, isFile)) return;
    // What has no size, as in /proc, may not be read at many places at once.
    pump.copy(fd, isFile && size > 0);
  } finally {
    if (fd !== STDIN) close(ring, fd);
  }
}

/** What becomes of an error: a message, and the exit status; `isOver` if nothing can go on. */
function failure(
  error: unknown,
  name: string,
): { status: number; isOver: boolean } {
  const { op, code } = error as Partial<SystemError>;
  if (code === "EPIPE") return { status: NOBODY_READS, isOver: true };
  const isOver = op === "write";
  const what = isOver ? "write error" : quote(name);
  return { status: complain(`${what}: ${reason(error)}`), isOver };
}

function concatenate({ format, names }: Request): number {
  using pump = new Pump(format);
  let status = 0;
  for (const name of names.length > 0 ? names : ["-"]) {
    try {
      copy(pump, name, format !== null);
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
  const text = new TextEncoder().encode(request === "help" ? HELP : VERSION);
  await Deno.stdout.write(text);
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await cat(Deno.args));
  } catch (error) {
    // No ring: the message says why, and what to do. A stack would hide it.
    if (!isSystemError(error)) throw error;
    Deno.exit(complain(error.message));
  }
}
