/**
 * Layer 2: ops as promises, in Deno's event loop.
 *
 * @module
 */

export type { ChainError, ChainFields, LinkOptions, Results } from "./chain.ts";
export { TimeoutError } from "./errors.ts";
export type { SubmitOptions, UringOptions } from "./options.ts";
export type { StreamOptions } from "./stream.ts";
export { Uring, type UringStats } from "./uring.ts";
export type { Wake, WakeChoice } from "./wake.ts";
