/**
 * Registered buffers: memory that the kernel has looked up and pinned once, for `READ_FIXED`,
 * `WRITE_FIXED` and the others that take a buffer's index.
 *
 * @module
 */

import {
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_BUFFERS2,
  IORING_REGISTER_BUFFERS_UPDATE,
  IORING_REGISTER_CLONE_BUFFERS,
  IORING_REGISTER_DST_REPLACE,
  IORING_UNREGISTER_BUFFERS,
} from "../../ffi/abi.ts";
import { checkInteger, show } from "../../ffi/check.ts";
import { errnoName } from "../../ffi/errno.ts";
import { io_uring_clone_buffers as clone, iovec } from "../../ffi/layout.ts";
import { addressOf, checkView, type View } from "../../ffi/memory.ts";
import { memoryLockLimit } from "../../ffi/setup_error.ts";
import { writeIovec } from "../../ffi/structs/iovec.ts";
import type { Registrar } from "../registrar.ts";
import { checkArray, checkTags, withBlock } from "./argument.ts";
import {
  checkRange,
  type ResourceOptions,
  ResourceTable,
  type Slots,
  type TableKind,
} from "./resources.ts";

/** The kernel's `IORING_MAX_REG_BUFFERS`. */
const MOST = 1 << 14;
const LARGEST = 2 ** 30;
const UINT32_MAX = 0xffff_ffff;

const KIND: TableKind = {
  name: "buffers",
  slotSize: iovec.size,
  register: IORING_REGISTER_BUFFERS,
  register2: IORING_REGISTER_BUFFERS2,
  update2: IORING_REGISTER_BUFFERS_UPDATE,
  unregister: IORING_UNREGISTER_BUFFERS,
  hint,
};

/** Options of {@linkcode RegisteredBuffers.cloneFrom}. */
export interface CloneBuffersOptions {
  /** The first slot of the source. Since Linux 6.13. Default: 0. */
  sourceOffset?: number;
  /** The first slot here. Since Linux 6.13. Default: 0. */
  offset?: number;
  /** How many slots. Since Linux 6.13. Default: all that the source has. */
  count?: number;
  /** Whether this ring may have a table already, whose slots are replaced or which grows. Since Linux 6.13. Default: false. */
  replace?: boolean;
}

/**
 * The registered buffers of a ring, `ring.buffers`: a table of slots, each with a view or
 * empty. Ops name a slot by its index (`sqe.bufIndex`).
 *
 * The table holds on to its views, so that they are not collected while they are registered.
 * A view that was replaced or unregistered is let go of at once: who still has an op in flight
 * on it must hold it, as ops do with the buffers they were given.
 *
 * See io_uring_register(2) and io_uring_register_buffers(3).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { Memory } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const memory = new Memory(8192);
 * ring.buffers.register([memory.bytes.subarray(0, 4096), memory.bytes.subarray(4096)]);
 * assertEquals(ring.buffers.length, 2);
 * ring.buffers.unregister();
 * ```
 */
export class RegisteredBuffers {
  readonly #ring: Registrar;
  readonly #table: ResourceTable;
  /** What is registered, for the ring to hold on to; undefined while nothing is. */
  #views: (View | null)[] | undefined;

  /** The registered buffers of a ring. Internal: `ring.buffers` is the way to them. */
  constructor(ring: Registrar) {
    this.#ring = ring;
    this.#table = new ResourceTable(ring, KIND);
  }

  /** How many slots the table has; 0 while nothing is registered. */
  get length(): number {
    return this.#views?.length ?? 0;
  }

  /**
   * Registers views.
   *
   * Their pages are pinned, and count against RLIMIT_MEMLOCK unless the process has
   * CAP_IPC_LOCK. Memory of one's own ({@linkcode Memory}) is best: it cannot be transferred
   * away. Since Linux 5.1.
   *
   * @param views 1 to 16384 of them, each of 1 byte to 1 GiB; null leaves a slot empty (Linux
   * 5.13).
   * @throws {TypeError | RangeError} if they are no such views, or the ring is closed.
   * @throws {SystemError} EBUSY if buffers are registered already, ENOMEM over
   * RLIMIT_MEMLOCK, EFAULT for memory of a mapped file.
   */
  register(
    views: readonly (View | null)[],
    { tags }: ResourceOptions = {},
  ): void {
    this.#table.register(slotsOf("ring.buffers.register", views, tags));
    this.#hold([...views]);
  }

  /**
   * Registers a table of empty slots, to be filled by {@linkcode update}. Since Linux 5.19.
   *
   * @param count how many, 1 to 16384.
   */
  registerSparse(count: number): void {
    checkInteger("ring.buffers.registerSparse: count", count, 1, MOST);
    this.#table.registerSparse(count);
    this.#hold(new Array<null>(count).fill(null));
  }

