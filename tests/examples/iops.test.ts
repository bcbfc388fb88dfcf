import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { parse } from "../../examples/iops/arguments.ts";
import {
  bucketOf,
  BUCKETS,
  latencyOf,
  percentile,
} from "../../examples/iops/histogram.ts";
import { RandomOffsets, SteppingOffsets } from "../../examples/iops/offsets.ts";
import { Refusal } from "../../examples/iops/settings.ts";
import { drop, onDisk } from "../support/disk.ts";
import { canMake } from "../support/setup.ts";
import {
  IORING_FEAT_CQE_SKIP,
  IORING_FEAT_NATIVE_WORKERS,
  IORING_SETUP_SQPOLL,
  O_RDONLY,
} from "../../ffi/mod.ts";
import { Ring } from "../../ring/mod.ts";
import { opcodes } from "../../ops/mod.ts";
import { open as openFile, TemporaryDirectory } from "../support/files.ts";

const PROGRAM = `${import.meta.dirname}/../../examples/iops.ts`;
const noSqPoll = !canMake(IORING_SETUP_SQPOLL);
const noDisk = !onDisk();
const { features } = new Ring(2);
// Before Linux 5.12 the kernel's threads are not among those of a process.
const noThreads = (features & IORING_FEAT_NATIVE_WORKERS) === 0;
const limitsWorkers = (features & IORING_FEAT_CQE_SKIP) !== 0;
const marksFiles = opcodes.fsetxattr.supported();
const MEBIBYTE = 2 ** 20;

interface Line {
  ios: number;
  iops: number;
  enters: number;
  perCall: number | null;
  inFlight: number;
  p50: number | null;
  p99: number | null;
  p999: number | null;
  hitRate: number | null;
  sqThread: number | null;
}

interface Report {
  runs: {
    mode: string;
    seconds: Line[];
    summary: Line;
    ratio?: { median: number; min: number; max: number };
  }[];
}

function command(args: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", PROGRAM, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(60_000),
  });
}

const decoder = new TextDecoder();

