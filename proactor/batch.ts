/**
 * What waits for room in the queues.
 *
 * @module
 */

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

/** Taken out so many, the array is worth shortening. */
const MANY = 1024;

/** Batches in the order in which they came. */
export class BatchQueue {
  readonly #batches: Batch[] = [];
  #first = 0;

  /** How many wait. */
  get length(): number {
    return this.#batches.length - this.#first;
  }

  /** The first of them. */
  get first(): Batch | undefined {
    return this.#batches[this.#first];
  }

  /** Puts a batch at the end. */
  push(batch: Batch): void {
    this.#batches.push(batch);
  }

  /** Takes the first one out. */
  shift(): void {
    this.#first++;
    if (this.#first === this.#batches.length) {
      this.#batches.length = 0;
      this.#first = 0;
    } else if (this.#first > MANY) {
      this.#batches.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** Takes a batch out, wherever it is; false if it is not there. */
  withdraw(batch: Batch): boolean {
    const at = this.#batches.indexOf(batch, this.#first);
    if (at < 0) return false;
    this.#batches.splice(at, 1);
    return true;
  }

  /** Takes all of them out. */
  clear(): Batch[] {
    const batches = this.#batches.splice(this.#first);
    this.#batches.length = 0;
    this.#first = 0;
    return batches;
  }
}
