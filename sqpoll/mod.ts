/**
 * Kernel-side submission: a thread of the kernel takes what a program submits.
 *
 * While that thread is awake a program makes no system call, neither to submit nor to reap: a million
 * reads take fewer than ten. It costs a core for as long as it is busy, and pays where there is one to
 * spare. {@linkcode SqPoll} makes such a ring, wakes the thread when it sleeps
 * (`IORING_SQ_NEED_WAKEUP`) and at no other time, and counts what that saved.
 *
 * `Uring` of `@uring/uring` submits so with `new Uring({ sqpoll: true })`. Which way of submitting pays
 * when, docs/submission.md of the repository tells.
 *
 * @example
 * ```ts
 * import { prepNop } from "@uring/uring/ops";
 * import { SqPoll } from "@uring/uring/sqpoll";
 * import { assert, assertEquals } from "@std/assert";
 *
 * using poll = new SqPoll({ entries: 256, idle: 100 }); // spins 100 ms before it sleeps
 * let done = 0;
 * for (let tag = 0; tag < 1000; tag++) {
 *   prepNop(poll.sqe()); // waits for room where there is none
 *   poll.submit();
 *   done += poll.reap(() => {});
 * }
 * while (done < 1000) done += poll.reap(() => {});
 * assertEquals(poll.stats.submissions, 1000);
 * assert(poll.stats.wakeups < 1000);
 * ```
 *
 * @module
 */

export { parseFdinfo, type ThreadFigures } from "./figures.ts";
export {
  SqPoll,
  type SqPollOptions,
  type SqPollStats,
  type ThreadLoad,
} from "./sqpoll.ts";
