/**
 * Timeouts: of a ring, and of the op that one is linked behind.
 *
 * @module
 */

import {
  IORING_LINK_TIMEOUT_UPDATE,
  IORING_OP_LINK_TIMEOUT,
  IORING_OP_TIMEOUT,
  IORING_OP_TIMEOUT_REMOVE,
  IORING_TIMEOUT_ABS,
  IORING_TIMEOUT_BOOTTIME,
  IORING_TIMEOUT_ETIME_SUCCESS,
  IORING_TIMEOUT_MULTISHOT,
  IORING_TIMEOUT_REALTIME,
  IORING_TIMEOUT_UPDATE,
} from "../ffi/abi.ts";
import { type Block, takeBlock } from "../ffi/block.ts";
import { check64, show } from "../ffi/check.ts";
import { __kernel_timespec } from "../ffi/layout.ts";
import { EALREADY, ECANCELED, ENOENT, ETIME } from "../ffi/linux.ts";
import { checkMilliseconds, writeTimespec } from "../ffi/structs/timespec.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkUnsigned, checkWord } from "./arguments.ts";
import { nothing, Op } from "./op.ts";

/**
 * Queues a timeout: `ts` is the address of a `struct __kernel_timespec`, `count` how many
 * other completions end it early. `io_uring_prep_timeout(3)`, since 5.4.
 */
export function prepTimeout(
  sqe: Sqe,
  ts: number | bigint,
  count: number,
  flags: number,
): void {
  const completions = checkWord("prepTimeout: count", count);
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_TIMEOUT, -1, ts, 1, completions);
}

/** Queues the removal of a timeout. `io_uring_prep_timeout_remove(3)`, since 5.5. */
export function prepTimeoutRemove(
  sqe: Sqe,
  userData: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_TIMEOUT_REMOVE, -1, userData, 0, 0);
}

/**
 * Queues a new time for a timeout: `ts` is the address of a `struct __kernel_timespec`.
 * `io_uring_prep_timeout_update(3)`, since 5.11.
 */
export function prepTimeoutUpdate(
  sqe: Sqe,
  ts: number | bigint,
  userData: number | bigint,
  flags: number,
): void {
  sqe.opFlags = checkWord("prepTimeoutUpdate: flags", flags) |
    IORING_TIMEOUT_UPDATE;
  sqe.prep(IORING_OP_TIMEOUT_REMOVE, -1, userData, 0, ts);
}

/**
 * Queues a timeout for the entry before, which must have `IOSQE_IO_LINK`: `ts` is the address
 * of a `struct __kernel_timespec`. `io_uring_prep_link_timeout(3)`, since 5.5.
 */
export function prepLinkTimeout(
  sqe: Sqe,
  ts: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_LINK_TIMEOUT, -1, ts, 1, 0);
}

/**
 * The clocks that a timeout can go by: `"monotonic"` counts from boot without suspend,
 * `"boottime"` with it, `"realtime"` is the time of day, as `Date.now()` has it.
 */
export type Clock = "monotonic" | "boottime" | "realtime";

const clockFlags: Readonly<Record<Clock, number>> = {
  monotonic: 0,
  boottime: IORING_TIMEOUT_BOOTTIME,
  realtime: IORING_TIMEOUT_REALTIME,
};

/** Options of every timeout. */
export interface ClockOptions {
  /**
   * Whether the milliseconds are a point in time on the clock instead of a span from now.
   * Default: false.
   */
  absolute?: boolean;
  /** The clock; others than the monotonic since kernel 5.15. Default: `"monotonic"`. */
  clock?: Clock;
}

/** Options of {@linkcode linkTimeout}. */
export interface LinkTimeoutOptions extends ClockOptions {
  /**
   * Whether running out counts as success, so that a chain of links goes on. Since kernel
   * 5.16 (`IORING_TIMEOUT_ETIME_SUCCESS`). Default: false.
   */
  expiryIsSuccess?: boolean;
}

/** Options of {@linkcode timeout}. */
export interface TimeoutOptions extends LinkTimeoutOptions {
  /** After how many other completions to end early; 0 for never. Default: 0. */
  count?: number;
}

/** Options of {@linkcode timeoutMultishot}. */
export interface TimeoutMultishotOptions {
  /** How often to fire; 0 for without end. Default: 0. */
  count?: number;
  /** The clock. Default: `"monotonic"`. */
  clock?: Clock;
}

/** Options of {@linkcode timeoutUpdate}. */
export interface TimeoutUpdateOptions {
  /**
   * Whether the milliseconds are a point in time on the timeout's clock instead of a span
   * from now. Default: false.
   */
  absolute?: boolean;
  /** Whether it is a linked timeout that changes. Since kernel 5.15. Default: false. */
  link?: boolean;
}

