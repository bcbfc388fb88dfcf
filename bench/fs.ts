/**
 * Files: copying, reading and asking, beside coreutils, Deno and Node:
 * `deno task bench fs [options] [names...]`
 *
 * - `large`: one large file copied, from the page cache: `copyFile`.
 * - `tree`: 20 000 files of 1 to 9 KiB in 200 folders copied: `copyTree`.
 * - `read`: the same files read: `readFiles`; Deno and Node with 64 calls in flight.
 * - `stat`: 100 000 paths asked, each of them five times: `statMany`; 64 calls in flight.
 * - `remove`: a copy of the same tree removed: `remove`.
 *
 * Contestants take turns, every other round in the other order, and what they read is warm. Each has a process that lives through the case;
 * coreutils starts one for each turn, which takes as long as to copy an empty file: that is left out
 * of its times, and told in a line of its own. Copies of the tree stay until all have had their turns:
 * without a journal ext4 passes over the inodes of files that were removed within the last minutes,
 * one by one, which takes twenty times as long as to copy the files. So wait for five minutes
 * before you measure `tree` again on such a disk. Before each copy of the large file another one is
 * made and removed: a virtual machine gives memory that was free for some seconds back to its host,
 * and whoever comes first then waits for it, up to ten times as long as to copy the file.
 *
 * Read the table so: `ms` is the median of all turns with the shortest and the longest, `CPU` the
 * median of what the process and its kernel threads used. `ratio` is the other's time over that
 * of `fs` in the same round, the median of all rounds counts; `CPU ratio` is the share of the
 * other's CPU time that `fs` took.
 */
import process from "node:process";
import { warm, writeNoise } from "./file.ts";
import { inFolder } from "./folder.ts";
import { FsChild, type FsTurn } from "./fs_child.ts";
import { machine } from "./machine.ts";
import { integer, parse, UsageError } from "./options.ts";
import { inTurns, ratios, type Spread, spread } from "./statistics.ts";

const FOLDERS = 200;
const FILES_IN_EACH = 100;

/** Who takes part. */
type Rival = "coreutils" | "Deno" | "Node";

/** One thing that all do. */
interface FsCase {
  readonly name: "large" | "tree" | "read" | "stat" | "remove";
  /** Who takes part, and what the ratio to it should be; null where none is set. */
  readonly rivals: readonly [rival: Rival, target: number | null][];
  /** The largest share of Deno's CPU time that there should be. */
  readonly share?: number;
}

const CASES: readonly FsCase[] = [
  {
    name: "large",
    rivals: [["coreutils", 1], ["Deno", 1.2], ["Node", null]],
  },
  { name: "tree", rivals: [["coreutils", 2]] },
  { name: "read", rivals: [["Deno", 1.7], ["Node", 4]], share: 1 / 3 },
  { name: "stat", rivals: [["Deno", 8], ["Node", 10]] },
  { name: "remove", rivals: [["Deno", 1], ["Node", null]] },
];

const USAGE = `Usage: deno task bench fs [options] [names...]

Measures fs beside coreutils, Deno and Node. Names: ${
  CASES.map(({ name }) => name).join(", ")
}.

      --pairs N      rounds, 5 or more (default 5)
      --size MIB     size of the large file (default 1024)
      --dir DIR      where the files are made (default: the directory for temporary files)
      --json         print JSON
  -h, --help         print this`;

interface Options {
  readonly cases: readonly FsCase[];
  readonly pairs: number;
  readonly mebibytes: number;
  readonly directory: string;
  readonly json: boolean;
}

