/**
 * What the kernel's thread spends, from the ring's fdinfo.
 *
 * @module
 */

/** The kernel thread of a ring, as `/proc/self/fdinfo` describes it. */
export interface ThreadFigures {
  /** The thread's id; -1 once it is gone. */
  readonly thread: number;
  /** The CPU it last ran on. */
  readonly cpu: number;
  /** CPU time of the thread in microseconds; undefined before Linux 6.9, which does not tell. */
  readonly totalTime: number | undefined;
  /** The part of it that was work, not spinning, in microseconds; undefined before Linux 6.9. */
  readonly workTime: number | undefined;
}

/** Reads the figures out of a text like that of `/proc/self/fdinfo/FD`. */
export function parseFdinfo(text: string): ThreadFigures {
  const field = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s*(-?\\d+)`, "m").exec(text);
    return found === null ? undefined : Number(found[1]);
  };
  return {
    thread: field("SqThread") ?? -1,
    cpu: field("SqThreadCpu") ?? -1,
    totalTime: field("SqTotalTime"),
    workTime: field("SqWorkTime"),
  };
}
