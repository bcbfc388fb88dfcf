/**
 * Buffers that nobody may write to. Allocated where others have just been freed, they show who
 * still writes there.
 */

import { assertEquals } from "@std/assert";
import type { Random } from "../simulated/random.ts";

const SIZES = [64, 200, 512, 1024, 4096, 10_000, 65_536];

interface Canary {
  bytes: Uint8Array;
  mark: number;
}

/** A flock of them. */
export class Canaries {
  readonly #random: Random;
  readonly #canaries: Canary[] = [];

  /** None at first. */
  constructor(random: Random) {
    this.#random = random;
  }

  /** A size that canaries have too, so that they land where such a buffer was. */
  static size(random: Random): number {
    return random.pick(SIZES);
  }

  /** Allocates some of each size. */
  add(each: number): void {
    for (const size of SIZES) {
      for (let count = 0; count < each; count++) {
        const bytes = new Uint8Array(size);
        const mark = this.#random.between(1, 127);
        for (let at = 0; at < size; at++) bytes[at] = mark ^ (at & 0x7f);
        this.#canaries.push({ bytes, mark });
      }
    }
  }

  /** Fails if somebody has written to one; lets them go. */
  check(): void {
    for (const { bytes, mark } of this.#canaries.splice(0)) {
      const at = bytes.findIndex((byte, at) => byte !== (mark ^ (at & 0x7f)));
      assertEquals(at, -1, `memory of somebody else was written to, at ${at}`);
    }
  }
}
