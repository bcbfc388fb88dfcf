/**
 * Registered files: descriptors that the kernel has looked up once, named by their index in
 * ops with `IOSQE_FIXED_FILE`; also where direct descriptors live.
 *
 * @module
 */

import {
  IORING_REGISTER_FILE_ALLOC_RANGE,
  IORING_REGISTER_FILES,
  IORING_REGISTER_FILES2,
  IORING_REGISTER_FILES_SKIP,
  IORING_REGISTER_FILES_UPDATE,
  IORING_REGISTER_FILES_UPDATE2,
  IORING_UNREGISTER_FILES,
} from "../../ffi/abi.ts";
import { checkInteger } from "../../ffi/check.ts";
import { io_uring_file_index_range as range } from "../../ffi/layout.ts";
import type { Registrar } from "../registrar.ts";
import { checkArray, checkTags, hints, withBlock } from "./argument.ts";
import {
  checkRange,
  type ResourceOptions,
  ResourceTable,
  type Slots,
  type TableKind,
} from "./resources.ts";

/** The kernel's `IORING_MAX_FIXED_FILES`. */
const MOST = 1 << 20;
const EMPTY = -1;
const INT32_MAX = 0x7fff_ffff;
const UINT32_MAX = 0xffff_ffff;

const KIND: TableKind = {
  name: "files",
  slotSize: 4,
  register: IORING_REGISTER_FILES,
  register2: IORING_REGISTER_FILES2,
  update: IORING_REGISTER_FILES_UPDATE,
  update2: IORING_REGISTER_FILES_UPDATE2,
  unregister: IORING_UNREGISTER_FILES,
  hint: hints({
    EBUSY:
      "Files are registered already: call unregister() first, or update().",
    ENXIO: "No files are registered.",
    EBADF:
      "A descriptor is not open, or is that of a ring, which cannot be registered.",
    EMFILE:
      "The table would have more slots than the process may have open files. Register " +
      "fewer, or raise the limit (ulimit -n).",
  }),
};

const rangeHint = hints({
  EINVAL: "The range must lie within the table: register files first.",
  EOVERFLOW: "The range must lie within the table.",
});

/**
 * The registered files of a ring, `ring.files`: a table of slots, each with an open file or
 * empty. Ops name a slot by its index (`sqe.fd` with `IOSQE_FIXED_FILE`), and ops that open
 * files can put them there without giving them a descriptor.
 *
 * The table has its own reference to each file: the descriptor may be closed.
 *
 * See io_uring_register(2) and io_uring_register_files(3).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * ring.files.register([0, -1, -1]);
 * ring.files.update(1, [1, 2]);
 * assertEquals(ring.files.length, 3);
 * ring.files.unregister();
 * ```
 */
export class RegisteredFiles {
  readonly #ring: Registrar;
  readonly #table: ResourceTable;
  #length = 0;

  /** The registered files of a ring. Internal: `ring.files` is the way to them. */
  constructor(ring: Registrar) {
    this.#ring = ring;
    this.#table = new ResourceTable(ring, KIND);
  }

  /** How many slots the table has; 0 while nothing is registered. */
  get length(): number {
    return this.#length;
  }

  /**
   * Registers files. Since Linux 5.1.
   *
   * @param fds their descriptors, 1 to 1048576; -1 leaves a slot empty.
   * @throws {TypeError | RangeError} if they are no such numbers, or the ring is closed.
   * @throws {SystemError} EBADF if one is not open, EBUSY if files are registered already,
   * EMFILE over RLIMIT_NOFILE.
   */
  register(fds: readonly number[], { tags }: ResourceOptions = {}): void {
    this.#table.register(slotsOf("ring.files.register", fds, tags, EMPTY));
    this.#length = fds.length;
  }

  /**
   * Registers a table of empty slots. Since Linux 5.19; before, register an array of -1.
   *
   * @param count how many, 1 to 1048576.
   */
  registerSparse(count: number): void {
    checkInteger("ring.files.registerSparse: count", count, 1, MOST);
    this.#table.registerSparse(count);
    this.#length = count;
  }

  /**
   * Replaces what is in some slots. An op in flight goes on with the file that it began with.
   * Since Linux 5.5.
   *
   * @param index the first slot.
   * @param fds what is to be there; -1 empties a slot, `IORING_REGISTER_FILES_SKIP` (-2,
   * Linux 5.12) leaves it as it is.
   * @throws {TypeError | RangeError} if they are no such numbers, or there are no such slots.
   * @throws {SystemError} ENXIO if no files are registered; EBADF if one is not open: its slot
   * is empty then, and the message tells how many before it were replaced.
   */
  update(
    index: number,
    fds: readonly number[],
    { tags }: ResourceOptions = {},
  ): void {
    const skip = IORING_REGISTER_FILES_SKIP;
    const slots = slotsOf("ring.files.update", fds, tags, skip);
    checkRange("ring.files.update", index, fds.length, this.length);
    this.#table.update(index, slots);
  }

  /**
   * Limits the slots that `IORING_FILE_INDEX_ALLOC` picks from to a part of the table, so that
   * the others are free for indices of one's own choice. Since Linux 6.0.
   *
   * @param offset the first slot of the part.
   * @param length how many slots it has.
   * @throws {TypeError | RangeError} if they are no such numbers.
   * @throws {SystemError} EINVAL if the part is not within the table, or there is none.
   */
  allocRange(offset: number, length: number): void {
    const what = "ring.files.allocRange";
    checkInteger(`${what}: offset`, offset, 0, UINT32_MAX);
    checkInteger(`${what}: length`, length, 1, UINT32_MAX);
    withBlock(range.size, (block) => {
      block.view.setUint32(range.off, offset, true);
      block.view.setUint32(range.len, length, true);
      const name = "io_uring_register_file_alloc_range";
      const opcode = IORING_REGISTER_FILE_ALLOC_RANGE;
      this.#ring.register(name, opcode, block, 0, rangeHint);
    });
  }

  /**
   * Lets go of every file; those that ops in flight use stay open until these are done. Before Linux
   * 6.13 it waits, blocking the thread, for ops that use registered files or buffers. Since Linux 5.1.
   *
   * @throws {SystemError} ENXIO if none are registered.
   */
  unregister(): void {
    this.#table.unregister();
    this.#length = 0;
  }
}

function slotsOf(
  what: string,
  fds: readonly number[],
  tags: ResourceOptions["tags"],
  least: number,
): Slots {
  checkArray(`${what}: fds`, fds, MOST);
  for (const [index, fd] of fds.entries()) {
    checkInteger(`${what}: fds[${index}]`, fd, least, INT32_MAX);
  }
  if (tags !== undefined) {
    const isEmpty = (index: number) => (fds[index] as number) < 0;
    checkTags(`${what}: tags`, tags, fds.length, isEmpty);
  }
  return {
    count: fds.length,
    tags,
    write: (view, byteOffset, index) =>
      view.setInt32(byteOffset, fds[index] as number, true),
  };
}
