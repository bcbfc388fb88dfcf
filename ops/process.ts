/**
 * Waiting for child processes and on futexes.
 *
 * @module
 */

import {
  IORING_OP_FUTEX_WAIT,
  IORING_OP_FUTEX_WAITV,
  IORING_OP_FUTEX_WAKE,
  IORING_OP_WAITID,
} from "../ffi/abi.ts";
import { takeBlock } from "../ffi/block.ts";
import { checkInteger, show } from "../ffi/check.ts";
import { futex_waitv, siginfo_t } from "../ffi/layout.ts";
import {
  FUTEX2_PRIVATE,
  FUTEX2_SIZE_U32,
  FUTEX_BITSET_MATCH_ANY,
  FUTEX_WAITV_MAX,
  WEXITED,
} from "../ffi/linux.ts";
import { addressOf, checkView } from "../ffi/memory.ts";
import { writeFutexWaitv } from "../ffi/structs/futex.ts";
import { type ChildStatus, readSiginfo } from "../ffi/structs/siginfo.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkFlags, checkUnsigned, checkWord } from "./arguments.ts";
import { count, nothing, Op } from "./op.ts";

/**
 * Queues a wait for a child: `infop` is the address of a `siginfo_t`, or 0.
 * `io_uring_prep_waitid(3)`, since 6.7.
 */
export function prepWaitid(
  sqe: Sqe,
  idtype: number,
  id: number,
  infop: number | bigint,
  options: number,
  flags: number,
): void {
  const whom = checkWord("prepWaitid: id", id) | 0;
  const kind = checkWord("prepWaitid: idtype", idtype);
  sqe.opFlags = flags;
  sqe.fileIndex = options;
  sqe.prep(IORING_OP_WAITID, whom, 0, kind, infop);
}

/**
 * Queues the waking of `val` waiters of the futex at an address; `futexFlags` are `FUTEX2_*`,
 * `flags` are 0. `io_uring_prep_futex_wake(3)`, since 6.7.
 */
export function prepFutexWake(
  sqe: Sqe,
  futex: number | bigint,
  val: number | bigint,
  mask: number | bigint,
  futexFlags: number,
  flags: number,
): void {
  const futexFd = checkWord("prepFutexWake: futexFlags", futexFlags) | 0;
  sqe.opFlags = flags;
  sqe.addr3 = mask;
  sqe.prep(IORING_OP_FUTEX_WAKE, futexFd, futex, 0, val);
}

/**
 * Queues a wait on the futex at an address, as long as it holds `val`; `futexFlags` are
 * `FUTEX2_*`, `flags` are 0. `io_uring_prep_futex_wait(3)`, since 6.7.
 */
export function prepFutexWait(
  sqe: Sqe,
  futex: number | bigint,
  val: number | bigint,
  mask: number | bigint,
  futexFlags: number,
  flags: number,
): void {
  const futexFd = checkWord("prepFutexWait: futexFlags", futexFlags) | 0;
  sqe.opFlags = flags;
  sqe.addr3 = mask;
  sqe.prep(IORING_OP_FUTEX_WAIT, futexFd, futex, 0, val);
}

/**
 * Queues a wait on several futexes: `futex` is the address of an array of
 * `struct futex_waitv`. `io_uring_prep_futex_waitv(3)`, since 6.7.
 */
export function prepFutexWaitv(
  sqe: Sqe,
  futex: number | bigint,
  nrFutex: number,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_FUTEX_WAITV, 0, futex, nrFutex, 0);
}

/** Options of {@linkcode waitid}. */
export interface WaitidOptions {
  /**
   * What to wait for: one or more of `WEXITED`, `WSTOPPED`, `WCONTINUED`, with `WNOHANG` not to
   * wait and `WNOWAIT` to leave the child to be waited for again. Default: `WEXITED`.
   */
  options?: number;
}

