/**
 * Descriptors: how files are opened and closed, and what happens when there are no more of them.
 *
 * @module
 */

import { IOSQE_ASYNC } from "../ffi/abi.ts";
import { closeDescriptor } from "../ffi/descriptors.ts";
import { isSystemError } from "../ffi/errors.ts";
import { lseek, position } from "../ffi/file.ts";
import {
  AT_EMPTY_PATH,
  ENOENT,
  O_CLOEXEC,
  O_CREAT,
  O_TRUNC,
  SEEK_END,
  STATX_TYPE,
} from "../ffi/linux.ts";
import type { Op } from "../ops/op.ts";
import { openat, openat2 } from "../ops/open.ts";
import { statx } from "../ops/path.ts";
import { whenAborted } from "../proactor/signal.ts";
import type { Uring } from "../proactor/uring.ts";
import type { Opening } from "./permission.ts";

/** How long to wait for files that are closed by whoever opened them, in milliseconds. */
const PATIENCE = 1000;
/** How long to wait at a time for files that others have open, who do not tell. */
const PAUSE = 10;

/** An open file. */
export interface Descriptor {
  /** Its number. */
  readonly fd: number;
  /**
   * How many bytes it had when it was opened; 0 also where that cannot be told, as in /proc, and
   * for a file that stays open; -1 if it has no positions: a pipe, a socket, a terminal.
   */
  readonly size: number;
}

/**
 * `"passing"` is open for as long as one call takes, `"kept"` until its owner closes it. Who has
 * to wait for a descriptor may rely on the first.
 */
export type Stay = "passing" | "kept";

/** How many are open. */
const open: Record<Stay, number> = { passing: 0, kept: 0 };
/** How many the kernel is to open: some may be open already, and nobody knows yet. */
let opening = 0;

/** Somebody who waits for a descriptor. */
type Waiter = (again: boolean) => void;

const waiting = new Set<Waiter>();
let timer: ReturnType<typeof setTimeout> | undefined;
let lastClosed = 0;
/** How many were closed so far. */
let closings = 0;

/** How to open a file, beside where. */
export interface OpenManner {
  /** `O_*`; `O_CLOEXEC` is added. */
  flags: number;
  /** The permissions of a file that is created, before the umask. Default: 0o666. */
  mode?: number | undefined;
  /** How long it will be open. */
  stay: Stay;
  /** Whether to wait where no descriptor is left. Default: true. */
  waits?: boolean | undefined;
  /** Cancels the opening. */
  signal?: AbortSignal | undefined;
}

/**
 * Opens a file.
 *
 * When the process or the system has no descriptor left (EMFILE, ENFILE), it waits until one of
 * the files opened here is closed. It gives up with that error if none is open, or if for a
 * second nobody has closed one.
 */
export async function openDescriptor(
  ring: Uring,
  where: Opening,
  manner: OpenManner,
): Promise<Descriptor> {
  const op = openOp(where, manner);
  const { signal, flags, stay, waits = true } = manner;
  let async = false;
  for (;;) {
    const seen = closings;
    try {
      const fd = await submitOpen(ring, op, manner, async);
      // What stays open keeps its position, which others may rely on.
      const size = stay === "kept" ? Math.min(position(fd), 0) : sizeOf(fd);
      // What creates or truncates never opens without waiting.
      const waited = async || (flags & (O_CREAT | O_TRUNC)) !== 0;
      if (size >= 0 || waited) return { fd, size };
      return await openFifo(ring, op, fd, manner);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      // A FIFO without a reader: Deno waits for one.
      if (error.code === "ENXIO" && !async) async = true;
      else if (error.code === "ELOOP" && where.missing) {
        throw op.errorOf(ENOENT);
      } else if (!isShortage(error) || !waits) throw error;
      // What was closed since then may have made room.
      else if (closings === seen && !(await room(signal))) throw error;
    }
  }
}

function openOp(where: Opening, { flags, mode = 0o666 }: OpenManner) {
  const all = flags | where.flags | O_CLOEXEC;
  const { path, resolve } = where;
  if (resolve === 0) return openat(path, all, { mode });
  const how = { flags: all >>> 0, resolve };
  return openat2(path, (all & O_CREAT) === 0 ? how : { ...how, mode });
}

async function submitOpen(
  ring: Uring,
  op: Op<number>,
  { signal, stay }: OpenManner,
  async: boolean,
): Promise<number> {
  // What waits for the other end of a FIFO gives nobody a descriptor soon.
  const soon = async ? 0 : 1;
  opening += soon;
  try {
    const fd = signal === undefined && !async
      ? await ring.submit(op)
      : await ring.submit(op, { signal, flags: async ? IOSQE_ASYNC : 0 });
    open[stay]++;
    return fd;
  } finally {
    opening -= soon;
  }
}

