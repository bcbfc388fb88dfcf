/**
 * What all parts of a run of `cp` share.
 *
 * @module
 */

import { IOSQE_ASYNC } from "../../ffi/abi.ts";
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
} from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { openat } from "../../ops/open.ts";
import { statx } from "../../ops/path.ts";
import type { Uring } from "../../proactor/uring.ts";
import type { Burst } from "./burst.ts";
import type { Jobs } from "./jobs.ts";
import type { Progress } from "./progress.ts";
import type { Settings } from "./settings.ts";
import type { Transcript } from "./transcript.ts";
import { codeOf } from "./trouble.ts";

/** What all parts of a run share. */
export interface Session {
  /** What is to be done. */
  readonly settings: Settings;
  /** The ring that does it. */
  readonly uring: Uring;
  /** Runs many small things; null where there will not be many. */
  readonly burst: Burst | null;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** What is printed. */
  readonly transcript: Transcript;
  /** Files in flight. */
  readonly jobs: Jobs;
  /** How far it is. */
  readonly progress: Progress;
  /** Whether there is but one thing to be copied. */
  readonly single: boolean;
  /** The umask. */
  readonly umask: number;
  /** The files, by identity, that were open before `cp` opened any: its standard output, say. */
  readonly streams: ReadonlySet<string>;
  /** Takes note of a copy that an interruption ended, and whether nothing of it is left. */
  cutShort(to: string, removed: boolean): void;
}

/** What the kernel knows of a file; of a symbolic link itself, unless it is to be followed. */
export function lookUp(
  { uring }: Session,
  path: string,
  follow: boolean,
): Promise<Statx> {
  return uring.submit(
    statx(path, { flags: follow ? 0 : AT_SYMLINK_NOFOLLOW }),
  );
}

/** The same; null where there is nothing. */
export async function find(
  session: Session,
  path: string,
  follow: boolean,
): Promise<Statx | null> {
  try {
    return await lookUp(session, path, follow);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

/**
 * Opens a file. What may block, a FIFO that nobody writes to, has a thread of the kernel wait:
 * a ring by itself opens without blocking first, and a FIFO opened so reads as empty.
 */
export function open(
  { uring, signal }: Session,
  path: string,
  flags: number,
  { mode = 0, blocks = false }: { mode?: number; blocks?: boolean } = {},
): Promise<number> {
  const op = openat(path, flags | O_CLOEXEC, { mode });
  return blocks
    ? uring.submit(op, { flags: IOSQE_ASYNC, signal })
    : uring.submit(op);
}

/** Whether two names, or descriptors, are of one file. */
export function sameInode(a: Statx, b: Statx): boolean {
  return a.dev === b.dev && a.inoBigInt === b.inoBigInt;
}

/** A file's identity, as a key. */
export function identity({ dev, inoBigInt }: Statx): string {
  return `${dev}:${inoBigInt}`;
}

/** The descriptors that a shell can redirect. */
const REDIRECTED = 10;

/** The identities of the files that are open as the streams of this process. */
export async function openStreams(uring: Uring): Promise<Set<string>> {
  const looks = Array.from({ length: REDIRECTED }, async (_, dirfd) => {
    try {
      const op = statx("", { dirfd, flags: AT_EMPTY_PATH });
      return [identity(await uring.submit(op))];
    } catch (error) {
      // Nothing is open there.
      if (codeOf(error) === undefined) throw error;
      return [];
    }
  });
  return new Set((await Promise.all(looks)).flat());
}

/** Lets timers and signals have their turn. */
export function yieldTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
