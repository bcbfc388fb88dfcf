/**
 * io_uring for Deno.
 *
 * {@linkcode readFile}, {@linkcode writeFile}, {@linkcode open}, {@linkcode stat} and the others
 * are Deno's own functions, on a ring; {@linkcode readFiles}, {@linkcode statMany} and
 * {@linkcode copyTree} do thousands of files. {@linkcode Uring} runs operations as promises, and
 * {@linkcode ops} has a builder for every opcode. Underneath, {@linkcode Ring} is the kernel's
 * interface, entry by entry, {@linkcode SqPoll} lets a thread of the kernel submit, and
 * {@linkcode ffi} is what all of it stands on: constants, memory, structs.
 *
 * Linux 5.10 or later, and `--allow-ffi`; the file functions need `--allow-read` and
 * `--allow-write` as Deno's own do. Where a kernel or a container forbids io_uring, what needs a ring
 * throws an error that says why, and {@linkcode isSupported} is false.
 *
 * @example
 * ```ts
 * import { fs, isSupported } from "@uring/uring";
 * import { assertEquals } from "@std/assert";
 *
 * const { readTextFile } = isSupported() ? fs : Deno;
 * assertEquals((await readTextFile("/proc/self/comm")).endsWith("\n"), true);
 * ```
 *
 * @example
 * ```ts
 * import { ops, Uring } from "@uring/uring";
 * import { assertEquals } from "@std/assert";
 *
 * await using uring = new Uring();
 * const fd = await uring.submit(ops.openat("/proc/self/comm", 0)); // O_RDONLY
 * const buffer = new Uint8Array(64);
 * const count = await uring.submit(ops.read(fd, buffer));
 * await uring.submit(ops.close(fd));
 * assertEquals(buffer[count - 1], "\n".charCodeAt(0));
 * ```
 *
 * @module
 */

export type { Backend } from "./ffi/backend.ts";
export type { Block } from "./ffi/block.ts";
export type {
  CompletionQueueLayout,
  Kernel,
  RingMapping,
  SetupRequest,
  SubmissionQueueLayout,
} from "./ffi/kernel.ts";
export type { SocketKind } from "./ffi/mod.ts";
export type { View } from "./ffi/memory.ts";
export * as ffi from "./ffi/mod.ts";
export * as ops from "./ops/mod.ts";
export type {
  Completion,
  Fd,
  FixedFdInstallOptions,
  FixedFile,
  Held,
  Op,
  OpenatOptions,
  Path,
  ReadWriteOptions,
  Received,
  ReceiveMultishotOptions,
  ReceiveOptions,
  ReceiveSelectOptions,
  Selection,
} from "./ops/mod.ts";
export * from "./ffi/abi.ts";
export {
  isSystemError,
  type SystemError,
  type SystemErrorFields,
  UringError,
} from "./ffi/errors.ts";
export * from "./fs/mod.ts";
export * as fs from "./fs/mod.ts";
export * from "./proactor/mod.ts";
export * from "./ring/mod.ts";
export * from "./sqpoll/mod.ts";
