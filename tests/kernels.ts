/**
 * Runs the tests under other kernels: `deno task test:kernels [OPTION]... [PART-OF-A-PATH]...`
 *
 *     --kernels 5.10,7.2   which; by default 5.10, 6.1, 6.12 and 7.2
 *     --nvme               with an NVMe drive whose queues poll
 *     --all                also what no kernel has a part in, and what takes long
 *     --jobs N             so many machines at a time; by default 2
 *     --within SECONDS     each machine begins with no more files after that time
 *     --verbose            print what the machines print
 *
 * `tools/vm.sh` boots each in QEMU, with this machine's Deno and files: its head says what it
 * needs. Without hardware virtualization a machine is some ten times slower. So what runs, but
 * for `--all` or parts of paths, is what differs from kernel to kernel.
 *
 * Prints what failed, and a table; the last line sums up, as that of `deno task test`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { summary, type Totals } from "./support/suite.ts";

const ROOT = new URL("../", import.meta.url);
const KERNELS = "5.10,6.1,6.12,7.2";

/** What a kernel has a part in; the examples that are commands take minutes each. */
const PARTS = [
  "tests/kernel",
  "tests/proactor",
  "tests/fs",
  "tests/examples/probe",
];

/** As much as there is to spare: a machine takes only what it touches. */
const MEMORY = 6144;
/** For a whole run, in seconds: for a machine that hangs, not for one that is slow. */
const LIMIT = 5400;

/** What came of one kernel. */
interface Result extends Totals {
  readonly kernel: string;
  /** Its release; empty if it did not boot. */
  readonly release: string;
  readonly seconds: number;
  /** What failed, or why there is nothing to count. */
  readonly trouble: string;
}

interface Options {
  readonly kernels: readonly string[];
  readonly parts: readonly string[];
  readonly nvme: boolean;
  readonly jobs: number;
  readonly within: number | undefined;
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
      verbose: { type: "boolean", default: false },
    },
  });
  const { nvme, verbose, all, within } = values;
  return {
    kernels: values.kernels.split(","),
    parts: positionals.length > 0 ? positionals : all ? [] : PARTS,
    nvme,
    jobs: Math.max(Number(values.jobs), 1),
    within: within === undefined ? undefined : Number(within),
    verbose,
  };
}

/** The command line of a machine, up to what it runs. */
function machine(kernel: string, { nvme, jobs }: Options): string[] {
  const cpus = Math.max(Math.floor(navigator.hardwareConcurrency / jobs), 2);
  const { pathname: root } = ROOT;
  return [
    ...["--kernel", kernel, "--smp", `${cpus}`, "--mem", `${MEMORY}`],
    ...["--timeout", `${LIMIT}`, "--share", root, "--cwd", root],
    ...["--env", "NO_COLOR=1", "--env", "DENO_NO_UPDATE_CHECK=1"],
    // This machine's cache cannot be written to where a kernel has no overlay for virtiofs.
    ...["--env", "DENO_DIR=/mnt/tmp/deno"],
    // ext4 has what tmpfs lacks: O_DIRECT on old kernels, holes that can be asked for.
    ...(hasExt4() ? ["--disk", "ext4"] : []),
    ...(nvme ? ["--nvme"] : []),
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
    ...(within === undefined ? [] : [`--within=${within}`]),
    ...parts,
  ];
}

const SUMMARY = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

/** What a machine's output says, given how the machine ended. */
export function readOutput(
  output: string,
  code: number,
): Omit<Result, "kernel" | "seconds"> {
  const lines = output.trimEnd().split("\n");
  const counts = SUMMARY.exec(lines.at(-1) ?? "");
  const release = /^\d+\.\d+\S*$/.exec(lines[0] ?? "")?.[0] ?? "";
  if (counts === null) {
    const last = lines.slice(-20).join("\n");
    const trouble = `ended with status ${code} and without a summary:\n${last}`;
    return { release, passed: 0, failed: 1, skipped: 0, trouble };
  }
  const [passed = 0, failed = 0, skipped = 0] = counts.slice(1).map(Number);
  const told = lines.findLastIndex((line) => line === "failed:");
  const left = lines.find((line) => line.startsWith("no time for: ")) ?? "";
  const trouble = [left, ...(told < 0 ? [] : lines.slice(told + 1, -2))]
    .filter((line) => line !== "").join("\n");
  return { release, passed, failed, skipped, trouble };
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

async function boot(
  kernel: string,
  given: Options,
): Promise<{ code: number; output: string }> {
  const child = new Deno.Command(`${ROOT.pathname}tools/vm.sh`, {
    args: [...machine(kernel, given), "--", ...guest(given)],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [output, complaints, { code }] = await Promise.all([
    collect(child.stdout, given.verbose),
    collect(child.stderr, given.verbose),
    child.status,
  ]);
  return { code, output: output.trim() === "" ? complaints : output };
}

async function runUnder(kernel: string, given: Options): Promise<Result> {
  const start = performance.now();
  let { code, output } = await boot(kernel, given);
  if (code === DIED) {
    // QEMU's emulation, several threads of it, makes a kernel crash now and then.
    console.log(`Linux ${kernel}: the machine died, once more`);
    ({ code, output } = await boot(kernel, given));
  }
  const seconds = Math.round((performance.now() - start) / 1000);
  const result = readOutput(output, code);
  const { release, trouble } = result;
  console.log(`Linux ${release || kernel}: ${summary(result)}`);
  if (trouble !== "") console.log(`${trouble}\n`);
  return { kernel, seconds, ...result };
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
  const results = await mapSome(
    given.kernels,
    given.jobs,
    (kernel) => runUnder(kernel, given),
  );
  console.log(`\n${table(results)}`);
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const result of results) {
    totals.passed += result.passed;
    totals.failed += result.failed;
    totals.skipped += result.skipped;
  }
  console.log(`\n${summary(totals)}`);
  return totals.failed === 0 && totals.passed > 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
