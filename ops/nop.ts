/**
 * The op that does nothing, for tests and measurements.
 *
 * @module
 */

import {
  IORING_NOP_CQE32,
  IORING_NOP_INJECT_RESULT,
  IORING_OP_NOP,
  IORING_OP_NOP128,
} from "../ffi/abi.ts";
import { check64, checkInteger } from "../ffi/check.ts";
import type { Sqe } from "../ring/sqe.ts";
import { count, Op } from "./op.ts";

// An import is looked up, and checked for being initialized, at each use; a constant is folded.
const NOP = IORING_OP_NOP;

/** Queues a nop. `io_uring_prep_nop(3)`, since 5.1. */
export function prepNop(sqe: Sqe): void {
  // An entry is zero when it is handed out: what `prep` writes besides is 1 ns.
  sqe.fd = -1;
  sqe.opcode = NOP;
}

/**
 * Queues a nop that takes an entry of 128 bytes, on a ring with `IORING_SETUP_SQE128` or
 * `IORING_SETUP_SQE_MIXED`. `io_uring_prep_nop128(3)`, since 6.19.
 */
export function prepNop128(sqe: Sqe): void {
  sqe.prep(IORING_OP_NOP128, -1, 0, 0, 0);
}

/** Options of {@linkcode nop} and {@linkcode nop128}. */
export interface NopOptions {
  /**
   * What the op completes with: a result, or an errno, negated, with which it fails. Since
   * kernel 6.10 (`IORING_NOP_INJECT_RESULT`). Default: 0.
   */
  result?: number;
  /**
   * The two words that a 32-byte completion brings back, on a ring with such completions.
   * Since kernel 6.18 (`IORING_NOP_CQE32`). Default: none.
   */
  bigCqe?: readonly [number | bigint, number | bigint];
}

/**
 * Does nothing: goes to the kernel and comes back. Measures a ring, and tests what is made of
 * results.
 *
 * Gives {@linkcode NopOptions.result}, or fails with it where it is negative. EINVAL: this
 * kernel is too old for the options.
 *
 * Since kernel 5.1; see io_uring_prep_nop(3).
 *
 * @throws {TypeError} if an option has the wrong type.
 * @throws {RangeError} if an option is out of range.
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
export function nop(options?: NopOptions): Op<number> {
  return options === undefined
    ? PLAIN
    : nopOf("nop", IORING_OP_NOP, prepNop, options);
}

/**
 * Does nothing, like {@linkcode nop}, in an entry of 128 bytes: on a ring with
 * `IORING_SETUP_SQE128` or `IORING_SETUP_SQE_MIXED`.
 *
 * Gives what `nop` gives. EINVAL: this kernel has no such op.
 *
 * Since kernel 6.19; see io_uring_prep_nop128(3).
 *
 * @throws {TypeError} if an option has the wrong type.
 * @throws {RangeError} if an option is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { IORING_SETUP_SQE128 } from "@uring/uring/ffi";
 * import { nop128, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.nop128.supported()) {
 *   using ring = new Ring({ entries: 4, flags: IORING_SETUP_SQE128 });
 *   assertEquals(run(ring, nop128({ result: 5 })), 5);
 * }
 * ```
 */
export function nop128(options: NopOptions = {}): Op<number> {
  return nopOf("nop128", IORING_OP_NOP128, prepNop128, options);
}

function nopOf(
  name: string,
  opcode: number,
  prep: (sqe: Sqe) => void,
  { result, bigCqe }: NopOptions,
): Op<number> {
  if (result !== undefined) {
    checkInteger(`${name}: result`, result, -0x8000_0000, 0x7fff_ffff);
  }
  if (bigCqe !== undefined) {
    check64(`${name}: bigCqe[0]`, bigCqe[0]);
    check64(`${name}: bigCqe[1]`, bigCqe[1]);
  }
  const flags = (result === undefined ? 0 : IORING_NOP_INJECT_RESULT) |
    (bigCqe === undefined ? 0 : IORING_NOP_CQE32);
  return Op.of({
    opcode,
    name,
    encode: (sqe) => {
      prep(sqe);
      sqe.opFlags = flags;
      if (result !== undefined) sqe.len = result >>> 0;
      if (bigCqe !== undefined) [sqe.off, sqe.addr] = bigCqe;
      return undefined;
    },
    decode: count,
  });
}

/** An op is a value: without options, one will do for all. */
const PLAIN = nopOf("nop", IORING_OP_NOP, prepNop, {});