/**
 * Waits until a child process ends, stops or goes on, as waitid(2).
 *
 * Gives what became of it; undefined with `WNOHANG` if nothing has. ECHILD: there is no such
 * child, or somebody else has waited for it. Deno waits for the children it spawns: use
 * `WNOWAIT` for those.
 *
 * Since kernel 6.7; see io_uring_prep_waitid(3).
 *
 * @param idtype `P_PID`, `P_PGID`, `P_PIDFD` or `P_ALL`.
 * @param id the process, process group or pidfd; 0 with `P_ALL`.
 * @throws {TypeError} if an argument is no number.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { opcodes, run, waitid } from "@uring/uring/ops";
 * import { CLD_EXITED, P_PID, WEXITED, WNOWAIT } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.waitid.supported()) {
 *   using ring = new Ring(4);
 *   const child = new Deno.Command("true").spawn();
 *   const options = WEXITED | WNOWAIT; // Deno waits for it too
 *   const ended = run(ring, waitid(P_PID, child.pid, { options }));
 *   assertEquals([ended?.pid, ended?.code, ended?.status], [child.pid, CLD_EXITED, 0]);
 *   await child.status;
 * }
 * ```
 */
export function waitid(
  idtype: number,
  id: number,
  { options = WEXITED }: WaitidOptions = {},
): Op<ChildStatus | undefined> {
  checkUnsigned("waitid: idtype", idtype);
  checkUnsigned("waitid: id", id);
  checkFlags("waitid: options", options);
  return Op.of({
    opcode: IORING_OP_WAITID,
    name: "waitid",
    encode: (sqe) => {
      const block = takeBlock(siginfo_t.size);
      // With WNOHANG and no news the kernel may leave it as it is: si_signo 0 says so then.
      block.bytes.fill(0, 0, siginfo_t.size);
      prepWaitid(sqe, idtype, id, block.address, options, 0);
      return block;
    },
    decode: (_, block) => {
      const status = readSiginfo(block.view, 0);
      return status.signal === 0 ? undefined : status;
    },
  });
}

/** Memory that can hold futexes: 32-bit words, in a SharedArrayBuffer to be seen by Workers. */
export type FutexWords = Int32Array | Uint32Array;

/** Options of the ops on futexes. */
export interface FutexOptions {
  /**
   * Whether the word is in memory that other processes share; else `FUTEX2_PRIVATE`, which
   * is faster. Those who wait and those who wake must agree. Default: false.
   */
  shared?: boolean;
}

/** Options of {@linkcode futexWait} and {@linkcode futexWake}. */
export interface FutexMaskOptions extends FutexOptions {
  /** Wakes and waits meet if their masks have a bit in common; not 0. Default: all 32 bits. */
  mask?: number;
}

/** One futex of {@linkcode futexWaitv}. */
export interface FutexWaiter extends FutexOptions {
  /** The words that the futex is one of. */
  words: FutexWords;
  /** Its index in the words. */
  index: number;
  /** What it must hold for the wait to begin. */
  value: number;
}

/**
 * Waits on a futex until somebody wakes it: {@linkcode futexWake} or futex(2). V8's
 * `Atomics.notify` does not: it never tells the kernel.
 *
 * EAGAIN: the word does not hold the value. There is no limit of time: link a
 * {@linkcode linkTimeout} behind it.
 *
 * Since kernel 6.7; see io_uring_prep_futex_wait(3).
 *
 * @param words the memory of the futex.
 * @param index which word it is.
 * @param value what it must hold for the wait to begin.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { futexWait, opcodes, run } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * if (opcodes.futexWait.supported()) {
 *   using ring = new Ring(4);
 *   const words = new Int32Array(new SharedArrayBuffer(4));
 *   Atomics.store(words, 0, 2);
 *   // It is not 1 any more: EAGAIN, at once.
 *   assertThrows(() => run(ring, futexWait(words, 0, 1)), Deno.errors.WouldBlock);
 * }
 * ```
 */
export function futexWait(
  words: FutexWords,
  index: number,
  value: number,
  options: FutexMaskOptions = {},
): Op<void> {
  checkWords("futexWait", words, index);
  const expected = checkWord("futexWait: value", value);
  const mask = checkMask("futexWait", options.mask);
  const flags = futexFlags(options);
  return Op.of({
    opcode: IORING_OP_FUTEX_WAIT,
    name: "futex_wait",
    encode: (sqe) => {
      const address = wordAddress(words, index);
      prepFutexWait(sqe, address, expected, mask, flags, 0);
      return words;
    },
    decode: nothing,
  });
}

