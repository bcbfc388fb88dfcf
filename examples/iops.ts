/**
 * How many I/Os a second, and how long each takes: `deno run -A examples/iops.ts [OPTION]... [FILE]...`
 *
 * Each way in which io_uring submits and completes is an option, and `--compare` runs several by
 * turns: `--compare plain,sqpoll,fixed,workers=4 --warm FILE`. docs/submission.md says what they
 * are worth.
 *
 * Every second it prints I/Os a second, bandwidth, I/Os for each system call, how many are in
 * flight, latencies, how many reads the page cache had, and what the SQPOLL thread takes of a CPU.
 *
 * @module
 */

import { parse, type Plan, USAGE } from "./iops/arguments.ts";
import { type Curve, drawSvg, htmlPage } from "./iops/chart.ts";
import {
  amount,
  describe,
  grouped,
  latency,
  type Line,
  textOf,
} from "./iops/report.ts";
import {
  compare,
  type Comparison,
  measure,
  type Run,
  type Spread,
} from "./iops/run.ts";
import { Refusal } from "./iops/settings.ts";
import {
  checkTargets,
  dropPages,
  exists,
  findTarget,
  makeTarget,
  type Target,
  warmPages,
} from "./iops/targets.ts";

/** What is told of the machine beside the figures. */
function machine(): string {
  const { deno, v8 } = Deno.version;
  return `Linux ${Deno.osRelease()} ${Deno.build.arch}, ${navigator.hardwareConcurrency} CPUs, ` +
    `Deno ${deno} (V8 ${v8})`;
}

/** Collects what is printed: a page shows it too. */
class Printer {
  readonly text: string[] = [];

  /** With `quiet`, as for JSON, standard output has nothing but the result. */
  constructor(readonly quiet: boolean) {}

  print(line: string): void {
    this.text.push(line);
    if (!this.quiet) console.log(line);
  }
}

/** The files to measure. What is made without a name goes with the disposal. */
class Files implements Disposable {
  readonly targets: readonly Target[];
  #temporary: string | undefined;

