/**
 * What runs ops on a ring in the event loop: when to enter the kernel, when to look, when to
 * sleep. {@linkcode Uring} is its face.
 *
 * @module
 */

import {
  IORING_FEAT_LINKED_FILE,
  IORING_SETUP_SQPOLL,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_TASKRUN,
  IOSQE_IO_DRAIN,
} from "../ffi/abi.ts";
import { isSystemError } from "../ffi/errors.ts";
import { prepCancel64 } from "../ops/cancel.ts";
import { type Completion, type Held, type Op, release } from "../ops/op.ts";
import type { Cqe } from "../ring/cqe.ts";
import type { Ring } from "../ring/ring.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  CLOSED,
  closedError,
  completionError,
  failWith,
  timeoutError,
  wasCancelled,
} from "./errors.ts";
import { returnBuffer } from "./groups.ts";
import type { Settings } from "./options.ts";
import {
  type Extra,
  ignore,
  type Settle,
  type Slot,
  SlotTable,
} from "./slots.ts";
import { after } from "./timer.ts";
import { makeWake, type Wake } from "./wake.ts";

const ENOENT = 2;

/**
 * The high 32 bits of `user_data` say whose completion it is; 0 is an op with a slot. Of a helper the
 * low ones are the tag of what it is to cancel.
 */
const HELPER = 1;
/** A message of another ring, see {@linkcode Uring.post}. */
export const MESSAGE = 2;

/**
 * After so much work without a turn of the event loop timers and sockets get theirs. A completion
 * counts as 1, a round, which is a system call, as {@linkcode ROUND}.
 */
const BUDGET = 2048;
const ROUND = 32;

/** How long to wait until what could not be cancelled is tried again, in milliseconds. */
const RETRY = 5;

/** The engines that sleep with ops in flight: nothing else holds them meanwhile. */
const asleep = new Set<Engine>();

/** Takes the bell of a forgotten engine down; its ring closes by a finalizer of its own. */
const forgotten = new FinalizationRegistry<Wake>((wake) => wake.close());

/** Figures of an engine. */
export interface Counters {
  /** Ops handed to the kernel. */
  submitted: number;
  /** Ops whose last completion came. */
  completed: number;
  /** Of those, the ones that came within the enter that submitted them. */
  inline: number;
  /** How often it went to sleep. */
  sleeps: number;
  /** How often it was woken. */
  wakes: number;
  /** How often completions had overflowed the queue. */
  overflows: number;
  /** How often a multishot was submitted again. */
  rearms: number;
  /** Completions that belonged to nobody: late, or of a ring that sends messages. */
  strays: number;
}

/** One or more ops that go to the kernel together, waiting for room. */
export interface Batch {
  /** How many entries they take. */
  readonly size: number;
  /** Puts them into the queue, in which there is room for all. */
  launch(): void;
  /**
   * They will never be launched: the engine closes, or is broken, and why.
   */
  abandon(broken?: unknown): void;
}

