/**
 * examples/cat.ts beside coreutils' cat: `deno task bench cat [--pairs=N] [--dir=DIR]`
 *
 * Runs alternate. What it takes to start, that is to copy an empty file the same way, is measured
 * in between, left out of the times, and shown beside them.
 */
import process from "node:process";
import { warm, writeNoise } from "./file.ts";
import { inFolder } from "./folder.ts";
import { machine } from "./machine.ts";
import { integer, parse } from "./options.ts";
import { inTurns, ratios, spread } from "./statistics.ts";

const MIB = 1024 * 1024;
const CAT = new URL("../examples/cat.ts", import.meta.url).pathname;
const OURS = `'${Deno.execPath()}' run --no-check -A '${CAT}'`;

/** One thing that both do. */
interface Case {
  readonly name: string;
  /** What is copied. */
  readonly file: "noise" | "text";
  /** How often: the start should not be much beside it. */
  readonly times: number;
  /** The options. */
  readonly options: string;
  /** What stands behind it in the shell. */
  readonly to: string;
  /** What the speed over coreutils' should be; null where none is set. */
  readonly target: number | null;
}

const formatted = (options: string): Case => ({
  name: `512 MiB, ${options}, to /dev/null`,
  file: "text",
  times: 2,
  options,
  to: "> /dev/null",
  target: null,
});

const CASES: readonly Case[] = [
  {
    name: "4 GiB into a pipe",
    file: "noise",
    times: 4,
    options: "",
    to: "| dd bs=1M of=/dev/null status=none",
    target: 1.2,
  },
  {
    name: "4 GiB into a pipe to cat",
    file: "noise",
    times: 4,
    options: "",
    to: "| cat > /dev/null",
    target: 1.2,
  },
  {
    name: "8 GiB to /dev/null",
    file: "noise",
    times: 8,
    options: "",
    to: "> /dev/null",
    target: null,
  },
  {
    name: "4 GiB through two pipes",
    file: "noise",
    times: 4,
    options: "",
    to: "| CAT | dd bs=1M of=/dev/null status=none",
    target: null,
  },
  ...["-n", "-b", "-s", "-E", "-T", "-v", "-A"].map(formatted),
  {
    name: "512 MiB, -n, into a pipe",
    file: "text",
    times: 2,
    options: "-n",
    to: "| dd bs=1M of=/dev/null status=none",
    target: null,
  },
];

/** Seconds that a case takes once. */
async function time(
  cat: string,
  { options, to, times }: Case,
  folder: string,
  file: string,
): Promise<number> {
  const files = `'${folder}/${file}' `.repeat(times);
  const command = `${cat} ${options} ${files} ${to.replace("CAT", cat)}`;
  await warm(`${folder}/${file}`);
  const start = performance.now();
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-c", command],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  const seconds = (performance.now() - start) / 1000;
  if (!success) {
    throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
  }
  return seconds;
}

/** What a cat took: without the start, in seconds, and the start. */
class Times {
  readonly #whole: number[] = [];
  readonly #start: number[] = [];

  /** Runs it once, and once for nothing. */
  async take(cat: string, measured: Case, folder: string): Promise<void> {
    this.#start.push(await time(cat, measured, folder, "empty"));
    this.#whole.push(await time(cat, measured, folder, measured.file));
  }

  /** The first fills caches. */
  forget(): void {
    this.#whole.pop();
    this.#start.pop();
  }

  get start(): number {
    return spread(this.#start).median;
  }

  get net(): number[] {
    return this.#whole.map((time) => time - this.start);
  }
}

/** Both, run in turns. */
async function contest(
  measured: Case,
  folder: string,
  pairs: number,
): Promise<{ theirs: Times; ours: Times }> {
  const [theirs, ours] = [new Times(), new Times()];
  const both = [["cat", theirs], [OURS, ours]] as const;
  for (let pair = -1; pair < pairs; pair++) {
    for (const [cat, times] of inTurns(both, pair)) {
      await times.take(cat, measured, folder);
    }
    if (pair >= 0) continue;
    theirs.forget();
    ours.forget();
  }
  return { theirs, ours };
}

/** Lines of source code, as they are, over and over. */
async function writeText(path: string, bytes: number): Promise<void> {
  const root = new URL("../", import.meta.url);
  const texts: string[] = [];
  for (const name of ["ring/ring.ts", "ops/path.ts", "README.md", "LICENSE"]) {
    texts.push(await Deno.readTextFile(new URL(name, root)));
  }
  const chunk = new TextEncoder().encode(texts.join("\n\n\n").repeat(20));
  using file = await Deno.open(path, { write: true, createNew: true });
  for (let written = 0; written < bytes;) written += await file.write(chunk);
  await file.sync();
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(0).padStart(7);
}

function line({ name, target }: Case, theirs: Times, ours: Times): string {
  const speed = ratios(theirs.net, ours.net);
  const goal = target === null
    ? ""
    : `  ${target.toFixed(1)} ${speed.median >= target ? "ok" : "no"}`;
  const range = `${speed.min.toFixed(2)}..${speed.max.toFixed(2)}`;
  const times = [
    spread(theirs.net).median,
    spread(ours.net).median,
    theirs.start,
    ours.start,
  ];
  return name.padEnd(26) + times.map(milliseconds).join("") +
    `  ${speed.median.toFixed(2).padStart(5)}  ${range.padStart(10)}${goal}`;
}

const USAGE = `Usage: deno task bench cat [--pairs=N] [--dir=DIR]

examples/cat.ts beside coreutils' cat.

      --pairs N  runs of each (default 7)
      --dir DIR  where the files are made (default: the directory for temporary files)
  -h, --help     print this`;

/** `deno task bench cat`: gives the exit status. */
export async function main(args: string[]): Promise<number> {
  const { values } = parse({
    args,
    options: {
      pairs: { type: "string", default: "7" },
      dir: { type: "string", default: process.env["TMPDIR"] || "/tmp" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const pairs = integer("--pairs", values.pairs, 1);
  await inFolder(values.dir, async (folder) => {
    for (const known of await machine()) console.log(known);
    await writeNoise(`${folder}/noise`, 1024 * MIB);
    await writeText(`${folder}/text`, 256 * MIB);
    await Deno.writeFile(`${folder}/empty`, new Uint8Array());
    console.log(
      `\n${"milliseconds".padEnd(26)}` +
        "    cat   ours      and to start  speed    min..max  target",
    );
    for (const measured of CASES) {
      const { theirs, ours } = await contest(measured, folder, pairs);
      console.log(line(measured, theirs, ours));
    }
  });
  return 0;
}
