/**
 * Cancelling at once, within the call: `IORING_REGISTER_SYNC_CANCEL`.
 *
 * @module
 */

import {
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_ANY,
  IORING_ASYNC_CANCEL_FD,
  IORING_ASYNC_CANCEL_FD_FIXED,
  IORING_ASYNC_CANCEL_OP,
  IORING_ASYNC_CANCEL_USERDATA,
  IORING_REGISTER_SYNC_CANCEL,
} from "../../ffi/abi.ts";
import type { Block } from "../../ffi/block.ts";
import { check64, checkInteger, show } from "../../ffi/check.ts";
import { isSystemError } from "../../ffi/errors.ts";
import { io_uring_sync_cancel_reg as cancel } from "../../ffi/layout.ts";
import {
  checkMilliseconds,
  writeTimespec,
} from "../../ffi/structs/timespec.ts";
import type { Registrar } from "../registrar.ts";
import { hints, withBlock } from "./argument.ts";

/** Which ops `ring.cancel` cancels: those that match every key given. */
export interface CancelRequest {
  /** Ops with this `user_data`. */
  userData?: number | bigint;
  /** Ops on this file: a descriptor, or the index of a registered file. */
  fd?: number | { readonly index: number };
  /** Ops with this opcode, `IORING_OP_*`. Since Linux 6.6. */
  opcode?: number;
  /** Every op of the ring; excludes the keys. Default: false. */
  any?: boolean;
  /** Every op that matches, not only the first one found. Default: false. */
  all?: boolean;
  /**
   * How long to wait at most, in milliseconds, for an op that is being executed and must
   * come to an end by itself. Default: for ever.
   */
  timeout?: number;
}

const FOREVER = -1n;

const hint = hints({
  ETIME: "What is being executed did not end in time; it goes on.",
  EBADF: "fd is not open, or no file is registered at its index.",
  EINVAL: "opcode, and userData beside fd, need Linux 6.6.",
});

/** Cancels ops of a ring. Internal: `ring.cancel` calls it. */
export function cancelOps(ring: Registrar, request: CancelRequest): number {
  return withBlock(cancel.size, (block) => {
    const flags = encodeCancel(block, request);
    const name = "io_uring_register_sync_cancel";
    try {
      const opcode = IORING_REGISTER_SYNC_CANCEL;
      const count = ring.register(name, opcode, block, 1, hint);
      const several = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY;
      // Of a single op the kernel says 0, and ENOENT if it found none.
      return flags & several ? count : 1;
    } catch (error) {
      if (isSystemError(error) && error.code === "ENOENT") return 0;
      throw error;
    }
  });
}

/** Writes a `struct io_uring_sync_cancel_reg` over zeros; returns its flags. */
export function encodeCancel(block: Block, request: CancelRequest): number {
  const flags = check(request);
  const { userData = 0, fd = -1, opcode = 0, timeout } = request;
  const { view } = block;
  const data = BigInt.asUintN(64, BigInt(userData));
  view.setBigUint64(cancel.addr, data, true);
  view.setInt32(cancel.fd, typeof fd === "number" ? fd : fd.index, true);
  view.setUint32(cancel.flags, flags, true);
  view.setUint8(cancel.opcode, opcode);
  if (timeout === undefined) {
    view.setBigInt64(cancel.timeout_tv_sec, FOREVER, true);
    view.setBigInt64(cancel.timeout_tv_nsec, FOREVER, true);
  } else {
    writeTimespec(view, cancel.timeout, timeout);
  }
  return flags;
}

function check(request: CancelRequest): number {
  if (request === null || typeof request !== "object") {
    throw new TypeError(
      `ring.cancel: request must be an object; got ${show(request)}.`,
    );
  }
  const { userData, fd, opcode, any = false, all = false, timeout } = request;
  const keyed = userData !== undefined || fd !== undefined ||
    opcode !== undefined;
  if (any === keyed) {
    throw new TypeError(
      "ring.cancel: give either any: true, or at least one of userData, fd and opcode.",
    );
  }
  if (timeout !== undefined) checkMilliseconds("ring.cancel: timeout", timeout);
  let flags = any ? IORING_ASYNC_CANCEL_ANY : 0;
  if (all) flags |= IORING_ASYNC_CANCEL_ALL;
  if (userData !== undefined) {
    check64("ring.cancel: userData", userData);
    // Alone it is the key that kernels before 6.6 know without a flag.
    if (fd !== undefined || opcode !== undefined) {
      flags |= IORING_ASYNC_CANCEL_USERDATA;
    }
  }
  if (fd !== undefined) flags |= fdFlags(fd);
  if (opcode !== undefined) {
    checkInteger("ring.cancel: opcode", opcode, 0, 255);
    flags |= IORING_ASYNC_CANCEL_OP;
  }
  return flags;
}

function fdFlags(fd: number | { readonly index: number }): number {
  if (fd !== null && typeof fd === "object") {
    checkInteger("ring.cancel: fd.index", fd.index, 0, 0x7fff_ffff);
    return IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED;
  }
  checkInteger("ring.cancel: fd", fd, 0, 0x7fff_ffff);
  return IORING_ASYNC_CANCEL_FD;
}
