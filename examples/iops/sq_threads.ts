/**
 * What the SQPOLL threads of rings spend.
 *
 * @module
 */

import { parseFdinfo } from "../../sqpoll/figures.ts";

/** CPU time so far, in microseconds, by the thread's id. */
export type Times = ReadonlyMap<number, number>;

/** The kernel tells nothing of a ring that it is busy with at the moment. */
const TRIES = 100;

/** The SQPOLL threads behind some rings. */
export class SqThreads {
  readonly #fds: readonly number[];
  readonly #ids = new Map<number, number>();

  /** The threads of the rings with these descriptors. */
  constructor(fds: readonly number[]) {
    this.#fds = fds;
  }

  /** What each spent so far; rings that share a thread have it counted once. */
  times(): Times {
    const times = new Map<number, number>();
    for (const fd of this.#fds) {
      const id = this.#ids.get(fd) ?? findThread(fd);
      if (id === undefined) continue;
      this.#ids.set(fd, id);
      const time = cpuTime(id) ?? fdinfo(fd).totalTime;
      if (time !== undefined) times.set(id, time);
    }
    return times;
  }
}

/**
 * What was spent between two looks, in seconds; undefined if nobody tells. A thread that was not
 * there at the first began since.
 */
export function spentBetween(before: Times, after: Times): number | undefined {
  if (after.size === 0) return undefined;
  let total = 0;
  for (const [thread, time] of after) total += time - (before.get(thread) ?? 0);
  return total / 1e6;
}

/** The thread of a ring: until it runs, the ring names the thread that made it. */
function findThread(fd: number): number | undefined {
  for (let tries = 0; tries < TRIES; tries++) {
    const { thread } = fdinfo(fd);
    if (read(`/proc/self/task/${thread}/comm`)?.startsWith("iou-sqp")) {
      return thread;
    }
  }
  return undefined;
}

function fdinfo(fd: number) {
  return parseFdinfo(Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`));
}

/**
 * CPU time of a thread in microseconds, as the scheduler counts it: the ring's own figure (Linux
 * 6.9) goes by ticks of the clock, and is off by much for seconds. Undefined on kernels without
 * scheduler statistics.
 */
function cpuTime(thread: number): number | undefined {
  const text = read(`/proc/self/task/${thread}/schedstat`);
  return text === undefined ? undefined : Number(text.split(" ")[0]) / 1000;
}

/** A file that may not be there. */
function read(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
