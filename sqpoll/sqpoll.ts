/**
 * A ring whose submissions a thread of the kernel takes.
 *
 * @module
 */

import type { Backend } from "../ffi/backend.ts";
import { type SystemError, systemError } from "../ffi/errors.ts";
import { EBADF, EOPNOTSUPP } from "../ffi/linux.ts";
import type { Cqe } from "../ring/cqe.ts";
import { FIXED_FILES_HINT } from "../ring/enter_error.ts";
import type { RingOptions } from "../ring/options.ts";
import { Ring } from "../ring/ring.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  loadSince,
  type Look,
  parseFdinfo,
  type ThreadFigures,
  type ThreadLoad,
} from "./figures.ts";

export type { ThreadLoad } from "./figures.ts";

/** Options of a {@linkcode SqPoll}. */
export interface SqPollOptions {
  /** How many submissions the queue holds. Default: 128. */
  entries?: number;
  /** How many completions the queue holds. Default: twice the submissions. */
  cqEntries?: number;
  /** How long the thread spins without work before it sleeps, in milliseconds. Default: the kernel's, 1000. */
  idle?: number;
  /** The CPU to bind the thread to. Default: wherever the scheduler puts it. */
  cpu?: number;
  /** Another SQPOLL ring, whose thread to share. */
  share?: SqPoll | Ring;
  /** Further `IORING_SETUP_*` flags. */
  flags?: number;
  /** How to reach the kernel, see {@linkcode RingOptions}. */
  backend?: Backend;
}

/** What a {@linkcode SqPoll} has done so far. */
export interface SqPollStats {
  /** Calls of {@linkcode SqPoll.submit} that had something to hand over. */
  readonly submissions: number;
  /** How many of them had to wake the thread. */
  readonly wakeups: number;
  /** How many of them made no system call: submissions less wake-ups. */
  readonly avoided: number;
  /** Calls of io_uring_enter(2) in all: wake-ups, waits for space, waits for completions. */
  readonly enters: number;
}

/**
 * A ring with `IORING_SETUP_SQPOLL`: a thread of the kernel takes the submissions, and while it
 * is awake a program submits and reaps without a single system call.
 *
 * The thread spins: it burns a core while there is work, and for `idle` milliseconds after.
 * It pays where a steady stream of small operations would otherwise spend its time in system
 * calls, and there is a core to spare. Since Linux 5.13 for anyone; 5.11 wants CAP_SYS_NICE,
 * older kernels CAP_SYS_ADMIN and registered files. See io_uring_setup(2).
 *
 * `new Ring({ sqpoll: true })` and `new Uring({ sqpoll: true })` are such rings too; this class
 * counts what it saves, and tells what the thread spends.
 *
 * @example
 * ```ts
 * import { SqPoll } from "@uring/uring/sqpoll";
 * import { prepNop } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using poll = new SqPoll({ entries: 8, idle: 50 });
 * for (let tag = 0; tag < 100; tag++) {
 *   const sqe = poll.sqe(); // waits for the thread when the queue is full
 *   prepNop(sqe);
 *   sqe.tag = tag;
 *   poll.submit();
 * }
 * let done = 0;
 * while (done < 100) done += poll.reap((cqe) => assertEquals(cqe.res, 0));
 * assertEquals(poll.stats.submissions, 100);
 * ```
 */
export class SqPoll implements Disposable {
  /** The ring itself. */
  readonly ring: Ring;
  #submissions = 0;
  #submissionWakeups = 0;
  #lastLook: Look;