/**
 * Waits for a time, or for a number of other completions on the ring, whichever is first.
 *
 * Gives true when the time ran out, false when the completions came. ECANCELED: it was
 * removed or cancelled.
 *
 * Since kernel 5.4; see io_uring_prep_timeout(3).
 *
 * @param milliseconds how long, fractions included, or with `absolute` until when.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { run, timeout } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * using ring = new Ring(4);
 * assert(run(ring, timeout(1.5)));
 * assert(run(ring, timeout(Date.now() + 1, { absolute: true, clock: "realtime" })));
 * ```
 */
export function timeout(
  milliseconds: number,
  options: TimeoutOptions = {},
): Op<boolean> {
  checkMilliseconds("timeout: milliseconds", milliseconds);
  const count = checkUnsigned("timeout: count", options.count ?? 0);
  const flags = timeFlags("timeout", options);
  return Op.of({
    opcode: IORING_OP_TIMEOUT,
    name: "timeout",
    benign: -ETIME,
    encode: (sqe) =>
      withTimespec(milliseconds, (ts) => prepTimeout(sqe, ts, count, flags)),
    decode: ({ res }) => res === -ETIME,
  });
}

/**
 * Fires at each interval, `count` times or without end, until it is removed or cancelled.
 *
 * Since kernel 6.4; see io_uring_prep_timeout(3). ECANCELED ends it when it was removed.
 *
 * @param milliseconds the interval, fractions included.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { opcodes, release, timeoutMultishot } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const ticks = timeoutMultishot(1, { count: 3 });
 * const sqe = ring.sqe();
 * if (sqe !== null && opcodes.readMultishot.supported()) { // which is newer
 *   const held = ticks.encode(sqe);
 *   ring.submitAndWait(3);
 *   ring.forEachCqe((cqe) => assertEquals(ticks.failed(cqe), false));
 *   release(held);
 * }
 * ```
 */
export function timeoutMultishot(
  milliseconds: number,
  options: TimeoutMultishotOptions = {},
): Op<void> {
  checkMilliseconds("timeoutMultishot: milliseconds", milliseconds);
  const { clock, count: times = 0 } = options;
  const count = checkUnsigned("timeoutMultishot: count", times);
  const flags = IORING_TIMEOUT_MULTISHOT | clockFlag("timeoutMultishot", clock);
  return Op.of({
    opcode: IORING_OP_TIMEOUT,
    name: "timeout",
    multishot: true,
    benign: -ETIME,
    encode: (sqe) =>
      withTimespec(milliseconds, (ts) => prepTimeout(sqe, ts, count, flags)),
    decode: nothing,
    results: count > 0 ? count : Infinity,
  });
}

/**
 * Removes a timeout, which then completes with ECANCELED.
 *
 * ENOENT: there is none with this user_data, it may have run out. EALREADY: it is running out
 * at this moment.
 *
 * Since kernel 5.5; see io_uring_prep_timeout_remove(3).
 *
 * @param userData the timeout's `user_data`.
 * @throws {TypeError} if userData is neither number nor bigint.
 * @throws {RangeError} if userData does not fit 64 bits.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { run, timeoutRemove } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * using ring = new Ring(4);
 * // "timeout_remove: no such file or directory (ENOENT). No timeout in flight has user_data 7."
 * assertThrows(() => run(ring, timeoutRemove(7n)), Deno.errors.NotFound);
 * ```
 */
export function timeoutRemove(userData: number | bigint): Op<void> {
  check64("timeoutRemove: userData", userData);
  return Op.of({
    opcode: IORING_OP_TIMEOUT_REMOVE,
    name: "timeout_remove",
    encode: (sqe) => {
      prepTimeoutRemove(sqe, userData, 0);
      return undefined;
    },
    decode: nothing,
    hint: (errno) => absent(errno, userData),
  });
}

/**
 * Gives a timeout another time.
 *
 * ENOENT: there is none with this user_data, it may have run out. EALREADY: it is running out
 * at this moment.
 *
 * Since kernel 5.11; see io_uring_prep_timeout_update(3).
 *
 * @param userData the timeout's `user_data`.
 * @param milliseconds how long from now, or with `absolute` until when.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { type Held, opcodes, release, timeout, timeoutUpdate } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.shutdown.supported()) { // which is as old
 *   using ring = new Ring(4);
 *   const hour = timeout(3_600_000);
 *   const sooner = timeoutUpdate(0, 1); // a millisecond from now instead
 *   const held: Held[] = [];
 *   for (const [tag, op] of [hour, sooner].entries()) {
 *     const sqe = ring.sqe();
 *     if (sqe === null) break;
 *     held.push(op.encode(sqe));
 *     sqe.tag = tag;
 *   }
 *   ring.submitAndWait(2);
 *   ring.forEachCqe((cqe) => {
 *     if (cqe.tag === 0) assertEquals(hour.finish(cqe, held[0]), true);
 *   });
 *   held.forEach(release);
 * }
 * ```
 */
