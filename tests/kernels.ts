/**
 * Runs the tests under other kernels: `deno task test:kernels [OPTION]... [PART-OF-A-PATH]...`
 *
 *     --kernels 5.10,7.2   which; by default 5.10, 6.1, 6.12 and 7.2
 *     --nvme               with an NVMe drive whose queues poll
 *     --all                also what no kernel has a part in, and what takes long
 *     --jobs N             so many machines at a time; by default 2
 *     --within SECONDS     each machine begins with no more files after that time
 *     --limit SECONDS      each kernel ends after that time; by default 5400
 *     --lenient            what emulation may be to blame for is skipped, as told below
 *     --add SUMMARY        adds these figures, `1 passed, 0 failed, 0 skipped`, to the last line
 *     --verbose            print what the machines print
 *
 * `tools/vm.sh` boots each in QEMU, with this machine's Deno and files: its head says what it
 * needs. Without hardware virtualization a machine is some ten times slower. So what runs, but
 * for `--all` or parts of paths, is what differs from kernel to kernel.
 *
 * Emulation is not reliable: a kernel may crash, or stand still. `--lenient` is for a machine that
 * judges changes by the exit status. A kernel that did not come to an end there counts as one
 * skipped test, and files with failures run again, in another machine, whose processors take turns
 * on one thread: then the second time counts, as with `--again` of `run.ts`.
 *
 * Prints what failed, and a table; the last line sums up, as that of `deno task test`.
 *
 * @module
 */

import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { summary, type Totals } from "./support/suite.ts";

const ROOT = new URL("../", import.meta.url);
const KERNELS = "5.10,6.1,6.12,7.2";

/** What a kernel has a part in; the examples that are commands take minutes each. */
const PARTS = [
  "tests/kernel",
  "tests/proactor",
  "tests/fs",
  "tests/faults",
  "tests/examples/probe",
];

/** MiB, if there is as much to spare: a machine takes only what it touches. */
const MEMORY = 6144;
/** In seconds: for a machine that hangs, not for one that is slow. */
const LIMIT = "5400";
/** A test file that takes longer than that hangs, in seconds: emulated, some take minutes. */
const HANG = 1200;
/** Less than that is no time to boot and to run a file again, in seconds. */
const SHORTEST = 30;

/** What a machine's output says. */
interface Reading extends Totals {
  /** The kernel's release; empty if it did not boot. */
  readonly release: string;
  /** Whether the tests came to an end. */
  readonly ended: boolean;
  /** Whether there were some, too, and time for all. */
  readonly complete: boolean;
  /** What failed, or why there is nothing to count. */
  readonly trouble: string;
}

/** What came of one kernel. */
interface Result extends Reading {
  readonly kernel: string;
  readonly seconds: number;
}

interface Options {
  readonly kernels: readonly string[];
  readonly parts: readonly string[];
  readonly nvme: boolean;
  readonly jobs: number;
  readonly within: number | undefined;
  readonly limit: number;
  readonly lenient: boolean;
  /** Whether a machine's processors take turns on one thread. */
  readonly takeTurns: boolean;
  readonly add: Totals;
  readonly verbose: boolean;
}

function options(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      kernels: { type: "string", default: KERNELS },
      nvme: { type: "boolean", default: false },
      all: { type: "boolean", default: false },
      jobs: { type: "string", default: "2" },
      within: { type: "string" },
      limit: { type: "string", default: LIMIT },
      lenient: { type: "boolean", default: false },
      add: { type: "string", default: "0 passed, 0 failed, 0 skipped" },
      verbose: { type: "boolean", default: false },
    },
  });
  const { nvme, verbose, all, within, lenient } = values;
  const add = readSummary(values.add);
  if (add === undefined) {
    throw new TypeError(`--add: no summary: ${values.add}`);
  }
  return {
    kernels: values.kernels.split(","),
    parts: positionals.length > 0 ? positionals : all ? [] : PARTS,
    nvme,
    jobs: Math.max(Number(values.jobs), 1),
    within: within === undefined ? undefined : Number(within),
    limit: Number(values.limit),
    lenient,
    takeTurns: false,
    add,
    verbose,
  };
}

