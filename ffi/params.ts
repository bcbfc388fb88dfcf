/**
 * `struct io_uring_params`: what a ring is asked to be, and what the kernel made of it.
 *
 * @module
 */

import {
  IORING_SETUP_CQE32,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SQE128,
} from "./abi.ts";
import type {
  CompletionQueueLayout,
  RingMapping,
  SetupRequest,
  SubmissionQueueLayout,
} from "./kernel.ts";
import { io_uring_params as params } from "./layout.ts";

/** A `struct io_uring_params` that asks for a ring, with flags beside those of the request. */
export function encodeParams(
  request: SetupRequest,
  flags = 0,
): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(params.size));
  view.setUint32(params.sq_entries, request.entries, true);
  view.setUint32(params.cq_entries, request.cqEntries, true);
  view.setUint32(params.flags, request.flags | flags, true);
  view.setUint32(params.sq_thread_cpu, request.sqThreadCpu, true);
  view.setUint32(params.sq_thread_idle, request.sqThreadIdle, true);
  view.setInt32(params.wq_fd, request.wqFd, true);
  return view;
}

/** Reads what the kernel wrote into the struct: sizes, features, and where the words are. */
export function decodeParams(view: DataView): {
  sqEntries: number;
  cqEntries: number;
  flags: number;
  features: number;
  sq: Omit<SubmissionQueueLayout, "buffer">;
  cq: Omit<CompletionQueueLayout, "buffer">;
} {
  const word = (offset: number) => view.getUint32(offset, true);
  const flags = word(params.flags);
  return {
    sqEntries: word(params.sq_entries),
    cqEntries: word(params.cq_entries),
    flags,
    features: word(params.features),
    sq: {
      head: word(params.sq_off_head),
      tail: word(params.sq_off_tail),
      flags: word(params.sq_off_flags),
      dropped: word(params.sq_off_dropped),
      array: flags & IORING_SETUP_NO_SQARRAY ? -1 : word(params.sq_off_array),
    },
    cq: {
      head: word(params.cq_off_head),
      tail: word(params.cq_off_tail),
      overflow: word(params.cq_off_overflow),
      flags: word(params.cq_off_flags),
      cqes: word(params.cq_off_cqes),
    },
  };
}

/** How many bytes to map for a ring: its two queues together, and the entries. */
export function setupSizes(
  made: ReturnType<typeof decodeParams>,
): { ring: number; sqes: number } {
  const { sq, cq, sqEntries, cqEntries, flags } = made;
  const cqeSize = flags & IORING_SETUP_CQE32 ? 32 : 16;
  const sqeSize = flags & IORING_SETUP_SQE128 ? 128 : 64;
  return {
    ring: Math.max(sq.array + 4 * sqEntries, cq.cqes + cqeSize * cqEntries),
    sqes: sqeSize * sqEntries,
  };
}

/** Takes the ring's memory away from every view of it, before it is unmapped. */
export function detachMapping(mapping: RingMapping): void {
  const buffers = new Set([mapping.sq.buffer, mapping.cq.buffer, mapping.sqes]);
  for (const buffer of buffers) if (!buffer.detached) buffer.transfer();
}

/**
 * Fills the array of indices with each entry's own number, once: entries are used in
 * order, so it never changes.
 */
export function fillArray(mapping: RingMapping): void {
  if (mapping.sq.array < 0) return;
  const array = new Uint32Array(
    mapping.sq.buffer,
    mapping.sq.array,
    mapping.sqEntries,
  );
  for (let index = 0; index < array.length; index++) array[index] = index;
}
