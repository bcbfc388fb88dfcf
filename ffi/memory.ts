/**
 * Memory that the kernel may read and write: mmapped regions that neither move nor detach,
 * small blocks out of them, and the address of a caller's own view.
 *
 * @module
 */

import { checkInteger, show } from "./check.ts";
import { errno, errnoView, type LibC, libc } from "./libc.ts";
import { systemError } from "./errors.ts";
import {
  MAP_ANONYMOUS,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from "./linux.ts";

/** Any view over memory, shared or not. */
export type View = ArrayBufferView<ArrayBufferLike>;

/** A call through the library's object would look the symbol up each time. */
let memset: LibC["memset"] | undefined;

const addressCell = new BigUint64Array(1);
const addressHalves = new Uint32Array(addressCell.buffer);

/**
 * The address of a view's first byte, as a number (user space ends below 2^48).
 *
 * The kernel knows nothing of JavaScript: whoever passes the address on must hold the view
 * until the op's last completion, and must not transfer its buffer before.
 *
 * @throws {TypeError} if it is no view, or one whose buffer is detached, or one whose
 * buffer is resizable: shrinking would pull the memory from under the kernel.
 *
 * @example
 * ```ts
 * import { addressOf } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new Uint8Array(16);
 * assertEquals(addressOf(bytes.subarray(4)), addressOf(bytes) + 4);
 * ```
 */
export function addressOf(view: View): number {
  checkView("view", view);
  return addressOfChecked(view);
}

/** Memory that we mapped: its address need not be asked for. */
export interface Region {
  /** The address of the first byte. */
  readonly address: number;
}

const regions = new WeakMap<ArrayBufferLike, Region>();

/**
 * {@linkcode addressOf} for a view that was checked already: 0 if it is empty, or was detached
 * since.
 *
 * @param region what {@linkcode checkView} gave for it.
 */
export function addressOfChecked(view: View, region?: Region): number {
  if (region !== undefined) return region.address + view.byteOffset;
  // Stored at once, the u64 that memset answers never becomes a BigInt: 9 ns instead of 200.
  memset ??= libc().memset;
  addressCell[0] = memset(view as Uint8Array<ArrayBuffer>, 0, 0n);
  return (addressHalves[1] as number) * 0x1_0000_0000 +
    (addressHalves[0] as number);
}

/**
 * Checks that a value is a view that the kernel can be given.
 *
 * @param what how the error calls it: "read: buffer".
 * @returns what the view is over, where that is a {@linkcode Memory}'s.
 * @throws {TypeError} if it is none, or detached, or over a resizable buffer.
 */
export function checkView(what: string, view: View): Region | undefined {
  if (!ArrayBuffer.isView(view)) {
    throw new TypeError(
      `${what} must be a typed array or a DataView; got ${show(view)}.`,
    );
  }
  const { buffer } = view;
  const region = regions.get(buffer);
  // Of fixed length, and there unless it was detached, which leaves a view without bytes (and has a
  // DataView throw). To ask the ArrayBuffer would cost 5 ns for each question.
  if (
    region !== undefined && !(view instanceof DataView) && view.byteLength !== 0
  ) return region;
  if (buffer instanceof ArrayBuffer) {
    if (buffer.detached) {
      throw new TypeError(
        `${what} is over a detached ArrayBuffer: it was transferred away.`,
      );
    }
    if (buffer.resizable) {
      throw new TypeError(
        `${what} is over a resizable ArrayBuffer, whose memory could shrink while the ` +
          "kernel writes to it. Pass a view of a buffer of fixed length.",
      );
    }
  } else if (buffer.growable) {
    throw new TypeError(
      `${what} is over a growable SharedArrayBuffer. Pass one of fixed length.`,
    );
  }
  return undefined;
}

/** Options of a {@linkcode Memory}. */
export interface MemoryOptions {
  /** Fault the pages in now, not at first touch. Default: false. */
  populate?: boolean;
  /**
   * Map this descriptor's memory, shared, instead of anonymous memory: a region of a ring that
   * the kernel allocated.
   */
  fd?: number;
  /** Where in the descriptor's memory: an offset for mmap(2). Default: 0. */
  offset?: number;
}

/** A mapping whose Memory was forgotten, with its buffer until nobody can have taken it. */
interface Mapping {
  pointer: Deno.PointerObject;
  byteLength: number;
  buffer?: ArrayBuffer;
}

/**
 * Unmaps what was never closed, in two steps, because views may outlive their Memory and a
 * transferred buffer outlives both: first the Memory goes, and if by then the buffer was
 * transferred away the mapping is its new owner's for good; then the buffer goes, and with
 * it the last view.
 */
const forgotten = new FinalizationRegistry<Mapping>((mapping) => {
  const { pointer, byteLength, buffer } = mapping;
  if (buffer === undefined) {
    libc().munmap(pointer, BigInt(byteLength));
  } else if (!buffer.detached) {
    forgotten.register(buffer, { pointer, byteLength });
  }
});

/**
 * Anonymous memory from mmap(2), page-aligned and zeroed, with a known address. It does not
 * move, and `transfer()` or `postMessage` of its buffer only take the view away: what the
 * kernel was told stays true until {@linkcode Memory.close}.
 *
 * Closed memory cannot be touched by accident: its buffer is detached, so that every view of
 * it has length 0. Do not close it while the kernel may still write to it. Forgotten memory
 * is given back once it and every view of it are garbage.
 *
 * @example
 * ```ts
 * import { Memory } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * using memory = new Memory(10_000);
 * assertEquals(memory.bytes.length, 10_000);
 * assertEquals(memory.address % 4096, 0);
 * ```
 */
export class Memory implements Disposable {
  /** The address of the first byte: a multiple of the page size. */
  readonly address: number;
  /** The memory, every byte of it. Length 0 after {@linkcode close}. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #pointer: Deno.PointerObject;

  /**
   * Maps memory.
   *
   * @param byteLength how much, in bytes, from 1 on.
   * @throws {RangeError} if byteLength is no positive integer.
   * @throws {UringError} ENOMEM if the kernel has none.
   */
  constructor(
    byteLength: number,
    { populate = false, fd = -1, offset = 0 }: MemoryOptions = {},
  ) {
    checkInteger("Memory: byteLength", byteLength, 1, 2 ** 46);
    const kind = fd === -1 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    const flags = kind | (populate ? MAP_POPULATE : 0);
    this.#pointer = mmap(byteLength, flags, fd, offset);
    this.address = Number(Deno.UnsafePointer.value(this.#pointer));
    this.bytes = new Uint8Array(
      Deno.UnsafePointerView.getArrayBuffer(this.#pointer, byteLength),
    );
    regions.set(this.bytes.buffer, { address: this.address });
    forgotten.register(this, {
      pointer: this.#pointer,
      byteLength,
      buffer: this.bytes.buffer,
    }, this);
  }

  /**
   * Detaches the buffer and gives the memory back. Safe to call twice. Memory whose buffer
   * was transferred away stays mapped: its new owner may still use it.
   */
  close(): void {
    forgotten.unregister(this);
    const { buffer } = this.bytes;
    if (buffer.detached) return; // Closed already, or somebody else's.
    const { byteLength } = buffer;
    buffer.transfer();
    libc().munmap(this.#pointer, BigInt(byteLength));
  }

  /** {@linkcode close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * mmap(2) of `byteLength` bytes, readable and writable; the kernel rounds up to whole pages, as
 * munmap(2) does. Internal: see {@linkcode Memory}.
 */
export function mmap(
  byteLength: number,
  flags: number,
  fd: number,
  offset: number | bigint,
): Deno.PointerObject {
  errnoView();
  const pointer = libc().mmap(
    null,
    BigInt(byteLength),
    PROT_READ | PROT_WRITE,
    flags,
    fd,
    BigInt(offset),
  );
  // MAP_FAILED is (void *)-1, never NULL.
  if (
    pointer === null || Deno.UnsafePointer.value(pointer) === MAP_FAILED
  ) {
    throw systemError(errno(), "mmap");
  }
  return pointer;
}

const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
