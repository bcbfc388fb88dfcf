/**
 * The tool of examples/iops.ts beside fio's io_uring engine: `deno task bench iops [options]`.
 *
 * Depth, batch, block, flags and file are the same, 4 KiB random reads, and the two take turns. The
 * tool takes the latency of each I/O meanwhile; fio is told to read no clock (`gtod_reduce`). With
 * SQPOLL the kernel's thread has a CPU of its own, the same for both.
 */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { IORING_SETUP_SQPOLL } from "../ffi/mod.ts";
import type { Settings } from "../examples/iops/settings.ts";
import type { Case } from "./cases.ts";
import { Child } from "./child.ts";
import { warm, writeNoise } from "./file.ts";
import { inFolder } from "./folder.ts";
import { hasFio, runFio } from "./fio.ts";
import { machine } from "./machine.ts";
import { integer, parse } from "./options.ts";
import { type Command, cpuBeside, cpuToShare } from "./pin.ts";
import { inTurns, ratios, type Spread, spread } from "./statistics.ts";

/** What the tool is to reach of fio's rate. */
const TARGET = 0.97;
const CONTESTANT = fileURLToPath(
  new URL("./iops_contestant.ts", import.meta.url),
);
/** How long the tool runs before it counts, in seconds. */
const WARM_UP = 0.5;

/** One way of reading that both have. */
interface Duel {
  readonly name: string;
  readonly depth: number;
  readonly file: "cached" | "direct";
  readonly fixed: boolean;
  readonly sqpoll: boolean;
}

const duels: readonly Duel[] = (["cached", "direct"] as const).flatMap(
  (file) => [
    duel(`${file}-32`, file, 32, {}),
    duel(`${file}-128`, file, 128, {}),
    duel(`${file}-32-fixed`, file, 32, { fixed: true }),
    duel(`${file}-32-sqpoll`, file, 32, { sqpoll: true }),
    duel(`${file}-32-sqpoll-fixed`, file, 32, { sqpoll: true, fixed: true }),
  ],
);

function duel(
  name: string,
  file: Duel["file"],
  depth: number,
  { fixed = false, sqpoll = false },
): Duel {
  return { name, file, depth, fixed, sqpoll };
}

/** How it is measured. */
interface DuelOptions {
  /** The file to read. */
  readonly path: string;
  /** The CPU for both, see `cpuToShare`. */
  readonly cpu: number | null;
  /** The CPU for the kernel's thread of SQPOLL. */
  readonly beside: number | null;
  /** How many turns each takes. */
  readonly pairs: number;
  /** How long a turn is. */
  readonly seconds: number;
}

/** What a duel came to; rates are I/Os a second. */
interface DuelResult {
  /** Which one. */
  readonly name: string;
  /** The tool's rate. */
  readonly tool: Spread;
  /** fio's rate. */
  readonly fio: Spread;
  /** The tool's over fio's, turn by turn. */
  readonly ratio: Spread;
  /** What it should reach. */
  readonly target: number;
}

/** The duel as bench/fio.ts knows it. */
function asCase({ name, file, depth, fixed, sqpoll }: Duel): Case {
  return {
    name,
    operation: fixed ? "read-fixed" : "read",
    batch: depth,
    setupFlags: sqpoll ? IORING_SETUP_SQPOLL : 0,
    file,
    target: TARGET,
    layer: "ring",
    rival: "c",
  };
}

function settingsOf(
  { depth, file, fixed, sqpoll }: Duel,
  beside: number | null,
): Partial<Settings> {
  return {
    depth,
    batch: depth,
    complete: depth,
    direct: file === "direct",
    hits: false,
    fixedBuffers: fixed,
    // fio registers the file of its own accord with --sqthread_poll.
    fixedFiles: fixed || sqpoll,
    sqpoll,
    sqpollCpu: sqpoll ? beside ?? -1 : -1,
  };
}

function toolCommand(
  which: Duel,
  { path, cpu, beside }: DuelOptions,
): Command {
  const settings = JSON.stringify(settingsOf(which, beside));
  const program = Deno.execPath();
  const args = ["run", "--no-check", "-A", CONTESTANT, settings, path];
  return cpu === null
    ? { program, args }
    : { program: "taskset", args: ["-c", String(cpu), program, ...args] };
}

