/**
 * Buffer rings: buffers that the program hands to the kernel through shared memory, and that
 * the kernel picks from when data is there.
 *
 * @module
 */

import {
  IORING_OFF_PBUF_RING,
  IORING_OFF_PBUF_SHIFT,
  IORING_REGISTER_PBUF_RING,
  IORING_REGISTER_PBUF_STATUS,
  IORING_UNREGISTER_PBUF_RING,
  IOU_PBUF_RING_INC,
  IOU_PBUF_RING_MMAP,
} from "../../ffi/abi.ts";
import { checkInteger, notInteger, show } from "../../ffi/check.ts";
import {
  io_uring_buf as entry,
  io_uring_buf_reg as registration,
  io_uring_buf_ring as layout,
  io_uring_buf_status as status,
} from "../../ffi/layout.ts";
import { addressOf, checkView, Memory, type View } from "../../ffi/memory.ts";
import type { Registrar } from "../registrar.ts";
import { hints, withBlock, writeAddress } from "./argument.ts";

/** As many as head and tail, 16 bits wide, can tell apart. */
const MOST_ENTRIES = 1 << 15;
/** One read or write moves no more. */
const LARGEST = 0x7fff_f000;
/** mmap(2)'s offset has room for groups below this. */
const MAPPED_GROUPS = 1 << 11;

const hint = hints({
  EEXIST:
    "The group has buffers already: unregister them, or take another group.",
  ENOENT: "The group has no buffer ring: it was unregistered already.",
  EINVAL: "mmap needs Linux 6.4, incremental 6.12, minLeft 7.1.",
});

/** Options of `ring.setupBufRing`. */
export interface BufRingOptions {
  /** How many buffers the ring can hold: a power of two, 1 to 32768. */
  entries: number;
  /** The group's id, which ops name in `sqe.bufIndex`: 0 to 65535; with `mmap` to 2047. */
  group: number;
  /**
   * Gives the ring buffers of its own, `entries` of them, each of so many bytes, with the ids
   * from 0 on, all of them available at once. Default: none; {@linkcode BufRing.add} yours.
   */
  bufferSize?: number;
  /** Whether the kernel allocates the ring itself (`IOU_PBUF_RING_MMAP`). Since Linux 6.4. Default: false. */
  mmap?: boolean;
  /**
   * Whether a buffer is used up piece by piece (`IOU_PBUF_RING_INC`): a completion with
   * `IORING_CQE_F_BUF_MORE` says that more will follow in the same buffer, behind what is
   * there. Since Linux 6.12. Default: false.
   */
  incremental?: boolean;
  /**
   * With `incremental`: a buffer with fewer bytes left than this is used up. Since Linux 7.1,
   * and in late stable versions of older ones. Default: 1.
   */
  minLeft?: number;
}

/**
 * A ring of provided buffers, made by `ring.setupBufRing`. An op with `IOSQE_BUFFER_SELECT`
 * and the group's id takes the next buffer when it has data for it; its completion tells
 * which (`cqe.bufferId`). Once its data has been dealt with, the buffer is given back:
 * {@linkcode add}, {@linkcode advance}. With none left, ops complete with ENOBUFS.
 *
 * The kernel has only the buffers' addresses. They are held on to until the ring is
 * unregistered; an op that has taken a buffer by then still writes to it, so keep this object
 * until its completion.
 *
 * Since Linux 5.19, see io_uring_setup_buf_ring(3).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { IORING_FEAT_REG_REG_RING, IORING_OP_READ, IOSQE_BUFFER_SELECT } from "@uring/uring/ffi";
 * import { closeSync, openSync } from "node:fs";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * if (ring.features & IORING_FEAT_REG_REG_RING) { // Linux 6.3; buffer rings need 5.19
 *   using buffers = ring.setupBufRing({ entries: 4, group: 1, bufferSize: 4096 });
 *   const fd = openSync("/proc/version", "r");
 *   const sqe = ring.sqe();
 *   if (sqe !== null) {
 *     sqe.prep(IORING_OP_READ, fd, 0, 16, 0);
 *     sqe.flags = IOSQE_BUFFER_SELECT;
 *     sqe.bufIndex = buffers.group;
 *   }
 *   ring.submitAndWait(1);
 *   ring.forEachCqe((cqe) => {
 *     const data = buffers.bytes(cqe.bufferId).slice(0, 5);
 *     assertEquals(new TextDecoder().decode(data), "Linux");
 *     buffers.add(cqe.bufferId);
 *     buffers.advance();
 *   });
 *   closeSync(fd);
 * }
 * ```
 */
