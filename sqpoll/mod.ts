/**
 * Kernel-side submission: a thread of the kernel takes what a program submits.
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
