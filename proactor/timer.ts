/**
 * Timers of the event loop, for what the kernel does not time.
 *
 * @module
 */

import {
  IORING_OP_FADVISE,
  IORING_OP_FALLOCATE,
  IORING_OP_FGETXATTR,
  IORING_OP_FSETXATTR,
  IORING_OP_FSYNC,
  IORING_OP_FTRUNCATE,
  IORING_OP_GETXATTR,
  IORING_OP_LINKAT,
  IORING_OP_MADVISE,
  IORING_OP_MKDIRAT,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
  IORING_OP_RENAMEAT,
  IORING_OP_SETXATTR,
  IORING_OP_SHUTDOWN,
  IORING_OP_SPLICE,
  IORING_OP_STATX,
  IORING_OP_SYMLINKAT,
  IORING_OP_SYNC_FILE_RANGE,
  IORING_OP_TEE,
  IORING_OP_UNLINKAT,
  IOSQE_ASYNC,
  IOSQE_IO_DRAIN,
} from "../ffi/abi.ts";

/** What setTimeout takes at most: 24 days. With more it fires at once. */
const LONGEST = 2 ** 31 - 1;

/**
 * Calls back after a time, however long. It does not keep the process alive: the op that is timed
 * does, or is not to.
 *
 * @param milliseconds 0 or more.
 * @returns what stops it.
 */
export function after(milliseconds: number, task: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (left: number): void => {
    const now = Math.min(left, LONGEST);
    timer = setTimeout(() => left > now ? wait(left - now) : task(), now);
    Deno.unrefTimer(timer);
  };
  wait(milliseconds);
  return () => clearTimeout(timer);
}

/** Ops that the kernel hands to a worker before it tries them itself, some only with some flags. */
const WORKER_OPS: ReadonlySet<number> = new Set([
  IORING_OP_FADVISE,
  IORING_OP_FALLOCATE,
  IORING_OP_FGETXATTR,
  IORING_OP_FSETXATTR,
  IORING_OP_FSYNC,
  IORING_OP_FTRUNCATE,
  IORING_OP_GETXATTR,
  IORING_OP_LINKAT,
  IORING_OP_MADVISE,
  IORING_OP_MKDIRAT,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
  IORING_OP_RENAMEAT,
  IORING_OP_SETXATTR,
  IORING_OP_SHUTDOWN,
  IORING_OP_SPLICE,
  IORING_OP_STATX,
  IORING_OP_SYMLINKAT,
  IORING_OP_SYNC_FILE_RANGE,
  IORING_OP_TEE,
  IORING_OP_UNLINKAT,
]);

/**
 * Whether an op may be with a worker from the first: of these the kernel (Linux 6.18) does not
 * start the linked timeout until the worker is done with them.
 *
 * @param flags `IOSQE_*`.
 */
export function beginsInWorker(opcode: number, flags: number): boolean {
  return (flags & (IOSQE_ASYNC | IOSQE_IO_DRAIN)) !== 0 ||
    WORKER_OPS.has(opcode);
}
