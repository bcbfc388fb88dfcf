/**
 * A clock that moves when told to: the part of `@std/testing/time` that this project's tests may
 * use, under the same names and with the same behaviour.
 *
 * @module
 */

/** Thrown when the fake clock is used wrongly. */
export class TimeError extends Error {
  /**
   * Makes the error.
   *
   * @param message what went wrong
   */
  constructor(message: string) {
    super(message);
    this.name = "TimeError";
  }
}

interface Timer {
  id: number;
  due: number;
  /** In milliseconds; undefined for a timer that fires once. */
  interval: number | undefined;
  fire: () => void;
}

/** The globals that the clock replaces, as they were. */
const real = {
  Date: globalThis.Date,
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
};
const realTimeout = AbortSignal.timeout;

let active: FakeTime | undefined;

/** `Date` with the fake clock's now; whatever names a moment goes to the real one. */
function fakeDate(now: () => number): DateConstructor {
  return new Proxy(real.Date, {
    construct: (target, args: unknown[], newTarget) =>
      Reflect.construct(target, args.length > 0 ? args : [now()], newTarget),
    apply: () => new real.Date(now()).toString(),
    get: (target, key, receiver) =>
      key === "now" ? now : Reflect.get(target, key, receiver),
  });
}

/**
 * Replaces `Date`, `setTimeout`, `setInterval`, their clear functions and `AbortSignal.timeout` by
 * fakes whose time stands still until it is moved. `restore`, or the end of a `using` block, brings
 * the real ones back.
 *
 * ```ts
 * import { FakeTime } from "@std/testing/time";
 * import { assertEquals } from "@std/assert";
 *
 * using time = new FakeTime();
 * let fired = false;
 * setTimeout(() => fired = true, 1000);
 * time.tick(1000);
 * assertEquals(fired, true);
 * ```
 */
export class FakeTime {
  /** The time, in milliseconds since 1970, at which the clock was started. */
  readonly start: number;
  #now: number;
  #timers: Timer[] = [];
  #lastId = 0;

  /**
   * Starts the fake clock.
   *
   * @param start the time that it shows first; by default the real one
   * @throws {TimeError} when another one runs
   * @throws {TypeError} when `start` is no valid time
   */
  constructor(start?: number | string | Date | null) {
    if (active !== undefined) throw new TimeError("time is already faked");
    this.start = new real.Date(start ?? real.Date.now()).getTime();
    if (Number.isNaN(this.start)) throw new TypeError("invalid start time");
    this.#now = this.start;
    const clear = (id?: number) => {
      this.#timers = this.#timers.filter((timer) => timer.id !== id);
    };
    Object.assign(globalThis, {
      Date: fakeDate(() => this.#now),
      setTimeout: this.#schedule.bind(this, false),
      setInterval: this.#schedule.bind(this, true),
      clearTimeout: clear,
      clearInterval: clear,
    });
    AbortSignal.timeout = (delay) => this.#signal(delay);
    active = this;
  }

  #signal(delay: number): AbortSignal {
    const controller = new AbortController();
    const reason = new DOMException("Signal timed out.", "TimeoutError");
    this.#schedule(false, () => controller.abort(reason), delay);
    return controller.signal;
  }

  #schedule(
    repeat: boolean,
    callback: (...args: unknown[]) => void,
    delay = 0,
    ...args: unknown[]
  ): number {
    if (typeof callback !== "function") {
      throw new TimeError("FakeTime calls functions only");
    }
    const wait = Math.max(repeat ? 1 : 0, Math.floor(delay));
    const id = ++this.#lastId;
    this.#timers.push({
      id,
      due: this.#now + wait,
      interval: repeat ? wait : undefined,
      fire: () => callback(...args),
    });
    return id;
  }

  /** The timer that is due first; of several the one that was set first. */
  #first(): Timer | undefined {
    return this.#timers.reduce<Timer | undefined>(
      (first, timer) => first && first.due <= timer.due ? first : timer,
      undefined,
    );
  }

  /** The time shown, in milliseconds since 1970. Setting it runs every timer that falls due. */
  get now(): number {
    return this.#now;
  }
  set now(value: number) {
    if (value < this.#now) throw new RangeError("time cannot go backwards");
    let timer = this.#first();
    while (timer && timer.due <= value) {
      this.#now = timer.due;
      this.#timers = this.#timers.filter((other) => other !== timer);
      if (timer.interval !== undefined) {
        this.#timers.push({ ...timer, due: timer.due + timer.interval });
      }
      timer.fire();
      timer = this.#first();
    }
    this.#now = value;
  }

  /**
   * Moves the time forward, and runs every timer that falls due.
   *
   * @param ms by how many milliseconds
   */
  tick(ms = 0): void {
    this.now += ms;
  }

  /**
   * Runs the pending microtasks, then does as `tick`.
   *
   * @param ms by how many milliseconds
   */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.tick(ms);
  }

  /**
   * Moves the time to the timer that is due first.
   *
   * @returns false when there was none
   */
  next(): boolean {
    const timer = this.#first();
    if (timer) this.now = timer.due;
    return timer !== undefined;
  }

  /**
   * Runs the pending microtasks, then does as `next`.
   *
   * @returns false when there was no timer
   */
  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  /** Moves the time forward until no timer is left, including those set meanwhile. */
  runAll(): void {
    while (this.next());
  }

  /** As `runAll`, with the pending microtasks run before each timer. */
  async runAllAsync(): Promise<void> {
    while (this.#timers.length > 0) await this.nextAsync();
  }

  /**
   * Waits in real time.
   *
   * @param ms how many milliseconds
   */
  delay(ms: number): Promise<void> {
    return new Promise((resolve) => real.setTimeout(() => resolve(), ms));
  }

  /** Runs the pending microtasks. */
  async runMicrotasks(): Promise<void> {
    await this.delay(0);
  }

  /**
   * Brings the real time back. Timers that are still set never fire.
   *
   * @throws {TimeError} when it is back already
   */
  restore(): void {
    if (active !== this) throw new TimeError("time already restored");
    active = undefined;
    Object.assign(globalThis, real);
    AbortSignal.timeout = realTimeout;
  }

  /** As `restore`. */
  [Symbol.dispose](): void {
    this.restore();
  }
}
