/** Runs `deno test` in child processes, and adds up what their reports say. @module */
import { parseJunit, type TestCase } from "./junit.ts";

/** One child process. */
export interface Job {
  /** What the summary calls it. */
  label: string;
  /** The arguments of deno. */
  args: string[];
  /** Whether it is a `deno test`, which leaves a report. */
  reports: boolean;
  /** Whether nothing else is to run meanwhile: it measures time, or takes all of a machine. */
  alone: boolean;
}

/** What came of one child process. */
export interface Outcome {
  /** The job's label. */
  label: string;
  /** The tests that it reported. */
  cases: TestCase[];
  /** What went wrong beyond failed tests: a crash, a hang, a type error; empty if nothing did. */
  trouble: string;
  /** All that the child printed. */
  output: string;
}

/** Sums over outcomes. */
export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

async function readReport(path: string): Promise<TestCase[] | undefined> {
  try {
    return parseJunit(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function troubleOf(
  status: Deno.CommandStatus,
  hung: number | undefined,
  job: Job,
  cases: TestCase[] | undefined,
): string {
  if (hung) return `still running after ${hung} s, killed`;
  if (status.signal) return `killed by ${status.signal}`;
  if (job.reports && !cases) {
    return `ended with status ${status.code} and without a report`;
  }
  const failures = cases?.filter((test) => test.outcome === "failed") ?? [];
  // An error that is no test's cancels tests, and is in no report.
  const explained = failures.length > 0 &&
    failures.every((test) => test.message !== "Cancelled");
  if (!status.success && !explained) return `status ${status.code}, see above`;
  return "";
}

/** The children, each the leader of a process group. */
const running = new Set<Deno.ChildProcess>();

/** Ends a child, and what it has started and left behind. */
function end({ pid }: Deno.ChildProcess): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // all are gone
  }
}

/** Ends every child that runs. */
export function endAll(): void {
  running.forEach(end);
}

/** To the file $0, so that both outputs keep their order, and nobody else's comes between. */
const CAPTURED = 'exec "$@" >"$0" 2>&1';

/**
 * Runs one child. What it leaves behind is ended with it.
 *
 * @param job what to run
 * @param scratch a directory for its report and its output
 * @param limit after how many seconds it counts as hanging, and is killed
 * @returns its tests, what it printed, and what else went wrong
 */
export async function run(
  job: Job,
  scratch: string,
  limit: number,
): Promise<Outcome> {
  const directory = await Deno.makeTempDir({ dir: scratch });
  const [report, printed] = [`${directory}/report.xml`, `${directory}/output`];
  const args = job.reports ? [...job.args, `--junit-path=${report}`] : job.args;
  const child = new Deno.Command("sh", {
    args: ["-c", CAPTURED, printed, Deno.execPath(), ...args],
    stdin: "null",
    detached: true,
  }).spawn();
  running.add(child);
  let hung: number | undefined;
  const timer = setTimeout(() => {
    hung = limit;
    end(child);
  }, limit * 1000);
  const status = await child.status;
  clearTimeout(timer);
  running.delete(child);
  end(child);
  const cases = job.reports ? await readReport(report) : undefined;
  const output = await Deno.readTextFile(printed);
  await Deno.remove(directory, { recursive: true });
  return {
    label: job.label,
    cases: cases ?? [],
    trouble: troubleOf(status, hung, job, cases),
    output,
  };
}

/**
 * Runs jobs, each in a child of its own: several at a time, then one by one those that are to be
 * alone.
 *
 * @param jobs what to run
 * @param lanes how many at a time
 * @param act runs one of them; false: there is no time for more
 */
export async function inLanes(
  jobs: Job[],
  lanes: number,
  act: (job: Job) => Promise<boolean>,
): Promise<void> {
  const lane = async (queue: Iterator<Job>) => {
    for (;;) {
      const { value: job, done } = queue.next();
      if (done === true || !(await act(job))) return;
    }
  };
  const { together = [], alone = [] } = Object.groupBy(
    jobs,
    (job) => job.alone ? "alone" : "together",
  );
  const queue = together.values();
  await Promise.all(Array.from({ length: lanes }, () => lane(queue)));
  await lane(alone.values());
}

/** Whether anything went wrong with it. */
export function hasFailed({ cases, trouble }: Outcome): boolean {
  return trouble !== "" || cases.some(({ outcome }) => outcome === "failed");
}

/**
 * What counts when some children ran a second time.
 *
 * @param first how each did
 * @param second how those did that ran again
 * @returns what counts of each, and the first outcomes of those that went well only then
 */
export function reconsider(
  first: Outcome[],
  second: Outcome[],
): { counted: Outcome[]; mended: Outcome[] } {
  const redone = new Map(second.map((outcome) => [outcome.label, outcome]));
  const counted = first.map((outcome) => redone.get(outcome.label) ?? outcome);
  const mended = first.filter((outcome, at) =>
    hasFailed(outcome) && !hasFailed(counted[at] ?? outcome)
  );
  return { counted, mended };
}

/**
 * Adds up tests. Trouble that is no test's counts as one failure.
 *
 * @param outcomes of all jobs
 * @returns how many tests passed, failed and were skipped
 */
export function total(outcomes: Outcome[]): Totals {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  for (const { cases, trouble } of outcomes) {
    for (const { outcome } of cases) totals[outcome]++;
    if (trouble) totals.failed++;
  }
  return totals;
}

/** The line that ends every run: `12 passed, 0 failed, 3 skipped`. */
export function summary({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
