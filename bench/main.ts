/**
 * The raw ring beside C: `deno task bench [options] [names...]`.
 *
 * Each case is one loop, written twice: fill a batch of SQEs, submit and wait for all of them, drain
 * the CQEs. `c/contestant.c` does it on liburing, `contestant.ts` on `Ring`, with the same setup
 * flags, queue sizes, file, offsets and checks. Read the table so:
 *
 * - `C`, `TypeScript`, `fio`: the median of the samples, in million operations a second. On a shared
 *   machine it drifts two-fold from minute to minute: compare it with nothing but its own row.
 * - `ratio`: TypeScript over C. Contestants take turns, never at once, on the same CPU, and who goes
 *   first changes. Each turn of one is divided by the turn of the other next to it, a pair of
 *   samples is the median of eight such turns, and the median of the pairs counts. `min..max` are
 *   the smallest and the largest pair: a wide range says that the machine was not quiet. C against
 *   C, in three runs with five pairs, came out within 0.03 of 1 for NOPs (0.01 most often), within
 *   0.06 for reads, and up to 0.12 off with SQPOLL. A ratio that close to its target needs more
 *   `--pairs`.
 * - `to fio`: the same against fio's io_uring engine, which does some accounting of its own.
 * - `target`: what the ratio should reach.
 *
 * The cases: `nop-BATCH-defer` (SINGLE_ISSUER, DEFER_TASKRUN), `nop-BATCH-noflags`, `nop-32-sqpoll`,
 * and 4 KiB random reads, 32 in flight: `read-cached-*` from the page cache, `read-direct-*` by
 * O_DIRECT, each `plain`, `fixed` (registered buffer and file) or `sqpoll` (fixed too). On an SQPOLL
 * ring nobody waits in the kernel: the loop spins on the CQ, and needs a core beside the kernel thread's.
 *
 * `promise-*` is `Uring`, a promise for each op, beside the loop in C: so many loops at once that each
 * await one op after the other, in `promise-batch-32` one that awaits batches, as C does. In
 * `promise-read-1` the column `C` is `Deno.FsFile`, seek and read, one at a time, in
 * `promise-read-alone` it is C again.
 * `promise-floor-32` is the ring with a promise for each op and nothing else of what `Uring` does:
 * what is left of C's rate when one awaits.
 *
 * `loop-*` is `Uring` in its event loop. `loop-ticks`: the ticks of an interval of 1 ms while cached
 * reads are awaited in a loop; the column `C` is the same interval in a loop that goes round with
 * nothing else to do. `loop-echo`: echo over a socket pair, asleep between messages; the rate is that
 * of the median round trip, and the column `C` is a thread blocked in io_uring_enter. `loop-idle`: asleep
 * with an op in flight; `ratio` is the time over the CPU time that it took.
 */
import { statSync } from "node:fs";
import process from "node:process";
import { type Case, cases, selectCases } from "./cases.ts";
import { compileContestant } from "./compile.ts";
import { type Contest, type Row, runCase } from "./contest.ts";
import { writeNoise } from "./file.ts";
import { inFolder } from "./folder.ts";
import { hasFio } from "./fio.ts";
import { machine } from "./machine.ts";
import { integer, parse, UsageError } from "./options.ts";
import { cpuBeside, cpuToShare } from "./pin.ts";
import { failedLine, headingLine, rowLine } from "./report.ts";

const USAGE = `Usage: deno task bench [options] [names...]
       deno task bench fs|cat|iops --help

Measures the raw ring beside the same loops in C. Runs every case, or those that NAMES name:
each hyphenated word of a name must be a word of the case's (nop, sqpoll, nop-32, read-direct).

      --pairs N      samples of each contestant, 5 or more (default 5)
      --seconds S    how long one sample lasts (default 0.4)
      --size MIB     size of the file to read, a power of two (default 256)
      --dir DIR      where the file is made (default: the directory for temporary files)
      --no-fio       leave fio out
      --json         print JSON
  -h, --help         print this

Cases:
${cases.map((known) => `  ${known.name}`).join("\n")}`;

interface Options {
  readonly cases: Case[];
  readonly pairs: number;
  readonly seconds: number;
  readonly mebibytes: number;
  readonly directory: string;
  readonly fio: boolean;
  readonly json: boolean;
}

