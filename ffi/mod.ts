/**
 * The native boundary: the only part of this package that calls foreign functions.
 *
 * Constants and layouts of io_uring and Linux under their C names, errors from errno,
 * memory that the kernel may use, structs, and the {@linkcode Kernel} that rings stand on.
 *
 * What programs want of it: {@linkcode Memory}, which no garbage collector moves or frees;
 * {@linkcode errnoName}, {@linkcode strerror} and {@linkcode isSystemError}, for results below zero
 * and for what is thrown; constants such as {@linkcode O_DIRECT} and {@linkcode IORING_SETUP_SQPOLL}.
 *
 * @example
 * ```ts
 * import { errnoName, Memory, O_CREAT, O_WRONLY, strerror } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * using memory = new Memory(8192);
 * assertEquals(memory.address % 4096, 0); // O_DIRECT wants that
 * assertEquals([errnoName(2), strerror(2)], ["ENOENT", "No such file or directory"]);
 * assertEquals(O_WRONLY | O_CREAT, 0o101);
 * ```
 *
 * @module
 */

export * from "./abi.ts";
export { type Backend, openKernel } from "./backend.ts";
export { Block, takeBlock } from "./block.ts";
export { closeDescriptor, eventfd, hangsUp, pipePair } from "./descriptors.ts";
export { errnoMessage, errnoName, errnoNumber, strerror } from "./errno.ts";
export {
  isSystemError,
  type SystemError,
  systemError,
  type SystemErrorFields,
  type SystemErrorOptions,
  UringError,
} from "./errors.ts";
export { growPipe, lseek, nextData, position, setLength } from "./file.ts";
export {
  attributeNames,
  cloneFile,
  makeNode,
  setLinkOwner,
  setLinkTimes,
  setMode,
  setOwner,
  setTimes,
} from "./inode.ts";
export type {
  CompletionQueueLayout,
  Kernel,
  RingMapping,
  SetupRequest,
  SubmissionQueueLayout,
} from "./kernel.ts";
export * as layout from "./layout.ts";
export * from "./linux.ts";
export { addressOf, Memory, type MemoryOptions, type View } from "./memory.ts";
export { type SetupFlag, setupFlags } from "./setup_flags.ts";
export * from "./structs/mod.ts";