/** The engine. One for each `Uring`. */
export class Engine {
  /** The ring. */
  declare readonly ring: Ring;
  /** Figures. */
  readonly counters: Counters = {
    submitted: 0,
    completed: 0,
    inline: 0,
    sleeps: 0,
    wakes: 0,
    overflows: 0,
    rearms: 0,
    strays: 0,
  };
  /** Whether new ops are taken: not once it closes, or its ring cannot be entered. */
  accepting = true;
  /** Runs the op that takes the place of another, with what that was submitted with. */
  resubmit: (op: Op<unknown>, extra: Extra | null) => unknown = ignore;
  /** Takes messages of other rings. */
  onMessage: ((value: number, data: number) => void) | undefined;
  #idlers: (() => void)[] = [];
  declare private readonly settings: Settings;
  readonly #slots = new SlotTable();
  readonly #waiting: Batch[] = [];
  #firstWaiting = 0;
  /** Entries whose last completion has not come. */
  #inFlight = 0;
  /** Of those, the ones with IOSQE_IO_DRAIN. */
  #drains = 0;
  /** The tags of ops to cancel as soon as they can be. */
  readonly #insisted = new Set<number>();
  /** Stops the timer that tries them again. */
  #retry: (() => void) | undefined;
  /** What was done since the last turn of the event loop, see {@linkcode BUDGET}. */
  #spent = 0;
  #scheduled = false;
  #polling = false;
  #entering = false;
  #pumping = false;
  #lastProgress = 0;
  #wake: Wake | undefined;
  #armed = false;
  #alive = true;
  /** The turn in which it looks again. */
  #turn: ReturnType<typeof setImmediate> | undefined;
  #broken: unknown;
  /** What the kernel may still use of a ring that cannot be entered. */
  readonly #lost: Held[] = [];
  declare private readonly limit: number;
  declare private readonly polled: boolean;
  readonly #flush = (): void => this.#runFlush();
  readonly #poll = (): void => this.#runPoll();
  readonly #visit = (cqe: Cqe): void => this.#complete(cqe);

  /** An engine for a ring of its own. */
  constructor(settings: Settings) {
    this.settings = settings;
    this.ring = settings.ring;
    this.limit = settings.ring.cq.entries;
    this.polled = (settings.ring.flags & IORING_SETUP_SQPOLL) !== 0;
    // Before Linux 5.18 registering an eventfd waits for everything that is in flight.
    const early = (settings.ring.features & IORING_FEAT_LINKED_FILE) === 0;
    if (early && settings.sleep) this.#wake = this.#makeWake();
  }

  /** Entries in the kernel, or on their way to it. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Batches that wait for room. */
  get queued(): number {
    return this.#waiting.length - this.#firstWaiting;
  }

  /** Whether it sleeps. */
  get sleeping(): boolean {
    return this.#armed;
  }

  /** How the engine is woken; undefined before it first slept. */
  get wakeKind(): string | undefined {
    return this.#wake?.kind;
  }

