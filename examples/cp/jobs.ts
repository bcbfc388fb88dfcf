/**
 * Files in flight.
 *
 * @module
 */

/** Runs jobs side by side, so many at a time, in the order in which they came. */
export class Jobs {
  readonly #most: number;
  readonly #waiting: (() => Promise<void>)[] = [];
  #running = 0;
  #failure: { error: unknown } | undefined;
  #whenLess: PromiseWithResolvers<void> | undefined;

  /** Runs so many at a time. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Whether nothing runs or waits. */
  get idle(): boolean {
    return this.#running === 0 && this.#waiting.length === 0;
  }

  /** Starts a job as soon as there is room. */
  add(job: () => Promise<void>): void {
    this.#waiting.push(job);
    this.#next();
  }

  /**
   * Waits until so few wait that more may come: whoever makes jobs is ahead of them, but not by
   * a million.
   *
   * @throws whatever the first job threw that failed: nothing is started after it.
   */
  async room(): Promise<void> {
    await this.#until(() => this.#waiting.length < 2 * this.#most);
  }

  /**
   * Waits until all are done.
   *
   * @throws whatever the first job threw that failed: nothing is started after it.
   */
  async drain(): Promise<void> {
    await this.#until(() => this.idle);
  }

  /** Waits until all are done, or not even started because one before them failed. */
  async settled(): Promise<void> {
    while (!this.idle) await this.#less();
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached()) await this.#less();
    if (this.#failure === undefined) return;
    await this.settled();
    throw this.#failure.error;
  }

  async #less(): Promise<void> {
    this.#whenLess ??= Promise.withResolvers();
    await this.#whenLess.promise;
  }

  #next(): void {
    while (this.#running < this.#most && this.#waiting.length > 0) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      this.#running++;
      void this.#run(job);
    }
  }

  async #run(job: () => Promise<void>): Promise<void> {
    try {
      if (this.#failure === undefined) await job();
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#running--;
    this.#next();
    this.#whenLess?.resolve();
    this.#whenLess = undefined;
  }
}
