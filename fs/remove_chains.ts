/**
 * Removing many files of one folder.
 *
 * @module
 */

import { IOSQE_IO_HARDLINK } from "../ffi/abi.ts";
import { prepUnlinkat } from "../ops/path.ts";
import { PathSlots } from "./batch_paths.ts";
import { Pump } from "./batch_pump.ts";
import { SliceRing } from "./slice_ring.ts";

/** How many chains there are at a time: of different folders, if there are. */
const CHAINS = 4;
/** How many files a chain has at most. */
export const LONGEST_CHAIN = 64;

const ENOENT = 2;

/** A chain that is under way. */
interface Chain {
  /** How many files it has yet. */
  left: number;
  /** Whether nothing went wrong. */
  isGood: boolean;
  readonly done: (isGood: boolean) => void;
}

/**
 * Removes files by a ring of its own, whose chains are run each by one worker of the kernel.
 *
 * Only one can remove something from a folder at a time. Several workers at one folder stand in
 * each other's way, and to wake one up for each file takes longer than what it does.
 */
export class UnlinkChains implements AsyncDisposable {
  readonly #ring: SliceRing;
  readonly #names = new PathSlots(CHAINS * LONGEST_CHAIN);
  readonly #pump: Pump;
  readonly #free: number[] = [];
  readonly #chains: (Chain | undefined)[] = [];
  #wake: (() => void) | undefined;

  /**
   * None yet.
   *
   * @param backend of the ring.
   */
  constructor(backend: string) {
    this.#ring = new SliceRing(CHAINS * LONGEST_CHAIN, backend, true);
    for (let chain = 0; chain < CHAINS; chain++) this.#free.push(chain);
    this.#pump = new Pump(this.#ring, {
      batch: LONGEST_CHAIN,
      fill: () => this.#free.length === 0,
      complete: ({ tag, res }) => {
        const index = Math.floor(tag / LONGEST_CHAIN);
        const chain = this.#chains[index] as Chain;
        // That it is gone is what was asked for.
        if (res < 0 && res !== -ENOENT) chain.isGood = false;
        if (--chain.left === 0) this.#end(index, chain);
      },
      failed: () => {
        for (const [index, chain] of this.#chains.entries()) {
          if (chain !== undefined) {
            this.#end(index, { ...chain, isGood: false });
          }
        }
      },
    });
  }

  /**
   * Removes files of a folder, once there is a chain free.
   *
   * @param dirfd the folder's descriptor.
   * @param names of {@linkcode LONGEST_CHAIN} files at most.
   * @param done told whether none of them is there any more.
   */
  async begin(
    dirfd: number,
    names: readonly string[],
    done: (isGood: boolean) => void,
  ): Promise<void> {
    while (this.#free.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const index = this.#free.pop() as number;
    this.#chains[index] = { left: names.length, isGood: true, done };
    for (const [at, name] of names.entries()) {
      const slot = index * LONGEST_CHAIN + at;
      this.#names.put(slot, name);
      const sqe = this.#ring.entry(slot);
      prepUnlinkat(sqe, dirfd, this.#names.address(slot), 0);
      if (at < names.length - 1) sqe.flags = IOSQE_IO_HARDLINK;
    }
    this.#pump.wake();
  }

  #end(index: number, { isGood, done }: Chain): void {
    this.#chains[index] = undefined;
    this.#free.push(index);
    done(isGood);
    this.#wake?.();
  }

  /** Takes the ring down, when all is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pump.stop();
    await this.#ring.close();
    this.#names[Symbol.dispose]();
  }
}
