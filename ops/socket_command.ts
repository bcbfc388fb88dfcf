/**
 * Commands to sockets, `IORING_OP_URING_CMD`: their options, their addresses, how much waits
 * in them, when their bytes left.
 *
 * @module
 */

import {
  IORING_CQE_F_MORE,
  IORING_CQE_F_TSTAMP_HW,
  IORING_OP_URING_CMD,
  IORING_TIMESTAMP_TYPE_SHIFT,
  SOCKET_URING_OP_GETSOCKNAME,
  SOCKET_URING_OP_GETSOCKOPT,
  SOCKET_URING_OP_SETSOCKOPT,
  SOCKET_URING_OP_SIOCINQ,
  SOCKET_URING_OP_SIOCOUTQ,
  SOCKET_URING_OP_TX_TIMESTAMP,
} from "../ffi/abi.ts";
import { takeBlock } from "../ffi/block.ts";
import { checkInteger } from "../ffi/check.ts";
import { EOPNOTSUPP } from "../ffi/linux.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import type { SocketAddress, SocketKind } from "../ffi/structs/sockaddr.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  addressBlock,
  copyBlock,
  lengthAddress,
  readAddress,
  sockaddrAddress,
} from "./address.ts";
import { checkBuffer, checkIntact, checkWord } from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { type Completion, count, type Held, nothing, Op } from "./op.ts";

// node:util calls it ENOTSUP, which has the same number.

/**
 * Queues a command to a socket; `optval` is the address of the option's value.
 * `io_uring_prep_cmd_sock(3)`, since 6.6.
 */
export function prepCmdSock(
  sqe: Sqe,
  cmdOp: number,
  fd: number,
  level: number,
  optname: number,
  optval: number | bigint,
  optlen: number,
): void {
  const command = checkWord("prepCmdSock: cmd_op", cmdOp);
  const layer = checkWord("prepCmdSock: level", level);
  const option = checkWord("prepCmdSock: optname", optname);
  sqe.fileIndex = checkWord("prepCmdSock: optlen", optlen);
  sqe.addr3 = optval;
  sqe.prep(IORING_OP_URING_CMD, fd, 0, 0, command);
  // Level and option name share the address's field.
  sqe.setWord(4, layer, "prepCmdSock: level");
  sqe.setWord(5, option, "prepCmdSock: optname");
}

/**
 * Queues the question for a socket's own address, or with `peer` 1 the other end's;
 * `sockaddr` and `sockaddr_len` are the addresses of a `struct sockaddr` and a `socklen_t`.
 * `io_uring_prep_cmd_getsockname(3)`, since 6.19.
 */
export function prepCmdGetsockname(
  sqe: Sqe,
  fd: number,
  sockaddr: number | bigint,
  sockaddrLen: number | bigint,
  peer: number,
): void {
  sqe.fileIndex = checkWord("prepCmdGetsockname: peer", peer);
  sqe.addr3 = sockaddrLen;
  sqe.prep(IORING_OP_URING_CMD, fd, sockaddr, 0, SOCKET_URING_OP_GETSOCKNAME);
}

/** What tells one command from another. */
interface Command<T, H extends Held> {
  name: string;
  multishot?: boolean;
  encode: (sqe: Sqe, fd: number) => H;
  decode: (completion: Completion, held: H) => T;
  /** What to say of EOPNOTSUPP. */
  hint: string;
}

function command<T, H extends Held>(
  fd: Fd,
  { name, multishot = false, encode, decode, hint }: Command<T, H>,
): Op<T> {
  checkFd(`${name}: fd`, fd);
  return Op.of({
    opcode: IORING_OP_URING_CMD,
    name,
    multishot,
    // The only multishot here tells nothing in its last completion.
    ends: () => true,
    encode: (sqe) => {
      const held = encode(sqe, fdNumber(fd));
      markFixed(sqe, fd);
      return held;
    },
    decode,
    hint: (errno) => errno === EOPNOTSUPP ? hint : undefined,
  });
}

