/**
 * What runs ops on a ring in the event loop: how they are launched, when to enter the kernel, who
 * gets what it gives. {@linkcode Uring} is its face.
 *
 * @module
 */

import {
  IORING_FEAT_LINKED_FILE,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SQPOLL,
  IORING_SQ_CQ_OVERFLOW,
  IOSQE_IO_DRAIN,
} from "../ffi/abi.ts";
import { prepCancel64 } from "../ops/cancel.ts";
import { wasCancelled } from "../ops/cancelled.ts";
import { type Completion, type Held, type Op, release } from "../ops/op.ts";
import type { Cqe } from "../ring/cqe.ts";
import type { Ring } from "../ring/ring.ts";
import type { Sqe } from "../ring/sqe.ts";
import { type Batch, BatchQueue } from "./batch.ts";
import { Budget, ROUND } from "./budget.ts";
import { type Counters, newCounters } from "./counters.ts";
import { returnBuffer } from "./groups.ts";
import { Insistence } from "./insistence.ts";
import { Lookout } from "./lookout.ts";
import type { Settings } from "./options.ts";
import { promiseOutcome, settleCancelled, settleOp } from "./settle.ts";
import {
  type Extra,
  ignore,
  type Settle,
  type Slot,
  SlotTable,
} from "./slots.ts";

/**
 * The high 32 bits of `user_data` say whose completion it is; 0 is an op with a slot. Of a helper the
 * low ones are the tag of what it is to cancel. No number that a message from elsewhere may have.
 */
const HELPER = 0x1f_7572;
/** A message of another ring, see {@linkcode Uring.post}. */
export const MESSAGE = 2;

/** Scheduled for the end of the microtask that runs. */
const SOON = 1;
/** Scheduled for the next turn of the event loop. */
const NEXT_TURN = 2;

/** The engine. One for each `Uring`. */
export class Engine {
  /** The ring. */
  declare readonly ring: Ring;
  /** Figures. */
  declare readonly counters: Counters;
  /** Whether new ops are taken: not once it closes, or its ring cannot be entered. */
  accepting = true;
  /** How many tables of registered files have gone: a slot of one means nothing in the next. */
  goneTables = 0;
  /** Runs the op that takes the place of another, with what that was submitted with. */
  resubmit: (op: Op<unknown>, extra: Extra | null) => unknown = ignore;
  /** Takes messages of other rings. */
  onMessage: ((value: number, data: number) => void) | undefined;
  #idlers: (() => void)[] = [];
  readonly #slots = new SlotTable((slot) => this.#collect(slot));
  readonly #waiting = new BatchQueue();
  /** Entries whose last completion has not come. */
  #inFlight = 0;
  /** Of those, the ones with IOSQE_IO_DRAIN. */
  #drains = 0;
  readonly #insistence = new Insistence(this);
  declare private readonly budget: Budget;
  #scheduled: 0 | typeof SOON | typeof NEXT_TURN = 0;
  #entering = false;
  #pumping = false;
  declare private readonly lookout: Lookout;
  #broken: unknown;
  /** What the kernel may still use of a ring that cannot be entered. */
  readonly #lost: Held[] = [];
  declare private readonly limit: number;
  /** Whether a thread of the kernel takes the ops. */
  declare readonly polled: boolean;
  readonly #flush = (): void => this.#runFlush();
  readonly #visit = (cqe: Cqe): void => this.#complete(cqe);

  /** An engine for a ring of its own. */
  constructor(settings: Settings) {
    this.ring = settings.ring;
    this.counters = newCounters();
    this.budget = new Budget();
    this.lookout = new Lookout(this, settings);
    this.limit = settings.ring.cq.entries;
    this.polled = (settings.ring.flags & IORING_SETUP_SQPOLL) !== 0;
    // Before Linux 5.18 registering an eventfd waits for everything that is in flight. And to a ring
    // that is yet to be enabled it may be forbidden later.
    const { features, flags } = settings.ring;
    const early = (features & IORING_FEAT_LINKED_FILE) === 0 ||
      (flags & IORING_SETUP_R_DISABLED) !== 0;
    if (early && settings.sleep) this.lookout.prepare();
  }

  /** Entries in the kernel, or on their way to it. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Batches that wait for room. */
  get queued(): number {
    return this.#waiting.length;
  }

