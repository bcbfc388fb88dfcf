/**
 * Zero-copy receive: a network card puts what it receives right into the program's memory.
 *
 * @module
 */

import {
  IORING_MEM_REGION_TYPE_USER,
  IORING_REGISTER_ZCRX_CTRL,
  IORING_REGISTER_ZCRX_IFQ,
  IORING_ZCRX_AREA_MASK,
  ZCRX_CTRL_EXPORT,
  ZCRX_CTRL_FLUSH_RQ,
} from "../../ffi/abi.ts";
import { checkInteger, show } from "../../ffi/check.ts";
import {
  io_uring_region_desc as region,
  io_uring_zcrx_area_reg as area,
  io_uring_zcrx_ifq_reg as ifq,
  io_uring_zcrx_rqe as rqe,
  zcrx_ctrl,
} from "../../ffi/layout.ts";
import { addressOf, checkView, Memory, type View } from "../../ffi/memory.ts";
import { pageSize } from "../../ffi/system.ts";
import type { Registrar } from "../registrar.ts";
import { hints, withBlock, writeAddress } from "./argument.ts";

const UINT32_MAX = 0xffff_ffff;
const MOST_ENTRIES = 1 << 15;

const hint = hints({
  EPERM: "The process needs CAP_NET_ADMIN.",
  EINVAL:
    "The ring must have IORING_SETUP_DEFER_TASKRUN and IORING_SETUP_CQE32 (or CQE_MIXED).",
  ENODEV: "There is no network interface with this index (see ip link).",
  EOPNOTSUPP:
    "The kernel has no zero-copy receive (CONFIG_IO_URING_ZCRX), or the interface's driver " +
    "cannot do it.",
  EEXIST: "The card's queue is in use already.",
  EBUSY: "The card's queue is in use already.",
});

/** Options of `ring.registerZcrx`. */
export interface ZcrxOptions {
  /** The network interface's index; with `ZCRX_REG_IMPORT` the descriptor that {@linkcode Zcrx.export} gave. */
  interfaceIndex: number;
  /** The card's receive queue. Default: 0. */
  queue?: number;
  /** How many buffers the refill queue holds, 1 to 32768; the kernel rounds up to a power of two. */
  entries: number;
  /** Where to receive to: whole pages, that begin at a page. Best {@linkcode Memory}. */
  area: View;
  /** `ZCRX_REG_*`. Since Linux 6.19. Default: 0. */
  flags?: number;
  /** How large the card's buffers are to be, in bytes. Since Linux 7.0. Default: a page. */
  bufferLength?: number;
}

/** What a completion of `RECV_ZC` tells: a {@linkcode Cqe} of 32 bytes is one. */
export interface ZcrxCompletion {
  /** How many bytes came. */
  readonly res: number;
  /** Where: a `struct io_uring_zcrx_cqe`. */
  bigCqe(index: 0 | 1): bigint;
}

/**
 * A receive queue of a network card, made by `ring.registerZcrx`, for `RECV_ZC` ops. Each
 * completion names a piece of the area; once its data has been dealt with, it is given back
 * to the card by {@linkcode refill}.
 *
 * Since Linux 6.15, see io_uring_register_ifq(3). Needs CAP_NET_ADMIN, a card whose driver can
 * do it, header split, and flow steering of the connections to this queue (ethtool).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { isSystemError, Memory } from "@uring/uring/ffi";
 * import { assert, assertThrows } from "@std/assert";
 *
 * using ring = new Ring(4); // which lacks IORING_SETUP_CQE32
 * const area = new Memory(1 << 16).bytes;
 * const error = assertThrows(() =>
 *   ring.registerZcrx({ interfaceIndex: 1, entries: 64, area })
 * );
 * assert(isSystemError(error));
 * ```
 */
export class Zcrx {
  /** The queue's id, for `sqe.fileIndex` of `RECV_ZC`. */
  readonly id: number;
  /** How many buffers the refill queue holds. */
  readonly entries: number;
  readonly #ring: Registrar;
  readonly #area: Uint8Array;
  readonly #areaToken: bigint;
  /** The refill queue: head, tail and entries. */
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #head: number;
  readonly #tail: number;
  readonly #entriesAt: number;

  /** Registers a queue. Internal: `ring.registerZcrx` is the way to one. */
  constructor(ring: Registrar, options: ZcrxOptions) {
    const page = pageSize();
    check(options, page);
    // A page for head and tail, and the entries.
    const size = page + Math.ceil(options.entries * 2 * rqe.size / page) * page;
    const memory = new Memory(size);
    const { buffer, byteOffset, byteLength } = options.area;
    const answer = register(ring, options, memory, size);
    // The card writes there for as long as the ring lives: a queue cannot be unregistered.
    ring.keep.add(memory).add(options.area);
    this.id = answer.id;
    this.entries = answer.entries;
    this.#ring = ring;
    this.#area = new Uint8Array(buffer, byteOffset, byteLength);
    this.#areaToken = answer.areaToken;
    this.#words = new Int32Array(memory.bytes.buffer, 0, size >> 2);
    this.#view = new DataView(memory.bytes.buffer, 0, size);
    this.#head = answer.head >> 2;
    this.#tail = answer.tail >> 2;
    this.#entriesAt = answer.rqes;
  }

