/**
 * The kernel without liburing: the same three system calls through the C library.
 *
 * @module
 */

import type { Kernel, RingMapping, SetupRequest } from "./kernel.ts";
import { errno, errnoView, type LibC, libc } from "./libc.ts";
import {
  __NR_io_uring_enter,
  __NR_io_uring_register,
  __NR_io_uring_setup,
} from "./linux.ts";
import {
  type MappedRing,
  mapRing,
  resizeRing,
  unmapRegion,
} from "./map_ring.ts";
import { detachMapping, encodeParams } from "./params.ts";
import { setupError } from "./setup_error.ts";

/**
 * The backend that needs nothing installed.
 *
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`.
 */
export function loadSyscall(): Kernel {
  return new SyscallKernel(libc(), errnoView());
}

class SyscallKernel implements Kernel {
  readonly backend = "syscall";
  readonly version = null;
  readonly #libc: LibC;
  // By itself: looking a symbol up in the library costs as much as the call.
  readonly #enter: LibC["io_uring_enter"];
  readonly #errno: Int32Array;

  constructor(library: LibC, errnoWord: Int32Array) {
    this.#libc = library;
    this.#enter = library.io_uring_enter;
    this.#errno = errnoWord;
  }

  setup(request: SetupRequest): RingMapping {
    const params = encodeParams(request);
    const fd = this.#libc.io_uring_setup(
      __NR_io_uring_setup,
      request.entries,
      params,
    );
    if (fd < 0) throw setupError(errno(), request);
    try {
      return mapRing(fd, params);
    } catch (error) {
      this.#libc.close(fd);
      throw error;
    }
  }

  enter(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
  ): number {
    const enter = this.#enter;
    const result = enter(
      __NR_io_uring_enter,
      fd,
      toSubmit,
      minComplete,
      flags,
      0n,
      0n,
    );
    return result >= 0 ? result : -(this.#errno[0] as number);
  }

  enter2(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: bigint,
    size: bigint,
  ): number {
    const enter = this.#enter;
    const result = enter(
      __NR_io_uring_enter,
      fd,
      toSubmit,
      minComplete,
      flags,
      argument,
      size,
    );
    return result >= 0 ? result : -(this.#errno[0] as number);
  }

  register(
    fd: number,
    opcode: number,
    argument: number,
    count: number,
  ): number {
    const result = this.#libc.io_uring_register(
      __NR_io_uring_register,
      fd,
      opcode,
      BigInt(argument),
      count,
    );
    return result >= 0 ? result : -(this.#errno[0] as number);
  }

  resize(old: RingMapping, request: SetupRequest): RingMapping {
    return resizeRing(this, old, request, () => unmapRegions(old));
  }

  close(mapping: RingMapping): void {
    detachMapping(mapping);
    unmapRegions(mapping);
    this.#libc.close(mapping.fd);
  }
}

/** Every mapping of this backend was made by it. */
function unmapRegions(mapping: RingMapping): void {
  const { ring, entries } = mapping as MappedRing;
  unmapRegion(ring);
  unmapRegion(entries);
}
