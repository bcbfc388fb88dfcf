/**
 * Commands that a file's driver defines: of block devices, NVMe, ublk, FUSE and others. Those
 * of sockets are in `socket.ts`.
 *
 * @module
 */

import {
  BLOCK_URING_CMD_DISCARD,
  IORING_OP_URING_CMD,
  IORING_OP_URING_CMD128,
  IORING_URING_CMD_FIXED,
} from "../ffi/abi.ts";
import { show } from "../ffi/check.ts";
import { checkView, type View } from "../ffi/memory.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkLength, checkUnsigned, checkWord } from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { count, nothing, Op } from "./op.ts";

/**
 * Queues a command of the file's driver; whose argument goes to `sqe.cmd`.
 * `io_uring_prep_uring_cmd(3)`, since 5.19.
 */
export function prepUringCmd(sqe: Sqe, cmdOp: number, fd: number): void {
  const command = checkWord("prepUringCmd: cmdOp", cmdOp);
  sqe.prep(IORING_OP_URING_CMD, fd, 0, 0, command);
}

/**
 * Queues a command of the file's driver in an entry of 128 bytes, whose argument of up to 80
 * bytes goes to `sqe.cmd`. `io_uring_prep_uring_cmd128(3)`, since 6.19.
 */
export function prepUringCmd128(sqe: Sqe, cmdOp: number, fd: number): void {
  const command = checkWord("prepUringCmd128: cmdOp", cmdOp);
  sqe.prep(IORING_OP_URING_CMD128, fd, 0, 0, command);
}

/**
 * Queues the discarding of a range of a block device, in bytes.
 * `io_uring_prep_cmd_discard(3)`, since 6.12.
 */
export function prepCmdDiscard(
  sqe: Sqe,
  fd: number,
  offset: number | bigint,
  nbytes: number | bigint,
): void {
  sqe.addr3 = nbytes;
  sqe.prep(IORING_OP_URING_CMD, fd, offset, 0, BLOCK_URING_CMD_DISCARD);
}

/** Options of {@linkcode uringCmd} and {@linkcode uringCmd128}. */
export interface UringCmdOptions {
  /**
   * The argument, as the driver defines it: 16 bytes at most, or 80 in an entry of 128 bytes.
   * It is copied when the builder is called. Default: none.
   */
  argument?: Uint8Array;
  /** The registered buffer that the command works on. Since kernel 6.1. Default: none. */
  bufIndex?: number;
  /** Memory that the argument points to: kept alive until the command is done. Default: none. */
  keep?: readonly View[];
}

/**
 * Gives a command to the file's driver.
 *
 * Gives the driver's result. EOPNOTSUPP: the file's driver takes no commands. Others are
 * the driver's own, often ENOTTY or EINVAL for a command that it does not know.
 *
 * Since kernel 5.19; see io_uring_prep_uring_cmd(3).
 *
 * @param fd the device or socket.
 * @param command the command's number, as the driver defines it (`cmd_op`).
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range, or when the op is encoded: if the
 * command's argument is longer than the ring's entries have room for.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { opcodes, run, uringCmd } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 * import { closeSync, openSync } from "node:fs";
 *
 * if (opcodes.uringCmd.supported()) {
 *   using ring = new Ring(4);
 *   const fd = openSync(Deno.makeTempFileSync(), "r");
 *   // Ordinary files take no commands.
 *   assertThrows(() => run(ring, uringCmd(fd, 1)), Error, "uring_cmd: ");
 *   closeSync(fd);
 * }
 * ```
 */
export function uringCmd(
  fd: Fd,
  command: number,
  options: UringCmdOptions = {},
): Op<number> {
  const opcode = IORING_OP_URING_CMD;
  return commandOf("uringCmd", opcode, prepUringCmd, fd, command, options);
}

/**
 * Gives a command to the file's driver, like {@linkcode uringCmd}, in an entry of 128 bytes: on
 * a ring with `IORING_SETUP_SQE128` or `IORING_SETUP_SQE_MIXED`.
 *
 * Gives the driver's result. EINVAL: this kernel has no such op.
 *
 * Since kernel 6.19; see io_uring_prep_uring_cmd128(3). On older kernels a ring with
 * `IORING_SETUP_SQE128` gives `uringCmd` the same room.
 *
 * @param fd the device or socket.
 * @param command the command's number, as the driver defines it (`cmd_op`).
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range, or when it is encoded into an entry
 * of 64 bytes.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { run, uringCmd128 } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * using ring = new Ring(4); // of 64-byte entries
 * assertThrows(() => run(ring, uringCmd128(0, 1)), TypeError, "64 bytes");
 * ```
 */
