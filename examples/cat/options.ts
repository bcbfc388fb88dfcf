/**
 * The command line of cat.
 *
 * @module
 */

import { getopt, type Option } from "../cp/getopt.ts";
import type { Format } from "./format.ts";

/** What is asked for. */
export interface Request {
  /** What is to be done to the bytes; null: nothing. */
  format: Format | null;
  /** The files. */
  names: string[];
}

type Key = keyof typeof EFFECTS | "help" | "version";

/** What each option turns on. */
const EFFECTS = {
  all: ["nonprinting", "ends", "tabs"],
  nonblank: ["nonblank"],
  nonprintingEnds: ["nonprinting", "ends"],
  ends: ["ends"],
  number: ["number"],
  squeeze: ["squeeze"],
  nonprintingTabs: ["nonprinting", "tabs"],
  tabs: ["tabs"],
  unbuffered: [],
  nonprinting: ["nonprinting"],
} as const;

/** In the order in which getopt_long(3) is to name those that an option may stand for. */
const OPTIONS: readonly Option<Key>[] = [
  { key: "nonblank", short: "b", long: ["number-nonblank"] },
  { key: "number", short: "n", long: ["number"] },
  { key: "squeeze", short: "s", long: ["squeeze-blank"] },
  { key: "nonprinting", short: "v", long: ["show-nonprinting"] },
  { key: "ends", short: "E", long: ["show-ends"] },
  { key: "tabs", short: "T", long: ["show-tabs"] },
  { key: "all", short: "A", long: ["show-all"] },
  { key: "nonprintingEnds", short: "e" },
  { key: "nonprintingTabs", short: "t" },
  { key: "unbuffered", short: "u" },
  { key: "help", long: ["help"] },
  { key: "version", long: ["version"] },
];

/**
 * Reads a command line.
 *
 * @throws {Misuse} if it cannot be understood.
 */
export function readRequest(
  args: readonly string[],
): Request | "help" | "version" {
  const on = new Set<string>();
  const names: string[] = [];
  for (const { key } of getopt(OPTIONS, args, names)) {
    if (key === "help" || key === "version") return key;
    for (const effect of EFFECTS[key]) on.add(effect);
  }
  const format: Format = {
    number: on.has("nonblank") ? "nonblank" : on.has("number") ? "all" : "none",
    squeeze: on.has("squeeze"),
    ends: on.has("ends"),
    tabs: on.has("tabs"),
    nonprinting: on.has("nonprinting"),
  };
  return { format: on.size > 0 ? format : null, names };
}
