/**
 * Two figures of the machine: how fast a ring goes round, and how long it takes to wake.
 *
 * @module
 */

import { prepNop } from "../../ops/nop.ts";
import { run } from "../../ops/run.ts";
import { timeout } from "../../ops/timeout.ts";
import { Uring } from "../../proactor/mod.ts";
import { Ring } from "../../ring/mod.ts";
import type { Measured, Times } from "./report.ts";

const BATCH = 32;
/** For each rate, in milliseconds; a fifth of it comes first, for the compiler. */
const SPAN = 200;
/** Between clock reads. */
const ROUNDS = 256;
const WAKES = 100;
const SLEEP = 2;

/** NOPs a second, `batch` of them a system call, for so many milliseconds. */
function nops(ring: Ring, batch: number, span: number): number {
  const visit = () => {};
  const start = performance.now();
  let done = 0;
  for (;;) {
    for (let round = 0; round < ROUNDS; round++) {
      for (let index = 0; index < batch; index++) {
        const sqe = ring.sqe();
        if (sqe === null) throw new Error("The queue is full.");
        prepNop(sqe);
      }
      ring.submitAndWait(batch);
      done += ring.forEachCqe(visit);
    }
    const spent = performance.now() - start;
    if (spent >= span) return Math.round(done / spent * 1000);
  }
}

function rate(batch: number): number {
  using ring = new Ring(BATCH);
  nops(ring, batch, SPAN / 5);
  return nops(ring, batch, SPAN);
}

/** How much longer than the sleeps themselves they took, in microseconds. */
function times(slept: readonly number[]): Times {
  const late = slept.map((span) => Math.max(span - SLEEP, 0) * 1000)
    .sort((a, b) => a - b);
  const at = (part: number) =>
    Math.round((late[Math.floor(part * late.length)] ?? 0) * 10) / 10;
  return { p50: at(0.5), p99: at(0.99) };
}

/** A thread that waits inside io_uring_enter(2). */
function wakeThread(): Times {
  using ring = new Ring(2);
  const slept: number[] = [];
  for (let index = 0; index < WAKES; index++) {
    const start = performance.now();
    run(ring, timeout(SLEEP));
    slept.push(performance.now() - start);
  }
  return times(slept);
}

/** An event loop that waits for the kernel to ring. */
async function wakePromise(): Promise<Times> {
  await using uring = new Uring({ spin: 0 });
  const slept: number[] = [];
  for (let index = 0; index < WAKES; index++) {
    const start = performance.now();
    await uring.submit(timeout(SLEEP));
    slept.push(performance.now() - start);
  }
  return times(slept);
}

/** Takes the measures: less than two seconds. */
export async function measure(): Promise<Measured> {
  return {
    nopsSingle: rate(1),
    nopsBatched: rate(BATCH),
    wakeThread: wakeThread(),
    wakePromise: await wakePromise(),
  };
}
