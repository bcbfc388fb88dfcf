/**
 * Operations as values: how an op encodes itself, what the kernel holds on to meanwhile,
 * and how its result reads.
 *
 * @module
 */

import { IORING_CQE_F_NOTIF } from "../ffi/abi.ts";
import { Block } from "../ffi/block.ts";
import { type SystemError, systemError } from "../ffi/errors.ts";
import type { View } from "../ffi/memory.ts";
import type { Sqe } from "../ring/sqe.ts";
import { errnoOf } from "./cancelled.ts";

/** What a completion tells of an op: a {@linkcode Cqe} is one. */
export interface Completion {
  /** The result, or an errno, negated. */
  readonly res: number;
  /** `IORING_CQE_F_*`. */
  readonly flags: number;
  /** One of the two 64-bit words of a 32-byte completion, see {@linkcode Cqe.bigCqe}. */
  bigCqe?(index: 0 | 1): bigint;
}

/**
 * What must stay alive, and in its place, from the submission to the last completion of an
 * op: the memory that the kernel was given the address of.
 */
export type Held = Block | View | readonly View[] | undefined;

/** What an {@linkcode Op} is made of. */
export interface OpParts<T, H extends Held> {
  /** The opcode, `IORING_OP_*`. */
  opcode: number;
  /** The opcode's name in lower case, as errors show it: `"openat"`. */
  name: string;
  /** Writes everything but `user_data` to a zeroed entry; returns what must stay alive. */
  encode: (sqe: Sqe) => H;
  /** Reads the result of a completion that is no error. */
  decode: (completion: Completion, held: H) => T;
  /** The path that the op is about, for errors. */
  path?: string | undefined;
  /** Whether one submission gives many completions. Default: false. */
  multishot?: boolean;
  /** The negated errnos that are no errors: `-ETIME` of a timeout. Default: none. */
  benign?: number | readonly number[];
  /**
   * Of a multishot: whether a completion without `IORING_CQE_F_MORE` is the end of what there
   * is, and no result, like a read's 0. Otherwise the kernel only stopped, and the op may be
   * submitted again.
   */
  ends?: (completion: Completion) => boolean;
  /**
   * Of a multishot: how many results there are in all, however often it is submitted. Default:
   * no end.
   */
  results?: number;
  /** The op that undoes a result which nobody took: closes a descriptor. */
  undo?: (value: T) => Op<unknown> | undefined;
  /** Turns an errno into a sentence that says what to do about it. */
  hint?: (errno: number) => string | undefined;
}

/**
 * An operation: a value, made by a builder like {@linkcode read}, that a ring can run. It is
 * immutable and may be run any number of times, at the same time too, where its buffers
 * allow that.
 *
 * {@linkcode run} runs one on a {@linkcode Ring} and waits. Whoever drives a ring by hand
 * calls {@linkcode encode} on a fresh entry, keeps what it returns until the last completion,
 * and hands both to {@linkcode finish}.
 *
 * @typeParam T what the op gives: bytes read, a file descriptor, an object.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { nop, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * assertEquals(run(ring, nop()), 0);
 * ```
 */
export abstract class Op<T> {
  // Declared, not defined: a field that is undefined first costs a store more for each op.
  /** The opcode, `IORING_OP_*`. */
  declare readonly opcode: number;
  /** The opcode's name in lower case: `"openat"`. */
  declare readonly name: string;
  /** The path that the op is about, if any. */
  declare readonly path: string | undefined;
  /** Whether one submission gives many completions. */
  declare readonly multishot: boolean;

  /** Makes an op of its parts. `H` is what `encode` returns and `decode` gets back. */
  static of<T, H extends Held>(parts: OpParts<T, H>): Op<T> {
    // H is private to the two functions: whoever runs the op only carries it across.
    return new ComposedOp<T>(parts as unknown as OpParts<T, Held>);
  }

  /** For ops that are classes of their own; {@linkcode Op.of} makes the others. */
  constructor(
    opcode: number,
    name: string,
    path?: string,
    multishot: boolean = false,
  ) {
    this.opcode = opcode;
    this.name = name;
    this.path = path;
    this.multishot = multishot;
  }

