/**
 * What a ring may be asked to be, checked before the kernel is asked.
 *
 * @module
 */

import * as abi from "../ffi/abi.ts";
import type { Backend } from "../ffi/backend.ts";
import { checkInteger, show } from "../ffi/check.ts";
import type { SetupRequest } from "../ffi/kernel.ts";
import { checkModes, type RingModes } from "./modes.ts";

/**
 * Options of a {@linkcode Ring}: its size, its `IORING_SETUP_*` flags, and the
 * {@linkcode RingModes}, which say in words what pays when.
 */
export interface RingOptions extends RingModes {
  /**
   * How many submissions the queue holds, 1 to 32768; the kernel rounds up to a power of
   * two. Default: 128.
   */
  entries?: number;
  /** `IORING_SETUP_*`, see io_uring_setup(2). Default: 0. */
  flags?: number;
  /** How many completions the queue holds; implies `IORING_SETUP_CQSIZE`. Default: twice the submissions. */
  cqEntries?: number;
  /**
   * How to reach the kernel: `"liburing"`, `"syscall"`, or a {@linkcode Kernel} of one's
   * own. Default: liburing where it is installed, else the system calls themselves.
   */
  backend?: Backend;
}

/** Checks options and makes of them what `io_uring_setup` is asked for. */
export function setupRequest(options: number | RingOptions): SetupRequest {
  const given = typeof options === "number" ? { entries: options } : options;
  if (given === null || typeof given !== "object") {
    throw new TypeError(
      `Ring: options must be a number of entries or an object; got ${
        show(given)
      }.`,
    );
  }
  const { entries = 128, cqEntries, sqThreadIdle, sqThreadCpu } = given;
  let flags = checkInteger("Ring: flags", given.flags ?? 0, 0, 0xffff_ffff);
  flags |= checkModes(given, flags);
  const clamp = (flags & abi.IORING_SETUP_CLAMP) !== 0;
  checkInteger("Ring: entries", entries, 1, clamp ? 0x7fff_ffff : 32768);
  if (cqEntries !== undefined) {
    const most = clamp ? 0x7fff_ffff : 65536;
    checkInteger("Ring: cqEntries", cqEntries, entries, most);
    flags |= abi.IORING_SETUP_CQSIZE;
  }
  if (sqThreadIdle !== undefined) {
    checkInteger("Ring: sqThreadIdle", sqThreadIdle, 0, 0xffff_ffff);
  }
  if (sqThreadCpu !== undefined) {
    checkInteger("Ring: sqThreadCpu", sqThreadCpu, 0, 0xffff);
    flags |= abi.IORING_SETUP_SQ_AFF;
  }
  const wqFd = attachedFd(given.attachTo);
  if (wqFd !== undefined) flags |= abi.IORING_SETUP_ATTACH_WQ;
  flags >>>= 0;
  checkFlags(flags, given);
  return {
    entries,
    flags,
    cqEntries: cqEntries ?? 0,
    sqThreadIdle: sqThreadIdle ?? 0,
    sqThreadCpu: sqThreadCpu ?? 0,
    wqFd: wqFd ?? 0,
  };
}

function attachedFd(attachTo: RingOptions["attachTo"]): number | undefined {
  if (attachTo === undefined) return undefined;
  const fd = typeof attachTo === "number" ? attachTo : attachTo?.fd;
  if (typeof fd !== "number") {
    throw new TypeError(
      `Ring: attachTo must be a Ring or a file descriptor; got ${
        show(attachTo)
      }.`,
    );
  }
  return checkInteger("Ring: attachTo", fd, 0, 0x7fff_ffff);
}

