/**
 * The end of a ring.
 *
 * @module
 */

import { IORING_REGISTER_SYNC_CANCEL } from "../ffi/abi.ts";
import type { Kernel, RingMapping } from "../ffi/kernel.ts";
import { io_uring_sync_cancel_reg as cancel } from "../ffi/layout.ts";
import { drain, wasUsed } from "./drain.ts";
import { withBlock } from "./registration/argument.ts";
import { RingEnd } from "./end.ts";
import { encodeCancel } from "./registration/cancel.ts";
import { unregisterRingFd } from "./registration/ring_fd.ts";

/** How long to wait for what cannot be cancelled, in milliseconds. */
const PATIENCE = 10_000;
/** How long to wait for that while the ring is open: what it takes where the kernel can tell. */
const QUICK = 100;

/** What there is to close of a ring, whether somebody still holds it or not. */
export interface Remains {
  /** The kernel that made it. */
  readonly kernel: Kernel;
  /** Its queues. */
  mapping: RingMapping;
  /** The index of its registered descriptor; -1 if that is not registered. */
  ringFd: number;
  /** What must not be collected before. */
  readonly keep: Set<unknown>;
}

/**
 * Cancels what is in flight, waits until the kernel writes to nobody's memory any more, and
 * gives back everything that the ring had of the kernel.
 *
 * Kernels before 6.0 cannot cancel so (EINVAL): there a ring is as safe to close as in C, and
 * whoever closes it keeps the buffers.
 */
export function closeRing({ kernel, mapping, ringFd, keep }: Remains): void {
  let end: RingEnd | undefined;
  if (wasUsed(mapping) && cancelEverything(kernel, mapping)) {
    const again = () => cancelEverything(kernel, mapping);
    drain(kernel, mapping, again, QUICK, () => {
      end = RingEnd.watch(kernel, mapping.fd);
      return end === undefined ? PATIENCE : 0;
    });
  }
  if (ringFd >= 0) {
    // The thread's table would keep the ring alive.
    unregisterRingFd(
      (_name, opcode, argument, count) =>
        kernel.register(mapping.fd, opcode, argument.address, count),
      ringFd,
    );
  }
  kernel.close(mapping);
  end?.wait(PATIENCE);
  keep.clear();
}

/**
 * Cancels every op of a ring. Those that are being executed, such as a read that a disk is
 * busy with, go on, and nobody waits for them.
 *
 * @returns whether the kernel can.
 */
function cancelEverything(kernel: Kernel, mapping: RingMapping): boolean {
  return withBlock(cancel.size, (block) => {
    encodeCancel(block, { any: true, all: true });
    const opcode = IORING_REGISTER_SYNC_CANCEL;
    return kernel.register(mapping.fd, opcode, block.address, 1) >= 0;
  });
}
