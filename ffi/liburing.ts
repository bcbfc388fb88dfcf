/**
 * The kernel through liburing.
 *
 * @module
 */

import type { Kernel, RingMapping, SetupRequest } from "./kernel.ts";
import { io_uring } from "./layout.ts";
import { IORING_SETUP_NO_SQARRAY } from "./abi.ts";
import {
  decodeParams,
  detachMapping,
  encodeParams,
  fillArray,
  setupSizes,
} from "./params.ts";
import { setupError } from "./setup_error.ts";
import { systemError } from "./errors.ts";

const LIBRARY = "liburing.so.2";

const symbols = {
  /** int io_uring_queue_init_params(unsigned entries, struct io_uring *, struct io_uring_params *) */
  io_uring_queue_init_params: {
    parameters: ["u32", "buffer", "buffer"],
    result: "i32",
  },
  /** void io_uring_queue_exit(struct io_uring *ring) */
  io_uring_queue_exit: { parameters: ["buffer"], result: "void" },
  /** int io_uring_enter(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags, sigset_t *) */
  io_uring_enter: {
    parameters: ["u32", "u32", "u32", "u32", "pointer"],
    result: "i32",
  },
  /** int io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags, void *arg, size_t) */
  io_uring_enter2: {
    parameters: ["u32", "u32", "u32", "u32", "usize", "usize"],
    result: "i32",
  },
  /** int io_uring_register(unsigned fd, unsigned opcode, const void *arg, unsigned nr_args) */
  io_uring_register: {
    parameters: ["u32", "u32", "usize", "u32"],
    result: "i32",
  },
  /** int io_uring_major_version(void), since 2.4 */
  io_uring_major_version: { parameters: [], result: "i32", optional: true },
  /** int io_uring_minor_version(void), since 2.4 */
  io_uring_minor_version: { parameters: [], result: "i32", optional: true },
  /** int io_uring_resize_rings(struct io_uring *, struct io_uring_params *), since 2.9 */
  io_uring_resize_rings: {
    parameters: ["buffer", "buffer"],
    result: "i32",
    optional: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

type LibUring = Deno.StaticForeignLibraryInterface<typeof symbols>;

/** A mapping that liburing made: it wants its own struct back at the end. */
interface LibUringMapping extends RingMapping {
  readonly struct: DataView<ArrayBuffer>;
}

/**
 * Loads liburing, 2.3 or later.
 *
 * @param path the library's file; default `liburing.so.2`, wherever the loader finds it.
 * @throws {Error} if there is no such library, or it is older than 2.3 (a symbol is missing).
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`.
 */
export function loadLibUring(path: string = LIBRARY): Kernel {
  return new LibUringKernel(Deno.dlopen(path, symbols).symbols);
}

class LibUringKernel implements Kernel {
  readonly backend = "liburing";
  readonly version: string;
  readonly #library: LibUring;

  constructor(library: LibUring) {
    this.#library = library;
    const major = library.io_uring_major_version?.();
    const minor = library.io_uring_minor_version?.();
    // Only 2.3 has io_uring_enter but cannot tell its version.
    this.version = major === undefined ? "2.3" : `${major}.${minor}`;
  }

  setup(request: SetupRequest): RingMapping {
    if (
      request.flags & IORING_SETUP_NO_SQARRAY &&
      this.#library.io_uring_resize_rings === null
    ) {
      throw new RangeError(
        `Ring: liburing ${this.version} cannot map a ring with IORING_SETUP_NO_SQARRAY. ` +
          'Use liburing 2.9 or later, or { backend: "syscall" }.',
      );
    }
    const struct = new DataView(new ArrayBuffer(io_uring.size));
    const params = encodeParams(request);
    const result = this.#library.io_uring_queue_init_params(
      request.entries,
      struct,
      params,
    );
    if (result < 0) throw setupError(-result, request);
    return mapping(struct, params);
  }

  enter(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
  ): number {
    return this.#library.io_uring_enter(
      fd,
      toSubmit,
      minComplete,
      flags,
      null,
    );
  }

  enter2(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: bigint,
    size: bigint,
  ): number {
    return this.#library.io_uring_enter2(
      fd,
      toSubmit,
      minComplete,
      flags,
      argument,
      size,
    );
  }

  register(
    fd: number,
    opcode: number,
    argument: number,
    count: number,
  ): number {
    return this.#library.io_uring_register(fd, opcode, BigInt(argument), count);
  }

  resize(old: RingMapping, request: SetupRequest): RingMapping {
    const { struct } = old as LibUringMapping;
    const resize = this.#library.io_uring_resize_rings;
    if (!resize) {
      throw new Error(
        `Ring.resize: liburing ${this.version} cannot resize rings. ` +
          'Use liburing 2.9 or later, or { backend: "syscall" }.',
      );
    }
    const params = encodeParams(request);
    const result = resize(struct, params);
    if (result < 0) throw systemError(-result, "io_uring_resize_rings");
    // liburing has unmapped the old memory; nothing looked at it since.
    detachMapping(old);
    // The kernel answers with sizes and offsets but not with the ring's own properties.
    return {
      ...mapping(struct, params),
      flags: old.flags,
      features: old.features,
    };
  }

  close(mapping: RingMapping): void {
    detachMapping(mapping);
    this.#library.io_uring_queue_exit((mapping as LibUringMapping).struct);
  }
}

function mapping(
  struct: DataView<ArrayBuffer>,
  params: DataView<ArrayBuffer>,
): LibUringMapping {
  const made = decodeParams(params);
  const word = (field: number) => Number(struct.getBigUint64(field, true));
  const sq = region(word(io_uring.sq_ring_ptr), word(io_uring.sq_ring_sz));
  // Both queues share one mapping, but for those that io_uring_resize_rings made.
  const cq = word(io_uring.cq_ring_ptr) === word(io_uring.sq_ring_ptr)
    ? sq
    : region(word(io_uring.cq_ring_ptr), word(io_uring.cq_ring_sz));
  const result: LibUringMapping = {
    fd: struct.getInt32(io_uring.ring_fd, true),
    flags: made.flags,
    features: made.features,
    sqEntries: made.sqEntries,
    cqEntries: made.cqEntries,
    sq: { buffer: sq, ...made.sq },
    cq: { buffer: cq, ...made.cq },
    sqes: region(word(io_uring.sq_sqes), setupSizes(made).sqes),
    struct,
  };
  fillArray(result);
  return result;
}

function region(address: number, byteLength: number): ArrayBuffer {
  const pointer = Deno.UnsafePointer.create(BigInt(address));
  if (pointer === null) {
    throw new Error("liburing left a pointer of struct io_uring NULL.");
  }
  return Deno.UnsafePointerView.getArrayBuffer(pointer, byteLength);
}