export class BufRing implements Disposable {
  /** The group's id, for `sqe.bufIndex`. */
  readonly group: number;
  /** How many buffers the ring can hold. */
  readonly entries: number;
  /** How large the ring's own buffers are, in bytes; 0 if it has none. */
  readonly bufferSize: number;
  /** Whether buffers are used up piece by piece. */
  readonly incremental: boolean;
  readonly #ring: Registrar;
  /** The entries, and in the first one's last two bytes the tail. */
  readonly #memory: Memory;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  /** The ring's own buffers. */
  readonly #buffers: Memory | undefined;
  /** Views of the program's, by buffer id. */
  readonly #views = new Map<number, View>();
  /** What the ring holds on to for as long as the kernel may write to it. */
  readonly #held: unknown[];
  /** The tail that the kernel was shown. */
  #tail = 0;
  /** How many were added behind it. */
  #added = 0;
  #registered = true;

  /** Makes and registers a ring. Internal: `ring.setupBufRing` is the way to one. */
  constructor(ring: Registrar, options: BufRingOptions) {
    const checked = check(options);
    const { entries, bufferSize } = checked;
    this.group = checked.group;
    this.entries = entries;
    this.bufferSize = bufferSize;
    this.incremental = checked.incremental;
    this.#ring = ring;
    this.#buffers = bufferSize === 0
      ? undefined
      : new Memory(entries * bufferSize);
    this.#memory = register(ring, checked);
    const { buffer } = this.#memory.bytes;
    this.#words = new Uint32Array(buffer);
    this.#halves = new Uint16Array(buffer);
    this.#held = [this.#memory, this.#buffers, this.#views];
    ring.keep.add(this.#held);
    if (bufferSize === 0) return;
    for (let id = 0; id < entries; id++) this.add(id);
    this.advance();
  }

  /**
   * Puts a buffer into the ring, for the kernel to see after the next {@linkcode advance}.
   * It is the kernel's until a completion names it. Adding more than are missing overwrites
   * some that are there.
   *
   * @param id the buffer's id, 0 to 65535, which completions name.
   * @param buffer the buffer, or its address. Default: the ring's own buffer with this id.
   * @param length how many bytes of it, at least 1. Default: all; for an address it must be
   * given.
   * @throws {TypeError | RangeError} if there is no such buffer, the ring is full of buffers
   * not advanced over yet, or unregistered.
   */
  add(id: number, buffer?: View | number, length?: number): void {
    if (!this.#registered) this.#refuse("add");
    if ((id & 0xffff) !== id) {
      throw notInteger("BufRing.add: id", id, 0, 0xffff);
    }
    if (this.#added === this.entries) {
      throw new RangeError(
        `BufRing.add: ${this.entries} buffers were added already: call advance().`,
      );
    }
    if (buffer === undefined) {
      const own = this.#ownAddress("add", id);
      this.#write(id, own, lengthOf(length, this.bufferSize));
    } else if (typeof buffer === "number") {
      checkInteger("BufRing.add: buffer", buffer, 1, Number.MAX_SAFE_INTEGER);
      this.#write(id, buffer, lengthOf(length, LARGEST, "needed"));
    } else {
      checkView("BufRing.add: buffer", buffer);
      const most = Math.min(buffer.byteLength, LARGEST);
      this.#write(id, addressOf(buffer), lengthOf(length, most));
      this.#views.set(id, buffer);
    }
  }

  #write(id: number, address: number, length: number): void {
    const slot = (this.#tail + this.#added) & (this.entries - 1);
    const at = slot * entry.size;
    const words = this.#words;
    words[(at + entry.addr) >> 2] = address;
    words[(at + entry.addr + 4) >> 2] = Math.floor(address / 0x1_0000_0000);
    words[(at + entry.len) >> 2] = length;
    // 16 bits: behind those of the first entry lies the tail.
    this.#halves[(at + entry.bid) >> 1] = id;
    this.#added++;
  }

  /**
   * Shows the kernel the buffers that were added.
   *
   * @param count how many of them, in the order in which they were added. Default: all.
   * @throws {TypeError | RangeError} if fewer were added, or the ring is unregistered.
   */
  advance(count: number = this.#added): void {
    if (!this.#registered) this.#refuse("advance");
    checkInteger("BufRing.advance: count", count, 0, this.#added);
    this.#added -= count;
    this.#tail = (this.#tail + count) & 0xffff;
    // Release: a kernel that sees the tail sees the entries before it.
    Atomics.store(this.#halves, layout.tail >> 1, this.#tail);
  }

  /**
   * One of the ring's own buffers.
   *
   * @param id its id, 0 to `entries` - 1.
   * @throws {TypeError | RangeError} if the ring has no such buffer.
   */
  bytes(id: number): Uint8Array<ArrayBuffer> {
    const memory = this.#own("bytes", id);
    const at = id * this.bufferSize;
    return memory.bytes.subarray(at, at + this.bufferSize);
  }

  #ownAddress(method: string, id: number): number {
    return this.#own(method, id).address + id * this.bufferSize;
  }

  #own(method: string, id: number): Memory {
    if (this.#buffers === undefined) {
      throw new TypeError(
        `BufRing.${method}: the ring has no buffers of its own: make it with bufferSize, ` +
          "or pass a buffer.",
      );
    }
    checkInteger(`BufRing.${method}: id`, id, 0, this.entries - 1);
    return this.#buffers;
  }

  /**
   * How many buffers the kernel has taken since the ring was made, modulo 65536. Since Linux
   * 6.8, see io_uring_buf_ring_head(3).
   *
   * @throws {SystemError} EINVAL before Linux 6.8.
   */
  head(): number {
    if (!this.#registered) this.#refuse("head");
    return withBlock(status.size, (block) => {
      block.view.setUint32(status.buf_group, this.group, true);
      const name = "io_uring_buf_ring_head";
      const opcode = IORING_REGISTER_PBUF_STATUS;
      this.#ring.register(name, opcode, block, 1);
      return block.view.getUint32(status.head, true) & 0xffff;
    });
  }

  /**
   * Where the kernel goes on in a buffer that it uses piece by piece: it keeps that in the buffer's
   * place of the ring. Internal.
   *
   * @param place how many were added before it, modulo `entries`.
   */
  addressAt(place: number): number {
    const at = (place * entry.size + entry.addr) >> 2;
    const words = this.#words;
    return (words[at] as number) + (words[at + 1] as number) * 0x1_0000_0000;
  }

  /** How many buffers are there for the kernel to take. Since Linux 6.8. */
  available(): number {
    return (this.#tail - this.head()) & 0xffff;
  }

  /**
   * Takes the ring away from the kernel. Safe to call twice, and after the ring was closed.
   * Wait for ops that have taken a buffer: their data still goes there.
   */
  unregister(): void {
    if (!this.#registered) return;
    if (!this.#ring.closed) unregister(this.#ring, this.group);
    this.#registered = false;
    this.#ring.keep.delete(this.#held);
    this.#memory.close();
  }

  /** {@linkcode unregister}, for `using`. */
  [Symbol.dispose](): void {
    this.unregister();
  }

  #refuse(method: string): never {
    throw new TypeError(`BufRing.${method}: the ring is unregistered.`);
  }
}

function check(options: BufRingOptions): Required<BufRingOptions> {
  const what = "ring.setupBufRing";
  if (options === null || typeof options !== "object") {
    throw new TypeError(
      `${what}: options must be an object; got ${show(options)}.`,
    );
  }
  const { entries, group, bufferSize = 0, mmap = false } = options;
  const { incremental = false, minLeft = 0 } = options;
  checkInteger(`${what}: entries`, entries, 1, MOST_ENTRIES);
  if (entries & (entries - 1)) {
    throw new RangeError(
      `${what}: entries must be a power of two; got ${entries}.`,
    );
  }
  checkInteger(`${what}: group`, group, 0, mmap ? MAPPED_GROUPS - 1 : 0xffff);
  checkInteger(`${what}: bufferSize`, bufferSize, 0, LARGEST);
  checkInteger(`${what}: minLeft`, minLeft, 0, LARGEST);
  if (minLeft !== 0 && !incremental) {
    throw new RangeError(`${what}: minLeft is for incremental rings.`);
  }
  return { entries, group, bufferSize, mmap, incremental, minLeft };
}

/** Registers a ring; returns its memory. */
function register(ring: Registrar, options: Required<BufRingOptions>): Memory {
  const { entries, group, mmap, incremental, minLeft } = options;
  const size = entries * entry.size;
  const own = mmap ? undefined : new Memory(size);
  const flags = (mmap ? IOU_PBUF_RING_MMAP : 0) |
    (incremental ? IOU_PBUF_RING_INC : 0);
  withBlock(registration.size, (block) => {
    const { view } = block;
    writeAddress(view, registration.ring_addr, own?.address ?? 0);
    view.setUint32(registration.ring_entries, entries, true);
    view.setUint16(registration.bgid, group, true);
    view.setUint16(registration.flags, flags, true);
    view.setUint32(registration.min_left, minLeft, true);
    const name = "io_uring_setup_buf_ring";
    ring.register(name, IORING_REGISTER_PBUF_RING, block, 1, hint);
  });
  if (own !== undefined) return own;
  const offset = IORING_OFF_PBUF_RING + group * 2 ** IORING_OFF_PBUF_SHIFT;
  try {
    return new Memory(size, { fd: ring.fd, offset });
  } catch (error) {
    unregister(ring, group);
    throw error;
  }
}

function unregister(ring: Registrar, group: number): void {
  withBlock(registration.size, (block) => {
    block.view.setUint16(registration.bgid, group, true);
    const name = "io_uring_unregister_buf_ring";
    ring.register(name, IORING_UNREGISTER_PBUF_RING, block, 1, hint);
  });
}

function lengthOf(
  length: number | undefined,
  most: number,
  needed?: "needed",
): number {
  if (length === undefined && needed === undefined && most > 0) return most;
  return checkInteger("BufRing.add: length", length as number, 1, most);
}
