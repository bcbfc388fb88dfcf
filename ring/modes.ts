/**
 * The ways of submitting and completing, as options of a ring: when each pays, and what it
 * costs.
 *
 * @module
 */

import * as abi from "../ffi/abi.ts";
import { show } from "../ffi/check.ts";
import type { View } from "../ffi/memory.ts";
import type { WorkerLimits } from "./registration/workers.ts";

/** How the workers of a ring are used, see {@linkcode RingModes.workers}. */
export interface WorkerOptions extends Partial<WorkerLimits> {
  /**
   * Whether every op goes to them (`IOSQE_ASYNC`), or only what would block. Default: true.
   */
  always?: boolean;
  /** The CPUs that they are bound to. Since Linux 5.14. Default: those of the process. */
  cpus?: readonly number[];
}

/**
 * What a ring may be besides its size and flags. Without any of these it submits within
 * io_uring_enter(2): there a cached read is done when the call returns, and what would block
 * is completed by interrupts, or by workers where the file cannot do that. Nothing else costs
 * as little for cached reads and sockets.
 */
export interface RingModes {
  /**
   * `IORING_SETUP_SQPOLL`: a thread of the kernel takes the submissions, and while it is awake
   * submitting and reaping make no system call.
   *
   * Pays for a steady stream of small ops where a core is to spare: the program's own thread is
   * left with writing entries. Costs that core while there is work and `sqThreadIdle` after it;
   * a wake-up when the thread sleeps; and the hop from one core to the other, which a single op
   * at a time feels. Since Linux 5.13 for anyone; 5.11 wants CAP_SYS_NICE, older kernels
   * CAP_SYS_ADMIN and registered files. Excludes DEFER_TASKRUN and COOP_TASKRUN: the thread runs the work. Default: false.
   */
  sqpoll?: boolean;
  /**
   * With SQPOLL: how long the kernel's thread spins before it sleeps, in milliseconds. Longer
   * than the pauses of the program it saves wake-ups, for CPU time. Default: the kernel's, 1000.
   */
  sqThreadIdle?: number;
  /**
   * With SQPOLL: the CPU to bind its thread to; implies `IORING_SETUP_SQ_AFF`. Pays where other
   * work is kept off that CPU, and costs dearly where the program itself runs there.
   */
  sqThreadCpu?: number;
  /**
   * A ring, or the descriptor of one, whose workers and SQPOLL thread to share; implies
   * `IORING_SETUP_ATTACH_WQ`. Saves a thread for each ring; the rings then share its time.
   */
  attachTo?: { readonly fd: number } | number;
  /**
   * `IORING_SETUP_IOPOLL`: the kernel asks the device for completions instead of waiting for its
   * interrupt. `"hybrid"` sleeps first, about half as long as an I/O has taken so far, then asks
   * (`IORING_SETUP_HYBRID_IOPOLL`, Linux 6.13).
   *
   * Pays on fast NVMe drives with polling queues (`nvme.poll_queues=N` on the kernel's command
   * line), in latency and IOPS. Costs the CPU for as long as anything is in flight; hybrid, less
   * of it for somewhat more latency. Takes reads and writes of files opened with O_DIRECT alone:
   * EOPNOTSUPP or EINVAL for everything else. With `sqpoll` its thread does the asking, and the
   * program makes no system call. Default: false.
   */
  iopoll?: boolean | "hybrid";
  /**
   * True, or {@linkcode WorkerOptions}: every op goes to the kernel's worker threads
   * (`iou-wrk-*`) without being tried first (`IOSQE_ASYNC`). Cancelling, timeouts, polling and
   * messages stay where they are, and so do reads with `RWF_NOWAIT`, for which a worker would wait.
   *
   * Pays where ops block and no file system calls back (network file systems, buffered writes,
   * ops on paths), so that submitting returns at once and several cores work. Costs a hand-over
   * and a wake-up for each op: cached reads get several times dearer, and reads of local disks gain
   * nothing. The number of workers limits how many ops run at a time. `{ always: false }`
   * sets limits and CPUs only.
   */
  workers?: boolean | WorkerOptions;
  /**
   * Whether the ring's own descriptor is registered with this thread: true, at once, as by
   * {@linkcode Ring.registerRingFd}; false, never by itself. Default: when the ring proves busy,
   * if the thread has a place left.
   *
   * Pays where each system call submits little: it spares each a look-up in the process's table
   * of files, which threads share: 80 ns. Costs one of the thread's 16 places. Since Linux 5.18.
   */
  registerRingFd?: boolean;
  /**
   * Fixed buffers: memory that is registered at once, in this order from index 0, as by
   * `ring.buffers.register`.
   *
   * Pays with O_DIRECT, where the kernel otherwise looks up and pins the pages for each op, and
   * little for cached reads, which are copied. Costs locked memory (RLIMIT_MEMLOCK), and the ops
   * must be the `_fixed` ones.
   */
  buffers?: readonly View[];
  /**
   * Fixed files: descriptors that are registered at once, in this order from index 0, as by
   * `ring.files.register`; -1 leaves a slot empty.
   *
   * Pays for small ops, most where several threads share the process's table of files: an op
   * needs no reference of its own. Costs a table to keep, and a file in it stays open until it
   * is taken out. Until Linux 5.10 SQPOLL demanded it, since 5.11 it does not.
   */
  files?: readonly number[];
}

/**
 * Checks the modes, and gives the `IORING_SETUP_*` that they imply.
 *
 * @param flags those that were asked for by name.
 */
export function checkModes(modes: RingModes, flags: number): number {
  const { sqpoll = false, iopoll = false } = modes;
  checkBoolean("sqpoll", sqpoll);
  checkBoolean("registerRingFd", modes.registerRingFd ?? false);
  if (iopoll !== "hybrid" && typeof iopoll !== "boolean") {
    throw new TypeError(
      `Ring: iopoll must be a boolean or "hybrid"; got ${show(iopoll)}.`,
    );
  }
  let implied = 0;
  if (sqpoll) implied |= abi.IORING_SETUP_SQPOLL;
  if (iopoll !== false) implied |= abi.IORING_SETUP_IOPOLL;
  if (iopoll === "hybrid") implied |= abi.IORING_SETUP_HYBRID_IOPOLL;
  const { always } = checkWorkers(modes.workers);
  if (always && (flags & abi.IORING_SETUP_SQE_MIXED) !== 0) {
    throw new RangeError(
      "Ring: workers: true and IORING_SETUP_SQE_MIXED exclude each other: every entry is to be " +
        "marked, and there the second half of a wide one looks like an entry. Set IOSQE_ASYNC.",
    );
  }
  if (always && ((flags | implied) & abi.IORING_SETUP_IOPOLL) !== 0) {
    throw new RangeError(
      "Ring: workers: true and IORING_SETUP_IOPOLL exclude each other: a worker would poll for " +
        "one op at a time. Ask for { always: false } to limit the workers only.",
    );
  }
  return implied;
}

function checkBoolean(name: string, value: unknown): void {
  if (typeof value !== "boolean") {
    throw new TypeError(`Ring: ${name} must be a boolean; got ${show(value)}.`);
  }
}

/** The workers as they were asked for; what their numbers may be, their registration knows. */
export function checkWorkers(
  workers: RingModes["workers"] = false,
): WorkerOptions & { always: boolean } {
  if (typeof workers === "boolean") return { always: workers };
  if (workers === null || typeof workers !== "object") {
    throw new TypeError(
      `Ring: workers must be a boolean or an object; got ${show(workers)}.`,
    );
  }
  const { always = true } = workers;
  checkBoolean("workers.always", always);
  return { ...workers, always };
}
