/**
 * The kernel's end of the two queues, in plain memory.
 */

import {
  IORING_CQ_EVENTFD_DISABLED,
  IORING_CQE_F_32,
  IORING_CQE_F_SKIP,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SQ_REWIND,
  IORING_SETUP_SQE128,
} from "../../ffi/abi.ts";
import type { RingMapping, SetupRequest } from "../../ffi/kernel.ts";
import { fillArray } from "../../ffi/params.ts";
import { quietly } from "./looks.ts";

/** A completion, as the kernel posts it. */
export interface Posted {
  /** The halves of `user_data`, unsigned. */
  low: number;
  high: number;
  res: number;
  flags: number;
  /** What a completion of 32 bytes carries beyond the others. */
  big: readonly [bigint, bigint] | undefined;
}

/** Where the counters begin: just below the wrap, if the simulation likes. */
export interface Start {
  sq: number;
  cq: number;
}

// In bytes. Head and tail have cache lines of their own, as in the kernel.
const SQ = { head: 0, tail: 64, flags: 128, dropped: 132 };
const CQ = { head: 192, tail: 256, overflow: 320, flags: 324, cqes: 384 };

function powerOfTwo(count: number): number {
  return count <= 1 ? 1 : 2 ** (32 - Math.clz32(count - 1));
}

/** What is wrong with a program: the kernel itself would have shrugged, or crashed it. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Both queues of a ring, seen from the kernel. */
export class Queues {
  /** What the program gets to see. */
  readonly mapping: RingMapping;
  /** Every completion posted into the queue, in order; padding is none. */
  readonly log: Posted[] = [];
  /** Completions that did not fit, oldest first. */
  readonly overflowed: Posted[] = [];
  readonly #words: Int32Array;
  readonly #sqes: Int32Array;
  readonly #entryWords: number;
  readonly #rewind: boolean;
  readonly #wide: boolean;
  readonly #mixed: boolean;
  /** The kernel's own counters: what the program does to the shared ones is not believed. */
  #sqHead: number;
  #cqTail: number;

