/**
 * The work of `statMany`: one statx for each path.
 *
 * @module
 */

import { systemError } from "../ffi/errors.ts";
import { statx as layout } from "../ffi/layout.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  STATX_BASIC_STATS,
  STATX_BTIME,
} from "../ffi/linux.ts";
import { Memory } from "../ffi/memory.ts";
import { prepStatx } from "../ops/path.ts";
import type { Cqe } from "../ring/cqe.ts";
import { Failure, type Work } from "./batch_loop.ts";
import { PathSlots } from "./batch_paths.ts";
import { withPath } from "./failure.ts";
import type { SliceRing } from "./slice_ring.ts";
import { type FileInfo, fileInfoAt } from "./stat.ts";

const MASK = STATX_BASIC_STATS | STATX_BTIME;

/** Asks what is behind paths. */
export class StatWork implements Work<FileInfo>, Disposable {
  readonly slots: number;
  /** Enough to be woken seldom; the others keep the kernel's threads busy meanwhile. */
  readonly batch = 16;
  /** Nothing waits for anything here. */
  readonly waiting = 0;
  readonly #ring: SliceRing;
  readonly #flags: number;
  readonly #api: string;
  readonly #memory: Memory;
  readonly #view: DataView<ArrayBuffer>;
  readonly #paths: PathSlots;
  readonly #results: Int32Array;

  /**
   * Work on a ring.
   *
   * @param follow whether symbolic links are followed.
   */
  constructor(ring: SliceRing, slots: number, follow: boolean) {
    this.slots = slots;
    this.#ring = ring;
    this.#flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
    this.#api = follow ? "stat" : "lstat";
    this.#memory = new Memory(slots * layout.size);
    this.#view = new DataView(this.#memory.bytes.buffer);
    this.#paths = new PathSlots(slots);
    this.#results = new Int32Array(slots);
  }

  begin(slot: number, path: string): void {
    this.#paths.put(slot, path);
    const place = this.#paths.address(slot);
    const target = this.#memory.address + slot * layout.size;
    prepStatx(
      this.#ring.entry(slot),
      AT_FDCWD,
      place,
      this.#flags,
      MASK,
      target,
    );
  }

  complete(cqe: Cqe): number {
    const slot = cqe.tag;
    this.#results[slot] = cqe.res;
    return slot;
  }

  result(slot: number): FileInfo | Failure {
    const result = this.#results[slot] as number;
    if (result < 0) {
      const path = this.#paths.text(slot);
      const error = systemError(-result, "statx", { path });
      return new Failure(withPath(error, this.#api, path) as Error);
    }
    return fileInfoAt(this.#view, slot * layout.size);
  }

  late(): void {}

  resume(): void {}

  taken(): void {}

  /** Gives the memory back. Nothing may be in flight. */
  [Symbol.dispose](): void {
    this.#paths[Symbol.dispose]();
    this.#memory.close();
  }
}