/**
 * Opens a FIFO again. The ring opened it at once, as if with O_NONBLOCK: without waiting for its
 * other end. The second one waits; the first stays open meanwhile, as whoever is at the other end
 * already shall not see it go. Anything else without positions is given as it is.
 */
async function openFifo(
  ring: Uring,
  op: Op<number>,
  first: number,
  manner: OpenManner,
): Promise<Descriptor> {
  using unneeded = new DisposableStack();
  unneeded.defer(() => giveBack(first, manner.stay));
  const look = { dirfd: first, flags: AT_EMPTY_PATH, mask: STATX_TYPE };
  const { isFifo } = await ring.submit(statx("", look));
  if (!isFifo) {
    unneeded.move();
    return { fd: first, size: -1 };
  }
  const fd = await submitOpen(ring, op, manner, true);
  return { fd, size: -1 };
}

let turn: Promise<unknown> = Promise.resolve();

/**
 * Opens several files, each of which is of use with the others only.
 *
 * @param open opens them. When it is told not to wait and there are too few descriptors, it closes
 * what it has opened and rejects. It is called again then, and told to wait; one at a time, or all
 * might wait for what the others hold.
 */
export async function openTogether<T>(
  open: (waits: boolean) => Promise<T>,
): Promise<T> {
  try {
    return await open(false);
  } catch (error) {
    if (!isShortage(error)) throw error;
  }
  const opened = turn.then(() => open(true));
  turn = opened.catch(() => {});
  return await opened;
}

/**
 * Does something for which Deno opens a file, and closes it again. When no descriptor is left, it
 * waits until one of the files opened here is closed, and looks now and then whether others, of this
 * process or another, have closed any. It gives up if for a second that was to no avail.
 */
export async function withDescriptor<T>(
  action: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  let since = performance.now();
  for (let seen = closings;;) {
    try {
      const result = await action();
      passOn();
      return result;
    } catch (error) {
      if (!isShortage(error)) {
        passOn();
        throw error;
      }
      signal?.throwIfAborted();
      const now = performance.now();
      if (closings !== seen) [seen, since] = [closings, now];
      else if (now - since > PATIENCE) throw error;
    }
    if (await room(signal, PATIENCE)) continue;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** There may be a descriptor for whoever is the next to wait for one. */
function passOn(): void {
  const [next] = waiting;
  next?.(true);
}

/** Whether the process or the system has no descriptor left. Deno's errors have codes as well. */
function isShortage(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "EMFILE" || code === "ENFILE";
}

function sizeOf(fd: number): number {
  try {
    return lseek(fd, 0, SEEK_END);
  } catch (error) {
    return isSystemError(error) && error.code === "ESPIPE" ? -1 : 0;
  }
}

/** Closes a file at once. No op on it may be in flight. */
export function giveBack(fd: number, stay: Stay): void {
  try {
    closeDescriptor(fd);
  } finally {
    // Linux frees the number whatever close answers.
    wasClosed(stay);
  }
}

/** Notes that a file was opened elsewhere, which is told of when it is closed. */
export function wasOpened(stay: Stay): void {
  open[stay]++;
}

/** Notes that a file was closed. */
export function wasClosed(stay: Stay): void {
  open[stay]--;
  closings++;
  if (waiting.size === 0) return;
  lastClosed = performance.now();
  passOn();
}

/**
 * Waits until a file is closed; false if that cannot be hoped for.
 *
 * @param patience how long at most, in milliseconds. Default: as long as anything is open in passing.
 */
function room(
  signal: AbortSignal | undefined,
  patience?: number,
): Promise<boolean> {
  if (open.passing + open.kept + opening === 0) return Promise.resolve(false);
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const waiter: Waiter = (again) => {
    leave();
    resolve(again);
  };
  const leave = () => {
    waiting.delete(waiter);
    clearTimeout(late);
    stopListening?.();
    if (waiting.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  };
  const late = patience === undefined
    ? undefined
    : setTimeout(waiter, patience, false);
  const stopListening = signal === undefined
    ? undefined
    : whenAborted(signal, () => {
      leave();
      reject(signal.reason);
    });
  if (waiting.size === 0) lastClosed = performance.now();
  waiting.add(waiter);
  timer ??= setTimeout(losePatience, PATIENCE);
  return promise;
}

function losePatience(): void {
  const left = lastClosed + PATIENCE - performance.now();
  if (open.passing + opening > 0 || left > 1) {
    timer = setTimeout(losePatience, Math.max(left, 100));
    return;
  }
  timer = undefined;
  for (const waiter of [...waiting]) waiter(false);
}
