/**
 * Provided buffers by their ids: which of them the kernel has, where in them its results lie,
 * and when each goes back.
 *
 * @module
 */

import { Memory } from "../ffi/memory.ts";
import { show } from "../ffi/check.ts";
import type { Received } from "../ops/provided.ts";
import type { BufRing } from "../ring/registration/buf_ring.ts";

/** A part of a buffer that a result lies in. */
export interface Part {
  /** The buffer's id. */
  readonly id: number;
  /** Where in it the part begins. */
  readonly start: number;
  /** How long the part is. */
  readonly length: number;
}

/**
 * The buffers of a ring of provided buffers. Each has memory of its own, so that who transfers
 * one away takes no other with it.
 */
export class ProvidedBuffers {
  readonly #ring: BufRing;
  readonly #size: number;
  readonly #memories: Memory[] = [];
  /** How far each is filled: an incremental one goes on from there. */
  readonly #filled: Uint32Array;
  /** How many results lie in each that were not given back. */
  readonly #results: Uint32Array;
  /** Whether the kernel is done with each. */
  readonly #done: Uint8Array;
  /** Which id was added after each: what a bundle goes on in. */
  readonly #next: Uint16Array;
  /** The place of each in the ring. */
  readonly #places: Uint16Array;
  #last = 0;
  #added = 0;
  #out = 0;
  #retired = false;
  #freed = false;

  /** Allocates the buffers, and gives all of them to the kernel. */
  constructor(ring: BufRing, size: number) {
    const { entries } = ring;
    this.#ring = ring;
    this.#size = size;
    this.#filled = new Uint32Array(entries);
    this.#results = new Uint32Array(entries);
    this.#done = new Uint8Array(entries);
    this.#next = new Uint16Array(entries);
    this.#places = new Uint16Array(entries);
    for (let id = 0; id < entries; id++) {
      this.#memories.push(new Memory(size));
      this.#add(id);
    }
    ring.advance();
  }

  /** The memory, for the ring to hold on to. */
  get memories(): readonly Memory[] {
    return this.#memories;
  }

  /** How many buffers hold results. */
  get out(): number {
    return this.#out;
  }

  /**
   * Notes a result: where it lies. To be called in the order in which the kernel gave them.
   *
   * @throws {TypeError | RangeError} if it cannot be a result of these buffers.
   */
  place(
    { bufferId, length, partial, bundle }: Omit<Received, "nonEmpty">,
  ): Part[] {
    // With MSG_TRUNC a result is as long as the message was. An incremental ring moves on by that,
    // any other by one buffer.
    const several = bundle === true || this.#ring.incremental;
    this.#check(bufferId, length, several);
    const parts = bufferId < 0
      ? []
      : this.#partsFrom(bufferId, length, several);
    for (const [at, { id, start, length }] of parts.entries()) {
      if (this.#results[id] === 0) this.#out++;
      (this.#results[id] as number)++;
      this.#filled[id] = start + length;
      // The kernel goes on in the last one, if in any.
      if (at < parts.length - 1 || !partial) this.#done[id] = 1;
    }
    return parts;
  }

  /**
   * Asks the kernel how far it has come in the last buffer of a result, which has some room left.
   * What it chooses a buffer for before it knows how much will come, reads of regular files and
   * whatever a worker does, takes all that was asked for. To be called only while nothing takes from
   * these buffers: else it may be further than the results that were noted.
   */
  catchUp(parts: readonly Part[]): void {
    const { id } = parts.at(-1) as Part;
    const { address } = this.#memories[id] as Memory;
    this.#filled[id] = this.#ring.addressAt(this.#places[id] as number) -
      address;
  }

  /** The buffers that a result fills: more than one if it is a bundle. */
  #partsFrom(first: number, length: number, several: boolean): Part[] {
    const parts: Part[] = [];
    let id = first;
    let left = length;
    do {
      if (this.#done[id] === 1) this.#refuse(id);
      const start = this.#filled[id] as number;
      const part = Math.min(left, this.#size - start);
      parts.push({ id, start, length: part });
      left -= part;
      id = this.#next[id] as number;
    } while (several && left > 0 && id !== first);
    return parts;
  }

  #refuse(id: number): never {
    throw new TypeError(
      `BufferRing.take: buffer ${id} was taken already, and not given back yet.`,
    );
  }

  #check(id: number, length: number, several: boolean): void {
    const { entries } = this.#ring;
    if (id === -1 && length === 0) return;
    if (!Number.isInteger(id) || id < 0 || id >= entries) {
      throw new RangeError(
        `BufferRing.take: the result's bufferId must be 0 to ${
          entries - 1
        }; got ` +
          `${show(id)}. Is it a result of another group?`,
      );
    }
    const most = several ? entries * this.#size : Number.MAX_SAFE_INTEGER;
    if (!Number.isInteger(length) || length < 0 || length > most) {
      throw new RangeError(
        `BufferRing.take: the result's length must be 0 to ${most}; got ${
          show(length)
        }.`,
      );
    }
  }

  /** The bytes of a part: empty if its buffer was transferred away. */
  bytes({ id, start, length }: Part): Uint8Array<ArrayBuffer> {
    const { bytes } = this.#memories[id] as Memory;
    if (bytes.buffer.detached) return new Uint8Array(0);
    return bytes.subarray(start, start + length);
  }

  /**
   * Gives results back.
   *
   * @returns how many buffers the kernel has again for that.
   */
  giveBack(parts: readonly Part[]): number {
    let returned = 0;
    for (const { id } of parts) {
      const results = this.#results[id] as number - 1;
      this.#results[id] = results;
      if (results > 0) continue;
      this.#out--;
      if (this.#freed) this.#memories[id]?.close();
      if (!this.#retired && this.#done[id] === 1) {
        this.#done[id] = 0;
        this.#filled[id] = 0;
        this.#add(id);
        returned++;
      }
    }
    if (returned > 0) this.#ring.advance();
    return returned;
  }

  #add(id: number): void {
    let memory = this.#memories[id] as Memory;
    if (memory.bytes.buffer.detached) {
      // It was transferred away, and is its new owner's.
      memory = this.#memories[id] = new Memory(this.#size);
    }
    this.#ring.add(id, memory.address, this.#size);
    this.#places[id] = this.#added++ & (this.#ring.entries - 1);
    this.#next[this.#last] = id;
    this.#last = id;
  }

  /** From now on the kernel gets no buffer back. */
  retire(): void {
    this.#retired = true;
  }

  /**
   * Frees the memory: of each buffer in which results lie when they are given back. They are
   * retired, and the kernel must have no use for them any more.
   */
  free(): void {
    this.#freed = true;
    for (const [id, memory] of this.#memories.entries()) {
      if (this.#results[id] === 0) memory.close();
    }
  }
}