/** A command that takes nothing and answers a number. */
function question(fd: Fd, name: string, cmdOp: number): Op<number> {
  return command(fd, {
    name,
    encode: (sqe, fd) => {
      prepCmdSock(sqe, cmdOp, fd, 0, 0, 0, 0);
      return undefined;
    },
    decode: count,
    hint:
      "It is no socket, or its protocol has no such command: TCP, UDP and raw sockets " +
      "have it, since kernel 6.6.",
  });
}

/**
 * Asks how many bytes wait to be read from a socket (of datagrams: in the next one), as the
 * ioctl SIOCINQ does.
 *
 * Gives the number of bytes. EINVAL: the socket listens. EOPNOTSUPP: a Unix socket, or none.
 *
 * Since kernel 6.6; see io_uring_prep_cmd_sock(3).
 *
 * @throws {TypeError | RangeError} if fd is no file.
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, cmdSiocinq, opcodes, run, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.waitid.supported()) { // of kernel 6.7
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   assertEquals(run(ring, cmdSiocinq(fd)), 0);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function cmdSiocinq(fd: Fd): Op<number> {
  return question(fd, "cmdSiocinq", SOCKET_URING_OP_SIOCINQ);
}

/**
 * Asks how many bytes that were sent have not left the socket, or of TCP were not acknowledged
 * yet, as the ioctl SIOCOUTQ does.
 *
 * Gives the number of bytes. EINVAL: the socket listens. EOPNOTSUPP: a Unix socket, or none.
 *
 * Since kernel 6.6; see io_uring_prep_cmd_sock(3).
 *
 * @throws {TypeError | RangeError} if fd is no file.
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, cmdSiocoutq, opcodes, run, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.waitid.supported()) { // of kernel 6.7
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   assertEquals(run(ring, cmdSiocoutq(fd)), 0);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function cmdSiocoutq(fd: Fd): Op<number> {
  return question(fd, "cmdSiocoutq", SOCKET_URING_OP_SIOCOUTQ);
}

const OPTION_HINT =
  "It is no socket, or the kernel has no such command: options can be " +
  "read and set since 6.7, and read at the level SOL_SOCKET only.";

function checkOption(op: string, level: number, optname: number): void {
  checkInteger(`${op}: level`, level, -0x8000_0000, 0x7fff_ffff);
  checkInteger(`${op}: optname`, optname, -0x8000_0000, 0x7fff_ffff);
}

/**
 * Reads an option of a socket that is a C int, as getsockopt(2).
 *
 * Gives the option's value. EOPNOTSUPP: another level than `SOL_SOCKET`. ENOPROTOOPT: there is
 * no such option.
 *
 * Since kernel 6.7; see io_uring_prep_cmd_sock(3).
 *
 * @param level `SOL_SOCKET`: the kernel takes no other yet.
 * @param optname `SO_*`.
 * @throws {TypeError | RangeError} if an argument is no integer.
 *
 * @example
 * ```ts
 * import { AF_INET, SO_TYPE, SOCK_DGRAM, SOL_SOCKET } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, cmdGetsockopt, opcodes, run, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.waitid.supported()) { // of kernel 6.7
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   assertEquals(run(ring, cmdGetsockopt(fd, SOL_SOCKET, SO_TYPE)), SOCK_DGRAM);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function cmdGetsockopt(
  fd: Fd,
  level: number,
  optname: number,
): Op<number> {
  checkOption("cmdGetsockopt", level, optname);
  return command(fd, {
    name: "cmdGetsockopt",
    encode: (sqe, fd) => {
      const block = takeBlock(4);
      block.view.setInt32(0, 0, true);
      encodeGet(sqe, fd, level, optname, block.address, 4);
      return block;
    },
    decode: (_completion, block) => block.view.getInt32(0, true),
    hint: OPTION_HINT,
  });
}

function encodeGet(
  sqe: Sqe,
  fd: number,
  level: number,
  optname: number,
  address: number,
  length: number,
): void {
  const op = SOCKET_URING_OP_GETSOCKOPT;
  prepCmdSock(sqe, op, fd, level, optname, address, length);
}

/**
 * Reads an option of a socket into a buffer, as getsockopt(2): one that is a struct or text.
 * Errors are those of {@linkcode cmdGetsockopt}.
 *
 * Gives how many bytes of the value were written; a longer one is cut.
 *
 * Since kernel 6.7; see io_uring_prep_cmd_sock(3).
 *
 * @param level `SOL_SOCKET`: the kernel takes no other yet.
 * @param optname `SO_*`.
 * @param value where to, from 1 byte on.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_INET, SO_LINGER, SOCK_DGRAM, SOL_SOCKET } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, cmdGetsockoptInto, opcodes, run, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.waitid.supported()) { // of kernel 6.7
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   const linger = new Int32Array(2);
 *   assertEquals(run(ring, cmdGetsockoptInto(fd, SOL_SOCKET, SO_LINGER, linger)), 8);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function cmdGetsockoptInto(
  fd: Fd,
  level: number,
  optname: number,
  value: View,
): Op<number> {
  checkOption("cmdGetsockoptInto", level, optname);
  checkBuffer("cmdGetsockoptInto: value", value);
  const { byteLength } = value;
  checkInteger("cmdGetsockoptInto: value's length", byteLength, 1, 0x7fff_ffff);
  return command(fd, {
    name: "cmdGetsockoptInto",
    encode: (sqe, fd) => {
      encodeGet(sqe, fd, level, optname, addressOf(value), byteLength);
      return value;
    },
    decode: ({ res }, value) => {
      checkIntact("cmdGetsockoptInto", value, byteLength);
      return res;
    },
    hint: OPTION_HINT,
  });
}

/**
 * Sets an option of a socket, as setsockopt(2).
 *
 * Gives nothing. ENOPROTOOPT: there is no such option at this level. EINVAL: not with this
 * value. EOPNOTSUPP: it is no socket.
 *
 * Since kernel 6.7; see io_uring_prep_cmd_sock(3).
 *
 * @param level `SOL_SOCKET`, or a protocol: `IPPROTO_TCP`.
 * @param optname `SO_*`, or the protocol's: `TCP_NODELAY`.
 * @param value a C int, true or false for 1 or 0, or the bytes of a struct or text. Bytes are
 * copied when the builder is called.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { AF_INET, IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, cmdSetsockopt, opcodes, run, socket } from "@uring/uring/ops";
 *
 * if (opcodes.waitid.supported()) { // of kernel 6.7
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_STREAM));
 *   run(ring, cmdSetsockopt(fd, IPPROTO_TCP, TCP_NODELAY, true));
 *   run(ring, close(fd));
 * }
 * ```
 */
