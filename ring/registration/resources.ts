/**
 * What registered buffers and registered files have in common: a table of slots, with tags.
 *
 * @module
 */

import { IORING_RSRC_REGISTER_SPARSE } from "../../ffi/abi.ts";
import type { Block } from "../../ffi/block.ts";
import { checkInteger } from "../../ffi/check.ts";
import {
  io_uring_rsrc_register as register,
  io_uring_rsrc_update2 as update,
} from "../../ffi/layout.ts";
import type { Registrar } from "../registrar.ts";
import { withBlock, writeAddress, writeTags } from "./argument.ts";

/** Options of what registers buffers or files. */
export interface ResourceOptions {
  /**
   * A tag for each slot: when the kernel lets go of what was registered there (it was replaced
   * or unregistered, and no op uses it any more), a completion comes with the tag as its
   * `user_data` and 0 as its result. 0: none. Since Linux 5.13; unregistering all at once is
   * silent before Linux 6.13.
   */
  tags?: readonly (number | bigint)[];
}

/** What is to be put into slots. */
export interface Slots {
  /** How many. */
  readonly count: number;
  /** Their tags, if any. */
  readonly tags: readonly (number | bigint)[] | undefined;
  /** Writes one for the kernel, over zeros. */
  write(view: DataView, byteOffset: number, index: number): void;
}

/**
 * Checks that slots to be updated are there.
 *
 * @param length how many the table has, 0 where that is unknown: then the kernel tells.
 * @throws {TypeError} if the index is no number.
 * @throws {RangeError} if there are no such slots.
 */
export function checkRange(
  what: string,
  index: number,
  count: number,
  length: number,
): void {
  checkInteger(`${what}: index`, index, 0, 0x7fff_ffff);
  if (length !== 0 && index + count > length) {
    throw new RangeError(
      `${what}: slots ${index} to ${
        index + count - 1
      } are not all in the table, which ` +
        `has ${length}.`,
    );
  }
}

/** A kind of table: the register opcodes that it is made of. */
export interface TableKind {
  /** How liburing's functions call it: `"files"` in `io_uring_register_files`. */
  readonly name: string;
  /** How many bytes a slot takes in an argument. */
  readonly slotSize: number;
  /** Takes an array of slots. */
  readonly register: number;
  /** Takes a `struct io_uring_rsrc_register`. Since Linux 5.13. */
  readonly register2: number;
  /** Takes a `struct io_uring_rsrc_update`, for files only. */
  readonly update?: number;
  /** Takes a `struct io_uring_rsrc_update2`. Since Linux 5.13. */
  readonly update2: number;
  /** Takes nothing. */
  readonly unregister: number;
  /** What to do about an errno. */
  hint(errno: number): string | undefined;
}

/** The table of one kind that a ring has, as io_uring_register(2) changes it. */
export class ResourceTable {
  readonly #ring: Registrar;
  readonly #kind: TableKind;

  /** A ring's table of a kind. */
  constructor(ring: Registrar, kind: TableKind) {
    this.#ring = ring;
    this.#kind = kind;
  }

  /** Makes the table. Tags need Linux 5.13. */
  register(slots: Slots): void {
    const { name, register: plain, register2, hint } = this.#kind;
    this.#withSlots(slots, register.size, (block, data, tags) => {
      if (tags === 0) {
        const what = `io_uring_register_${name}`;
        this.#ring.register(what, plain, data, slots.count, hint);
        return;
      }
      const what = `io_uring_register_${name}_tags`;
      block.view.setUint32(register.nr, slots.count, true);
      writeAddress(block.view, register.data, data);
      writeAddress(block.view, register.tags, tags);
      this.#ring.register(what, register2, block, register.size, hint);
    });
  }

  /** Makes a table of empty slots (`IORING_RSRC_REGISTER_SPARSE`, Linux 5.19). */
  registerSparse(count: number): void {
    const { name, register2, hint } = this.#kind;
    const what = `io_uring_register_${name}_sparse`;
    withBlock(register.size, (block) => {
      block.view.setUint32(register.nr, count, true);
      block.view.setUint32(register.flags, IORING_RSRC_REGISTER_SPARSE, true);
      this.#ring.register(what, register2, block, register.size, hint);
    });
  }

  /**
   * Replaces slots.
   *
   * The kernel stops at the first that it refuses, and says how many it has replaced but not
   * why it stopped: asked for the rest, it does.
   *
   * @param replaced hears how many slots, from the first on, are replaced by now.
   */
  update(
    offset: number,
    slots: Slots,
    replaced: (count: number) => void = () => {},
  ): void {
    const { name, slotSize, update: plain, update2 } = this.#kind;
    const { count } = slots;
    let done = 0;
    const hint = (errno: number) => this.#partial(done, count, errno);
    this.#withSlots(slots, update.size, (block, data, tags) => {
      const { view } = block;
      while (done < count) {
        // struct io_uring_rsrc_update, which older kernels take, is the beginning of this one.
        view.setUint32(update.offset, offset + done, true);
        writeAddress(view, update.data, data + done * slotSize);
        writeAddress(view, update.tags, tags === 0 ? 0 : tags + done * 8);
        view.setUint32(update.nr, count - done, true);
        const [what, opcode, size] = plain !== undefined && tags === 0
          ? [`io_uring_register_${name}_update`, plain, count - done] as const
          : [
            `io_uring_register_${name}_update_tag`,
            update2,
            update.size,
          ] as const;
        done += this.#ring.register(what, opcode, block, size, hint);
        replaced(done);
      }
    });
  }

  #partial(done: number, count: number, errno: number): string | undefined {
    const hint = this.#kind.hint(errno);
    if (done === 0) return hint;
    const replaced = `${done} of ${count} slots were replaced.`;
    return hint === undefined ? replaced : `${replaced} ${hint}`;
  }

  /** Gives the table up. */
  unregister(): void {
    const { name, unregister, hint } = this.#kind;
    this.#ring.register(`io_uring_unregister_${name}`, unregister, 0, 0, hint);
  }

  /** A block with room for a struct, and behind it the slots and the tags that it points to. */
  #withSlots(
    slots: Slots,
    structSize: number,
    use: (block: Block, data: number, tags: number) => void,
  ): void {
    const { count, tags } = slots;
    const { slotSize } = this.#kind;
    const tagsAt = structSize + Math.ceil(count * slotSize / 8) * 8;
    withBlock(tagsAt + count * 8, (block) => {
      for (let index = 0; index < count; index++) {
        slots.write(block.view, structSize + index * slotSize, index);
      }
      if (tags !== undefined) writeTags(block.view, tagsAt, tags);
      const tagsAddress = tags === undefined ? 0 : block.address + tagsAt;
      use(block, block.address + structSize, tagsAddress);
    });
  }
}
