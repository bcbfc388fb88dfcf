/**
 * Layer 2: ops as promises, in Deno's event loop.
 *
 * {@linkcode Uring} runs what the builders of `@uring/uring/ops` make. All that a program submits in
 * one turn goes to the kernel in one system call; what is done when that returns, as cached reads are,
 * is there at once; and while nothing happens the program sleeps, with no thread that waits for it.
 * More ops than the ring holds wait in order. An op keeps its buffer until the kernel is done with it,
 * whatever becomes of its promise, and settles once: with its result, or with an error that has
 * `code`, `errno`, `op` and `path`.
 *
 * - {@linkcode Uring.submit}: one op, with a `signal` and a `timeout`.
 * - {@linkcode Uring.chain}: ops one after the other in one submission, as {@linkcode Uring.link}
 *   with options.
 * - {@linkcode Uring.stream}: an op that completes many times, as an async iterator.
 * - {@linkcode BufferPool}, {@linkcode BufferRing}, {@linkcode FixedFiles}: what is registered once and
 *   used by many ops.
 * - {@linkcode Uring.post}: a message to the ring of another Worker.
 *
 * @example
 * ```ts
 * import { ops, Uring } from "@uring/uring";
 * import { assertEquals } from "@std/assert";
 *
 * await using uring = new Uring();
 * const fd = await uring.submit(ops.openat("/proc/version", 0)); // O_RDONLY
 * const parts = [new Uint8Array(5), new Uint8Array(7)];
 * const reads = parts.map((part, index) =>
 *   uring.submit(ops.read(fd, part, { offset: 6 * index }), { timeout: 1000 })
 * );
 * assertEquals(await Promise.all(reads), [5, 7]); // one system call
 * assertEquals(new TextDecoder().decode(parts[0]), "Linux");
 * await uring.submit(ops.close(fd));
 * ```
 *
 * @module
 */

export {
  BufferLease,
  BufferPool,
  type BufferPoolOptions,
  type LeaseOptions,
  type LeaseTransferOptions,
} from "./buffer_pool.ts";
export {
  BufferRing,
  type BufferRingOptions,
  ReceivedLease,
} from "./buffer_ring.ts";
export type { ChainError, ChainFields, LinkOptions, Results } from "./chain.ts";
export { TimeoutError } from "./errors.ts";
export {
  DirectFile,
  FixedFiles,
  type FixedFilesOptions,
  type OpenFixedOptions,
} from "./fixed_files.ts";
export type { SubmitOptions, UringOptions } from "./options.ts";
export type { StreamOptions } from "./stream.ts";
export { Uring, type UringStats } from "./uring.ts";
export type { Wake, WakeChoice } from "./wake.ts";
