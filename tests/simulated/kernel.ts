/**
 * A kernel for tests: io_uring over plain memory, seeded. It does everything that a kernel may do
 * and most would not: see {@linkcode Whims}.
 */

import {
  IORING_ASYNC_CANCEL_ANY,
  IORING_ENTER_EXT_ARG,
  IORING_ENTER_REGISTERED_RING,
  IORING_FEAT_EXT_ARG,
  IORING_FEAT_LINKED_FILE,
  IORING_FEAT_NODROP,
  IORING_FEAT_REG_REG_RING,
  IORING_FEAT_SINGLE_MMAP,
  IORING_FEAT_SQPOLL_NONFIXED,
  IORING_FEAT_SUBMIT_STABLE,
  IORING_REGISTER_RING_FDS,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_REGISTER_USE_REGISTERED_RING,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_SQ_REWIND,
  IORING_UNREGISTER_RING_FDS,
} from "../../ffi/abi.ts";
import type { Block } from "../../ffi/block.ts";
import { systemError } from "../../ffi/errors.ts";
import type { Kernel, RingMapping, SetupRequest } from "../../ffi/kernel.ts";
import {
  io_uring_getevents_arg as getevents,
  io_uring_rsrc_update as update,
  io_uring_sync_cancel_reg as cancel,
} from "../../ffi/layout.ts";
import { EALREADY, EBADF, EINVAL, EOVERFLOW, ETIME } from "../../ffi/linux.ts";
import { detachMapping } from "../../ffi/params.ts";
import { Ledger } from "./ledger.ts";
import { interpose } from "./looks.ts";
import { Queues, type Start, Violation } from "./queues.ts";
import { Random } from "./random.ts";
import type { Fate, Request } from "./request.ts";
import { type Host, SimulatedRing } from "./ring.ts";
import { Fates, tame, type Whims } from "./whims.ts";

const FEATURES = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP |
  IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_SQPOLL_NONFIXED |
  IORING_FEAT_LINKED_FILE | IORING_FEAT_REG_REG_RING;

/** What the kernel is like. */
export interface KernelOptions {
  /** Determines everything. Default: 1. */
  random?: Random;
  /** What it likes to do. Default: nothing out of the ordinary. */
  whims?: Whims;
  /** Whether waits can be limited (`IORING_FEAT_EXT_ARG`). Default: true. */
  limitedWaits?: boolean;
  /** Whether `IORING_REGISTER_SYNC_CANCEL` works, Linux 6.0. Default: true. */
  syncCancel?: boolean;
  /** Whether completions that do not fit make `enter` answer EBUSY. Default: false. */
  stubborn?: boolean;
  /** Where the counters of the queues begin. Default: at 0. */
  start?: () => Start;
  /** What becomes of a request. Default: as the whims have it. */
  decide?: (request: Request) => Fate;
  /** Told of everything that happens, for whoever looks for the cause of a failure. */
  note?: (what: string) => void;
}

/** The simulated kernel. Blocks and looks are watched until it is disposed of: one at a time. */
export class SimulatedKernel implements Kernel, Host, Disposable {
  readonly backend = "simulated";
  readonly version = null;
  readonly random: Random;
  readonly whims: Whims;
  readonly stubborn: boolean;
  readonly fates: Fates;
  /** Who holds which block. */
  readonly ledger: Ledger = new Ledger();
  /** Every ring ever made. */
  readonly rings: SimulatedRing[] = [];
  /** What the program did that it must not do. */
  readonly violations: Violation[] = [];
  /** Whether `IORING_REGISTER_SYNC_CANCEL` works, as it does since Linux 6.0. */
  readonly syncCancel: boolean;
  /** `IORING_SETUP_*` that it does not know. */
  unknownFlags = 0;
  /** The time, in milliseconds. */
  now = 0;
  readonly #options: KernelOptions;
  readonly #open = new Map<number, SimulatedRing>();
  readonly #registered: (SimulatedRing | undefined)[] = [];
  readonly #looks: Disposable;
  #order = 0;
  #nextFd = 100;
  #disposed = false;

  /** A kernel without rings. */
  constructor(options: KernelOptions = {}) {
    this.#options = options;
    this.random = options.random ?? new Random(1);
    this.whims = options.whims ?? tame;
    this.stubborn = options.stubborn ?? false;
    this.syncCancel = options.syncCancel ?? true;
    this.fates = new Fates(this.random, this.whims);
    this.ledger.onRelease = (block) => this.#checkRelease(block);
    this.#looks = interpose(() => this.look(), this);
  }

