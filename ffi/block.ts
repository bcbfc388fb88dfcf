/**
 * Small blocks of memory for what an op passes by pointer: paths, iovecs, timespecs, and
 * what the kernel fills in, statx and addresses.
 *
 * @module
 */

import { checkInteger } from "./check.ts";
import { Memory } from "./memory.ts";

const SLAB = 256 * 1024;
const SMALLEST = 64;
const LARGEST = 16 * 1024;

/**
 * A piece of memory with a known address, taken from a pool by {@linkcode takeBlock}. What
 * was in it before is still there.
 */
export class Block {
  /** The address of the first byte. A multiple of 64. */
  readonly address: number;
  /** The block's bytes, at least as many as were asked for. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same bytes as a DataView. */
  readonly view: DataView<ArrayBuffer>;
  /** What else must live as long as this block: the buffers that an iovec in it points to. */
  keep: unknown = undefined;
  readonly #free: Block[];
  #taken = true;

  /** Makes a block of memory. Internal: {@linkcode takeBlock} is the way to one. */
  constructor(memory: Memory, byteOffset: number, size: number, free: Block[]) {
    this.address = memory.address + byteOffset;
    this.bytes = memory.bytes.subarray(byteOffset, byteOffset + size);
    this.view = new DataView(memory.bytes.buffer, byteOffset, size);
    this.#free = free;
  }

  /**
   * Gives the block back. Only after the last completion of the op that it was for: the
   * next taker writes to it. Safe to call twice.
   */
  release(): void {
    if (!this.#taken) return;
    this.#taken = false;
    this.keep = undefined;
    this.#free.push(this);
  }

  /** Marks a block as in use. Internal. */
  static reuse(block: Block): Block {
    block.#taken = true;
    return block;
  }
}

/** The blocks of one size: those that are free, and memory for more. */
interface Pool {
  readonly free: Block[];
  slab: Memory;
  /** Where in the slab the next block begins. */
  next: number;
}

/** SMALLEST first, each twice the one before. */
const pools: Pool[] = [];

/** Slabs live as long as the isolate: a pool holds as much as was ever in use at once. */
function newPool(): Pool {
  return { free: [], slab: new Memory(SLAB), next: 0 };
}

/**
 * Cuts one more block. All of a slab at once would be thousands of objects, and a collection of
 * garbage, before the first op.
 */
function cut(pool: Pool, size: number): Block {
  if (pool.next === SLAB) {
    pool.slab = new Memory(SLAB);
    pool.next = 0;
  }
  const block = new Block(pool.slab, pool.next, size, pool.free);
  pool.next += size;
  return block;
}

/**
 * Takes a block of at least `byteLength` bytes from this thread's pool. Blocks are powers of
 * two from 64 bytes to 16 KiB; larger ones get memory of their own.
 *
 * @throws {RangeError} if byteLength is no positive integer.
 *
 * @example
 * ```ts
 * import { takeBlock } from "@uring/uring/ffi";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const block = takeBlock(100);
 * assert(block.bytes.length >= 100);
 * assertEquals(block.address % 64, 0);
 * block.release();
 * ```
 */
export function takeBlock(byteLength: number): Block {
  checkInteger("takeBlock: byteLength", byteLength, 1, 2 ** 32);
  if (byteLength > LARGEST) {
    return new Block(new Memory(byteLength), 0, byteLength, []);
  }
  const rank = byteLength <= SMALLEST ? 0 : 26 - Math.clz32(byteLength - 1);
  const pool = pools[rank] ??= newPool();
  return Block.reuse(pool.free.pop() ?? cut(pool, SMALLEST << rank));
}
