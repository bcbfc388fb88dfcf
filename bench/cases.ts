import { UsageError } from "./options.ts";
import {
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQPOLL,
  IORING_SETUP_TASKRUN_FLAG,
} from "../ffi/mod.ts";

/** The loops that both contestants have. */
export type Operation =
  | "nop"
  | "read"
  | "read-fixed"
  | "ticks"
  | "echo"
  | "idle";

/** One thing measured: the same loop, ring and file for each contestant. */
export interface Case {
  /** Words joined by hyphens, unique; the command line selects by them. */
  readonly name: string;
  /** What the loop does. */
  readonly operation: Operation;
  /** How many operations are submitted, waited for and drained at a time. */
  readonly batch: number;
  /** `IORING_SETUP_*` bits of the ring. */
  readonly setupFlags: number;
  /** How the file is opened; null where there is none. */
  readonly file: "cached" | "direct" | null;
  /** The least share of its rival's rate that TypeScript is to reach. */
  readonly target: number;
  /**
   * Which TypeScript runs: the ring itself, `Uring` with a promise for each op, in loops that each
   * await one or in batches as in C, the ring and a promise for each op with nothing of what `Uring`
   * adds, or `Uring` and what else there is in its event loop.
   */
  readonly layer: "ring" | "promises" | "batches" | "floor" | "loop";
  /**
   * Whom it runs beside: the loop in C, `Deno.FsFile`, an event loop with nothing else to do, a
   * thread blocked in io_uring_enter, or nobody: then the rate itself is what has a target.
   */
  readonly rival: "c" | "file" | "turns" | "blocked" | "none";
}

/** What a ring that belongs to one thread asks for; the kernel needs both for its best. */
const OWN_THREAD = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;

/** Reads in flight: enough to keep an SSD busy, and what the targets were set at. */
const READS_IN_FLIGHT = 32;

// At batch 1 each operation pays the whole way into the kernel and back through FFI.
const targetOfBatch = (batch: number) => batch === 1 ? 0.9 : 0.97;

function nop(batch: number, mode: string, setupFlags: number): Case {
  return {
    name: `nop-${batch}-${mode}`,
    operation: "nop",
    batch,
    setupFlags,
    file: null,
    target: targetOfBatch(batch),
    layer: "ring",
    rival: "c",
  };
}

function reads(file: "cached" | "direct"): Case[] {
  const common = {
    batch: READS_IN_FLIGHT,
    file,
    target: 0.97,
    layer: "ring",
    rival: "c",
  } as const;
  return [
    {
      ...common,
      name: `read-${file}-plain`,
      operation: "read",
      setupFlags: OWN_THREAD,
    },
    {
      ...common,
      name: `read-${file}-fixed`,
      operation: "read-fixed",
      setupFlags: OWN_THREAD,
    },
    // Fixed too: before Linux 5.11 an SQPOLL thread takes registered files only.
    {
      ...common,
      name: `read-${file}-sqpoll`,
      operation: "read-fixed",
      setupFlags: IORING_SETUP_SQPOLL,
    },
  ];
}

/** How `Uring` runs its ring where the kernel can. */
const IN_EVENT_LOOP = OWN_THREAD | IORING_SETUP_TASKRUN_FLAG;

/** A promise for each op, beside the loop in C and beside Deno's own file. */
const promises: readonly Case[] = [
  promise("promise-nop-32", "nop", 32, null, 0.5, "c"),
  {
    ...promise("promise-batch-32", "nop", 32, null, 0.5, "c"),
    layer: "batches",
  },
  {
    ...promise("promise-floor-32", "nop", 32, null, 0.5, "c"),
    layer: "floor",
  },
  promise("promise-read-32", "read", 32, "cached", 0.8, "c"),
  promise("promise-read-1", "read", 1, "cached", 30, "file"),
  promise("promise-read-alone", "read", 1, "cached", 0.8, "c"),
  promise("promise-direct-128", "read", 128, "direct", 0.95, "c"),
];

function promise(
  name: string,
  operation: Operation,
  batch: number,
  file: Case["file"],
  target: number,
  rival: Case["rival"],
): Case {
  const layer = "promises";
  const setupFlags = IN_EVENT_LOOP;
  return { name, operation, batch, setupFlags, file, target, layer, rival };
}

/** What `Uring` does to the event loop, and the event loop to it. */
const loop: readonly Case[] = [
  inLoop("loop-ticks", "ticks", "cached", 0.8, "turns"),
  inLoop("loop-echo", "echo", null, 1 / 1.3, "blocked"),
  inLoop("loop-idle", "idle", null, 100, "none"),
];

function inLoop(
  name: string,
  operation: Operation,
  file: Case["file"],
  target: number,
  rival: Case["rival"],
): Case {
  const layer = "loop";
  const setupFlags = IN_EVENT_LOOP;
  return { name, operation, batch: 1, setupFlags, file, target, layer, rival };
}

/** Every case, in the order in which they run. */
export const cases: readonly Case[] = [
  ...[1, 8, 32, 128].map((batch) => nop(batch, "defer", OWN_THREAD)),
  ...[1, 8, 32, 128].map((batch) => nop(batch, "noflags", 0)),
  nop(32, "sqpoll", IORING_SETUP_SQPOLL),
  ...reads("cached"),
  ...reads("direct"),
  ...promises,
  ...loop,
];

/**
 * The cases that one of `selectors` names, all of them when there is none. A selector names a
 * case when each of its hyphenated words is a word of the case's name: `nop`, `sqpoll`, `nop-32`,
 * `read-direct`. Throws a RangeError for one that names no case.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { selectCases } from "./cases.ts";
 *
 * const names = selectCases(["nop-1", "direct-fixed"]).map((found) => found.name);
 * assertEquals(names, ["nop-1-defer", "nop-1-noflags", "read-direct-fixed"]);
 * ```
 */
export function selectCases(selectors: readonly string[]): Case[] {
  const selects = (selector: string, candidate: Case) => {
    const words = candidate.name.split("-");
    return selector.split("-").every((word) => words.includes(word));
  };
  for (const selector of selectors) {
    if (!cases.some((candidate) => selects(selector, candidate))) {
      const names = cases.map((known) => known.name).join(", ");
      throw new UsageError(
        `bench: no case is named ${selector}; the names are ${names}`,
      );
    }
  }
  if (selectors.length === 0) return [...cases];
  return cases.filter((candidate) =>
    selectors.some((selector) => selects(selector, candidate))
  );
}