  /**
   * Replaces what is in some slots. An op in flight goes on with the buffer that it began with.
   * Since Linux 5.13.
   *
   * @param index the first slot.
   * @param views what is to be there; null empties a slot.
   * @throws {TypeError | RangeError} if they are no such views, or there are no such slots.
   * @throws {SystemError} ENXIO if no buffers are registered; if a view is refused: the
   * message tells how many, from the first on, were replaced.
   */
  update(
    index: number,
    views: readonly (View | null)[],
    { tags }: ResourceOptions = {},
  ): void {
    const slots = slotsOf("ring.buffers.update", views, tags);
    const held = this.#views;
    checkRange("ring.buffers.update", index, views.length, this.length);
    this.#table.update(index, slots, (count) => {
      for (let at = 0; held !== undefined && at < count; at++) {
        held[index + at] = views[at] as View | null;
      }
    });
  }

  /**
   * Shares buffers that another ring of this process has registered, without looking them up
   * and pinning them again. Since Linux 6.12.
   *
   * @param source the other ring.
   * @throws {TypeError | RangeError} if an argument cannot be.
   * @throws {SystemError} EBUSY if buffers are registered here already and `replace` is not
   * set; ENXIO if none are there; EINVAL or EOVERFLOW if there are fewer.
   *
   * @example
   * ```ts
   * import { Ring } from "@uring/uring/ring";
   * import { isSystemError, Memory } from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * using one = new Ring(4);
   * using other = new Ring(4);
   * one.buffers.register([new Memory(4096).bytes]);
   * try {
   *   other.buffers.cloneFrom(one);
   *   assertEquals(other.buffers.length, 1);
   * } catch (error) {
   *   if (!isSystemError(error) || error.code !== "EINVAL") throw error; // before Linux 6.12
   * }
   * ```
   */
  cloneFrom(
    source: { readonly fd: number; readonly buffers: RegisteredBuffers },
    options: CloneBuffersOptions = {},
  ): void {
    const what = "ring.buffers.cloneFrom";
    if (!(source?.buffers instanceof RegisteredBuffers)) {
      throw new TypeError(
        `${what}: source must be a Ring; got ${show(source)}.`,
      );
    }
    const { sourceOffset = 0, offset = 0, replace = false } = options;
    checkInteger(`${what}: sourceOffset`, sourceOffset, 0, UINT32_MAX);
    checkInteger(`${what}: offset`, offset, 0, UINT32_MAX);
    const there = source.buffers.#views ?? [];
    const { count = Math.max(there.length - sourceOffset, 0) } = options;
    checkInteger(`${what}: count`, count, 0, UINT32_MAX);
    // 0, 0 and 0 mean all, and are all that Linux 6.12 takes.
    const all = sourceOffset === 0 && offset === 0 && count === there.length;
    withBlock(clone.size, (block) => {
      const { view } = block;
      view.setInt32(clone.src_fd, source.fd, true);
      const flags = replace ? IORING_REGISTER_DST_REPLACE : 0;
      view.setUint32(clone.flags, flags, true);
      view.setUint32(clone.src_off, sourceOffset, true);
      view.setUint32(clone.dst_off, offset, true);
      view.setUint32(clone.nr, all ? 0 : count, true);
      const name = "io_uring_clone_buffers";
      const opcode = IORING_REGISTER_CLONE_BUFFERS;
      this.#ring.register(name, opcode, block, 1, cloneHint);
    });
    const here = [...this.#views ?? []];
    for (let at = 0; at < count; at++) {
      here[offset + at] = there[sourceOffset + at] ?? null;
    }
    // Slots that the table grew over without filling them are empty, not holes.
    this.#hold(Array.from(here, (view) => view ?? null));
  }

  /**
   * Lets go of every buffer. Those that ops in flight use stay pinned until these are done.
   * Before Linux 6.13 it waits, blocking the thread, for ops that use registered buffers or files.
   * Since Linux 5.1.
   *
   * @throws {SystemError} ENXIO if none are registered.
   */
  unregister(): void {
    this.#table.unregister();
    this.#hold(undefined);
  }

  #hold(views: (View | null)[] | undefined): void {
    if (this.#views !== undefined) this.#ring.keep.delete(this.#views);
    if (views !== undefined) this.#ring.keep.add(views);
    this.#views = views;
  }
}

function slotsOf(
  what: string,
  views: readonly (View | null)[],
  tags: ResourceOptions["tags"],
): Slots {
  checkArray(`${what}: views`, views, MOST);
  for (const [index, view] of views.entries()) {
    if (view === null) continue;
    checkView(`${what}: views[${index}]`, view);
    if (view.byteLength === 0 || view.byteLength > LARGEST) {
      throw new RangeError(
        `${what}: views[${index}] must have 1 byte to 1 GiB; got ${view.byteLength} ` +
          "bytes. null leaves a slot empty.",
      );
    }
  }
  if (tags !== undefined) {
    const isEmpty = (index: number) => views[index] === null;
    checkTags(`${what}: tags`, tags, views.length, isEmpty);
  }
  return {
    count: views.length,
    tags,
    write: (to, byteOffset, index) => {
      const view = views[index] ?? null;
      // NULL and 0 are an empty slot.
      if (view === null) return;
      writeIovec(to, byteOffset, addressOf(view), view.byteLength);
    },
  };
}

function hint(errno: number): string | undefined {
  switch (errnoName(errno)) {
    case "ENOMEM":
      return `Registered buffers are pinned, and RLIMIT_MEMLOCK is ${memoryLockLimit()}. ` +
        "Register less memory, or raise the limit (ulimit -l, LimitMEMLOCK= in a systemd " +
        "unit, docker run --ulimit memlock=-1).";
    case "EBUSY":
      return "Buffers are registered already: call unregister() first, or update().";
    case "ENXIO":
      return "No buffers are registered.";
    case "EFAULT":
    case "EOPNOTSUPP":
      return "A view must be over memory that can be pinned: not over a file's pages, and " +
        "not read-only.";
    default:
      return undefined;
  }
}

function cloneHint(errno: number): string | undefined {
  switch (errnoName(errno)) {
    case "EBUSY":
      return "This ring has buffers registered: call unregister() first, or pass " +
        "{ replace: true } (Linux 6.13).";
    case "ENXIO":
      return "The source has no buffers registered.";
    case "EOVERFLOW":
    case "EINVAL":
      return "The source has fewer buffers than were asked for, or the table would grow " +
        "too large; offsets, count and replace need Linux 6.13.";
    default:
      return hint(errno);
  }
}