  /**
   * The bytes that a completion brought. They stay until {@linkcode refill}.
   *
   * @throws {RangeError} if it is no completion of `RECV_ZC` with data.
   */
  bytes(completion: ZcrxCompletion): Uint8Array {
    const offset = Number(completion.bigCqe(0) & ~IORING_ZCRX_AREA_MASK);
    const { res } = completion;
    if (res < 0 || offset + res > this.#area.length) {
      throw new RangeError(
        `Zcrx.bytes: the completion names ${res} bytes at ${offset}; the area has ` +
          `${this.#area.length}.`,
      );
    }
    return this.#area.subarray(offset, offset + res);
  }

  /**
   * Gives what a completion brought back to the card.
   *
   * @returns false if the refill queue is full: the kernel has not looked yet. Receive more,
   * or {@linkcode flush}, and try again.
   */
  refill(completion: ZcrxCompletion): boolean {
    const tail = this.#words[this.#tail] as number;
    const head = Atomics.load(this.#words, this.#head);
    if (((tail - head) | 0) >= this.entries) return false;
    const at = this.#entriesAt + (tail & (this.entries - 1)) * rqe.size;
    const offset = completion.bigCqe(0) & ~IORING_ZCRX_AREA_MASK;
    this.#view.setBigUint64(at + rqe.off, offset | this.#areaToken, true);
    this.#view.setUint32(at + rqe.len, completion.res, true);
    // Release: a kernel that sees the tail sees the entry before it.
    Atomics.store(this.#words, this.#tail, (tail + 1) | 0);
    return true;
  }

  /** Has the kernel take what lies in the refill queue. Since Linux 6.19. */
  flush(): void {
    this.#control(ZCRX_CTRL_FLUSH_RQ);
  }

  /**
   * Makes a descriptor by which another ring can receive from the same queue: give it as
   * `interfaceIndex`, with the flag `ZCRX_REG_IMPORT`. Since Linux 6.19.
   */
  export(): number {
    return this.#control(ZCRX_CTRL_EXPORT);
  }

  #control(operation: number): number {
    return withBlock(zcrx_ctrl.size, (block) => {
      block.view.setUint32(zcrx_ctrl.zcrx_id, this.id, true);
      block.view.setUint32(zcrx_ctrl.op, operation, true);
      const name = "io_uring_register_zcrx_ctrl";
      this.#ring.register(name, IORING_REGISTER_ZCRX_CTRL, block, 0);
      return block.view.getInt32(zcrx_ctrl.zc_export_zcrx_fd, true);
    });
  }
}

function check(options: ZcrxOptions, page: number): void {
  const what = "ring.registerZcrx";
  if (options === null || typeof options !== "object") {
    throw new TypeError(
      `${what}: options must be an object; got ${show(options)}.`,
    );
  }
  const { interfaceIndex, queue = 0, entries } = options;
  const { flags = 0, bufferLength = 0 } = options;
  checkInteger(`${what}: interfaceIndex`, interfaceIndex, 0, UINT32_MAX);
  checkInteger(`${what}: queue`, queue, 0, UINT32_MAX);
  checkInteger(`${what}: entries`, entries, 1, MOST_ENTRIES);
  checkInteger(`${what}: flags`, flags, 0, UINT32_MAX);
  checkInteger(`${what}: bufferLength`, bufferLength, 0, UINT32_MAX);
  checkView(`${what}: area`, options.area);
  const { byteLength } = options.area;
  const whole = byteLength > 0 && byteLength % page === 0 &&
    addressOf(options.area) % page === 0;
  if (!whole) {
    throw new RangeError(
      `${what}: area must be whole pages of ${page} bytes, from the beginning of one on. ` +
        "Take it from new Memory().",
    );
  }
}

interface Answer {
  id: number;
  entries: number;
  areaToken: bigint;
  head: number;
  tail: number;
  rqes: number;
}

function register(
  ring: Registrar,
  options: ZcrxOptions,
  memory: Memory,
  size: number,
): Answer {
  const areaAt = ifq.size;
  const regionAt = areaAt + area.size;
  return withBlock(regionAt + region.size, (block) => {
    const { view, address } = block;
    view.setUint32(ifq.if_idx, options.interfaceIndex, true);
    view.setUint32(ifq.if_rxq, options.queue ?? 0, true);
    view.setUint32(ifq.rq_entries, options.entries, true);
    view.setUint32(ifq.flags, options.flags ?? 0, true);
    view.setUint32(ifq.rx_buf_len, options.bufferLength ?? 0, true);
    writeAddress(view, ifq.area_ptr, address + areaAt);
    writeAddress(view, ifq.region_ptr, address + regionAt);
    writeAddress(view, areaAt + area.addr, addressOf(options.area));
    writeAddress(view, areaAt + area.len, options.area.byteLength);
    writeAddress(view, regionAt + region.user_addr, memory.address);
    writeAddress(view, regionAt + region.size_, size);
    view.setUint32(regionAt + region.flags, IORING_MEM_REGION_TYPE_USER, true);
    const name = "io_uring_register_ifq";
    ring.register(name, IORING_REGISTER_ZCRX_IFQ, block, 1, hint);
    return {
      id: view.getUint32(ifq.zcrx_id, true),
      entries: view.getUint32(ifq.rq_entries, true),
      areaToken: view.getBigUint64(areaAt + area.rq_area_token, true),
      head: view.getUint32(ifq.offsets_head, true),
      tail: view.getUint32(ifq.offsets_tail, true),
      rqes: view.getUint32(ifq.offsets_rqes, true),
    };
  });
}
