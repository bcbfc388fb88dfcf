import { IORING_SETUP_SQPOLL } from "../ffi/mod.ts";
import type { Case } from "./cases.ts";

/** A program and its arguments. */
export interface Command {
  /** The program's name or path. */
  readonly program: string;
  /** What follows its name. */
  readonly args: readonly string[];
}

/**
 * The CPU to keep contestants on: the last that this process may use, as the first ones serve
 * most interrupts. Null where `taskset` of util-linux is not installed.
 *
 * On one CPU, contestants get the same share of whatever else the machine does, instead of each
 * its own luck with the scheduler: the ratios of NOPs in C against C went from within 0.04 of 1
 * to mostly within 0.01.
 */
export async function cpuToShare(): Promise<number | null> {
  const status = await Deno.readTextFile("/proc/self/status");
  const last = status.match(/^Cpus_allowed_list:.*?(\d+)$/m)?.[1];
  if (last === undefined) return null;
  try {
    const { success } = await new Deno.Command("taskset", {
      args: ["-c", last, "true"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success ? Number(last) : null;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return null;
  }
}

/** Another CPU that this process may use; null where there is none, or where `cpu` is null. */
export async function cpuBeside(cpu: number | null): Promise<number | null> {
  if (cpu === null) return null;
  const status = await Deno.readTextFile("/proc/self/status");
  const list = status.match(/^Cpus_allowed_list:\s*(.*)$/m)?.[1] ?? "";
  const allowed = list.split(",").flatMap((range) => {
    const [first = NaN, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  return allowed.findLast((candidate) => candidate !== cpu) ?? null;
}

/**
 * `command` kept on `cpu`, unless the case needs two: one to spin, one for the SQPOLL thread; or the
 * event loop, and the threads that `Deno.FsFile` works in. Those wake each other for every call,
 * which is up to three times as quick on one CPU; but no program is kept on one.
 */
export function pin(
  command: Command,
  measured: Case,
  cpu: number | null,
): Command {
  const threads = measured.rival === "file" ||
    (measured.setupFlags & IORING_SETUP_SQPOLL) !== 0;
  if (cpu === null || threads) return command;
  // taskset replaces itself with the program: the process id stays.
  const args = ["-c", String(cpu), command.program, ...command.args];
  return { program: "taskset", args };
}
