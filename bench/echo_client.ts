/**
 * The Worker at the other end of the socket pair: sends a message, waits for its echo, and lets the
 * other side fall asleep before the next one.
 */
/// <reference lib="deno.worker" />
import {
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  Memory,
} from "../ffi/mod.ts";
import { prepRecv, prepSend } from "../ops/mod.ts";
import { Ring } from "../ring/mod.ts";
import { spread } from "./statistics.ts";

/** How many bytes a message has. A shorter one is the last. */
export const MESSAGE = 64;

/** How long to leave the other side alone. It must sleep by then. */
const PAUSE_MS = 0.1;

/** What the Worker is told to do. */
export interface Order {
  /** Its end of the socket pair. */
  readonly fd: number;
  /** For how long. */
  readonly seconds: number;
}

/** Where the Worker is to run. It says when it is there. */
export interface Place {
  /** The CPU; null for any. */
  readonly cpu: number | null;
}

/** What it answers. */
export interface RoundTrips {
  /** How many messages came back. */
  readonly count: number;
  /** How long one took, in seconds. */
  readonly median: number;
}

/**
 * Moves this thread to another CPU than the other side's. On the same one neither would ever be
 * idle, and where the scheduler puts them would decide more than anything else.
 */
function moveTo(cpu: number): void {
  const [thread = ""] = Deno.readTextFileSync("/proc/thread-self/stat")
    .split(" ");
  const { success, stderr } = new Deno.Command("taskset", {
    args: ["-p", "-c", String(cpu), thread],
    stdout: "null",
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

function measure({ fd, seconds }: Order): RoundTrips {
  using ring = new Ring({
    entries: 8,
    flags: IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
  });
  using memory = new Memory(MESSAGE);
  const nap = new Int32Array(new SharedArrayBuffer(4));
  const exchange = (length: number, answers: number) => {
    const sending = ring.sqe();
    if (sending !== null) prepSend(sending, fd, memory.address, length, 0);
    const receiving = answers > 0 ? ring.sqe() : null;
    if (receiving !== null) prepRecv(receiving, fd, memory.address, MESSAGE, 0);
    ring.submitAndWait(1 + answers);
    ring.forEachCqe(({ res }) => {
      if (res !== length) {
        throw new Error(`a message has res ${res}; ${length} was due`);
      }
    });
  };
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  do {
    Atomics.wait(nap, 0, 0, PAUSE_MS);
    const start = performance.now();
    exchange(MESSAGE, 1);
    times.push((performance.now() - start) / 1000);
  } while (performance.now() < end);
  exchange(1, 0);
  return { count: times.length, median: spread(times).median };
}

if (
  typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope
) {
  self.onmessage = ({ data }: MessageEvent<Order | Place>) => {
    if ("seconds" in data) self.postMessage(measure(data));
    else {
      if (data.cpu !== null) moveTo(data.cpu);
      self.postMessage("there");
    }
  };
}
