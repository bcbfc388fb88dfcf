/**
 * The threads that measure one way of doing I/O, as the main thread sees them.
 *
 * @module
 */

import { Counters, type Figures, noFigures } from "./counters.ts";
import type { Settings } from "./settings.ts";
import { spentBetween, SqThreads } from "./sq_threads.ts";
import type { Target } from "./targets.ts";
import type { Reply, Task } from "./worker.ts";

/** How long SQPOLL threads need beyond their idle time to be really asleep, in milliseconds. */
const FALLING_ASLEEP = 30;

/** What a team did in a stretch of time. */
export interface Stretch extends Figures {
  /** How long it was, in seconds. */
  readonly seconds: number;
  /** CPU time of the SQPOLL threads over the time; undefined if there is none, or the kernel does not tell. */
  readonly sqThreadShare: number | undefined;
}

/** Threads that do I/O in turns. Between turns they sleep, and keep what was compiled. */
export class Team implements AsyncDisposable {
  /** What they measure. */
  readonly settings: Settings;
  /** The setup flags of their rings. */
  readonly ringFlags: number;
  /** How they reach the kernel. */
  readonly backend: string;
  readonly #members: readonly Member[];
  readonly #sqThreads: SqThreads;

  private constructor(
    settings: Settings,
    members: readonly Member[],
    { flags, backend }: { flags: number; backend: string },
    sqThreads: SqThreads,
  ) {
    this.settings = settings;
    this.#members = members;
    this.ringFlags = flags;
    this.backend = backend;
    this.#sqThreads = sqThreads;
  }

  /** Starts the threads, and waits until their rings are there. */
  static async start(
    settings: Settings,
    targets: readonly Target[],
  ): Promise<Team> {
    const members: Member[] = [];
    const rings: { ringFd: number; flags: number; backend: string }[] = [];
    try {
      for (let thread = 0; thread < settings.threads; thread++) {
        const first = settings.share ? rings[0] : undefined;
        const member = new Member(settings, targets, thread, first?.ringFd);
        members.push(member);
        rings.push(await member.ready);
      }
    } catch (error) {
      for (const member of members) member.quit();
      throw error;
    }
    const fds = settings.sqpoll ? rings.map(({ ringFd }) => ringFd) : [];
    const [ring = { flags: 0, backend: "" }] = rings;
    return new Team(settings, members, ring, new SqThreads(fds));
  }

  /** Has all threads go on. */
  resume(): void {
    for (const { counters } of this.#members) counters.resume();
  }

  /** Has all threads stop, and waits until the kernel has nothing of them. */
  async pause(): Promise<void> {
    do {
      for (const { counters } of this.#members) counters.pause();
      await Promise.race([sleep(1), this.failure]);
    } while (!this.paused);
    if (this.settings.sqpoll) await sleep(this.settings.idle + FALLING_ASLEEP);
  }

  /** Lets so many seconds pass; fewer if the threads have nothing left to do, or are to stop. */
  async run(seconds: number, stop: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.max(seconds, 0) * 1000);
    const over = () => resolve();
    stop.addEventListener("abort", over);
    // Only what may end by itself is looked at in between: looking takes time from who measures.
    const watch = this.settings.passes > 0
      ? setInterval(() => this.paused && resolve(), 5)
      : undefined;
    try {
      await Promise.race([promise, this.failure]);
    } finally {
      clearTimeout(timer);
      clearInterval(watch);
      stop.removeEventListener("abort", over);
    }
  }

  /** Rejects when a thread fails. */
  get failure(): Promise<never> {
    return Promise.race(this.#members.map(({ failed }) => failed));
  }

  /** Whether every thread has stopped. */
  get paused(): boolean {
    return this.#members.every(({ counters }) => counters.paused);
  }

  /** Begins a stretch of time; what it returns ends it and begins the next. */
  measure(): () => Stretch {
    let before = this.#figures();
    let since = performance.now();
    let times = this.#sqThreads.times();
    return () => {
      const now = performance.now();
      const after = this.#figures();
      const seconds = (now - since) / 1000;
      const timesNow = this.#sqThreads.times();
      const spent = spentBetween(times, timesNow);
      const stretch = {
        ...difference(after, before),
        seconds,
        sqThreadShare: spent === undefined ? undefined : spent / seconds,
      };
      before = after;
      since = now;
      times = timesNow;
      return stretch;
    };
  }

  #figures(): Figures {
    const figures = noFigures();
    for (const { counters } of this.#members) counters.addTo(figures);
    return figures;
  }

  /** Stops the threads and ends them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause().catch(() => {}); // who failed said so, and has ended
    for (const member of this.#members) member.quit();
  }
}

/** What happened between two looks: sums are subtracted, what is in flight is as it was last. */
function difference(after: Figures, before: Figures): Figures {
  return {
    ios: after.ios - before.ios,
    bytes: after.bytes - before.bytes,
    enters: after.enters - before.enters,
    inFlight: after.inFlight,
    hits: after.hits - before.hits,
    misses: after.misses - before.misses,
    latencies: after.latencies.map((count, at) =>
      count - (before.latencies[at] as number)
    ),
  };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** One thread. */
class Member {
  readonly #worker: Worker;
  readonly counters = new Counters();
  /** Its ring, once it is there. */
  readonly ready: Promise<{ ringFd: number; flags: number; backend: string }>;
  /** Rejects if it fails. */
  readonly failed: Promise<never>;

  constructor(
    settings: Settings,
    targets: readonly Target[],
    thread: number,
    attachTo?: number,
  ) {
    const worker = this.#worker = new Worker(
      new URL("./worker.ts", import.meta.url),
      {
        type: "module",
        name: `iops ${thread}`,
      },
    );
    const ready = Promise.withResolvers<
      { ringFd: number; flags: number; backend: string }
    >();
    const failed = Promise.withResolvers<never>();
    const fail = (message: string) => {
      const error = new Error(message);
      ready.reject(error);
      failed.reject(error);
    };
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      if ("error" in data) fail(data.error);
      else ready.resolve(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail(event.message);
    };
    this.ready = ready.promise;
    this.failed = failed.promise;
    // Whoever waits for something else meanwhile learns of it later.
    this.failed.catch(() => {});
    const counters = this.counters.buffer;
    const task: Task = { settings, targets, counters, thread };
    worker.postMessage(attachTo === undefined ? task : { ...task, attachTo });
  }

  /** Ends it: it closes its ring itself. */
  quit(): void {
    this.#worker.onmessage = null;
    this.counters.quit();
  }
}
