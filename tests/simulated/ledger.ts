/**
 * Who holds which block of memory. A simulated kernel knows memory by its address alone, as the
 * real one does, but may not follow it: it finds the block here, and whether it may touch it.
 */

import { Block } from "../../ffi/block.ts";

/** A watch over every {@linkcode Block} of this thread, from its making until it is disposed of. */
export class Ledger implements Disposable {
  /** The blocks that are taken, by their addresses. */
  readonly taken: Map<number, Block> = new Map();
  /** Called before a block goes back to its pool. */
  onRelease: (block: Block) => void = () => {};
  readonly #reuse = Block.reuse;
  readonly #release = Block.prototype.release;

  /** Begins to watch. One ledger at a time. */
  constructor() {
    const { taken } = this;
    const reuse = this.#reuse;
    const release = this.#release;
    const told = (block: Block) => this.onRelease(block);
    Block.reuse = (block) => {
      taken.set(block.address, block);
      return reuse(block);
    };
    Block.prototype.release = function (this: Block) {
      if (taken.get(this.address) === this) {
        told(this);
        taken.delete(this.address);
      }
      release.call(this);
    };
  }

  /** Watches no more. */
  [Symbol.dispose](): void {
    Block.reuse = this.#reuse;
    Block.prototype.release = this.#release;
  }
}