  /** Whether it sleeps. */
  get sleeping(): boolean {
    return this.lookout.sleeping;
  }

  /** How the engine is woken; undefined before it first slept. */
  get wakeKind(): string | undefined {
    return this.lookout.wakeKind;
  }

  /** Whether what is in flight keeps the process alive. */
  get alive(): boolean {
    return this.lookout.alive;
  }

  /** Why the ring can no longer be used, if it cannot. */
  get broken(): unknown {
    return this.#broken;
  }

  /** The slots in use. */
  slots(): Iterable<Slot> {
    return this.#slots.inUse();
  }

  // --- into the kernel

  /**
   * Launches an op at once, if nothing waits before it and there is room for it; otherwise
   * null, and it must be enqueued. Also where a thread of the kernel takes it: nothing is done by
   * the end of the turn there, see {@linkcode tryLaunchPolled}.
   *
   * @returns its slot. Its `collect` must be called in a microtask of its own: that hands the op
   * to the kernel, together with all that was launched by then, and gives the result.
   */
  tryLaunch(op: Op<unknown>): Slot | null {
    if (
      this.polled || this.#inFlight >= this.limit || this.#waiting.length !== 0
    ) return null;
    const sqe = this.ring.sqe() ?? this.#entryAfterEnter();
    if (sqe === null) return null;
    const slot = this.#slots.take();
    slot.claimed = true;
    try {
      slot.held = op.encode(sqe);
    } catch (error) {
      this.#neutralize(sqe);
      slot.outcome = Promise.reject(error);
      return slot;
    }
    sqe.words[sqe.base + 8] = slot.tag;
    slot.op = op;
    this.#inFlight++;
    this.counters.submitted++;
    if (this.#scheduled === 0 && this.#broken === undefined) {
      if (this.budget.left) this.#scheduled = SOON;
      else this.#flushNextTurn();
    }
    return slot;
  }

  /** {@linkcode tryLaunch} where a thread of the kernel takes the ops; false if it must be enqueued. */
  tryLaunchPolled(op: Op<unknown>, resolve: Settle, reject: Settle): boolean {
    if (
      !this.polled || this.#inFlight >= this.limit || this.queued !== 0
    ) return false;
    const sqe = this.ring.sqe() ?? this.#entryAfterEnter();
    if (sqe === null) return false;
    this.#encode(sqe, op, 0, resolve, reject, null);
    return true;
  }

  /** What became of an op, or a promise of it: for the microtask that its submitter waits for. */
  #collect(slot: Slot): unknown {
    // Also if the op is over: what was launched after it counts on this.
    if (this.#scheduled === SOON) this.#runFlush();
    // The kernel has yet to do it.
    if (slot.op !== null) promiseOutcome(slot);
    const { outcome } = slot;
    slot.outcome = undefined;
    slot.claimed = false;
    if (slot.op === null) this.#slots.recycle(slot);
    return outcome;
  }

  /** Launches a batch when its turn comes; abandons it if none will. */
  enqueue(batch: Batch): void {
    if (this.#broken !== undefined || this.ring.closed) {
      batch.abandon(this.#broken);
      return;
    }
    this.#waiting.push(batch);
    this.#pump();
  }

  /** Takes a batch out of the queue; false if it is launched already. */
  withdraw(batch: Batch): boolean {
    return this.#waiting.withdraw(batch);
  }

  /** Makes sure that `count` entries are free; false if the kernel takes none just now. */
  makeSpace(count: number): boolean {
    const { sq } = this.ring;
    if (sq.space >= count) return true;
    // Not from within a visit: the queue is being taken from.
    if (!this.#entering && !this.ring.cq.visiting) this.#enter();
    return sq.space >= count;
  }

  /**
   * Puts an op into the queue. There must be room for it.
   *
   * @param flags `IOSQE_*`, beside what the op itself sets.
   * @returns its slot; null if it could not be encoded: then `reject` was called.
   */
  launch(
    op: Op<unknown>,
    flags: number,
    resolve: Settle,
    reject: Settle,
    extra: Extra | null,
  ): Slot | null {
    const entry = this.#entry();
    const slot = this.#encode(entry, op, flags, resolve, reject, extra);
    if (slot !== null && (flags & IOSQE_IO_DRAIN) !== 0) this.#drains++;
    return slot;
  }

  #encode(
    sqe: Sqe,
    op: Op<unknown>,
    flags: number,
    resolve: Settle,
    reject: Settle,
    extra: Extra | null,
  ): Slot | null {
    const slot = this.#slots.take();
    try {
      slot.held = op.encode(sqe);
    } catch (error) {
      this.#slots.give(slot);
      this.#neutralize(sqe);
      extra?.over?.();
      reject(error);
      return null;
    }
    return this.#fill(sqe, slot, op, flags, resolve, reject, extra);
  }

  #fill(
    sqe: Sqe,
    slot: Slot,
    op: Op<unknown>,
    flags: number,
    resolve: Settle,
    reject: Settle,
    extra: Extra | null,
  ): Slot {
    if (flags !== 0) sqe.flags |= flags;
    sqe.tag = slot.tag >>> 0;
    slot.op = op;
    slot.resolve = resolve;
    slot.reject = reject;
    slot.extra = extra;
    this.#inFlight++;
    this.counters.submitted++;
    this.schedule();
    return slot;
  }

