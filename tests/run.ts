/**
 * Runs the tests and the documentation's examples: `deno task test [PART-OF-A-PATH | --FLAG]...`
 *
 * Arguments choose files by a part of their path; flags go to `deno test` (`--filter=NAME`), but
 * for these:
 *
 *     --no-types          leaves out the check of types
 *     --within=SECONDS    begins with no more files after that time
 *     --hang=SECONDS      a file that takes longer is ended; by default 240
 *     --again             what failed has a second run, when nothing else runs, and that one counts:
 *                         for a machine that judges changes, and may be busy
 *
 * Each test file has a process of its own: a crash or a hang loses one file. Two run at a time, and
 * what each printed comes whole when it is done; but those that measure time, or share limits such
 * as locked memory, run alone. The examples run once for each room. Who asks it to stop, by Ctrl-C
 * or SIGTERM, ends what runs, and is told how far it came.
 *
 * What failed is told again at the end, with the whole error, and so is what failed the first time
 * only. The last line says how many tests passed, failed and were skipped; a step counts as a test.
 *
 * @module
 */
import { plain, type TestCase } from "./support/junit.ts";
import {
  endAll,
  hasFailed,
  inLanes,
  type Job,
  type Outcome,
  reconsider,
  run,
  summary,
  total,
} from "./support/suite.ts";

const ROOT = new URL("../", import.meta.url);

/** Folders without documentation that is meant to run. */
const UNDOCUMENTED = new Set(["tests", "tools", "node_modules"]);

/** Tests of rings themselves, and of how fast something is. */
const ALONE = /^tests\/(kernel|proactor|examples\/iops)/;

/** How many jobs run at a time: each has threads of its own, and some of the kernel's. */
const LANES = Math.min(navigator.hardwareConcurrency, 2);

/** A file that takes longer than that hangs, in seconds. */
const HANG = 240;
const SLOW_SECONDS = 1;
const SLOWEST_SHOWN = 10;
/** How many failures are told in full, and how many lines of each. */
const FAILURES_SHOWN = 20;
const LINES_SHOWN = 40;

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(new URL(folder || "./", ROOT))) {
    const path = folder + entry.name;
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory) yield* walk(`${path}/`);
    else yield path;
  }
}

async function filesUnder(folder: string): Promise<string[]> {
  return (await Array.fromAsync(walk(folder))).sort();
}

/** The room that a file's examples run with: its top folder, or "top" for the project's own. */
function roomOf(path: string): string {
  const [room = "", inside] = path.split("/");
  return inside === undefined || room === "docs" ? "top" : room;
}

function testArguments(...more: string[]): string[] {
  // The memory tests call gc().
  return ["test", "--allow-all", "--v8-flags=--expose-gc", ...more];
}

async function jobsFor(selected: (path: string) => boolean, flags: string[]) {
  const files = (await filesUnder("")).filter(selected);
  const tests = files.filter((path) => path.endsWith(".test.ts"));
  const documented = files.filter((path) =>
    /\.(ts|md)$/.test(path) && !path.endsWith(".test.ts") &&
    !UNDOCUMENTED.has(roomOf(path))
  );
  const jobs: Job[] = [];
  if (tests.length > 0) {
    const args = ["check", "--quiet", ...tests];
    jobs.push({ label: "types", args, reports: false, alone: false });
  }
  for (const path of tests) {
    // Checked all at once above, as one check for each file takes much longer.
    const args = testArguments("--no-check", ...flags, path);
    jobs.push({ label: path, args, reports: true, alone: ALONE.test(path) });
  }
  for (const [room, paths] of Map.groupBy(documented, roomOf)) {
    const args = testArguments(
      "--doc",
      "--quiet", // not a line for each check, nor what they print
      "--preload=tests/support/preload.ts",
      ...flags,
      ...paths,
    );
    const label = `examples in ${room}`;
    jobs.push({ label, args, reports: true, alone: false });
  }
  return jobs;
}

/**
 * What a test is called: by the file that runs it, which need not be the one that it is written in.
 * An example's own name would only repeat its file, as an absolute URL.
 */
function nameOf(label: string, { file, name }: TestCase): string {
  return name.startsWith("file:") ? file : `${label}: ${name}`;
}

function printSlowest(outcomes: Outcome[]): void {
  const all = outcomes.flatMap(({ label, cases }) =>
    cases.map((test) => ({ name: nameOf(label, test), seconds: test.seconds }))
  );
  const slow = all.filter(({ seconds }) => seconds >= SLOW_SECONDS)
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, SLOWEST_SHOWN);
  if (slow.length === 0) return;
  console.log("\nslowest:");
  for (const { name, seconds } of slow) {
    console.log(`${seconds.toFixed(1).padStart(7)} s  ${name}`);
  }
}

