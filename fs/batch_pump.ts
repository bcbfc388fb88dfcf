/**
 * What keeps a ring going beside the event loop.
 *
 * @module
 */

import type { Cqe } from "../ring/cqe.ts";
import type { SliceRing } from "./slice_ring.ts";

/** How long to work without a turn of the event loop, in milliseconds. */
const SLICE = 4;

/** What is to be done with a ring. */
export interface PumpWork {
  /** How many completions to wait for at a time. */
  readonly batch: number;
  /** Queues what there is to do; false if the ring could take more. */
  fill(): boolean;
  /** Takes a completion. */
  complete(cqe: Cqe): void;
  /** The ring is of no use any more. Nothing else is done until this is. */
  failed(error: unknown): Promise<void>;
}

/** Works for as long as anything is in flight, with a turn of the event loop now and then. */
export class Pump {
  readonly #ring: SliceRing;
  readonly #work: PumpWork;
  readonly #visit = (cqe: Cqe): void => this.#work.complete(cqe);
  #running: Promise<void> | undefined;
  #lastTurn = 0;

  /** One for a ring. */
  constructor(ring: SliceRing, work: PumpWork) {
    this.#ring = ring;
    this.#work = work;
  }

  /** There may be something to do. */
  wake(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is in flight any more. */
  async stop(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const ring = this.#ring;
    const work = this.#work;
    // Whoever woke it up may have more to say.
    await undefined;
    this.#lastTurn = performance.now();
    try {
      for (;;) {
        const isFull = work.fill();
        const { inFlight } = ring;
        if (inFlight === 0) break;
        const came = ring.collect(Math.min(inFlight, work.batch), this.#visit);
        if (came === 0) await ring.sleep();
        const isOver = performance.now() - this.#lastTurn > SLICE;
        // Whoever has more to do waits for the event loop.
        if (isOver || !isFull) await this.#turn();
      }
    } catch (error) {
      await work.failed(error);
    }
    // Now, and not when somebody hears of it: what wakes it up meanwhile must not be lost.
    this.#running = undefined;
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#lastTurn = performance.now();
  }
}
