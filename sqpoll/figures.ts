/**
 * What the kernel's thread spends, from the ring's fdinfo.
 *
 * @module
 */

/** The kernel thread of a ring, as `/proc/self/fdinfo` describes it. */
export interface ThreadFigures {
  /**
   * The thread's id; -1 if the kernel does not tell: the ring has no thread, the thread is gone,
   * or busy with the ring just then.
   */
  readonly thread: number;
  /** The CPU it last ran on; -1 if the kernel does not tell. */
  readonly cpu: number;
  /**
   * CPU time of the thread in microseconds. Undefined before Linux 6.9, which does not tell, and
   * where it does not tell of the thread: the kernel writes 0 then.
   */
  readonly totalTime: number | undefined;
  /** The part of it that was work, not spinning, in microseconds; undefined as `totalTime`. */
  readonly workTime: number | undefined;
}

/** How much of a CPU the thread used, since the last look. */
export interface ThreadLoad extends ThreadFigures {
  /**
   * CPU time over wall time, 0 to 1: how much of a core the thread takes. Most kernels count it in
   * ticks of 1 to 10 ms: look at spans of a tenth of a second and more. NaN if it cannot be told:
   * the thread has yet to run, the kernel says nothing of it just now, or this is the first look
   * at a thread that may be older than the ring, being shared.
   */
  readonly share: number;
  /** The part of its CPU time that was work rather than spinning, 0 to 1; NaN as `share`. */
  readonly busy: number;
}

/** What there was to see at some moment. */
export interface Look {
  /** When that was, in milliseconds, as `performance.now()`. */
  readonly at: number;
  /** Which thread it was; undefined for whichever the ring began with. */
  readonly thread?: number;
  /** {@linkcode ThreadFigures.totalTime}. */
  readonly totalTime: number | undefined;
  /** {@linkcode ThreadFigures.workTime}. */
  readonly workTime: number | undefined;
}

/**
 * Reads the figures out of a text like that of `/proc/self/fdinfo/FD`. What is not in it is -1 or
 * undefined: the names are those of Linux 5.10 to 6.18.
 *
 * @example
 * ```ts
 * import { parseFdinfo } from "@uring/uring/sqpoll";
 * import { assertEquals } from "@std/assert";
 *
 * const { thread, cpu, totalTime } = parseFdinfo("SqThread:\t17\nSqThreadCpu:\t2\n");
 * assertEquals([thread, cpu, totalTime], [17, 2, undefined]); // before Linux 6.9
 * ```
 */
export function parseFdinfo(text: string): ThreadFigures {
  const field = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s*(-?\\d+)\\s*$`, "m").exec(text);
    return found === null ? undefined : Number(found[1]);
  };
  const thread = field("SqThread") ?? -1;
  const time = (name: string) => thread === -1 ? undefined : field(name);
  return {
    thread,
    cpu: field("SqThreadCpu") ?? -1,
    totalTime: time("SqTotalTime"),
    workTime: time("SqWorkTime"),
  };
}

/**
 * What a thread used since the last look.
 *
 * @param at when the figures were read, as in {@linkcode Look}.
 */
export function loadSince(
  last: Look,
  figures: ThreadFigures,
  at: number,
): ThreadLoad {
  const { thread, totalTime = NaN, workTime = NaN } = figures;
  const isSame = last.thread === undefined || last.thread === thread;
  const spent = totalTime - (last.totalTime ?? NaN);
  const worked = workTime - (last.workTime ?? NaN);
  // Less than before is another thread's, whatever its number.
  if (!isSame || !(spent >= 0 && worked >= 0)) {
    return { ...figures, share: NaN, busy: NaN };
  }
  const wall = (at - last.at) * 1000;
  return {
    ...figures,
    share: wall > 0 ? spent / wall : 0,
    busy: spent > 0 ? Math.min(worked / spent, 1) : 0,
  };
}
