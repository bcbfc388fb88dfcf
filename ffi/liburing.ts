/**
 * The kernel through liburing.
 *
 * @module
 */

import type { Kernel, RingMapping, SetupRequest } from "./kernel.ts";
import {
  closeRing,
  type MappedRing,
  openRing,
  resizeRing,
} from "./map_ring.ts";

/** liburing, wherever the loader finds it. */
export const LIBRARY = "liburing.so.2";

const symbols = {
  /** int io_uring_setup(unsigned entries, struct io_uring_params *params) */
  io_uring_setup: { parameters: ["u32", "buffer"], result: "i32" },
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
} as const satisfies Deno.ForeignLibraryInterface;

type LibUring = Deno.StaticForeignLibraryInterface<typeof symbols>;

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
    return openRing(this.#library.io_uring_setup, request);
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
    return resizeRing(this, old as MappedRing, request);
  }

  close(mapping: RingMapping): void {
    closeRing(mapping as MappedRing);
  }
}
