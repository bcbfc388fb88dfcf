/**
 * The work of `readFiles`: open, read to the end, close.
 *
 * @module
 */

import {
  IORING_OP_LINKAT,
  IOSQE_FIXED_FILE,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../ffi/abi.ts";
import { closeDescriptor } from "../ffi/descriptors.ts";
import { isSystemError, systemError } from "../ffi/errors.ts";
import { statx as layout } from "../ffi/layout.ts";
import {
  AT_FDCWD,
  ECANCELED,
  ELOOP,
  EMFILE,
  ENFILE,
  ENOENT,
  ENOMEM,
  O_CLOEXEC,
  O_RDONLY,
  POLLIN,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  STATX_SIZE,
  STATX_TYPE,
} from "../ffi/linux.ts";
import { addressOf, Memory } from "../ffi/memory.ts";
import { writeOpenHow } from "../ffi/structs/open_how.ts";
import { MAX_TRANSFER } from "../ops/arguments.ts";
import {
  prepClose,
  prepCloseDirect,
  prepOpenat,
  prepOpenat2,
  prepOpenat2Direct,
  prepOpenatDirect,
} from "../ops/open.ts";
import { prepStatx } from "../ops/path.ts";
import { prepPollAdd } from "../ops/poll.ts";
import { prepRead } from "../ops/rw.ts";
import type { Cqe } from "../ring/cqe.ts";
import type { Ring } from "../ring/ring.ts";
import type { Sqe } from "../ring/sqe.ts";
import { Failure, type Work } from "./batch_loop.ts";
import { PathSlots } from "./batch_paths.ts";
import { withPath } from "./failure.ts";
import type { Opening } from "./permission.ts";
import type { SliceRing } from "./slice_ring.ts";

/** What most files fit into. */
const BLOCK = 16 * 1024;
/** How many completions for each slot to wait for: of the three that a file in the cache has. */
const BATCHES = 1.5;
/** What a read that looks for the end may find there. */
const PROBE = 256;
/** By slot, beside its block: room for a probe, and for a `struct statx`. */
const ASIDE = PROBE + layout.size;
/** How far a file that does not tell its size grows at a time, at first. */
const GROWTH = 64 * 1024;

/** A tag says what is done in which slot; that of a close, to what, as its slot is free already. */
const OPEN = 0, READ = 1, END = 2, STAT = 3, POLL = 4, REST = 5, CLOSE = 6;
const KINDS = 8;

/** How a file that does not fit into a block goes on. */
interface Large {
  /** What was read so far, and room for more. */
  bytes: Uint8Array<ArrayBuffer>;
  /** How much of it was read. */
  length: number;
  /** How much of the limit it takes. */
  reserved: number;
}

/** Whether the ring has files of its own now. */
function hasTable(ring: Ring, slots: number): boolean {
  // Linux 5.15 has both.
  if (!ring.probe().supports(IORING_OP_LINKAT)) return false;
  try {
    ring.files.register(new Array<number>(slots).fill(-1));
    return true;
  } catch (error) {
    // EMFILE: the table may have no more slots than the process may have descriptors.
    if (!isSystemError(error)) throw error;
    return false;
  }
}

/** Options of {@linkcode ReadWork}. */
export interface ReadWorkOptions {
  /** How many bytes of large files may be in memory at a time. */
  limit: number;
  /** Whether to use files that only the ring knows, where the kernel has them. */
  direct: boolean;
  /**
   * How to open the path that is begun with, where not every path may be opened as it is. The path
   * itself is what errors name then.
   */
  opening?: () => Opening;
}

/**
 * Reads files whole.
 *
 * A file is opened, read into a block and read again to see its end, in one chain: three entries
 * of one submission which the kernel runs without coming back, within the very call if all is
 * cached. The file goes to a slot of the ring's own table, which takes less time than a
 * descriptor and is not limited as those are. Before Linux 5.15 there are no such files, and each
 * step waits for the one before.
 */
export class ReadWork implements Work<Uint8Array<ArrayBuffer>>, Disposable {
  readonly slots: number;
  /** The kernel goes on with chains while it is waited in: half of the slots, of three each. */
  readonly batch: number;
  readonly #ring: SliceRing;
  readonly #options: ReadWorkOptions;
  readonly #direct: boolean;
  readonly #memory: Memory;
  readonly #paths: PathSlots;
  readonly #opening: (() => Opening) | undefined;
  /** By slot, where there are openings: the path as it was given. */
  readonly #given: string[] = [];
  readonly #openings: Opening[] = [];
  readonly #aside: Memory;
  readonly #view: DataView<ArrayBuffer>;
  /** By slot: the descriptor, or the slot itself. */
  readonly #fds: Int32Array;
  /** Descriptors that are open: they outlive a batch that is given up, files of the ring do not. */
  readonly #descriptors: number[] = [];
  /** By slot: how many bytes the block has, or an errno, negated. */
  readonly #lengths: Int32Array;
  /** By slot: how many bytes were found behind the block. */
  readonly #probed: Int32Array;
  /** By slot: how large a large file is. */
  readonly #sizes: Float64Array;
  readonly #large: (Large | undefined)[];
  /** Slots that found no descriptor. */
  readonly #shut: number[] = [];
  /** Slots whose files find no room in the limit. */
  readonly #hungry: number[] = [];
  /** Large files that the consumer has not taken yet, and how much of the limit they take. */
  readonly #held = new Map<Uint8Array, number>();
  /** Slots whose FIFO is waited for. */
  readonly #awaited = new Set<number>();
  /** Bytes of large files that are being read, or wait for the consumer. */
  #reserved = 0;

  /** Work on a ring. */
  constructor(ring: SliceRing, slots: number, options: ReadWorkOptions) {
    this.slots = slots;
    this.batch = Math.ceil(slots * BATCHES);
    this.#ring = ring;
    this.#options = options;
    this.#opening = options.opening;
    this.#direct = options.direct && hasTable(ring.ring, slots);
    this.#memory = new Memory(slots * BLOCK);
    this.#aside = new Memory(slots * ASIDE);
    this.#view = new DataView(this.#aside.bytes.buffer);
    this.#paths = new PathSlots(slots);
    this.#fds = new Int32Array(slots);
    this.#lengths = new Int32Array(slots);
    this.#probed = new Int32Array(slots);
    this.#sizes = new Float64Array(slots);
    this.#large = new Array<Large | undefined>(slots).fill(undefined);
  }

  get waiting(): number {
    return this.#shut.length + this.#hungry.length;
  }

  begin(slot: number, path: string): void {
    const opening = this.#opening?.();
    if (opening === undefined) this.#paths.put(slot, path);
    else {
      this.#openings[slot] = opening;
      this.#given[slot] = path;
      this.#paths.put(slot, opening.path);
    }
    this.#lengths[slot] = 0;
    this.#open(slot);
  }

  #open(slot: number): void {
    const sqe = this.#ring.entry(slot * KINDS + OPEN);
    const place = this.#paths.address(slot);
    if (this.#opening !== undefined) this.#openAllowed(sqe, slot);
    else if (this.#direct) {
      prepOpenatDirect(sqe, AT_FDCWD, place, O_RDONLY, 0, slot);
    } else prepOpenat(sqe, AT_FDCWD, place, O_RDONLY | O_CLOEXEC, 0);
    if (!this.#direct) return;
    sqe.flags = IOSQE_IO_LINK;
    this.#fds[slot] = slot;
    this.#readBlock(slot);
  }

  /** Opens a path as it was allowed. */
  #openAllowed(sqe: Sqe, slot: number): void {
    const { flags, resolve } = this.#openings[slot] as Opening;
    const all = O_RDONLY | flags | (this.#direct ? 0 : O_CLOEXEC);
    // The kernel has read it before a statx may be put there.
    const at = slot * ASIDE + PROBE;
    writeOpenHow(this.#view, at, { flags: all, mode: 0, resolve });
    const how = this.#aside.address + at;
    const place = this.#paths.address(slot);
    if (this.#direct) prepOpenat2Direct(sqe, AT_FDCWD, place, how, slot);
    else prepOpenat2(sqe, AT_FDCWD, place, how);
  }

  /** Reads a block, and behind it: whatever the first read gives, the second tells if it was all. */
  #readBlock(slot: number): void {
    const target = this.#memory.address + slot * BLOCK;
    this.#read(slot, READ, target, BLOCK, IOSQE_IO_HARDLINK);
    this.#read(slot, END, this.#aside.address + slot * ASIDE, PROBE, 0);
  }

  #read(
    slot: number,
    kind: number,
    address: number,
    length: number,
    flags: number,
  ): void {
    const sqe = this.#ring.entry(slot * KINDS + kind);
    prepRead(sqe, this.#fds[slot] as number, address, length, -1);
    sqe.flags = flags | (this.#direct ? IOSQE_FIXED_FILE : 0);
  }

  complete(cqe: Cqe): number {
    const slot = Math.floor(cqe.tag / KINDS);
    const { res } = cqe;
    switch (cqe.tag % KINDS) {
      case OPEN:
        return this.#opened(slot, res);
      case READ:
        // Behind a failed open it is cancelled.
        if (res !== -ECANCELED) this.#lengths[slot] = res;
        return -1;
      case END:
        return this.#ended(slot, res);
      case STAT:
        return this.#told(slot, res);
      case POLL:
        this.#readBlock(slot);
        return -1;
      case REST:
        return this.#readMore(slot, res);
      default:
        this.#closed(slot, res);
        return -1;
    }
  }

  late({ tag, res }: Cqe): void {
    if (this.#direct) return;
    const kind = tag % KINDS;
    if (kind === OPEN && res >= 0) this.#descriptors.push(res);
    else if (kind === CLOSE) this.#closed(Math.floor(tag / KINDS), res);
  }

  /** A close is done, or was cancelled before it began. */
  #closed(fd: number, res: number): void {
    const at = res === -ECANCELED ? -1 : this.#descriptors.indexOf(fd);
    if (at >= 0) this.#descriptors.splice(at, 1);
  }

  #opened(slot: number, res: number): number {
    if (res < 0) this.#lengths[slot] = res;
    if (this.#direct) return -1;
    if (res < 0) return this.#refused(slot, res);
    this.#fds[slot] = res;
    this.#descriptors.push(res);
    this.#readBlock(slot);
    return -1;
  }

  /** It could not be opened: over, unless there will be descriptors again. */
  #refused(slot: number, res: number): number {
    if (res !== -EMFILE && res !== -ENFILE) return slot;
    this.#shut.push(slot);
    return -1;
  }

  #ended(slot: number, res: number): number {
    const length = this.#lengths[slot] as number;
    if (res === -ECANCELED) return this.#refused(slot, length);
    if (length < 0 || res < 0) {
      return this.#close(slot, length < 0 ? length : res);
    }
    if (res === 0 && length > 0) return this.#close(slot, length);
    // There is more, or nothing: then it may be a FIFO that nobody writes to yet.
    this.#probed[slot] = res;
    const sqe = this.#ring.entry(slot * KINDS + STAT);
    const target = this.#aside.address + slot * ASIDE + PROBE;
    const place = this.#paths.address(slot);
    prepStatx(sqe, AT_FDCWD, place, 0, STATX_TYPE | STATX_SIZE, target);
    return -1;
  }

  #close(slot: number, length: number): number {
    this.#lengths[slot] = length;
    const fd = this.#fds[slot] as number;
    const sqe = this.#ring.entry(fd * KINDS + CLOSE);
    if (this.#direct) prepCloseDirect(sqe, slot);
    else prepClose(sqe, fd);
    return slot;
  }

  /** What kind of file it is and how large, is known. */
  #told(slot: number, res: number): number {
    const length = this.#lengths[slot] as number;
    const probed = this.#probed[slot] as number;
    const at = slot * ASIDE + PROBE;
    const view = this.#view;
    const mode = view.getUint16(at + layout.stx_mode, true) & S_IFMT;
    if (length + probed === 0) {
      const waits = res === 0 && mode === S_IFIFO && !this.#awaited.has(slot);
      if (!waits) return this.#close(slot, 0);
      this.#await(slot);
      return -1;
    }
    // The size is a hint: the file may grow, or have another name by now.
    const size = res === 0 && mode === S_IFREG
      ? Number(view.getBigUint64(at + layout.stx_size, true))
      : 0;
    this.#sizes[slot] = Math.max(size, length + probed + 1);
    if (this.#reserved > 0 && !this.#fits(slot)) {
      this.#hungry.push(slot);
      return -1;
    }
    return this.#begin(slot);
  }

  /**
   * A ring opens a FIFO without waiting for who writes to it, and a read of it is at the end until
   * then. It can be polled once somebody has written to it, or has come and gone.
   */
  #await(slot: number): void {
    this.#awaited.add(slot);
    const sqe = this.#ring.entry(slot * KINDS + POLL);
    prepPollAdd(sqe, this.#fds[slot] as number, POLLIN);
    if (this.#direct) sqe.flags = IOSQE_FIXED_FILE;
  }

  #fits(slot: number): boolean {
    return this.#reserved + (this.#sizes[slot] as number) <=
      this.#options.limit;
  }

  /** Makes room for a large file, and goes on with it. */
  #begin(slot: number): number {
    const size = this.#sizes[slot] as number;
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = new Uint8Array(size);
    } catch {
      return this.#close(slot, -ENOMEM);
    }
    this.#reserved += size;
    const length = this.#lengths[slot] as number;
    const probed = this.#probed[slot] as number;
    const block = slot * BLOCK;
    const aside = slot * ASIDE;
    bytes.set(this.#memory.bytes.subarray(block, block + length));
    bytes.set(this.#aside.bytes.subarray(aside, aside + probed), length);
    const large = { bytes, length: length + probed, reserved: size };
    this.#large[slot] = large;
    this.#readRest(slot, large);
    return -1;
  }

  #readRest(slot: number, { bytes, length }: Large): void {
    if (length === bytes.length) {
      // Whole, unless it has grown.
      const aside = this.#aside.address + slot * ASIDE;
      this.#read(slot, REST, aside, PROBE, 0);
      return;
    }
    const room = Math.min(bytes.length - length, MAX_TRANSFER);
    this.#read(slot, REST, addressOf(bytes) + length, room, 0);
  }

  #readMore(slot: number, res: number): number {
    const large = this.#large[slot] as Large;
    const { bytes, length } = large;
    if (res < 0) return this.#close(slot, res);
    if (res === 0) {
      if (length < bytes.length) large.bytes = bytes.slice(0, length);
      return this.#close(slot, 0);
    }
    if (length === bytes.length && !this.#grow(slot, large, res)) {
      return this.#close(slot, -ENOMEM);
    }
    large.length += res;
    this.#readRest(slot, large);
    return -1;
  }

  /** Makes room behind a full array, and puts there what the probe found. */
  #grow(slot: number, large: Large, probed: number): boolean {
    const { bytes, length } = large;
    let larger: Uint8Array<ArrayBuffer>;
    try {
      larger = new Uint8Array(length + Math.max(length >> 1, GROWTH));
    } catch {
      return false;
    }
    const aside = slot * ASIDE;
    larger.set(bytes);
    larger.set(this.#aside.bytes.subarray(aside, aside + probed), length);
    this.#reserved += larger.length - bytes.length;
    large.reserved += larger.length - bytes.length;
    large.bytes = larger;
    return true;
  }

  result(slot: number): Uint8Array<ArrayBuffer> | Failure {
    const length = this.#lengths[slot] as number;
    const large = this.#large[slot];
    this.#large[slot] = undefined;
    this.#awaited.delete(slot);
    if (length < 0) {
      this.#reserved -= large?.reserved ?? 0;
      const path = this.#given[slot] ?? this.#paths.text(slot);
      const isNothing = length === -ELOOP && this.#openings[slot]?.missing;
      const errno = isNothing ? ENOENT : -length;
      const error = systemError(errno, "read", { path });
      return new Failure(withPath(error, "readfile", path) as Error);
    }
    if (large !== undefined) {
      this.#held.set(large.bytes, large.reserved);
      return large.bytes;
    }
    const at = slot * BLOCK;
    return this.#memory.bytes.slice(at, at + length);
  }

  taken(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#held.size === 0) return;
    this.#reserved -= this.#held.get(bytes) ?? 0;
    this.#held.delete(bytes);
  }

  resume(first: number): void {
    for (const slot of this.#shut.splice(0)) this.#open(slot);
    // Whose turn it is goes on, however large: the others wait for it to be taken.
    for (const slot of this.#hungry.splice(0)) {
      if (this.#reserved === 0 || slot === first || this.#fits(slot)) {
        this.#begin(slot);
      } else this.#hungry.push(slot);
    }
  }

  /** Gives the memory back. Nothing may be in flight. */
  [Symbol.dispose](): void {
    for (const fd of this.#descriptors.splice(0)) closeDescriptor(fd);
    this.#paths[Symbol.dispose]();
    this.#memory.close();
    this.#aside.close();
  }
}
