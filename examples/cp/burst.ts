/**
 * Many small files at a time, in the shortest way there is: as `copyTree` of fs copies them.
 *
 * The event loop stands still meanwhile, for some milliseconds. Whatever is not as expected is
 * undone and left to the careful way, which finds out what to say.
 *
 * @module
 */

import { ENOENT } from "../../ffi/linux.ts";
import { readStatx, type Statx } from "../../ffi/structs/statx.ts";
import { SmallQueue, type SmallSource } from "../../fs/copy_queue.ts";
import type { SmallCopy } from "../../fs/copy_small.ts";

/** Copies small files, and looks files up, many at a time. */
export class Burst implements SmallSource, AsyncDisposable {
  readonly finishes: boolean;
  readonly #queue: SmallQueue;
  #files: readonly SmallCopy[] = [];
  #at = 0;

  /**
   * Makes a ring, and the memory for it.
   *
   * @param most how many files are in flight: each has one descriptor.
   * @param finishes whether copies get something beside data.
   */
  constructor(most: number, finishes: boolean) {
    this.finishes = finishes;
    this.#queue = new SmallQueue(most, undefined, this);
  }

  /**
   * Looks files up, symbolic links not followed. Null where there is nothing, undefined where
   * it cannot be told why not, or what.
   */
  lookUp(paths: readonly string[]): (Statx | null | undefined)[] {
    const looks = paths.map((path) => new Look(path));
    this.copy(looks);
    return looks.map(({ found }) => found);
  }

  /** Copies files, and tells each what became of it. */
  copy(files: readonly SmallCopy[]): void {
    this.#files = files;
    this.#at = 0;
    this.#queue.run();
  }

  next(): SmallCopy | undefined {
    return this.#files[this.#at++];
  }

  /** Whoever runs it learns it. */
  failed(): void {}

  /** Gives the ring and its memory back. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#queue[Symbol.asyncDispose]();
  }
}

/** A file that is looked at only. */
class Look implements SmallCopy {
  readonly follows = false;
  readonly size = -1;
  readonly mode = 0;
  readonly folder = "";
  readonly to = "";
  /** What is known of it. */
  found: Statx | null | undefined;

  constructor(readonly from: string) {}

  looked(stat: DataView, at: number): boolean {
    this.found = readStatx(stat, at);
    return false;
  }

  finish(): boolean {
    return false;
  }

  copied(): void {}

  refused(errno: number): void {
    if (errno === ENOENT) this.found = null;
  }
}
