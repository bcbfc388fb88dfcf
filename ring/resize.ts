/**
 * What a ring may be resized to, checked before the kernel is asked.
 *
 * @module
 */

import {
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SQE_MIXED,
} from "../ffi/abi.ts";
import { checkInteger, show } from "../ffi/check.ts";
import type { SetupRequest } from "../ffi/kernel.ts";
import type { CompletionQueue } from "./completion_queue.ts";
import type { SubmissionQueue } from "./submission_queue.ts";

/** Options of {@linkcode Ring.resize}. */
export interface ResizeOptions {
  /** How many submissions the queue is to hold, 1 to 32768; the kernel rounds up to a power of two. Default: as many as now. */
  entries?: number;
  /** How many completions, at least `entries`. Default: twice the submissions. */
  cqEntries?: number;
}

/** Checks options and makes of them what the kernel is asked for. */
export function resizeRequest(
  options: ResizeOptions,
  flags: number,
  sq: SubmissionQueue,
  cq: CompletionQueue,
): SetupRequest {
  if (options === null || typeof options !== "object") {
    throw new TypeError(
      `Ring.resize: options must be an object; got ${show(options)}.`,
    );
  }
  const { entries = sq.entries, cqEntries } = options;
  checkInteger("Ring.resize: entries", entries, 1, 32768);
  if (cqEntries !== undefined) {
    checkInteger("Ring.resize: cqEntries", cqEntries, entries, 65536);
  }
  if ((flags & IORING_SETUP_DEFER_TASKRUN) === 0) {
    throw new TypeError(
      "Ring.resize: only a ring with IORING_SETUP_DEFER_TASKRUN can be resized.",
    );
  }
  cq.checkNoVisit("Ring.resize");
  checkMixed(flags, sq, cq);
  return {
    entries,
    flags: cqEntries === undefined ? 0 : IORING_SETUP_CQSIZE,
    cqEntries: cqEntries ?? 0,
    sqThreadIdle: 0,
    sqThreadCpu: 0,
    wqFd: 0,
  };
}

/** An entry over two slots may not find them side by side in a queue of another size. */
function checkMixed(
  flags: number,
  sq: SubmissionQueue,
  cq: CompletionQueue,
): void {
  if (flags & IORING_SETUP_SQE_MIXED && sq.ready > 0) {
    throw new Error(
      "Ring.resize: submit first: a ring with IORING_SETUP_SQE_MIXED cannot be resized with " +
        `submissions in its queue (${sq.ready}).`,
    );
  }
  if (flags & IORING_SETUP_CQE_MIXED && cq.ready > 0) {
    throw new Error(
      "Ring.resize: call forEachCqe first: a ring with IORING_SETUP_CQE_MIXED cannot be " +
        `resized with completions in its queue (${cq.ready}).`,
    );
  }
}