/** The command line of a machine, up to what it runs. */
function machine(
  kernel: string,
  { nvme, jobs, limit, takeTurns }: Options,
): string[] {
  const cpus = Math.max(Math.floor(navigator.hardwareConcurrency / jobs), 2);
  const spare = Deno.systemMemoryInfo().available / 2 ** 20 / jobs;
  const memory = Math.floor(Math.min(MEMORY, spare));
  const { pathname: root } = ROOT;
  return [
    ...["--kernel", kernel, "--smp", `${cpus}`, "--mem", `${memory}`],
    ...["--timeout", `${limit}`, "--cwd", root],
    ...["--share", root, "--share", dirname(Deno.execPath())],
    ...["--env", "NO_COLOR=1", "--env", "DENO_NO_UPDATE_CHECK=1"],
    // This machine's cache cannot be written to where a kernel has no overlay for virtiofs.
    ...["--env", "DENO_DIR=/mnt/tmp/deno"],
    // ext4 has what tmpfs lacks: O_DIRECT on old kernels, holes that can be asked for.
    ...(hasExt4() ? ["--disk", "ext4"] : []),
    ...(nvme ? ["--nvme"] : []),
    ...(takeTurns ? ["--accel", "tcg1"] : []),
  ];
}

function hasExt4(): boolean {
  try {
    new Deno.Command("mkfs.ext4", { args: ["-V"], stderr: "null" })
      .outputSync();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What a machine runs: it says which kernel it is, then runs the tests. */
function guest({ parts, within }: Options): string[] {
  return [
    ...["sh", "-c", 'uname -r; exec "$0" "$@"', Deno.execPath()],
    ...["run", "--allow-all", "tests/run.ts", "--no-types"],
    `--hang=${HANG}`,
    ...(within === undefined ? [] : [`--within=${within}`]),
    ...parts,
  ];
}

const SUMMARY = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

function readSummary(line: string): Totals | undefined {
  const counts = SUMMARY.exec(line)?.slice(1).map(Number);
  if (counts === undefined) return undefined;
  const [passed = 0, failed = 0, skipped = 0] = counts;
  return { passed, failed, skipped };
}

/** What a machine's output says, given how the machine ended. */
export function readOutput(output: string, code: number): Reading {
  const lines = output.trimEnd().split("\n");
  const counts = readSummary(lines.at(-1) ?? "");
  const release = /^\d+\.\d+\S*$/.exec(lines[0] ?? "")?.[0] ?? "";
  if (counts === undefined) {
    const last = lines.slice(-20).join("\n");
    const trouble = `ended with status ${code} and without a summary:\n${last}`;
    const failed = { passed: 0, failed: 1, skipped: 0 };
    return { release, ended: false, complete: false, ...failed, trouble };
  }
  const told = lines.findLastIndex((line) => line === "failed:");
  const left = lines.find((line) => line.startsWith("no time for: ")) ?? "";
  const trouble = [left, ...(told < 0 ? [] : lines.slice(told + 1, -2))]
    .filter((line) => line !== "").join("\n");
  const complete = left === "" && counts.passed + counts.failed > 0;
  return { release, ended: true, complete, ...counts, trouble };
}

/** The files to run again; none where something has failed that is of no file. */
export function failedFiles(output: string): string[] {
  const lines = output.split("\n");
  const told = lines.findLastIndex((line) => line === "failed:");
  const failures = told < 0
    ? []
    : lines.slice(told).filter((line) => /^ {2}\S/.test(line));
  const files = new Set(
    failures.map((line) =>
      /^ {2}(?:\.\/)?([^\s:$]+\.(?:ts|md))\b/.exec(line)?.[1] ?? ""
    ),
  );
  return files.has("") ? [] : [...files];
}

/**
 * What a kernel comes to whose failed files ran again: the second time counts. What had no second
 * time is not known to be the kernel's fault, and skipped.
 */
export function reconsider(first: Reading, second: Reading): Reading {
  const failed = second.ended ? second.failed : 0;
  const mended = Math.max(first.failed - failed, 0);
  return {
    ...first,
    passed: first.passed + (second.complete ? mended : 0),
    failed,
    skipped: first.skipped + (second.complete ? 0 : mended),
    trouble: `${first.trouble}\nonce more: ${
      second.trouble || (second.complete ? "all passed" : "nothing ran")
    }`,
  };
}

async function collect(
  stream: ReadableStream<Uint8Array>,
  echo: boolean,
): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (echo) await Deno.stdout.write(new TextEncoder().encode(part));
  }
  return text;
}

