/**
 * Layer 1: rings, as the kernel has them. Synchronous; allocates nothing for an operation.
 *
 * @module
 */

export { CompletionQueue } from "./completion_queue.ts";
export { Cqe } from "./cqe.ts";
export type { RingOptions } from "./options.ts";
export { Probe } from "./registration/probe.ts";
export type { Registrar } from "./registrar.ts";
export { Ring } from "./ring.ts";
export { Sqe } from "./sqe.ts";
export { SubmissionQueue } from "./submission_queue.ts";
