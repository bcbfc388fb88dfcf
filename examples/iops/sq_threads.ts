/**
 * What the SQPOLL threads of rings spend.
 *
 * @module
 */

import { parseFdinfo } from "../../sqpoll/figures.ts";

/** The threads behind some rings: rings that share one have it counted once. */
export class SqThreads {
  readonly #fds: readonly number[];
  #last = 0;

  /** The threads of the rings with these descriptors. */
  constructor(fds: readonly number[]) {
    this.#fds = fds;
  }

  /**
   * CPU time since the last call, in seconds; undefined if there is no thread, or the kernel, one
   * before 6.9, does not tell.
   */
  spent(): number | undefined {
    const threads = new Map<number, number>();
    for (const fd of this.#fds) {
      const text = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
      const { thread, totalTime } = parseFdinfo(text);
      if (totalTime !== undefined) threads.set(thread, totalTime);
    }
    if (threads.size === 0) return undefined;
    const total = threads.values().reduce((sum, time) => sum + time, 0);
    const spent = (total - this.#last) / 1e6;
    this.#last = total;
    return spent;
  }
}
