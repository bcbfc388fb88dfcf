/**
 * io_uring for Deno.
 *
 * {@linkcode Ring} is the kernel's interface, entry by entry; {@linkcode ops} has a builder and
 * an encoder for every opcode; {@linkcode SqPoll} lets a thread of the kernel submit;
 * {@linkcode ffi} is what all of it stands on.
 *
 * @example
 * ```ts
 * import { ops, Ring } from "@uring/uring";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(8);
 * const fd = ops.run(ring, ops.openat("/proc/self/comm", 0)); // O_RDONLY
 * const buffer = new Uint8Array(64);
 * const count = ops.run(ring, ops.read(fd, buffer));
 * ops.run(ring, ops.close(fd));
 * assertEquals(buffer[count - 1], "\n".charCodeAt(0));
 * ```
 *
 * @module
 */

export * as ffi from "./ffi/mod.ts";
export * as ops from "./ops/mod.ts";
export * from "./ffi/abi.ts";
export {
  isSystemError,
  type SystemError,
  type SystemErrorFields,
  UringError,
} from "./ffi/errors.ts";
export * from "./ring/mod.ts";
export * from "./sqpoll/mod.ts";
