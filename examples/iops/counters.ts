/**
 * What a thread has done so far, in memory that the main thread looks at while it goes on.
 *
 * @module
 */

import { BUCKETS } from "./histogram.ts";

// Words.
const CONTROL = 0;
const STATE = 1;
const WORDS = 2;

// Numbers.
const IOS = 0;
const BYTES = 1;
const ENTERS = 2;
const IN_FLIGHT = 3;
const HITS = 4;
const MISSES = 5;
const NUMBERS = 6;

/** What a thread is told to do. */
const PAUSE = 0;
const RUN = 1;
const QUIT = 2;

const NUMBERS_AT = WORDS * 4;
const BUCKETS_AT = NUMBERS_AT + NUMBERS * 8;

/** The figures of a thread, or of several, at one time. */
export interface Figures {
  /** I/Os done. */
  ios: number;
  /** Bytes moved. */
  bytes: number;
  /** Calls of io_uring_enter(2). */
  enters: number;
  /** I/Os that the kernel has at this time. */
  inFlight: number;
  /** Buffered reads that the page cache had. */
  hits: number;
  /** Buffered reads that it had not, or not all of. */
  misses: number;
  /** How many I/Os took how long, see `bucketOf`. */
  latencies: Float64Array;
}

/** No figures yet. */
export function noFigures(): Figures {
  const latencies = new Float64Array(BUCKETS);
  return {
    ios: 0,
    bytes: 0,
    enters: 0,
    inFlight: 0,
    hits: 0,
    misses: 0,
    latencies,
  };
}

/**
 * The counters of one thread. Only that thread writes them, with plain stores, which cost
 * nothing: whoever looks sees each as it was a moment ago, the last round perhaps missing.
 */
export class Counters {
  /** The memory, to be sent to the thread. */
  declare readonly buffer: SharedArrayBuffer;
  declare private readonly words: Int32Array<SharedArrayBuffer>;
  declare private readonly numbers: Float64Array<SharedArrayBuffer>;
  declare private readonly buckets: Uint32Array<SharedArrayBuffer>;

  /** Counters over memory of their own, or over another thread's. */
  constructor(
    buffer: SharedArrayBuffer = new SharedArrayBuffer(
      BUCKETS_AT + BUCKETS * 4,
    ),
  ) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, WORDS);
    this.numbers = new Float64Array(buffer, NUMBERS_AT, NUMBERS);
    this.buckets = new Uint32Array(buffer, BUCKETS_AT, BUCKETS);
  }

  // --- the thread that does I/O

  /** Whether it is to go on. */
  get running(): boolean {
    return Atomics.load(this.words, CONTROL) === RUN;
  }

  /** Says that it does nothing. */
  rest(): void {
    Atomics.store(this.words, STATE, PAUSE);
  }

  /** {@linkcode rest}, and sleeps until it is to go on; false if it is to end. */
  waitForTurn(): boolean {
    for (;;) {
      const control = Atomics.load(this.words, CONTROL);
      if (control !== PAUSE) return control === RUN;
      // Each time: it may have been told to go on and to pause before it woke.
      this.rest();
      Atomics.wait(this.words, CONTROL, PAUSE);
    }
  }

  /** Says that there is nothing left to do. */
  finish(): void {
    Atomics.compareExchange(this.words, CONTROL, RUN, PAUSE);
  }

  /** Counts I/Os. */
  add(ios: number, bytes: number): void {
    const numbers = this.numbers;
    numbers[IOS] = (numbers[IOS] as number) + ios;
    numbers[BYTES] = (numbers[BYTES] as number) + bytes;
  }

  /** Notes how the ring stands. */
  note(enters: number, inFlight: number): void {
    this.numbers[ENTERS] = enters;
    this.numbers[IN_FLIGHT] = inFlight;
  }

  /** Counts what the page cache had, and what it had not. */
  addHits(hits: number, misses: number): void {
    const numbers = this.numbers;
    numbers[HITS] = (numbers[HITS] as number) + hits;
    numbers[MISSES] = (numbers[MISSES] as number) + misses;
  }

  /** Counts a latency. */
  record(bucket: number): void {
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
  }

  // --- the thread that looks

  /** Has the thread go on. */
  resume(): void {
    Atomics.store(this.words, STATE, RUN);
    this.#tell(RUN);
  }

  /** Has the thread finish what is in flight, then stop. */
  pause(): void {
    this.#tell(PAUSE);
  }

  /** Whether the thread does nothing. */
  get paused(): boolean {
    return Atomics.load(this.words, STATE) === PAUSE;
  }

  /** Has a thread that is paused end. */
  quit(): void {
    this.#tell(QUIT);
  }

  #tell(what: number): void {
    Atomics.store(this.words, CONTROL, what);
    Atomics.notify(this.words, CONTROL);
  }

  /** Adds what the thread has done so far to other figures. */
  addTo(figures: Figures): void {
    const number = (at: number) => this.numbers[at] as number;
    figures.ios += number(IOS);
    figures.bytes += number(BYTES);
    figures.enters += number(ENTERS);
    figures.inFlight += number(IN_FLIGHT);
    figures.hits += number(HITS);
    figures.misses += number(MISSES);
    this.buckets.forEach((count, at) => {
      figures.latencies[at] = (figures.latencies[at] as number) + count;
    });
  }
}
