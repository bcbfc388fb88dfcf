/**
 * Cancelling what is in flight on a ring.
 *
 * @module
 */

import {
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_ANY,
  IORING_ASYNC_CANCEL_FD,
  IORING_ASYNC_CANCEL_FD_FIXED,
  IORING_ASYNC_CANCEL_OP,
  IORING_ASYNC_CANCEL_USERDATA,
  IORING_OP_ASYNC_CANCEL,
} from "../ffi/abi.ts";
import { check64, checkInteger } from "../ffi/check.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkWord } from "./arguments.ts";
import { checkFd, type Fd, fdNumber } from "./fd.ts";
import { Op } from "./op.ts";

/**
 * Queues the cancellation of the op whose `user_data` is a pointer.
 * `io_uring_prep_cancel(3)`, since 5.5.
 */
export function prepCancel(
  sqe: Sqe,
  userData: number | bigint,
  flags: number,
): void {
  prepCancel64(sqe, userData, flags);
}

/** Queues the cancellation of the op with a `user_data`. `io_uring_prep_cancel64(3)`, since 5.5. */
export function prepCancel64(
  sqe: Sqe,
  userData: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_ASYNC_CANCEL, -1, userData, 0, 0);
}

/** Queues the cancellation of an op on a file. `io_uring_prep_cancel_fd(3)`, since 5.19. */
export function prepCancelFd(sqe: Sqe, fd: number, flags: number): void {
  sqe.opFlags = checkWord("prepCancelFd: flags", flags) |
    IORING_ASYNC_CANCEL_FD;
  sqe.prep(IORING_OP_ASYNC_CANCEL, fd, 0, 0, 0);
}

/** How many to cancel. */
export interface CancelOptions {
  /**
   * Whether to cancel every op that matches instead of the first one found. Since kernel
   * 5.19. Default: false.
   */
  all?: boolean;
}

/** Which ops to cancel: those that match every key given. */
export interface CancelMatch extends CancelOptions {
  /** Ops with this `user_data`. */
  userData?: number | bigint;
  /** Ops on this file. Since kernel 5.19; a registered file since 6.0. */
  fd?: Fd;
  /** Ops of this opcode, `IORING_OP_*` or `opcodes.read.code`. Since kernel 6.6. */
  opcode?: number;
}

/**
 * Cancels the op with a `user_data`, or with `all` every such op. What is cancelled completes
 * with ECANCELED (EINTR if it had begun).
 *
 * Gives how many were found: at least 1, with `all` 0 or more. ENOENT: there is none, it may
 * have completed. EALREADY: it runs and cannot be stopped; its completion is to come.
 *
 * Since kernel 5.5; see io_uring_prep_cancel64(3).
 *
 * @throws {TypeError} if userData is neither number nor bigint.
 * @throws {RangeError} if userData does not fit 64 bits.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { cancel, prepTimeout, run } from "@uring/uring/ops";
 * import { takeBlock, writeTimespec } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const hour = takeBlock(16);
 * writeTimespec(hour.view, 0, 3_600_000);
 * const sqe = ring.sqe();
 * if (sqe !== null) {
 *   prepTimeout(sqe, hour.address, 0, 0);
 *   sqe.userData = 7;
 *   ring.submit();
 *   const found = run(ring, cancel(7), {
 *     others: ([cqe]) => assertEquals([cqe?.userData, cqe?.res], [7n, -125]), // ECANCELED
 *   });
 *   assertEquals(found, 1);
 * }
 * ```
 */
export function cancel(
  userData: number | bigint,
  options: CancelOptions = {},
): Op<number> {
  return cancelOf("cancel", { ...options, userData });
}

/**
 * Cancels an op on a file, or with `all` every such op: with it, what is in flight on a file
 * before it is closed.
 *
 * Gives how many were found: at least 1, with `all` 0 or more. ENOENT: there is none.
 * EALREADY: it runs and cannot be stopped. EBADF: the file is not open.
 *
 * Since kernel 5.19, registered files since 6.0; see io_uring_prep_cancel_fd(3).
 *
 * @throws {TypeError} if fd is no file.
 * @throws {RangeError} if fd is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { cancelFd, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * try {
 *   assertEquals(run(ring, cancelFd(0, { all: true })), 0);
 * } catch (error) {
 *   // Before kernel 5.19.
 *   assertEquals((error as { code?: string }).code, "EINVAL");
 * }
 * ```
 */
export function cancelFd(fd: Fd, options: CancelOptions = {}): Op<number> {
  return cancelOf("cancelFd", { ...options, fd });
}

