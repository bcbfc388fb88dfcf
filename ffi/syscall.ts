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
  closeRing,
  type MappedRing,
  openRing,
  resizeRing,
} from "./map_ring.ts";

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
    return openRing(this.#setup, request);
  }

  readonly #setup = (entries: number, params: DataView<ArrayBuffer>) => {
    const { io_uring_setup } = this.#libc;
    const fd = io_uring_setup(__NR_io_uring_setup, entries, params);
    return fd >= 0 ? fd : -errno();
  };

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
    return resizeRing(this, old as MappedRing, request);
  }

  close(mapping: RingMapping): void {
    closeRing(mapping as MappedRing);
  }
}