  /** Writes everything but `user_data` to a zeroed entry; returns what must stay alive. */
  abstract encode(sqe: Sqe): Held;

  /**
   * Reads the result of a completion that has not failed.
   *
   * @param held what {@linkcode encode} returned for this submission.
   */
  abstract decode(completion: Completion, held: Held): T;

  /** Whether a completion of this op is an error. */
  failed(completion: Completion): boolean {
    // A zero-copy send's notification reports its usage in the sign bit: no errno.
    return completion.res < 0 &&
      (completion.flags & IORING_CQE_F_NOTIF) === 0;
  }

  /**
   * Of a multishot: whether this completion, without `IORING_CQE_F_MORE`, is the end of it all, and
   * no result.
   */
  ends(completion: Completion): boolean {
    return this.failed(completion);
  }

  /**
   * Of a multishot: how many results there are in all. It is over after so many, whether the kernel
   * gave them for one submission or for several.
   */
  get results(): number {
    return Infinity;
  }

  /** The op that undoes a result which nobody took; undefined if there is nothing to undo. */
  undo(_value: T): Op<unknown> | undefined {
    return undefined;
  }

  /** Whether {@linkcode retry} may name an op: such a one cannot be part of a chain. */
  get retries(): boolean {
    return false;
  }

  /**
   * The op to run in the place of this one, whose completion failed; undefined if that is the
   * error it is. A read that was tried without waiting is sent again to wait. Its promise, and
   * the options that it was submitted with, go over to the other op.
   */
  retry(_completion: Completion): Op<T> | undefined {
    return undefined;
  }

  /** A sentence for an errno of this op that says what to do about it. */
  hint(_errno: number): string | undefined {
    return undefined;
  }

  /** The error of a completion that failed: names the op, the path, the errno. */
  error(completion: Completion): SystemError {
    return this.errorOf(errnoOf(completion.res));
  }

  /** The error that this op would give for an errno. */
  errorOf(errno: number): SystemError {
    return systemError(errno, this.name, {
      path: this.path,
      hint: this.hint(errno),
    });
  }

  /**
   * The result of a completion.
   *
   * @param held what {@linkcode encode} returned for this submission.
   * @throws {SystemError} if the op failed.
   */
  finish(completion: Completion, held: Held): T {
    if (this.failed(completion)) throw this.error(completion);
    return this.decode(completion, held);
  }
}

/** An op out of parts. */
class ComposedOp<T> extends Op<T> {
  declare private readonly parts: OpParts<T, Held>;
  declare private readonly encoder: (sqe: Sqe) => Held;
  declare private readonly decoder: (completion: Completion, held: Held) => T;

  constructor(parts: OpParts<T, Held>) {
    super(parts.opcode, parts.name, parts.path, parts.multishot === true);
    this.parts = parts;
    this.encoder = parts.encode;
    this.decoder = parts.decode;
  }

  override encode(sqe: Sqe): Held {
    const encode = this.encoder;
    return encode(sqe);
  }

  override decode(completion: Completion, held: Held): T {
    const decode = this.decoder;
    return decode(completion, held);
  }

  override failed(completion: Completion): boolean {
    if (completion.res >= 0 || !super.failed(completion)) return false;
    const { benign = 0 } = this.parts;
    const { res } = completion;
    return typeof benign === "number" ? res !== benign : !benign.includes(res);
  }

  override ends(completion: Completion): boolean {
    return this.failed(completion) || (this.parts.ends?.(completion) ?? false);
  }

  override get results(): number {
    return this.parts.results ?? Infinity;
  }

  override undo(value: T): Op<unknown> | undefined {
    return this.parts.undo?.(value);
  }

  override hint(errno: number): string | undefined {
    return this.parts.hint?.(errno);
  }
}

/**
 * Gives back what {@linkcode Op.encode} held, after the op's last completion has been read.
 */
export function release(held: Held): void {
  if (held instanceof Block) held.release();
}

/** Decodes a result that is a count: bytes, or things done. */
export function count(completion: Completion): number {
  return completion.res;
}

/** Decodes a result that is always 0. */
export function nothing(_completion: Completion): void {}