export function timeoutUpdate(
  userData: number | bigint,
  milliseconds: number,
  options: TimeoutUpdateOptions = {},
): Op<void> {
  check64("timeoutUpdate: userData", userData);
  checkMilliseconds("timeoutUpdate: milliseconds", milliseconds);
  const flags = (options.absolute === true ? IORING_TIMEOUT_ABS : 0) |
    (options.link === true ? IORING_LINK_TIMEOUT_UPDATE : 0);
  return Op.of({
    opcode: IORING_OP_TIMEOUT_REMOVE,
    name: "timeout_remove",
    encode: (sqe) =>
      withTimespec(
        milliseconds,
        (ts) => prepTimeoutUpdate(sqe, ts, userData, flags),
      ),
    decode: nothing,
    hint: (errno) => absent(errno, userData),
  });
}

/**
 * Limits the time of the op before it in the queue, which must have `IOSQE_IO_LINK`: when it
 * runs out, that op is cancelled and completes with ECANCELED, or EINTR if it had begun.
 *
 * Gives true when the time ran out, false when the op ended before, or was never begun because
 * its chain failed. EINVAL: it is linked behind nothing.
 *
 * Since kernel 5.5; see io_uring_prep_link_timeout(3).
 *
 * @param milliseconds how long, fractions included, or with `absolute` until when.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { IOSQE_IO_LINK } from "@uring/uring/ffi";
 * import { type Held, linkTimeout, release, timeout } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const limit = linkTimeout(1);
 * const held: Held[] = [];
 * for (const [tag, op] of [timeout(3_600_000), limit].entries()) {
 *   const sqe = ring.sqe();
 *   if (sqe === null) break;
 *   held.push(op.encode(sqe));
 *   sqe.tag = tag;
 *   if (tag === 0) sqe.flags = IOSQE_IO_LINK;
 * }
 * ring.submitAndWait(2);
 * ring.forEachCqe((cqe) => {
 *   if (cqe.tag === 1) assertEquals(limit.finish(cqe, held[1]), true);
 * });
 * held.forEach(release);
 * ```
 */
export function linkTimeout(
  milliseconds: number,
  options: LinkTimeoutOptions = {},
): Op<boolean> {
  checkMilliseconds("linkTimeout: milliseconds", milliseconds);
  const flags = timeFlags("linkTimeout", options);
  return Op.of({
    opcode: IORING_OP_LINK_TIMEOUT,
    name: "link_timeout",
    benign: linkTimeoutEnds,
    encode: (sqe) =>
      withTimespec(milliseconds, (ts) => prepLinkTimeout(sqe, ts, flags)),
    decode: ({ res }) => res !== -ECANCELED,
  });
}

/**
 * How a linked timeout ends: it ran out (and may have found its op in a state that could not
 * be cancelled any more, or gone), or was itself cancelled in time. When it cancelled a wait
 * for a futex or a child, kernels as of 6.18 say 1 instead of ETIME.
 */
const linkTimeoutEnds = [-ETIME, -EALREADY, -ENOENT, -ECANCELED];

function withTimespec(
  milliseconds: number,
  prep: (address: number) => void,
): Block {
  const block = takeBlock(__kernel_timespec.size);
  try {
    writeTimespec(block.view, 0, milliseconds);
    prep(block.address);
  } catch (error) {
    block.release();
    throw error;
  }
  return block;
}

function timeFlags(op: string, options: LinkTimeoutOptions): number {
  return (options.absolute === true ? IORING_TIMEOUT_ABS : 0) |
    (options.expiryIsSuccess === true ? IORING_TIMEOUT_ETIME_SUCCESS : 0) |
    clockFlag(op, options.clock);
}

function clockFlag(op: string, clock: Clock = "monotonic"): number {
  if (Object.hasOwn(clockFlags, clock)) return clockFlags[clock];
  throw new TypeError(
    `${op}: clock must be "monotonic", "boottime" or "realtime"; got ${
      show(clock)
    }.`,
  );
}

function absent(errno: number, userData: number | bigint): string | undefined {
  return errno === ENOENT
    ? `No timeout in flight has user_data ${userData}.`
    : undefined;
}