/** What went wrong with a job: a paragraph for each failure. */
function* failuresOf({ label, cases, trouble, output }: Outcome) {
  const paragraph = (where: string, lines: string[]) =>
    [`  ${where}`, ...lines.map((line) => `    ${line}`)].join("\n");
  for (const test of cases) {
    if (test.outcome !== "failed") continue;
    const lines = test.message.split("\n");
    yield paragraph(nameOf(label, test), lines.slice(0, LINES_SHOWN));
  }
  if (trouble === "") return;
  const lines = plain(output).trimEnd().split("\n");
  yield paragraph(`${label}: ${trouble}`, lines.slice(-LINES_SHOWN));
}

function printFailures(title: string, outcomes: Outcome[]): void {
  const failures = outcomes.flatMap((outcome) => [...failuresOf(outcome)]);
  if (failures.length === 0) return;
  console.log(`\n${title}:`);
  for (const [at, failure] of failures.entries()) {
    const [where] = failure.split("\n", 1);
    console.log(at < FAILURES_SHOWN ? `${failure}\n` : where);
  }
}

/** How much time there is. */
interface Times {
  /** When the last may begin, as `performance.now()`. */
  deadline: number;
  /** How long each may take, in seconds. */
  readonly limit: number;
}

/** Runs each in a child process, for as long as there is time. */
async function runAll(
  jobs: Job[],
  lanes: number,
  times: Times,
): Promise<Outcome[]> {
  const scratch = await Deno.makeTempDir({ prefix: "uring-tests-" });
  try {
    const outcomes: Outcome[] = [];
    const left = new Set(jobs);
    await inLanes(jobs, lanes, async (job) => {
      if (performance.now() > times.deadline) return false;
      left.delete(job);
      const outcome = await run(job, scratch, times.limit);
      console.log(outcome.output.trimEnd());
      outcomes.push(outcome);
      return true;
    });
    const labels = Array.from(left, ({ label }) => label);
    if (labels.length > 0) console.log(`\nno time for: ${labels.join(", ")}`);
    return outcomes;
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Runs what failed once more, one by one, and gives what counts then. */
async function runAgain(
  outcomes: Outcome[],
  jobs: Job[],
  times: Times,
): Promise<Outcome[]> {
  const failed = new Set(outcomes.filter(hasFailed).map(({ label }) => label));
  if (failed.size === 0) return outcomes;
  const again = jobs.filter(({ label }) => failed.has(label));
  const second = await runAll(again, 1, times);
  const { counted, mended } = reconsider(outcomes, second);
  printFailures("failed the first time, and passed the second", mended);
  return counted;
}

/** Who is asked to stop ends what runs, and says how far it came. */
function stopOnSignals(times: Times): void {
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      times.deadline = -Infinity;
      endAll();
    });
  }
}

async function main(args: string[]): Promise<number> {
  Deno.chdir(ROOT);
  const options = args.filter((argument) => argument.startsWith("-"));
  const own = /^--(no-types|again|within=\d+|hang=\d+)$/;
  const flags = options.filter((option) => !own.test(option));
  const seconds = (name: string, otherwise: number) => {
    const given = options.find((option) => option.startsWith(`--${name}=`));
    return Number(given?.split("=")[1] ?? otherwise);
  };
  const times: Times = {
    deadline: performance.now() + seconds("within", Infinity) * 1000,
    limit: seconds("hang", HANG),
  };
  stopOnSignals(times);
  const parts = args.filter((argument) => !argument.startsWith("-"))
    .map((part) => part.replace(/^\.\//, ""));
  const jobs = await jobsFor(
    (path) => parts.length === 0 || parts.some((part) => path.includes(part)),
    flags,
  );
  const chosen = options.includes("--no-types")
    ? jobs.filter(({ label }) => label !== "types")
    : jobs;
  const first = await runAll(chosen, LANES, times);
  const outcomes = options.includes("--again")
    ? await runAgain(first, chosen, times)
    : first;
  printSlowest(outcomes);
  printFailures("failed", outcomes);
  const totals = total(outcomes);
  const ran = totals.passed + totals.failed > 0;
  if (!ran) console.log("\nno test ran");
  console.log(`\n${summary(totals)}`);
  return ran && totals.failed === 0 ? 0 : 1;
}

Deno.exit(await main(Deno.args));
