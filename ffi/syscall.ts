/**
 * The kernel without liburing: the same three system calls through the C library.
 *
 * @module
 */

import {
  IORING_OFF_SQ_RING,
  IORING_OFF_SQES,
  IORING_REGISTER_RESIZE_RINGS,
} from "./abi.ts";
import { systemError } from "./errors.ts";
import type { Kernel, RingMapping, SetupRequest } from "./kernel.ts";
import { errno, errnoView, type LibC, libc } from "./libc.ts";
import {
  __NR_io_uring_enter,
  __NR_io_uring_register,
  __NR_io_uring_setup,
  MAP_POPULATE,
  MAP_SHARED,
} from "./linux.ts";
import { addressOf, mmap } from "./memory.ts";
import {
  decodeParams,
  detachMapping,
  encodeParams,
  fillArray,
  setupSizes,
} from "./params.ts";
import { setupError } from "./setup_error.ts";

interface Region {
  readonly pointer: Deno.PointerObject;
  readonly byteLength: number;
}

/** A mapping with the regions to unmap at the end. */
interface SyscallMapping extends RingMapping {
  readonly regions: readonly Region[];
}

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
  readonly #errno: Int32Array;

  constructor(library: LibC, errnoWord: Int32Array) {
    this.#libc = library;
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
    const result = this.#libc.io_uring_enter(
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
    const result = this.#libc.io_uring_enter(
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
    const params = encodeParams(request);
    const result = this.register(
      old.fd,
      IORING_REGISTER_RESIZE_RINGS,
      addressOf(params),
      1,
    );
    if (result < 0) throw systemError(-result, "io_uring_resize_rings");
    this.#unmap(old);
    // The kernel answers with sizes and offsets but not with the ring's own properties.
    return {
      ...mapRing(old.fd, params),
      flags: old.flags,
      features: old.features,
    };
  }

  close(mapping: RingMapping): void {
    this.#unmap(mapping);
    this.#libc.close(mapping.fd);
  }

  #unmap(mapping: RingMapping): void {
    detachMapping(mapping);
    for (const { pointer, byteLength } of (mapping as SyscallMapping).regions) {
      this.#libc.munmap(pointer, BigInt(byteLength));
    }
  }
}

/**
 * Maps both queues in one region (`IORING_FEAT_SINGLE_MMAP`, Linux 5.4) and the entries in
 * another.
 */
function mapRing(fd: number, params: DataView<ArrayBuffer>): SyscallMapping {
  const made = decodeParams(params);
  const sizes = setupSizes(made);
  const ring = mapRegion(fd, sizes.ring, IORING_OFF_SQ_RING);
  let sqes: Region;
  try {
    sqes = mapRegion(fd, sizes.sqes, IORING_OFF_SQES);
  } catch (error) {
    libc().munmap(ring.pointer, BigInt(ring.byteLength));
    throw error;
  }
  const buffer = Deno.UnsafePointerView.getArrayBuffer(
    ring.pointer,
    ring.byteLength,
  );
  const mapping: SyscallMapping = {
    fd,
    flags: made.flags,
    features: made.features,
    sqEntries: made.sqEntries,
    cqEntries: made.cqEntries,
    sq: { buffer, ...made.sq },
    cq: { buffer, ...made.cq },
    sqes: Deno.UnsafePointerView.getArrayBuffer(sqes.pointer, sqes.byteLength),
    regions: [ring, sqes],
  };
  fillArray(mapping);
  return mapping;
}

function mapRegion(fd: number, byteLength: number, offset: number): Region {
  const flags = MAP_SHARED | MAP_POPULATE;
  return { pointer: mmap(byteLength, flags, fd, offset), byteLength };
}
