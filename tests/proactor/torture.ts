/**
 * How a torture runs: rounds of something random, each with a seed of its own, until the time is
 * up, and a count of what is left then.
 *
 * A few seconds in all; `URING_SOAK_SECONDS` makes it longer. A round that fails tells its seed,
 * and `URING_SEED` has every torture begin with it.
 */

import { assertEquals, assertLess } from "@std/assert";
import {
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_SQPOLL,
  IORING_SETUP_TASKRUN_FLAG,
} from "../../ffi/mod.ts";
import { Uring, type UringOptions } from "../../proactor/mod.ts";
import { linux } from "../kernel/registration/support.ts";
import { Random } from "../simulated/random.ts";
import { assertNoLeak, census } from "../support/census.ts";
import { turn, until } from "./support.ts";

export const collect = (globalThis as { gc?: () => void }).gc;
const SECONDS = Number(Deno.env.get("URING_SOAK_SECONDS") ?? "3");
const SEED = Number(
  Deno.env.get("URING_SEED") ?? Math.floor(Math.random() * 2 ** 32),
);
/** What the tortures share the time by. */
const TORTURES = 6;
/** After so many seconds a promise counts as lost. */
export const PATIENCE = 20;
/** What malloc, compiled code and the like may have taken more at the end, in bytes. */
const SLACK = 32 * 2 ** 20;

export function gc(): void {
  collect?.();
}

/** Runs rounds, each with a seed of its own, until the time is up; then counts what is left. */
export function torture(
  name: string,
  when: boolean,
  round: (random: Random) => Promise<void>,
): void {
  Deno.test({
    name: `torture: ${name}`,
    ignore: !when || collect === undefined,
    async fn() {
      // What is loaded once, and stays, is loaded now.
      await round(new Random(SEED));
      await collected(noRings);
      const before = census();
      const memoryBefore = memory();
      const deadline = performance.now() + 1000 * SECONDS / TORTURES;
      let seed = SEED;
      try {
        do await round(new Random(seed++)); while (
          performance.now() < deadline
        );
      } catch (error) {
        throw new Error(`URING_SEED=${seed - 1}`, { cause: error });
      }
      await collected(() => {
        assertNoLeak(before);
        assertLess(memory() - memoryBefore, SLACK, "memory leaks");
      });
    },
  });
}

/** How much memory is in use, in bytes: what V8 has in store for later is not. */
function memory(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  const anonymous = Number(status.match(/^RssAnon:\s*(\d+) kB$/m)?.[1]);
  const { heapTotal, heapUsed } = Deno.memoryUsage();
  return anonymous * 1024 - heapTotal + heapUsed;
}

/** Collects until a check passes: handles close in turns, and finalizers run when they like. */
export async function collected(check: () => void): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    await turn();
    gc();
    try {
      check();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

/** How many rings are open. */
export const ringsOpen = () =>
  census().descriptors["anon_inode:[io_uring]"] ?? 0;

export const noRings = () => assertEquals(ringsOpen(), 0, "rings are open");

/** Each way of running; COOP_TASKRUN came with Linux 5.19. */
const KINDS: readonly UringOptions[] = [
  {},
  {},
  { wake: "ring" },
  { flags: 0 },
  { flags: IORING_SETUP_SQPOLL, sqThreadIdle: 5 },
  ...(linux("5.19")
    ? [{ flags: IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG }]
    : []),
];

/** Any kind of `Uring`, roomy or cramped. */
export function anyUring(random: Random): Uring {
  const size = random.pick([{}, {}, { entries: 4, cqEntries: 8 }]);
  const spin = random.pick([0, 40]);
  return new Uring({ ...random.pick(KINDS), ...size, spin });
}

/** Promises, none of which may get lost. */
export class Ledger {
  #open = 0;
  readonly fulfilled: unknown[] = [];
  readonly reasons: unknown[] = [];

  /** Watches a promise. It may reject. */
  watch(promise: Promise<unknown>): void {
    this.#open++;
    promise.then(
      (value) => this.fulfilled.push(value),
      (reason) => this.reasons.push(reason),
    ).finally(() => this.#open--);
  }

  /** Waits until all of them are settled. */
  async balance(): Promise<void> {
    const deadline = performance.now() + 1000 * PATIENCE;
    while (this.#open > 0) {
      assertLess(
        performance.now(),
        deadline,
        `${this.#open} promises are lost`,
      );
      await turn();
    }
  }
}

/** Cancellations and linked timeouts may come to their ends after the ops that they were for. */
export async function idle(uring: Uring): Promise<void> {
  await until(() => uring.stats.inFlight === 0, "nothing is in flight");
  const { queued, submitted, completed, strays } = uring.stats;
  assertEquals([queued, completed, strays], [0, submitted, 0]);
}