/** What `tools/vm.sh` ends with where the machine died. */
const DIED = 125;

/** The machines that run, each by the process that sees to its end. */
const machines = new Set<Deno.ChildProcess>();

/** They are process groups of their own, which Ctrl-C does not reach. */
function stopOnSignals(): void {
  const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
  for (const [signal, status] of Object.entries(signals)) {
    Deno.addSignalListener(signal as Deno.Signal, () => {
      for (const running of machines) running.kill("SIGTERM");
      Deno.exit(status);
    });
  }
}

async function boot(
  kernel: string,
  given: Options,
  seconds: number,
): Promise<{ code: number; output: string }> {
  // The limit is for all that goes before the machine too, such as fetching a kernel.
  const limited = ["-k", "10", `${seconds}`, `${ROOT.pathname}tools/vm.sh`];
  const child = new Deno.Command("timeout", {
    args: [...limited, ...machine(kernel, given), "--", ...guest(given)],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  machines.add(child);
  const [output, complaints, { code }] = await Promise.all([
    collect(child.stdout, given.verbose),
    collect(child.stderr, given.verbose),
    child.status,
  ]);
  machines.delete(child);
  return { code, output: output.trim() === "" ? complaints : output };
}

/** Runs the tests, and once more what a mistake of the emulation may have ended. */
async function attempts(kernel: string, given: Options): Promise<Reading> {
  const end = performance.now() + 1000 * given.limit;
  const left = () => Math.floor((end - performance.now()) / 1000);
  let { code, output } = await boot(kernel, given, left());
  if (code === DIED && left() >= SHORTEST) {
    // QEMU's emulation, several threads of it, makes a kernel crash now and then.
    console.log(`Linux ${kernel}: the machine died, once more`);
    ({ code, output } = await boot(kernel, given, left()));
  }
  const first = readOutput(output, code);
  if (!given.lenient) return first;
  if (!first.ended) return { ...first, failed: 0, skipped: 1 };
  const parts = failedFiles(output);
  if (parts.length === 0 || left() < SHORTEST) return first;
  const again = { ...given, parts, takeTurns: true };
  ({ code, output } = await boot(kernel, again, left()));
  return reconsider(first, readOutput(output, code));
}

async function runUnder(kernel: string, given: Options): Promise<Result> {
  const start = performance.now();
  const reading = await attempts(kernel, given);
  const seconds = Math.round((performance.now() - start) / 1000);
  const { release, trouble } = reading;
  console.log(`Linux ${release || kernel}: ${summary(reading)}`);
  if (trouble !== "") console.log(`${trouble}\n`);
  return { kernel, seconds, ...reading };
}

/** Runs something for each, so many at a time; the results in the order of the list. */
async function mapSome<T, R>(
  list: readonly T[],
  jobs: number,
  action: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const entries = list.entries();
  const worker = async () => {
    for (const [index, item] of entries) results[index] = await action(item);
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return results;
}

function table(results: readonly Result[]): string {
  const rows = [
    ["kernel", "release", "passed", "failed", "skipped", "seconds"],
    ...results.map(({ kernel, release, passed, failed, skipped, seconds }) =>
      [kernel, release || "-", passed, failed, skipped, seconds].map(String)
    ),
  ];
  const widths =
    rows[0]?.map((_, column) =>
      Math.max(...rows.map((row) => row[column]?.length ?? 0))
    ) ?? [];
  return rows.map((row) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column < 2 ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  ).join("\n");
}

async function main(args: string[]): Promise<number> {
  const given = options(args);
  stopOnSignals();
  const results = await mapSome(
    given.kernels,
    given.jobs,
    (kernel) => runUnder(kernel, given),
  );
  console.log(`\n${table(results)}`);
  const totals = { ...given.add };
  for (const result of results) {
    totals.passed += result.passed;
    totals.failed += result.failed;
    totals.skipped += result.skipped;
  }
  console.log(`\n${summary(totals)}`);
  return totals.failed === 0 && totals.passed > 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
