/**
 * The kernel through liburing.
 *
 * @module
 */

import type { Kernel, RingMapping, SetupRequest } from "./kernel.ts";
import { io_uring } from "./layout.ts";
import { IORING_SETUP_NO_SQARRAY, IORING_SETUP_SQE128 } from "./abi.ts";
import {
  type MappedRing,
  type Region,
  resizeRing,
  unmapRegion,
} from "./map_ring.ts";
import {
  decodeParams,
  detachMapping,
  encodeParams,
  fillArray,
  setupSizes,
} from "./params.ts";
import { setupError } from "./setup_error.ts";

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
  /** int io_uring_resize_rings(struct io_uring *, struct io_uring_params *), since 2.9: tells that version. */
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
  // The hot ones by themselves: looking a symbol up in the library costs as much as the call.
  readonly #enter: LibUring["io_uring_enter"];
  readonly #enter2: LibUring["io_uring_enter2"];

  constructor(library: LibUring) {
    this.#library = library;
    this.#enter = library.io_uring_enter;
    this.#enter2 = library.io_uring_enter2;
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
    const enter = this.#enter;
    return enter(
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
    const enter2 = this.#enter2;
    return enter2(
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
    const unmap = () => regionsOf(struct).forEach(unmapRegion);
    const made = resizeRing(this, old, request, unmap);
    adopt(struct, made);
    return { ...made, struct } as LibUringMapping;
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
  // Both queues share one mapping (IORING_FEAT_SINGLE_MMAP, Linux 5.4).
  const buffer = region(word(io_uring.sq_ring_ptr), word(io_uring.sq_ring_sz));
  const result: LibUringMapping = {
    fd: struct.getInt32(io_uring.ring_fd, true),
    flags: made.flags,
    features: made.features,
    sqEntries: made.sqEntries,
    cqEntries: made.cqEntries,
    sq: { buffer, ...made.sq },
    cq: { buffer, ...made.cq },
    sqes: region(word(io_uring.sq_sqes), setupSizes(made).sqes),
    struct,
  };
  fillArray(result);
  return result;
}

function region(address: number, byteLength: number): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(
    pointerTo(address),
    byteLength,
  );
}

function pointerTo(address: number): Deno.PointerObject {
  const pointer = Deno.UnsafePointer.create(BigInt(address));
  if (pointer === null) {
    throw new Error("liburing left a pointer of struct io_uring NULL.");
  }
  return pointer;
}

/** The memory that liburing will unmap. */
function regionsOf(struct: DataView): Region[] {
  const word = (field: number) => Number(struct.getBigUint64(field, true));
  const entries = struct.getUint32(io_uring.sq_ring_entries, true);
  const wide = struct.getUint32(io_uring.flags, true) & IORING_SETUP_SQE128;
  return [
    {
      pointer: pointerTo(word(io_uring.sq_ring_ptr)),
      byteLength: word(io_uring.sq_ring_sz),
    },
    {
      pointer: pointerTo(word(io_uring.sq_sqes)),
      byteLength: entries * (wide ? 128 : 64),
    },
  ];
}

/** Has liburing unmap other memory than it mapped, at the end. It looks at nothing else. */
function adopt(struct: DataView, mapped: MappedRing): void {
  const { ring, entries, sqEntries } = mapped;
  const read = (field: number) => struct.getBigUint64(field, true);
  const write = (field: number, value: bigint) =>
    struct.setBigUint64(field, value, true);
  const address = Deno.UnsafePointer.value(ring.pointer);
  // The size of the entries each version of liburing looks up elsewhere.
  const counter = read(io_uring.sq_kring_entries) - read(io_uring.sq_ring_ptr);
  write(io_uring.sq_kring_entries, address + counter);
  struct.setUint32(io_uring.sq_ring_entries, sqEntries, true);
  write(io_uring.sq_sqes_sz, BigInt(entries.byteLength));
  write(io_uring.sq_sqes, Deno.UnsafePointer.value(entries.pointer));
  write(io_uring.sq_ring_ptr, address);
  write(io_uring.sq_ring_sz, BigInt(ring.byteLength));
  write(io_uring.cq_ring_ptr, address);
  write(io_uring.cq_ring_sz, BigInt(ring.byteLength));
}
