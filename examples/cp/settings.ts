/**
 * What `cp` is to do, from its command line.
 *
 * @module
 */

import type { PreserveOptions, ReflinkPolicy } from "../../fs/copy_options.ts";
import type { SparsePolicy } from "../../fs/copy_options.ts";
import { getopt, type Given, Misuse, type Option } from "./getopt.ts";
import { quote } from "../quote.ts";

/** Which symbolic links among the sources are followed: all, those of the command line, none. */
export type Follow = "always" | "operands" | "never";

/** What becomes of a destination that is there: it is replaced, left alone, or the user is asked. */
export type Clobber = "replace" | "keep" | "ask";

/** What `cp` is to do. */
export interface Settings {
  /** The operands: sources, and the destination unless there is a target directory. */
  operands: string[];
  /** `-t`: the directory to copy to. */
  targetDirectory: string | undefined;
  /** `-T`: the destination is no directory to copy to. */
  noTargetDirectory: boolean;
  /** `-R`, `-r`, `-a`: directories too. */
  recursive: boolean;
  /** `-L`, `-H`, `-P`. */
  follow: Follow;
  /** `--copy-contents`: of special files in a tree too. */
  contents: boolean;
  /** `-i`, `-n`. */
  clobber: Clobber;
  /** `-u`: only what is newer than the destination. */
  update: boolean;
  /** `-f`: a destination that cannot be opened is removed. */
  force: boolean;
  /** `--remove-destination`: a destination is removed first. */
  removeFirst: boolean;
  /** `-x`: stay on one file system. */
  oneFileSystem: boolean;
  /** `--strip-trailing-slashes`. */
  stripSlashes: boolean;
  /** `-v`. */
  verbose: boolean;
  /** What the copies get of their sources. */
  preserve: Required<PreserveOptions>;
  /** Whether what cannot be preserved is a failure: `-p`, `-a`, `--preserve`. */
  preserveOrFail: boolean;
  /** Whether that goes for extended attributes: `--preserve=xattr`. */
  attributesOrFail: boolean;
  /** `--no-preserve=mode`: the copies have the modes of files that are made from nothing. */
  forgetMode: boolean;
  /** `--sparse`. */
  sparse: SparsePolicy;
  /** `--reflink`. */
  reflink: ReflinkPolicy;
  /** `--progress`, `--no-progress`: whether to show how far it is; undefined on a terminal. */
  progress: boolean | undefined;
  /** `--queue-depth`: blocks in flight for a large file. */
  queueDepth: number | undefined;
  /** `--direct`: around the page cache. */
  direct: boolean;
}

/** What a command line asks for. */
export type Request = Settings | "help" | "version";

type Key =
  | "archive"
  | "contents"
  | "dereference"
  | "force"
  | "interactive"
  | "no-clobber"
  | "no-dereference"
  | "no-dereference-links"
  | "no-preserve"
  | "no-target-directory"
  | "one-file-system"
  | "operands"
  | "preserve"
  | "preserve-some"
  | "recursive"
  | "remove-destination"
  | "strip-trailing-slashes"
  | "target-directory"
  | "update"
  | "verbose"
  | "sparse"
  | "reflink"
  | "progress"
  | "no-progress"
  | "queue-depth"
  | "direct"
  | "help"
  | "version";

/** In the order in which an ambiguous name lists them. */
const OPTIONS: readonly Option<Key>[] = [
  { key: "archive", short: "a", long: ["archive"] },
  { key: "contents", long: ["copy-contents"] },
  { key: "dereference", short: "L", long: ["dereference"] },
  { key: "no-dereference-links", short: "d" },
  { key: "force", short: "f", long: ["force"] },
  { key: "operands", short: "H" },
  { key: "interactive", short: "i", long: ["interactive"] },
  { key: "no-clobber", short: "n", long: ["no-clobber"] },
  { key: "no-dereference", short: "P", long: ["no-dereference"] },
  { key: "no-preserve", long: ["no-preserve"], takes: "value" },
  { key: "no-target-directory", short: "T", long: ["no-target-directory"] },
  { key: "one-file-system", short: "x", long: ["one-file-system"] },
  { key: "preserve", short: "p" },
  { key: "preserve-some", long: ["preserve"], takes: "optional" },
  { key: "recursive", short: "Rr", long: ["recursive"] },
  { key: "remove-destination", long: ["remove-destination"] },
  { key: "reflink", long: ["reflink"], takes: "optional" },
  { key: "sparse", long: ["sparse"], takes: "value" },
  { key: "strip-trailing-slashes", long: ["strip-trailing-slashes"] },
  {
    key: "target-directory",
    short: "t",
    long: ["target-directory"],
    takes: "value",
  },
  { key: "update", short: "u", long: ["update"] },
  { key: "verbose", short: "v", long: ["verbose"] },
  { key: "progress", long: ["progress"], whole: true },
  { key: "no-progress", long: ["no-progress"], whole: true },
  { key: "queue-depth", long: ["queue-depth"], takes: "value", whole: true },
  { key: "direct", long: ["direct"], whole: true },
  { key: "help", long: ["help"] },
  { key: "version", long: ["version"] },
];

const MOST_IN_FLIGHT = 64;

function defaults(operands: string[]): Settings {
  return {
    operands,
    targetDirectory: undefined,
    noTargetDirectory: false,
    recursive: false,
    follow: "always",
    contents: false,
    clobber: "replace",
    update: false,
    force: false,
    removeFirst: false,
    oneFileSystem: false,
    stripSlashes: false,
    verbose: false,
    preserve: {
      mode: false,
      timestamps: false,
      ownership: false,
      links: false,
      xattr: false,
    },
    preserveOrFail: false,
    attributesOrFail: false,
    forgetMode: false,
    sparse: "auto",
    reflink: "auto",
    progress: undefined,
    queueDepth: undefined,
    direct: false,
  };
}

