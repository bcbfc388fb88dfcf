/**
 * The end of a ring.
 *
 * @module
 */

import {
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_ANY,
  IORING_REGISTER_SYNC_CANCEL,
} from "../ffi/abi.ts";
import { takeBlock } from "../ffi/block.ts";
import type { Kernel, RingMapping } from "../ffi/kernel.ts";
import { io_uring_sync_cancel_reg as cancel } from "../ffi/layout.ts";

/** What cannot be cancelled, such as a read that a disk is busy with, is waited for this long. */
const PATIENCE_SECONDS = 10n;

/**
 * Cancels every op of a ring and waits until none is left, so that the kernel writes to
 * nobody's memory afterwards. Kernels before 6.0 cannot (EINVAL): there a ring is as safe to
 * close as in C, and whoever closes it keeps the buffers.
 */
export function cancelEverything(kernel: Kernel, mapping: RingMapping): void {
  const block = takeBlock(cancel.size);
  block.bytes.fill(0, 0, cancel.size);
  const flags = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
  block.view.setInt32(cancel.fd, -1, true);
  block.view.setUint32(cancel.flags, flags, true);
  block.view.setBigInt64(cancel.timeout_tv_sec, PATIENCE_SECONDS, true);
  // Its answer changes nothing: there was nothing to cancel, or the ring closes regardless.
  kernel.register(mapping.fd, IORING_REGISTER_SYNC_CANCEL, block.address, 1);
  block.release();
}
