/**
 * Making a ring and mapping its memory, alike with every backend and every version of liburing.
 *
 * @module
 */

import {
  IORING_OFF_SQ_RING,
  IORING_OFF_SQES,
  IORING_REGISTER_RESIZE_RINGS,
  IORING_SETUP_NO_SQARRAY,
} from "./abi.ts";
import type { Kernel, RingMapping, SetupRequest } from "./kernel.ts";
import { libc } from "./libc.ts";
import { EINVAL, MAP_POPULATE, MAP_SHARED } from "./linux.ts";
import { addressOf, mmap } from "./memory.ts";
import {
  decodeParams,
  detachMapping,
  encodeParams,
  fillArray,
  setupSizes,
} from "./params.ts";
import { resizeError, setupError } from "./setup_error.ts";

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

/** io_uring_setup(2): a descriptor, or an errno below zero. */
export type Setup = (entries: number, params: DataView<ArrayBuffer>) => number;

/**
 * Makes a ring, without the array of indices where the kernel can leave it out (Linux 6.6): to
 * look each entry up in it costs 3 ns. New versions of liburing do the same; 2.3 cannot map a
 * ring that has none, and fills the array in over the counters.
 *
 * @throws {SystemError} if the kernel refuses the ring.
 */
export function openRing(setup: Setup, request: SetupRequest): MappedRing {
  let params = encodeParams(request, IORING_SETUP_NO_SQARRAY);
  let fd = setup(request.entries, params);
  if (fd === -EINVAL) {
    params = encodeParams(request);
    fd = setup(request.entries, params);
  }
  if (fd < 0) throw setupError(-fd, request);
  try {
    return mapRing(fd, params);
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/** Unmaps a ring's memory, and closes its descriptor. */
export function closeRing(ring: MappedRing): void {
  unmapRing(ring);
  libc().close(ring.fd);
}

/**
 * Maps both queues in one region (`IORING_FEAT_SINGLE_MMAP`, Linux 5.4) and the entries in
 * another.
 */
function mapRing(fd: number, params: DataView<ArrayBuffer>): MappedRing {
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
 * Changes the sizes of a ring's queues, and maps them anew. A kernel that can do this makes
 * rings without the array of indices, whose place it would not tell here (Linux 6.18).
 *
 * @throws {SystemError} if the kernel refuses: then nothing has changed. If the new queues
 * cannot be mapped, the ring is lost: it is closed, and `old` detached.
 */
export function resizeRing(
  kernel: Kernel,
  old: MappedRing,
  request: SetupRequest,
): MappedRing {
  const params = encodeParams(request);
  const answer = kernel.register(
    old.fd,
    IORING_REGISTER_RESIZE_RINGS,
    addressOf(params),
    1,
  );
  if (answer < 0) throw resizeError(-answer);
  try {
    // The kernel answers with sizes and offsets but not with the ring's own properties.
    const { flags, features } = old;
    return { ...mapRing(old.fd, params), flags, features };
  } catch (error) {
    libc().close(old.fd);
    throw error;
  } finally {
    unmapRing(old);
  }
}

function unmapRing(mapping: MappedRing): void {
  detachMapping(mapping);
  unmapRegion(mapping.ring);
  unmapRegion(mapping.entries);
}

/** munmap(2). */
function unmapRegion({ pointer, byteLength }: Region): void {
  libc().munmap(pointer, BigInt(byteLength));
}

function mapRegion(fd: number, byteLength: number, offset: number): Region {
  const flags = MAP_SHARED | MAP_POPULATE;
  return { pointer: mmap(byteLength, flags, fd, offset), byteLength };
}

function bufferOf({ pointer, byteLength }: Region): ArrayBuffer {
  return Deno.UnsafePointerView.getArrayBuffer(pointer, byteLength);
}
