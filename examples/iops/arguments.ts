/**
 * The command line.
 *
 * @module
 */

import {
  checkSettings,
  DEFAULTS,
  type Operation,
  Refusal,
  type Settings,
} from "./settings.ts";

/** What `--help` prints. */
export const USAGE = `Usage: iops [OPTION]... [FILE]...
Measure how many I/Os a second this machine does on io_uring, and how long each takes.

With no FILE it makes one, and removes it. A FILE that does not exist is made, and stays.

What is done:
      --depth=N           I/Os in flight, for each thread (default 128)
      --batch=N           submitted with one system call, at most (default 32)
      --complete=N        completions that a system call waits for (default 32)
      --block=BYTES       of each I/O: 512, 4k, 1m (default 4k)
      --random, --sequential  where in the files (default random)
      --read, --write, --mix[=PERCENT]  a mix has so many reads (default 70)
      --nop               no files at all: the ring's own speed
      --direct, --buffered    O_DIRECT, or through the page cache (default buffered)
      --no-hits           do not ask the page cache first, and count no hits

How it is done:
      --sqpoll[=CPU]      a thread of the kernel submits
      --idle=MS           how long it spins before it sleeps (default 100)
      --no-defer          completions as they come, not when the program waits (no DEFER_TASKRUN)
      --polled            ask the device for completions (IOPOLL), with --direct
      --hybrid            the same, but sleep first
      --workers[=N]       every I/O by workers of the kernel, N at most
      --fixed-buffers, --fixed-files, --registered-ring   registered, each spares a look-up
      --fixed             all three
      --no-registered-ring    not even once the ring proves busy
      --threads=N         threads, each with a ring of its own (default 1)
      --share             their rings share one SQPOLL thread, and workers
      --promises          through Uring, a promise for each I/O; --batch and --complete do not count

How long, and what comes of it:
      --runtime=SECONDS   (default 5)
      --passes=N          until every block was used N times, instead
      --size=BYTES        of a file that is made (default 256m)
      --dir=DIR           where, if it has no name (default: that for temporary files)
      --drop, --warm      have nothing of the files, or all, in the page cache at first
      --compare=MODE,...  alternate MODEs and print ratios to the first; a MODE is options without
                          dashes, joined by +: plain,sqpoll,fixed-buffers+fixed-files,workers=4
      --rounds=N          how often each takes its turn, in --runtime seconds in all (default 5)
      --seed=N            of random offsets (default 1)
      --json              print JSON
      --svg=FILE, --html=FILE   plots of rate and latency over time
      --yes               write to FILEs, whoever made them: what is in them is lost
      --help              display this help and exit`;

/** One way of doing I/O, and what it is called. */
export interface Mode {
  /** As it was written: `sqpoll+fixed`. */
  readonly name: string;
  /** What it means. */
  readonly settings: Settings;
}

/** What a command line asks for. */
export interface Plan {
  /** The files. */
  files: string[];
  /** What is measured, one mode or several to compare. */
  modes: Mode[];
  /** Whether modes are compared. */
  compare: boolean;
  /** How often each takes its turn. */
  rounds: number;
  /** For how long, in seconds, each mode. */
  runtime: number;
  /** The size of a file that is made. */
  size: number;
  /** Where it is made. */
  directory: string;
  /** What is done to the page cache first. */
  cache: "as it is" | "drop" | "warm";
  /** Whether JSON is printed. */
  json: boolean;
  /** Where an SVG goes. */
  svg: string | undefined;
  /** Where an HTML page goes. */
  html: string | undefined;
  /** Whether files of others may be written to. */
  yes: boolean;
}

/** An option: whether it takes a value, and what it does. */
interface Option {
  readonly value: "none" | "some" | "maybe";
  readonly apply: (draft: Draft, value: string, name: string) => void;
}

interface Draft {
  settings: Settings;
  plan: Omit<Plan, "modes" | "compare">;
  compared: string[];
}

