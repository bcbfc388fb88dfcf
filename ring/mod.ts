/**
 * Layer 1: rings, as the kernel has them. Synchronous; allocates nothing for an operation.
 *
 * A {@linkcode Ring} has a submission queue and a completion queue, in memory that it shares with
 * the kernel. A program takes an entry ({@linkcode Ring.sqe}), fills it in with a `prepX` of
 * `@uring/uring/ops` or field by field ({@linkcode Sqe}), marks it with a number of its own
 * ({@linkcode Sqe.tag}), submits what it has filled in with one system call, and finds the number
 * again beside the result ({@linkcode Cqe}). Nothing here holds the memory that an entry names: until
 * its completion is there the program must, best by `Memory` of `@uring/uring/ffi`.
 *
 * What one registers with a ring, its limits and its ways to work: {@linkcode RingOptions},
 * `ring.buffers`, `ring.files`, {@linkcode Ring.setupBufRing} and the other methods of `Ring`. Who
 * wants promises instead takes `Uring`, from `@uring/uring`.
 *
 * See io_uring(7).
 *
 * @example
 * ```ts
 * import { Memory } from "@uring/uring/ffi";
 * import { close, openat, prepRead, run } from "@uring/uring/ops";
 * import { Ring } from "@uring/uring/ring";
 * import { assertEquals } from "@std/assert";
 *
 * using memory = new Memory(2 * 16);
 * using ring = new Ring(8);
 * const fd = run(ring, openat("/proc/version", 0)); // O_RDONLY
 * for (const tag of [0, 1]) {
 *   const sqe = ring.sqe();
 *   if (sqe === null) break; // the queue is full: submit first
 *   prepRead(sqe, fd, memory.address + 16 * tag, 16, 6 * tag);
 *   sqe.tag = tag;
 * }
 * assertEquals(ring.submitAndWait(2), 2); // one system call
 * const results: number[] = [];
 * ring.forEachCqe((cqe) => results[cqe.tag] = cqe.res); // bytes, or an errno below zero
 * assertEquals(results, [16, 16]);
 * assertEquals(new TextDecoder().decode(memory.bytes.slice(0, 5)), "Linux");
 * run(ring, close(fd));
 * ```
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
