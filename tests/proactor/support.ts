/** What the tests of `Uring` share: the kinds of ring it runs on, turns of the event loop. */

import { assertEquals } from "@std/assert";
import { openKernel } from "../../ffi/backend.ts";
import {
  errnoName,
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_SQPOLL,
  IORING_SETUP_TASKRUN_FLAG,
} from "../../ffi/mod.ts";
import { Uring, type UringOptions } from "../../proactor/mod.ts";
import { emulated } from "../support/machine.ts";
import { canMake } from "../support/setup.ts";
import { openFiles } from "../support/sockets.ts";

// Loaded once for all tests: what stays open as long as the isolate is no test's leak.
openKernel();
errnoName(1);

/** A kind of ring that a `Uring` runs on. */
export interface UringKind {
  /** How tests call it. */
  name: string;
  /** Whether this kernel and this machine can make one. */
  supported: boolean;
  /** What makes it. */
  options: UringOptions;
}

function kind(name: string, options: UringOptions): UringKind {
  const { flags = 0, backend = "syscall" } = options;
  return { name, options, supported: canMake(flags, { backend }) };
}

/** Every kind, whether this kernel has it or not. */
export const kinds: readonly UringKind[] = [
  kind("best", {}),
  kind("cooperative", {
    flags: IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
  }),
  kind("plain", { flags: 0 }),
  kind("syscall", { backend: "syscall" }),
  kind("sqpoll", { flags: IORING_SETUP_SQPOLL, sqThreadIdle: 20 }),
];

/** What {@linkcode eachKind} needs. */
export interface KindNeeds extends UringOptions {
  /** False skips the test. */
  when?: boolean;
  /** Only these kinds. Default: all. */
  only?: string[];
  /** Whether it is about time, or counts on a quick machine: skipped on an emulated one. */
  timed?: boolean;
}

/**
 * Registers a test for each kind of ring, and fails it if the `Uring` leaves something in flight
 * or a file open.
 */
export function eachKind(
  name: string,
  { when = true, only, timed = false, ...options }: KindNeeds,
  body: (uring: Uring, kind: UringKind) => Promise<void>,
): void {
  for (const kind of kinds) {
    if (only !== undefined && !only.includes(kind.name)) continue;
    Deno.test({
      name: `${name} [${kind.name}]`,
      ignore: !when || !kind.supported || (timed && emulated),
      async fn() {
        const before = openFiles();
        const uring = new Uring({ ...kind.options, ...options });
        try {
          await body(uring, kind);
        } catch (error) {
          await closeQuietly(uring);
          throw error;
        }
        await uring.close();
        assertEquals([uring.stats.inFlight, uring.stats.queued], [0, 0]);
        // The runtime may have closed some of its own.
        await until(() => openFiles() <= before, "the files closed");
      },
    });
  }
}

/** After a failure: what the test no longer waits for must not take the other tests down. */
async function closeQuietly(uring: Uring): Promise<void> {
  const quiet = (event: PromiseRejectionEvent) => event.preventDefault();
  addEventListener("unhandledrejection", quiet);
  await uring.close();
  await turn();
  removeEventListener("unhandledrejection", quiet);
}

/** Waits until everything that waits for this turn of the event loop has had it. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** In seconds. Emulated, what takes a moment takes seconds: a thread that ends, with its files. */
const PATIENCE = emulated ? 60 : 10;

/** Waits until a condition holds; fails after ten seconds, or a minute where all is emulated. */
export async function until(
  condition: () => boolean,
  what: string,
): Promise<void> {
  const deadline = performance.now() + 1000 * PATIENCE;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`Not within ${PATIENCE} seconds: ${what}.`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Waits until nothing is in flight any more: helpers, such as cancellations, come last. */
export function idle(uring: Uring): Promise<void> {
  return until(() => uring.stats.inFlight === 0, "nothing in flight");
}

/** Waits for a while. */
export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Text as bytes, and back. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** What a promise is by now: its value, its error, or that it waits. */
export async function stateOf(promise: Promise<unknown>): Promise<string> {
  const waiting = Symbol("waiting");
  try {
    const first = await Promise.race([promise, Promise.resolve(waiting)]);
    return first === waiting ? "waiting" : "resolved";
  } catch {
    return "rejected";
  }
}