export function uringCmd128(
  fd: Fd,
  command: number,
  options: UringCmdOptions = {},
): Op<number> {
  const opcode = IORING_OP_URING_CMD128;
  return commandOf(
    "uringCmd128",
    opcode,
    prepUringCmd128,
    fd,
    command,
    options,
  );
}

function commandOf(
  name: string,
  opcode: number,
  prep: (sqe: Sqe, cmdOp: number, fd: number) => void,
  fd: Fd,
  command: number,
  { argument, bufIndex, keep = [] }: UringCmdOptions,
): Op<number> {
  checkFd(`${name}: fd`, fd);
  checkWord(`${name}: command`, command);
  const bytes = checkArgument(name, argument);
  if (bufIndex !== undefined) {
    checkUnsigned(`${name}: bufIndex`, bufIndex, 0xffff);
  }
  keep.forEach((view, index) => checkView(`${name}: keep[${index}]`, view));
  return Op.of({
    opcode,
    name: name === "uringCmd" ? "uring_cmd" : "uring_cmd128",
    encode: (sqe) => {
      checkRoom(name, opcode, sqe, bytes.length);
      prep(sqe, command, fdNumber(fd));
      sqe.cmd.set(bytes);
      if (bufIndex !== undefined) {
        sqe.opFlags = IORING_URING_CMD_FIXED;
        sqe.bufIndex = bufIndex;
      }
      markFixed(sqe, fd);
      return keep;
    },
    decode: count,
  });
}

function checkArgument(name: string, argument?: Uint8Array): Uint8Array {
  if (argument === undefined) return new Uint8Array();
  if (!(argument instanceof Uint8Array)) {
    throw new TypeError(
      `${name}: argument must be a Uint8Array; got ${show(argument)}.`,
    );
  }
  if (argument.length > 80) {
    throw new RangeError(
      `${name}: argument must be 80 bytes at most; got ${argument.length}.`,
    );
  }
  return argument.slice();
}

/** Only the entry knows its size: the same op may be run on rings of either kind. */
function checkRoom(
  name: string,
  opcode: number,
  sqe: Sqe,
  byteLength: number,
): void {
  const wanted = opcode === IORING_OP_URING_CMD128 || byteLength > 16
    ? 128
    : 64;
  if (sqe.byteLength >= wanted) return;
  throw new RangeError(
    `${name}: an argument of ${byteLength} bytes wants an entry of ${wanted} bytes, and this ` +
      `ring's have ${sqe.byteLength}. Make the ring with IORING_SETUP_SQE128.`,
  );
}

/**
 * Tells a block device that a range of bytes is not needed any more, as the ioctl BLKDISCARD
 * does, but many at once. Reads and writes of the range at the same time are not held back.
 *
 * EBADF: the device is not open for writing. EINVAL: the range is not aligned to the
 * device's blocks, or beyond its end. EOPNOTSUPP: it is no block device, or one that
 * does not discard.
 *
 * Since kernel 6.12; see io_uring_prep_cmd_discard(3).
 *
 * @param fd the block device.
 * @param offset the range's first byte.
 * @param byteLength the range's length.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { cmdDiscard, opcodes, run } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 * import { closeSync, openSync } from "node:fs";
 *
 * if (opcodes.uringCmd.supported()) {
 *   using ring = new Ring(4);
 *   const fd = openSync(Deno.makeTempFileSync(), "r+");
 *   // An ordinary file is no block device.
 *   assertThrows(() => run(ring, cmdDiscard(fd, 0, 4096)), Error, "cmd_discard: ");
 *   closeSync(fd);
 * }
 * ```
 */
export function cmdDiscard(
  fd: Fd,
  offset: number | bigint,
  byteLength: number | bigint,
): Op<void> {
  checkFd("cmdDiscard: fd", fd);
  checkLength("cmdDiscard: offset", offset);
  checkLength("cmdDiscard: byteLength", byteLength);
  return Op.of({
    opcode: IORING_OP_URING_CMD,
    name: "cmd_discard",
    encode: (sqe) => {
      prepCmdDiscard(sqe, fdNumber(fd), offset, byteLength);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: nothing,
  });
}
