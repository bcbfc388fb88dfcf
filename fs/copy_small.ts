/**
 * Small files, copied many at a time into folders where nothing is yet.
 *
 * @module
 */

import {
  IOSQE_ASYNC,
  IOSQE_FIXED_FILE,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../ffi/abi.ts";
import { statx as layout } from "../ffi/layout.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_RDONLY,
  O_TMPFILE,
  O_WRONLY,
  STATX_BASIC_STATS,
  STATX_BTIME,
} from "../ffi/linux.ts";
import { Memory } from "../ffi/memory.ts";
import {
  prepClose,
  prepCloseDirect,
  prepOpenat,
  prepOpenatDirect,
} from "../ops/open.ts";
import { prepLinkat, prepStatx } from "../ops/path.ts";
import { prepRead, prepWrite } from "../ops/rw.ts";
import type { Cqe } from "../ring/cqe.ts";
import type { Sqe } from "../ring/sqe.ts";
import { PathSlots } from "./batch_paths.ts";
import { wasClosed, wasOpened } from "./descriptor.ts";
import type { SliceRing } from "./slice_ring.ts";
import { type FileInfo, fileInfoAt } from "./stat.ts";

/** What a file that is copied here is smaller than, in bytes. */
export const SMALL_FILE: number = 64 * 1024;

/** What holds "/proc/self/fd/2147483647" and a NUL. */
const NAME = 32;
/** By slot, beside its block: a `struct statx`, and the name of a descriptor. */
const ASIDE = layout.size + NAME;
const MASK = STATX_BASIC_STATS | STATX_BTIME;

const encoder = new TextEncoder();

/** What the kernel is asked for: a tag is a slot, and one of these. */
const LOOK = 0, OPEN = 1, READ = 2, SHUT = 3, MAKE = 4;
const WRITE = 5, LINK = 6, CLOSE = 7;
const KINDS = 8;

const ENOENT = 2;
const ENFILE = 23;
const EMFILE = 24;
const ECANCELED = 125;

/** A file that may be copied here, and who wants to know what becomes of it. */
export interface SmallCopy {
  /** Its path. */
  readonly from: string;
  /** The folder that its copy goes to. */
  readonly folder: string;
  /** The path of its copy. */
  readonly to: string;
  /** What it is: whether it is to be copied here. Otherwise it is not heard of again. */
  looked(info: FileInfo): boolean;
  /** It is there, whole, with so many bytes. */
  copied(bytes: number): void;
  /** It was not copied, for whatever reason. */
  refused(): void;
}

/** What is to be done yet with the file of a slot. */
const NOTHING = 0, ALL = 1, PUTTING = 2, DROPPING = 3;

/**
 * Copies small files by a ring of its own, in groups that take three rounds each.
 *
 * All are looked at first. Then they are read, while for each a file without a name is made. Last,
 * those are written, linked and closed: a file appears only when it is whole. What a worker has to
 * do is one chain for all files of a group: to wake workers up takes longer than what they do.
 *
 * There is no promise on the way. What goes wrong is not told here: whoever gets a file back tries
 * again, and finds out.
 */
export class SmallCopies implements Disposable {
  /** How many entries a file has in flight at most. */
  static readonly ENTRIES = 4;

  /** How many files are under way. */
  busy = 0;
  readonly #ring: SliceRing;
  readonly #size: number;
  /** Groups of which nothing is under way. */
  readonly #free: number[] = [];
  readonly #copies: (SmallCopy | undefined)[];
  readonly #blocks: Memory;
  readonly #aside: Memory;
  readonly #view: DataView<ArrayBuffer>;
  readonly #sources: PathSlots;
  readonly #targets: PathSlots;
  /** By group: how many files it was given, the round it is in, how many completions are to come. */
  readonly #given: Uint8Array;
  readonly #round: Uint8Array;
  readonly #left: Int32Array;
  /** By slot: what is to be done; how large the file is; its permissions. */
  readonly #todo: Uint8Array;
  readonly #sizes: Int32Array;
  readonly #modes: Int32Array;
  /** By tag: what the kernel answered. */
  readonly #results: Int32Array;
  /** How many descriptors there are. */
  #open = 0;
  /** Groups that found none. */
  #waiting: number[] = [];
  /** Whether a descriptor may be linked without a path: before Linux 6.10 root may only. */
  #linksDescriptors = true;

