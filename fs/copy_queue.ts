/**
 * The small files of a tree, on their way.
 *
 * @module
 */

import { Pump } from "./batch_pump.ts";
import { SmallCopies, type SmallCopy } from "./copy_small.ts";
import { SliceRing } from "./slice_ring.ts";

/** How many groups there are, so that all workers have one, if there are files enough. */
const GROUPS = 8;
/** How many files a group has at most. */
const MOST = 16;
/** How many completions to wait for at a time; those that are left keep the workers busy. */
const BATCH = 16;

/** Where files come from. */
export interface SmallSource {
  /** A file that may be copied, if there is one now. */
  next(): SmallCopy | undefined;
  /** The ring is of no use any more. */
  failed(error: unknown): void;
}

/**
 * Copies small files for as long as there are any: it asks for the next one when it has room.
 */
export class SmallQueue implements AsyncDisposable {
  readonly #ring: SliceRing;
  readonly #copies: SmallCopies;
  readonly #pump: Pump;

  /**
   * A queue that has not begun.
   *
   * @param concurrency how many files are under way at most.
   * @param backend of its ring.
   */
  constructor(concurrency: number, backend: string, source: SmallSource) {
    const size = Math.max(1, Math.min(MOST, Math.floor(concurrency / GROUPS)));
    const groups = Math.floor(concurrency / size);
    const slots = groups * size;
    this.#ring = new SliceRing(SmallCopies.ENTRIES * slots, backend, true);
    try {
      this.#ring.ring.files.register(new Array<number>(slots).fill(-1));
    } catch (error) {
      this.#ring.ring.close();
      throw error;
    }
    const copies = new SmallCopies(this.#ring, groups, size);
    this.#copies = copies;
    this.#pump = new Pump(this.#ring, {
      batch: BATCH,
      fill: () => copies.fill(source),
      complete: (cqe) => copies.complete(cqe),
      failed: (error) => {
        source.failed(error);
        copies.abandon();
      },
    });
  }

  /** How many files are under way. */
  get busy(): number {
    return this.#copies.busy;
  }

  /** There may be files. */
  wake(): void {
    this.#pump.wake();
  }

  /** Takes the ring down, when nothing is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pump.stop();
    await this.#ring.close();
    this.#copies[Symbol.dispose]();
  }
}
