/** Ops encoded into entries that no ring has: what their builders write, hold and refuse. */

import { assert, assertThrows } from "@std/assert";
import { Block } from "../../ffi/block.ts";
import { libc } from "../../ffi/libc.ts";
import type { Held, Op } from "../../ops/op.ts";
import { Sqe } from "../../ring/sqe.ts";

// Loaded for good, before a test's sanitizers look.
libc();

/** An op, encoded into an entry of its own, and what it holds. */
export function encode(op: Op<unknown>, size: 64 | 128 = 64): [Sqe, Held] {
  const sqe = new Sqe(new ArrayBuffer(size), 0, size);
  return [sqe, op.encode(sqe)];
}

/** An op, encoded, with the block that it holds. */
export function encodeBlock(op: Op<unknown>): [Sqe, Block] {
  const [sqe, held] = encode(op);
  assert(held instanceof Block);
  return [sqe, held];
}

/** The C string at an address within a block. */
export function textAt(block: Block, address: bigint): string {
  const from = Number(address) - block.address;
  const end = block.bytes.indexOf(0, from);
  return new TextDecoder().decode(block.bytes.subarray(from, end));
}

/** A call that TypeScript would not allow. */
type Loose = (...args: unknown[]) => unknown;

/** Asserts that a call is refused with an error of that class whose message has these words. */
export function refuses(
  kind: typeof TypeError | typeof RangeError,
  words: string,
  builder: unknown,
  ...args: unknown[]
): void {
  assertThrows(() => (builder as Loose)(...args), kind, words);
}
