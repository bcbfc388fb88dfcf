/**
 * What the registration classes need of a ring.
 *
 * @module
 */

import type { Block } from "../ffi/block.ts";
import type { View } from "../ffi/memory.ts";

/** A ring as its registration classes see it. */
export interface Registrar {
  /** `IORING_FEAT_*` of this kernel. */
  readonly features: number;
  /** The ring's file descriptor. */
  readonly fd: number;
  /** Whether the ring is closed. */
  readonly closed: boolean;
  /**
   * What the kernel may read or write until it is unregistered or the ring is closed. Held on
   * to until then, by the ring's finalizer too; nothing in here may refer to the ring.
   */
  readonly keep: Set<unknown>;
  /**
   * io_uring_register(2).
   *
   * @param name what errors call it: `"io_uring_register_buffers"`.
   * @param opcode `IORING_REGISTER_*`.
   * @param argument the memory that the kernel reads or writes during the call, or a number
   * that stands for itself; 0 is NULL.
   * @param count `nr_args`.
   * @param hint a sentence for an errno that says what to do about it.
   * @returns what the kernel answers, 0 or more.
   * @throws {SystemError} if it refuses.
   */
  register(
    name: string,
    opcode: number,
    argument: View | Block | number,
    count: number,
    hint?: (errno: number) => string | undefined,
  ): number;
}
