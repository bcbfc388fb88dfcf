/**
 * Multishots as async iterators.
 *
 * @module
 */

import { ENOBUFS } from "../ffi/linux.ts";
import { wasCancelled } from "../ops/cancelled.ts";
import { FixedFile } from "../ops/fd.ts";
import type { Completion, Held, Op } from "../ops/op.ts";
import type { Received } from "../ops/provided.ts";
import type { Batch } from "./batch.ts";
import type { Engine } from "./engine.ts";
import { closedError, completionError, failWith } from "./errors.ts";
import { type BufferGroup, groupOf, returnBuffer } from "./groups.ts";
import { whenAborted } from "./signal.ts";
import { ignore, plainExtra, type Settle, type Slot } from "./slots.ts";

/** Options of {@linkcode Uring.stream}. */
export interface StreamOptions {
  /** Ends the iteration when it aborts: with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * How many results may wait for `next()`. At that many the multishot is cancelled, and
   * submitted again when they are taken. Default: 1024.
   */
  limit?: number | undefined;
}

/** After ENOBUFS, when to try again although nobody said that buffers came back. */
const RETRY_MILLISECONDS = [1, 2, 5, 10, 20, 50];

/** The same where somebody says so: thousands of streams that ask all the time cost a core. */
const TOLD_MILLISECONDS = 1000;

/** Why a stream ended: an error, or what makes it when somebody is there to see its stack. */
type Failure = { error: unknown } | { make: () => unknown };

/**
 * The iterator behind `Uring.stream`. It submits the multishot at the first `next()`, again
 * when the kernel dropped it, and cancels it when the loop is left.
 */
