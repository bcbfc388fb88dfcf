/** Abort signals that tell who listens. */

/** A signal that counts who listens; whoever does must stop when done. */
export class Abort {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  #listeners = 0;

  /** A signal without listeners. */
  constructor() {
    const { signal } = this.#controller;
    this.signal = signal;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (
      ...args: Parameters<typeof signal.addEventListener>
    ) => {
      this.#listeners++;
      add(...args);
    };
    signal.removeEventListener = (
      ...args: Parameters<typeof signal.removeEventListener>
    ) => {
      this.#listeners--;
      remove(...args);
    };
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners;
  }

  /** Aborts. */
  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }
}