  /** Groups of so many slots on a ring, whose table of files has one for each slot. */
  constructor(ring: SliceRing, groups: number, size: number) {
    this.#ring = ring;
    this.#size = size;
    const slots = groups * size;
    for (let group = groups - 1; group >= 0; group--) this.#free.push(group);
    this.#copies = new Array<SmallCopy | undefined>(slots).fill(undefined);
    this.#blocks = new Memory(slots * SMALL_FILE);
    this.#aside = new Memory(slots * ASIDE);
    this.#view = new DataView(this.#aside.bytes.buffer);
    this.#sources = new PathSlots(slots);
    this.#targets = new PathSlots(slots);
    this.#given = new Uint8Array(groups);
    this.#round = new Uint8Array(groups);
    this.#left = new Int32Array(groups);
    this.#todo = new Uint8Array(slots);
    this.#sizes = new Int32Array(slots);
    this.#modes = new Int32Array(slots);
    this.#results = new Int32Array(slots * KINDS);
  }

  /** Begins with what there is, as far as there is room; false if there could be more. */
  fill(source: { next(): SmallCopy | undefined }): boolean {
    for (let group = this.#free.pop(); group !== undefined;) {
      let given = 0;
      for (; given < this.#size; given++) {
        const copy = source.next();
        if (copy === undefined) break;
        const slot = group * this.#size + given;
        this.#copies[slot] = copy;
        this.#todo[slot] = ALL;
        this.busy++;
      }
      this.#given[group] = given;
      if (given === 0) {
        this.#free.push(group);
        return false;
      }
      this.#look(group);
      group = this.#free.pop();
    }
    return true;
  }