  /** Puts an op into the queue that was encoded elsewhere. There must be room for it. */
  launchEncoded(
    op: Op<unknown>,
    words: Int32Array,
    held: Held,
    flags: number,
    resolve: Settle,
    reject: Settle,
  ): Slot {
    const sqe = this.#entry();
    sqe.words.set(words, sqe.base);
    const slot = this.#slots.take();
    slot.held = held;
    return this.#fill(sqe, slot, op, flags, resolve, reject, null);
  }

  #entry(): Sqe {
    const sqe = this.ring.sqe() ?? this.#entryAfterEnter();
    if (sqe === null) {
      throw new Error("Uring: an op was launched without room for it.");
    }
    return sqe;
  }

  #entryAfterEnter(): Sqe | null {
    this.makeSpace(1);
    return this.ring.sqe();
  }

  /** An entry that was taken but could not be filled passes as a NOP that nobody waits for. */
  #neutralize(sqe: Sqe): void {
    sqe.clear();
    this.#asHelper(sqe);
  }

  #asHelper(sqe: Sqe, tag = 0): void {
    sqe.set64(8, HELPER * 2 ** 32 + (tag >>> 0), "sqe.userData");
    this.#inFlight++;
    this.schedule();
  }

  /** Asks the kernel to cancel the op with this tag. What becomes of it its own completion says. */
  cancel(tag: number): void {
    // Behind a drain the cancellation would wait for what it is to cancel.
    if (this.#drains > 0) this.insist(tag);
    else this.cancelByEntry(tag);
  }

  /**
   * Cancels an op that may not have begun, being held up by a drain or a link: tries again whenever
   * the ring is looked at, until it is over.
   */
  insist(tag: number): void {
    if (this.#broken !== undefined) return;
    this.#insistence.add(tag);
    this.schedule();
  }

  /** Whether what is queued now waits for everything before it. Internal. */
  get draining(): boolean {
    return this.#drains > 0;
  }

  /** {@linkcode cancel}, at once. Internal. */
  cancelByEntry(tag: number): void {
    if (!this.makeSpace(1)) {
      // The queue is being taken from, or the kernel behind: when it is looked at again.
      this.insist(tag);
      return;
    }
    const sqe = this.#entry();
    prepCancel64(sqe, tag >>> 0, 0);
    this.#asHelper(sqe, tag);
  }

  /** Sees to it that what is in the queue gets to the kernel, once for each turn. */
  schedule(): void {
    if (this.#scheduled !== 0 || this.#broken !== undefined) return;
    if (!this.budget.left) {
      this.#flushNextTurn();
      return;
    }
    this.#scheduled = SOON;
    queueMicrotask(this.#flush);
  }

  #flushNextTurn(): void {
    this.#scheduled = NEXT_TURN;
    this.budget.spent = 0;
    setImmediate(this.#flush);
  }

  #runFlush(): void {
    // Whoever collected first has done it.
    if (this.#scheduled === 0) return;
    this.#scheduled = 0;
    if (this.ring.closed) return;
    this.budget.spent += ROUND;
    this.lookout.wake();
    const before = this.counters.completed;
    this.#enter();
    this.counters.inline += this.counters.completed - before;
    if (this.#insistence.size > 0) this.#insistence.tryAll();
    this.#pump();
    this.next();
  }

  /** One system call for all that was queued; what is done already is reaped at once. */
  #enter(): void {
    this.#entering = true;
    try {
      this.ring.submit();
      this.budget.spent += this.#take();
    } catch (error) {
      this.break(error);
    } finally {
      this.#entering = false;
    }
  }

  /** Launches what waits, as far as there is room. */
  #pump(): void {
    // To make space is to complete ops, which may enqueue others: they come after those here.
    if (this.#pumping || this.#waiting.length === 0) return;
    this.#pumping = true;
    try {
      this.#launchWaiting();
    } finally {
      this.#pumping = false;
    }
  }

  #launchWaiting(): void {
    const waiting = this.#waiting;
    for (let batch; (batch = waiting.first) !== undefined;) {
      // A batch larger than the limit goes alone.
      if (this.#inFlight > 0 && this.#inFlight + batch.size > this.limit) {
        return;
      }
      if (!this.makeSpace(batch.size)) {
        this.schedule();
        return;
      }
      // If the ring broke meanwhile, it was abandoned.
      if (waiting.first !== batch) continue;
      waiting.shift();
      batch.launch();
    }
  }

  // --- out of the kernel

  #complete(cqe: Cqe): void {
    const { words, base } = cqe;
    if (words[base + 1] !== 0) {
      this.#completeOther(cqe);
      return;
    }
    const slot = this.#slots.find(words[base] as number);
    if (slot === undefined) {
      this.counters.strays++;
      return;
    }
    if (
      slot.claimed !== true || cqe.res < 0 || cqe.more || slot.extra !== null ||
      slot.first !== null
    ) {
      this.#completeSlowly(slot, cqe);
      return;
    }
    // Done before its submitter came back for it: no promise is needed to tell of it.
    this.#inFlight--;
    this.counters.completed++;
    const { op, held } = slot as Slot & { op: Op<unknown> };
    this.#slots.finish(slot);
    try {
      slot.outcome = op.decode(cqe, held);
    } catch (error) {
      slot.outcome = Promise.reject(error);
    }
    release(held);
  }

  #completeOther(cqe: Cqe): void {
    if (cqe.tagHigh === HELPER) this.#completeHelper(cqe);
    else if (cqe.tagHigh === MESSAGE && this.onMessage !== undefined) {
      const { onMessage } = this;
      const value = cqe.res;
      const data = cqe.tag;
      queueMicrotask(() => onMessage(value, data));
    } else this.counters.strays++;
  }

  #completeHelper(cqe: Cqe): void {
    const tag = cqe.tag | 0;
    this.#inFlight--;
    // Not found: it is about to end, or has yet to begin, held up by the one that it is linked behind.
    // Told (EALREADY): the worker that had it may have left it to a poll just then, and it goes on.
    // Refused: by the ring's restrictions (EACCES), or as it polls for completions (EINVAL).
    if (cqe.res < 0 && this.isCancellable(tag)) this.#insistence.add(tag);
  }

  /** Not once a zero-copy send is done, and only its buffer still with the kernel. */
  isCancellable(tag: number): boolean {
    return this.#slots.find(tag)?.first === null;
  }

  /** Ops that were not done at once, that failed, that give several completions. */
  #completeSlowly(slot: Slot, cqe: Cqe): void {
    const op = slot.op as Op<unknown>;
    const { extra, held } = slot;
    const last = !cqe.more;
    const multishot = extra?.multishot;
    if (multishot === undefined && !last) {
      // A zero-copy send: this is its result, but the kernel reads the buffer until it says so.
      slot.first = { res: cqe.res, flags: cqe.flags };
      return;
    }
    const completion: Completion = slot.first ?? cqe;
    if (slot.claimed) promiseOutcome(slot);
    const { resolve, reject } = slot;
    if (last) {
      this.#inFlight--;
      this.counters.completed++;
      this.#slots.give(slot);
      if (extra !== null && (extra.flags & IOSQE_IO_DRAIN) !== 0) {
        this.#drains--;
      }
      extra?.over?.();
    }
    if (multishot !== undefined) {
      multishot.take(completion, held, last);
      if (last) release(held);
    } else if (extra !== null && wasCancelled(completion.res)) {
      release(held);
      returnBuffer(this.ring, op, completion);
      settleCancelled(op, extra, completion.res, resolve, reject);
    } else {
      settleOp(this, op, completion, held, resolve, reject, extra);
    }
  }

  /** What next: nothing, another enter, or a look round in the next turn. Internal. */
  next(): void {
    if (this.#scheduled !== 0) return;
    if (this.#inFlight === 0 || this.#broken !== undefined) {
      this.#rest();
    } else if (!this.polled && this.ring.sq.ready > 0) {
      // The kernel took fewer than offered: not before the next turn, or this never ends.
      this.budget.exhaust();
      this.schedule();
    } else this.lookout.start();
  }

  /** Nothing is in flight, or nothing will ever come of it. */
  #rest(): void {
    this.lookout.rest();
    if (this.#listening) this.lookout.start();
    if (this.#idlers.length === 0) return;
    for (const idler of this.#idlers.splice(0)) idler();
  }

  get #listening(): boolean {
    return this.onMessage !== undefined && this.#broken === undefined;
  }

  /** Whether there is something to look for. Internal, as all that the {@linkcode Lookout} asks. */
  get waiting(): boolean {
    return this.#broken === undefined &&
      (this.#inFlight > 0 || this.#listening);
  }

  /** Whether it enters the kernel soon. Internal. */
  get scheduled(): boolean {
    return this.#scheduled !== 0;
  }

  /** Timers and sockets have had their turn. Internal. */
  beginTurn(): void {
    this.budget.spent = 0;
  }

  /** Takes what is done, and launches what waited for that. Internal. */
  reap(): number {
    try {
      const full = (this.ring.sq.flags & IORING_SQ_CQ_OVERFLOW) !== 0;
      const reaped = this.#take(full);
      if (this.#insistence.size > 0) this.#insistence.tryAll();
      this.#pump();
      return reaped;
    } catch (error) {
      this.break(error);
      return 0;
    }
  }

  /** Takes what is done, and what the kernel kept because the queue was full. */
  #take(full = false): number {
    const taken = this.ring.forEachCqe(this.#visit);
    // Deferred work overflows the queue only while it is taken from: then more than it holds comes.
    if (full || taken > this.limit) this.counters.overflows++;
    return taken;
  }

  /** Whether there is nothing to cancel that only whoever is awake can cancel. Internal. */
  settleDown(): boolean {
    // What the kernel's thread has not taken yet cannot be cancelled yet.
    return this.#insistence.size === 0 || this.ring.sq.ready === 0;
  }

  /** Whether what is in flight keeps the process alive. */
  keepAlive(yes: boolean): void {
    this.lookout.keepAlive(yes);
  }

  /** Listens for messages, or no more. */
  listen(onMessage: ((value: number, data: number) => void) | undefined): void {
    this.onMessage = onMessage;
    this.lookout.wake();
    this.next();
  }

  // --- the end

  /** Gives up what waits for room: because the engine closes, or is broken, and why. */
  abandonQueued(broken?: unknown): void {
    for (const batch of this.#waiting.clear()) batch.abandon(broken);
  }

  /**
   * The ring cannot be entered any more: every op fails with the reason, and a completion that
   * comes all the same finds nobody. Their memory is not given back, as nobody can tell whether
   * the kernel is done with it. Internal.
   */
  break(error: unknown): void {
    this.#broken ??= error;
    this.accepting = false;
    this.lookout.wake();
    for (const slot of [...this.#slots.inUse()]) {
      if (slot.claimed) promiseOutcome(slot);
      const { extra, held, reject } = slot;
      this.#lost.push(held);
      this.#slots.give(slot);
      extra?.over?.();
      reject(error);
    }
    this.abandonQueued(this.#broken);
  }

  /** Resolves when nothing is in flight any more, or at the latest in a little while. */
  nextIdle(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 100);
      this.#idlers.push(() => {
        clearTimeout(timer);
        resolve();
      });
      this.schedule();
    });
  }

  /** Takes the ring down. Nothing may be in flight. */
  close(): void {
    this.lookout.wake();
    this.ring.close();
    this.lookout.close();
  }
}
