/**
 * What this machine offers to rings: `deno run -A examples/probe.ts [--json] [FILE]`
 *
 * The kernel and its limits, each feature, setup flag and opcode with the kernel that brought
 * it, whether the storage below FILE polls, how fast a ring is, and what to change.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { isSystemError } from "../ffi/errors.ts";
import { Ring } from "../ring/mod.ts";
import { print } from "./print.ts";
import { advise } from "./probe/advice.ts";
import { disk } from "./probe/disk.ts";
import { featuresOf } from "./probe/features.ts";
import { limits, machine, seccomp } from "./probe/machine.ts";
import { measure } from "./probe/measure.ts";
import { opcodesHere } from "./probe/opcodes.ts";
import { format } from "./probe/print.ts";
import type { Report } from "./probe/report.ts";
import { setupFlagsHere } from "./probe/setup.ts";

export type {
  Ability,
  Disk,
  Limit,
  Limits,
  Machine,
  Measured,
  Report,
  Times,
} from "./probe/report.ts";

const USAGE = `Usage: probe [--json] [FILE]
Tell what this machine offers to io_uring, and what to change.

FILE, a file, directory or block device, is asked whether it polls (IOPOLL);
by default the current directory, in which a small file is made for that.

      --json        print a JSON object
      --help        display this help and exit`;

/**
 * Finds out everything.
 *
 * @param path a file, a directory or a block device, to be asked whether it polls.
 * @throws {SystemError} if there is no ring to be had, or nothing at the path.
 *
 * @example
 * ```ts
 * import { survey } from "@uring/uring/examples/probe";
 * import { assert } from "@std/assert";
 *
 * const { opcodes, measured } = await survey("/tmp");
 * assert(opcodes.some(({ name, here }) => name === "read" && here));
 * assert(measured.nopsBatched > 0);
 * ```
 */
export async function survey(path: string): Promise<Report> {
  // The first ring of a thread decides how many workers all its rings have.
  using ring = new Ring(256);
  const { backend, backendVersion, features } = ring;
  const setupFlags = setupFlagsHere();
  const hybrid = setupFlags.some(({ name, here }) =>
    name === "HYBRID_IOPOLL" && here
  );
  const found = {
    machine: machine(),
    backend,
    backendVersion,
    limits: limits(ring),
    features: featuresOf(features),
    setupFlags,
    ...opcodesHere(),
    disk: disk(path, hybrid),
    measured: await measure(),
  };
  return { ...found, advice: advise(found) };
}

/** The command line, or the exit status where `--help` or a mistake ends it. */
function parse(args: string[]): { json: boolean; path: string } | number {
  try {
    const options = {
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    } as const;
    const { values, positionals } = parseArgs({
      args,
      options,
      allowPositionals: true,
    });
    if (values.help) {
      return print("probe", `${USAGE}\n`);
    }
    const [path = ".", extra] = positionals;
    if (extra !== undefined) throw new TypeError(`Unexpected '${extra}'`);
    return { json: values.json, path };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`probe: ${error.message}\n${USAGE}`);
    return 2;
  }
}

/** Why there is no ring, in the kernel's words and in what can be seen from outside. */
function explain(error: Error): string {
  if (!isSystemError(error) || error.op !== "io_uring_setup") {
    return error.message;
  }
  const filter = seccomp();
  return filter === "filter" || filter === "strict"
    ? `${error.message} A seccomp filter is on this process.`
    : error.message;
}

/**
 * Prints what this machine offers, and gives the exit status: 0, 1 where there is no ring to
 * be had or nothing at the path, 2 for a wrong use, 141 if nobody reads it.
 *
 * @param args the command line.
 */
export async function probe(args: string[]): Promise<number> {
  const parsed = parse(args);
  if (typeof parsed === "number") return parsed;
  try {
    const report = await survey(parsed.path);
    const text = parsed.json ? JSON.stringify(report, null, 2) : format(report);
    return print("probe", `${text}\n`);
  } catch (error) {
    // What the kernel or Deno forbids is said in a sentence, which a stack would hide.
    const told = isSystemError(error) ||
      error instanceof Deno.errors.NotCapable;
    if (!told) throw error;
    const message = explain(error);
    if (parsed.json) console.log(JSON.stringify({ error: message }, null, 2));
    console.error(`probe: ${message}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await probe(Deno.args));
