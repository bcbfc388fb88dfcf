/**
 * What all batches have in common: paths in, results out, so many in flight.
 *
 * @module
 */

import { whenAborted } from "../proactor/signal.ts";
import type { Cqe } from "../ring/cqe.ts";
import { soon, type Supply } from "./batch_source.ts";
import type { SliceRing } from "./slice_ring.ts";

/** What is done with each path of a batch, in one of so many slots. */
export interface Work<R> {
  /** How many slots there are. */
  readonly slots: number;
  /** How many completions to wait for at a time. */
  readonly batch: number;
  /** Queues what is to be done with a path. */
  begin(slot: number, path: string): void;
  /**
   * Takes a completion.
   *
   * @returns the slot whose work is done with it, or -1.
   */
  complete(cqe: Cqe): number;
  /** Takes a completion of a batch that is given up: nothing may be queued any more. */
  late(cqe: Cqe): void;
  /** What came of a slot's work: the slot is free then. An error is a value here. */
  result(slot: number): R | Failure;
  /** How many slots wait for others to be done. */
  readonly waiting: number;
  /** Lets slots that wait go on; `first` is the one whose result is wanted next, or -1. */
  resume(first: number): void;
  /** A result has gone to the consumer. */
  taken(result: R): void;
}

/** A failure as a value. */
export class Failure {
  /** A failure with its error. */
  constructor(readonly error: Error) {}
}

/** What became of one path. */
export interface Outcome<R> {
  /** The path as it was given. */
  readonly given: string | URL;
  /** Its place among the paths, from 0. */
  readonly index: number;
  /** What came of it. */
  readonly result: R | Failure;
}

/** What a batch is told. */
export interface LoopOptions {
  /** Whether the results come in the order of the paths. */
  readonly ordered: boolean;
  /** Ends the batch when it aborts. */
  readonly signal: AbortSignal | undefined;
  /** The path that the kernel is given; throws for what is not to be done. */
  readonly pathOf: (given: string | URL) => string;
}

/** How long to work without a turn of the event loop, in milliseconds. */
const SLICE = 4;
/** How long to wait until what found no room is tried again, in milliseconds. */
const RETRY = 5;
/** In order, how many times the slots may be done and wait for their turn. */
const AHEAD = 4;

/** A batch on its way. */
export class Loop<R> {
  readonly #ring: SliceRing;
  readonly #supply: Supply;
  readonly #work: Work<R>;
  readonly #options: LoopOptions;
  readonly #free: number[] = [];
  /** By slot: which path it is about. */
  readonly #given: (string | URL)[] = [];
  readonly #index: number[] = [];
  /** In order: results that came before their turn. */
  readonly #early = new Map<number, Outcome<R>>();
  #ready: Outcome<R>[] = [];
  #begun = 0;
  #wanted = 0;
  #busy = 0;
  #lastTurn = performance.now();
  readonly #visit = (cqe: Cqe): void => this.#complete(cqe);

  /** A batch. */
  constructor(
    ring: SliceRing,
    supply: Supply,
    work: Work<R>,
    options: LoopOptions,
  ) {
    this.#ring = ring;
    this.#supply = supply;
    this.#work = work;
    this.#options = options;
    for (let slot = work.slots - 1; slot >= 0; slot--) this.#free.push(slot);
  }

  /** The next results; empty at the end. */
  async next(): Promise<Outcome<R>[]> {
    for (;;) {
      this.#options.signal?.throwIfAborted();
      await this.#fill();
      if (this.#busy === 0 && this.#ready.length === 0) {
        await this.#unlessAborted(this.#supply.arrival());
        if (this.#supply.ended) return [];
        continue;
      }
      if (this.#ready.length === 0) await this.#advance();
      if (performance.now() - this.#lastTurn > SLICE) await this.#turn();
      if (this.#ready.length === 0) continue;
      // What is next goes to the kernel before the consumer has what there is.
      await this.#fill();
      this.#ring.collect(0, this.#visit);
      const ready = this.#ready;
      this.#ready = [];
      return ready;
    }
  }

  /** Begins as many as there is room for. */
  async #fill(): Promise<void> {
    for (;;) {
      while (this.#free.length > 0 && this.#mayBegin) {
        const given = this.#supply.take();
        if (given === undefined) break;
        this.#begin(given);
      }
      if (this.#free.length === 0 || !this.#mayBegin) return;
      if (this.#supply.ended || !await soon(this.#supply.arrival())) return;
    }
  }

  get #mayBegin(): boolean {
    return this.#begun - this.#wanted < AHEAD * this.#work.slots;
  }

  #begin(given: string | URL): void {
    const index = this.#begun++;
    let path: string;
    try {
      path = this.#options.pathOf(given);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#deliver({ given, index, result: new Failure(failure) });
      return;
    }
    const slot = this.#free.pop() as number;
    this.#given[slot] = given;
    this.#index[slot] = index;
    this.#busy++;
    this.#work.begin(slot, path);
  }

  #complete(cqe: Cqe): void {
    const slot = this.#work.complete(cqe);
    if (slot < 0) return;
    const given = this.#given[slot] as string | URL;
    const index = this.#index[slot] as number;
    const result = this.#work.result(slot);
    this.#free.push(slot);
    this.#busy--;
    this.#deliver({ given, index, result });
  }

  #deliver(outcome: Outcome<R>): void {
    if (!this.#options.ordered) {
      this.#wanted++;
      this.#ready.push(outcome);
      return;
    }
    if (outcome.index !== this.#wanted) {
      this.#early.set(outcome.index, outcome);
      return;
    }
    this.#ready.push(outcome);
    this.#wanted++;
    while (this.#early.size > 0) {
      const early = this.#early.get(this.#wanted);
      if (early === undefined) return;
      this.#early.delete(this.#wanted++);
      this.#ready.push(early);
    }
  }

  /** Waits for completions: a moment in the kernel, then asleep. */
  async #advance(): Promise<void> {
    const work = this.#work;
    if (work.waiting > 0) {
      work.resume(
        this.#options.ordered ? this.#index.indexOf(this.#wanted) : -1,
      );
    }
    const { inFlight } = this.#ring;
    if (inFlight === 0) {
      await this.#unlessAborted(delay(RETRY));
      return;
    }
    const came = this.#ring.collect(
      Math.min(inFlight, work.batch),
      this.#visit,
    );
    if (came > 0) return;
    const bell = this.#ring.sleep();
    const room = this.#free.length > 0 && this.#mayBegin &&
      !this.#supply.ended;
    // What is under way comes first, if the source fails.
    const arrival = () => this.#supply.arrival().catch(() => {});
    await this.#unlessAborted(
      room ? Promise.race([bell, arrival()]) : bell,
    );
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#lastTurn = performance.now();
  }

  async #unlessAborted(promise: Promise<unknown>): Promise<void> {
    const { signal } = this.#options;
    if (signal === undefined) {
      await promise;
      return;
    }
    signal.throwIfAborted();
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const stopListening = whenAborted(signal, () => reject(signal.reason));
    try {
      await Promise.race([promise, aborted]);
    } finally {
      stopListening();
    }
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
