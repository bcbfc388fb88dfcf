/**
 * Layer 1: rings, as the kernel has them. Synchronous; allocates nothing for an operation.
 *
 * @module
 */

export { CompletionQueue } from "./completion_queue.ts";
export { Cqe } from "./cqe.ts";
export type { RingModes, WorkerOptions } from "./modes.ts";
export type { RingOptions } from "./options.ts";
export type { Registrar } from "./registrar.ts";
export { Registrations } from "./registrations.ts";
export {
  type BpfFilter,
  type BpfInstruction,
  filterTask,
} from "./registration/bpf_filter.ts";
export { BufRing, type BufRingOptions } from "./registration/buf_ring.ts";
export {
  type CloneBuffersOptions,
  RegisteredBuffers,
} from "./registration/buffers.ts";
export type { CancelRequest } from "./registration/cancel.ts";
export {
  type EventfdOptions,
  RegisteredEventfd,
} from "./registration/eventfd.ts";
export { RegisteredFiles } from "./registration/files.ts";
export { type Message, sendMessage } from "./registration/message.ts";
export { Napi, type NapiSettings } from "./registration/napi.ts";
export {
  type RegisterOpcode,
  registerOpcodes,
} from "./registration/opcodes.ts";
export { Personalities } from "./registration/personalities.ts";
export { Probe } from "./registration/probe.ts";
export {
  type OpcodesAnswer,
  queryOpcodes,
  type QueryOptions,
  queryScq,
  queryZcrx,
  type ScqAnswer,
  type ZcrxAnswer,
} from "./registration/query.ts";
export type { ResourceOptions } from "./registration/resources.ts";
export {
  type Restrictions,
  restrictTask,
} from "./registration/restrictions.ts";
export { type RegisteredWait, WaitRegion } from "./registration/wait_region.ts";
export { type WorkerLimits, Workers } from "./registration/workers.ts";
export {
  Zcrx,
  type ZcrxCompletion,
  type ZcrxOptions,
} from "./registration/zcrx.ts";
export type { ResizeOptions } from "./resize.ts";
export { Ring } from "./ring.ts";
export { Sqe } from "./sqe.ts";
export { SubmissionQueue } from "./submission_queue.ts";
export type { WaitOptions } from "./wait.ts";
