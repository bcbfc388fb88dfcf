/**
 * Where a batch gets its paths from.
 *
 * @module
 */

/** Paths as a batch takes them. */
export type PathSource =
  | Iterable<string | URL>
  | AsyncIterable<string | URL>;

/** Paths that are taken one by one, without waiting where there are some. */
export interface Supply {
  /** The next path; undefined if there is none now, or no more at all. */
  take(): string | URL | undefined;
  /** Whether there will be no more: the source is at its end, or has failed. */
  readonly ended: boolean;
  /** Resolves when there is a path to take, or there will be no more; rejects if the source has. */
  arrival(): Promise<void>;
  /** Tells the source that no more is wanted. */
  close(): Promise<void>;
}

/** A supply of paths. */
export function supply(what: string, paths: PathSource): Supply {
  const source = paths as
    | Partial<
      & Iterable<string | URL>
      & AsyncIterable<string | URL>
    >
    | null;
  if (typeof source?.[Symbol.asyncIterator] === "function") {
    return new Arriving(paths as AsyncIterable<string | URL>);
  }
  // A string is iterable too, and never what was meant.
  if (
    typeof source !== "string" &&
    typeof source?.[Symbol.iterator] === "function"
  ) return new Present(paths as Iterable<string | URL>);
  throw new TypeError(
    `${what}: paths must be an iterable or an async iterable of paths.`,
  );
}

/** Of an iterable: they are all there. */
class Present implements Supply {
  ended = false;
  readonly #iterator: Iterator<string | URL>;

  constructor(paths: Iterable<string | URL>) {
    this.#iterator = paths[Symbol.iterator]();
  }

  take(): string | URL | undefined {
    if (this.ended) return undefined;
    const { done, value } = this.#iterator.next();
    if (done !== true) return value;
    this.ended = true;
    return undefined;
  }

  arrival(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (!this.ended) this.#iterator.return?.();
    this.ended = true;
    return Promise.resolve();
  }
}

/** Of an async iterable: one is asked for in advance. */
class Arriving implements Supply {
  ended = false;
  readonly #iterator: AsyncIterator<string | URL>;
  #next: string | URL | undefined;
  #arriving: Promise<void> | undefined;
  #failure: { error: unknown } | undefined;

  constructor(paths: AsyncIterable<string | URL>) {
    this.#iterator = paths[Symbol.asyncIterator]();
  }

  take(): string | URL | undefined {
    const path = this.#next;
    this.#next = undefined;
    // The next is on its way while this one is worked at.
    if (!this.ended) this.#ask();
    return path;
  }

  #ask(): Promise<void> {
    return this.#arriving ??= this.#iterator.next().then(
      ({ done, value }) => {
        this.#arriving = undefined;
        if (done === true) this.ended = true;
        else this.#next = value;
      },
      (error) => {
        this.#arriving = undefined;
        this.#failure = { error };
        this.ended = true;
      },
    );
  }

  async arrival(): Promise<void> {
    if (this.#next === undefined && !this.ended) await this.#ask();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async close(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await this.#iterator.return?.();
  }
}

/** How many turns of the microtask queue an async generator takes to give what it has. */
const TURNS = 6;

/** Whether a promise resolves without the event loop; rejects if it does within that. */
export async function soon(promise: Promise<void>): Promise<boolean> {
  let done = false;
  const note = promise.then(() => {
    done = true;
  });
  for (let turn = 0; turn < TURNS && !done; turn++) await undefined;
  if (done) await note;
  // Whoever waits for it next hears of its failure.
  else note.catch(() => {});
  return done;
}