  /** Whether what is in flight keeps the process alive. */
  get alive(): boolean {
    return this.#alive;
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
   * false, and it must be enqueued.
   */
  tryLaunch(op: Op<unknown>, resolve: Settle, reject: Settle): boolean {
    if (this.#inFlight >= this.limit || this.queued !== 0) return false;
    const sqe = this.ring.sqe() ?? this.#entryAfterEnter();
    if (sqe === null) return false;
    this.#encode(sqe, op, 0, resolve, reject, null);
    return true;
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
    const at = this.#waiting.indexOf(batch, this.#firstWaiting);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    return true;
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
    sqe.tag = slot.tag;
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
    sqe.set64(8, HELPER * 2 ** 32 + tag, "sqe.userData");
    this.#inFlight++;
    this.schedule();
  }

  /** Asks the kernel to cancel the op with this tag. What becomes of it its own completion says. */
  cancel(tag: number): void {
    // Behind a drain the cancellation would wait for what it is to cancel.
    if (this.#drains > 0) this.insist(tag);
    else this.#cancelByEntry(tag);
  }

  /**
   * Cancels an op that may not have begun, being held up by a drain or a link: tries again whenever
   * the ring is looked at, until it is over.
   */
  insist(tag: number): void {
    if (this.#broken !== undefined) return;
    this.#insisted.add(tag);
    this.schedule();
  }

  #cancelByEntry(tag: number): void {
    if (!this.makeSpace(1)) {
      // The queue is being taken from, or the kernel behind: when it is looked at again.
      this.insist(tag);
      return;
    }
    const sqe = this.#entry();
    prepCancel64(sqe, tag, 0);
    this.#asHelper(sqe, tag);
  }

  #cancelInsisted(byEntry = false): void {
    for (const tag of [...this.#insisted]) {
      if (!this.#isCancellable(tag)) this.#insisted.delete(tag);
      // Before Linux 6.0 only an entry can, and to try it at every look would be all that is done.
      else if (!cancelNow(this.ring, tag) && byEntry) {
        this.#insisted.delete(tag);
        this.#cancelByEntry(tag);
      }
    }
    if (this.#insisted.size === 0) this.#stopRetrying();
    // What begins without a completion before it wakes nobody.
    else if (this.#broken === undefined) {
      this.#retry ??= after(RETRY, () => this.#retryNow());
    }
  }

  #retryNow(): void {
    this.#retry = undefined;
    if (!this.ring.closed) this.#cancelInsisted(true);
  }

  #stopRetrying(): void {
    this.#retry?.();
    this.#retry = undefined;
  }

  /** Sees to it that what is in the queue gets to the kernel, once for each turn. */
  schedule(): void {
    if (this.#scheduled || this.#broken !== undefined) return;
    this.#scheduled = true;
    if (this.#spent < BUDGET) {
      queueMicrotask(this.#flush);
      return;
    }
    this.#spent = 0;
    setImmediate(this.#flush);
  }

  /**
   * Looks again in the next turn. That turn comes soon: an immediate that is unref'd would wait
   * until something else wakes the event loop. Only who never sleeps has to unref it.
   */
  #pollNextTurn(): void {
    this.#polling = true;
    this.#turn = setImmediate(this.#poll);
    if (!this.#alive && !this.settings.sleep) this.#turn.unref();
  }

  #runFlush(): void {
    this.#scheduled = false;
    if (this.ring.closed) return;
    this.#spent += ROUND;
    this.#disarm();
    const before = this.counters.completed;
    this.#enter();
    this.counters.inline += this.counters.completed - before;
    if (this.#insisted.size > 0) this.#cancelInsisted();
    this.#pump();
    this.#next();
  }

  /** One system call for all that was queued; what is done already is reaped at once. */
  #enter(): void {
    this.#entering = true;
    try {
      this.ring.submit();
      this.#spent += this.#take();
    } catch (error) {
      this.#break(error);
    } finally {
      this.#entering = false;
    }
  }

  /** Launches what waits, as far as there is room. */
  #pump(): void {
    // To make space is to complete ops, which may enqueue others: they come after those here.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      this.#launchWaiting();
    } finally {
      this.#pumping = false;
    }
  }

  #launchWaiting(): void {
    const waiting = this.#waiting;
    while (this.#firstWaiting < waiting.length) {
      const batch = waiting[this.#firstWaiting] as Batch;
      // A batch larger than the limit goes alone.
      if (this.#inFlight > 0 && this.#inFlight + batch.size > this.limit) {
        break;
      }
      if (!this.makeSpace(batch.size)) {
        this.schedule();
        break;
      }
      // If the ring broke meanwhile, it was abandoned.
      if (waiting[this.#firstWaiting] !== batch) continue;
      this.#firstWaiting++;
      batch.launch();
    }
    if (this.#firstWaiting === waiting.length) {
      waiting.length = 0;
      this.#firstWaiting = 0;
    } else if (this.#firstWaiting > 1024) {
      waiting.splice(0, this.#firstWaiting);
      this.#firstWaiting = 0;
    }
  }

  // --- out of the kernel

  #complete(cqe: Cqe): void {
    if (cqe.tagHigh !== 0) {
      this.#completeOther(cqe);
      return;
    }
    const slot = this.#slots.find(cqe.tag);
    if (slot === undefined) {
      this.counters.strays++;
      return;
    }
    if (slot.extra !== null || cqe.more || slot.first !== null) {
      this.#completeExtra(slot, cqe);
      return;
    }
    this.#inFlight--;
    this.counters.completed++;
    const { op, held, resolve, reject } = slot as Slot & { op: Op<unknown> };
    this.#slots.give(slot);
    settleOp(this, op, cqe, held, resolve, reject, null);
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

  #completeHelper({ tag, res }: Cqe): void {
    this.#inFlight--;
    // The op is about to end, or has yet to begin: held up by the one that it is linked behind.
    if (res === -ENOENT && this.#isCancellable(tag)) this.#insisted.add(tag);
  }

  /** Not once a zero-copy send is done, and only its buffer still with the kernel. */
  #isCancellable(tag: number): boolean {
    return this.#slots.find(tag)?.first === null;
  }

  /** Ops that give several completions, and those with a signal or a timeout. */
  #completeExtra(slot: Slot, cqe: Cqe): void {
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
      this.#settleCancelled(op, extra, completion.res, resolve, reject);
    } else {
      settleOp(this, op, completion, held, resolve, reject, extra);
    }
  }

  #settleCancelled(
    op: Op<unknown>,
    extra: Extra,
    res: number,
    resolve: Settle,
    reject: Settle,
  ): void {
    const { timeout } = extra;
    if (extra.reason === CLOSED) resolve(failWith(() => closedError(op)));
    else if (extra.cancelled) reject(extra.reason);
    else if (timeout !== undefined) {
      resolve(failWith(() => timeoutError(op, timeout, res)));
    } else resolve(failWith(() => completionError(op, res)));
  }

  /** What next: nothing, another enter, or a look round in the next turn. */
  #next(): void {
    if (this.#scheduled) return;
    if (this.#inFlight === 0 || this.#broken !== undefined) {
      this.#rest();
    } else if (!this.polled && this.ring.sq.ready > 0) {
      // The kernel took fewer than offered: not before the next turn, or this never ends.
      this.#spent = BUDGET;
      this.schedule();
    } else this.#startPolling();
  }

  /** Nothing is in flight, or nothing will ever come of it. */
  #rest(): void {
    this.#wake?.keepAlive(false);
    asleep.delete(this);
    if (this.#listening) this.#startPolling();
    for (const idler of this.#idlers.splice(0)) idler();
  }

  #startPolling(): void {
    if (this.#polling) return;
    this.#lastProgress = performance.now();
    this.#pollNextTurn();
  }

  #runPoll(): void {
    this.#polling = false;
    this.#spent = 0;
    if (this.ring.closed || this.#armed) return;
    const progress = this.#reap();
    if (
      this.ring.closed || this.#scheduled || this.#broken !== undefined ||
      (this.#inFlight === 0 && !this.#listening)
    ) {
      this.#next();
      return;
    }
    const now = performance.now();
    if (progress > 0) this.#lastProgress = now;
    const quiet = now - this.#lastProgress;
    const idle = progress === 0 && quiet >= this.settings.spin;
    // Unref'd it must not keep the event loop going round.
    if ((idle || !this.#alive) && this.#sleep()) return;
    this.#pollNextTurn();
  }

  get #listening(): boolean {
    return this.onMessage !== undefined && this.#broken === undefined;
  }

  #reap(): number {
    try {
      const full = (this.ring.sq.flags & IORING_SQ_CQ_OVERFLOW) !== 0;
      const reaped = this.#take(full);
      if (this.#insisted.size > 0) this.#cancelInsisted();
      this.#pump();
      return reaped;
    } catch (error) {
      this.#break(error);
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

  // --- sleep

  /** Goes to sleep; false if there is something to do after all. */
  #sleep(): boolean {
    if (!this.settings.sleep) return false;
    if (this.#insisted.size > 0) {
      // What the kernel's thread has not taken yet cannot be cancelled yet.
      if (this.ring.sq.ready > 0) return false;
      this.#cancelInsisted();
    }
    const wake = this.#wake ??= this.#tryMakeWake();
    if (wake === undefined) return false;
    wake.arm();
    // What came before the bell was armed does not ring it.
    const pending = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
    if (this.ring.cq.ready > 0 || (this.ring.sq.flags & pending) !== 0) {
      wake.disarm();
      return false;
    }
    this.#armed = true;
    this.counters.sleeps++;
    asleep.add(this);
    wake.keepAlive(this.#alive);
    return true;
  }

  /** A doorbell; undefined if there is none to be had, for the moment or for ever. */
  #tryMakeWake(): Wake | undefined {
    try {
      return this.#makeWake();
    } catch (error) {
      // Out of descriptors, say: it goes on looking, and tries again.
      if (!isSystemError(error)) this.#break(error);
      return undefined;
    }
  }

  #makeWake(): Wake {
    // Weak: the bell is held by the event loop, and must not hold a forgotten engine.
    const self = new WeakRef(this);
    const onRing = () => self.deref()?.onRing();
    const { wake } = this.settings;
    const made = typeof wake === "function"
      ? wake(this.ring, onRing)
      : makeWake(this.ring, onRing, wake);
    forgotten.register(this, made, this);
    return made;
  }

  /** The bell rang. Internal: the {@linkcode Wake} calls it. */
  onRing(): void {
    if (this.ring.closed || !this.#armed) return;
    this.counters.wakes++;
    this.#disarm();
    this.#spent = 0;
    this.#reap();
    if (!this.ring.closed) this.#next();
  }

  #disarm(): void {
    if (!this.#armed) return;
    this.#armed = false;
    asleep.delete(this);
    this.#wake?.disarm();
  }

  /** Whether what is in flight keeps the process alive. */
  keepAlive(yes: boolean): void {
    this.#alive = yes;
    if (!this.settings.sleep && yes) this.#turn?.ref();
    if (!this.settings.sleep && !yes) this.#turn?.unref();
    if (this.#armed) this.#wake?.keepAlive(yes);
  }

  /** Listens for messages, or no more. */
  listen(onMessage: ((value: number, data: number) => void) | undefined): void {
    this.onMessage = onMessage;
    this.#disarm();
    if (!this.#scheduled) this.#next();
  }

  // --- the end

  /** Gives up what waits for room: because the engine closes, or is broken, and why. */
  abandonQueued(broken?: unknown): void {
    const waiting = this.#waiting.splice(this.#firstWaiting);
    this.#waiting.length = 0;
    this.#firstWaiting = 0;
    for (const batch of waiting) batch.abandon(broken);
  }

  /**
   * The ring cannot be entered any more: every op fails with the reason, and a completion that
   * comes all the same finds nobody. Their memory is not given back, as nobody can tell whether
   * the kernel is done with it.
   */
  #break(error: unknown): void {
    this.#broken ??= error;
    this.#insisted.clear();
    this.#stopRetrying();
    this.accepting = false;
    this.#disarm();
    for (const slot of [...this.#slots.inUse()]) {
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
    this.#disarm();
    this.ring.close();
    forgotten.unregister(this);
    this.#wake?.close();
  }
}

/** Cancels an op at once, without an entry in the queue; false if this kernel, before 6.0, cannot. */
function cancelNow(ring: Ring, tag: number): boolean {
  try {
    ring.cancel({ userData: tag, timeout: 0 });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === "EINVAL") return false;
    // ETIME: it is told, and on its way to its end.
    if (error.code !== "ETIME") throw error;
  }
  return true;
}

/** Settles the promise of an op by its completion. */
function settleOp(
  engine: Engine,
  op: Op<unknown>,
  completion: Completion,
  held: Held,
  resolve: Settle,
  reject: Settle,
  extra: Extra | null,
): void {
  if (op.failed(completion)) {
    const { res } = completion;
    release(held);
    returnBuffer(engine.ring, op, completion);
    const again = op.retry(completion);
    if (again !== undefined) resolve(engine.resubmit(again, extra));
    else resolve(failWith(() => completionError(op, res)));
    return;
  }
  let value: unknown;
  try {
    value = op.decode(completion, held);
  } catch (error) {
    reject(error);
    return;
  } finally {
    release(held);
  }
  resolve(value);
}
