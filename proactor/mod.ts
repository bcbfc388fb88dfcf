/**
 * Layer 2: ops as promises, in Deno's event loop.
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