  constructor(plan: Plan, printer: Printer) {
    const isNop = ({ settings }: Plan["modes"][number]) =>
      settings.operation === "nop";
    if (plan.modes.every(isNop)) {
      this.targets = [];
      return;
    }
    const make = (path: string) => {
      printer.print(`making ${path}, ${amount(plan.size)}`);
      return makeTarget(path, plan.size);
    };
    if (plan.files.length === 0) {
      const name = `iops-${crypto.randomUUID().slice(0, 8)}`;
      this.#temporary = `${plan.directory}/${name}`;
      this.targets = [make(this.#temporary)];
    } else {
      this.targets = plan.files.map((path) =>
        exists(path) ? findTarget(path) : make(path)
      );
    }
    try {
      for (const { settings } of plan.modes) {
        checkTargets(this.targets, settings, plan.yes);
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    if (plan.cache === "drop") this.targets.forEach(dropPages);
    if (plan.cache === "warm") this.targets.forEach(warmPages);
  }

  [Symbol.dispose](): void {
    if (this.#temporary !== undefined) Deno.removeSync(this.#temporary);
    this.#temporary = undefined;
  }
}

/** Ends a measurement early by Ctrl-C, with the summary of what there is. */
class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #listener = () => this.#controller.abort();

  constructor() {
    Deno.addSignalListener("SIGINT", this.#listener);
    Deno.addSignalListener("SIGTERM", this.#listener);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#listener);
    Deno.removeSignalListener("SIGTERM", this.#listener);
  }
}

async function runOne(
  plan: Plan,
  files: Files,
  stop: AbortSignal,
  printer: Printer,
): Promise<Run[]> {
  const [mode] = plan.modes;
  if (mode === undefined) throw new Refusal("nothing to measure");
  printer.print(describe(mode.settings));
  const run = await measure(mode, plan, files.targets, stop, (line) => {
    printer.print(textOf(line));
  });
  printer.print("all");
  printer.print(textOf(run.summary));
  return [run];
}

async function runSeveral(
  plan: Plan,
  files: Files,
  stop: AbortSignal,
  printer: Printer,
): Promise<Comparison[]> {
  const [first] = plan.modes;
  if (first !== undefined) printer.print(describe(first.settings));
  const width = Math.max(...plan.modes.map(({ name }) => name.length));
  const runs = await compare(plan, files.targets, stop, (mode, line) => {
    printer.print(`${mode.name.padEnd(width)}${textOf(line)}`);
  });
  printer.print(
    `\n${
      "".padEnd(width)
    }        IOPS  ratio    min..max       p50       p99    a call  CPU of sqpoll`,
  );
  for (const run of runs) printer.print(row(run, width));
  return runs;
}

/** A row of the comparison's table. */
function row(
  { mode, iops, ratio, summary }: Comparison,
  width: number,
): string {
  const { p50, p99, perCall, sqThread } = summary;
  return [
    mode.name.padEnd(width),
    grouped(iops.median).padStart(12),
    ratio.median.toFixed(2).padStart(7),
    range(ratio).padStart(12),
    latency(p50).padStart(10),
    latency(p99).padStart(10),
    (perCall === null ? "no calls" : perCall.toFixed(1)).padStart(10),
    (sqThread === null ? "-" : `${(100 * sqThread).toFixed(0)} %`).padStart(15),
  ].join("");
}

function range({ min, max }: Spread): string {
  return `${min.toFixed(2)}..${max.toFixed(2)}`;
}

/** What goes out beside the text: JSON, SVG, HTML. */
async function deliver(
  { json, svg, html, compare }: Plan,
  runs: readonly (Run | Comparison)[],
  printer: Printer,
): Promise<void> {
  if (json) {
    const report = { machine: machine(), runs: runs.map(plainRun) };
    console.log(JSON.stringify(report, null, 2));
  }
  if (svg === undefined && html === undefined) return;
  const [first] = runs;
  if (first === undefined) return;
  const title = compare
    ? "iops: modes compared"
    : describe(first.mode.settings);
  const curves: Curve[] = runs.map(({ mode, lines }) => {
    return { name: mode.name, lines };
  });
  const picture = await drawSvg(title, curves);
  if (svg !== undefined) await Deno.writeTextFile(svg, picture);
  if (html === undefined) return;
  const report = [machine(), ...printer.text].join("\n");
  await Deno.writeTextFile(html, htmlPage(title, picture, report));
}

/** A run as JSON has it. */
function plainRun(run: Run | Comparison): unknown {
  const { mode, ringFlags, backend, lines, summary } = run;
  const compared = "ratio" in run ? { iops: run.iops, ratio: run.ratio } : {};
  return {
    mode: mode.name,
    settings: mode.settings,
    ringFlags,
    backend,
    ...compared,
    seconds: lines satisfies readonly Line[],
    summary,
  };
}

/**
 * Measures what a command line asks for, prints it, and gives the exit status: 0; 1 if an I/O or
 * a ring failed; 2 for a command line that makes no sense.
 *
 * @param args the command line, see `--help`.
 * @example
 * ```ts
 * import { iops } from "@uring/uring/examples/iops";
 * import { assertEquals } from "@std/assert";
 *
 * const status = await iops(["--nop", "--runtime=0.1"]);
 * assertEquals(status, 0);
 * assertEquals(await iops(["--polled", "--buffered"]), 2); // polling needs O_DIRECT
 * ```
 */
export async function iops(args: string[]): Promise<number> {
  try {
    const plan = parse(args);
    if (plan === undefined) {
      console.log(USAGE);
      return 0;
    }
    const printer = new Printer(plan.json);
    printer.print(machine());
    using interrupt = new Interrupt();
    using files = new Files(plan, printer);
    const run = plan.compare ? runSeveral : runOne;
    const runs = await run(plan, files, interrupt.signal, printer);
    await deliver(plan, runs, printer);
    return 0;
  } catch (error) {
    // What a file, the kernel or Deno does not allow is said in a sentence.
    const expected = error instanceof Error &&
      (error instanceof Refusal || error instanceof Deno.errors.NotCapable ||
        "code" in error || error.constructor === Error);
    if (!expected) throw error;
    console.error(`iops: ${error.message}`);
    return error instanceof Refusal ? 2 : 1;
  }
}

if (import.meta.main) Deno.exit(await iops(Deno.args));
