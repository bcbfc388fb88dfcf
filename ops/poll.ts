/**
 * Polling: waiting until a file can be read or written, without doing it.
 *
 * @module
 */

import {
  IORING_OP_POLL_ADD,
  IORING_OP_POLL_REMOVE,
  IORING_POLL_ADD_MULTI,
  IORING_POLL_UPDATE_EVENTS,
  IORING_POLL_UPDATE_USER_DATA,
} from "../ffi/abi.ts";
import { check64 } from "../ffi/check.ts";
import { errnoName } from "../ffi/errno.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkFlags, checkWord } from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { count, nothing, Op } from "./op.ts";

/** Queues a poll. `io_uring_prep_poll_add(3)`, since 5.1. */
export function prepPollAdd(sqe: Sqe, fd: number, pollMask: number): void {
  sqe.opFlags = pollMask;
  sqe.prep(IORING_OP_POLL_ADD, fd, 0, 0, 0);
}

/**
 * Queues a poll that completes at every event. `io_uring_prep_poll_multishot(3)`, since 5.13.
 */
export function prepPollMultishot(
  sqe: Sqe,
  fd: number,
  pollMask: number,
): void {
  sqe.opFlags = pollMask;
  sqe.prep(IORING_OP_POLL_ADD, fd, 0, IORING_POLL_ADD_MULTI, 0);
}

/** Queues the removal of a poll. `io_uring_prep_poll_remove(3)`, since 5.1. */
export function prepPollRemove(sqe: Sqe, userData: number | bigint): void {
  sqe.prep(IORING_OP_POLL_REMOVE, -1, userData, 0, 0);
}

/**
 * Queues a change of a poll: of its events, of its `user_data`, as `IORING_POLL_UPDATE_*` flags
 * say. `io_uring_prep_poll_update(3)`, since 5.13.
 */
export function prepPollUpdate(
  sqe: Sqe,
  oldUserData: number | bigint,
  newUserData: number | bigint,
  pollMask: number,
  flags: number,
): void {
  const what = checkWord("prepPollUpdate: flags", flags);
  sqe.opFlags = pollMask;
  sqe.prep(IORING_OP_POLL_REMOVE, -1, oldUserData, what, newUserData);
}

/**
 * Waits until one of the events happens on a file, once, as poll(2).
 *
 * Gives what happened, a mask like `events`; `POLLERR` and `POLLHUP` may be in it without being
 * asked for. ECANCELED: the poll was removed. EOPNOTSUPP or EPERM: not with this file.
 *
 * Since kernel 5.1; see io_uring_prep_poll_add(3).
 *
 * @param events `POLLIN`, `POLLOUT` and others; since kernel 5.9 also `EPOLLEXCLUSIVE`.
 * @throws {TypeError | RangeError} if an argument is no integer.
 *
 * @example
 * ```ts
 * import { POLLIN } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { pollAdd, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 * import { closeSync, openSync } from "node:fs";
 *
 * using ring = new Ring(4);
 * const fd = openSync("/dev/zero", "r");
 * assertEquals(run(ring, pollAdd(fd, POLLIN)), POLLIN);
 * closeSync(fd);
 * ```
 */
