/**
 * The contestants for what a `Uring` does to the event loop and the event loop to it, answering
 * the same commands as contestant.ts:
 *
 *     event_loop.ts ticks uring|turns 1 SETUP_FLAGS FILE cached
 *     event_loop.ts echo uring|blocked 1 SETUP_FLAGS [CPU]
 *     event_loop.ts idle uring 1 SETUP_FLAGS
 *
 * - `ticks` counts those of an interval of 1 ms, while cached reads are awaited one after the other,
 *   or while the loop goes round and round with nothing else to do. (With nothing at all to do it
 *   sleeps too long: the runtime's timers then tick half as often.)
 * - `echo` answers messages over a socket pair that come so far apart that it sleeps in between:
 *   in the event loop, or with the thread blocked in io_uring_enter. What counts is the median of
 *   the round trips, as a rate. The other end is a Worker on CPU, the same for both:
 *   echo_client.ts.
 * - `idle` sleeps with an op in flight. Its rate is the time over the CPU time.
 */
import { constants, openSync } from "node:fs";
import process from "node:process";
import { nop, prepRecv, prepSend, read, recv, send } from "../ops/mod.ts";
import { Uring } from "../proactor/mod.ts";
import { type Cqe, Ring, type Sqe } from "../ring/mod.ts";
import { Memory } from "../ffi/mod.ts";
import { Fds } from "../tests/support/sockets.ts";
import {
  MESSAGE,
  type Order,
  type Place,
  type RoundTrips,
} from "./echo_client.ts";
import { BLOCK } from "./offsets.ts";
import { contend, serve } from "./serve.ts";

const CACHED_BLOCKS = 64;

type Run = (seconds: number) => Promise<string>;

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// --- ticks

function readsUntil(
  uring: Uring,
  path: string,
): (until: number) => Promise<void> {
  const fd = openSync(path, constants.O_RDONLY);
  const buffer = new Uint8Array(BLOCK);
  return async (until) => {
    for (let reads = 0; performance.now() < until; reads++) {
      const offset = reads % CACHED_BLOCKS * BLOCK;
      await uring.submit(read(fd, buffer, { offset }));
    }
  };
}

async function turnsUntil(until: number): Promise<void> {
  while (performance.now() < until) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function ticksDuring(busy: (until: number) => Promise<void>): Run {
  return async (seconds) => {
    let ticks = 0;
    const interval = setInterval(() => ticks++, 1);
    const start = performance.now();
    await busy(start + seconds * 1000);
    const elapsed = (performance.now() - start) / 1000;
    clearInterval(interval);
    return `done ${ticks} ${elapsed.toFixed(9)}`;
  };
}

// --- echo

/** Starts the client. What it gives has it send for a while; the answers are somebody else's. */
async function client(
  fd: number,
  cpu: number | null,
): Promise<(seconds: number) => Promise<RoundTrips>> {
  const worker = new Worker(new URL("./echo_client.ts", import.meta.url), {
    type: "module",
  });
  const ask = <T>(message: Order | Place) =>
    new Promise<T>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(message);
    });
  // Whoever blocks its thread from then on does not keep the Worker from starting.
  await ask({ cpu });
  return (seconds) => ask({ fd, seconds });
}

function echoRun(
  ask: (seconds: number) => Promise<RoundTrips>,
  answer: () => Promise<number> | number,
): Run {
  return async (seconds) => {
    const asked = ask(seconds);
    const sleeps = await answer();
    const { count, median } = await asked;
    // The first one may find it awake, and a busy machine a few more.
    if (sleeps < 0.75 * count - 2) {
      throw new Error(`it slept ${sleeps} times between ${count} messages`);
    }
    return `done 1 ${median.toFixed(9)}`;
  };
}

/** Answers messages until a shorter one comes; gives how often it slept. */
function answerAwaiting(uring: Uring, fd: number): () => Promise<number> {
  const buffer = new Uint8Array(MESSAGE);
  const [receive, answer] = [recv(fd, buffer), send(fd, buffer)];
  return async () => {
    const { sleeps } = uring.stats;
    while (await uring.submit(receive) === MESSAGE) await uring.submit(answer);
    return uring.stats.sleeps - sleeps;
  };
}

function next(ring: Ring): Sqe {
  const sqe = ring.sqe();
  if (sqe === null) throw new Error("the submission queue is full");
  return sqe;
}

/** The same, blocked: with the answer on its way and the next message waited for in one call. */
function answerBlocked(ring: Ring, fd: number): () => number {
  const RECEIVED = 1;
  // Held by the closures: forgotten memory is unmapped.
  const memory = new Memory(MESSAGE);
  let received = 0;
  const visit = ({ tag, res }: Cqe) => {
    if (tag === RECEIVED) received = res;
  };
  const receive = () => {
    const sqe = next(ring);
    prepRecv(sqe, fd, memory.address, MESSAGE, 0);
    sqe.tag = RECEIVED;
  };
  return () => {
    let count = 0;
    receive();
    ring.submitAndWait(1);
    for (;; count++) {
      ring.forEachCqe(visit);
      if (received !== MESSAGE) return count;
      prepSend(next(ring), fd, memory.address, MESSAGE, 0);
      receive();
      ring.submitAndWait(2);
    }
  };
}

// --- idle

async function idle(uring: Uring, fd: number): Promise<Run> {
  uring.submit(recv(fd, new Uint8Array(1))).catch(() => {}); // the end cancels it
  while (!uring.stats.sleeps) await sleep(1);
  return async (seconds) => {
    const start = performance.now();
    const before = process.cpuUsage();
    await sleep(seconds * 1000);
    const { user, system } = process.cpuUsage(before);
    const elapsed = (performance.now() - start) / 1000;
    return `done ${elapsed.toFixed(9)} ${((user + system) / 1e6).toFixed(9)}`;
  };
}

// --- all

async function main(args: string[]): Promise<void> {
  const [measured, contestant, _loops, flagsText, last = ""] = args;
  const flags = Number(flagsText);
  const cpu = last === "" ? null : Number(last);
  using fds = new Fds();
  if (contestant === "turns") {
    await serve(ticksDuring(turnsUntil), `ready ${flags} none`);
    return;
  }
  if (contestant === "blocked") {
    const [here, there] = fds.pair();
    using ring = new Ring({ entries: 8, flags });
    const run = echoRun(await client(there, cpu), answerBlocked(ring, here));
    await serve(run, `ready ${ring.flags} ${ring.backend}`);
    return;
  }
  await using uring = new Uring({ flags });
  await uring.submit(nop());
  const ready = `ready ${uring.ring.flags} ${uring.ring.backend}`;
  if (measured === "ticks") {
    await serve(ticksDuring(readsUntil(uring, last)), ready);
    return;
  }
  const [here, there] = fds.pair();
  const run = measured === "echo"
    ? echoRun(await client(there, cpu), answerAwaiting(uring, here))
    : await idle(uring, here);
  await serve(run, ready);
}

if (import.meta.main) {
  await contend(main);
  // The Worker would keep the process.
  Deno.exit(0);
}