async function run(args: readonly string[]) {
  const { code, stdout, stderr } = await command(args).output();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

async function measure(...args: string[]): Promise<Report> {
  const { code, stdout, stderr } = await run([...args, "--json"]);
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

function summaryOf({ runs }: Report): Line {
  const [first] = runs;
  assert(first !== undefined);
  return first.summary;
}

function available(program: string, ...args: string[]): boolean {
  try {
    const options = { args, stdout: "null", stderr: "null" } as const;
    return new Deno.Command(program, options).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("histogram: a latency comes back within 0.8 %", () => {
  for (let ms = 0.0001; ms < 20_000; ms *= 1.013) {
    const bucket = bucketOf(ms);
    assertLess(bucket, BUCKETS);
    const error = Math.abs(latencyOf(bucket) / 1000 - ms);
    assertLessOrEqual(error, Math.max(0.008 * ms, 0.00001), `${ms} ms`);
  }
  assertEquals(bucketOf(1e9), bucketOf(22_000));
  assertLess(bucketOf(1e9), BUCKETS);
});

Deno.test("histogram: percentiles", () => {
  const counts = new Float64Array(BUCKETS);
  assert(Number.isNaN(percentile(counts, 0.5)));
  for (let ms = 1; ms <= 1000; ms++) {
    const bucket = bucketOf(ms);
    counts[bucket] = (counts[bucket] as number) + 1;
  }
  assertAlmostEquals(percentile(counts, 0.5), 500_000, 8000);
  assertAlmostEquals(percentile(counts, 0.99), 990_000, 16_000);
  assertAlmostEquals(percentile(counts, 0.999), 999_000, 16_000);
});

Deno.test("offsets: a pass has each block once, a seed gives the same again", () => {
  for (const blocks of [1, 2, 3, 64, 1000, 4096]) {
    for (const far of [false, true]) {
      const offsets = new SteppingOffsets(blocks, far, 1, 0);
      const seen = new Set<number>();
      for (let at = offsets.next(); at >= 0; at = offsets.next()) seen.add(at);
      assertEquals(seen.size, blocks);
      assert([...seen].every((block) => block >= 0 && block < blocks));
    }
  }
  const [one, same] = [new RandomOffsets(1000, 7), new RandomOffsets(1000, 7)];
  const counts = new Map<number, number>();
  for (let i = 0; i < 100_000; i++) {
    const block = one.next();
    assertEquals(same.next(), block);
    counts.set(block, (counts.get(block) ?? 0) + 1);
  }
  assertEquals(counts.size, 1000);
  assertLess(Math.max(...counts.values()), 160);
});

Deno.test("command line: what cannot go together is refused with the reason", () => {
  const wrong: [string, string][] = [
    ["--polled", "needs --direct"],
    ["--hybrid", "needs --direct"],
    ["--polled --direct --nop", "--nop uses none"],
    ["--polled --direct --workers", "exclude each other"],
    ["--share", "--threads"],
    ["--passes=1 --threads=2", "--threads 1"],
    ["--passes=1 --compare plain,sqpoll", "exclude each other"],
    ["--depth=0", "integer from 1"],
    ["--depth", "needs a value"],
    ["--block=x", "bytes"],
    ["--json=1", "takes no value"],
    ["--nope", "no option --nope"],
    ["-h", "no option -h"],
    ["--compare plain,nope", "no option --nope"],
    ["--runtime=0", "seconds"],
    ["--fixed-buffers --depth=16384 --block=1m", "1 GiB"],
  ];
  for (const [line, reason] of wrong) {
    const error = assertThrows(() => parse(line.split(" ")), Refusal);
    assertStringIncludes(error.message, reason, line);
  }
});

Deno.test("command line: options, values, modes", () => {
  const plan = parse([
    "--block",
    "64k",
    "--sqpoll=1",
    "--mix=30",
    "--depth=8",
    "--compare=plain,fixed+workers=2",
    "a",
    "--",
    "--b",
    "-c",
  ]);
  assert(plan !== undefined);
  assertEquals(plan.files, ["a", "--b", "-c"]);
  const [plain, fixed] = plan.modes.map(({ settings }) => settings);
  assert(plain !== undefined && fixed !== undefined);
  assertEquals([plain.block, plain.sqpollCpu, plain.reads], [65536, 1, 0.3]);
  assertEquals([plain.batch, plain.complete], [8, 8]);
  assertEquals([plain.workers, plain.fixedFiles], [false, false]);
  assertEquals([fixed.workerCount, fixed.fixedFiles], [2, true]);
  assertEquals(parse(["--help"]), undefined);
});

Deno.test("--nop: figures that fit together", async () => {
  const args = ["--nop", "--runtime=1.2", "--depth=64", "--batch=16"];
  const { runs: [result] } = await measure(...args, "--complete=16");
  assert(result !== undefined);
  const { seconds, summary } = result;
  // A machine that is busy, or emulated, may be late for the first one.
  assert(seconds.length === 1 || seconds.length === 2, `${seconds.length}`);
  const sum = seconds.reduce((total, { ios }) => total + ios, 0);
  assertAlmostEquals(sum, summary.ios, summary.ios * 0.1);
  assertGreater(summary.iops, 100);
  assertAlmostEquals(summary.perCall ?? 0, 16, 1);
  const { p50, p99, p999 } = summary;
  assert(p50 !== null && p99 !== null && p999 !== null);
  assert(p50 > 0 && p50 <= p99 && p99 <= p999);
  assertEquals([summary.hitRate, summary.sqThread], [null, null]);
});

Deno.test("text: a line for each second, then all", async () => {
  using directory = new TemporaryDirectory();
  const { code, stdout, stderr } = await run([
    "--runtime=1.5",
    "--size=8m",
    `--dir=${directory.path}`,
    "--warm",
  ]);
  assertEquals([code, stderr], [0, ""]);
  const lines = stdout.split("\n").filter((line) => line.includes("IOPS"));
  assert(lines.length === 2 || lines.length === 3, stdout);
  for (const line of lines) {
    for (const part of ["iB/s", "a call", "in flight", "p99.9", "hits"]) {
      assertStringIncludes(line, part);
    }
  }
  assertEquals([...Deno.readDirSync(directory.path)], [], "its file is gone");
});

for (const promises of [false, true]) {
  const name = promises ? "Uring" : "ring";
  const more = promises ? ["--promises"] : [];
  Deno.test({
    name: `hits [${name}]: none, all, and half of it, as fincore has it`,
    ignore: noDisk || !available("fincore", "--version"),
    async fn() {
      using directory = new TemporaryDirectory();
      const path = directory.join("half");
      const size = 32 * MEBIBYTE;
      const pass = async (...args: string[]) =>
        summaryOf(await measure(...more, "--passes=1", ...args, path));
      await measure("--size=32m", "--passes=1", path); // makes it
      assertEquals((await pass("--drop")).hitRate, 0);
      const again = await pass("--warm");
      assertEquals(again.hitRate, 1);
      assertEquals(again.ios, size / 4096);
      await halve(path, size);
      const resident = residentBytes(path) / size;
      assertAlmostEquals(resident, 0.5, 0.01);
      const { hitRate } = await pass();
      assertAlmostEquals(hitRate ?? -1, resident, 0.01);
    },
  });
}

/** Leaves the second half of a file in the page cache only. */
async function halve(path: string, size: number): Promise<void> {
  using file = await Deno.open(path);
  const chunk = new Uint8Array(MEBIBYTE);
  while (await file.read(chunk) !== null);
  using ring = new Ring(4);
  using open = openFile(ring, path, O_RDONLY);
  drop(ring, open.fd, 0, size / 2);
}

function residentBytes(path: string): number {
  const { stdout } = new Deno.Command("fincore", {
    args: ["--bytes", "--noheadings", "--output=RES", path],
  }).outputSync();
  return Number(decoder.decode(stdout));
}

Deno.test("writes: not to files of others, but to those it made", async () => {
  using directory = new TemporaryDirectory();
  const theirs = directory.file("theirs", new Uint8Array(MEBIBYTE));
  const write = ["--write", "--runtime=0.1"];
  const refused = await run([...write, theirs]);
  assertEquals(refused.code, 2);
  assertStringIncludes(refused.stderr, "--yes");
  assert(Deno.readFileSync(theirs).every((byte) => byte === 0));
  assertEquals((await run([...write, "--yes", theirs])).code, 0);
  const made = directory.join("made");
  assertEquals((await run([...write, "--size=1m", made])).code, 0);
  assertEquals(Deno.statSync(made).size, MEBIBYTE);
  if (marksFiles) {
    const again = await run([...write, made]);
    assertEquals([again.code, again.stderr], [0, ""]);
  }
  assertEquals(
    (await run([
      "--write",
      "--mix=50",
      "--runtime=0.1",
      "--size=1m",
      `--dir=${directory.path}`,
    ])).code,
    0,
  );
});

Deno.test("refusals that need the file: an odd block, a file that cannot be polled", async () => {
  using directory = new TemporaryDirectory();
  const args = ["--size=1m", `--dir=${directory.path}`, "--runtime=0.1"];
  const odd = await run([...args, "--direct", "--block=700"]);
  assertEquals(odd.code, 2);
  assert(/multiple of \d+|no O_DIRECT/.test(odd.stderr), odd.stderr);
  const polled = await run([...args, "--direct", "--polled"]);
  // A drive with polling queues takes it.
  if (polled.code !== 0) {
    assert(/cannot be polled|no O_DIRECT/.test(polled.stderr), polled.stderr);
  }
  const small = directory.file("small", "x");
  assertStringIncludes((await run([small])).stderr, "a --block has 4096");
  const folder = await run([directory.path]);
  assertStringIncludes(folder.stderr, "neither a regular file");
});

Deno.test("a plot that cannot be written is told in a line", async () => {
  const args = ["--nop", "--runtime=0.05", "--svg=/no/where.svg"];
  const { code, stderr } = await run(args);
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^iops: No such file or directory[^\n]*'\/no\/where.svg'\n$/,
  );
});

Deno.test({
  name: "--sqpoll: no system call while busy, and the thread's share of a CPU",
  ignore: noSqPoll,
  async fn() {
    const report = await measure("--nop", "--sqpoll", "--runtime=0.5");
    const { ios, enters, sqThread } = summaryOf(report);
    assertGreater(ios, 1000);
    // On a busy machine the thread may be kept from its CPU, and is then waited for.
    assertLess(enters, 20 + ios / 100);
    // Kernels before 6.9 do not tell.
    if (sqThread !== null) {
      assert(sqThread > 0 && sqThread < 1.2, `${sqThread}`);
    }
  },
});

Deno.test({
  name: "--threads --share: one SQPOLL thread for two rings",
  ignore: noSqPoll || noThreads,
  async fn() {
    const args = ["--nop", "--sqpoll", "--threads=2", "--runtime=1.5"];
    assertEquals(
      await threadsDuring([...args, "--share"], "iou-sqp"),
      1,
    );
    assertEquals(await threadsDuring(args, "iou-sqp"), 2);
  },
});

Deno.test({
  name: "--workers: threads of the kernel do it, and none without",
  ignore: noThreads,
  async fn() {
    const args = ["--nop", "--runtime=1"];
    assertEquals(await threadsDuring(args, "iou-wrk"), 0);
    const limit = limitsWorkers ? "--workers=2" : "--workers";
    const most = await threadsDuring([...args, limit], "iou-wrk");
    assertGreaterOrEqual(most, 1);
  },
});

/** How many threads with a name like this a measurement has at once, at most. */
async function threadsDuring(
  args: readonly string[],
  name: string,
): Promise<number> {
  let most = 0;
  const child = command(args).spawn();
  let over = false;
  const look = async () => {
    while (!over) {
      most = Math.max(most, [...threadsOf(child.pid, name)].length);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const looking = look();
  const { code, stderr } = await child.output();
  over = true;
  await looking;
  assertEquals([code, decoder.decode(stderr)], [0, ""]);
  return most;
}

function* threadsOf(pid: number, name: string): Generator<string> {
  try {
    for (const task of Deno.readDirSync(`/proc/${pid}/task`)) {
      const path = `/proc/${pid}/task/${task.name}/comm`;
      if (Deno.readTextFileSync(path).startsWith(name)) yield task.name;
    }
  } catch (error) {
    // It ended meanwhile.
    if (error instanceof Deno.errors.NotFound) return;
    if (error instanceof Error && "code" in error && error.code === "ESRCH") {
      return;
    }
    throw error;
  }
}

Deno.test({
  name: "strace agrees: a call for each batch, and none with SQPOLL",
  ignore: noSqPoll || !available("strace", "-f", "--seccomp-bpf", "-c", "true"),
  async fn() {
    // A ring of Deno's own, or of the preparation, may add a few.
    const plain = await straced(["--nop", "--runtime=1"]);
    assertGreaterOrEqual(plain.calls, plain.enters);
    assertLessOrEqual(plain.calls, plain.enters * 1.1 + 50);
    assertGreater(plain.enters, 10);
    const polled = await straced(["--nop", "--runtime=1", "--sqpoll"]);
    assertGreater(polled.ios, 10_000);
    assertLess(polled.calls, 20 + polled.ios / 100);
  },
});

/** Calls of io_uring_enter as strace counts them, and as the tool does. */
async function straced(args: readonly string[]) {
  using directory = new TemporaryDirectory();
  const summary = directory.join("calls");
  const { code, stdout } = await new Deno.Command("strace", {
    args: [
      ...["-f", "-c", "--seccomp-bpf", "-e", "trace=io_uring_enter"],
      ...["-o", summary],
      ...[Deno.execPath(), "run", "-A", "--quiet", PROGRAM, ...args, "--json"],
    ],
    stderr: "null",
    signal: AbortSignal.timeout(60_000),
  }).output();
  assertEquals(code, 0);
  const line = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+).*io_uring_enter$/m.exec(
    Deno.readTextFileSync(summary),
  );
  const { enters, ios } = summaryOf(JSON.parse(decoder.decode(stdout)));
  return { calls: Number(line?.[1] ?? 0), enters, ios };
}

Deno.test({
  name: "--compare: modes by turns, ratios to the first",
  ignore: noSqPoll,
  async fn() {
    const report = await measure(
      "--nop",
      "--compare=plain,depth=1,promises,sqpoll+idle=20",
      "--runtime=0.4",
      "--rounds=2",
    );
    assertEquals(
      report.runs.map(({ mode }) => mode),
      ["plain", "depth=1", "promises", "sqpoll+idle=20"],
    );
    const [plain, single] = report.runs;
    assertEquals(plain?.ratio, { median: 1, min: 1, max: 1 });
    assertEquals(plain?.seconds.length, 2);
    assertLess(single?.ratio?.median ?? 1, 1);
    assertAlmostEquals(single?.summary.perCall ?? 0, 1, 0.1);
  },
});

Deno.test("an interrupt ends it with a summary", async () => {
  const child = command(["--nop", "--runtime=50"]).spawn();
  let told = "";
  let interrupted = false;
  for await (const bytes of child.stdout) {
    told += decoder.decode(bytes);
    if (interrupted || !told.includes("IOPS")) continue;
    child.kill("SIGINT");
    interrupted = true;
  }
  const { code } = await child.status;
  await child.stderr.cancel();
  assertEquals(code, 0);
  const lines = told.split("\n").filter((line) => line.includes("IOPS"));
  assertGreaterOrEqual(lines.length, 2, told);
});

/** Whether ECharts is in Deno's cache, or can be fetched. */
const hasEcharts = available(
  Deno.execPath(),
  "eval",
  'await import(["npm:echarts", "6.1.0"].join("@"))',
);

Deno.test({
  name: "--svg, --html: plots of rate and latency",
  ignore: !hasEcharts,
  async fn() {
    using directory = new TemporaryDirectory();
    const [svg, html] = [directory.join("a.svg"), directory.join("a.html")];
    const { code, stderr } = await run([
      "--nop",
      "--runtime=2.2",
      `--svg=${svg}`,
      `--html=${html}`,
    ]);
    assertEquals([code, stderr], [0, ""]);
    const picture = Deno.readTextFileSync(svg);
    assert(picture.startsWith("<svg"));
    for (const label of ["IOPS", "p50", "p99.9", "seconds"]) {
      assertStringIncludes(picture, label);
    }
    const page = Deno.readTextFileSync(html);
    assertStringIncludes(page, "<svg");
    assertStringIncludes(page, "in flight");
  },
});
