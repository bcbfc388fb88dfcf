/**
 * Memory for paths, one for each slot of a batch.
 *
 * @module
 */

import { Memory } from "../ffi/memory.ts";

/** `PATH_MAX`: how long a path may be, its NUL included. */
const PATH_MAX = 4096;
/** What holds any text that may fit, and one byte that tells of those that do not. */
const ROOM = PATH_MAX + 4;

const encoder = new TextEncoder();

/** So many C strings. */
export class PathSlots implements Disposable {
  readonly #memory: Memory;
  readonly #bytes: Uint8Array<ArrayBuffer>[];
  readonly #texts: string[];

  /** Room for so many. */
  constructor(slots: number) {
    this.#memory = new Memory(slots * ROOM);
    this.#texts = new Array<string>(slots).fill("");
    this.#bytes = this.#texts.map((_, slot) =>
      this.#memory.bytes.subarray(slot * ROOM, (slot + 1) * ROOM)
    );
  }

  /**
   * Puts a path into a slot. One that is too long is cut behind `PATH_MAX`, where the kernel
   * answers ENAMETOOLONG.
   */
  put(slot: number, path: string): void {
    const bytes = this.#bytes[slot] as Uint8Array<ArrayBuffer>;
    this.#texts[slot] = path;
    const { written } = encoder.encodeInto(path, bytes);
    bytes[Math.min(written, ROOM - 1)] = 0;
  }

  /** Where the path in a slot is. */
  address(slot: number): number {
    return this.#memory.address + slot * ROOM;
  }

  /** The path in a slot. */
  text(slot: number): string {
    return this.#texts[slot] as string;
  }

  /** Gives the memory back. Nothing may be in flight. */
  [Symbol.dispose](): void {
    this.#memory.close();
  }
}
