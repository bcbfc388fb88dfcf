/**
 * io_uring as promises.
 *
 * @module
 */

import {
  IORING_OP_CLOSE,
  IORING_OP_MSG_RING,
  IORING_SETUP_IOPOLL,
  IOSQE_IO_LINK,
} from "../ffi/abi.ts";
import { show } from "../ffi/check.ts";
import { Op } from "../ops/op.ts";
import { linkTimeout } from "../ops/timeout.ts";
import { prepMsgRing } from "../ops/ring.ts";
import type { Ring } from "../ring/ring.ts";
import { Chain, type LinkOptions, type Results } from "./chain.ts";
import type { Batch } from "./batch.ts";
import { Engine, MESSAGE } from "./engine.ts";
import { CLOSED, closedError, failWith, TimeoutError } from "./errors.ts";
import {
  checkLink,
  checkStream,
  checkSubmit,
  settle,
  type SubmitOptions,
  type UringOptions,
} from "./options.ts";
import { whenAborted } from "./signal.ts";
import { type Extra, plainExtra, type Settle, type Slot } from "./slots.ts";
import { after, beginsInWorker } from "./timer.ts";
import { MultishotStream, type StreamOptions } from "./stream.ts";

/** What a {@linkcode Uring} has done so far, and what it is doing. */
export interface UringStats {
  /** Ops handed to the kernel; a timeout that is linked behind one is another. */
  readonly submitted: number;
  /** Ops whose last completion came. */
  readonly completed: number;
  /** Of those, the ones that were done when the system call that submitted them returned. */
  readonly inline: number;
  /** Entries that are with the kernel now, those for timeouts and cancellations included. */
  readonly inFlight: number;
  /** Ops and chains that wait for room. */
  readonly queued: number;
  /** Calls of io_uring_enter(2). */
  readonly enters: number;
  /** How often it went to sleep. */
  readonly sleeps: number;
  /** How often the kernel woke it. */
  readonly wakes: number;
  /** How often completions had overflowed their queue; none is lost by that. */
  readonly overflows: number;
  /** How often a multishot was submitted again. */
  readonly rearms: number;
  /** Completions that belonged to nobody. */
  readonly strays: number;
}

/** The engine of a `Uring`, for the other files of this folder. */
export let engineOf: (uring: Uring) => Engine;

/** What runs after it runs in a microtask. */
const READY: Promise<void> = Promise.resolve();

function same<T>(value: T): T {
  return value;
}

/**
 * A ring in Deno's event loop: runs any {@linkcode Op} as a promise.
 *
 * What is submitted in one turn goes to the kernel in one system call, at the turn's end; what is
 * done by then settles at once. For the rest it looks a few times without a system call, then it
 * sleeps, without a thread: the kernel rings.
 *
 * Nothing is lost. Memory that the kernel was given stays alive until its last completion, a
 * cancelled op settles when the kernel says so, more ops than the ring holds wait their turn. It
 * holds `cqEntries` of them, 4096: a server with more clients, each of them listened to, asks for more.
 * Ops in flight keep the process alive, see {@linkcode unref}. One `Uring` for each thread: in a
 * Worker, make another, and close it before the Worker is terminated: that frees memory which
 * the kernel may still write to.
 *
 * @example
 * ```ts
 * import { Uring } from "@uring/uring";
 * import { close, openat, read } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * await using uring = new Uring();
 * const fd = await uring.submit(openat("/proc/version", 0)); // O_RDONLY
 * const buffer = new Uint8Array(4096);
 * const count = await uring.submit(read(fd, buffer));
 * await uring.submit(close(fd));
 * assert(new TextDecoder().decode(buffer.subarray(0, count)).startsWith("Linux"));
 * ```
 */