export function cmdSetsockopt(
  fd: Fd,
  level: number,
  optname: number,
  value: number | boolean | View,
): Op<void> {
  checkOption("cmdSetsockopt", level, optname);
  const bytes = optionBytes(value);
  return command(fd, {
    name: "cmdSetsockopt",
    encode: (sqe, fd) => {
      const block = copyBlock(bytes);
      const op = SOCKET_URING_OP_SETSOCKOPT;
      const { length } = bytes;
      prepCmdSock(sqe, op, fd, level, optname, block.address, length);
      return block;
    },
    decode: nothing,
    hint: OPTION_HINT,
  });
}

function optionBytes(value: number | boolean | View): Uint8Array {
  if (ArrayBuffer.isView(value)) {
    checkBuffer("cmdSetsockopt: value", value);
    const { buffer, byteOffset, byteLength } = value;
    return new Uint8Array(buffer, byteOffset, byteLength).slice();
  }
  const number = typeof value === "boolean" ? Number(value) : value;
  checkInteger("cmdSetsockopt: value", number, -0x8000_0000, 0x7fff_ffff);
  return new Uint8Array(Int32Array.of(number).buffer);
}

/** Options of {@linkcode cmdGetsockname}. */
export interface GetsocknameOptions {
  /** Whether to ask for the other end's address instead, as getpeername(2). Default: false. */
  peer?: boolean;
  /** Whether the socket is one of datagrams: decides the result's `transport`. Default: "stream". */
  kind?: SocketKind;
}

