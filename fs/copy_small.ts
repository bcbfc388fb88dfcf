/**
 * Small files, copied many at a time to where nothing is yet.
 *
 * @module
 */

import {
  IOSQE_ASYNC,
  IOSQE_FIXED_FILE,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../ffi/abi.ts";
import { ECANCELED, EMFILE, ENFILE, ENOENT } from "../ffi/linux.ts";
import { prepClose, prepCloseDirect } from "../ops/open.ts";
import type { Cqe } from "../ring/cqe.ts";
import type { Sqe } from "../ring/sqe.ts";
import { CopySlots } from "./copy_slots.ts";
import { giveBack, wasClosed, wasOpened } from "./descriptor.ts";
import type { SliceRing } from "./slice_ring.ts";

/** What the kernel is asked for: a tag is a slot, and one of these. */
const LOOK = 0, OPEN = 1, READ = 2, SHUT = 3, MAKE = 4;
const WRITE = 5, LINK = 6, CLOSE = 7;
const KINDS = 8;

/** No answer: it was not asked for that; it has not answered yet. */
const UNASKED = -0x8000_0000, UNANSWERED = -0x7fff_ffff;

/** A file that may be copied here, and who wants to know what becomes of it. */
export interface SmallCopy {
  /** Its path. */
  readonly from: string;
  /** Whether a symbolic link of that name is followed. */
  readonly follows: boolean;
  /** The folder that its copy goes to. */
  readonly folder: string;
  /** The path of its copy. */
  readonly to: string;
  /** How many bytes it has; less than 0 while that is not known: then it is looked at first. */
  readonly size: number;
  /** The permissions of its copy, less the umask; known when its size is. */
  readonly mode: number;
  /**
   * What it is, a `struct statx`: whether it is to be copied here, and has a size now that is less
   * than `SMALL_FILE`. Otherwise it is not heard of again.
   */
  looked(stat: DataView, at: number): boolean;
  /**
   * Gives the copy what it is to have beside data, before it has its name: false if that takes more
   * care than there is here. Only called where files get something.
   */
  finish(fd: number): boolean;
  /** It is there, whole. */
  copied(): void;
  /**
   * It was not copied.
   *
   * @param errno what kept it from being looked at; 0 if it was something else.
   */
  refused(errno: number): void;
}

/** What is to be done yet with the file of a slot. */
const NOTHING = 0, ALL = 1, PUTTING = 2, DROPPING = 3;

/**
 * Copies small files by a ring of its own, in groups that take three rounds each.
 *
 * All are looked at first. Then they are read, while for each a file without a name is made. Last,
 * those are written, linked and closed: a file appears only when it is whole. If they get more than
 * data, that takes two rounds. What a worker has to do is one chain for all files of a group: to
 * wake workers up takes longer than what they do.
 *
 * There is no promise on the way. What goes wrong is not told here: whoever gets a file back tries
 * again, and finds out.
 */
export class SmallCopies implements Disposable {
  /** How many entries a file has in flight at most. The ring takes those of a group together. */
  static readonly ENTRIES = 4;

  /** How many files are under way. */
  busy = 0;
  readonly #ring: SliceRing;
  readonly #size: number;
  readonly #finishes: boolean;
  readonly #slots: CopySlots;
  /** Groups of which nothing is under way. */
  readonly #free: number[] = [];
  readonly #copies: (SmallCopy | undefined)[];
  /** By group: how many files it was given, the round it is in, how many completions are to come. */
  readonly #given: Uint8Array;
  readonly #round: Uint8Array;
  readonly #left: Int32Array;
  /** By slot: what is to be done. */
  readonly #todo: Uint8Array;
  /** By tag: what the kernel answered. */
  readonly #results: Int32Array;
  /** How many descriptors there are. */
  #open = 0;
  /** Groups that found none. */
  #waiting: number[] = [];

  /**
   * Groups of so many slots on a ring, whose table of files has one for each slot.
   *
   * @param finishes whether files get something beside data.
   */
  constructor(
    ring: SliceRing,
    groups: number,
    size: number,
    finishes: boolean,
  ) {
    this.#ring = ring;
    this.#size = size;
    this.#finishes = finishes;
    const slots = groups * size;
    this.#slots = new CopySlots(slots);
    for (let group = groups - 1; group >= 0; group--) this.#free.push(group);
    this.#copies = new Array<SmallCopy | undefined>(slots).fill(undefined);
    this.#given = new Uint8Array(groups);
    this.#round = new Uint8Array(groups);
    this.#left = new Int32Array(groups);
    this.#todo = new Uint8Array(slots);
    this.#results = new Int32Array(slots * KINDS).fill(UNASKED);
  }

  /** Begins with what there is, as far as there is room; false if there could be more. */
  fill(source: { next(): SmallCopy | undefined }): boolean {
    for (let group = this.#free.pop(); group !== undefined;) {
      let given = 0;
      for (; given < this.#size; given++) {
        const copy = source.next();
        if (copy === undefined) break;
        this.#begin(group * this.#size + given, copy);
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

  #begin(slot: number, copy: SmallCopy): void {
    this.#copies[slot] = copy;
    this.#todo[slot] = ALL;
    this.#results.fill(UNASKED, slot * KINDS, (slot + 1) * KINDS);
    this.#slots.source(slot, copy.from);
    this.busy++;
  }

  /** Takes a completion, and goes on where all of a round are there. */
  complete(cqe: Cqe): void {
    this.note(cqe);
    const group = Math.floor(cqe.tag / (KINDS * this.#size));
    const left = (this.#left[group] as number) - 1;
    this.#left[group] = left;
    if (left === 0) this.#advance(group);
  }

  /** Takes a completion, when nothing is to go on any more. */
  note({ tag, res }: Cqe): void {
    this.#results[tag] = res;
  }

  /**
   * Gives back all that is under way. Nothing may be in flight any more, and {@linkcode note} have
   * been told of all that was. Nothing can be copied afterwards.
   */
  abandon(): void {
    this.#free.length = 0;
    for (const slot of this.#copies.keys()) {
      const todo = this.#todo[slot];
      if (todo === NOTHING) continue;
      const fd = this.#result(slot, MAKE);
      if (fd >= 0) {
        if (todo === ALL) wasOpened("passing");
        const closed = this.#result(slot, CLOSE);
        if (closed === UNASKED || closed === -ECANCELED) {
          giveBack(fd, "passing");
        } else wasClosed("passing");
      }
      this.#end(slot).refused(0);
    }
  }

  #advance(group: number): void {
    this.#reserve();
    switch (this.#round[group]) {
      case LOOK:
        return this.#looked(group);
      case MAKE:
        return this.#made(group);
      case WRITE:
        return this.#written(group);
      default:
        return this.#closed(group);
    }
  }

  /** Nothing of a group's chain is left for a later submission. */
  #reserve(): void {
    this.#ring.reserve(SmallCopies.ENTRIES * this.#size);
  }

  #entry(slot: number, kind: number): Sqe {
    const group = Math.floor(slot / this.#size);
    this.#left[group] = (this.#left[group] as number) + 1;
    const tag = slot * KINDS + kind;
    this.#results[tag] = UNANSWERED;
    return this.#ring.entry(tag);
  }

  #result(slot: number, kind: number): number {
    return this.#results[slot * KINDS + kind] as number;
  }

  #copy(slot: number): SmallCopy {
    return this.#copies[slot] as SmallCopy;
  }

  /** The slots of a group of whose files something is to be done. */
  #those(group: number, todo: number): number[] {
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
    this.#reserve();
    const slots = this.#those(group, ALL)
      .filter((slot) => this.#copy(slot).size < 0);
    for (const slot of slots) {
      const sqe = this.#entry(slot, LOOK);
      this.#slots.look(sqe, slot, this.#copy(slot).follows);
      if (slot !== slots.at(-1)) sqe.flags = IOSQE_IO_HARDLINK;
    }
    if (slots.length === 0) this.#looked(group);
  }

  #looked(group: number): void {
    const { view } = this.#slots;
    for (const slot of this.#those(group, ALL)) {
      const copy = this.#copy(slot);
      const result = this.#result(slot, LOOK);
      if (result !== UNASKED) {
        if (result < 0) {
          this.#end(slot).refused(-result);
          continue;
        }
        if (!copy.looked(view, this.#slots.statAt(slot))) {
          this.#end(slot);
          continue;
        }
      }
      this.#read(slot, copy);
    }
    this.#make(group);
  }

  #read(slot: number, { follows, size }: SmallCopy): void {
    const open = this.#entry(slot, OPEN);
    this.#slots.open(open, slot, follows);
    open.flags = IOSQE_IO_LINK;
    const read = this.#entry(slot, READ);
    this.#slots.read(read, slot, size);
    read.flags = IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;
    prepCloseDirect(this.#entry(slot, SHUT), slot);
  }

  /** Makes files without names, for all that are to be copied yet. */
  #make(group: number): void {
    const slots = this.#those(group, ALL);
    if (slots.length === 0) return this.#leave(group);
    this.#round[group] = MAKE;
    this.#reserve();
    for (const slot of slots) {
      const { folder, mode } = this.#copy(slot);
      const sqe = this.#entry(slot, MAKE);
      this.#slots.make(sqe, slot, folder, mode);
      if (slot !== slots.at(-1)) sqe.flags = IOSQE_IO_HARDLINK;
    }
  }

  #made(group: number): void {
    let made = 0;
    for (const slot of this.#those(group, ALL)) {
      const fd = this.#result(slot, MAKE);
      const isWhole = this.#result(slot, READ) === this.#copy(slot).size;
      if (fd >= 0) {
        made++;
        wasOpened("passing");
        this.#todo[slot] = isWhole ? PUTTING : DROPPING;
      } else if (!isWhole || (fd !== -EMFILE && fd !== -ENFILE)) {
        this.#end(slot).refused(0);
      }
    }
    this.#open += made;
    if (made > 0) this.#put(group);
    // Those that are left found no descriptor.
    else if (this.#open > 0) this.#waiting.push(group);
    else this.#giveUp(group);
  }

  #put(group: number): void {
    const slots = this.#those(group, PUTTING);
    if (!this.#finishes || slots.length === 0) return this.#name(group, true);
    this.#round[group] = WRITE;
    for (const slot of slots) {
      const write = this.#write(slot);
      if (slot !== slots.at(-1)) write.flags |= IOSQE_IO_HARDLINK;
    }
  }

  #written(group: number): void {
    for (const slot of this.#those(group, PUTTING)) {
      const copy = this.#copy(slot);
      const isWhole = this.#result(slot, WRITE) === copy.size;
      if (!isWhole || !copy.finish(this.#result(slot, MAKE))) {
        this.#todo[slot] = DROPPING;
      }
    }
    this.#name(group, false);
  }

  /** Gives files their names, and closes them. */
  #name(group: number, writes: boolean): void {
    this.#round[group] = CLOSE;
    const slots = this.#those(group, PUTTING);
    for (const slot of slots) {
      if (writes) this.#write(slot).flags |= IOSQE_IO_LINK;
      const link = this.#entry(slot, LINK);
      const { to } = this.#copy(slot);
      this.#slots.link(link, slot, this.#result(slot, MAKE), to);
      link.flags = IOSQE_IO_HARDLINK;
      const close = this.#close(slot);
      if (slot !== slots.at(-1)) close.flags = IOSQE_IO_HARDLINK;
    }
    for (const slot of this.#those(group, DROPPING)) this.#close(slot);
  }

  #write(slot: number): Sqe {
    const sqe = this.#entry(slot, WRITE);
    const fd = this.#result(slot, MAKE);
    this.#slots.write(sqe, slot, fd, this.#copy(slot).size);
    // Most file systems leave writes to a worker in any case.
    sqe.flags = IOSQE_ASYNC;
    return sqe;
  }

  #close(slot: number): Sqe {
    const sqe = this.#entry(slot, CLOSE);
    prepClose(sqe, this.#result(slot, MAKE));
    return sqe;
  }

  #closed(group: number): void {
    for (const slot of this.#those(group, DROPPING)) {
      this.#open--;
      wasClosed("passing");
      this.#end(slot).refused(0);
    }
    for (const slot of this.#those(group, PUTTING)) {
      const linked = this.#result(slot, LINK);
      const closed = this.#result(slot, CLOSE);
      if (linked === -ENOENT) this.#slots.linksDescriptors = false;
      // Where a write fails, the kernel leaves out the others of the chain.
      if (closed === -ECANCELED) {
        this.#todo[slot] = DROPPING;
        continue;
      }
      this.#open--;
      wasClosed("passing");
      const copy = this.#end(slot);
      if (linked === 0 && closed === 0) copy.copied();
      else copy.refused(0);
    }
    const [left] = this.#those(group, DROPPING);
    if (left === undefined) this.#make(group);
    else this.#put(group);
  }

  /** Nothing is to be had for the files that are left of a group. */
  #giveUp(group: number): void {
    for (const slot of this.#those(group, ALL)) this.#end(slot).refused(0);
    this.#leave(group);
  }

  #leave(group: number): void {
    this.#free.push(group);
    // Descriptors are free: for all that wait, as there may be nobody else who gives any.
    for (const waiting of this.#waiting.splice(0)) this.#make(waiting);
  }

  #end(slot: number): SmallCopy {
    const copy = this.#copy(slot);
    this.#copies[slot] = undefined;
    this.#todo[slot] = NOTHING;
    this.busy--;
    return copy;
  }

  /** Gives the memory back. Nothing may be in flight. */
  [Symbol.dispose](): void {
    this.#slots[Symbol.dispose]();
  }
}
