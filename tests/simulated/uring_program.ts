/**
 * Random programs for a `Uring`: a few actors who submit ops, chains and streams, wait, abort and
 * close, each without regard for the others.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import { EBADFD } from "../../ffi/linux.ts";
import type { Op } from "../../ops/op.ts";
import { type SubmitOptions, Uring } from "../../proactor/mod.ts";
import type { UringOptions } from "../../proactor/mod.ts";
import { Abort } from "./abort.ts";
import { SimulatedKernel } from "./kernel.ts";
import { type SimulatedWake, Stuck, VirtualLoop } from "./loop.ts";
import { Random } from "./random.ts";
import type { SimulatedRing } from "./ring.ts";
import { drawStart } from "./ring_program.ts";
import type { Note } from "./seeds.ts";
import {
  type Asked,
  type ChainRecord,
  describe,
  Model,
  type OpRecord,
  type StreamRecord,
} from "./uring_model.ts";
import { drawWhims } from "./whims.ts";
import { type Kind, streamWork, work } from "./works.ts";

const RUNNING = [
  0,
  abi.IORING_SETUP_COOP_TASKRUN | abi.IORING_SETUP_TASKRUN_FLAG,
  abi.IORING_SETUP_COOP_TASKRUN,
  abi.IORING_SETUP_SINGLE_ISSUER | abi.IORING_SETUP_DEFER_TASKRUN |
  abi.IORING_SETUP_TASKRUN_FLAG,
  abi.IORING_SETUP_SINGLE_ISSUER | abi.IORING_SETUP_DEFER_TASKRUN,
  abi.IORING_SETUP_SQPOLL,
  abi.IORING_SETUP_IOPOLL,
];

const ENTRIES = [0, 0, 0, abi.IORING_SETUP_SQE128];

const COMPLETIONS = [
  0,
  0,
  0,
  abi.IORING_SETUP_CQE32,
  abi.IORING_SETUP_CQE_MIXED,
];

/** Of older kernels: none, that of 6.0 and that of 5.18. */
const UNKNOWN = [
  0,
  abi.IORING_SETUP_DEFER_TASKRUN,
  abi.IORING_SETUP_DEFER_TASKRUN | abi.IORING_SETUP_COOP_TASKRUN,
];

interface Stream extends StreamRecord {
  readonly iterator: AsyncIterableIterator<number> & AsyncDisposable;
  /** The latest call of `next()`, judged. */
  last: Promise<void>;
}

class UringProgram {
  readonly #random: Random;
  readonly #kernel: SimulatedKernel;
  readonly #loop: VirtualLoop;
  readonly #note: Note;
  readonly #uring: Uring;
  readonly #ring: SimulatedRing;
  readonly #model: Model;
  readonly #ops: OpRecord[] = [];
  readonly #chains: ChainRecord[] = [];
  readonly #streams: Stream[] = [];
  readonly #aborts: Abort[] = [];
  readonly #promises: Promise<unknown>[] = [];
  readonly #failures: unknown[] = [];
  #bell: SimulatedWake | undefined;
  #nextId = 1;
  #alive = true;

  constructor(kernel: SimulatedKernel, loop: VirtualLoop, note: Note) {
    this.#random = kernel.random;
    this.#kernel = kernel;
    this.#loop = loop;
    this.#note = note;
    const options = this.#options();
    const { flags, entries, cqEntries, spin, sleep } = options;
    this.#log(() => JSON.stringify({ flags, entries, cqEntries, spin, sleep }));
    this.#uring = new Uring(options);
    this.#ring = kernel.ringOf(this.#uring.ring.fd);
    this.#model = new Model(kernel, this.#ring);
    loop.onBlock = () => this.#checkBlocked();
  }