function readOptions(args: string[]): Options | null {
  const { values, positionals } = parse({
    args,
    allowPositionals: true,
    options: {
      pairs: { type: "string", default: "5" },
      size: { type: "string", default: "1024" },
      dir: { type: "string", default: process.env["TMPDIR"] || "/tmp" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const pairs = integer("--pairs", values.pairs, 5);
  const mebibytes = integer("--size", values.size, 1);
  for (const name of positionals) {
    if (CASES.some((known) => known.name === name)) continue;
    throw new UsageError(`bench fs: no case is named ${name}`);
  }
  const chosen = CASES.filter(({ name }) =>
    positionals.length === 0 || positionals.includes(name)
  );
  const { dir: directory, json } = values;
  return { cases: chosen, pairs, mebibytes, directory, json };
}

/** 20 000 files of 1 to 9 KiB, the same each time. */
async function plant(top: string): Promise<void> {
  const noise = crypto.getRandomValues(new Uint8Array(9 * 1024));
  let state = 1;
  for (let folder = 0; folder < FOLDERS; folder++) {
    const path = `${top}/folder-${folder}`;
    await Deno.mkdir(path, { recursive: true });
    for (let file = 0; file < FILES_IN_EACH; file++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const length = 1024 + (state >>> 8) % (8 * 1024 + 1);
      await Deno.writeFile(`${path}/file-${file}`, noise.subarray(0, length));
    }
  }
}

/** What a case copies, reads or asks about. */
function sourceOf({ name }: FsCase, directory: string): string {
  return name === "large" ? `${directory}/large` : `${directory}/tree`;
}

/** One turn of coreutils, the start of its process included. */
async function runCp(from: string, to: string): Promise<FsTurn> {
  const before = childrenCpu();
  const begun = performance.now();
  const { success } = await new Deno.Command("cp", { args: ["-r", from, to] })
    .output();
  const milliseconds = performance.now() - begun;
  if (!success) throw new Error("cp failed");
  return { milliseconds, cpu: childrenCpu() - before };
}

/** What ended child processes used, in milliseconds, to the hundredth of a second. */
function childrenCpu(): number {
  const text = Deno.readTextFileSync("/proc/self/stat");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

async function startOfCp(directory: string): Promise<number> {
  const from = `${directory}/empty`;
  await Deno.writeFile(from, new Uint8Array());
  const times: number[] = [];
  for (let i = 0; i < 9; i++) {
    times.push((await runCp(from, `${directory}/copy`)).milliseconds);
  }
  await Deno.remove(`${directory}/copy`);
  return spread(times).median;
}

/** What became of a contestant. */
interface FsRow {
  readonly name: string;
  readonly who: string;
  readonly milliseconds: Spread;
  readonly cpu: Spread;
  /** Its time over that of `fs`. */
  readonly ratio: Spread | null;
  /** The share of its CPU time that `fs` took. */
  readonly share: number | null;
  readonly target: number | null;
  readonly shareTarget: number | null;
}

async function runCase(
  measured: FsCase,
  { pairs }: Options,
  directory: string,
  start: number,
): Promise<FsRow[]> {
  const from = sourceOf(measured, directory);
  await using contestants = new AsyncDisposableStack();
  const turns = new Map<string, FsTurn[]>();
  const run = new Map<string, (to: string) => Promise<FsTurn>>();
  for (const who of ["fs", ...measured.rivals.map(([rival]) => rival)]) {
    turns.set(who, []);
    if (who === "coreutils") {
      run.set(who, async (to) => {
        const { milliseconds, cpu } = await runCp(from, to);
        return { milliseconds: milliseconds - start, cpu };
      });
      continue;
    }
    const child = await FsChild.start(who, measured.name, from);
    contestants.use(child);
    run.set(who, (to) => child.run(to));
  }
  const copies = `${directory}/copies`;
  await Deno.mkdir(copies);
  for (let round = -1; round < pairs; round++) {
    for (const [who, turn] of inTurns([...run], round)) {
      const to = `${copies}/${who}${round}`;
      if (measured.name === "large") {
        await takeMemory(from, to);
        await warm(from);
      } else await warmTree(from);
      if (measured.name === "remove") await runCp(from, to);
      const took = await turn(to);
      if (measured.name === "large") await Deno.remove(to);
      // The first round is for compilers and caches.
      if (round >= 0) turns.get(who)?.push(took);
    }
  }
  await Deno.remove(copies, { recursive: true });
  return rowsOf(measured, turns);
}

/** Has the kernel hold memory for a file like `from`: as much, and in pieces as large. */
async function takeMemory(from: string, to: string): Promise<void> {
  const args = [`if=${from}`, `of=${to}`, "bs=1M", "status=none"];
  await new Deno.Command("dd", { args }).output();
  await Deno.remove(to);
}

async function warmTree(top: string): Promise<void> {
  for (let folder = 0; folder < FOLDERS; folder++) {
    await Promise.all(
      Array.from(
        { length: FILES_IN_EACH },
        (_, file) => Deno.readFile(`${top}/folder-${folder}/file-${file}`),
      ),
    );
  }
}

function rowsOf(measured: FsCase, turns: Map<string, FsTurn[]>): FsRow[] {
  const of = (who: string, key: keyof FsTurn) =>
    (turns.get(who) ?? []).map((turn) => turn[key]);
  const [ours, cpu] = [of("fs", "milliseconds"), of("fs", "cpu")];
  const first: FsRow = {
    name: measured.name,
    who: "fs",
    milliseconds: spread(ours),
    cpu: spread(cpu),
    ratio: null,
    share: null,
    target: null,
    shareTarget: null,
  };
  return [
    first,
    ...measured.rivals.map(([who, target]): FsRow => ({
      name: measured.name,
      who,
      milliseconds: spread(of(who, "milliseconds")),
      cpu: spread(of(who, "cpu")),
      ratio: ratios(of(who, "milliseconds"), ours),
      share: spread(cpu).median / spread(of(who, "cpu")).median,
      target,
      shareTarget: who === "Deno" ? measured.share ?? null : null,
    })),
  ];
}

const WIDTHS = [6, 10, 7, 14, 7, 7, 12, 10, 10];

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => {
    const width = WIDTHS[i] ?? 0;
    return i < 2 ? cell.padEnd(width) : cell.padStart(width);
  }).join("  ");
}

const HEADING = line([
  ...["case", "who", "ms", "min..max", "CPU", "ratio", "min..max"],
  ...["target", "CPU ratio"],
]);

function rowLine(row: FsRow): string {
  const { milliseconds, ratio, target, share, shareTarget } = row;
  const verdict = (met: boolean) => met ? "ok" : "no";
  return line([
    row.name,
    row.who,
    milliseconds.median.toFixed(0),
    `${milliseconds.min.toFixed(0)}..${milliseconds.max.toFixed(0)}`,
    row.cpu.median.toFixed(0),
    ratio?.median.toFixed(2) ?? "",
    ratio === null ? "" : `${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)}`,
    target === null || ratio === null
      ? ""
      : `${target.toFixed(1)} ${verdict(ratio.median >= target)}`,
    share === null ? "" : share.toFixed(2) +
      (shareTarget === null ? "" : ` ${verdict(share <= shareTarget)}`),
  ]);
}

async function measure(options: Options, directory: string): Promise<void> {
  // Where JSON is asked for, standard output holds nothing else.
  const print = options.json ? console.error : console.log;
  const header = [...await machine(), `${options.pairs} rounds`];
  for (const text of header) print(text);
  const chosen = options.cases.map(({ name }) => name);
  if (chosen.includes("large")) {
    await writeNoise(`${directory}/large`, options.mebibytes * 2 ** 20);
  }
  if (chosen.some((name) => name !== "large")) await plant(`${directory}/tree`);
  const start = await startOfCp(directory);
  print(`To start cp takes ${start.toFixed(1)} ms, left out below`);
  print(`\n${HEADING}`);
  const rows: FsRow[] = [];
  for (const measured of options.cases) {
    for (const row of await runCase(measured, options, directory, start)) {
      rows.push(row);
      print(rowLine(row));
    }
  }
  if (options.json) {
    console.log(JSON.stringify({ header, start, rows }, null, 2));
  }
}

/** `deno task bench fs`: gives the exit status. */
export async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) console.log(USAGE);
  else {
    await inFolder(options.directory, (folder) => measure(options, folder));
  }
  return 0;
}
