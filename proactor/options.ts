/**
 * Options of a `Uring` and of what it is given to do.
 *
 * @module
 */

import {
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_IOPOLL,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQE_MIXED,
  IORING_SETUP_TASKRUN_FLAG,
  IOSQE_ASYNC,
  IOSQE_BUFFER_SELECT,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
} from "../ffi/abi.ts";
import { checkInteger, show } from "../ffi/check.ts";
import { isSystemError } from "../ffi/errors.ts";
import type { RingOptions } from "../ring/options.ts";
import { Ring } from "../ring/ring.ts";
import { deferredWorkRings } from "./deferred.ts";
import { checkWake, type Wake, type WakeChoice } from "./wake.ts";

/**
 * Options of a {@linkcode Uring}: those of its ring, and how it waits.
 *
 * The ring's modes change what a `Uring` does:
 * - `sqpoll`: while the thread is awake, submitting and reaping make no system call;
 * - `iopoll`: it never sleeps while anything is in flight, since no device rings; only reads and
 *   writes with O_DIRECT run on it: open the files elsewhere;
 * - `workers`: every op goes to the kernel's workers, and the event loop goes on at once.
 */
export interface UringOptions extends RingOptions {
  /**
   * How many completions the queue holds, and thereby how many ops are in flight at most; the
   * others wait their turn: for ever, if none of those in flight ends. Default: 4096, or 1024 or 256
   * where RLIMIT_MEMLOCK allows no more.
   */
  cqEntries?: number;
  /**
   * How long to look for completions without a system call before going to sleep, in
   * microseconds. More is quicker to notice, and burns the CPU meanwhile. Default: 40.
   */
  spin?: number;
  /**
   * Whether to sleep at all. Without it the event loop goes round and round while anything is
   * in flight: the quickest, for a whole core. Default: true.
   */
  sleep?: boolean;
  /**
   * What wakes the event loop: `"handle"`, an eventfd in a handle of the loop; `"ring"`, a second
   * ring and documented API alone; or a function that makes a {@linkcode Wake} of one's own.
   * Default: the handle where it is to be had, else the ring.
   */
  wake?: WakeChoice | ((ring: Ring, onRing: () => void) => Wake);
}

/** Options of {@linkcode Uring.submit}. */
export interface SubmitOptions {
  /** Cancels the op when it aborts. */
  signal?: AbortSignal | undefined;
  /** After how many milliseconds the kernel is to cancel the op. Waiting for room counts. */
  timeout?: number | undefined;
  /** More flags of the entry: `IOSQE_ASYNC`, `IOSQE_IO_DRAIN`. */
  flags?: number | undefined;
}

/** What is left of {@linkcode UringOptions} once they are checked. */
export interface Settings {
  /** The ring. */
  ring: Ring;
  /** In milliseconds. */
  spin: number;
  /** Whether to sleep. */
  sleep: boolean;
  /** What wakes the loop. */
  wake: WakeChoice | ((ring: Ring, onRing: () => void) => Wake);
}

/** The ways of running completions, best first: what the kernel does not know it refuses. */
const RUNNING: readonly number[] = [
  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
  IORING_SETUP_TASKRUN_FLAG,
  IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
  0,
];

/** Checks the options and makes the ring. */
export function settle(options: UringOptions): Settings {
  checkOptions("Uring", options);
  const { spin = 40, sleep = true, wake = "auto", ...ring } = options;
  if (typeof spin !== "number" || !(spin >= 0 && spin <= 1e9)) {
    throw new RangeError(
      `Uring: spin must be 0 to 1e9 microseconds; got ${show(spin)}.`,
    );
  }
  checkBoolean("Uring: sleep", sleep);
  if (
    !["auto", "handle", "ring"].includes(wake as string) &&
    typeof wake !== "function"
  ) {
    throw new TypeError(
      `Uring: wake must be "auto", "handle", "ring" or a function; got ${
        show(wake)
      }.`,
    );
  }
  if (typeof wake !== "function") checkWake(wake);
  const made = makeRing(ring);
  // Nobody rings for a device that has to be asked.
  const asked = (made.flags & IORING_SETUP_IOPOLL) !== 0;
  return { ring: made, spin: spin / 1000, sleep: sleep && !asked, wake };
}

/**
 * How many completions the queue holds, if nobody says. Some kernels count rings towards
 * RLIMIT_MEMLOCK, as Linux 6.18 does; it is 64 KiB in many a container, and was so for all users.
 */
const COMPLETIONS: readonly number[] = [4096, 1024, 256];