  #options(): UringOptions {
    const random = this.#random;
    const options: UringOptions = {
      entries: random.between(1, 12),
      backend: this.#kernel,
      spin: random.pick([0, 0, 40, 1000]),
      sleep: random.chance(0.8),
      wake: (ring, onRing) => this.#bell = this.#loop.wake(ring, onRing),
    };
    if (random.chance(0.7)) {
      options.cqEntries = (options.entries ?? 0) + random.below(6);
    }
    if (random.chance(0.7)) {
      options.flags = random.pick(RUNNING) | random.pick(ENTRIES) |
        random.pick(COMPLETIONS);
      if (random.chance(0.2)) options.flags |= abi.IORING_SETUP_NO_SQARRAY;
      if (random.chance(0.2)) options.flags |= abi.IORING_SETUP_SUBMIT_ALL;
    } else this.#kernel.unknownFlags = random.pick(UNKNOWN);
    return options;
  }

  // --- from the beginning to the end

  async run(): Promise<void> {
    try {
      await this.#loop.run(() => this.#main());
      this.#throwFailure();
      await this.#loop.settle();
    } catch (error) {
      this.#throwFailure();
      if (error instanceof Stuck) throw this.#stuck(error);
      throw error;
    }
    this.#checkEnd();
  }

  #throwFailure(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  #stuck(error: Stuck): Error {
    const pending = this.#ops.filter(({ outcome }) => outcome === undefined);
    const names = pending.map(({ kind, id }) => `${kind} ${id}`);
    const flying = [...this.#ring.requests.inFlight].map((request) =>
      `${request.high}:${request.low} ${request.state}`
    );
    return new Error(
      `${error.message} Pending: ${names.join(", ")}. In flight: ` +
        `${flying.join(", ")}. Stats: ${JSON.stringify(this.#uring.stats)}`,
      { cause: error },
    );
  }

  async #main(): Promise<void> {
    const random = this.#random;
    const actors = random.between(1, 3);
    await Promise.all(
      Array.from({ length: actors }, () => this.#act(random.between(3, 15))),
    );
    if (random.chance(0.5)) await this.#pass(random.pick([1, 20, 100]));
    if (random.chance(0.3)) {
      for (const abort of this.#aborts) {
        abort.abort(0);
      }
    }
    if (random.chance(0.3)) await this.#pass(5);
    await this.#close();
    await this.#emptyStreams();
    await Promise.all(this.#promises);
  }

  async #act(steps: number): Promise<void> {
    for (; steps > 0 && this.#failures.length === 0; steps--) {
      await this.#step();
      if (this.#random.chance(0.3)) await this.#pause();
    }
  }

  #step(): unknown {
    const action = this.#random.weighted({
      submit: 10,
      burst: 3,
      chain: 4,
      stream: 2,
      next: 6,
      leave: 1,
      abort: 3,
      wait: 4,
      reference: 0.5,
      close: 0.2,
      break: this.#ring.dead === undefined ? 0.05 : 0,
    });
    switch (action) {
      case "submit":
        return this.#submit();
      case "burst":
        return this.#burst();
      case "chain":
        return this.#chain();
      case "stream":
        return this.#stream();
      case "next":
        return this.#callNext();
      case "leave":
        return this.#leave();
      case "abort":
        return this.#abort();
      case "wait":
        return this.#wait();
      case "reference":
        return this.#reference();
      case "close":
        return void this.#close();
      case "break":
        return void (this.#ring.dead = EBADFD);
    }
  }

  // --- time

  #pass(milliseconds: number): Promise<void> {
    return this.#loop.pass(milliseconds);
  }

  async #pause(): Promise<void> {
    const random = this.#random;
    switch (random.below(4)) {
      case 0:
        return await this.#pass(random.pick([1, 3]));
      case 1:
        return await new Promise((resolve) => void setImmediate(resolve));
      default:
        for (let turns = random.below(5); turns > 0; turns--) await undefined;
    }
  }

  /** Waits for something that was begun, though not for ever. */
  async #wait(): Promise<void> {
    if (this.#promises.length === 0) return;
    const promise = this.#random.pick(this.#promises);
    await Promise.race([promise, this.#pass(this.#random.pick([1, 2, 10]))]);
  }

  // --- ops

  #asked(): Asked {
    const random = this.#random;
    let abort: Abort | undefined;
    if (random.chance(0.3)) {
      if (this.#aborts.length === 0 || random.chance(0.6)) {
        this.#aborts.push(new Abort());
      }
      abort = random.pick(this.#aborts);
    }
    const timed = random.chance(0.2);
    const timeout = timed ? random.pick([0, 0.05, 1, 5, 40]) : undefined;
    return { abort, timeout };
  }

  #kind(chained: boolean): Kind {
    return this.#random.weighted({
      accept: 6,
      // A chain does not wait for an op that takes another's place.
      again: chained ? 0 : 2,
      fsync: 3,
      read: 6,
      write: 4,
      send: 4,
      timer: 2,
      unencodable: 0.5,
      undecodable: 0.5,
    });
  }

  #make(
    asked: Asked,
    chained = false,
  ): { record: OpRecord; op: Op<number> } {
    const kind = this.#kind(chained);
    const id = this.#nextId++;
    const tally = { decoded: 0 };
    const length = kind === "timer"
      ? this.#random.pick([0, 0.02, 1, 30])
      : this.#random.between(1, 64);
    const op = work(kind, id, length, tally);
    const refused = this.#model.closing;
    const at = this.#kernel.now;
    const record = {
      ...asked,
      id,
      kind,
      tally,
      at,
      refused,
      outcome: undefined,
    };
    return { record, op };
  }

  #burst(): void {
    const { entries } = this.#uring.ring.sq;
    const most = this.#random.pick([4, 2 * entries, 6 * entries]);
    for (let count = this.#random.below(most); count > 0; count--) {
      this.#submit();
    }
  }

  #submit(): void {
    const random = this.#random;
    const asked = this.#asked();
    const { record, op } = this.#make(asked);
    const options: SubmitOptions = {};
    if (asked.abort !== undefined) options.signal = asked.abort.signal;
    if (asked.timeout !== undefined) options.timeout = asked.timeout;
    if (random.chance(0.1)) options.flags = abi.IOSQE_ASYNC;
    // Without SYNC_CANCEL nobody can cancel what a drain waits for.
    if (this.#kernel.syncCancel && random.chance(0.05)) {
      options.flags = abi.IOSQE_IO_DRAIN;
    }
    const plain = Object.keys(options).length === 0 && random.chance(0.9);
    this.#ops.push(record);
    this.#log(() => `submit ${record.kind} ${record.id} ${show(options)}`);
    const promise = this.#uring.submit(op, plain ? undefined : options);
    this.#watch(promise, (outcome) => {
      this.#log(() => `${record.kind} ${record.id} ${describe(outcome)}`);
      record.outcome = outcome;
      this.#model.judge(record, outcome);
    });
  }

  #chain(): void {
    const random = this.#random;
    const asked = this.#asked();
    const { entries } = this.#uring.ring.sq;
    const length = random.between(1, Math.min(entries, 5));
    const made = Array.from({ length }, () => this.#make(asked, true));
    const ops = made.map(({ record }) => record);
    const hard = random.chance(0.3);
    const { refused } = ops[0] as OpRecord;
    const record: ChainRecord = {
      ...asked,
      ops,
      hard,
      refused,
      outcome: undefined,
    };
    this.#chains.push(record);
    this.#log(() => `chain ${ops.map(({ id, kind }) => `${kind} ${id}`)}`);
    const promise = this.#uring.link(made.map(({ op }) => op), {
      hard,
      signal: asked.abort?.signal,
      timeout: asked.timeout,
    });
    this.#watch(promise, (outcome) => {
      this.#log(() => `chain ${ops.map(({ id }) => id)} ${describe(outcome)}`);
      record.outcome = outcome;
      for (const op of ops) op.outcome = outcome;
      this.#model.judgeChain(record, outcome);
    });
  }

  /** Notes what becomes of a promise; a verdict that is no good ends the program. */
  #watch<T>(
    promise: Promise<T>,
    judge: (outcome: PromiseSettledResult<T>) => void,
  ): Promise<void> {
    const judged = (outcome: PromiseSettledResult<T>) => {
      try {
        judge(outcome);
      } catch (error) {
        this.#failures.push(error);
      }
    };
    const watched = promise.then(
      (value) => judged({ status: "fulfilled", value }),
      (reason) => judged({ status: "rejected", reason }),
    );
    this.#promises.push(watched);
    return watched;
  }

  // --- streams

  #stream(): void {
    if (this.#model.closing || this.#ring.dead !== undefined) return;
    const random = this.#random;
    const { abort } = this.#asked();
    const id = this.#nextId++;
    const kind = random.pick(["accept", "poll", "receive", "ticks"] as const);
    const limit = random.pick([undefined, undefined, 1, 2, 5]);
    this.#log(() => `stream ${kind} ${id} limit ${limit}`);
    const iterator = this.#uring.stream(streamWork(kind, id), {
      limit,
      signal: abort?.signal,
    });
    this.#streams.push({
      id,
      kind,
      abort,
      iterator,
      last: Promise.resolve(),
      delivered: [],
      waiting: 0,
      told: false,
      left: false,
    });
  }

  #callNext(): void {
    if (this.#streams.length === 0) return;
    const stream = this.#random.pick(this.#streams);
    for (let count = this.#random.between(1, 3); count > 0; count--) {
      this.#next(stream);
    }
  }

  #next(stream: Stream): Promise<void> {
    stream.waiting++;
    this.#log(() => `next of ${stream.id}`);
    const promise = stream.iterator.next();
    promise.catch(() => {});
    // Judged in the order of the calls: an error takes a few turns to get its stack.
    const inOrder = stream.last.then(() => promise);
    return stream.last = this.#watch(inOrder, (outcome) => {
      stream.waiting--;
      this.#log(() => `next of ${stream.id} ${describe(outcome)}`);
      this.#model.judgeNext(stream, outcome);
    });
  }

  #leave(): void {
    if (this.#streams.length > 0) {
      this.#return(this.#random.pick(this.#streams));
    }
  }

  #return(stream: Stream): Promise<void> {
    stream.left = true;
    this.#log(() => `leave ${stream.id}`);
    const returned = stream.iterator.return?.() ?? Promise.reject();
    return this.#watch(returned, (outcome) => {
      // What nobody took cannot be closed on a ring that cannot be entered.
      if (this.#ring.dead !== undefined) return;
      assert(outcome.status === "fulfilled", `leaving: ${describe(outcome)}`);
      const requests = this.#model.requests(stream.id);
      assert(requests.every(({ done }) => done), "left, and not over");
    });
  }

  /** A consumer goes on to the end, and leaves. */
  async #emptyStreams(): Promise<void> {
    for (const stream of this.#streams) {
      while (!stream.told && this.#failures.length === 0) {
        await this.#next(stream);
      }
      await this.#return(stream);
    }
  }

  // --- the rest

  #abort(): void {
    if (this.#aborts.length === 0) return;
    const abort = this.#random.pick(this.#aborts);
    const reason = this.#random.pick([new Error("aborted"), "aborted"]);
    this.#log(() => "abort");
    abort.abort(reason);
  }

  #reference(): void {
    this.#alive = !this.#alive;
    if (this.#alive) this.#uring.ref();
    else this.#uring.unref();
  }

  async #close(): Promise<void> {
    this.#model.closing = true;
    this.#log(() => "close");
    const closing = this.#uring.close();
    assert(closing === this.#uring.close(), "closing twice is closing once");
    this.#promises.push(closing);
    await closing;
    this.#log(() => "closed");
    if (this.#ring.dead === undefined) {
      assert(this.#uring.ring.closed);
      assertEquals(this.#ring.requests.inFlight.size, 0, "closed too early");
    }
    await assertRejects(
      () => this.#uring.submit(work("accept", 0, 0, { decoded: 0 })),
      Error,
    );
  }

  #log(what: () => string): void {
    if (this.#note !== silent) this.#note(`    ${what()}`);
  }

  // --- what must hold

  /** The loop would block: nothing may be left lying for which nobody would ever wake it. */
  #checkBlocked(): void {
    if (this.#ring.dead !== undefined || this.#uring.ring.closed) return;
    const { stats, ring } = this.#uring;
    const { ready } = ring.sq;
    // That was a look at shared memory, and the kernel may just have rung.
    if (this.#bell?.pending) return;
    // What came for nobody may lie there until somebody waits for something.
    if (stats.inFlight > 0 && this.#ring.undelivered) {
      throw new Error("A wake-up was lost: completions wait to be taken.");
    }
    if (this.#ring.thread === "none" && ready > 0) {
      throw new Error("Submissions lie in the queue, and the loop sleeps.");
    }
    if (this.#ring.thread === "asleep" && this.#ring.queues.published > 0) {
      throw new Error("The thread sleeps, and was not told of submissions.");
    }
    if (!this.#loop.timed && stats.queued === 0 && ready === 0) {
      for (const stream of this.#streams) this.#checkAsked(stream);
    }
    const holds = this.#bell?.alive === true && !this.#bell.closed;
    if (stats.inFlight > 0 && this.#alive) {
      assert(holds, "ops are in flight, and the process would end");
    } else if (stats.inFlight === 0 || !this.#alive) {
      assert(!holds, "the process is kept alive for nothing");
    }
  }

  /** Who waits for a stream waits for the kernel: it must have been asked. */
  #checkAsked({ waiting, told, left, id }: Stream): void {
    if (waiting === 0 || told || left) return;
    const asked = this.#model.requests(id).some(({ done }) => !done);
    assert(asked, `stream ${id} waits, and the kernel was not asked`);
  }

  #checkEnd(): void {
    const { stats } = this.#uring;
    for (const { outcome, kind, id } of this.#ops) {
      assert(outcome !== undefined, `${kind} ${id} was never settled`);
    }
    for (const { outcome } of this.#chains) assert(outcome !== undefined);
    for (const { waiting, id } of this.#streams) {
      assertEquals(waiting, 0, `stream ${id} leaves somebody waiting`);
    }
    for (const { listeners } of this.#aborts) {
      assertEquals(listeners, 0, "somebody still listens to a signal");
    }
    assertEquals(this.#kernel.violations, []);
    assertEquals(stats.queued, 0);
    if (this.#ring.dead !== undefined) return;
    this.#model.judgeOrder(this.#ops);
    this.#model.judgeAccepted(this.#streams);
    assertEquals(stats.inFlight, 0);
    assertEquals(stats.submitted, stats.completed, "submitted and completed");
    assertEquals(stats.submitted, this.#model.taken, "submitted and taken");
    // The last ghosts came when nobody looked any more.
    assert(stats.strays <= this.#ring.ghosts, "strays");
    assert(stats.inline <= stats.completed, "inline");
    assert(stats.wakes <= stats.sleeps, "wakes and sleeps");
    assertEquals(this.#kernel.ledger.taken.size, 0, "blocks were leaked");
    assert(this.#bell === undefined || this.#bell.closed, "the bell is up");
  }
}

function show({ signal, timeout, flags }: SubmitOptions): string {
  return `${signal ? "signal " : ""}${timeout ?? ""} flags ${flags ?? 0}`;
}

const silent: Note = () => {};

/** Runs the program of a seed on a `Uring` with a kernel of its own. */
export async function runUringProgram(
  seed: number,
  note: Note = silent,
): Promise<void> {
  const random = new Random(seed);
  using kernel = new SimulatedKernel({
    random,
    whims: { ...drawWhims(random), split: 0 },
    stubborn: random.chance(0.2),
    syncCancel: random.chance(0.8),
    start: () => drawStart(random),
    ...(note === silent ? {} : { note }),
  });
  using loop = new VirtualLoop(kernel);
  await new UringProgram(kernel, loop, note).run();
}
