/**
 * A run of `cp`: the ring, the signals, the progress, and how it ends.
 *
 * @module
 */

import { isSystemError } from "../../ffi/errors.ts";
import { libc } from "../../ffi/libc.ts";
import { Uring } from "../../proactor/uring.ts";
import { preservesAny } from "./attributes.ts";
import { Burst } from "./burst.ts";
import { Copier } from "./copier.ts";
import { Jobs } from "./jobs.ts";
import type { Operands } from "./operands.ts";
import { Progress } from "./progress.ts";
import { quote } from "../quote.ts";
import { openStreams, type Session } from "./session.ts";
import type { Settings } from "./settings.ts";
import { OutputError, Transcript } from "./transcript.ts";
import { Interrupted } from "./trouble.ts";
import { waitInKernel } from "./wait.ts";

/** How many files are in flight at most. */
const CONCURRENCY = 64;
const RLIMIT_NOFILE = 7;
/** Descriptors that are not for files: those of Deno, of the rings, of the streams. */
const RESERVED = 32;
/** A ring that fits into 64 KiB of locked memory, the limit on systems before Linux 5.16. */
const RING = {
  entries: 256,
  cqEntries: 1024,
  spin: 0,
  wake: waitInKernel,
} as const;
/** The numbers of the signals that are waited for, and of the one that a closed pipe sends. */
const NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGPIPE: 13 } as const;

/** Copies, and gives the exit status. */
export async function run(
  settings: Settings,
  operands: Operands,
): Promise<number> {
  const transcript = new Transcript();
  let uring: Uring;
  try {
    uring = new Uring(RING);
  } catch (error) {
    // No ring: the message says why, and what to do.
    if (!isSystemError(error)) throw error;
    transcript.write(`cp: ${error.message}\n`);
    return 1;
  }
  await using _closing = uring;
  const most = settings.clobber === "ask" ? 1 : concurrency();
  await using burst = settings.recursive ? newBurst(most, settings) : null;
  await using progress = new Progress();
  using interruption = new Interruption(settings);
  const cut: [to: string, removed: boolean][] = [];
  const session: Session = {
    settings,
    uring,
    burst,
    signal: interruption.signal,
    transcript,
    jobs: new Jobs(most),
    progress,
    single: !settings.recursive && operands.pairs.length === 1,
    umask: Deno.umask(),
    streams: await openStreams(uring),
    cutShort: (to, removed) => cut.push([to, removed]),
  };
  if (shows(settings)) await progress.show(session, operands);
  try {
    await copyAll(session, operands);
    await progress[Symbol.asyncDispose]();
    transcript.flush();
  } catch (error) {
    await session.jobs.settled();
    await progress[Symbol.asyncDispose]();
    return ended(transcript, error, cut);
  }
  return transcript.ok ? 0 : 1;
}

/**
 * How many files may be in flight. Each has two descriptors, and a burst comes on top of what
 * else is going on.
 */
function concurrency(): number {
  const limit = new BigUint64Array(2);
  libc().getrlimit(RLIMIT_NOFILE, limit);
  const most = Math.floor((Number(limit[0]) - RESERVED) / 4);
  return Math.max(1, Math.min(most, CONCURRENCY));
}

/** Null where one ring has to do. */
function newBurst(most: number, settings: Settings): Burst | null {
  try {
    return new Burst(most, preservesAny(settings));
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return null;
  }
}

async function copyAll(
  session: Session,
  { pairs, several }: Operands,
): Promise<void> {
  const copier = new Copier(session, several);
  for (const [from, to] of pairs) await copier.copy(from, to);
  await copier.drain();
}

/** Whether to show how far it is: on a terminal, unless it is used for questions. */
function shows({ progress, clobber }: Settings): boolean {
  return progress ?? (clobber !== "ask" && Deno.stderr.isTerminal());
}

/** What is said when something ends the run, and the exit status. */
function ended(
  transcript: Transcript,
  error: unknown,
  cut: [to: string, removed: boolean][],
): number {
  if (error instanceof Deno.errors.BrokenPipe && !isSystemError(error)) {
    return 128 + NUMBERS.SIGPIPE;
  }
  if (error instanceof OutputError) {
    transcript.write(`cp: ${error.message}\n`);
    return 1;
  }
  if (!(error instanceof Interrupted)) throw error;
  for (const [to, removed] of cut) {
    const what = removed
      ? `removed the unfinished copy ${quote(to)}`
      : `the copy ${quote(to)} is incomplete`;
    transcript.write(`cp: interrupted: ${what}\n`);
  }
  if (cut.length === 0) transcript.write("cp: interrupted\n");
  return 128 + NUMBERS[error.signal];
}

/** The user's signals: the first ends the copies in order, the second all at once. */
class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #listeners = (["SIGINT", "SIGTERM"] as const).map((name) => {
    const listener = () => {
      if (this.signal.aborted) Deno.exit(128 + NUMBERS[name]);
      this.#controller.abort(new Interrupted(name));
    };
    return { name, listener };
  });

  /** Listens, unless the program may be waiting for an answer: then nobody would hear it. */
  constructor({ clobber }: Settings) {
    if (clobber === "ask") this.#listeners.length = 0;
    for (const { name, listener } of this.#listeners) {
      Deno.addSignalListener(name, listener);
    }
  }

  /** Aborts at the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Listens no more. */
  [Symbol.dispose](): void {
    for (const { name, listener } of this.#listeners) {
      Deno.removeSignalListener(name, listener);
    }
  }
}