export class Uring implements AsyncDisposable {
  /**
   * The ring underneath: for registrations. Its queues belong to this `Uring`: completions that others
   * cause there, by tags of what is registered or by messages to no listener, are strays.
   */
  declare readonly ring: Ring;
  // Constants to V8, unlike #fields, see ring/submission_queue.ts.
  declare private readonly engine: Engine;
  readonly #streams = new Set<MultishotStream<unknown>>();
  #closing: Promise<void> | undefined;

  static {
    engineOf = (uring) => uring.engine;
  }

  /**
   * Makes a ring, with the best way of running that this kernel knows: SINGLE_ISSUER and
   * DEFER_TASKRUN (Linux 6.1), COOP_TASKRUN (5.19), or none.
   *
   * @throws {TypeError | RangeError} for options that no ring can have.
   * @throws {SystemError} if the kernel refuses, see {@linkcode Ring}.
   */
  constructor(options: UringOptions = {}) {
    const settings = settle(options);
    this.ring = settings.ring;
    this.engine = new Engine(settings);
    this.engine.resubmit = (op, extra) =>
      this.#closing === undefined
        ? this.submit(op, extra?.options)
        : failWith(() => closedError(op));
  }

  /**
   * Runs an op.
   *
   * @param op a value made by a builder of `@uring/uring/ops`; not a multishot.
   * @param options `signal` cancels it: the promise then rejects with the signal's reason, unless
   * the op had happened. `timeout`, in milliseconds, has the kernel cancel it: {@linkcode
   * TimeoutError}. `flags`: more `IOSQE_*`.
   * @returns what the op gives. Rejects with the op's error, of Deno's class where Deno has one,
   * with `code`, `errno`, `op` and `path`; with a TypeError or RangeError for what is no op, no
   * such option, or a closed `Uring`.
   *
   * @example
   * ```ts
   * import { TimeoutError, Uring } from "@uring/uring";
   * import { closeDescriptor, eventfd } from "@uring/uring/ffi";
   * import { read } from "@uring/uring/ops";
   * import { assertRejects } from "@std/assert";
   *
   * await using uring = new Uring();
   * const counter = eventfd(true); // nobody counts, so nothing is to be read
   * await assertRejects(
   *   () => uring.submit(read(counter, new Uint8Array(8)), { timeout: 5 }),
   *   TimeoutError,
   *   "not done after 5 ms",
   * );
   * closeDescriptor(counter);
   * ```
   */
  submit<T>(op: Op<T>, options?: SubmitOptions): Promise<T> {
    // One test for the usual; what exactly stands against an op is asked only if something does.
    // Compared with booleans, as V8 asks of everything else that could be there what it is worth.
    if (
      !(op instanceof Op) || op.multishot !== false ||
      this.engine.accepting !== true
    ) {
      return Promise.reject(this.#refusal(op, false));
    }
    if (options === undefined) {
      const slot = this.engine.tryLaunch(op);
      // Half the cost of a promise with functions that settle it: most ops are done by then.
      if (slot !== null) return READY.then(slot.collect) as Promise<T>;
    }
    return this.#promise(op, options);
  }

  // Not within submit, which would allocate the closure's context for every op.
  #promise<T>(op: Op<T>, options: SubmitOptions | undefined): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      const settle = resolve as Settle;
      if (
        options !== undefined ||
        !this.engine.tryLaunchPolled(op, settle, reject)
      ) this.#submitSlowly(op, options, settle, reject);
    });
    // What is collected settles a microtask late: so does this, or it would overtake.
    return this.engine.polled ? promise : promise.then(same);
  }

  /** What stands against an op; undefined if nothing does. */
  #refusal(op: Op<unknown>, multishot: boolean): unknown {
    if (!(op instanceof Op)) {
      return new TypeError(
        `Uring: op must be an Op, made by a builder; got ${show(op)}.`,
      );
    }
    if (this.#closing !== undefined) {
      return new TypeError(`Uring: ${op.name}: the Uring is closed.`);
    }
    if (op.multishot !== multishot) {
      return new TypeError(
        multishot
          ? `Uring.stream: ${op.name} is no multishot: it has one result. Use submit().`
          : `Uring.submit: ${op.name} is a multishot, with many results. Use stream().`,
      );
    }
    return this.engine.broken;
  }

  #submitSlowly(
    op: Op<unknown>,
    options: SubmitOptions = {},
    resolve: Settle,
    reject: Settle,
  ): void {
    try {
      checkSubmit(options);
    } catch (error) {
      reject(error);
      return;
    }
    const { signal } = options;
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    new Submission(this.engine, op, options, resolve, reject).start();
  }

  /**
   * Runs ops one after the other, each only if the one before succeeded (`IOSQE_IO_LINK`), in
   * one submission. A transfer that is shorter than asked breaks the chain too.
   *
   * @returns the results, in order. Rejects with the error of the first op that failed, which
   * also carries its `position` and the `results` of all, those after it ECANCELED.
   *
   * @example
   * ```ts
   * import { Uring } from "@uring/uring";
   * import { fsync, write } from "@uring/uring/ops";
   * import { assertEquals } from "@std/assert";
   * import { closeSync, openSync } from "node:fs";
   *
   * await using uring = new Uring();
   * const path = await Deno.makeTempFile();
   * const fd = openSync(path, "w");
   * const bytes = new TextEncoder().encode("safe\n");
   * const [written] = await uring.chain(write(fd, bytes), fsync(fd));
   * assertEquals(written, 5);
   * closeSync(fd);
   * await Deno.remove(path);
   * ```
   */
  chain<T extends Op<unknown>[]>(...ops: T): Promise<Results<T>> {
    return this.link<T>(ops);
  }

  /**
   * {@linkcode chain} with options: hard links, a signal, a time for the whole of it.
   *
   * @throws {RangeError} (as a rejection) for more ops than the submission queue holds.
   *
   * @example
   * ```ts
   * import { type ChainError, Uring } from "@uring/uring";
   * import { nop, openat } from "@uring/uring/ops";
   * import { assertEquals } from "@std/assert";
   *
   * await using uring = new Uring();
   * try {
   *   await uring.link([nop(), openat("/nope", 0), nop()], { hard: true });
   * } catch (error) {
   *   const { position, results } = error as ChainError;
   *   assertEquals(position, 1);
   *   const outcomes = results.map(({ status }) => status);
   *   assertEquals(outcomes, ["fulfilled", "rejected", "fulfilled"]);
   * }
   * ```
   */
  async link<T extends Op<unknown>[]>(
    ops: T,
    options: LinkOptions = {},
  ): Promise<Results<T>> {
    if (!Array.isArray(ops)) {
      throw new TypeError(
        `Uring.link: ops must be an array; got ${show(ops)}.`,
      );
    }
    for (const op of ops) {
      const refused = this.#refusal(op, false);
      if (refused !== undefined) throw refused;
      if (op.retries) {
        throw new TypeError(
          `Uring.link: ${op.name} may be sent again by itself ({ cached: "report" }), which a ` +
            'chain does not wait for. { cached: "only" } breaks the chain at a miss.',
        );
      }
    }
    checkLink(options);
    if (ops.length === 0) return [] as unknown as Results<T>;
    if (ops.length > this.ring.sq.entries) {
      throw new RangeError(
        `Uring.chain: ${ops.length} ops, but the submission queue holds ` +
          `${this.ring.sq.entries}, and a chain goes in one submission. Make the Uring with ` +
          "more entries.",
      );
    }
    const chain = new Chain(this.engine, ops, options);
    return await chain.run() as Results<T>;
  }

  /**
   * Runs a multishot op: one submission, many results.
   *
   * The kernel is asked at the first `next()`, and again whenever it drops the multishot: for
   * want of room, or of buffers. Leaving the loop cancels it, and undoes what nobody took:
   * accepted sockets are closed.
   *
   * @example
   * ```ts
   * import { Uring } from "@uring/uring";
   * import { timeoutMultishot, opcodes } from "@uring/uring/ops";
   * import { assertEquals } from "@std/assert";
   *
   * await using uring = new Uring();
   * let ticks = 0;
   * if (opcodes.readMultishot.supported()) { // since Linux 6.4; the probe tells of 6.7
   *   for await (const _ of uring.stream(timeoutMultishot(1, { count: 3 }))) ticks++;
   *   assertEquals(ticks, 3);
   * }
   * ```
   *
   * @example An echo server: connections, and what comes on each, are streams
   * ```ts
   * import { BufferRing, ops, Uring } from "@uring/uring";
   * import { AF_UNIX, MSG_WAITALL, SOCK_CLOEXEC, SOCK_STREAM } from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * await using uring = new Uring();
   * if (ops.opcodes.bind.supported()) { // Linux 6.11
   *   using buffers = new BufferRing(uring, { entries: 64, bufferSize: 4096 });
   *   const socket = () => uring.submit(ops.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC));
   *   const address = { path: `\0uring-echo-${Deno.pid}` }; // or { hostname, port }, of AF_INET
   *   const listener = await socket();
   *   await uring.submit(ops.bind(listener, address));
   *   await uring.submit(ops.listen(listener));
   *
   *   const echo = async (fd: number) => {
   *     for await (using lease of uring.stream(buffers.receive(fd))) {
   *       await uring.submit(ops.send(fd, lease.bytes, { flags: MSG_WAITALL }));
   *     }
   *     await uring.submit(ops.close(fd)); // the other end has shut down
   *   };
   *   const serve = async () => {
   *     const accept = ops.acceptMultishot(listener, { flags: SOCK_CLOEXEC });
   *     for await (const fd of uring.stream(accept)) return await echo(fd); // a server goes on
   *   };
   *
   *   const served = serve();
   *   const client = await socket();
   *   await uring.submit(ops.connect(client, address));
   *   await uring.submit(ops.send(client, new TextEncoder().encode("hello")));
   *   const answer = new Uint8Array(5);
   *   await uring.submit(ops.recv(client, answer, { flags: MSG_WAITALL }));
   *   assertEquals(new TextDecoder().decode(answer), "hello");
   *   await uring.submit(ops.close(client));
   *   await served;
   *   await uring.submit(ops.close(listener));
   * }
   * ```
   */
  stream<T>(
    op: Op<T>,
    options: StreamOptions = {},
  ): AsyncIterableIterator<T> & AsyncDisposable {
    const refused = this.#refusal(op, true);
    if (refused !== undefined) throw refused;
    checkStream(options);
    return new MultishotStream<T>(this.engine, op, options, this.#streams);
  }

  /**
   * Sends a message to another ring, of this thread or of another (`IORING_OP_MSG_RING`, Linux
   * 5.18): whoever listens there gets it, with `onMessage = (value, data) => ...`. A `Uring` that
   * listens keeps the process alive, unless {@linkcode unref} was called.
   *
   * @param target the descriptor of the other ring: `uring.ring.fd`, sent by `postMessage`.
   * @param value a signed 32-bit integer.
   * @param data an unsigned 32-bit integer.
   *
   * @example
   * ```ts
   * import { Uring } from "@uring/uring";
   * import { opcodes } from "@uring/uring/ops";
   * import { assertEquals } from "@std/assert";
   *
   * if (opcodes.msgRing.supported()) {
   *   await using here = new Uring();
   *   await using there = new Uring(); // in a Worker, usually
   *   const message = new Promise((resolve) => {
   *     there.onMessage = (value, data) => resolve([value, data]);
   *   });
   *   await here.post(there.ring.fd, -1, 7);
   *   assertEquals(await message, [-1, 7]);
   * }
   * ```
   */
  post(target: number, value: number, data = 0): Promise<void> {
    let op: Op<void>;
    try {
      op = message(target, value, data);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.submit(op);
  }

  /**
   * Called for each message of another ring, see {@linkcode post}. A `Uring` that listens keeps
   * the process alive, unless {@linkcode unref} was called. Undefined: messages are dropped.
   */
  get onMessage(): ((value: number, data: number) => void) | undefined {
    return this.engine.onMessage;
  }
  set onMessage(listener: ((value: number, data: number) => void) | undefined) {
    if (listener !== undefined && typeof listener !== "function") {
      throw new TypeError(
        `Uring.onMessage must be a function or undefined; got ${
          show(listener)
        }.`,
      );
    }
    if (this.#closing === undefined) this.engine.listen(listener);
  }

  /** What was done so far, and what is going on. */
  get stats(): UringStats {
    const { counters, inFlight, queued } = this.engine;
    const {
      submitted,
      completed,
      inline,
      sleeps,
      wakes,
      overflows,
      rearms,
      strays,
    } = counters;
    return {
      submitted,
      completed,
      inline,
      inFlight,
      queued,
      enters: this.ring.enters,
      sleeps,
      wakes,
      overflows,
      rearms,
      strays,
    };
  }

  /** Ops in flight keep the process alive: how it is at first. */
  ref(): void {
    this.engine.keepAlive(true);
  }

  /** Ops in flight do not keep the process alive. */
  unref(): void {
    this.engine.keepAlive(false);
  }

  /**
   * Refuses new ops, ends streams, cancels what waits and what is in flight, and when the last
   * completion has come unmaps the ring. Safe to call twice: both calls wait for the same end.
   */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    // Before it begins: to cancel one op may complete another, which is refused from now on.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closing = promise;
    resolve(this.#close());
    return promise;
  }

  async #close(): Promise<void> {
    const engine = this.engine;
    engine.accepting = false;
    engine.listen(undefined);
    engine.abandonQueued();
    for (const stream of [...this.#streams]) stream.close();
    const cancelled = new Set<number>();
    const idle = () => engine.inFlight === 0 && engine.queued === 0;
    // It may break only now.
    while (engine.broken === undefined && !idle()) {
      this.#cancelAll(cancelled);
      await engine.nextIdle();
    }
    if (engine.broken === undefined) engine.close();
    // A ring that cannot be entered is left to the kernel, with the memory that it may still use.
  }

  #cancelAll(cancelled: Set<number>): void {
    for (const slot of [...this.engine.slots()]) {
      if (slot.op === null || cancelled.has(slot.tag)) continue;
      // Not what gives descriptors back; it waits for nothing.
      if (slot.op.opcode === IORING_OP_CLOSE) continue;
      cancelled.add(slot.tag);
      const extra = slot.extra ??= plainExtra();
      if (!extra.cancelled) extra.reason = CLOSED;
      extra.cancelled = true;
      this.engine.cancel(slot.tag);
    }
  }

  /** {@linkcode close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** An op with options on its way: in the queue, then in the kernel. */
class Submission implements Batch {
  readonly size: number;
  /** Whether a timeout is linked behind it: a ring that polls for completions takes none. */
  readonly #linked: boolean;
  readonly #engine: Engine;
  readonly #op: Op<unknown>;
  readonly #options: SubmitOptions;
  readonly #resolve: Settle;
  readonly #reject: Settle;
  readonly #extra: Extra = plainExtra();
  #slot: Slot | null = null;
  /** Whether it is in the queue, or on its way there. */
  #queued = true;
  #stopListening: (() => void) | undefined;
  #stopTimer: (() => void) | undefined;

  constructor(
    engine: Engine,
    op: Op<unknown>,
    options: SubmitOptions,
    resolve: Settle,
    reject: Settle,
  ) {
    this.#linked = options.timeout !== undefined &&
      (engine.ring.flags & IORING_SETUP_IOPOLL) === 0;
    this.size = this.#linked ? 2 : 1;
    this.#engine = engine;
    this.#op = op;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#extra.flags = options.flags ?? 0;
    this.#extra.options = options;
    this.#extra.over = () => {
      this.#stopListening?.();
      this.#stopTimer?.();
    };
  }

  start(): void {
    const { signal, timeout } = this.#options;
    if (signal !== undefined) {
      this.#stopListening = whenAborted(signal, () => this.#abort());
    }
    this.#engine.enqueue(this);
    if (this.#queued && timeout !== undefined) this.#timeHere(timeout);
  }

  launch(): void {
    this.#queued = false;
    const { timeout, flags = 0 } = this.#options;
    const link = this.#linked ? IOSQE_IO_LINK : 0;
    this.#slot = this.#engine.launch(
      this.#op,
      flags | link,
      this.#resolve,
      this.#reject,
      this.#extra,
    );
    if (timeout !== undefined && this.#slot !== null) this.#limit(timeout);
  }

  #limit(milliseconds: number): void {
    if (this.#linked) this.#linkTimeout(milliseconds);
    const flags = this.#extra.flags | this.#engine.ring.sq.entryFlags;
    if (!this.#linked || beginsInWorker(this.#op.opcode, flags)) {
      this.#timeHere(milliseconds);
    }
  }

  /** Links a timeout behind the op. Whether it ran out tells who cancelled the op. */
  #linkTimeout(milliseconds: number): void {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const expired = promise.then((ranOut) => ranOut === true, () => false);
    this.#extra.timeout = { milliseconds, expired };
    this.#engine.launch(linkTimeout(milliseconds), 0, resolve, reject, null);
  }

  /** Times what the kernel does not, or not from the beginning: above all the wait for room. */
  #timeHere(milliseconds: number): void {
    this.#stopTimer ??= after(milliseconds, () => this.#expire(milliseconds));
  }

  #expire(milliseconds: number): void {
    const { name, path } = this.#op;
    if (this.#withdraw()) {
      const late = () => new TimeoutError(name, milliseconds, path);
      this.#resolve(failWith(late));
      return;
    }
    const slot = this.#inFlight;
    if (slot === null) return;
    this.#extra.timeout = { milliseconds, expired: Promise.resolve(true) };
    this.#engine.cancel(slot.tag);
  }

  abandon(broken?: unknown): void {
    this.#queued = false;
    this.#extra.over?.();
    if (broken !== undefined) this.#reject(broken);
    else this.#resolve(failWith(() => closedError(this.#op)));
  }

  #abort(): void {
    const reason = this.#options.signal?.reason;
    if (this.#withdraw()) {
      this.#reject(reason);
      return;
    }
    const slot = this.#inFlight;
    if (slot === null) return;
    this.#extra.cancelled = true;
    this.#extra.reason = reason;
    this.#engine.cancel(slot.tag);
  }

  /** Takes it out of the queue: it never reaches the kernel. */
  #withdraw(): boolean {
    if (!this.#engine.withdraw(this)) return false;
    this.#extra.over?.();
    return true;
  }

  /** Its slot, while the kernel has it. */
  get #inFlight(): Slot | null {
    return this.#slot?.extra === this.#extra ? this.#slot : null;
  }
}

function message(target: number, value: number, data: number): Op<void> {
  if ((target | 0) !== target || target < 0) {
    throw new TypeError(
      `Uring.post: target must be a ring's descriptor; got ${show(target)}.`,
    );
  }
  if ((value | 0) !== value) {
    throw new RangeError(
      `Uring.post: value must be a signed 32-bit integer; got ${show(value)}.`,
    );
  }
  if ((data >>> 0) !== data) {
    throw new RangeError(
      `Uring.post: data must be an unsigned 32-bit integer; got ${show(data)}.`,
    );
  }
  return Op.of({
    opcode: IORING_OP_MSG_RING,
    name: "msg_ring",
    encode: (sqe) => {
      prepMsgRing(sqe, target, value >>> 0, MESSAGE * 2 ** 32 + data, 0);
      return undefined;
    },
    decode: () => undefined,
  });
}