interface Results {
  readonly rows: Row[];
  readonly failures: { name: string; error: string }[];
}

/** The options of `args`, or null when help was asked for. */
function readOptions(args: string[]): Options | null {
  const { values, positionals } = parse({
    args,
    allowPositionals: true,
    options: {
      pairs: { type: "string", default: "5" },
      seconds: { type: "string", default: "0.4" },
      size: { type: "string", default: "256" },
      dir: { type: "string", default: process.env["TMPDIR"] || "/tmp" },
      "no-fio": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const pairs = integer("--pairs", values.pairs, 5);
  const seconds = Number(values.seconds);
  if (!(seconds >= 0.01 && seconds <= 60)) {
    throw new UsageError(
      `--seconds must be from 0.01 to 60; got ${values.seconds}`,
    );
  }
  const mebibytes = Number(values.size);
  if (!(mebibytes >= 1 && mebibytes <= 65536 && isPowerOfTwo(mebibytes))) {
    throw new UsageError(
      `--size must be a power of two from 1 to 65536; got ${values.size}`,
    );
  }
  if (!statSync(values.dir, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`--dir must be a directory; got ${values.dir}`);
  }
  return {
    cases: selectCases(positionals),
    pairs,
    seconds,
    mebibytes,
    directory: values.dir,
    fio: !values["no-fio"],
    json: values.json,
  };
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/** What the cases came to; `print` gets a line for each as it ends. */
async function runCases(
  measuredCases: readonly Case[],
  contest: Contest,
  print: (line: string) => void,
): Promise<Results> {
  const rows: Row[] = [];
  const failures: { name: string; error: string }[] = [];
  print(headingLine());
  for (const measured of measuredCases) {
    try {
      const row = await runCase(measured, contest);
      rows.push(row);
      print(rowLine(row));
    } catch (thrown) {
      // A kernel without a setup flag, a file system without O_DIRECT: the others still run.
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      failures.push({ name: measured.name, error });
      print(failedLine(measured, error));
    }
  }
  return { rows, failures };
}

/** Makes what the cases need in `directory`; `print` gets a line for whatever is missing. */
async function prepare(
  options: Options,
  directory: string,
  print: (line: string) => void,
): Promise<Contest> {
  const { pairs, seconds } = options;
  const compiled = await compileContestant(directory);
  const cProgram = "program" in compiled ? compiled.program : null;
  if ("why" in compiled) {
    print(`No C beside it, TypeScript's figures alone: ${compiled.why}`);
  }
  const reads = options.cases.some(({ file }) => file !== null);
  const fio = reads && options.fio && await hasFio();
  if (reads && options.fio && !fio) print("No fio beside it: not installed");
  const path = reads ? `${directory}/file` : null;
  if (path !== null) await writeNoise(path, options.mebibytes * 2 ** 20);
  const cpu = await cpuToShare();
  print(
    cpu === null
      ? "Contestants on any CPU: taskset is not installed"
      : `Contestants on CPU ${cpu}, those with SQPOLL on any`,
  );
  const beside = await cpuBeside(cpu);
  return { cProgram, fio, path, cpu, cpuBeside: beside, pairs, seconds };
}

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  // Where JSON is asked for, standard output holds nothing else.
  const print = options.json ? console.error : console.log;
  const header: string[] = [];
  const introduce = (line: string) => {
    header.push(line);
    print(line);
  };
  return await inFolder(options.directory, async (folder) => {
    for (const line of await machine()) introduce(line);
    introduce(`${options.pairs} pairs, ${options.seconds} s a sample`);
    const contest = await prepare(options, folder, introduce);
    print("");
    const results = await runCases(options.cases, contest, print);
    if (options.json) {
      console.log(JSON.stringify({ header, ...results }, null, 2));
    }
    return results.failures.length === 0 ? 0 : 1;
  });
}

/** `fs`, `cat` and `iops` have modules of their own, each with a `main` that gives the exit status. */
async function run([first = "", ...others]: string[]): Promise<number> {
  switch (first) {
    case "fs":
      return await (await import("./fs.ts")).main(others);
    case "cat":
      return await (await import("./cat.ts")).main(others);
    case "iops":
      return await (await import("./iops.ts")).main(others);
    default:
      return await main(Deno.args);
  }
}

if (import.meta.main) {
  try {
    Deno.exit(await run(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
