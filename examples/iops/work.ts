/**
 * What each I/O does: which file, where in it, reading or writing.
 *
 * @module
 */

import {
  type Offsets,
  Random,
  RandomOffsets,
  SteppingOffsets,
} from "./offsets.ts";
import type { Settings } from "./settings.ts";
import type { Target } from "./targets.ts";

/** An I/O that reads. */
export const READ = 0;
/** An I/O that writes. */
export const WRITE = 1;

/** The work of one thread, for each of its slots. Nothing is allocated for an I/O. */
export class Work {
  /** The number of a slot's file. */
  declare readonly files: Int32Array;
  /** Where in its file a slot reads or writes, in bytes. */
  declare readonly offsets: Float64Array;
  /** {@linkcode READ} or {@linkcode WRITE}. */
  declare readonly kinds: Uint8Array;
  declare private readonly cursors: readonly Offsets[];
  declare private readonly mixer: Random;
  declare private readonly block: number;
  /** Of 65536 I/Os so many write. */
  declare private readonly writes: number;
  declare private nextFile: number;

  /** Work on these files. Threads get different offsets, and each the same with each run. */
  constructor(settings: Settings, targets: readonly Target[], thread: number) {
    const { depth, block, operation, reads, seed } = settings;
    this.files = new Int32Array(depth);
    this.offsets = new Float64Array(depth);
    this.kinds = new Uint8Array(depth);
    this.cursors = operation === "nop"
      ? []
      : targets.map((target, index) =>
        offsetsIn(target, settings, thread, index)
      );
    this.mixer = new Random(seed + 7919 * thread + 1);
    this.block = block;
    const share = { read: 0, nop: 0, write: 1, mix: 1 - reads }[operation];
    this.writes = Math.round(share * 0x1_0000);
    this.nextFile = 0;
  }

  /** Chooses what a slot does next: the files take turns. False: there is nothing left. */
  choose(slot: number): boolean {
    const { cursors, writes } = this;
    for (let tries = cursors.length; tries > 0; tries--) {
      const file = this.nextFile;
      this.nextFile = file + 1 === cursors.length ? 0 : file + 1;
      const block = (cursors[file] as Offsets).next();
      if (block < 0) continue;
      this.files[slot] = file;
      this.offsets[slot] = block * this.block;
      this.kinds[slot] = writes !== 0 &&
          (writes === 0x1_0000 || this.mixer.below(0x1_0000) < writes)
        ? WRITE
        : READ;
      return true;
    }
    return cursors.length === 0;
  }
}

function offsetsIn(
  { size }: Target,
  { block, random, passes, seed, threads }: Settings,
  thread: number,
  index: number,
): Offsets {
  const blocks = Math.floor(size / block);
  if (passes > 0) return new SteppingOffsets(blocks, random, passes, 0);
  if (random) {
    return new RandomOffsets(blocks, seed + 104729 * thread + 1299709 * index);
  }
  const first = Math.floor(blocks * thread / threads);
  return new SteppingOffsets(blocks, false, Infinity, first);
}
