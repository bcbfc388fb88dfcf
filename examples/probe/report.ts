/**
 * What a probe finds out: the shape of `--json`.
 *
 * @module
 */

/** Something of the kernel's with a name, and whether it is here. */
export interface Ability {
  /** Its C name without the prefix that all of its kind have: `"SQPOLL"`, `"read_fixed"`. */
  readonly name: string;
  /** Its bit, or its number. */
  readonly value: number;
  /** The first kernel that has it, `"5.19"`. */
  readonly since: string;
  /** Whether this kernel has it. */
  readonly here: boolean;
  /** Why it cannot be used all the same, such as a privilege that is missing. */
  readonly refused?: string;
}

/** The machine, as far as it matters to rings. */
export interface Machine {
  /** The kernel's release, `"6.12.0"`. */
  readonly kernel: string;
  /** Deno's name of the processor: `"x86_64"`. */
  readonly architecture: string;
  /** Deno's version. */
  readonly deno: string;
  /** How many CPUs there are. */
  readonly cpus: number;
}

/** A limit of the process, as setrlimit(2) has them; null is unlimited. */
export interface Limit {
  /** What holds now. */
  readonly soft: number | null;
  /** How far the process may raise it. */
  readonly hard: number | null;
}

/** What the machine's administrator set. */
export interface Limits {
  /** RLIMIT_MEMLOCK in bytes: registered buffers, and before Linux 5.12 rings. */
  readonly memlock: Limit;
  /** Whether CAP_IPC_LOCK lifts that limit; null where /proc does not tell. */
  readonly memlockLifted: boolean | null;
  /** RLIMIT_NOFILE: open files, and files that a ring registers. */
  readonly nofile: Limit;
  /**
   * How many io-wq workers there may be for each NUMA node, where the thread's first ring has
   * 256 entries: bounded ones are no more than its entries. Null before Linux 5.15.
   */
  readonly workers:
    | { readonly bounded: number; readonly unbounded: number }
    | null;
  /** kernel.io_uring_disabled: 0, 1 or 2; null before Linux 6.6. */
  readonly disabled: number | null;
  /** kernel.io_uring_group: who may use io_uring where that is 1; null before Linux 6.6. */
  readonly group: number | null;
  /** What seccomp(2) does to this process; null where /proc does not tell. */
  readonly seccomp: "none" | "strict" | "filter" | null;
}

/** How reads are completed from the storage below a path. */
export interface Disk {
  /** The path that was asked for. */
  readonly path: string;
  /** The file system, or `"block device"`. */
  readonly fileSystem: string;
  /** The block device's name in /sys/block, where the file system has one. */
  readonly device: string | null;
  /** Whether the device's queues poll (`queue/io_poll`); null where nothing tells. */
  readonly queuePolls: boolean | null;
  /** The number of polled queues that the driver was told to make; null where nothing tells. */
  readonly pollQueues: number | null;
  /** Whether the kernel took an O_DIRECT read. */
  readonly direct: boolean;
  /** Whether it took one on a ring with IOPOLL, and completed it. */
  readonly polled: boolean;
  /** The same with HYBRID_IOPOLL; null where the kernel has none. */
  readonly hybrid: boolean | null;
  /** Why a read was refused, in words. */
  readonly reason: string | null;
}

/** Times of something done many times over, in microseconds. */
export interface Times {
  /** Half of them are shorter. */
  readonly p50: number;
  /** 99 of 100 are shorter. */
  readonly p99: number;
}

/** What was measured. */
export interface Measured {
  /** NOPs a second, one a system call. */
  readonly nopsSingle: number;
  /** NOPs a second, 32 a system call. */
  readonly nopsBatched: number;
  /** From a timer's end until a thread that sleeps in io_uring_enter(2) goes on. */
  readonly wakeThread: Times;
  /** From a timer's end until a promise in a sleeping event loop is settled. */
  readonly wakePromise: Times;
}

/** Everything. */
export interface Report {
  /** The machine. */
  readonly machine: Machine;
  /** `"liburing"` or `"syscall"`. */
  readonly backend: string;
  /** liburing's version; null for `"syscall"`. */
  readonly backendVersion: string | null;
  /** Limits and settings. */
  readonly limits: Limits;
  /** `IORING_FEAT_*`. */
  readonly features: readonly Ability[];
  /** `IORING_SETUP_*`. */
  readonly setupFlags: readonly Ability[];
  /** `IORING_OP_*`. */
  readonly opcodes: readonly Ability[];
  /** How many opcodes this kernel has that this program has never heard of. */
  readonly unknownOpcodes: number;
  /** The storage. */
  readonly disk: Disk;
  /** Rates and latencies. */
  readonly measured: Measured;
  /** What to change, a sentence or two each; the most important first. */
  readonly advice: readonly string[];
}