export function pollAdd(fd: Fd, events: number): Op<number> {
  checkFd("pollAdd: fd", fd);
  checkFlags("pollAdd: events", events);
  return Op.of({
    opcode: IORING_OP_POLL_ADD,
    name: "poll_add",
    encode: (sqe) => {
      prepPollAdd(sqe, fdNumber(fd), events);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: count,
  });
}

/**
 * Waits for events on a file again and again: completes at once if one holds, then whenever the
 * file announces one, whether the last one was dealt with or not. (Level-triggered polling,
 * `IORING_POLL_ADD_LEVEL`, has a number, but every kernel so far refuses it: EINVAL. Use
 * {@linkcode pollAdd} anew each time for that.)
 *
 * Each completion gives what happened, a mask like `events`. It ends when it is removed or
 * cancelled (ECANCELED), and when the completion queue overflows: the last completion comes
 * without `IORING_CQE_F_MORE`.
 *
 * Since kernel 5.13; see io_uring_prep_poll_multishot(3).
 *
 * @param events `POLLIN`, `POLLOUT` and others.
 * @throws {TypeError | RangeError} if an argument is no integer.
 *
 * @example
 * ```ts
 * import { POLLIN } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { opcodes, pollMultishot } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 * import { closeSync, openSync } from "node:fs";
 *
 * if (opcodes.mkdirat.supported()) { // of kernel 5.15
 *   using ring = new Ring(4);
 *   const fd = openSync("/proc/self/mounts", "r");
 *   const op = pollMultishot(fd, POLLIN);
 *   const sqe = ring.sqe();
 *   if (sqe !== null) op.encode(sqe);
 *   ring.submitAndWait(1);
 *   ring.forEachCqe((cqe) => assertEquals(op.finish(cqe, undefined), POLLIN));
 *   closeSync(fd);
 * }
 * ```
 */
export function pollMultishot(fd: Fd, events: number): Op<number> {
  checkFd("pollMultishot: fd", fd);
  checkFlags("pollMultishot: events", events);
  return Op.of({
    opcode: IORING_OP_POLL_ADD,
    name: "poll_add",
    multishot: true,
    encode: (sqe) => {
      prepPollMultishot(sqe, fdNumber(fd), events);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: count,
  });
}

function missingHint(errno: number): string | undefined {
  switch (errnoName(errno)) {
    case "ENOENT":
      return "No poll with this user_data is waiting: it may have completed.";
    case "EALREADY":
      return "The poll is completing just now.";
    default:
      return undefined;
  }
}

/**
 * Removes the poll that has a `user_data`: it completes with ECANCELED.
 *
 * Gives nothing. ENOENT: there is none. EALREADY: it is completing just now.
 *
 * Since kernel 5.1; see io_uring_prep_poll_remove(3).
 *
 * @param userData what the poll's entry had as `user_data`.
 * @throws {TypeError | RangeError} if it is no integer of 64 bits.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { pollRemove, run } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * using ring = new Ring(4);
 * assertThrows(() => run(ring, pollRemove(7)), Deno.errors.NotFound);
 * ```
 */
export function pollRemove(userData: number | bigint): Op<void> {
  check64("pollRemove: userData", userData);
  return Op.of({
    opcode: IORING_OP_POLL_REMOVE,
    name: "poll_remove",
    encode: (sqe) => {
      prepPollRemove(sqe, userData);
      return undefined;
    },
    decode: nothing,
    hint: missingHint,
  });
}

/** What {@linkcode pollUpdate} changes: one or both. */
export interface PollChange {
  /** The events to wait for from now on. */
  events?: number;
  /** The `user_data` that its completions have from now on. */
  userData?: number | bigint;
}

/**
 * Changes the poll that has a `user_data`, which goes on waiting. A poll whose new events have
 * happened already completes at once.
 *
 * Gives nothing. ENOENT: there is none. EALREADY: it is completing just now.
 *
 * Since kernel 5.13; see io_uring_prep_poll_update(3).
 *
 * @param userData what the poll's entry had as `user_data`.
 * @param change what to change.
 * @throws {TypeError | RangeError} if an argument is no integer, or nothing is to be changed.
 *
 * @example
 * ```ts
 * import { POLLOUT } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { pollUpdate, run } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const update = pollUpdate(7, { events: POLLOUT });
 * assertThrows(() => run(ring, update), Deno.errors.NotFound);
 * ```
 */
export function pollUpdate(
  userData: number | bigint,
  change: PollChange,
): Op<void> {
  check64("pollUpdate: userData", userData);
  const { events, userData: fresh } = change;
  if (events === undefined && fresh === undefined) {
    throw new TypeError(
      "pollUpdate: the change must have events or userData, or both.",
    );
  }
  if (events !== undefined) checkFlags("pollUpdate: events", events);
  if (fresh !== undefined) check64("pollUpdate: userData of the change", fresh);
  const flags = (events === undefined ? 0 : IORING_POLL_UPDATE_EVENTS) |
    (fresh === undefined ? 0 : IORING_POLL_UPDATE_USER_DATA);
  return Op.of({
    opcode: IORING_OP_POLL_REMOVE,
    name: "poll_remove",
    encode: (sqe) => {
      prepPollUpdate(sqe, userData, fresh ?? 0, events ?? 0, flags);
      return undefined;
    },
    decode: nothing,
    hint: missingHint,
  });
}