/**
 * Cancels an op with an opcode, or with `all` every such op.
 *
 * Gives how many were found: at least 1, with `all` 0 or more. ENOENT: there is none.
 * EALREADY: it runs and cannot be stopped. EINVAL: the kernel is too old.
 *
 * Since kernel 6.6; see io_uring_prep_cancel(3).
 *
 * @param opcode `IORING_OP_*`, or `opcodes.read.code`.
 * @throws {TypeError} if opcode is no number.
 * @throws {RangeError} if opcode is not from 0 to 255.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { cancelOp, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.futexWait.supported()) { // which is newer
 *   using ring = new Ring(4);
 *   assertEquals(run(ring, cancelOp(opcodes.read.code, { all: true })), 0);
 * }
 * ```
 */
export function cancelOp(
  opcode: number,
  options: CancelOptions = {},
): Op<number> {
  return cancelOf("cancelOp", { ...options, opcode });
}

/**
 * Cancels the ops that match every key given, or the first of them.
 *
 * Gives how many were found: at least 1, with `all` 0 or more. ENOENT: there is none.
 * EALREADY: it runs and cannot be stopped. EINVAL: the kernel is too old for the keys;
 * several of them, or an opcode, need 6.6.
 *
 * Since kernel 5.19; see io_uring_prep_cancel(3).
 *
 * @throws {TypeError} if no key is given, or one has the wrong type.
 * @throws {RangeError} if a key is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { cancelMatching, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.futexWait.supported()) { // which is newer
 *   using ring = new Ring(4);
 *   const match = { fd: 0, opcode: opcodes.pollAdd.code, all: true };
 *   assertEquals(run(ring, cancelMatching(match)), 0);
 * }
 * ```
 */
export function cancelMatching(match: CancelMatch): Op<number> {
  const { userData, fd, opcode } = match;
  if (userData === undefined && fd === undefined && opcode === undefined) {
    throw new TypeError(
      "cancelMatching: name at least one of userData, fd and opcode. " +
        "To cancel whatever is in flight use cancelAny().",
    );
  }
  return cancelOf("cancelMatching", match);
}

/**
 * Cancels everything that is in flight on the ring.
 *
 * Gives how many ops were found: 0 or more. EALREADY: only such were in flight that run
 * and cannot be stopped.
 *
 * Since kernel 5.19; see io_uring_prep_cancel(3).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { cancelAny, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.socket.supported()) { // which is as old
 *   using ring = new Ring(4);
 *   assertEquals(run(ring, cancelAny()), 0);
 * }
 * ```
 */
export function cancelAny(): Op<number> {
  return Op.of({
    opcode: IORING_OP_ASYNC_CANCEL,
    name: "async_cancel",
    encode: (sqe) => {
      prepCancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY);
      return undefined;
    },
    decode: ({ res }) => res,
  });
}

function cancelOf(what: string, match: CancelMatch): Op<number> {
  const { userData, fd, opcode, all = false } = match;
  if (userData !== undefined) check64(`${what}: userData`, userData);
  if (fd !== undefined) checkFd(`${what}: fd`, fd);
  if (opcode !== undefined) checkInteger(`${what}: opcode`, opcode, 0, 255);
  const flags = matchFlags(match);
  return Op.of({
    opcode: IORING_OP_ASYNC_CANCEL,
    name: "async_cancel",
    encode: (sqe) => {
      const file = fd === undefined ? -1 : fdNumber(fd);
      sqe.opFlags = flags;
      sqe.prep(IORING_OP_ASYNC_CANCEL, file, userData ?? 0, opcode ?? 0, 0);
      return undefined;
    },
    // Without ALL the kernel says 0 for the one that it found.
    decode: ({ res }) => all ? res : 1,
  });
}

function matchFlags({ userData, fd, opcode, all }: CancelMatch): number {
  let flags = all === true ? IORING_ASYNC_CANCEL_ALL : 0;
  if (fd !== undefined) flags |= IORING_ASYNC_CANCEL_FD;
  if (fd !== undefined && typeof fd !== "number") {
    flags |= IORING_ASYNC_CANCEL_FD_FIXED;
  }
  if (opcode !== undefined) flags |= IORING_ASYNC_CANCEL_OP;
  // Alone, user_data is the key that kernels before 6.6 know without a flag.
  if (userData !== undefined && (fd !== undefined || opcode !== undefined)) {
    flags |= IORING_ASYNC_CANCEL_USERDATA;
  }
  return flags;
}