/**
 * Reads the command line of `cp`.
 *
 * @throws {Misuse} if it makes no sense; the message is coreutils'.
 * @example
 * ```ts
 * import { readSettings } from "./settings.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const settings = readSettings(["-av", "from", "to"]);
 * assertEquals(typeof settings === "object" && settings.preserve.links, true);
 * ```
 */
export function readSettings(args: readonly string[]): Request {
  const operands: string[] = [];
  const settings = defaults(operands);
  let follow: Follow | undefined;
  for (const option of getopt(OPTIONS, args, operands)) {
    const { key } = option;
    if (key === "help" || key === "version") return key;
    follow = followed(key) ?? follow;
    apply(settings, option);
  }
  settings.follow = follow ?? (settings.recursive ? "never" : "always");
  if (settings.clobber === "keep") settings.update = false;
  if (settings.reflink === "always" && settings.sparse !== "auto") {
    throw new Misuse("--reflink can be used only with --sparse=auto");
  }
  return settings;
}

/** Which links an option says to follow; undefined if it says nothing about it. */
function followed(key: Key): Follow | undefined {
  switch (key) {
    case "dereference":
      return "always";
    case "operands":
      return "operands";
    case "archive":
    case "no-dereference":
    case "no-dereference-links":
      return "never";
    default:
      return undefined;
  }
}

/** What the options that only switch something on set. */
const SWITCHES: { readonly [key in Key]?: Partial<Settings> } = {
  contents: { contents: true },
  force: { force: true },
  interactive: { clobber: "ask" },
  "no-clobber": { clobber: "keep" },
  "no-target-directory": { noTargetDirectory: true },
  "one-file-system": { oneFileSystem: true },
  recursive: { recursive: true },
  "remove-destination": { removeFirst: true },
  "strip-trailing-slashes": { stripSlashes: true },
  update: { update: true },
  verbose: { verbose: true },
  progress: { progress: true },
  "no-progress": { progress: false },
  direct: { direct: true },
};

function apply(settings: Settings, { key, value, name }: Given<Key>): void {
  Object.assign(settings, SWITCHES[key]);
  switch (key) {
    case "archive":
      settings.recursive = true;
      preserve(settings, ["mode", "timestamps", "ownership", "links", "xattr"]);
      return;
    case "no-dereference-links":
      settings.preserve.links = true;
      return;
    case "preserve":
      preserve(settings, USUAL);
      return;
    case "preserve-some":
      if (value === undefined) preserve(settings, USUAL);
      else preserveSome(settings, value, name, true);
      return;
    case "no-preserve":
      preserveSome(settings, value ?? "", name, false);
      return;
    case "sparse":
      settings.sparse = choice(name, value ?? "", ["never", "auto", "always"]);
      return;
    case "reflink":
      settings.reflink = value === undefined
        ? "always"
        : choice(name, value, ["auto", "always", "never"]);
      return;
    case "target-directory":
      if (settings.targetDirectory !== undefined) {
        throw new Failure("multiple target directories specified");
      }
      settings.targetDirectory = value;
      return;
    case "queue-depth":
      settings.queueDepth = depth(name, value ?? "");
  }
}

/** A mistake that `--help` would not help with. */
export class Failure extends Error {}

const USUAL = ["mode", "timestamps", "ownership"] as const;
const ATTRIBUTES = [...USUAL, "links", "context", "xattr", "all"] as const;

function preserve(
  settings: Settings,
  attributes: readonly (keyof PreserveOptions)[],
): void {
  for (const attribute of attributes) settings.preserve[attribute] = true;
  settings.preserveOrFail = true;
}

/** `--preserve=LIST` and `--no-preserve=LIST`. */
function preserveSome(
  settings: Settings,
  list: string,
  name: string,
  on: boolean,
): void {
  if (on) settings.preserveOrFail = true;
  for (const word of list.split(",")) {
    const attribute = choice(name, word, ATTRIBUTES);
    if (attribute === "context") {
      if (on) {
        throw new Failure(
          "cannot preserve security context without an SELinux-enabled kernel",
        );
      }
    } else if (attribute === "all") {
      for (const each of [...USUAL, "links", "xattr"] as const) {
        settings.preserve[each] = on;
      }
    } else {
      settings.preserve[attribute] = on;
      if (attribute === "xattr") settings.attributesOrFail = on;
    }
    if (attribute === "mode" || attribute === "all") settings.forgetMode = !on;
  }
}

/** The word that was meant, which may be cut short. */
function choice<Word extends string>(
  name: string,
  typed: string,
  words: readonly Word[],
): Word {
  const exact = words.find((word) => word === typed);
  if (exact !== undefined) return exact;
  const [first, second] = words.filter((word) => word.startsWith(typed));
  if (first !== undefined && second === undefined) return first;
  const problem = first === undefined ? "invalid" : "ambiguous";
  throw new Misuse(
    `${problem} argument ${quote(typed)} for '${name}'\n` +
      `Valid arguments are:${words.map((word) => `\n  - '${word}'`).join("")}`,
  );
}

function depth(name: string, typed: string): number {
  const count = /^\d+$/.test(typed) ? Number(typed) : 0;
  if (count >= 1 && count <= MOST_IN_FLIGHT) return count;
  throw new Misuse(
    `invalid argument ${
      quote(typed)
    } for '${name}': it takes a number from 1 to ` +
      `${MOST_IN_FLIGHT}`,
  );
}