  /** Gives back all that is under way. */
  abandon(): void {
    for (const slot of this.#copies.keys()) {
      if (this.#todo[slot] !== NOTHING) this.#end(slot).refused();
    }
  }

  /** Takes a completion, and goes on where all of a round are there. */
  complete({ tag, res }: Cqe): void {
    this.#results[tag] = res;
    const group = Math.floor(tag / (KINDS * this.#size));
    const left = (this.#left[group] as number) - 1;
    this.#left[group] = left;
    if (left === 0) this.#advance(group);
  }

  #advance(group: number): void {
    switch (this.#round[group]) {
      case LOOK:
        return this.#looked(group);
      case MAKE:
        return this.#made(group);
      default:
        return this.#closed(group);
    }
  }

  #entry(slot: number, kind: number): Sqe {
    const group = Math.floor(slot / this.#size);
    this.#left[group] = (this.#left[group] as number) + 1;
    return this.#ring.entry(slot * KINDS + kind);
  }

  #result(slot: number, kind: number): number {
    return this.#results[slot * KINDS + kind] as number;
  }

  /** The slots of a group of whose files something is to be done. */
  #slots(group: number, todo: number): number[] {
    const slots: number[] = [];
    const first = group * this.#size;
    const end = first + (this.#given[group] as number);
    for (let slot = first; slot < end; slot++) {
      if (this.#todo[slot] === todo) slots.push(slot);
    }
    return slots;
  }

  #look(group: number): void {
    this.#round[group] = LOOK;
    const slots = this.#slots(group, ALL);
    for (const slot of slots) {
      this.#sources.put(slot, (this.#copies[slot] as SmallCopy).from);
      const source = this.#sources.address(slot);
      const target = this.#aside.address + slot * ASIDE;
      const sqe = this.#entry(slot, LOOK);
      prepStatx(sqe, AT_FDCWD, source, AT_SYMLINK_NOFOLLOW, MASK, target);
      if (slot !== slots.at(-1)) sqe.flags = IOSQE_IO_HARDLINK;
    }
  }

  #looked(group: number): void {
    for (const slot of this.#slots(group, ALL)) {
      if (this.#result(slot, LOOK) < 0) {
        this.#end(slot).refused();
        continue;
      }
      const copy = this.#copies[slot] as SmallCopy;
      const info = fileInfoAt(this.#view, slot * ASIDE);
      if (!copy.looked(info)) {
        this.#end(slot);
        continue;
      }
      this.#sizes[slot] = info.size;
      this.#modes[slot] = (info.mode ?? 0) & 0o777;
      this.#read(slot);
    }
    this.#make(group);
  }

  /** One byte more than it should have: a read that leaves that free has found the end. */
  #read(slot: number): void {
    const source = this.#sources.address(slot);
    const block = this.#blocks.address + slot * SMALL_FILE;
    const flags = O_RDONLY | O_NOFOLLOW;
    const open = this.#entry(slot, OPEN);
    prepOpenatDirect(open, AT_FDCWD, source, flags, 0, slot);
    open.flags = IOSQE_IO_LINK;
    const read = this.#entry(slot, READ);
    prepRead(read, slot, block, (this.#sizes[slot] as number) + 1, 0);
    read.flags = IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
    prepCloseDirect(this.#entry(slot, SHUT), slot);
  }

  /** Makes files without names, for all that are to be copied yet. */
  #make(group: number): void {
    const slots = this.#slots(group, ALL);
    if (slots.length === 0) return this.#leave(group);
    this.#round[group] = MAKE;
    for (const slot of slots) {
      this.#targets.put(slot, (this.#copies[slot] as SmallCopy).folder);
      const folder = this.#targets.address(slot);
      const flags = O_WRONLY | O_TMPFILE | O_CLOEXEC;
      const mode = this.#modes[slot] as number;
      const sqe = this.#entry(slot, MAKE);
      prepOpenat(sqe, AT_FDCWD, folder, flags, mode);
      if (slot !== slots.at(-1)) sqe.flags = IOSQE_IO_HARDLINK;
    }
  }

  #made(group: number): void {
    let made = 0;
    for (const slot of this.#slots(group, ALL)) {
      const fd = this.#result(slot, MAKE);
      const isWhole = this.#result(slot, READ) === this.#sizes[slot];
      if (fd >= 0) {
        made++;
        wasOpened("passing");
        this.#todo[slot] = isWhole ? PUTTING : DROPPING;
      } else if (!isWhole || (fd !== -EMFILE && fd !== -ENFILE)) {
        this.#end(slot).refused();
      }
    }
    this.#open += made;
    if (made > 0) this.#put(group);
    // Those that are left found no descriptor.
    else if (this.#open > 0) this.#waiting.push(group);
    else this.#giveUp(group);
  }

  #put(group: number): void {
    this.#round[group] = CLOSE;
    const slots = this.#slots(group, PUTTING);
    for (const slot of slots) this.#write(slot, slot === slots.at(-1));
    for (const slot of this.#slots(group, DROPPING)) this.#close(slot);
  }

  #write(slot: number, isLast: boolean): void {
    const fd = this.#result(slot, MAKE);
    this.#targets.put(slot, (this.#copies[slot] as SmallCopy).to);
    const block = this.#blocks.address + slot * SMALL_FILE;
    const write = this.#entry(slot, WRITE);
    prepWrite(write, fd, block, this.#sizes[slot] as number, 0);
    // Most file systems leave writes to a worker in any case.
    write.flags = IOSQE_IO_LINK | IOSQE_ASYNC;
    this.#link(slot, fd);
    const close = this.#close(slot);
    if (!isLast) close.flags = IOSQE_IO_HARDLINK;
  }

  #link(slot: number, fd: number): void {
    const sqe = this.#entry(slot, LINK);
    const at = slot * ASIDE + layout.size;
    const self = this.#aside.address + at;
    const target = this.#targets.address(slot);
    const { bytes } = this.#aside;
    if (this.#linksDescriptors) {
      bytes[at] = 0;
      prepLinkat(sqe, fd, self, AT_FDCWD, target, AT_EMPTY_PATH);
    } else {
      encoder.encodeInto(
        `/proc/self/fd/${fd}\0`,
        bytes.subarray(at, at + NAME),
      );
      prepLinkat(sqe, AT_FDCWD, self, AT_FDCWD, target, AT_SYMLINK_FOLLOW);
    }
    sqe.flags = IOSQE_IO_LINK;
  }

  #close(slot: number): Sqe {
    const sqe = this.#entry(slot, CLOSE);
    prepClose(sqe, this.#result(slot, MAKE));
    return sqe;
  }

  #closed(group: number): void {
    for (const slot of this.#slots(group, DROPPING)) {
      this.#open--;
      wasClosed("passing");
      this.#end(slot).refused();
    }
    for (const slot of this.#slots(group, PUTTING)) {
      const linked = this.#result(slot, LINK);
      const closed = this.#result(slot, CLOSE);
      if (linked === -ENOENT) this.#linksDescriptors = false;
      // Where one fails, the kernel leaves out the others of the chain.
      if (closed === -ECANCELED) {
        this.#todo[slot] = DROPPING;
        continue;
      }
      this.#open--;
      wasClosed("passing");
      const size = this.#sizes[slot] as number;
      const copy = this.#end(slot);
      if (linked === 0 && closed === 0) copy.copied(size);
      else copy.refused();
    }
    const [left] = this.#slots(group, DROPPING);
    if (left === undefined) this.#make(group);
    else this.#put(group);
  }

  /** Nothing is to be had for the files that are left of a group. */
  #giveUp(group: number): void {
    for (const slot of this.#slots(group, ALL)) this.#end(slot).refused();
    this.#leave(group);
  }

  #leave(group: number): void {
    this.#free.push(group);
    // Descriptors are free: for all that wait, as there may be nobody else who gives any.
    for (const waiting of this.#waiting.splice(0)) this.#make(waiting);
  }

  #end(slot: number): SmallCopy {
    const copy = this.#copies[slot] as SmallCopy;
    this.#copies[slot] = undefined;
    this.#todo[slot] = NOTHING;
    this.busy--;
    return copy;
  }

  /** Gives the memory back. Nothing may be in flight. */
  [Symbol.dispose](): void {
    this.#sources[Symbol.dispose]();
    this.#targets[Symbol.dispose]();
    this.#blocks.close();
    this.#aside.close();
  }
}