  /**
   * Ends the watch. What a failed program left open its finalizers close some time: they find no
   * ring here any more.
   */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#open.clear();
    this.#registered.length = 0;
    this.#looks[Symbol.dispose]();
    this.ledger[Symbol.dispose]();
  }

  // --- Kernel

  setup(request: SetupRequest): RingMapping {
    const { limitedWaits = true, start } = this.#options;
    if (request.flags & this.unknownFlags) {
      throw systemError(EINVAL, "io_uring_setup");
    }
    const features = FEATURES | (limitedWaits ? IORING_FEAT_EXT_ARG : 0);
    const at = start?.() ?? { sq: 0, cq: 0 };
    // Without head and tail, there is nothing to wrap.
    if (request.flags & IORING_SETUP_SQ_REWIND) at.sq = 0;
    const queues = new Queues(this.#nextFd++, request, features, at);
    const ring = new SimulatedRing(this, queues);
    this.rings.push(ring);
    this.#open.set(queues.mapping.fd, ring);
    return queues.mapping;
  }

  enter(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
  ): number {
    return this.#watched(() => {
      const ring = this.#ringAt(fd, flags & IORING_ENTER_REGISTERED_RING);
      return ring === undefined
        ? -EBADF
        : ring.enter(toSubmit, minComplete, flags);
    });
  }

  enter2(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: bigint,
    size: bigint,
  ): number {
    return this.#watched(() => {
      const ring = this.#ringAt(fd, flags & IORING_ENTER_REGISTERED_RING);
      if (ring === undefined) return -EBADF;
      const block = this.#argumentAt(Number(argument));
      if (!(flags & IORING_ENTER_EXT_ARG) || Number(size) !== getevents.size) {
        return -EINVAL;
      }
      const pointer = Number(block.view.getBigUint64(getevents.ts, true));
      const at = pointer - block.address;
      const span = pointer === 0
        ? Infinity
        : Number(block.view.getBigInt64(at, true)) * 1000 +
          Number(block.view.getBigInt64(at + 8, true)) / 1e6;
      const patience = { deadline: this.now + span };
      return ring.enter(toSubmit, minComplete, flags, patience);
    });
  }

  register(
    fd: number,
    opcode: number,
    argument: number,
    count: number,
  ): number {
    return this.#watched(() => {
      const ring = this.#ringAt(
        fd,
        (opcode & IORING_REGISTER_USE_REGISTERED_RING) >>> 0,
      );
      if (ring === undefined) return -EBADF;
      const block = this.#argumentAt(argument);
      switch ((opcode & ~IORING_REGISTER_USE_REGISTERED_RING) >>> 0) {
        case IORING_REGISTER_SYNC_CANCEL:
          return this.#syncCancel(ring, block);
        case IORING_REGISTER_RING_FDS:
          block.view.setUint32(update.offset, this.#registered.length, true);
          this.#registered.push(ring);
          return count;
        case IORING_UNREGISTER_RING_FDS:
          this.#registered[block.view.getUint32(update.offset, true)] =
            undefined;
          return count;
        default:
          return -EINVAL;
      }
    });
  }

  #syncCancel({ requests }: SimulatedRing, { view }: Block): number {
    if (!this.syncCancel) return -EINVAL;
    const flags = view.getUint32(cancel.flags, true);
    if (flags & IORING_ASYNC_CANCEL_ANY) return requests.cancelAll();
    if (flags !== 0) return -EINVAL;
    const answer = requests.cancelNamed(
      view.getInt32(cancel.addr, true),
      view.getInt32(cancel.addr + 4, true),
    );
    // It would wait, as long as it may: not at all.
    return answer === -EALREADY ? -ETIME : answer;
  }

  resize(mapping: RingMapping, request: SetupRequest): RingMapping {
    return this.#watched(() => {
      const ring = this.#ringAt(mapping.fd, 0);
      if (ring === undefined) throw systemError(EBADF, "io_uring_resize_rings");
      const wanted = { ...request, flags: request.flags | mapping.flags };
      if (request.cqEntries === 0) wanted.flags &= ~IORING_SETUP_CQSIZE;
      const at = { sq: 0, cq: 0 };
      const queues = new Queues(mapping.fd, wanted, mapping.features, at);
      if (!ring.moveTo(queues)) {
        throw systemError(EOVERFLOW, "io_uring_resize_rings");
      }
      detachMapping(mapping);
      return queues.mapping;
    });
  }

  close(mapping: RingMapping): void {
    if (this.#disposed) return;
    const ring = this.#open.get(mapping.fd);
    if (ring === undefined) this.#fail("A ring is closed twice.");
    else if (ring.requests.inFlight.size > 0 && this.#canEnd(ring)) {
      this.#fail("A ring is closed with requests in flight.");
    }
    this.#open.delete(mapping.fd);
    detachMapping(mapping);
  }

  /** Whether a ring can be brought to its end before it is closed. */
  #canEnd({ requests }: SimulatedRing): boolean {
    return requests.drainable && this.syncCancel;
  }

  // --- what the program must not do

  /** Runs something; what the program does wrong is remembered, whoever catches the error. */
  #watched<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (error instanceof Violation) this.violations.push(error);
      throw error;
    }
  }

  #fail(message: string): never {
    const violation = new Violation(message);
    this.violations.push(violation);
    throw violation;
  }

  #checkRelease(block: Block): void {
    for (const { requests } of this.#open.values()) {
      for (const request of requests.inFlight) {
        if (request.block !== block) continue;
        // Of a timeout the kernel has a copy.
        if (request.treatment === "timeout" || request.treatment === "limit") {
          continue;
        }
        this.#fail(
          `A block is released before the last completion of fd ${request.fd}.`,
        );
      }
    }
  }

  #ringAt(fd: number, registered: number): SimulatedRing | undefined {
    return registered ? this.#registered[fd] : this.#open.get(fd);
  }

  #argumentAt(address: number): Block {
    return this.blockAt(address) ??
      this.#fail("The argument of a call is memory that nobody holds.");
  }

  // --- Host

  decide(request: Request): Fate {
    return (this.#options.decide ?? ((r) => this.fates.decide(r)))(request);
  }

  blockAt(address: number): Block | undefined {
    return this.ledger.taken.get(address);
  }

  nextOrder(): number {
    return this.#order++;
  }

  send({ fd, words, len }: Request): number {
    const target = this.#open.get(fd);
    if (target === undefined) return -EBADF;
    target.receive(
      (words[2] as number) >>> 0,
      (words[3] as number) >>> 0,
      len | 0,
    );
    return 0;
  }

  note(what: () => string): void {
    this.#options.note?.(what());
  }

  // --- time

  /** The rings that are open. */
  get open(): Iterable<SimulatedRing> {
    return this.#open.values();
  }

  /** The program looks at shared memory. */
  look(): void {
    if (this.#open.size === 0) return;
    this.#watched(() => this.random.pick([...this.#open.values()]).look());
  }

  /** Time passes, without anything but timers. */
  pass(milliseconds: number): void {
    this.reach(this.now + milliseconds);
  }

  /** It is this time, or later. */
  reach(time: number): void {
    this.now = Math.max(this.now, time);
    this.#watched(() => {
      for (const { requests } of this.#open.values()) requests.tick();
    });
  }

  /** When a time is over next. */
  get nextDue(): number {
    let next = Infinity;
    for (const { requests } of this.#open.values()) {
      next = Math.min(next, requests.nextDue);
    }
    return next;
  }

  /** The program's thread sleeps: what signals have it do is done. */
  settle(): void {
    this.#watched(() => {
      for (const ring of this.#open.values()) ring.settle();
    });
  }

  /** Has anything happen on any ring, at once; false if nothing can. */
  step(): boolean {
    return this.#watched(() => {
      for (const ring of this.#open.values()) if (ring.proceed()) return true;
      return false;
    });
  }

  /**
   * Has anything happen on any ring, and if nothing can just now lets time pass.
   *
   * @returns false if nothing will ever happen by itself, at least not before `deadline`:
   * then it is `deadline`, if there is one.
   */
  proceed(deadline = Infinity): boolean {
    if (this.step()) return true;
    const next = Math.min(this.nextDue, deadline);
    if (next === Infinity) return false;
    this.reach(next);
    return true;
  }

  /** The ring with a descriptor. */
  ringOf(fd: number): SimulatedRing {
    const ring = this.#open.get(fd);
    if (ring === undefined) throw new Error(`There is no ring ${fd}.`);
    return ring;
  }
}
