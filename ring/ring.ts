/**
 * A ring: the two queues, and the system calls between them.
 *
 * @module
 */

import * as abi from "../ffi/abi.ts";
import { openKernel } from "../ffi/backend.ts";
import { Block } from "../ffi/block.ts";
import { checkInteger } from "../ffi/check.ts";
import { systemError } from "../ffi/errors.ts";
import {
  io_uring_getevents_arg as getevents,
  io_uring_reg_wait as registeredWait,
} from "../ffi/layout.ts";
import { EAGAIN, EBUSY, EINTR, EOPNOTSUPP, ETIME } from "../ffi/linux.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import { Calls, enterError } from "./calls.ts";
import { closeRing, type Remains } from "./close.ts";
import { CompletionQueue } from "./completion_queue.ts";
import type { Cqe } from "./cqe.ts";
import { passes } from "./enter_error.ts";
import { checkWorkers, type RingModes } from "./modes.ts";
import { isSilent, type RingOptions, setupRequest } from "./options.ts";
import { registerError } from "./registration/opcodes.ts";
import { Registrations } from "./registrations.ts";
import { type ResizeOptions, resizeRequest } from "./resize.ts";
import type { Sqe } from "./sqe.ts";
import { SubmissionQueue } from "./submission_queue.ts";
import {
  checkWait,
  newWaitArgument,
  type WaitOptions,
  writeWait,
} from "./wait.ts";

const { IORING_ENTER_GETEVENTS, IORING_ENTER_SQ_WAKEUP, IOSQE_ASYNC } = abi;

/** Closes the rings that nobody holds any more. */
const forgotten = new FinalizationRegistry<Remains>(closeRing);

