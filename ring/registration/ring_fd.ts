/**
 * The registered ring descriptor: an index in a table of the thread's own, which makes
 * entering cheaper where threads share their descriptors.
 *
 * @module
 */

import {
  IORING_REGISTER_RING_FDS,
  IORING_UNREGISTER_RING_FDS,
} from "../../ffi/abi.ts";
import type { Block } from "../../ffi/block.ts";
import { systemError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { io_uring_rsrc_update as update } from "../../ffi/layout.ts";
import { EEXIST, EINVAL } from "../../ffi/linux.ts";
import type { Registrar } from "../registrar.ts";
import { hints, withBlock } from "./argument.ts";

const ANY_INDEX = 0xffff_ffff;

const hint = hints({
  EBUSY:
    "All 16 places of this thread are taken: unregister another ring's descriptor.",
});

/**
 * Registers a ring's descriptor; returns its index.
 *
 * @param index the index that it has already; -1 if it has none.
 * @throws {SystemError} EEXIST if it has one, as in liburing.
 */
export function registerRingFd(ring: Registrar, index: number): number {
  if (index >= 0) {
    const hint = "The ring's descriptor is registered already.";
    throw systemError(EEXIST, "io_uring_register_ring_fd", { hint });
  }
  const name = "io_uring_register_ring_fd";
  return claim(
    ring.fd,
    (block) => ring.register(name, IORING_REGISTER_RING_FDS, block, 1, hint),
  );
}

/** Registers the descriptor of a ring if that can be done; returns its index, or an errno negated. */
export function tryRingFd(kernel: Kernel, fd: number): number {
  const opcode = IORING_REGISTER_RING_FDS;
  return claim(fd, ({ address }) => kernel.register(fd, opcode, address, 1));
}

/** Asks for any place; returns its index, or what `register` answers below 0. */
function claim(fd: number, register: (block: Block) => number): number {
  return withBlock(update.size, (block) => {
    block.view.setUint32(update.offset, ANY_INDEX, true);
    block.view.setBigUint64(update.data, BigInt(fd), true);
    const answer = register(block);
    return answer < 0 ? answer : block.view.getUint32(update.offset, true);
  });
}

/**
 * Gives the place in the table back.
 *
 * @param register io_uring_register(2) on the ring.
 * @throws {SystemError} EINVAL if the index is -1, as in liburing.
 */
export function unregisterRingFd(
  register: (
    name: string,
    opcode: number,
    argument: Block,
    count: number,
  ) => number,
  index: number,
): void {
  if (index < 0) {
    const hint = "The ring's descriptor is not registered.";
    throw systemError(EINVAL, "io_uring_unregister_ring_fd", { hint });
  }
  withBlock(update.size, (block) => {
    block.view.setUint32(update.offset, index, true);
    const name = "io_uring_unregister_ring_fd";
    register(name, IORING_UNREGISTER_RING_FDS, block, 1);
  });
}
