/**
 * Runs one op on a ring, and waits for it.
 *
 * @module
 */

import {
  IORING_OP_NOP,
  IORING_OP_NOP128,
  IORING_OP_URING_CMD128,
  IORING_SETUP_SQPOLL,
  IOSQE_ASYNC,
  IOSQE_BUFFER_SELECT,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
} from "../ffi/abi.ts";
import { show } from "../ffi/check.ts";
import { systemError } from "../ffi/errors.ts";
import { EBADF, ETIMEDOUT } from "../ffi/linux.ts";
import { checkMilliseconds } from "../ffi/structs/timespec.ts";
import { Cqe } from "../ring/cqe.ts";
import { FIXED_FILES_HINT } from "../ring/enter_error.ts";
import { Ring } from "../ring/ring.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkFlags } from "./arguments.ts";
import { prepCancel64 } from "./cancel.ts";
import { wasCancelled } from "./cancelled.ts";
import { type Completion, type Held, Op, release } from "./op.ts";

/** How long to wait, at most, before an op is cancelled again, in milliseconds. */
const LONGEST_PAUSE = 100;

/** The flags that make sense for an op on its own. */
const FLAGS = IOSQE_FIXED_FILE | IOSQE_IO_DRAIN | IOSQE_ASYNC |
  IOSQE_BUFFER_SELECT;

/** The `user_data` of ops that run here begin with these 32 bits. */
const PRIVATE = 0x7275_6e21n << 32n;
let serial = 0n;

/** Options of {@linkcode run}. */
export interface RunOptions {
  /**
   * More flags of the entry: `IOSQE_ASYNC`, `IOSQE_IO_DRAIN`, `IOSQE_BUFFER_SELECT`,
   * `IOSQE_FIXED_FILE`. Default: 0.
   */
  flags?: number;
  /**
   * After how many milliseconds to cancel the op, which then fails with ETIMEDOUT. What
   * cannot be cancelled any more is waited for. Default: never.
   */
  timeout?: number;
  /**
   * Takes the completions of other ops that came meanwhile, copied, in their order. Without
   * it the ring must have nothing else to do.
   */
  others?: (completions: Cqe[]) => void;
}

/**
 * Completions of other ops came while {@linkcode run} waited for its own, and it was given no
 * `others` to hand them to. They are no longer in the ring: this error has them.
 */
export class StrayCompletions extends Error {
  /** The completions of the other ops, copied, in their order. */
  readonly completions: readonly Cqe[];
  /** What the op itself gave; undefined if it failed: `cause` is its error then. */
  readonly result: unknown;

  /** An error that carries completions. */
  constructor(
    op: string,
    completions: readonly Cqe[],
    result: unknown,
    options?: ErrorOptions,
  ) {
    super(
      `run: while ${op} ran, ${completions.length} completions of other ops came, which this ` +
        "error carries, and the op's own result with them. Pass `others` to take them, or " +
        "drive the ring by hand.",
      options,
    );
    this.name = "StrayCompletions";
    this.completions = completions;
    this.result = result;
  }
}

/**
 * Runs an op on a ring, waits for its last completion, and gives its result. The calling
 * thread sleeps meanwhile, its event loop too: for scripts, tests, and what is quick.
 *
 * It works on any ring, and wants it for itself: give it nothing else to do, or say with
 * `others` what is to become of the completions of other ops.
 *
 * @throws {SystemError} if the op fails, or ETIMEDOUT after `timeout`, or if the ring cannot
 * be entered.
 * @throws {TypeError} if the op is a multishot, which has no single result; if an argument
 * has the wrong type.
 * @throws {RangeError} if an option is out of range.
 * @throws {Error} if the ring has something to do already, and there is no `others`; from within
 * a visit of `forEachCqe`.
 * @throws {StrayCompletions} if an earlier op completed meanwhile, and there is no `others`.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { close, openat, read, run } from "@uring/uring/ops";
 * import { O_RDONLY } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const fd = run(ring, openat("/proc/version", O_RDONLY));
 * const bytes = new Uint8Array(4096);
 * const length = run(ring, read(fd, bytes), { timeout: 1000 });
 * assert(new TextDecoder().decode(bytes.subarray(0, length)).startsWith("Linux"));
 * run(ring, close(fd));
 * ```
 */