/**
 * Asks for the address that a socket is bound to, as getsockname(2), or the one that it is
 * connected to.
 *
 * Gives the address; a Unix socket without a name has the path "". ENOTCONN: there is no
 * other end. EOPNOTSUPP: an older kernel, or no socket.
 *
 * Since kernel 6.19; see io_uring_prep_cmd_sock(3).
 *
 * @throws {TypeError | RangeError} if fd is no file.
 *
 * @example
 * ```ts
 * import { cmdGetsockname } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const op = cmdGetsockname(3, { peer: true }); // run it on a connected socket
 * assertEquals(op.name, "cmdGetsockname");
 * ```
 */
export function cmdGetsockname(
  fd: Fd,
  { peer = false, kind = "stream" }: GetsocknameOptions = {},
): Op<SocketAddress> {
  return command(fd, {
    name: "cmdGetsockname",
    encode: (sqe, fd) => {
      const block = addressBlock();
      const [at, length] = [sockaddrAddress(block), lengthAddress(block)];
      prepCmdGetsockname(sqe, fd, at, length, peer ? 1 : 0);
      return block;
    },
    decode: (_completion, block) =>
      readAddress(block, kind) ?? { family: 0, data: new Uint8Array() },
    hint:
      "It is no socket, or the kernel has no such command: it came with 6.19.",
  });
}

/** When a sent piece of data passed a station on its way. */
export interface TxTimestamp {
  /** Which piece: the offset of its last byte in a TCP stream, the number of a datagram. */
  key: number;
  /**
   * Which station: 0 it left for the network (`SCM_TSTAMP_SND`), 1 it came to the packet
   * scheduler (`SCM_TSTAMP_SCHED`), 2 the other end acknowledged it (`SCM_TSTAMP_ACK`).
   */
  type: number;
  /** Whether the network card took the time. */
  hardware: boolean;
  /** When, in nanoseconds: since 1970 by the machine's clock, or by the card's own. */
  time: bigint;
}

/**
 * Tells when sent data left the machine, one completion for each time. The socket must have
 * `SO_TIMESTAMPING` set, with `SOF_TIMESTAMPING_OPT_TSONLY`, and the ring 32-byte completions
 * (`IORING_SETUP_CQE32` or `IORING_SETUP_CQE_MIXED`).
 *
 * Gives the times, until it is cancelled; undefined for a last completion that tells none.
 * EINVAL: the ring's completions are too small. EOPNOTSUPP: an older kernel, or no socket.
 *
 * Since kernel 6.17; see io_uring_prep_cmd_sock(3).
 *
 * @throws {TypeError | RangeError} if fd is no file.
 *
 * @example
 * ```ts
 * import { cmdTxTimestamp } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * assert(cmdTxTimestamp(3).multishot); // run it on a socket with SO_TIMESTAMPING
 * ```
 */
export function cmdTxTimestamp(fd: Fd): Op<TxTimestamp | undefined> {
  return command(fd, {
    name: "cmdTxTimestamp",
    multishot: true,
    encode: (sqe, fd) => {
      prepCmdSock(sqe, SOCKET_URING_OP_TX_TIMESTAMP, fd, 0, 0, 0, 0);
      return undefined;
    },
    decode: readTimestamp,
    hint:
      "It is no socket, or the kernel has no such command: it came with 6.17.",
  });
}

function readTimestamp(completion: Completion): TxTimestamp | undefined {
  const { res, flags } = completion;
  if ((flags & IORING_CQE_F_MORE) === 0) return undefined;
  return {
    key: res,
    type: flags >>> IORING_TIMESTAMP_TYPE_SHIFT,
    hardware: (flags & IORING_CQE_F_TSTAMP_HW) !== 0,
    time: bigWord(completion, 0) * 1_000_000_000n + bigWord(completion, 1),
  };
}

/** One of the words beyond the first 16 bytes of a completion that must have them. */
export function bigWord(completion: Completion, index: 0 | 1): bigint {
  if (completion.bigCqe === undefined) {
    throw new TypeError(
      "This result is in the second half of a 32-byte completion: pass the Cqe itself " +
        "or an object with its bigCqe, not only res and flags.",
    );
  }
  return completion.bigCqe(index);
}
