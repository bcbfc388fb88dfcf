/**
 * Lets a simulated kernel act between any two looks at shared memory.
 */

type Access = typeof Atomics.load;

const { load, store, wait } = Atomics;

/** The accesses themselves, for the kernel's own use: they give nobody a turn. */
export const quietly: { load: typeof load; store: typeof store } = {
  load,
  store,
};

/** A time that passes only when the simulation says so. */
export interface Clock {
  /** In milliseconds. */
  readonly now: number;
  /** Lets milliseconds pass. */
  pass(milliseconds: number): void;
}

/**
 * Replaces `Atomics.load` and `Atomics.store` until it is disposed of: before each access
 * `look` is called. What other threads and the kernel can do at any time happens there.
 * `performance.now` tells the clock's time, and `Atomics.wait` lets it pass instead of blocking.
 */
export function interpose(look: () => void, clock: Clock): Disposable {
  let busy = false;
  const turn = () => {
    if (busy) return;
    busy = true;
    try {
      look();
    } finally {
      busy = false;
    }
  };
  Atomics.load = ((words: Int32Array, index: number) => {
    turn();
    return load(words, index);
  }) as Access;
  Atomics.store = ((words: Int32Array, index: number, value: number) => {
    turn();
    return store(words, index, value);
  }) as typeof store;
  Atomics.wait = ((
    words: Int32Array,
    index: number,
    value: number,
    timeout?: number,
  ) => {
    if (load(words, index) !== value) return "not-equal";
    clock.pass(timeout ?? 0);
    return "timed-out";
  }) as typeof wait;
  Object.defineProperty(performance, "now", {
    configurable: true,
    value: () => clock.now,
  });
  return {
    [Symbol.dispose]() {
      Object.assign(Atomics, { load, store, wait });
      Reflect.deleteProperty(performance, "now");
    },
  };
}
