import { fileURLToPath } from "node:url";
import {
  IORING_SETUP_CQSIZE,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SQPOLL,
} from "../ffi/mod.ts";
import type { Case } from "./cases.ts";
import { Child, type Sample } from "./child.ts";
import { warm } from "./file.ts";
import { runFio } from "./fio.ts";
import { type Command, pin } from "./pin.ts";
import { inTurns, ratios, type Spread, spread } from "./statistics.ts";

/** Who takes part and for how long. */
export interface Contest {
  /** The compiled C contestant, or null. */
  readonly cProgram: string | null;
  /** Whether fio takes part in the reads. */
  readonly fio: boolean;
  /** The file that reads read; null when no case reads. */
  readonly path: string | null;
  /** The CPU that contestants share, see `cpuToShare`. */
  readonly cpu: number | null;
  /** Another CPU, for who is at the other end. */
  readonly cpuBeside: number | null;
  /** How many samples each contestant gives. */
  readonly pairs: number;
  /** How long one sample lasts. */
  readonly seconds: number;
}

/** What one case came to. Rates are in operations a second. */
export interface Row {
  /** The case's name. */
  readonly name: string;
  /** `IORING_SETUP_*` bits, as TypeScript's ring has them. */
  readonly setupFlags: number;
  /** How many operations were in flight. */
  readonly batch: number;
  /** Which backend drove TypeScript's ring. */
  readonly backend: string;
  /** The rival's rate; null without one, or without a compiler. */
  readonly c: Spread | null;
  /** TypeScript's rate. */
  readonly typescript: Spread;
  /** fio's rate; null where it did not take part. */
  readonly fio: Spread | null;
  /**
   * TypeScript's rate over its rival's: for each pair the median of its turns' ratios. Where none is
   * meant to be, the rate itself.
   */
  readonly ratio: Spread | null;
  /** TypeScript's rate over fio's, sample by sample. */
  readonly ratioToFio: Spread | null;
  /** What {@linkcode ratio} should reach. */
  readonly target: number;
  /** What a reader of the figures must know besides. */
  readonly notes: readonly string[];
}

/**
 * How many turns a sample is cut into. Two C programs against each other showed why: with one turn
 * of 0.4 s for each sample, the median of five ratios was off by up to 18 % on a machine that others
 * used too; with eight of 0.05 s, the same noise falls on both. The ratio of a pair is the median
 * of its turns', so that one turn which the machine spent elsewhere does not decide.
 */
const TURNS = 8;

const RING = fileURLToPath(new URL("./contestant.ts", import.meta.url));
const PROMISES = fileURLToPath(new URL("./promises.ts", import.meta.url));
const LOOP = fileURLToPath(new URL("./event_loop.ts", import.meta.url));

/** Samples taken and thrown away: TurboFan compiles the loop, each side touches its memory. */
const WARM_UP_SAMPLES = 1;

/**
 * How long an SQPOLL contestant is left alone after its turn. Its kernel thread spins for
 * 50 ms more, and must be asleep before the other one runs.
 */
const SQ_THREAD_FALLS_ASLEEP_MS = 80;

/** Runs one case: a sample of each contestant, `pairs` times. */
export async function runCase(measured: Case, contest: Contest): Promise<Row> {
  const notes = new Set<string>();
  const start = ({ program, args }: Command) =>
    Child.start(pin({ program, args }, measured, contest.cpu));
  // A process for each case: a second ring in the same isolate makes its code handle both, which
  // took a NOP in batches of 32 from 100 to 110 ns.
  await using typescript = await start(ours(measured, contest));
  const beside = rival(measured, contest);
  await using c = beside === null ? null : await start(beside);
  const differing = c === null || measured.rival !== "c"
    ? 0
    : (c.setupFlags ^ typescript.setupFlags) &
      ~IORING_SETUP_CQSIZE; // a larger queue makes nothing faster
  if (c !== null && differing !== 0) {
    const array = differing === IORING_SETUP_NO_SQARRAY
      ? ", its array of indices costs some 3 ns an op (liburing 2.9 and later leave it out, too)"
      : "";
    const flags = c.setupFlags.toString(16);
    notes.add(`the rings differ: C's flags are 0x${flags}${array}`);
  }
  if (typescript.backend !== "liburing") {
    notes.add(`TypeScript's backend is ${typescript.backend}`);
  }
  const samples = await alternate(measured, contest, typescript, c, notes);
  const summary = (values: number[]) =>
    values.length > 0 ? spread(values) : null;
  return {
    name: measured.name,
    setupFlags: typescript.setupFlags,
    batch: measured.batch,
    backend: typescript.backend,
    c: summary(samples.c),
    typescript: spread(samples.typescript),
    fio: summary(samples.fio),
    ratio: summary(
      measured.rival === "none" ? samples.typescript : samples.ratio,
    ),
    ratioToFio: samples.fio.length > 0
      ? ratios(samples.typescript, samples.fio)
      : null,
    target: measured.target,
    notes: [...notes],
  };
}