/** Options that say how I/O is done: these make modes, too. */
const MODES: Readonly<Record<string, Option>> = {
  depth: number("depth", 1, 16384),
  batch: number("batch", 1, 16384),
  complete: number("complete", 1, 16384),
  block: {
    value: "some",
    apply: ({ settings }, value, name) => {
      settings.block = bytes(name, value, 1, 2 ** 30);
    },
  },
  random: flag((settings) => settings.random = true),
  sequential: flag((settings) => settings.random = false),
  read: operation("read"),
  write: operation("write"),
  nop: operation("nop"),
  mix: {
    value: "maybe",
    apply: ({ settings }, value, name) => {
      settings.operation = "mix";
      if (value !== "") settings.reads = integer(name, value, 0, 100) / 100;
    },
  },
  direct: flag((settings) => settings.direct = true),
  buffered: flag((settings) => settings.direct = false),
  hits: flag((settings) => settings.hits = true),
  "no-hits": flag((settings) => settings.hits = false),
  sqpoll: {
    value: "maybe",
    apply: ({ settings }, value, name) => {
      settings.sqpoll = true;
      if (value !== "") settings.sqpollCpu = integer(name, value, 0, 65535);
    },
  },
  idle: number("idle", 1, 1e6),
  "no-defer": flag((settings) => settings.deferred = false),
  polled: flag((settings) => settings.polled = true),
  hybrid: flag((settings) => settings.polled = settings.hybrid = true),
  workers: {
    value: "maybe",
    apply: ({ settings }, value, name) => {
      settings.workers = true;
      if (value !== "") settings.workerCount = integer(name, value, 1, 65536);
    },
  },
  "fixed-buffers": flag((settings) => settings.fixedBuffers = true),
  "fixed-files": flag((settings) => settings.fixedFiles = true),
  "registered-ring": flag((settings) => settings.registeredRing = true),
  "no-registered-ring": flag((settings) => settings.registeredRing = false),
  fixed: flag((settings) => {
    settings.fixedBuffers = settings.fixedFiles = true;
    settings.registeredRing = true;
  }),
  threads: number("threads", 1, 1024),
  share: flag((settings) => settings.share = true),
  promises: flag((settings) => settings.promises = true),
  plain: flag(() => {}),
};

/** The other options. */
const OTHERS: Readonly<Record<string, Option>> = {
  seed: number("seed", 1, 0x7fff_ffff),
  passes: number("passes", 1, 1e6),
  runtime: plan("runtime", (name, value) => seconds(name, value)),
  rounds: plan("rounds", (name, value) => integer(name, value, 1, 1000)),
  size: plan("size", (name, value) => bytes(name, value, 1 << 20, 2 ** 46)),
  dir: plan("directory", (_, value) => value),
  svg: plan("svg", (_, value) => value),
  html: plan("html", (_, value) => value),
  drop: toggle((draft) => draft.plan.cache = "drop"),
  warm: toggle((draft) => draft.plan.cache = "warm"),
  json: toggle((draft) => draft.plan.json = true),
  yes: toggle((draft) => draft.plan.yes = true),
  compare: {
    value: "some",
    apply: (draft, value) => draft.compared.push(...value.split(",")),
  },
};

function toggle(set: (draft: Draft) => unknown): Option {
  return { value: "none", apply: set };
}

function flag(set: (settings: Settings) => unknown): Option {
  return toggle(({ settings }) => set(settings));
}

function operation(what: Operation): Option {
  return flag((settings) => settings.operation = what);
}

type Numeric = {
  [K in keyof Settings]: Settings[K] extends number ? K : never;
}[keyof Settings];

function number(key: Numeric, least: number, most: number): Option {
  return {
    value: "some",
    apply: ({ settings }, value, name) => {
      settings[key] = integer(name, value, least, most);
    },
  };
}

function plan<K extends keyof Draft["plan"]>(
  key: K,
  parse: (name: string, value: string) => Draft["plan"][K],
): Option {
  return {
    value: "some",
    apply: ({ plan }, value, name) => plan[key] = parse(name, value),
  };
}

