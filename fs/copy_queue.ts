/**
 * The small files of a tree, on their way.
 *
 * @module
 */

import { Pump } from "./batch_pump.ts";
import type { Cqe } from "../ring/cqe.ts";
import { SmallCopies, type SmallCopy } from "./copy_small.ts";
import { SliceRing } from "./slice_ring.ts";

/** How many groups there are, so that all workers have one, if there are files enough. */
const GROUPS = 8;
/** How many files a group has at most. */
const MOST = 16;
/** How many completions to wait for at a time; those that are left keep the workers busy. */
const BATCH = 16;
/** The same, where the event loop need not go on meanwhile. */
const ALONE = 32;

/** Where files come from. */
export interface SmallSource {
  /** Whether files get something beside data. */
  readonly finishes: boolean;
  /** A file that may be copied, if there is one now. */
  next(): SmallCopy | undefined;
  /** The ring is of no use any more. */
  failed(error: unknown): void;
}

/**
 * Copies small files for as long as there are any: it asks for the next one when it has room.
 */
export class SmallQueue implements AsyncDisposable {
  readonly #source: SmallSource;
  readonly #ring: SliceRing;
  readonly #copies: SmallCopies;
  readonly #pump: Pump;

  /**
   * A queue that has not begun.
   *
   * @param concurrency how many files are under way at most.
   * @param backend of its ring; default: as rings have it.
   */
  constructor(
    concurrency: number,
    backend: string | undefined,
    source: SmallSource,
  ) {
    this.#source = source;
    const size = Math.max(1, Math.min(MOST, Math.floor(concurrency / GROUPS)));
    const groups = Math.floor(concurrency / size);
    const slots = groups * size;
    // Half of them are submitted at a time: less memory that has to be locked.
    const entries = SmallCopies.ENTRIES * Math.max(size, slots / 2);
    this.#ring = new SliceRing(entries, backend, true);
    try {
      this.#ring.ring.files.register(new Array<number>(slots).fill(-1));
    } catch (error) {
      this.#ring.ring.close();
      throw error;
    }
    const { finishes } = source;
    const copies = new SmallCopies(this.#ring, groups, size, finishes);
    this.#copies = copies;
    this.#pump = new Pump(this.#ring, {
      batch: BATCH,
      fill: () => copies.fill(source),
      complete: (cqe) => copies.complete(cqe),
      failed: (error) => this.#failed(error),
    });
  }

  async #failed(error: unknown): Promise<void> {
    this.#source.failed(error);
    try {
      await this.#takeDown();
    } catch (another) {
      this.#source.failed(another);
    }
  }

  async #takeDown(): Promise<void> {
    const copies = this.#copies;
    try {
      await this.#ring.close((cqe) => copies.note(cqe));
    } finally {
      copies.abandon();
    }
  }

  /** How many files are under way. */
  get busy(): number {
    return this.#copies.busy;
  }

  /** There may be files. */
  wake(): void {
    this.#pump.wake();
  }

  /**
   * Copies what there is, and returns when nothing is under way any more: the event loop stands
   * still. For whoever never calls {@linkcode SmallQueue.wake}.
   *
   * @throws {SystemError} if the ring fails. It is of no use then.
   */
  run(): void {
    const ring = this.#ring;
    const copies = this.#copies;
    const visit = (cqe: Cqe) => copies.complete(cqe);
    for (;;) {
      copies.fill(this.#source);
      const { inFlight } = ring;
      if (inFlight === 0) return;
      ring.waitFor(Math.min(inFlight, ALONE), visit);
    }
  }

  /** Takes the ring down when it is done. What {@linkcode SmallQueue.run} left is given back. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pump.stop();
    await this.#takeDown();
    this.#copies[Symbol.dispose]();
  }
}
