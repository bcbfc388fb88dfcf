/**
 * A ring: the two queues, and the system calls between them.
 *
 * @module
 */

import * as abi from "../ffi/abi.ts";
import { openKernel } from "../ffi/backend.ts";
import { Block, takeBlock } from "../ffi/block.ts";
import { checkInteger } from "../ffi/check.ts";
import { type SystemError, systemError } from "../ffi/errors.ts";
import type { Kernel, RingMapping } from "../ffi/kernel.ts";
import { io_uring_getevents_arg as getevents } from "../ffi/layout.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import { CompletionQueue } from "./completion_queue.ts";
import type { Cqe } from "./cqe.ts";
import { cancelEverything } from "./close.ts";
import { enterHint } from "./enter_error.ts";
import { type RingOptions, setupRequest } from "./options.ts";
import { Probe } from "./registration/probe.ts";
import type { Registrar } from "./registrar.ts";
import type { Sqe } from "./sqe.ts";
import { SubmissionQueue } from "./submission_queue.ts";

const EINTR = 4;
const EAGAIN = 11;
const EBUSY = 16;
const ETIME = 62;

const { IORING_ENTER_GETEVENTS, IORING_ENTER_SQ_WAKEUP } = abi;

/** What is left to close of a ring that nobody holds any more. */
const forgotten = new FinalizationRegistry<
  { kernel: Kernel; mapping: RingMapping }
>(({ kernel, mapping }) => {
  cancelEverything(kernel, mapping);
  kernel.close(mapping);
});

/**
 * An io_uring: a queue of submissions and a queue of completions, shared with the kernel.
 *
 * Take an entry with {@linkcode sqe}, fill it with a `prepX` function, tag it, and
 * {@linkcode submit}; take what is done with {@linkcode forEachCqe}. Nothing is allocated for
 * an operation. What the kernel was given the address of must stay alive until its last
 * completion: see `Op` for values that see to that.
 *
 * A ring belongs to the thread that made it. One that is forgotten is closed by a finalizer.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { prepNop } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(8);
 * const sqe = ring.sqe();
 * if (sqe !== null) {
 *   prepNop(sqe);
 *   sqe.tag = 42;
 * }
 * ring.submitAndWait(1);
 * ring.forEachCqe((cqe) => assertEquals([cqe.tag, cqe.res], [42, 0]));
 * ```
 */
export class Ring implements Disposable, Registrar {
  /** The ring's file descriptor. */
  readonly fd: number;
  /** `IORING_SETUP_*`, as the ring has them. */
  readonly flags: number;
  /** `IORING_FEAT_*` of this kernel. */
  readonly features: number;
  /** Which backend runs: `"liburing"` or `"syscall"`. */
  readonly backend: string;
  /** The version of the library behind the backend, `"2.3"`; null for `"syscall"`. */
  readonly backendVersion: string | null;
  readonly #kernel: Kernel;
  readonly #polled: boolean;
  /** Whether completions must be asked for because no word in shared memory tells of them. */
  readonly #silent: boolean;
  #mapping: RingMapping;
  #sq: SubmissionQueue;
  #cq: CompletionQueue;
  #enterFd: number;
  #enterFlags = 0;
  #enters = 0;
  #wakeups = 0;
  #waitArgument: Block | undefined;
  #state: "open" | "closing" | "closed" = "open";

  /**
   * Makes a ring.
   *
   * @param options the number of submissions it holds, or {@linkcode RingOptions}.
   * @throws {TypeError | RangeError} for options that no ring can have.
   * @throws {SystemError} if the kernel refuses: ENOSYS without io_uring, EPERM where it is
   * forbidden, ENOMEM over RLIMIT_MEMLOCK, EINVAL for flags that this kernel does not know.
   * The message says what to do.
   */
  constructor(options: number | RingOptions = {}) {
    const request = setupRequest(options);
    const kernel = openKernel(
      typeof options === "object" ? options.backend : undefined,
    );
    const mapping = kernel.setup(request);
    this.#kernel = kernel;
    this.#mapping = mapping;
    this.fd = mapping.fd;
    this.flags = mapping.flags >>> 0;
    this.features = mapping.features >>> 0;
    this.backend = kernel.backend;
    this.backendVersion = kernel.version;
    this.#enterFd = mapping.fd;
    this.#polled = (mapping.flags & abi.IORING_SETUP_SQPOLL) !== 0;
    this.#silent = isSilent(mapping.flags);
    this.#sq = new SubmissionQueue(mapping);
    this.#cq = new CompletionQueue(mapping);
    forgotten.register(this, { kernel, mapping }, this);
  }

  /** The submission queue. */
  get sq(): SubmissionQueue {
    return this.#sq;
  }

  /** The completion queue. */
  get cq(): CompletionQueue {
    return this.#cq;
  }