  /** Makes the queues. */
  constructor(fd: number, request: SetupRequest, features: number, at: Start) {
    const { flags } = request;
    const sqEntries = powerOfTwo(request.entries);
    const cqEntries = flags & IORING_SETUP_CQSIZE
      ? powerOfTwo(Math.max(request.cqEntries, sqEntries))
      : 2 * sqEntries;
    this.#wide = (flags & IORING_SETUP_CQE32) !== 0;
    this.#mixed = (flags & IORING_SETUP_CQE_MIXED) !== 0;
    this.#rewind = (flags & IORING_SETUP_SQ_REWIND) !== 0;
    this.#entryWords = flags & IORING_SETUP_SQE128 ? 32 : 16;
    const array = CQ.cqes + cqEntries * (this.#wide ? 32 : 16);
    const buffer = new ArrayBuffer(array + 4 * sqEntries);
    const sqes = new ArrayBuffer(sqEntries * this.#entryWords * 4);
    this.#words = new Int32Array(buffer);
    this.#sqes = new Int32Array(sqes);
    this.#sqHead = at.sq | 0;
    this.#cqTail = at.cq | 0;
    this.#set(SQ.head, at.sq);
    this.#set(SQ.tail, at.sq);
    this.#set(CQ.head, at.cq);
    this.#set(CQ.tail, at.cq);
    const bare = (flags & IORING_SETUP_NO_SQARRAY) !== 0;
    this.mapping = {
      fd,
      flags,
      features,
      sqEntries,
      cqEntries,
      sq: { buffer, ...SQ, array: bare ? -1 : array },
      cq: { buffer, ...CQ },
      sqes,
    };
    fillArray(this.mapping);
  }

  #get(byteOffset: number): number {
    return quietly.load(this.#words, byteOffset >> 2);
  }

  #set(byteOffset: number, value: number): void {
    quietly.store(this.#words, byteOffset >> 2, value | 0);
  }

  /** Sets a flag for the program to see, or clears it: `IORING_SQ_*`. */
  flag(flag: number, on: boolean): void {
    const flags = this.#get(SQ.flags);
    this.#set(SQ.flags, on ? flags | flag : flags & ~flag);
  }

  /** Whether the program sees a flag. */
  shows(flag: number): boolean {
    return (this.#get(SQ.flags) & flag) !== 0;
  }

  /** Whether the program wants the eventfd rung. */
  get bellWanted(): boolean {
    return (this.#get(CQ.flags) & IORING_CQ_EVENTFD_DISABLED) === 0;
  }

  // --- submissions

  /** How many entries the program has published and the kernel not taken. */
  get published(): number {
    if (this.#rewind) return this.mapping.sqEntries;
    const count = (this.#get(SQ.tail) - this.#sqHead) | 0;
    if (count < 0 || count > this.mapping.sqEntries) {
      throw new Violation(
        `The tail of the submission queue is ${count} ahead of the head, in a queue of ` +
          `${this.mapping.sqEntries} entries.`,
      );
    }
    return count;
  }

  /** Takes the entry that is `index` behind the head: a copy. The head stays where it is. */
  entry(index: number, slots: number): Int32Array {
    const { sqEntries, sq } = this.mapping;
    const at = this.#rewind ? index : this.#sqHead + index;
    let place = at & (sqEntries - 1);
    if (sq.array >= 0) place = this.#get(sq.array + 4 * place);
    if (place < 0 || place + slots > sqEntries) {
      throw new Violation(`There is no submission with the index ${place}.`);
    }
    const first = place * this.#entryWords;
    return this.#sqes.slice(first, first + slots * this.#entryWords);
  }

  /** Shows the program that `count` more entries were taken. */
  commit(count: number): void {
    if (this.#rewind) return;
    this.#sqHead = (this.#sqHead + count) | 0;
    this.#set(SQ.head, this.#sqHead);
  }

  // --- completions

  /** How many completions are there that the program has not taken; of a mixed ring, slots. */
  get ready(): number {
    const count = (this.#cqTail - this.#get(CQ.head)) | 0;
    if (count < 0 || count > this.mapping.cqEntries) {
      throw new Violation(
        `The head of the completion queue is ${count} behind the tail, in a queue of ` +
          `${this.mapping.cqEntries} entries.`,
      );
    }
    return count;
  }

  /** Posts a completion; false if there is no room, or others wait for room. */
  post(posted: Posted): boolean {
    return this.overflowed.length === 0 && this.#post(posted);
  }

  /** Posts what has overflowed, as far as there is room; true if nothing is left. */
  flush(): boolean {
    let first = this.overflowed[0];
    while (first !== undefined && this.#post(first)) {
      this.overflowed.shift();
      first = this.overflowed[0];
    }
    return first === undefined;
  }

  #post(posted: Posted): boolean {
    const { cqEntries } = this.mapping;
    const slots = this.#mixed && posted.big !== undefined ? 2 : 1;
    const last = (this.#cqTail & (cqEntries - 1)) === cqEntries - 1;
    // Two slots must be neighbours: the odd one at the end of the queue is padding.
    if (slots === 2 && last && this.ready < cqEntries) {
      const flags = IORING_CQE_F_SKIP;
      this.#write({ low: 0, high: 0, res: 0, flags, big: undefined }, 1);
    }
    if (this.ready + slots > cqEntries) return false;
    if (slots === 2) posted.flags |= IORING_CQE_F_32;
    this.log.push(posted);
    this.#write(posted, slots);
    return true;
  }

  /** Moves everything into queues of another size; false if it does not fit. */
  moveTo(other: Queues): boolean {
    const { published, ready } = this;
    const { sqEntries, cqEntries } = other.mapping;
    if (published > sqEntries || ready > cqEntries) return false;
    other.#sqHead = this.#sqHead;
    other.#cqTail = this.#cqTail;
    other.#set(SQ.head, this.#sqHead);
    other.#set(SQ.tail, this.#sqHead + published);
    other.#set(CQ.head, this.#cqTail - ready);
    other.#set(CQ.tail, this.#cqTail);
    for (let index = 0; index < published; index++) {
      const place = (this.#sqHead + index) & (sqEntries - 1);
      other.#sqes.set(this.entry(index, 1), place * this.#entryWords);
    }
    const size = this.#wide ? 8 : 4;
    for (let index = this.#cqTail - ready; index !== this.#cqTail; index++) {
      const from = (CQ.cqes >> 2) +
        (index & (this.mapping.cqEntries - 1)) * size;
      const to = (CQ.cqes >> 2) + (index & (cqEntries - 1)) * size;
      other.#words.set(this.#words.subarray(from, from + size), to);
    }
    other.log.push(...this.log);
    other.overflowed.push(...this.overflowed);
    return true;
  }

  #write({ low, high, res, flags, big }: Posted, slots: number): void {
    const index = this.#cqTail & (this.mapping.cqEntries - 1);
    const at = (CQ.cqes >> 2) + index * (this.#wide ? 8 : 4);
    this.#words.set([low, high, res, flags], at);
    if (big !== undefined) {
      new BigUint64Array(this.#words.buffer, (at + 4) * 4, 2).set(big);
    }
    this.#cqTail = (this.#cqTail + slots) | 0;
    this.#set(CQ.tail, this.#cqTail);
  }
}