/**
 * An io_uring: a queue of submissions and a queue of completions, shared with the kernel.
 *
 * Take an entry with {@linkcode sqe}, fill it with a `prepX` function, tag it, and
 * {@linkcode submit}; take what is done with {@linkcode forEachCqe}. Nothing is allocated for
 * an operation. What the kernel was given the address of must stay alive until its last
 * completion: see `Op` for values that see to that.
 *
 * A ring belongs to the thread that made it. One that is forgotten is closed by a finalizer; but
 * a Worker must close its own before it ends, as nothing runs then: they would stay open as long
 * as the process.
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
export class Ring extends Registrations implements Disposable {
  /** The ring's file descriptor. */
  declare readonly fd: number;
  /**
   * `IORING_SETUP_*`, as the ring has them: those asked for, and `IORING_SETUP_NO_SQARRAY` where
   * the kernel knows it (Linux 6.6), as liburing adds it too.
   */
  declare readonly flags: number;
  /** `IORING_FEAT_*` of this kernel. */
  declare readonly features: number;
  /** Which backend runs: `"liburing"` or `"syscall"`. */
  declare readonly backend: string;
  /** The version of the library behind the backend, `"2.3"`; null for `"syscall"`. */
  declare readonly backendVersion: string | null;
  declare private readonly calls: Calls;
  declare private readonly polled: boolean;
  /** Whether the kernel asks the device for completions when it is entered, and nobody else does. */
  declare private readonly asksDevice: boolean;
  /** Whether completions must be asked for because no word in shared memory tells of them. */
  declare private readonly silent: boolean;
  readonly #remains: Remains;
  declare private submissions: SubmissionQueue;
  declare private completions: CompletionQueue;
  #wakeups = 0;
  #waitArgument: Block | undefined;
  /** Out of the collector's reach while the kernel reads or writes it. */
  #argument: unknown;
  #state: "open" | "closed" = "open";

  /**
   * Makes a ring.
   *
   * @param options the number of submissions it holds, or {@linkcode RingOptions}.
   * @throws {TypeError | RangeError} for options that no ring can have.
   * @throws {SystemError} if the kernel refuses: ENOSYS without io_uring, EPERM where it is
   * forbidden, ENOMEM over RLIMIT_MEMLOCK, EINVAL for flags that this kernel does not know.
   * The message says what to do.
   *
   * @example
   * ```ts
   * import { Ring } from "@uring/uring/ring";
   * import { IORING_FEAT_CQE_SKIP, Memory } from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * using memory = new Memory(4096);
   * using ring = new Ring({ entries: 8, buffers: [memory.bytes], files: [0, -1] });
   * assertEquals([ring.buffers.length, ring.files.length], [1, 2]);
   * if (ring.features & IORING_FEAT_CQE_SKIP) { // Linux 5.17; limits need 5.15
   *   using busy = new Ring({ entries: 8, workers: { bounded: 2 } });
   *   assertEquals(busy.workers.max().bounded, 2);
   * }
   * ```
   */
  constructor(options: number | RingOptions = {}) {
    super();
    const request = setupRequest(options);
    const kernel = openKernel(
      typeof options === "object" ? options.backend : undefined,
    );
    const mapping = kernel.setup(request);
    this.#remains = { kernel, mapping, ringFd: -1, keep: this.keep };
    this.calls = new Calls(this.#remains);
    this.fd = mapping.fd;
    this.flags = mapping.flags >>> 0;
    this.features = mapping.features >>> 0;
    this.backend = kernel.backend;
    this.backendVersion = kernel.version;
    this.polled = (mapping.flags & abi.IORING_SETUP_SQPOLL) !== 0;
    this.asksDevice = !this.polled &&
      (mapping.flags & abi.IORING_SETUP_IOPOLL) !== 0;
    this.silent = isSilent(mapping.flags);
    const modes = typeof options === "object" ? options : {};
    const { always } = checkWorkers(modes.workers);
    this.submissions = new SubmissionQueue(mapping, always ? IOSQE_ASYNC : 0);
    this.completions = new CompletionQueue(mapping);
    forgotten.register(this, this.#remains, this);
    try {
      this.#registerModes(modes);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** What the modes ask for beyond flags. */
  #registerModes(modes: RingModes): void {
    const { bounded = 0, unbounded = 0, cpus } = checkWorkers(modes.workers);
    if (bounded !== 0 || unbounded !== 0) {
      this.workers.max({ bounded, unbounded });
    }
    if (cpus !== undefined) this.workers.setAffinity(cpus);
    if (modes.buffers !== undefined) this.buffers.register(modes.buffers);
    if (modes.files !== undefined) this.files.register(modes.files);
    if (modes.registerRingFd === true) this.registerRingFd();
    else if (modes.registerRingFd === false) this.calls.keepPlain();
  }

  /** The submission queue. */
  get sq(): SubmissionQueue {
    return this.submissions;
  }

  /** The completion queue. */
  get cq(): CompletionQueue {
    return this.completions;
  }

  /** How many times this ring has called io_uring_enter(2). */
  get enters(): number {
    return this.calls.enters;
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
    return this.polled &&
      (this.features & abi.IORING_FEAT_SQPOLL_NONFIXED) === 0;
  }

  /** Whether the ring is closed, or about to be once the current visit returns. */
  get closed(): boolean {
    return this.#state !== "open";
  }

  /**
   * The next free submission, every byte of it zero (which is a NOP); null when the queue is
   * full: submit and try again. It is the same object each time, moved on: fill it before the
   * next call.
   *
   * @throws {TypeError} if the ring is closed.
   */
  sqe(): Sqe | null {
    if (this.#state !== "open") this.#refuse();
    return this.submissions.next();
  }

  /**
   * The next free submission of 128 bytes, on a ring with `IORING_SETUP_SQE128` or
   * `IORING_SETUP_SQE_MIXED`; null when the queue has no room for it.
   *
   * @throws {TypeError} if the ring is closed, or has entries of 64 bytes only.
   */
  sqe128(): Sqe | null {
    if (this.#state !== "open") this.#refuse();
    return this.submissions.next128();
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
   * there, in one system call. With `IORING_SETUP_IOPOLL` and without SQPOLL fewer may be there:
   * take what is, as the kernel does not ask the device while a completion is not taken.
   *
   * @param count how many, 0 to the size of the completion queue.
   * @param options how long to wait, see {@linkcode wait}; in one call too, since Linux 5.11.
   * @returns how many submissions were taken, see {@linkcode submit}. Whether the completions came
   * in time, `cq.ready` tells.
   *
   * @example
   * ```ts
   * import { Ring } from "@uring/uring/ring";
   * import { prepNop } from "@uring/uring/ops";
   * import { assertEquals } from "@std/assert";
   *
   * using ring = new Ring(8);
   * const sqe = ring.sqe();
   * if (sqe !== null) prepNop(sqe);
   * assertEquals(ring.submitAndWait(2, { timeout: 5 }), 1);
   * assertEquals(ring.cq.ready, 1);
   * ```
   */
  submitAndWait(count: number, options?: WaitOptions): number {
    if ((count >>> 0) !== count || count > this.completions.entries) {
      checkInteger(
        "Ring.submitAndWait: count",
        count,
        0,
        this.completions.entries,
      );
    }
    return options === undefined
      ? this.#submit(count)
      : this.#submitUntil(count, options);
  }

  #submitUntil(count: number, options: WaitOptions): number {
    if (this.#state !== "open") this.#refuse();
    checkWait("Ring.submitAndWait", options, this.features);
    const { timeout = Infinity, minWait } = options;
    const began = performance.now();
    const extended = (this.features & abi.IORING_FEAT_EXT_ARG) !== 0;
    if (this.polled || !extended || this.submissions.ready === 0) {
      const taken = this.#submit(0);
      this.#waitUntil(count, timeout, minWait);
      return taken;
    }
    const least = this.#leastThere(count);
    const pending = this.submissions.publish();
    const answer = this.#enterUntil(pending, least, timeout, minWait);
    const whole = answer === pending;
    if (whole) this.submissions.took(pending);
    const taken = whole ? pending : this.#submitRest(answer, pending, 0);
    // A signal may have ended the wait. So does its minimum; which of them it was nobody tells.
    const left = timeout - (performance.now() - began);
    const over = left <= 0 || (whole && minWait !== undefined);
    if (!over) this.#waitUntil(count, left, minWait);
    return taken;
  }

  #submit(count: number): number {
    if (this.#state !== "open") this.#refuse();
    const pending = this.submissions.publish();
    if (this.polled) return this.#submitPolled(pending, count);
    if (pending === 0) {
      if (count !== 0 && !this.completions.has(count)) this.#await(count);
      return 0;
    }
    const flags = count === 0 ? 0 : IORING_ENTER_GETEVENTS;
    const taken = this.calls.enter(pending, count, flags);
    if (taken !== pending) return this.#submitRest(taken, pending, count);
    this.submissions.took(taken);
    // A signal may have ended the wait: enter answers with what it took all the same.
    if (count !== 0 && !this.completions.has(count)) this.#await(count);
    return taken;
  }

  /** The kernel took fewer than offered, or none: what liburing leaves to its caller. */
  #submitRest(answer: number, offered: number, count: number): number {
    const sq = this.submissions;
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
        if (answer !== -EINTR) throw enterError(-answer);
      }
      answer = this.calls.enter(pending, count, flags);
    }
    if (count !== 0 && !this.completions.has(count)) this.#await(count);
    return total;
  }

  /** SQPOLL: the tail is published, the kernel's thread takes it from there if it is awake. */
  #submitPolled(fresh: number, count: number): number {
    if (fresh !== 0 && this.submissions.needsWakeup) {
      this.#wakeups++;
      this.calls.enterRetrying(fresh, 0, IORING_ENTER_SQ_WAKEUP);
    }
    if (count !== 0 && !this.completions.has(count)) this.#await(count);
    return fresh;
  }

  /**
   * Waits until `count` completions are there. Submits nothing.
   *
   * @param count how many, 0 to the size of the completion queue.
   * @returns how many are there: fewer than `count` if the time ran out, or with
   * `IORING_SETUP_IOPOLL`, see {@linkcode submitAndWait}.
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
  wait(count: number, options: WaitOptions = {}): number {
    if (this.#state !== "open") this.#refuse();
    checkInteger("Ring.wait: count", count, 0, this.completions.entries);
    checkWait("Ring.wait", options, this.features);
    const { timeout = Infinity, minWait } = options;
    this.#waitUntil(count, timeout, minWait);
    return this.completions.ready;
  }

  #waitUntil(count: number, timeout: number, minWait?: number): void {
    if (this.completions.ready >= count) return;
    if (timeout === Infinity && minWait === undefined) this.#await(count);
    else this.#awaitUntil(count, timeout, minWait);
  }

  #await(count: number): void {
    const least = this.#leastThere(count);
    while (this.completions.ready < count && !this.#stuck) {
      this.calls.enterRetrying(0, least, IORING_ENTER_GETEVENTS);
    }
  }

  /**
   * How many completions the kernel must count for `count` to be there to take: within a visit
   * the one in view too, which it cannot have back yet.
   */
  #leastThere(count: number): number {
    const least = count + this.completions.giveBack();
    if (least > this.completions.entries) {
      throw new RangeError(
        `Ring: a wait for ${count} completions from within a visit of forEachCqe has no end: ` +
          `the queue holds ${this.completions.entries}, the one in view included. Return from ` +
          "the visit first.",
      );
    }
    return least;
  }

  /** Whether the kernel will look for no more until what is there is taken: enter answers 0. */
  get #stuck(): boolean {
    return this.asksDevice &&
      (this.completions.visiting || this.completions.ready > 0);
  }

  #awaitUntil(count: number, timeout: number, minWait?: number): void {
    if ((this.features & abi.IORING_FEAT_EXT_ARG) === 0) {
      this.#awaitWithoutArgument(count, timeout);
      return;
    }
    const deadline = performance.now() + timeout;
    const least = this.#leastThere(count);
    for (let left = timeout; this.completions.ready < count;) {
      const answer = this.#enterUntil(0, least, Math.max(left, 0), minWait);
      if (answer === -ETIME) return;
      if (answer < 0 && answer !== -EINTR) throw enterError(-answer);
      // A minimum wait ends with fewer than were asked for.
      if (answer >= 0 && minWait !== undefined) return;
      left = deadline - performance.now();
      // With some there, but fewer than asked for, the kernel answers 0 and not ETIME.
      if (left <= 0 || this.#stuck) return;
    }
  }

  /** Submits, and waits no longer than `timeout`, in one call; what the kernel answers. */
  #enterUntil(
    toSubmit: number,
    least: number,
    timeout: number,
    minWait: number | undefined,
  ): number {
    const argument = this.#waitArgument ??= newWaitArgument();
    writeWait(argument, timeout, minWait);
    return this.calls.enterWith(
      toSubmit,
      least,
      IORING_ENTER_GETEVENTS | abi.IORING_ENTER_EXT_ARG,
      argument.address,
      getevents.size,
    );
  }

  /**
   * Before Linux 5.11 only a timeout op can end a wait. Looking every so often needs no entry
   * of the queue, and no completion that the program did not ask for.
   */
  #awaitWithoutArgument(count: number, timeout: number): void {
    const deadline = performance.now() + timeout;
    this.#leastThere(count);
    const nap = new Int32Array(new SharedArrayBuffer(4));
    while (this.completions.ready < count && performance.now() < deadline) {
      this.calls.enterRetrying(0, 0, IORING_ENTER_GETEVENTS);
      if (this.completions.ready < count) Atomics.wait(nap, 0, 0, 0.2);
    }
  }

  /**
   * {@linkcode submitAndWait} with a limit of time, which `registerWaits` has put where the
   * kernel sees it. Since Linux 6.13.
   *
   * @param count how many completions to wait for, 0 to the size of the completion queue.
   * @param index the registered wait. What it says is counted from now on.
   * @returns how many submissions were taken. Whether the completions came, `cq.ready` tells:
   * the time may have run out, or a signal come.
   * @throws {TypeError | RangeError} if there is no such wait, or the ring is closed.
   */
  submitAndWaitRegistered(count: number, index: number): number {
    if (this.#state !== "open") this.#refuse();
    const what = "Ring.submitAndWaitRegistered";
    checkInteger(`${what}: count`, count, 0, this.completions.entries);
    if (this.waits === undefined) {
      throw new TypeError(`${what}: call registerWaits() first.`);
    }
    checkInteger(`${what}: index`, index, 0, this.waits.entries - 1);
    const submitted = this.polled ? this.submit() : 0;
    const pending = this.polled ? 0 : this.submissions.publish();
    if (this.completions.ready >= count) {
      return this.polled ? submitted : this.submit();
    }
    const answer = this.calls.enterWith(
      pending,
      this.#leastThere(count),
      IORING_ENTER_GETEVENTS | abi.IORING_ENTER_EXT_ARG |
        abi.IORING_ENTER_EXT_ARG_REG,
      index * registeredWait.size,
      registeredWait.size,
    );
    if (answer > 0) this.submissions.took(answer);
    else this.submissions.refresh();
    if (!passes(answer)) throw enterError(-answer);
    return submitted + Math.max(answer, 0);
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
    const cq = this.completions;
    const visited = cq.drain(visit);
    // More can only be held back when the queue was found empty or full.
    if (visited !== 0 && visited < cq.entries) return visited;
    return visited + this.#drainHeldBack(visit);
  }

  #drainHeldBack(visit: (cqe: Cqe) => void): number {
    let total = 0;
    while (!this.closed && this.#fetchEvents()) {
      const visited = this.completions.drain(visit);
      total += visited;
      if (visited < this.completions.entries) break;
    }
    return total;
  }

  /** Has the kernel post what it holds back; false if it holds nothing back. */
  #fetchEvents(): boolean {
    const held = this.submissions.flags &
      (abi.IORING_SQ_CQ_OVERFLOW | abi.IORING_SQ_TASKRUN);
    if (held === 0 && !this.silent) return false;
    this.calls.enterRetrying(0, 0, IORING_ENTER_GETEVENTS);
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
    if (!this.polled) {
      throw new TypeError(
        "Ring.waitForSpace: only a ring with IORING_SETUP_SQPOLL has a thread to wait " +
          "for. Call submit().",
      );
    }
    this.submit();
    while (this.submissions.space === 0) {
      this.calls.enterRetrying(
        0,
        0,
        abi.IORING_ENTER_SQ_WAIT | this.#wakeFlag(),
      );
    }
  }

  #wakeFlag(): number {
    const asleep = this.submissions.needsWakeup;
    if (asleep) this.#wakeups++;
    return asleep ? IORING_ENTER_SQ_WAKEUP : 0;
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
    this.#argument = argument;
    const answer = this.calls.register(opcode, address, count);
    this.#argument = undefined;
    if (answer < 0) throw registerError(-answer, name, opcode, hint);
    return answer;
  }

  /**
   * Registers the ring's own descriptor with this thread, which makes every later call on the
   * ring cheaper: there is no descriptor to look up and hold on to. A thread has 16 places.
   * A ring that proves busy does it by itself while there are any; this asks for it at once, and
   * says so if it cannot be. Since Linux 5.18, see io_uring_register_ring_fd(3).
   *
   * @throws {TypeError} if the ring is closed.
   * @throws {SystemError} EEXIST if it is registered already, EBUSY if all places are taken.
   *
   * @example
   * ```ts
   * import { Ring } from "@uring/uring/ring";
   * import { IORING_FEAT_LINKED_FILE } from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * using ring = new Ring(8);
   * if (ring.features & IORING_FEAT_LINKED_FILE) ring.registerRingFd(); // Linux 5.18
   * ring.sqe(); // a zeroed entry is a NOP
   * assertEquals(ring.submitAndWait(1), 1);
   * ```
   */
  registerRingFd(): void {
    if (this.#state !== "open") this.#refuse();
    this.calls.registerRingFd(this);
  }

  /**
   * Gives the descriptor's place with this thread back; closing the ring does it too. Since
   * Linux 5.18.
   *
   * @throws {TypeError} if the ring is closed.
   * @throws {SystemError} EINVAL if the descriptor is not registered.
   */
  unregisterRingFd(): void {
    if (this.#state !== "open") this.#refuse();
    this.calls.unregisterRingFd(this);
  }

  /**
   * Chooses whether a thread that sleeps in a wait counts as waiting for I/O, which keeps the
   * CPU's frequency up and shows in its statistics. At first it does. Since Linux 6.15, see
   * io_uring_set_iowait(3).
   *
   * @throws {TypeError} if the ring is closed.
   * @throws {SystemError} EOPNOTSUPP before Linux 6.15.
   */
  setIowait(enabled: boolean): void {
    if (this.#state !== "open") this.#refuse();
    if ((this.features & abi.IORING_FEAT_NO_IOWAIT) === 0) {
      const hint = "It needs Linux 6.15 or later.";
      throw systemError(EOPNOTSUPP, "io_uring_set_iowait", { hint });
    }
    this.calls.setIowait(enabled);
  }

  /**
   * Changes the sizes of both queues. What was not submitted and what was not taken stays in
   * them; an {@linkcode Sqe} in hand is out of view: fill it before. `ring.sq` and `ring.cq`
   * are new objects. Only for rings with `IORING_SETUP_DEFER_TASKRUN`, since Linux 6.13, see
   * io_uring_resize_rings(3).
   *
   * @throws {TypeError | RangeError} if the ring cannot have such queues, or is closed.
   * @throws {SystemError} EOVERFLOW if what is in the queues would not fit: submit, and take
   * the completions first. EINVAL before Linux 6.13.
   *
   * @example
   * ```ts
   * import { Ring } from "@uring/uring/ring";
   * import * as abi from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * using plain = new Ring(8);
   * if (plain.features & abi.IORING_FEAT_RW_ATTR) { // Linux 6.14; resize needs 6.13
   *   const flags = abi.IORING_SETUP_SINGLE_ISSUER | abi.IORING_SETUP_DEFER_TASKRUN;
   *   using ring = new Ring({ entries: 8, flags });
   *   ring.resize({ entries: 64 });
   *   assertEquals([ring.sq.entries, ring.cq.entries], [64, 128]);
   * }
   * ```
   */
  resize(options: ResizeOptions = {}): void {
    if (this.#state !== "open") this.#refuse();
    const request = resizeRequest(
      options,
      this.flags,
      this.submissions,
      this.completions,
    );
    // The kernel moves what lies between head and tail.
    this.submissions.publish();
    const submissions = this.submissions.save();
    const completions = this.completions.save();
    const { kernel, mapping } = this.#remains;
    try {
      this.#remains.mapping = kernel.resize(mapping, request);
    } catch (error) {
      // The kernel has new queues and they could not be mapped: the backend closed the ring.
      if (mapping.sqes.detached) this.#abandon();
      throw error;
    }
    // Its Sqe is what holds on to the memory of provideBuffers.
    this.keep.add(this.submissions);
    this.submissions = new SubmissionQueue(
      this.#remains.mapping,
      this.submissions.entryFlags,
    );
    this.completions = new CompletionQueue(this.#remains.mapping);
    this.submissions.restore(submissions);
    this.completions.restore(completions);
  }

  #abandon(): void {
    forgotten.unregister(this);
    this.#state = "closed";
    this.keep.clear();
  }

  /**
   * Cancels what is in flight, waits until the kernel has done with everybody's memory, unmaps
   * the queues and gives the descriptor back. Safe to call twice, and from within a visit of
   * {@linkcode forEachCqe}: then the ring closes when the round is over.
   *
   * It cannot wait before Linux 6.0, nor on a ring where `IOSQE_CQE_SKIP_SUCCESS` was used or
   * whose restrictions forbid a NOP with `IOSQE_IO_DRAIN`: there, wait for the completions
   * first. What cannot be cancelled is waited for 10 seconds.
   */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.completions.whenIdle(() => this.#close());
  }

  #close(): void {
    forgotten.unregister(this);
    closeRing(this.#remains);
    this.#waitArgument?.release();
  }

  /** {@linkcode close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