function makeRing(options: RingOptions): Ring {
  // An op with a timeout goes as two entries, together: no queue is shorter than that.
  const entries = options.entries === 1 ? 2 : options.entries ?? 256;
  if (options.cqEntries !== undefined) {
    const { cqEntries } = options;
    const isLeast = options.entries === 1 && cqEntries === 1;
    return makeSized({
      ...options,
      entries,
      cqEntries: isLeast ? 2 : cqEntries,
    });
  }
  for (const size of COMPLETIONS) {
    try {
      const cqEntries = Math.max(size, entries);
      return makeSized({ ...options, entries, cqEntries });
    } catch (error) {
      const isScarce = isSystemError(error) && error.code === "ENOMEM";
      if (!isScarce || size === COMPLETIONS.at(-1)) throw error;
    }
  }
  throw new Error("unreachable: the last size throws");
}

function makeSized(options: RingOptions): Ring {
  if (options.flags !== undefined) {
    const flags = checkInteger("Uring: flags", options.flags, 0, 0xffff_ffff);
    if ((flags & IORING_SETUP_SQE_MIXED) !== 0) {
      throw new RangeError(
        "Uring: its entries are of one size, so IORING_SETUP_SQE_MIXED is not for it. For ops in " +
          "entries of 128 bytes there is IORING_SETUP_SQE128.",
      );
    }
    // Deferred work must show, or the Uring would sleep over it.
    const deferred = (flags & IORING_SETUP_DEFER_TASKRUN) !== 0;
    const shown = deferred ? IORING_SETUP_TASKRUN_FLAG : 0;
    return new Ring({ ...options, flags: (flags | shown) >>> 0 });
  }
  // The kernel's thread runs the work of a polled ring.
  const ways = options.sqpoll === true ? [0] : RUNNING;
  for (const flags of ways) {
    try {
      const ring = new Ring({ ...options, flags });
      const deferred = (flags & IORING_SETUP_DEFER_TASKRUN) !== 0;
      if (!deferred || deferredWorkRings(ring.features)) return ring;
      ring.close();
    } catch (error) {
      const unknown = isSystemError(error) && error.code === "EINVAL";
      if (!unknown || flags === 0) throw error;
    }
  }
  throw new Error("unreachable: the last way of running throws");
}

/** The flags of an entry that are the caller's business. */
const FLAGS = IOSQE_ASYNC | IOSQE_IO_DRAIN | IOSQE_FIXED_FILE |
  IOSQE_BUFFER_SELECT;

/** Checks that options are an object. */
export function checkOptions(what: string, options: unknown): void {
  if (options === null || typeof options !== "object") {
    throw new TypeError(
      `${what}: options must be an object; got ${show(options)}.`,
    );
  }
}

/** Checks an option that is on or off. */
export function checkBoolean(what: string, value: unknown): void {
  if (typeof value !== "boolean") {
    throw new TypeError(`${what} must be a boolean; got ${show(value)}.`);
  }
}

/** Checks the options that all have with which something is submitted, or waited for. */
export function checkCommon(
  what: string,
  options: Pick<SubmitOptions, "signal" | "timeout">,
): void {
  checkOptions(what, options);
  const { signal, timeout } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(
      `${what}: signal must be an AbortSignal; got ${show(signal)}.`,
    );
  }
  if (timeout !== undefined) checkTimeout(`${what}: timeout`, timeout);
}

/** Checks the options of a chain. */
export function checkLink(
  options: Pick<SubmitOptions, "signal" | "timeout"> & {
    hard?: boolean | undefined;
  },
): void {
  checkCommon("Uring.link", options);
  const { hard } = options;
  if (hard !== undefined) checkBoolean("Uring.link: hard", hard);
}

/** Checks the options of a stream. */
export function checkStream(
  options: Pick<SubmitOptions, "signal"> & { limit?: number | undefined },
): void {
  checkCommon("Uring.stream", options);
  const { limit } = options;
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1)) {
    throw new RangeError(
      `Uring.stream: limit must be an integer from 1 on; got ${show(limit)}.`,
    );
  }
}

/** Checks the options of an op. */
export function checkSubmit(options: SubmitOptions): void {
  checkCommon("Uring.submit", options);
  const { flags } = options;
  if (flags !== undefined) {
    checkInteger("Uring.submit: flags", flags, 0, 0xff);
    if ((flags & ~FLAGS) !== 0) {
      throw new RangeError(
        "Uring.submit: flags may be IOSQE_ASYNC, IOSQE_IO_DRAIN, IOSQE_FIXED_FILE and " +
          `IOSQE_BUFFER_SELECT; for links there is chain(); got ${flags}.`,
      );
    }
  }
}

/** Checks a time in milliseconds. */
export function checkTimeout(what: string, timeout: number): void {
  if (typeof timeout !== "number") {
    throw new TypeError(
      `${what} must be a number of milliseconds; got ${show(timeout)}.`,
    );
  }
  if (!(timeout >= 0 && timeout <= 1e15)) {
    throw new RangeError(
      `${what} must be 0 or more milliseconds; got ${timeout}. Leave it out to wait for ever.`,
    );
  }
}
