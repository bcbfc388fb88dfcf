/**
 * A ring that works in slices: what batches run on.
 *
 * @module
 */

import {
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_ANY,
  IORING_FEAT_LINKED_FILE,
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
} from "../ffi/abi.ts";
import type { Backend } from "../ffi/backend.ts";
import { isSystemError } from "../ffi/errors.ts";
import { prepCancel64 } from "../ops/cancel.ts";
import { opcodes } from "../ops/opcodes.ts";
import { deferredWorkRings } from "../proactor/deferred.ts";
import { makeWake, type Wake } from "../proactor/wake.ts";
import type { Cqe } from "../ring/cqe.ts";
import { Ring } from "../ring/ring.ts";
import type { Sqe } from "../ring/sqe.ts";

/** How long a slice may wait in the kernel, in milliseconds: the event loop stands still. */
const PATIENCE = 0.5;
/** The tag of what has no slot. */
const NOBODY = 0xffff_ffff;

/** One thread submits and waits: its completions need not interrupt it. */
const RUNNING: readonly number[] = [
  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_COOP_TASKRUN,
  0,
];
/** Where DEFER_TASKRUN is set, each op of a chain comes back to the thread; here a worker runs all. */
const RUNNING_CHAINS: readonly number[] = [
  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_COOP_TASKRUN,
  0,
];

/**
 * A ring of one's own beside a {@linkcode Uring}, for thousands of small ops.
 *
 * A `Uring` takes each completion as soon as it is there; what the kernel's workers do, such as
 * statx, comes one by one, and each wakes the thread. Waiting for many in one call takes a third
 * of the time. The event loop stands still meanwhile, so the call is short: what takes longer is
 * slept for, and the kernel rings.
 */
export class SliceRing implements AsyncDisposable {
  /** How many entries are with the kernel. */
  inFlight = 0;
  readonly #ring: Ring;
  #wake: Wake | undefined;
  #awaken: (() => void) | undefined;
  #sleep: Promise<void> | undefined;
  /** The tags of what is in flight, where each has to be cancelled by itself: before Linux 5.19. */
  readonly #tags: Set<number> | undefined;
  #visit: (cqe: Cqe) => void = ignore;
  /** Counts before the visit: what a visit that throws has seen is not in flight any more. */
  readonly #take = (cqe: Cqe): void => {
    this.inFlight--;
    this.#tags?.delete(cqe.tag);
    this.#visit(cqe);
  };

  /**
   * Makes the ring.
   *
   * @param entries how many are submitted at a time; twice as many are in flight at most.
   * @param backend of the ring; default: as rings have it.
   * @param chains whether it is for chains that workers run.
   */
  constructor(entries: number, backend?: string, chains = false) {
    this.#ring = newRing(entries, backend, chains ? RUNNING_CHAINS : RUNNING);
    try {
      // Came with the flags that cancel all.
      this.#tags = opcodes.socket.supported() ? undefined : new Set();
      // Before Linux 5.18 registering an eventfd waits for everything that is in flight.
      const early = (this.#ring.features & IORING_FEAT_LINKED_FILE) === 0;
      if (early) this.#putUp();
    } catch (error) {
      this.#ring.close();
      throw error;
    }
  }

  /** The ring: for what is registered with it. */
  get ring(): Ring {
    return this.#ring;
  }

  /** The next free entry; its tag comes back with its completion. */
  entry(tag: number): Sqe {
    const sqe = this.#ring.sqe() ?? this.#entryAfterSubmit();
    sqe.tag = tag;
    this.#tags?.add(tag);
    this.inFlight++;
    return sqe;
  }

  /**
   * Sees to it that so many entries are submitted together: where a submission ends, a chain does.
   */
  reserve(count: number): void {
    if (this.#ring.sq.space < count) this.#ring.submit();
  }

  #entryAfterSubmit(): Sqe {
    this.#ring.submit();
    const sqe = this.#ring.sqe();
    if (sqe === null) throw new Error("The kernel takes no more entries.");
    return sqe;
  }

  /**
   * Submits what is queued, waits a moment for so many completions, and visits those that came.
   *
   * @returns how many came.
   */
  collect(count: number, visit: (cqe: Cqe) => void): number {
    const ring = this.#ring;
    ring.submit();
    if (ring.cq.ready < count) ring.wait(count, { timeout: PATIENCE });
    return this.#reap(visit);
  }

  /** {@linkcode collect} for whoever has nothing else to do: it waits however long it takes. */
  waitFor(count: number, visit: (cqe: Cqe) => void): number {
    this.#ring.submitAndWait(count);
    return this.#reap(visit);
  }

  #reap(visit: (cqe: Cqe) => void): number {
    this.#visit = visit;
    return this.#ring.forEachCqe(this.#take);
  }

  /** Resolves once there may be completions. */
  sleep(): Promise<void> {
    // It may be over before it is a promise: what it leaves is cleared later.
    return this.#sleep ??= this.#fallAsleep().finally(() => {
      this.#sleep = undefined;
    });
  }

  #putUp(): Wake {
    return this.#wake ??= makeWake(
      this.#ring,
      () => this.#awaken?.(),
      "auto",
    );
  }

  async #fallAsleep(): Promise<void> {
    const wake = this.#putUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awaken = resolve;
    wake.arm();
    wake.keepAlive(true);
    try {
      // What came before the bell was armed does not ring it.
      if (this.#ring.wait(1, { timeout: 0 }) === 0) await promise;
    } finally {
      wake.keepAlive(false);
      wake.disarm();
    }
  }

  /** {@linkcode close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Cancels what is in flight, and takes the ring down after the last completion. Safe twice.
   *
   * @param visit is shown the completions that come yet.
   */
  async close(visit: (cqe: Cqe) => void = ignore): Promise<void> {
    if (this.#ring.closed) return;
    let goesOn = false;
    const note = (cqe: Cqe) => {
      if (cqe.tag !== NOBODY || cqe.res > 0) goesOn = true;
      if (cqe.tag !== NOBODY) visit(cqe);
    };
    try {
      while (this.inFlight > 0) {
        // What is linked begins when the one before it is cancelled: again, until none is left.
        this.#cancelAll();
        goesOn = false;
        this.collect(this.inFlight, note);
        if (!goesOn && this.inFlight > 0) await this.sleep();
      }
    } finally {
      // A sleep that nobody waits for any more, because of a signal, ends.
      this.#awaken?.();
      await this.#sleep;
      this.#wake?.close();
      this.#ring.close();
    }
  }

  #cancelAll(): void {
    if (this.#tags === undefined) {
      const all = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
      prepCancel64(this.entry(NOBODY), 0, all);
      return;
    }
    for (const tag of [...this.#tags]) {
      if (tag !== NOBODY) prepCancel64(this.entry(NOBODY), tag, 0);
    }
  }
}

function ignore(): void {}

function newRing(
  entries: number,
  backend: string | undefined,
  running: readonly number[],
): Ring {
  const chosen = backend === undefined ? {} : { backend: backend as Backend };
  for (const flags of running) {
    try {
      const ring = new Ring({
        entries,
        cqEntries: 2 * entries,
        flags,
        ...chosen,
      });
      const deferred = (flags & IORING_SETUP_DEFER_TASKRUN) !== 0;
      if (!deferred || deferredWorkRings(ring.features)) return ring;
      ring.close();
    } catch (error) {
      const unknown = isSystemError(error) && error.code === "EINVAL";
      if (!unknown || flags === 0) throw error;
    }
  }
  throw new Error("unreachable: the last way of running throws");
}
