/**
 * The small interface that everything else stands on: the three system calls of io_uring,
 * and the memory that they share with the kernel.
 *
 * @module
 */

/** What `io_uring_setup` is asked for, see io_uring_setup(2). */
export interface SetupRequest {
  /** How many submissions the queue holds; the kernel rounds up to a power of two. */
  entries: number;
  /** `IORING_SETUP_*`. */
  flags: number;
  /** How many completions the queue holds; with `IORING_SETUP_CQSIZE`. */
  cqEntries: number;
  /** How long the kernel's thread spins before it sleeps, in milliseconds. */
  sqThreadIdle: number;
  /** The CPU of the kernel's thread; with `IORING_SETUP_SQ_AFF`. */
  sqThreadCpu: number;
  /** The ring whose workers to share; with `IORING_SETUP_ATTACH_WQ`. */
  wqFd: number;
}

/** Where the words of the submission queue stand, in bytes from the buffer's start. */
export interface SubmissionQueueLayout {
  /** The memory that the words are in. */
  readonly buffer: ArrayBuffer;
  /** Written by the kernel: the next entry it will take. */
  readonly head: number;
  /** Written by the program: one past the last entry. */
  readonly tail: number;
  /** Written by the kernel: `IORING_SQ_*`. */
  readonly flags: number;
  /** Written by the kernel: entries it refused for their index. */
  readonly dropped: number;
  /** The array of indices; -1 on a ring without one (`IORING_SETUP_NO_SQARRAY`). */
  readonly array: number;
}

/** Where the words of the completion queue stand, in bytes from the buffer's start. */
export interface CompletionQueueLayout {
  /** The memory that the words and the entries are in. */
  readonly buffer: ArrayBuffer;
  /** Written by the program: the next completion it will take. */
  readonly head: number;
  /** Written by the kernel: one past the last completion. */
  readonly tail: number;
  /** Written by the kernel: completions lost for want of memory. */
  readonly overflow: number;
  /** Written by the program: `IORING_CQ_*`. */
  readonly flags: number;
  /** The first entry. */
  readonly cqes: number;
}

/** A ring as the kernel made it, mapped. */
export interface RingMapping {
  /** The ring's file descriptor. */
  readonly fd: number;
  /** `IORING_SETUP_*`, as the ring has them. */
  readonly flags: number;
  /** `IORING_FEAT_*` of this kernel. */
  readonly features: number;
  /** How many submissions the queue holds. */
  readonly sqEntries: number;
  /** How many completions the queue holds. */
  readonly cqEntries: number;
  /** The submission queue's words. */
  readonly sq: SubmissionQueueLayout;
  /** The completion queue's words and entries. */
  readonly cq: CompletionQueueLayout;
  /** The submission queue's entries. */
  readonly sqes: ArrayBuffer;
}

/**
 * The kernel, as seen from a ring: two implementations make the system calls, through
 * liburing or without it; a third for tests pretends.
 *
 * `enter`, `enter2` and `register` answer as the kernel does: a negated errno on failure.
 */
export interface Kernel {
  /** Which implementation this is: `"liburing"`, `"syscall"`. */
  readonly backend: string;
  /** The version of the library behind it, `"2.9"`; null where there is none. */
  readonly version: string | null;
  /**
   * Makes a ring and maps it.
   *
   * @throws {SystemError} if the kernel refuses: the error says why, and what to do.
   */
  setup(request: SetupRequest): RingMapping;
  /** io_uring_enter(2) without an argument. */
  enter(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
  ): number;
  /** io_uring_enter(2) with one: the address of a `struct io_uring_getevents_arg`, or an offset in the registered region. */
  enter2(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: bigint,
    size: bigint,
  ): number;
  /** io_uring_register(2); `argument` is an address, or a number that stands for itself. */
  register(
    fd: number,
    opcode: number,
    argument: number,
    count: number,
  ): number;
  /**
   * Changes the queues' sizes (`IORING_REGISTER_RESIZE_RINGS`, Linux 6.13) and maps them
   * anew; the mapping given is gone afterwards.
   *
   * @throws {SystemError} if the kernel refuses; the mapping given then stays.
   */
  resize(mapping: RingMapping, request: SetupRequest): RingMapping;
  /** Unmaps the ring and closes its descriptor. Every view of it has length 0 afterwards. */
  close(mapping: RingMapping): void;
}