export class MultishotStream<T> implements AsyncIterableIterator<T> {
  readonly #engine: Engine;
  readonly #op: Op<T>;
  readonly #limit: number;
  /** Ends the listening to the signal. */
  #stopListening: (() => void) | undefined;
  /** The streams of the same `Uring` that {@linkcode close} has something to do for. */
  readonly #open: Set<MultishotStream<unknown>>;
  readonly #batch: Batch = {
    size: 1,
    launch: () => this.#launch(),
    abandon: () => {
      this.#over();
      this.close();
    },
  };
  readonly #results: T[] = [];
  /** How many results are still to come, of an op that has so many. */
  #left: number;
  readonly #takers: { resolve: Settle; reject: Settle }[] = [];
  /** Callers of return(), who wait for the kernel to be done. */
  readonly #leavers: (() => void)[] = [];
  /** The ops that undo what nobody took. */
  readonly #undoing = new Set<Promise<unknown>>();
  #slot: Slot | null = null;
  #tag = 0;
  /** How many tables of files had gone when the kernel got it. */
  #goneTables = 0;
  #armed = false;
  /** Whether the kernel has had it before. */
  #launched = false;
  #cancelled = false;
  #ended = false;
  #failure: Failure | undefined;
  /** Where the buffers come from, if a `BufferRing` looks after them. */
  #group: BufferGroup | undefined;
  /** How many had come back to it when the multishot was last submitted. */
  #returned = 0;
  #dry = 0;
  /** Ends the wait for buffers. */
  #stopWaiting: (() => void) | undefined;

  /** An iterator for a multishot. Internal: {@linkcode Uring.stream} makes them. */
  constructor(
    engine: Engine,
    op: Op<T>,
    { signal, limit = 1024 }: StreamOptions,
    open: Set<MultishotStream<unknown>>,
  ) {
    this.#engine = engine;
    this.#open = open;
    this.#op = op;
    this.#left = op.results;
    this.#limit = limit;
    open.add(this as MultishotStream<unknown>);
    if (signal === undefined) return;
    const stop = (): void => this.#stop({ error: signal.reason });
    if (signal.aborted) stop();
    else this.#stopListening = whenAborted(signal, stop);
  }

  /** The next result. Any number of calls may wait at once; they are served in order. */
  next(): Promise<IteratorResult<T>> {
    if (this.#results.length > 0) {
      const value = this.#results.shift() as T;
      if (this.#results.length === 0) {
        if (this.#ended) this.#forget();
        else this.#arm();
      }
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#failure = undefined;
      return "error" in failure
        ? Promise.reject(failure.error)
        : failWith(failure.make);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const { promise, resolve, reject } = Promise.withResolvers<
      IteratorResult<T>
    >();
    this.#takers.push({ resolve: resolve as Settle, reject });
    this.#arm();
    return promise;
  }

  /** Leaves the loop: cancels the multishot, waits for its end, undoes what nobody took. */
  async return(): Promise<IteratorResult<T>> {
    this.#end();
    if (this.#armed) {
      await new Promise<void>((resolve) => this.#leavers.push(resolve));
    }
    this.#undoResults();
    await Promise.all(this.#undoing);
    return { done: true, value: undefined };
  }

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** {@linkcode return}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** The `Uring` closes: whoever waits is told so, what nobody took is undone. Internal. */
  close(): void {
    this.#stop({
      make: () => this.#engine.broken ?? closedError(this.#op),
    });
  }

  /** Submits the multishot, if it is not with the kernel. */
  #arm(): void {
    if (this.#armed || this.#ended || this.#stopWaiting !== undefined) return;
    this.#armed = true;
    this.#cancelled = false;
    this.#engine.enqueue(this.#batch);
  }

  #launch(): void {
    // A group that was closed meanwhile stays known as such.
    this.#group = groupOf(this.#engine.ring, this.#op) ?? this.#group;
    this.#goneTables = this.#engine.goneTables;
    this.#returned = this.#group?.returned ?? 0;
    const extra = plainExtra();
    extra.multishot = {
      take: (completion: Completion, held: Held, last: boolean) =>
        this.#take(completion, held, last),
    };
    const refuse = (error: unknown) => {
      this.#over();
      this.#fail({ error });
    };
    this.#slot = this.#engine.launch(this.#op, 0, ignore, refuse, extra);
    if (this.#slot === null) return;
    this.#tag = this.#slot.tag;
    if (this.#launched) this.#engine.counters.rearms++;
    this.#launched = true;
  }

  #take(completion: Completion, held: Held, last: boolean): void {
    const op = this.#op;
    if (last) this.#over();
    // A timer that fires just now is not found, and armed again.
    else if (this.#cancelled) this.#engine.cancel(this.#tag);
    if (op.failed(completion)) {
      returnBuffer(this.#engine.ring, op, completion);
      this.#takeFailure(completion.res);
      return;
    }
    if (last && op.ends(completion)) {
      returnBuffer(this.#engine.ring, op, completion);
      this.#end();
      return;
    }
    let value: T;
    try {
      value = op.finish(completion, held);
      this.#group?.note(value as Received);
    } catch (error) {
      this.#fail({ error });
      return;
    }
    this.#dry = 0;
    if (this.#ended) this.#undo(value);
    else this.#deliver(value);
    if (--this.#left === 0) this.#end();
    else if (last) this.#rearm();
  }

  #takeFailure(res: number): void {
    // Cancelled for its many results, or because the loop was left.
    if (this.#cancelled && wasCancelled(res)) {
      if (this.#takers.length > 0) this.#arm();
      return;
    }
    if (this.#ended) return;
    if (res === -ENOBUFS) this.#rearmLater();
    else this.#fail({ make: () => completionError(this.#op, res) });
  }

  #deliver(value: T): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker.resolve({ done: false, value });
      return;
    }
    this.#results.push(value);
    if (this.#results.length >= this.#limit) this.#cancel();
  }

  #rearm(): void {
    if (this.#results.length < this.#limit) this.#arm();
  }

  /**
   * No buffers: whoever holds the results gives them back. Of a `BufferRing` we hear when; of
   * others we do not.
   */
  #rearmLater(): void {
    const group = this.#group;
    if (group?.closed) {
      this.#fail({ make: () => completionError(this.#op, -ENOBUFS) });
      return;
    }
    const again = (): boolean => {
      this.#stopWaiting?.();
      this.#stopWaiting = undefined;
      if (this.#takers.length === 0) return false;
      this.#arm();
      return true;
    };
    if (group !== undefined && group.returned !== this.#returned) {
      // Some have come back since the kernel was asked, and nobody would tell of them again.
      again();
      return;
    }
    const delay = group !== undefined
      ? TOLD_MILLISECONDS
      : RETRY_MILLISECONDS[this.#dry] ?? 50;
    this.#dry++;
    const timer = setTimeout(again, delay);
    if (!this.#engine.alive) Deno.unrefTimer(timer);
    const leave = group?.whenReturned(again);
    this.#stopWaiting = () => {
      clearTimeout(timer);
      leave?.();
    };
  }

  #cancel(): void {
    if (!this.#armed || this.#cancelled) return;
    this.#cancelled = true;
    if (this.#slot !== null) this.#engine.cancel(this.#tag);
    else if (this.#engine.withdraw(this.#batch)) this.#over();
  }

  #over(): void {
    this.#armed = false;
    this.#slot = null;
    for (const leave of this.#leavers.splice(0)) leave();
  }

  /** It failed: what came before is still to be had. */
  #fail(failure: Failure): void {
    if (this.#ended) return;
    this.#failure = failure;
    this.#end();
  }

  /** It is to stop at once: nobody is to have what came before. */
  #stop(failure: Failure): void {
    this.#fail(failure);
    this.#undoResults();
  }

  /** There is nothing left that somebody would have to see to. */
  #forget(): void {
    this.#open.delete(this as MultishotStream<unknown>);
  }

  /** No more results will come. Whoever waits is told. */
  #end(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#stopListening?.();
      this.#stopWaiting?.();
      this.#stopWaiting = undefined;
      this.#cancel();
      if (this.#results.length === 0) this.#forget();
    }
    for (const taker of this.#takers.splice(0)) {
      const failure = this.#failure;
      this.#failure = undefined;
      if (failure === undefined) {
        taker.resolve({ done: true, value: undefined });
      } else if ("error" in failure) taker.reject(failure.error);
      else taker.resolve(failWith(failure.make));
    }
  }

  #undoResults(): void {
    for (const value of this.#results.splice(0)) this.#undo(value);
    this.#forget();
  }

  #undo(value: T): void {
    // A file of a table that is gone went with it: its slot may be another's in the next.
    const isGone = value instanceof FixedFile &&
      this.#goneTables !== this.#engine.goneTables;
    if (isGone) return;
    const undo = this.#op.undo(value);
    if (undo === undefined) {
      this.#group?.discard(value as Received);
      return;
    }
    const engine = this.#engine;
    const done = new Promise<unknown>((resolve, reject) => {
      const batch: Batch = {
        size: 1,
        launch: () => void engine.launch(undo, 0, resolve, reject, null),
        abandon: () => {
          // A Uring that closes gives up what waits, but not this, while it still can.
          if (engine.broken === undefined && !engine.ring.closed) {
            engine.enqueue(batch);
          } else resolve(undefined);
        },
      };
      engine.enqueue(batch);
    }).finally(() => this.#undoing.delete(done));
    // Whoever waits in return() is told of a descriptor that could not be closed; nobody else can be.
    done.catch(() => {});
    this.#undoing.add(done);
  }
}