/** The samples of a case, one element for each pair. */
interface Samples {
  readonly c: number[];
  readonly typescript: number[];
  readonly fio: number[];
  readonly ratio: number[];
}

async function alternate(
  measured: Case,
  contest: Contest,
  typescript: Child,
  c: Child | null,
  notes: Set<string>,
): Promise<Samples> {
  const samples: Samples = { c: [], typescript: [], fio: [], ratio: [] };
  const count = measured.rival === "none" ? 1 : TURNS;
  const turn = { ...contest, seconds: contest.seconds / count };
  for (let pair = -WARM_UP_SAMPLES; pair < contest.pairs; pair++) {
    const turnsOfC: Sample[] = [];
    const turns: Sample[] = [];
    const both = [[typescript, turns], [c, turnsOfC]] as const;
    for (let i = 0; i < count; i++) {
      for (const [child, taken] of inTurns(both, i)) {
        if (child !== null) {
          taken.push(await takeTurn(child, measured, turn, notes));
        }
      }
    }
    if (pair < 0) continue;
    samples.typescript.push(overall(turns));
    if (c !== null) {
      samples.c.push(overall(turnsOfC));
      samples.ratio.push(ratios(turns.map(rate), turnsOfC.map(rate)).median);
    }
    if (contest.fio && hasFioBeside(measured) && contest.path !== null) {
      if (measured.file === "cached") await warm(contest.path);
      const { path, seconds, cpu } = contest;
      samples.fio.push(await runFio(measured, path, seconds, cpu));
    }
  }
  return samples;
}

function rate({ operations, seconds }: Sample): number {
  return operations / seconds;
}

/** The rate of all turns together. */
function overall(turns: readonly Sample[]): number {
  const sum = (of: (turn: Sample) => number) =>
    turns.reduce((total, turn) => total + of(turn), 0);
  return sum((turn) => turn.operations) / sum((turn) => turn.seconds);
}

/** One turn of a child. One from the page cache that had to go to the disk is repeated. */
async function takeTurn(
  child: Child,
  measured: Case,
  { path, seconds }: Contest,
  notes: Set<string>,
): Promise<Sample> {
  const cached = measured.file === "cached";
  for (let attempt = 1;; attempt++) {
    if (cached && path !== null) await warm(path);
    const before = await child.bytesFromStorage();
    const turn = await child.run(seconds);
    const blocks = (await child.bytesFromStorage() - before) / 4096;
    if (measured.setupFlags & IORING_SETUP_SQPOLL) {
      await new Promise((resolve) =>
        setTimeout(resolve, SQ_THREAD_FALLS_ASLEEP_MS)
      );
    }
    if (measured.file === "direct" && blocks < 0.99 * turn.operations) {
      notes.add("O_DIRECT did not reach a disk");
    }
    if (!cached || blocks < 0.001 * turn.operations) return turn;
    if (attempt === 3) {
      notes.add("the page cache did not hold the file");
      return turn;
    }
  }
}

/** Whether fio can do the same. */
function hasFioBeside({ file, layer }: Case): boolean {
  return file !== null && layer !== "loop";
}

const DENO = ["run", "--no-check", "-A"];

function ours(measured: Case, contest: Contest): Command {
  const { operation, layer } = measured;
  const args = argumentsOf(measured, contest);
  const program = {
    ring: [RING, operation],
    promises: [PROMISES, "uring", operation],
    batches: [PROMISES, "batches", operation],
    floor: [PROMISES, "floor", operation],
    loop: [LOOP, operation, "uring"],
  }[layer];
  return { program: Deno.execPath(), args: [...DENO, ...program, ...args] };
}

/** Null where there is none. */
function rival(measured: Case, contest: Contest): Command | null {
  const { operation, rival } = measured;
  const args = argumentsOf(measured, contest);
  const deno = (...program: string[]): Command => ({
    program: Deno.execPath(),
    args: [...DENO, ...program, ...args],
  });
  switch (rival) {
    case "none":
      return null;
    case "c": {
      const program = contest.cProgram;
      return program === null ? null : { program, args: [operation, ...args] };
    }
    case "file":
      return deno(PROMISES, "file", operation);
    case "turns":
    case "blocked":
      return deno(LOOP, operation, rival);
  }
}

function argumentsOf(measured: Case, contest: Contest): string[] {
  const { operation, batch, setupFlags, file } = measured;
  const args = [String(batch), String(setupFlags)];
  if (file !== null && contest.path !== null) args.push(contest.path, file);
  if (operation === "echo" && contest.cpuBeside !== null) {
    args.push(String(contest.cpuBeside));
  }
  return args;
}
