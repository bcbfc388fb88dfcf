/**
 * The native boundary: the only part of this package that calls foreign functions.
 *
 * Constants and layouts of io_uring and Linux under their C names, errors from errno,
 * memory that the kernel may use, structs, and the {@linkcode Kernel} that rings stand on.
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
