/** Abort signals that tell who listens. */

/** A signal to be aborted at random; whoever listens to it must stop when done. */
export class Abort {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #listeners = new Set<unknown>();

  /** A signal without listeners. */
  constructor() {
    const { signal } = this.#controller;
    this.signal = signal;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (
      ...args: Parameters<typeof signal.addEventListener>
    ) => {
      this.#listeners.add(args[1]);
      add(...args);
    };
    signal.removeEventListener = (
      ...args: Parameters<typeof signal.removeEventListener>
    ) => {
      this.#listeners.delete(args[1]);
      remove(...args);
    };
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Aborts: `{ once: true }` is what all of them asked for. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.#listeners.clear();
  }
}