function integer(
  name: string,
  text: string,
  least: number,
  most: number,
): number {
  const value = Number(text);
  if (
    text !== "" && Number.isInteger(value) && value >= least && value <= most
  ) {
    return value;
  }
  throw new Refusal(
    `--${name} must be an integer from ${least} to ${most}; got ${text}`,
  );
}

function seconds(name: string, text: string): number {
  const value = Number(text);
  if (text !== "" && value >= 0.05 && value <= 1e6) return value;
  throw new Refusal(`--${name} must be 0.05 to 1e6 seconds; got ${text}`);
}

const UNITS = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 } as const;

function bytes(
  name: string,
  text: string,
  least: number,
  most: number,
): number {
  const found = /^(\d+)([kmgt]?)$/i.exec(text);
  const unit = (found?.[2] ?? "").toLowerCase() as keyof typeof UNITS | "";
  const value = Number(found?.[1]) * (unit === "" ? 1 : UNITS[unit]);
  if (value >= least && value <= most) return value;
  throw new Refusal(
    `--${name} must be ${least} to ${most} bytes, as in 4096, 4k or 1m; got ${text}`,
  );
}

/** Applies one option to a draft; `next` is the word behind it, whether it is its value or not. */
function applyOption(
  draft: Draft,
  options: Readonly<Record<string, Option>>,
  word: string,
  next: string | undefined,
): "took the next word" | undefined {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    throw new Refusal(`there is no option --${name}; --help lists all`);
  }
  if (equals >= 0) {
    if (option.value === "none") {
      throw new Refusal(`--${name} takes no value`);
    }
    option.apply(draft, word.slice(equals + 1), name);
    return;
  }
  if (option.value !== "some") {
    option.apply(draft, "", name);
    return;
  }
  if (next === undefined) throw new Refusal(`--${name} needs a value`);
  option.apply(draft, next, name);
  return "took the next word";
}

/**
 * What a command line asks for; undefined if for help.
 *
 * @throws {Refusal} for what there is not, and for what cannot go together.
 */
export function parse(words: readonly string[]): Plan | undefined {
  const draft: Draft = {
    settings: { ...DEFAULTS },
    plan: {
      files: [],
      rounds: 5,
      runtime: 5,
      size: 256 * 2 ** 20,
      directory: Deno.env.get("TMPDIR") || "/tmp",
      cache: "as it is",
      json: false,
      svg: undefined,
      html: undefined,
      yes: false,
    },
    compared: [],
  };
  const options = { ...MODES, ...OTHERS };
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === "--help") return undefined;
    if (word === "--") {
      draft.plan.files.push(...left);
      break;
    }
    if (!word.startsWith("-")) draft.plan.files.push(word);
    else if (!word.startsWith("--")) {
      // As a FILE it would be made, and stay: behind -- it may be one.
      throw new Refusal(`there is no option ${word}; --help lists all`);
    } else if (applyOption(draft, options, word.slice(2), left[0])) {
      left.shift();
    }
  }
  const compare = draft.compared.length > 0;
  const modes = compare
    ? draft.compared.map((name) => mode(draft, name))
    : [mode(draft, "plain")];
  if (modes.some(({ settings }) => settings.passes > 0) && compare) {
    throw new Refusal("--passes and --compare exclude each other");
  }
  return { ...draft.plan, modes, compare };
}

/** A mode: the options of the whole, and its own behind them. */
function mode(base: Draft, name: string): Mode {
  const draft = { ...base, settings: { ...base.settings } };
  for (const word of name.split("+")) {
    applyOption(draft, MODES, word, undefined);
  }
  const { settings } = draft;
  // Asked for less in flight, the rest follows.
  settings.batch = Math.min(settings.batch, settings.depth);
  settings.complete = Math.min(settings.complete, settings.depth);
  return { name, settings: checkSettings(settings) };
}
