/**
 * examples/cat.ts beside coreutils' cat: `deno run -A bench/cat.ts [--pairs=N] [--dir=DIR]`
 *
 * Runs alternate. What a process needs to start, that is to copy an empty file, is left out of
 * the times, and stands by itself in the last line.
 */
import { parseArgs } from "node:util";
import { warm, writeNoise } from "./file.ts";
import { machine } from "./machine.ts";
import { type Spread, spread } from "./statistics.ts";

const MIB = 1024 * 1024;
const CAT = new URL("../examples/cat.ts", import.meta.url).pathname;
const OURS = `'${Deno.execPath()}' run --no-check -A '${CAT}'`;

/** One thing that both do. */
interface Case {
  readonly name: string;
  /** What is copied. */
  readonly file: "noise" | "text" | "empty";
  /** The options. */
  readonly options: string;
  /** What stands behind it in the shell. */
  readonly to: string;
  /** What the speed over coreutils' should be; null where none is set. */
  readonly target: number | null;
}

const formatted = (options: string): Case => ({
  name: `cat ${options}, to /dev/null`,
  file: "text",
  options,
  to: "> /dev/null",
  target: null,
});

const CASES: readonly Case[] = [
  {
    name: "into a pipe",
    file: "noise",
    options: "",
    to: "| dd bs=1M of=/dev/null status=none",
    target: 1.2,
  },
  {
    name: "into a pipe, read by cat",
    file: "noise",
    options: "",
    to: "| cat > /dev/null",
    target: 1.2,
  },
  {
    name: "to /dev/null",
    file: "noise",
    options: "",
    to: "> /dev/null",
    target: null,
  },
  {
    name: "through two pipes",
    file: "noise",
    options: "",
    to: "| CAT | dd bs=1M of=/dev/null status=none",
    target: null,
  },
  ...["-n", "-b", "-s", "-E", "-T", "-v", "-A"].map(formatted),
  {
    name: "cat -n, into a pipe",
    file: "text",
    options: "-n",
    to: "| dd bs=1M of=/dev/null status=none",
    target: null,
  },
];

const START: Case = {
  name: "an empty file",
  file: "empty",
  options: "",
  to: "> /dev/null",
  target: null,
};

/** Seconds that a case takes once. */
async function time(
  cat: string,
  { file, options, to }: Case,
  folder: string,
): Promise<number> {
  const command = `${cat} ${options} '${folder}/${file}' ${
    to.replace("CAT", cat)
  }`;
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

/** Seconds of both, run in turns. */
async function contest(
  measured: Case,
  folder: string,
  pairs: number,
): Promise<{ theirs: number[]; ours: number[] }> {
  const [theirs, ours]: [number[], number[]] = [[], []];
  for (let pair = -1; pair < pairs; pair++) {
    const one = await time("cat", measured, folder);
    const other = await time(OURS, measured, folder);
    // The first fills caches.
    if (pair < 0) continue;
    theirs.push(one);
    ours.push(other);
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

function milliseconds({ median }: Spread): string {
  return (median * 1000).toFixed(0).padStart(7);
}

function line(
  { name, target }: Case,
  theirs: Spread,
  ours: Spread,
  ratio: Spread,
): string {
  const goal = target === null
    ? ""
    : `  ${target.toFixed(1)} ${ratio.median >= target ? "ok" : "no"}`;
  const range = `${ratio.min.toFixed(2)}..${ratio.max.toFixed(2)}`;
  return `${name.padEnd(26)}${milliseconds(theirs)}${milliseconds(ours)}` +
    `  ${ratio.median.toFixed(2)}  ${range.padStart(10)}${goal}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { pairs: { type: "string" }, dir: { type: "string" } },
  });
  const pairs = Number(values.pairs ?? 7);
  const parent = values.dir === undefined ? {} : { dir: values.dir };
  const folder = await Deno.makeTempDir({ ...parent, prefix: "uring-cat-" });
  try {
    for (const known of await machine()) console.log(known);
    await writeNoise(`${folder}/noise`, 1024 * MIB);
    await writeText(`${folder}/text`, 256 * MIB);
    await Deno.writeFile(`${folder}/empty`, new Uint8Array());
    const start = await contest(START, folder, pairs);
    const startOf = {
      theirs: spread(start.theirs).median,
      ours: spread(start.ours).median,
    };
    console.log(
      `\n${"1 GiB; options: 256 MiB".padEnd(26)}` +
        "   cat   ours  speed    min..max  target   (ms without the start)",
    );
    for (const measured of CASES) {
      const { theirs, ours } = await contest(measured, folder, pairs);
      const net = theirs.map((time) => time - startOf.theirs);
      const ourNet = ours.map((time) => time - startOf.ours);
      const speeds = net.map((time, i) => time / (ourNet[i] ?? NaN));
      console.log(line(measured, spread(net), spread(ourNet), spread(speeds)));
    }
    console.log(
      `the start, with ${START.name}: cat ${
        (startOf.theirs * 1000).toFixed(1)
      } ms, ours ${(startOf.ours * 1000).toFixed(1)} ms`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