/** Combinations that the kernel answers with a bare EINVAL, and why. */
function checkFlags(flags: number, given: RingOptions): void {
  const has = (flag: number) => (flags & flag) !== 0;
  const refuse = (what: string): never => {
    throw new RangeError(`Ring: ${what}.`);
  };
  const polled = has(abi.IORING_SETUP_SQPOLL);
  const deferred = has(abi.IORING_SETUP_DEFER_TASKRUN);
  if (has(abi.IORING_SETUP_NO_MMAP | abi.IORING_SETUP_REGISTERED_FD_ONLY)) {
    refuse(
      "IORING_SETUP_NO_MMAP and IORING_SETUP_REGISTERED_FD_ONLY are not for this library, " +
        "which has the kernel allocate the ring and keeps its descriptor",
    );
  }
  if (has(abi.IORING_SETUP_CQSIZE) && given.cqEntries === undefined) {
    refuse("IORING_SETUP_CQSIZE needs cqEntries, which implies it");
  }
  if (has(abi.IORING_SETUP_ATTACH_WQ) && given.attachTo === undefined) {
    refuse("IORING_SETUP_ATTACH_WQ needs attachTo, which implies it");
  }
  if (has(abi.IORING_SETUP_SQ_AFF)) {
    if (!polled) {
      refuse(
        "sqThreadCpu and IORING_SETUP_SQ_AFF bind the thread of IORING_SETUP_SQPOLL: " +
          "there is none without sqpoll: true",
      );
    }
    if (given.sqThreadCpu === undefined) {
      refuse("IORING_SETUP_SQ_AFF needs sqThreadCpu, which implies it");
    }
  }
  if (given.sqThreadIdle !== undefined && !polled) {
    refuse(
      "sqThreadIdle is for the thread of IORING_SETUP_SQPOLL: there is none without " +
        "sqpoll: true",
    );
  }
  if (deferred && !has(abi.IORING_SETUP_SINGLE_ISSUER)) {
    refuse("IORING_SETUP_DEFER_TASKRUN needs IORING_SETUP_SINGLE_ISSUER");
  }
  if (deferred && polled) {
    refuse(
      "IORING_SETUP_DEFER_TASKRUN and IORING_SETUP_SQPOLL exclude each other: with SQPOLL " +
        "the kernel's thread runs the task work",
    );
  }
  if (polled && has(abi.IORING_SETUP_COOP_TASKRUN)) {
    refuse("IORING_SETUP_COOP_TASKRUN means nothing with IORING_SETUP_SQPOLL");
  }
  if (
    has(abi.IORING_SETUP_TASKRUN_FLAG) && !deferred &&
    !has(abi.IORING_SETUP_COOP_TASKRUN)
  ) {
    refuse(
      "IORING_SETUP_TASKRUN_FLAG needs IORING_SETUP_COOP_TASKRUN or IORING_SETUP_DEFER_TASKRUN",
    );
  }
  if (has(abi.IORING_SETUP_HYBRID_IOPOLL) && !has(abi.IORING_SETUP_IOPOLL)) {
    refuse(
      "IORING_SETUP_HYBRID_IOPOLL needs IORING_SETUP_IOPOLL: it is a way of polling. " +
        'iopoll: "hybrid" implies both',
    );
  }
  if (has(abi.IORING_SETUP_CQE32) && has(abi.IORING_SETUP_CQE_MIXED)) {
    refuse("IORING_SETUP_CQE32 and IORING_SETUP_CQE_MIXED exclude each other");
  }
  if (has(abi.IORING_SETUP_SQE128) && has(abi.IORING_SETUP_SQE_MIXED)) {
    refuse("IORING_SETUP_SQE128 and IORING_SETUP_SQE_MIXED exclude each other");
  }
  if (has(abi.IORING_SETUP_SQ_REWIND) && polled) {
    refuse("IORING_SETUP_SQ_REWIND and IORING_SETUP_SQPOLL exclude each other");
  }
}

/**
 * Whether completions must be asked for, because no word in shared memory tells of them: IOPOLL
 * rings find them only by asking the device, unless the SQPOLL thread asks; DEFER_TASKRUN ones
 * without TASKRUN_FLAG have work waiting and no word that says so.
 */
export function isSilent(flags: number): boolean {
  const { IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_TASKRUN_FLAG } = abi;
  return (flags & (abi.IORING_SETUP_IOPOLL | abi.IORING_SETUP_SQPOLL)) ===
      abi.IORING_SETUP_IOPOLL ||
    (flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG)) ===
      IORING_SETUP_DEFER_TASKRUN;
}
