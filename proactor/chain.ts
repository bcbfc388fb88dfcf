/**
 * Ops that run one after the other, in one submission.
 *
 * @module
 */

import {
  IORING_SETUP_SQE128,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../ffi/abi.ts";
import { isSystemError, type SystemError } from "../ffi/errors.ts";
import { type Held, type Op, release } from "../ops/op.ts";
import { Sqe } from "../ring/sqe.ts";
import type { Batch } from "./batch.ts";
import type { Engine } from "./engine.ts";
import { closedError, failWith, TimeoutError } from "./errors.ts";
import { whenAborted } from "./signal.ts";
import { plainExtra, type Slot } from "./slots.ts";
import { after } from "./timer.ts";

/** The results of a chain's ops, in their order. */
export type Results<T extends Op<unknown>[]> = {
  [K in keyof T]: T[K] extends Op<infer R> ? R : never;
};

/** Options of {@linkcode Uring.link}. */
export interface LinkOptions {
  /**
   * Hard links (`IOSQE_IO_HARDLINK`): an op that fails does not keep the later ones from running.
   * Default: false.
   */
  hard?: boolean | undefined;
  /** Cancels what is left of the chain when it aborts. */
  signal?: AbortSignal | undefined;
  /** After how many milliseconds to cancel what is left of the chain. */
  timeout?: number | undefined;
}

/** What the error of a chain carries beside what the error of an op does. */
export interface ChainFields {
  /** The position of the first op that failed, from 0. */
  position: number;
  /** What became of each op, in their order. */
  results: PromiseSettledResult<unknown>[];
}

/** The error of a chain: that of the first op that failed, and what became of the others. */
export type ChainError = (SystemError | Error) & ChainFields;

/** Whether the error is that of an op which another one's failure cancelled. */
function wasTakenAlong(error: unknown): boolean {
  return isSystemError(error) && error.code === "ECANCELED";
}

/** A chain on its way. */
export class Chain implements Batch {
  readonly size: number;
  readonly #engine: Engine;
  readonly #ops: readonly Op<unknown>[];
  readonly #options: LinkOptions;
  readonly #settled: PromiseWithResolvers<unknown>[];
  readonly #slots: { slot: Slot; tag: number }[] = [];
  #stopped = false;

  /** A chain of ops. Internal: {@linkcode Uring.link} makes them. */
  constructor(
    engine: Engine,
    ops: readonly Op<unknown>[],
    options: LinkOptions,
  ) {
    this.#engine = engine;
    this.#ops = ops;
    this.#options = options;
    this.size = ops.length;
    this.#settled = ops.map(() => Promise.withResolvers<unknown>());
  }

  /** Waits for its turn, runs, and gives the results of all. */
  async run(): Promise<unknown[]> {
    const { signal, timeout } = this.#options;
    signal?.throwIfAborted();
    const stopListening = signal === undefined
      ? undefined
      : whenAborted(signal, () => this.#abort(signal.reason));
    const stopTimer = timeout === undefined
      ? undefined
      : after(timeout, () => this.#expire(timeout));
    this.#engine.enqueue(this);
    const results = await Promise.allSettled(
      this.#settled.map(({ promise }) => promise),
    );
    stopTimer?.();
    stopListening?.();
    return this.#values(results);
  }

  #expire(timeout: number): void {
    const { name, path } = this.#ops[0] as Op<unknown>;
    this.#abort(new TimeoutError(`chain of ${name}`, timeout, path));
  }

  #values(results: PromiseSettledResult<unknown>[]): unknown[] {
    const failed = results.filter((result): result is PromiseRejectedResult =>
      result.status === "rejected"
    );
    if (failed.length === 0) {
      return results.map((result) =>
        (result as PromiseFulfilledResult<unknown>).value
      );
    }
    // An op that the kernel refuses at once takes those before it along.
    const cause = failed.find(({ reason }) => !wasTakenAlong(reason)) ??
      failed[0] as PromiseRejectedResult;
    const { reason }: { reason: unknown } = cause;
    const position = results.indexOf(cause);
    // A signal's reason is the caller's, and stays as it is.
    const { signal } = this.#options;
    if (signal?.aborted && reason === signal.reason) throw reason;
    // So does what broke the ring, which every op fails with.
    if (!(reason instanceof Error) || reason === this.#engine.broken) {
      throw reason;
    }
    // It was made in a timer: the stack is to be that of the caller.
    if (reason instanceof TimeoutError) Error.captureStackTrace(reason);
    throw Object.assign(reason, { position, results } satisfies ChainFields);
  }

  /**
   * Encodes every op into memory of its own first: one that cannot be encoded must not leave
   * half a chain in the queue.
   */
  launch(): void {
    const { hard = false } = this.#options;
    const link = hard ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
    const size = this.#engine.ring.flags & IORING_SETUP_SQE128 ? 128 : 64;
    const encoded: { words: Int32Array; held: Held }[] = [];
    try {
      for (const op of this.#ops) {
        const words = new Int32Array(size >> 2);
        const held = op.encode(new Sqe(words.buffer, 0, size));
        encoded.push({ words, held });
      }
    } catch (error) {
      for (const { held } of encoded) release(held);
      for (const { reject } of this.#settled) reject(error);
      return;
    }
    encoded.forEach(({ words, held }, position) => {
      const op = this.#ops[position] as Op<unknown>;
      const { resolve, reject } = this
        .#settled[position] as PromiseWithResolvers<unknown>;
      const last = position === encoded.length - 1;
      const slot = this.#engine.launchEncoded(
        op,
        words,
        held,
        last ? 0 : link,
        resolve,
        reject,
      );
      this.#slots.push({ slot, tag: slot.tag });
    });
  }

  abandon(broken?: unknown): void {
    this.#ops.forEach((op, position) => {
      const settled = this.#settled[position];
      if (broken !== undefined) settled?.reject(broken);
      else settled?.resolve(failWith(() => closedError(op)));
    });
  }

  /** Cancels what is left; what was done already is done. */
  #abort(reason: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#engine.withdraw(this)) {
      for (const { reject } of this.#settled) reject(reason);
      return;
    }
    for (const { slot, tag } of this.#slots) {
      if (slot.tag !== tag) continue;
      slot.extra ??= plainExtra();
      slot.extra.cancelled = true;
      slot.extra.reason = reason;
      this.#engine.cancel(tag);
    }
  }
}