/**
 * Wakes waiters of a futex: of {@linkcode futexWait}, {@linkcode futexWaitv} and futex(2).
 *
 * Gives how many were woken.
 *
 * Since kernel 6.7; see io_uring_prep_futex_wake(3).
 *
 * @param words the memory of the futex.
 * @param index which word it is.
 * @param most how many to wake at most.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { futexWake, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.futexWake.supported()) {
 *   using ring = new Ring(4);
 *   const words = new Int32Array(new SharedArrayBuffer(4));
 *   assertEquals(run(ring, futexWake(words, 0, 1)), 0); // nobody waits
 * }
 * ```
 */
export function futexWake(
  words: FutexWords,
  index: number,
  most: number,
  options: FutexMaskOptions = {},
): Op<number> {
  checkWords("futexWake", words, index);
  checkInteger("futexWake: most", most, 1, 0x7fff_ffff);
  const mask = checkMask("futexWake", options.mask);
  const flags = futexFlags(options);
  return Op.of({
    opcode: IORING_OP_FUTEX_WAKE,
    name: "futex_wake",
    encode: (sqe) => {
      const address = wordAddress(words, index);
      prepFutexWake(sqe, address, most, mask, flags, 0);
      return words;
    },
    decode: count,
  });
}

/**
 * Waits on several futexes until one of them is woken, as futex_waitv(2).
 *
 * Gives the index of the futex that was woken. EAGAIN: a word does not hold its value.
 *
 * Since kernel 6.7; see io_uring_prep_futex_waitv(3).
 *
 * @param waiters the futexes, 1 to 128 of them.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { futexWaitv, opcodes, run } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * if (opcodes.futexWaitv.supported()) {
 *   using ring = new Ring(4);
 *   const words = Int32Array.of(1, 2);
 *   const both = futexWaitv([
 *     { words, index: 0, value: 1 },
 *     { words, index: 1, value: 1 }, // which holds 2
 *   ]);
 *   assertThrows(() => run(ring, both), Deno.errors.WouldBlock);
 * }
 * ```
 */
export function futexWaitv(waiters: readonly FutexWaiter[]): Op<number> {
  if (!Array.isArray(waiters)) {
    throw new TypeError(
      `futexWaitv: waiters must be an array; got ${show(waiters)}.`,
    );
  }
  checkInteger(
    "futexWaitv: waiters.length",
    waiters.length,
    1,
    FUTEX_WAITV_MAX,
  );
  const futexes = Array.from(waiters, (waiter, at) => {
    const what = `futexWaitv: waiters[${at}]`;
    if (waiter === null || typeof waiter !== "object") {
      throw new TypeError(`${what} must be an object; got ${show(waiter)}.`);
    }
    const { words, index } = waiter;
    checkWords(what, words, index);
    const value = checkWord(`${what}: value`, waiter.value);
    return { words, index, value, flags: futexFlags(waiter) };
  });
  return Op.of({
    opcode: IORING_OP_FUTEX_WAITV,
    name: "futex_waitv",
    encode: (sqe) => {
      const { size } = futex_waitv;
      const block = takeBlock(size * futexes.length);
      try {
        futexes.forEach(({ words, index, value, flags }, at) => {
          const address = wordAddress(words, index);
          writeFutexWaitv(block.view, at * size, value, address, flags);
        });
        prepFutexWaitv(sqe, block.address, futexes.length, 0);
      } catch (error) {
        block.release();
        throw error;
      }
      block.keep = futexes;
      return block;
    },
    decode: count,
  });
}

function checkWords(what: string, words: FutexWords, index: number): void {
  if (!(words instanceof Int32Array || words instanceof Uint32Array)) {
    throw new TypeError(
      `${what}: words must be an Int32Array or a Uint32Array; got ${
        show(words)
      }.`,
    );
  }
  checkView(`${what}: words`, words);
  checkInteger(`${what}: index`, index, 0, words.length - 1);
}

/** Where a word is now: its buffer may have been transferred away since it was checked. */
function wordAddress(words: FutexWords, index: number): number {
  return addressOf(words) + 4 * index;
}

function checkMask(
  what: string,
  mask: number = FUTEX_BITSET_MATCH_ANY,
): number {
  return checkInteger(`${what}: mask`, mask, 1, 0xffff_ffff);
}

function futexFlags({ shared = false }: FutexOptions): number {
  return shared ? FUTEX2_SIZE_U32 : FUTEX2_SIZE_U32 | FUTEX2_PRIVATE;
}
