/**
 * Mapping a ring's memory, where liburing does not do it: without it, and after a resize.
 *
 * @module
 */

import {
  IORING_OFF_SQ_RING,
  IORING_OFF_SQES,
  IORING_REGISTER_RESIZE_RINGS,
} from "./abi.ts";
import type { Kernel, RingMapping, SetupRequest } from "./kernel.ts";
import { libc } from "./libc.ts";
import { MAP_POPULATE, MAP_SHARED } from "./linux.ts";
import { addressOf, mmap } from "./memory.ts";
import {
  completeParams,
  decodeParams,
  detachMapping,
  encodeParams,
  fillArray,
  setupSizes,
} from "./params.ts";
import { resizeError } from "./setup_error.ts";

/** A piece of memory to unmap at the end. */
export interface Region {
  /** Where it begins. */
  readonly pointer: Deno.PointerObject;
  /** How much it is. */
  readonly byteLength: number;
}

/** A mapping that this library made. */
export interface MappedRing extends RingMapping {
  /** Both queues together. */
  readonly ring: Region;
  /** The submission queue's entries. */
  readonly entries: Region;
}

/**
 * Maps both queues in one region (`IORING_FEAT_SINGLE_MMAP`, Linux 5.4) and the entries in
 * another.
 */
export function mapRing(fd: number, params: DataView<ArrayBuffer>): MappedRing {
  const made = decodeParams(params);
  const sizes = setupSizes(made);
  const ring = mapRegion(fd, sizes.ring, IORING_OFF_SQ_RING);
  let entries: Region;
  try {
    entries = mapRegion(fd, sizes.sqes, IORING_OFF_SQES);
  } catch (error) {
    unmapRegion(ring);
    throw error;
  }
  const buffer = bufferOf(ring);
  const mapping: MappedRing = {
    fd,
    flags: made.flags,
    features: made.features,
    sqEntries: made.sqEntries,
    cqEntries: made.cqEntries,
    sq: { buffer, ...made.sq },
    cq: { buffer, ...made.cq },
    sqes: bufferOf(entries),
    ring,
    entries,
  };
  fillArray(mapping);
  return mapping;
}

/**
 * Changes the sizes of a ring's queues, and maps them anew.
 *
 * liburing has a function for this, since 2.9, which up to 2.15 does not know that the kernel
 * leaves out where the array of indices is, and writes that over the counters.
 *
 * @param unmap unmaps the ring as it was.
 * @throws {SystemError} if the kernel refuses: then nothing has changed. If the new queues
 * cannot be mapped, the ring is lost: it is closed, and `old` detached.
 */
export function resizeRing(
  kernel: Kernel,
  old: RingMapping,
  request: SetupRequest,
  unmap: () => void,
): MappedRing {
  const params = encodeParams(request);
  const answer = kernel.register(
    old.fd,
    IORING_REGISTER_RESIZE_RINGS,
    addressOf(params),
    1,
  );
  if (answer < 0) throw resizeError(-answer);
  completeParams(params, old);
  try {
    // The kernel answers with sizes and offsets but not with the ring's own properties.
    const { flags, features } = old;
    return { ...mapRing(old.fd, params), flags, features };
  } catch (error) {
    libc().close(old.fd);
    throw error;
  } finally {
    detachMapping(old);
    unmap();
  }
}

/** munmap(2). */
export function unmapRegion({ pointer, byteLength }: Region): void {
  libc().munmap(pointer, BigInt(byteLength));
}

function mapRegion(fd: number, byteLength: number, offset: number): Region {
  const flags = MAP_SHARED | MAP_POPULATE;
  return { pointer: mmap(byteLength, flags, fd, offset), byteLength };
}

function bufferOf({ pointer, byteLength }: Region): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(pointer, byteLength);
}