  /**
   * Makes a ring and its thread.
   *
   * @throws {TypeError | RangeError} for options that no ring can have.
   * @throws {SystemError} if the kernel refuses, as {@linkcode Ring} does.
   */
  constructor(options: SqPollOptions = {}) {
    this.ring = new Ring(ringOptions(options));
    // A thread of its own begins with the ring; what a shared one did before is not known.
    const spent = options.share === undefined ? 0 : undefined;
    this.#lastLook = {
      at: performance.now(),
      totalTime: spent,
      workTime: spent,
    };
  }

  /**
   * The next free submission, every byte of it zero. When the queue is full it waits until
   * the thread has made room.
   *
   * @throws {TypeError} if the ring is closed.
   */
  sqe(): Sqe {
    for (;;) {
      const sqe = this.ring.sqe();
      if (sqe !== null) return sqe;
      this.submit();
      this.ring.waitForSpace();
    }
  }

  /**
   * Shows the thread what was filled, and wakes it if it sleeps: after the tail is stored, the
   * flags are read, and only `IORING_SQ_NEED_WAKEUP` leads to a system call.
   *
   * @returns how many submissions were handed over.
   */
  submit(): number {
    const before = this.ring.wakeups;
    const count = this.ring.submit();
    if (count !== 0) {
      this.#submissions++;
      this.#submissionWakeups += this.ring.wakeups - before;
    }
    return count;
  }

  /**
   * Visits every completion that is there; makes no system call unless completions
   * overflowed the queue. Returns how many there were: a busy program calls it in a loop,
   * one that would rather sleep calls {@linkcode wait} first.
   */
  reap(visit: (cqe: Cqe) => void): number {
    return this.ring.forEachCqe(visit);
  }

  /**
   * Sleeps until `count` completions are there, see {@linkcode Ring.wait}. Makes no system
   * call if they are there already.
   *
   * @returns how many are there.
   */
  wait(count: number, options: { timeout?: number } = {}): number {
    return this.ring.wait(count, options);
  }

  /** What was done so far, and what it saved. */
  get stats(): SqPollStats {
    return {
      submissions: this.#submissions,
      wakeups: this.#submissionWakeups,
      avoided: this.#submissions - this.#submissionWakeups,
      enters: this.ring.enters,
    };
  }

  /** Whether the thread sleeps, as far as the ring's flags tell. */
  get asleep(): boolean {
    return this.ring.sq.needsWakeup;
  }

  /**
   * What the thread used of a CPU since the last call (or since it was made), from the ring's
   * `/proc/self/fdinfo`. Deno lets only programs with all permissions (`-A`) read that.
   *
   * Where the kernel says nothing of the thread, `share` and `busy` are NaN, and the next call
   * tells of the time since the last one that it did; see {@linkcode ThreadLoad}.
   *
   * @throws {Deno.errors.NotCapable} without the permission.
   * @throws {UringError} EOPNOTSUPP on kernels before 6.9, which never tell.
   */
  load(): ThreadLoad {
    const figures = figuresOf(this.ring.fd);
    const at = performance.now();
    const load = loadSince(this.#lastLook, figures, at);
    if (figures.totalTime !== undefined) this.#lastLook = { ...figures, at };
    return load;
  }

  /**
   * The error for a completion's negative `res`. It knows that EBADF means something else
   * on a polled ring before Linux 5.11: that the file is not registered.
   *
   * @param op the name of the op, for the message.
   * @param res the completion's result, below 0.
   */
  errorOf(op: string, res: number): SystemError {
    const hint = res === -EBADF && this.ring.needsFixedFiles
      ? FIXED_FILES_HINT
      : undefined;
    return systemError(-res, op, { hint });
  }

  /** Closes the ring; its thread ends with the last ring that shares it. Safe to call twice. */
  close(): void {
    this.ring.close();
  }

  /** {@linkcode close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The kernel says nothing of a ring that its thread is busy with, which is over in a moment. */
const TRIES = 100;

function figuresOf(fd: number): ThreadFigures {
  for (let tries = 1;; tries++) {
    const text = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
    if (/^SqThread:/m.test(text) && !/^SqTotalTime:/m.test(text)) {
      throw systemError(EOPNOTSUPP, "SqPoll.load", {
        hint: "Kernels before 6.9 do not tell what the thread spends.",
      });
    }
    const figures = parseFdinfo(text);
    if (figures.thread !== -1) return ofItsThread(figures);
    if (tries === TRIES) return figures;
  }
}

/** Until its thread first runs, a ring names the one that made it. */
function ofItsThread(figures: ThreadFigures): ThreadFigures {
  const { thread } = figures;
  let name: string;
  try {
    name = Deno.readTextFileSync(`/proc/self/task/${thread}/comm`);
  } catch (error) {
    // In a container it has the number that it has outside.
    if (error instanceof Deno.errors.NotFound) return figures;
    throw error;
  }
  return name.startsWith("iou-sqp") ? figures : parseFdinfo("");
}

function ringOptions(options: SqPollOptions): RingOptions {
  const { idle, cpu, share, entries, cqEntries, flags = 0, backend } = options;
  return {
    flags,
    sqpoll: true,
    ...(entries === undefined ? {} : { entries }),
    ...(cqEntries === undefined ? {} : { cqEntries }),
    ...(idle === undefined ? {} : { sqThreadIdle: idle }),
    ...(cpu === undefined ? {} : { sqThreadCpu: cpu }),
    ...(backend === undefined ? {} : { backend }),
    ...(share === undefined
      ? {}
      : { attachTo: share instanceof SqPoll ? share.ring : share }),
  };
}