  /** How many times this ring has called io_uring_enter(2). */
  get enters(): number {
    return this.#enters;
  }

  /** How many of those woke the kernel's thread (`IORING_ENTER_SQ_WAKEUP`). */
  get wakeups(): number {
    return this.#wakeups;
  }

  /**
   * Whether ops on this ring must use registered files: an SQPOLL ring before Linux 5.11 answers
   * EBADF to any other descriptor.
   */
  get needsFixedFiles(): boolean {
    return this.#polled &&
      (this.features & abi.IORING_FEAT_SQPOLL_NONFIXED) === 0;
  }

  /** Whether the ring is closed, or about to be once the current visit returns. */
  get closed(): boolean {
    return this.#state !== "open";
  }

  /**
   * The next free submission, every byte of it zero (which is a NOP); null when the queue is
   * full: submit and try again.
   *
   * @throws {TypeError} if the ring is closed.
   */
  sqe(): Sqe | null {
    if (this.#state !== "open") this.#refuse();
    return this.#sq.next();
  }

  /**
   * The next free submission of 128 bytes, on a ring with `IORING_SETUP_SQE128` or
   * `IORING_SETUP_SQE_MIXED`; null when the queue has no room for it.
   *
   * @throws {TypeError} if the ring is closed, or has entries of 64 bytes only.
   */
  sqe128(): Sqe | null {
    if (this.#state !== "open") this.#refuse();
    return this.#sq.next128();
  }

  /**
   * Hands every filled submission to the kernel. Enters it only if it needs that: on a ring
   * with `IORING_SETUP_SQPOLL` only to wake a sleeping thread.
   *
   * @returns how many were taken. Fewer than were filled if the kernel is short of memory or
   * its completions do not fit: the rest stays in the queue, so reap and submit again.
   * @throws {TypeError} if the ring is closed.
   * @throws {SystemError} if the kernel refuses the call: EBADFD on a disabled ring, EEXIST
   * from another thread than the one the ring belongs to.
   */
  submit(): number {
    return this.#submit(0);
  }

  /**
   * Hands every filled submission to the kernel and waits until `count` completions are
   * there, in one system call.
   *
   * @param count how many, 0 to the size of the completion queue.
   * @returns how many submissions were taken, see {@linkcode submit}.
   */
  submitAndWait(count: number): number {
    if ((count >>> 0) !== count || count > this.#cq.entries) {
      checkInteger("Ring.submitAndWait: count", count, 0, this.#cq.entries);
    }
    return this.#submit(count);
  }

  #submit(count: number): number {
    if (this.#state !== "open") this.#refuse();
    const pending = this.#sq.publish();
    if (this.#polled) return this.#submitPolled(pending, count);
    if (pending === 0) {
      if (count !== 0 && !this.#cq.has(count)) this.#await(count);
      return 0;
    }
    const flags = count === 0 ? 0 : IORING_ENTER_GETEVENTS;
    const taken = this.#enter(pending, count, flags);
    if (taken !== pending) return this.#submitRest(taken, pending, count);
    this.#sq.took(taken);
    // A signal may have ended the wait: enter answers with what it took all the same.
    if (count !== 0 && !this.#cq.has(count)) this.#await(count);
    return taken;
  }

  /** The kernel took fewer than offered, or none: what liburing leaves to its caller. */
  #submitRest(answer: number, offered: number, count: number): number {
    const sq = this.#sq;
    const flags = count === 0 ? 0 : IORING_ENTER_GETEVENTS;
    let total = 0;
    let pending = offered;
    for (;;) {
      if (answer > 0) {
        sq.took(answer);
        total += answer;
        pending -= answer;
        if (pending === 0) break;
      } else {
        pending = sq.refresh();
        if (answer === 0 || answer === -EAGAIN || answer === -EBUSY) {
          return total;
        }
        if (answer !== -EINTR) throw this.#enterError(-answer);
      }
      answer = this.#enter(pending, count, flags);
    }
    if (count !== 0 && !this.#cq.has(count)) this.#await(count);
    return total;
  }

  /** SQPOLL: the tail is published, the kernel's thread takes it from there if it is awake. */
  #submitPolled(fresh: number, count: number): number {
    if (fresh !== 0 && this.#sq.needsWakeup) {
      this.#wakeups++;
      this.#enterRetrying(fresh, 0, IORING_ENTER_SQ_WAKEUP);
    }
    if (count !== 0 && !this.#cq.has(count)) this.#await(count);
    return fresh;
  }

  /**
   * Waits until `count` completions are there. Submits nothing.
   *
   * @param count how many, 0 to the size of the completion queue.
   * @param options `timeout`: how long to wait at most, in milliseconds. Default: for ever.
   * @returns how many are there: fewer than `count` if the time ran out.
   * @throws {TypeError} if the ring is closed.
   *
   * @example
   * ```ts
   * import { Ring } from "@uring/uring/ring";
   * import { assertEquals } from "@std/assert";
   *
   * using ring = new Ring(8);
   * assertEquals(ring.wait(1, { timeout: 5 }), 0); // nothing was submitted
   * ```
   */
  wait(count: number, options: { timeout?: number } = {}): number {
    if (this.#state !== "open") this.#refuse();
    checkInteger("Ring.wait: count", count, 0, this.#cq.entries);
    const { timeout } = options;
    if (timeout === undefined) {
      if (this.#cq.ready < count) this.#await(count);
    } else {
      checkTimeout(timeout);
      if (this.#cq.ready < count) this.#awaitUntil(count, timeout);
    }
    return this.#cq.ready;
  }

  #await(count: number): void {
    while (this.#cq.ready < count) {
      this.#enterRetrying(0, count, IORING_ENTER_GETEVENTS);
    }
  }

  #awaitUntil(count: number, timeout: number): void {
    if ((this.features & abi.IORING_FEAT_EXT_ARG) === 0) {
      this.#awaitWithoutArgument(count, timeout);
      return;
    }
    const deadline = performance.now() + timeout;
    const argument = this.#waitArgument ??= newWaitArgument();
    for (let left = timeout; this.#cq.ready < count;) {
      writeWait(argument, Math.max(left, 0));
      this.#enters++;
      const answer = this.#kernel.enter2(
        this.#enterFd,
        0,
        count,
        IORING_ENTER_GETEVENTS | abi.IORING_ENTER_EXT_ARG | this.#enterFlags,
        BigInt(argument.address),
        BigInt(getevents.size),
      );
      if (answer === -ETIME) return;
      if (answer < 0 && answer !== -EINTR) throw this.#enterError(-answer);
      left = deadline - performance.now();
    }
  }

  /**
   * Before Linux 5.11 only a timeout op can end a wait. Looking every so often needs no entry
   * of the queue, and no completion that the program did not ask for.
   */
  #awaitWithoutArgument(count: number, timeout: number): void {
    const deadline = performance.now() + timeout;
    const nap = new Int32Array(new SharedArrayBuffer(4));
    while (this.#cq.ready < count && performance.now() < deadline) {
      this.#enterRetrying(0, 0, IORING_ENTER_GETEVENTS);
      if (this.#cq.ready < count) Atomics.wait(nap, 0, 0, 0.2);
    }
  }

  /**
   * Visits every completion that is there, then takes them all from the queue at once.
   * Enters the kernel only if the queue is empty and the kernel says that it holds some back.
   *
   * @param visit sees the completion; it is only good until the visit returns. A visit that
   * throws ends the round: its completion is taken, the later ones stay.
   * @returns how many were visited.
   * @throws {TypeError} if the ring is closed.
   */
  forEachCqe(visit: (cqe: Cqe) => void): number {
    if (this.#state !== "open") this.#refuse();
    const cq = this.#cq;
    const visited = cq.drain(visit);
    // More can only be held back when the queue was found empty or full.
    if (visited !== 0 && visited < cq.entries) return visited;
    return visited + this.#drainHeldBack(visit);
  }

  #drainHeldBack(visit: (cqe: Cqe) => void): number {
    let total = 0;
    while (!this.closed && this.#fetchEvents()) {
      const visited = this.#cq.drain(visit);
      total += visited;
      if (visited < this.#cq.entries) break;
    }
    return total;
  }

  /** Has the kernel post what it holds back; false if it holds nothing back. */
  #fetchEvents(): boolean {
    const held = this.#sq.flags &
      (abi.IORING_SQ_CQ_OVERFLOW | abi.IORING_SQ_TASKRUN);
    if (held === 0 && !this.#silent) return false;
    this.#enterRetrying(0, 0, IORING_ENTER_GETEVENTS);
    return true;
  }

  /**
   * Waits until the kernel's thread has taken enough of a full submission queue that there
   * is room (`IORING_ENTER_SQ_WAIT`, Linux 5.10). Only for rings with `IORING_SETUP_SQPOLL`.
   *
   * @throws {TypeError} if the ring is closed, or without `IORING_SETUP_SQPOLL`.
   */
  waitForSpace(): void {
    if (this.#state !== "open") this.#refuse();
    if (!this.#polled) {
      throw new TypeError(
        "Ring.waitForSpace: only a ring with IORING_SETUP_SQPOLL has a thread to wait " +
          "for. Call submit().",
      );
    }
    this.submit();
    while (this.#sq.space === 0) {
      this.#enterRetrying(0, 0, abi.IORING_ENTER_SQ_WAIT | this.#wakeFlag());
    }
  }

  #wakeFlag(): number {
    const asleep = this.#sq.needsWakeup;
    if (asleep) this.#wakeups++;
    return asleep ? IORING_ENTER_SQ_WAKEUP : 0;
  }

  #enter(toSubmit: number, minComplete: number, flags: number): number {
    this.#enters++;
    return this.#kernel.enter(
      this.#enterFd,
      toSubmit,
      minComplete,
      flags | this.#enterFlags,
    );
  }

  /** For calls that hand over nothing: an interrupted one is made again by whoever looks next. */
  #enterRetrying(toSubmit: number, minComplete: number, flags: number): void {
    const answer = this.#enter(toSubmit, minComplete, flags);
    if (
      answer >= 0 || answer === -EINTR || answer === -EAGAIN ||
      answer === -EBUSY
    ) return;
    throw this.#enterError(-answer);
  }

  #enterError(errno: number): SystemError {
    return systemError(errno, "io_uring_enter", { hint: enterHint(errno) });
  }

  #refuse(): never {
    throw new TypeError("Ring: the ring is closed.");
  }

  /**
   * io_uring_register(2): what the registration classes are made of.
   *
   * @param name what errors call it: `"io_uring_register_buffers"`.
   * @param opcode `IORING_REGISTER_*`.
   * @param argument the memory that the kernel reads or writes during the call, or a number
   * that stands for itself; 0 is NULL.
   * @param count `nr_args`.
   * @param hint a sentence for an errno that says what to do about it.
   * @returns what the kernel answers, 0 or more.
   * @throws {TypeError} if the ring is closed.
   * @throws {SystemError} if it refuses.
   */
  register(
    name: string,
    opcode: number,
    argument: View | Block | number,
    count: number,
    hint?: (errno: number) => string | undefined,
  ): number {
    if (this.#state !== "open") this.#refuse();
    const address = typeof argument === "number"
      ? argument
      : argument instanceof Block
      ? argument.address
      : addressOf(argument);
    const answer = this.#kernel.register(this.fd, opcode, address, count);
    if (answer < 0) {
      throw systemError(-answer, name, {
        hint: hint?.(-answer) ?? enterHint(-answer),
      });
    }
    return answer;
  }

  /** Which opcodes this kernel has. Since Linux 5.6. */
  probe(): Probe {
    return Probe.of(this);
  }

  /**
   * Starts a ring that was made with `IORING_SETUP_R_DISABLED`. Since Linux 5.10.
   *
   * @throws {SystemError} EBADFD if the ring is not disabled.
   */
  enable(): void {
    this.register(
      "io_uring_enable_rings",
      abi.IORING_REGISTER_ENABLE_RINGS,
      0,
      0,
    );
  }

  /**
   * Cancels what is in flight, waits for that (from Linux 6.0 on), unmaps the queues and
   * gives the descriptor back. Safe to call twice, and from within a visit of
   * {@linkcode forEachCqe}: then the ring closes when the round is over.
   */
  close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "closing") return;
    this.#state = "closing";
    this.#cq.whenIdle(() => this.#close());
  }

  #close(): void {
    forgotten.unregister(this);
    cancelEverything(this.#kernel, this.#mapping);
    this.#state = "closed";
    this.#kernel.close(this.#mapping);
    this.#waitArgument?.release();
  }

  /** {@linkcode close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * IOPOLL rings find completions only by asking the device; DEFER_TASKRUN ones without
 * TASKRUN_FLAG have work waiting and no word in shared memory that says so.
 */
function isSilent(flags: number): boolean {
  const { IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_TASKRUN_FLAG } = abi;
  return (flags & abi.IORING_SETUP_IOPOLL) !== 0 ||
    (flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG)) ===
      IORING_SETUP_DEFER_TASKRUN;
}

function checkTimeout(timeout: number): void {
  if (typeof timeout !== "number") {
    throw new TypeError(
      `Ring.wait: timeout must be a number of milliseconds; got ${typeof timeout}.`,
    );
  }
  if (!(timeout >= 0 && timeout <= Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(
      `Ring.wait: timeout must be 0 or more milliseconds; got ${timeout}. ` +
        "Leave it out to wait for ever.",
    );
  }
}

/** A `struct io_uring_getevents_arg` and, behind it, the timespec that it points to. */
function newWaitArgument(): Block {
  const block = takeBlock(getevents.size + 16);
  block.bytes.fill(0);
  const timespec = BigInt(block.address + getevents.size);
  block.view.setBigUint64(getevents.ts, timespec, true);
  return block;
}

function writeWait(block: Block, milliseconds: number): void {
  const seconds = Math.floor(milliseconds / 1000);
  const nanoseconds = Math.floor((milliseconds - seconds * 1000) * 1e6);
  block.view.setBigInt64(getevents.size, BigInt(seconds), true);
  block.view.setBigInt64(getevents.size + 8, BigInt(nanoseconds), true);
}
