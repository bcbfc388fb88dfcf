/**
 * io_uring_register(2) without a ring.
 *
 * @module
 */

import type { Block } from "../../ffi/block.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { registerError } from "./opcodes.ts";

/** The descriptor -1 as the kernel's unsigned int. */
const NO_RING = 0xffff_ffff;

/**
 * io_uring_register(2) for the opcodes that need no ring.
 *
 * @throws {SystemError} if the kernel refuses. Before Linux 6.13, which first looked at such
 * calls, with EBADF.
 */
export function registerBlind(
  kernel: Kernel,
  name: string,
  opcode: number,
  argument: Block,
  count: number,
  hint?: (errno: number) => string | undefined,
): number {
  const answer = kernel.register(NO_RING, opcode, argument.address, count);
  if (answer < 0) throw registerError(-answer, name, opcode, hint);
  return answer;
}
