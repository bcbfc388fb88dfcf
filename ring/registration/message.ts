/**
 * Messages to a ring from a thread that has none: `IORING_REGISTER_SEND_MSG_RING`.
 *
 * @module
 */

import {
  IORING_MSG_RING_FLAGS_PASS,
  IORING_OP_MSG_RING,
  IORING_REGISTER_SEND_MSG_RING,
} from "../../ffi/abi.ts";
import { type Backend, openKernel } from "../../ffi/backend.ts";
import { check64, checkInteger } from "../../ffi/check.ts";
import { io_uring_sqe } from "../../ffi/layout.ts";
import { Sqe } from "../sqe.ts";
import { hints, withBlock } from "./argument.ts";
import { registerBlind } from "./blind.ts";

/** What {@linkcode sendMessage} sends. */
export interface Message {
  /** The `res` of the target's completion, signed, 32 bits. Default: 0. */
  result?: number;
  /** Its `user_data`. Default: 0. */
  userData?: number | bigint;
  /** Its flags. Default: those that the kernel gives it, 0. */
  cqeFlags?: number;
}

const hint = hints({
  EBADF: "The target is not open, or the kernel is older than Linux 6.13.",
  EBADFD: "The target is no ring, or is not enabled.",
  EOVERFLOW: "The target's completion queue is full.",
});

/**
 * Puts a completion into a ring's queue, without a ring of one's own: a Worker can wake the
 * one that waits on a ring. Since Linux 6.13, see io_uring_register_sync_msg(3); the op
 * `msgRing` does it from a ring, since 5.18.
 *
 * @param target the ring, or its descriptor.
 * @param options `backend`: how to reach the kernel, see {@linkcode RingOptions}.
 * @throws {TypeError | RangeError} if a field cannot hold what it is given.
 * @throws {SystemError} EBADF if the target is not open, EBADFD if it is no ring, EOVERFLOW if
 * its completion queue is full; EBADF before Linux 6.13.
 *
 * @example
 * ```ts
 * import { Ring, sendMessage } from "@uring/uring/ring";
 * import { isSystemError } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * try {
 *   sendMessage(ring, { result: 42, userData: 7 });
 *   ring.wait(1);
 *   ring.forEachCqe((cqe) => assertEquals([cqe.res, cqe.tag], [42, 7]));
 * } catch (error) {
 *   if (!isSystemError(error) || error.code !== "EBADF") throw error; // before Linux 6.13
 * }
 * ```
 */
export function sendMessage(
  target: { readonly fd: number } | number,
  message: Message = {},
  { backend }: { backend?: Backend } = {},
): void {
  const fd = typeof target === "object" ? target?.fd : target;
  checkInteger("sendMessage: target", fd, 0, 0x7fff_ffff);
  const { result = 0, userData = 0, cqeFlags } = message;
  checkInteger("sendMessage: result", result, -0x8000_0000, 0x7fff_ffff);
  check64("sendMessage: userData", userData);
  if (cqeFlags !== undefined) {
    checkInteger("sendMessage: cqeFlags", cqeFlags, 0, 0xffff_ffff);
  }
  withBlock(io_uring_sqe.size, (block) => {
    const sqe = new Sqe(block.bytes.buffer, block.bytes.byteOffset);
    sqe.prep(IORING_OP_MSG_RING, fd, 0, result >>> 0, userData);
    if (cqeFlags !== undefined) {
      sqe.opFlags = IORING_MSG_RING_FLAGS_PASS;
      sqe.fileIndex = cqeFlags;
    }
    const name = "io_uring_register_sync_msg";
    const opcode = IORING_REGISTER_SEND_MSG_RING;
    registerBlind(openKernel(backend), name, opcode, block, 1, hint);
  });
}