/** What fio is told where each may run. */
function places(
  { sqpoll }: Duel,
  { cpu, beside }: DuelOptions,
): readonly string[] {
  const own = cpu === null ? [] : [`--cpus_allowed=${cpu}`];
  return sqpoll && beside !== null
    ? [...own, `--sqthread_poll_cpu=${beside}`]
    : own;
}

async function runDuel(
  which: Duel,
  options: DuelOptions,
): Promise<DuelResult> {
  const { path, pairs, seconds } = options;
  const measured = asCase(which);
  const extra = places(which, options);
  await using child = await Child.start(toolCommand(which, options));
  const prepare = () => which.file === "cached" ? warm(path) : undefined;
  await prepare();
  await child.run(WARM_UP);
  const tool: number[] = [];
  const fio: number[] = [];
  const takeTool = async () => {
    const turn = await child.run(seconds);
    tool.push(turn.operations / turn.seconds);
  };
  const takeFio = async () => {
    fio.push(await runFio(measured, path, seconds, null, extra));
  };
  for (let pair = 0; pair < pairs; pair++) {
    for (const take of inTurns([takeTool, takeFio], pair)) {
      await prepare();
      await take();
    }
  }
  const name = which.name;
  const ratio = ratios(tool, fio);
  return { name, tool: spread(tool), fio: spread(fio), ratio, target: TARGET };
}

const WIDTH = Math.max(...duels.map(({ name }) => name.length));

function heading(): string {
  return `${
    "thousand a second".padEnd(WIDTH)
  }      tool       fio  ratio    min..max  target`;
}

function rowOf({ name, tool, fio, ratio, target }: DuelResult): string {
  const thousands = ({ median }: Spread) =>
    (median / 1000).toFixed(1).padStart(10);
  const { median, min, max } = ratio;
  const range = `${min.toFixed(2)}..${max.toFixed(2)}`;
  const met = median >= target ? "ok" : "no";
  return name.padEnd(WIDTH) + thousands(tool) + thousands(fio) +
    median.toFixed(3).padStart(7) + range.padStart(12) +
    `${target.toFixed(2)} ${met}`.padStart(8);
}

const USAGE = `Usage: deno task bench iops [options] [names...]

Measures examples/iops.ts beside fio, by turns. Runs every duel, or those that NAMES name, whole
(direct-32) or by a word of it (cached, direct, sqpoll, fixed).

      --pairs N      turns of each (default 7)
      --seconds S    how long a turn is (default 1)
      --size MIB     size of the file to read (default 256)
      --dir DIR      where the file is made (default: the directory for temporary files)
      --json         print JSON
  -h, --help         print this`;

/** `deno task bench iops`: gives the exit status. */
export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parse({
    args,
    allowPositionals: true,
    options: {
      pairs: { type: "string", default: "7" },
      seconds: { type: "string", default: "1" },
      size: { type: "string", default: "256" },
      dir: { type: "string", default: process.env["TMPDIR"] || "/tmp" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (!await hasFio()) {
    console.error("bench iops: fio is not installed");
    return 1;
  }
  const pairs = integer("--pairs", values.pairs, 1);
  const mebibytes = integer("--size", values.size, 1);
  const print = values.json ? console.error : console.log;
  return await inFolder(values.dir, async (folder) => {
    const header = await machine();
    header.forEach((line) => print(line));
    const path = `${folder}/file`;
    await writeNoise(path, mebibytes * 2 ** 20);
    const cpu = await cpuToShare();
    const beside = await cpuBeside(cpu);
    const seconds = Number(values.seconds);
    const options = { path, cpu, beside, pairs, seconds };
    const results = await runDuels(positionals, options, print);
    if (values.json) console.log(JSON.stringify({ header, results }, null, 2));
    return 0;
  });
}

async function runDuels(
  words: readonly string[],
  options: DuelOptions,
  print: (line: string) => void,
): Promise<DuelResult[]> {
  const chosen = words.length === 0
    ? duels
    : duels.filter(({ name }) =>
      words.some((word) => name === word || name.split("-").includes(word))
    );
  print(heading());
  const results: DuelResult[] = [];
  for (const which of chosen) {
    const result = await runDuel(which, options);
    results.push(result);
    print(rowOf(result));
  }
  return results;
}