export function run<T>(ring: Ring, op: Op<T>, options: RunOptions = {}): T {
  checkRun(ring, op, options);
  const flight = new Flight(ring);
  const outcome = attempt(() => flight.run(op, options));
  const { strays } = flight;
  if (strays.length > 0) {
    if (options.others === undefined) {
      throw outcome.done
        ? new StrayCompletions(op.name, strays, outcome.value)
        : new StrayCompletions(op.name, strays, undefined, {
          cause: outcome.error,
        });
    }
    options.others(strays);
  }
  if (!outcome.done) throw outcome.error;
  return outcome.value;
}

type Outcome<T> = { done: true; value: T } | { done: false; error: unknown };

function attempt<T>(action: () => T): Outcome<T> {
  try {
    return { done: true, value: action() };
  } catch (error) {
    return { done: false, error };
  }
}

function checkRun(
  ring: Ring,
  op: Op<unknown>,
  { flags = 0, timeout, others }: RunOptions,
): void {
  if (!(ring instanceof Ring)) {
    throw new TypeError(`run: ring must be a Ring; got ${show(ring)}.`);
  }
  if (!(op instanceof Op)) {
    throw new TypeError(`run: op must be an Op; got ${show(op)}.`);
  }
  if (op.multishot) {
    throw new TypeError(
      `run: ${op.name} is a multishot, with many results. Drive the ring by hand, or use ` +
        "Uring.stream.",
    );
  }
  checkFlags("run: flags", flags);
  if ((flags & ~FLAGS) !== 0) {
    throw new RangeError(
      "run: flags may be IOSQE_FIXED_FILE, IOSQE_IO_DRAIN, IOSQE_ASYNC and " +
        "IOSQE_BUFFER_SELECT: one op has nothing to be linked to, and must complete; " +
        `got ${flags}.`,
    );
  }
  if (timeout !== undefined) checkMilliseconds("run: timeout", timeout);
  ring.cq.checkNoVisit("run");
  if (others === undefined && !ring.closed) checkIdle(ring);
}

/** Whether something else is in flight the ring does not tell; what it tells is checked. */
function checkIdle(ring: Ring): void {
  // The head of a polled queue may lag behind completions that are there already.
  const queued = isPolled(ring) ? 0 : ring.sq.ready;
  const { ready } = ring.cq;
  if (queued === 0 && ready === 0) return;
  throw new Error(
    `run: the ring has ${queued} submissions and ${ready} completions of other ops in its ` +
      "queues. Submit and reap them first, or pass `others` to take their completions.",
  );
}

function isPolled(ring: Ring): boolean {
  return (ring.flags & IORING_SETUP_SQPOLL) !== 0;
}

/** What the kernel may use yet, after a ring refused to be entered: kept as long as the ring. */
const abandoned = new WeakMap<Ring, Held[]>();

