/**
 * What reads and writes have in common: their options, their encoding, their errors.
 *
 * @module
 */

import { EFAULT, EINVAL, EOPNOTSUPP } from "../ffi/linux.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkFlags, checkOffset, checkUnsigned } from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";

/** Options of {@linkcode read}, {@linkcode write} and their relatives. */
export interface ReadWriteOptions {
  /**
   * Where in the file, in bytes; beyond 2^53 - 1 as a bigint. -1 is the file's own position,
   * which moves on. Pipes and sockets have none and ignore it. Default: -1.
   */
  offset?: number | bigint;
  /** `RWF_*`, see preadv2(2). Default: 0. */
  flags?: number;
  /** The I/O priority, see ioprio_set(2). Default: 0, the thread's own. */
  ioprio?: number;
}

/** An op that moves bytes, and how its errors call its arguments: put together once. */
export interface Kind {
  /** The opcode, `IORING_OP_*`. */
  readonly opcode: number;
  /** The opcode's name: "read_fixed". */
  readonly name: string;
  /** The builder's name: "readFixed". */
  readonly builder: string;
  /** How errors call the file: "readFixed: fd". */
  readonly fd: string;
  /** How errors call the buffer: "readFixed: buffer". */
  readonly buffer: string;
  /** How errors call the offset: "readFixed: offset". */
  readonly offset: string;
  /** Whether it uses a registered buffer. */
  readonly fixed: boolean;
}

/** The {@linkcode Kind} of an op that moves bytes. */
export function kind(builder: string, opcode: number, fixed: boolean): Kind {
  const name = builder.replace("Fixed", "_fixed");
  return {
    opcode,
    name,
    builder,
    fd: `${builder}: fd`,
    buffer: `${builder}: buffer`,
    offset: `${builder}: offset`,
    fixed,
  };
}

/** A read or write without its buffers: where, and how. */
export interface Transfer extends Required<ReadWriteOptions> {
  /** Its kind. */
  kind: Kind;
  /** The file. */
  fd: Fd;
  /** The registered buffer's index; 0 where there is none. */
  bufIndex: number;
}

/** A read or write of these arguments, checked. */
export function transferOf(
  kind: Kind,
  fd: Fd,
  { offset = -1, flags = 0, ioprio = 0 }: ReadWriteOptions,
  bufIndex: number,
): Transfer {
  const transfer = { kind, fd, offset, flags, ioprio, bufIndex };
  checkTransfer(transfer);
  return transfer;
}

/** Checks the arguments that all reads and writes have. */
export function checkTransfer(transfer: Transfer): void {
  const { kind, fd, offset, flags, ioprio, bufIndex } = transfer;
  checkFd(kind.fd, fd);
  if (offset !== -1) checkOffset(kind.offset, offset);
  if (flags !== 0) checkFlags(`${kind.builder}: flags`, flags);
  if (ioprio !== 0) checkUnsigned(`${kind.builder}: ioprio`, ioprio, 0xffff);
  if (bufIndex !== 0) {
    checkUnsigned(`${kind.builder}: bufIndex`, bufIndex, 0xffff);
  }
}

/** Writes a read or write: `addr` and `len` are the buffer's, or the iovecs' address and number. */
export function encodeTransfer(
  sqe: Sqe,
  { kind, fd, offset, flags, ioprio, bufIndex }: Transfer,
  addr: number,
  len: number,
): void {
  sqe.prep(kind.opcode, fdNumber(fd), addr, len, offset);
  // The entry is zero: most reads and writes have none of these.
  if (flags !== 0) sqe.opFlags = flags;
  if (ioprio !== 0) sqe.ioprio = ioprio;
  if (bufIndex !== 0) sqe.bufIndex = bufIndex;
  markFixed(sqe, fd);
}

/** What to do about an errno of a read or write. */
export function transferHint(
  { kind, flags, bufIndex }: Transfer,
  errno: number,
): string | undefined {
  if (errno === EINVAL) {
    return "With O_DIRECT the buffer's address, its length and the offset must be " +
      "multiples of what statx calls dioMemAlign and dioOffsetAlign.";
  }
  if (errno === EFAULT && kind.fixed) {
    return `All of it must lie within the registered buffer ${bufIndex}; register it ` +
      "with the ring first.";
  }
  if (errno === EOPNOTSUPP) {
    const polled =
      "On a ring with IORING_SETUP_IOPOLL the file must be opened with O_DIRECT, " +
      "and its file system and device must poll (an NVMe drive with polling queues: " +
      "nvme.poll_queues=N on the kernel's command line).";
    return flags === 0
      ? polled
      : "The file does not take these RWF_* flags, or this kernel does not know them. " +
        polled;
  }
  return undefined;
}