/** One op on its way through the kernel. */
class Flight {
  readonly strays: Cqe[] = [];
  readonly #ring: Ring;
  readonly #id = PRIVATE | (serial = BigInt.asUintN(31, serial + 1n)) << 1n;
  readonly #cancelId = this.#id | 1n;
  /** Completions that are to come. */
  #pending = 0;
  /** Whether a cancellation is under way. */
  #cancelling = false;
  /** The first completion: of a zero-copy send the one that has the result. */
  #first: Completion | undefined;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  run<T>(op: Op<T>, options: RunOptions): T {
    const { flags = 0, timeout } = options;
    const held = this.#queue(op, flags);
    const inTime = this.#wait(held, timeout);
    const again = op.retry(this.#result);
    if (again !== undefined) {
      release(held);
      this.#first = undefined;
      return this.run(again, options);
    }
    const { res } = this.#result;
    try {
      if (!inTime && wasCancelled(res)) {
        const hint =
          `It was cancelled after ${timeout} ms, as run was told to.`;
        throw systemError(ETIMEDOUT, op.name, { path: op.path, hint });
      }
      if (res === -EBADF && this.#ring.needsFixedFiles) {
        const hint = FIXED_FILES_HINT;
        throw systemError(EBADF, op.name, { path: op.path, hint });
      }
      return op.finish(this.#result, held);
    } finally {
      release(held);
    }
  }

  get #result(): Completion {
    if (this.#first === undefined) throw new Error("run: no completion came.");
    return this.#first;
  }

  #queue(op: Op<unknown>, flags: number): Held {
    const wide = op.opcode === IORING_OP_NOP128 ||
      op.opcode === IORING_OP_URING_CMD128;
    const sqe = this.#entry(wide);
    try {
      const held = op.encode(sqe);
      sqe.flags |= flags;
      sqe.userData = this.#id;
      this.#pending++;
      return held;
    } catch (error) {
      // The entry is taken already: let it pass as a NOP.
      sqe.clear();
      sqe.opcode = wide ? IORING_OP_NOP128 : IORING_OP_NOP;
      sqe.userData = this.#id;
      this.#pending++;
      this.#land();
      throw error;
    }
  }

  /** A free entry. */
  #entry(wide: boolean): Sqe {
    const ring = this.#ring;
    for (;;) {
      const sqe = wide ? ring.sqe128() : ring.sqe();
      if (sqe !== null) return sqe;
      if (isPolled(ring)) ring.waitForSpace();
      else if (ring.submit() === 0 && this.#reap() === 0) {
        throw new Error(
          "run: the submission queue is full, and the kernel takes nothing from it.",
        );
      }
    }
  }

  /** Waits for the op's last completion; false if it was cancelled because the time ran out. */
  #wait(held: Held, timeout?: number): boolean {
    try {
      if (timeout === undefined) {
        this.#land();
        return true;
      }
      const inTime = this.#landWithin(timeout);
      if (!inTime) this.#cancel();
      return inTime;
    } catch (error) {
      // The ring refuses to be entered. Whether the kernel has the op already, nobody can tell.
      const kept = abandoned.get(this.#ring) ?? [];
      abandoned.set(this.#ring, [...kept, held]);
      throw error;
    }
  }

  /**
   * Cancels the op, and waits for its end. What a worker is just about to begin slips through a
   * cancellation, so that it is asked for again.
   */
  #cancel(): void {
    let pause = 1;
    do {
      if (!this.#cancelling) {
        const sqe = this.#entry(false);
        prepCancel64(sqe, this.#id, 0);
        sqe.userData = this.#cancelId;
        this.#cancelling = true;
        this.#pending++;
      }
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    } while (!this.#landWithin(pause));
  }

  #land(): void {
    while (this.#pending > 0) {
      this.#ring.submitAndWait(1);
      this.#reap();
    }
  }

  #landWithin(timeout: number): boolean {
    const deadline = performance.now() + timeout;
    let left = timeout;
    while (this.#pending > 0 && left >= 0) {
      this.#ring.submit();
      this.#ring.wait(1, { timeout: left });
      this.#reap();
      left = deadline - performance.now();
    }
    return this.#pending === 0;
  }

  #reap(): number {
    return this.#ring.forEachCqe((cqe) => {
      const { userData } = cqe;
      if (userData === this.#id) {
        this.#first ??= { res: cqe.res, flags: cqe.flags };
        if (!cqe.more) this.#pending--;
      } else if (userData === this.#cancelId) {
        this.#cancelling = false;
        this.#pending--;
      } else {
        this.strays.push(copyOf(cqe));
      }
    });
  }
}

function copyOf({ words, base, byteLength }: Cqe): Cqe {
  const copy = Int32Array.from(words.subarray(base, base + (byteLength >> 2)));
  return new Cqe(copy.buffer, 0, byteLength);
}
