/**
 * Sockets: to make one, to name it, to connect it, to end it. What arrives on a listening
 * one is in accept.ts, its options in socket_command.ts.
 *
 * @module
 */

import {
  IORING_FILE_INDEX_ALLOC,
  IORING_OP_BIND,
  IORING_OP_CONNECT,
  IORING_OP_LISTEN,
  IORING_OP_SHUTDOWN,
  IORING_OP_SOCKET,
} from "../ffi/abi.ts";
import { checkInteger } from "../ffi/check.ts";
import {
  SHUT_RD,
  SHUT_RDWR,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOMAXCONN,
} from "../ffi/linux.ts";
import {
  encodeSockaddr,
  showAddress,
  type SocketAddressLike,
} from "../ffi/structs/sockaddr.ts";
import type { Sqe } from "../ring/sqe.ts";
import { copyBlock } from "./address.ts";
import { checkUnsigned, checkWord } from "./arguments.ts";
import {
  checkFd,
  checkSlot,
  encodeSlot,
  type Fd,
  fdNumber,
  type FixedFile,
  markFixed,
  slotResult,
} from "./fd.ts";
import { count, nothing, Op } from "./op.ts";
import { close } from "./open.ts";

/** Queues a socket. `io_uring_prep_socket(3)`, since 5.19. */
export function prepSocket(
  sqe: Sqe,
  domain: number,
  type: number,
  protocol: number,
  flags: number,
): void {
  // A C int: sign-extended to the 64 bits of its field.
  const kind = checkWord("prepSocket: type", type) | 0;
  const number = checkWord("prepSocket: protocol", protocol);
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_SOCKET, domain, 0, number, kind);
}

/** Queues a socket as a direct descriptor. `io_uring_prep_socket_direct(3)`, since 5.19. */
export function prepSocketDirect(
  sqe: Sqe,
  domain: number,
  type: number,
  protocol: number,
  fileIndex: number,
  flags: number,
): void {
  encodeSlot(sqe, "prepSocketDirect: file_index", fileIndex);
  prepSocket(sqe, domain, type, protocol, flags);
}

/**
 * Queues a socket as a direct descriptor in a slot that the kernel chooses.
 * `io_uring_prep_socket_direct_alloc(3)`, since 5.19.
 */
export function prepSocketDirectAlloc(
  sqe: Sqe,
  domain: number,
  type: number,
  protocol: number,
  flags: number,
): void {
  sqe.fileIndex = IORING_FILE_INDEX_ALLOC;
  prepSocket(sqe, domain, type, protocol, flags);
}

/**
 * Queues a bind; `addr` is the address of a `struct sockaddr`. `io_uring_prep_bind(3)`,
 * since 6.11.
 */
export function prepBind(
  sqe: Sqe,
  fd: number,
  addr: number | bigint,
  addrlen: number,
): void {
  const length = checkWord("prepBind: addrlen", addrlen);
  sqe.prep(IORING_OP_BIND, fd, addr, 0, length);
}

/** Queues a listen. `io_uring_prep_listen(3)`, since 6.11. */
export function prepListen(sqe: Sqe, fd: number, backlog: number): void {
  const length = checkWord("prepListen: backlog", backlog);
  sqe.prep(IORING_OP_LISTEN, fd, 0, length, 0);
}

/**
 * Queues a connect; `addr` is the address of a `struct sockaddr`.
 * `io_uring_prep_connect(3)`, since 5.5.
 */
export function prepConnect(
  sqe: Sqe,
  fd: number,
  addr: number | bigint,
  addrlen: number,
): void {
  const length = checkWord("prepConnect: addrlen", addrlen);
  sqe.prep(IORING_OP_CONNECT, fd, addr, 0, length);
}

/** Queues a shutdown. `io_uring_prep_shutdown(3)`, since 5.11. */
export function prepShutdown(sqe: Sqe, fd: number, how: number): void {
  const what = checkWord("prepShutdown: how", how);
  sqe.prep(IORING_OP_SHUTDOWN, fd, 0, what, 0);
}

/** Options of {@linkcode socket} and its relatives. */
export interface SocketOptions {
  /** `IPPROTO_*`. Default: 0, the usual one of the kind. */
  protocol?: number;
}

/** `SOCK_TYPE_MASK` of linux/net.h: where the kind ends and the flags begin. */
const SOCK_TYPE_MASK = 0xf;

/** Checks the kind of a socket, its flags, its protocol. */
function checkSocket(
  op: string,
  domain: number,
  type: number,
  { protocol = 0 }: SocketOptions,
): number {
  checkInteger(`${op}: domain`, domain, 0, 0x7fff_ffff);
  checkInteger(`${op}: type`, type, 0, 0x7fff_ffff);
  if ((type & ~(SOCK_TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC)) !== 0) {
    throw new RangeError(
      `${op}: type must be a SOCK_* kind with SOCK_NONBLOCK and SOCK_CLOEXEC, or ` +
        `neither; got 0x${type.toString(16)}.`,
    );
  }
  return checkInteger(`${op}: protocol`, protocol, 0, 0x7fff_ffff);
}

/**
 * Checks that no flag asks for what a direct descriptor cannot have.
 *
 * @param flags `SOCK_*`, of a new socket or of accept.
 */
export function checkDirect(what: string, flags: number): number {
  if ((flags & SOCK_CLOEXEC) !== 0) {
    throw new RangeError(
      `${what} has SOCK_CLOEXEC, which the kernel refuses for a direct descriptor: ` +
        "no program started by exec could see it anyway. Leave it out.",
    );
  }
  return flags;
}

/**
 * Makes a socket, as socket(2).
 *
 * @param domain `AF_INET`, `AF_INET6`, `AF_UNIX` or another family.
 * @param type `SOCK_STREAM`, `SOCK_DGRAM` or another kind, with `SOCK_CLOEXEC` unless programs
 * that this one starts shall inherit it. `SOCK_NONBLOCK` is of no use to a ring: ops on such
 * a socket answer EAGAIN instead of waiting.
 * @returns the file descriptor.
 * @throws {TypeError | RangeError} if an argument is none of these.
 *
 * Errors: EAFNOSUPPORT, EPROTONOSUPPORT, EMFILE. Since kernel 5.19; see
 * io_uring_prep_socket(3).
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, opcodes, run, socket } from "@uring/uring/ops";
 *
 * if (opcodes.socket.supported()) {
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
 *   run(ring, close(fd));
 * }
 * ```
 */
export function socket(
  domain: number,
  type: number,
  options: SocketOptions = {},
): Op<number> {
  const protocol = checkSocket("socket", domain, type, options);
  return Op.of({
    opcode: IORING_OP_SOCKET,
    name: "socket",
    encode: (sqe) => {
      prepSocket(sqe, domain, type, protocol, 0);
      return undefined;
    },
    decode: count,
    undo: (fd) => close(fd),
  });
}

/**
 * Makes a socket as a direct descriptor: an entry in the ring's table of files, with no file
 * descriptor of the process.
 *
 * @param slot the index in the table; what is there is closed. `IORING_FILE_INDEX_ALLOC` lets
 * the kernel choose a free one.
 * @returns the direct descriptor.
 * @throws {TypeError | RangeError} if an argument is wrong, or `type` has `SOCK_CLOEXEC`.
 *
 * Errors: ENXIO if no table is registered, EINVAL if the slot is beyond it, ENFILE if none is
 * free. Since kernel 5.19; see io_uring_prep_socket_direct(3).
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { bind, opcodes, run, socketDirect } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   ring.files.registerSparse(8);
 *   const file = run(ring, socketDirect(AF_INET, SOCK_DGRAM, 3));
 *   assertEquals(file.index, 3);
 *   run(ring, bind(file, { hostname: "127.0.0.1", port: 0 }));
 * }
 * ```
 */
export function socketDirect(
  domain: number,
  type: number,
  slot: number,
  options: SocketOptions = {},
): Op<FixedFile> {
  const protocol = checkSocket("socketDirect", domain, type, options);
  checkDirect("socketDirect: type", type);
  checkSlot("socketDirect: slot", slot);
  return Op.of({
    opcode: IORING_OP_SOCKET,
    name: "socket",
    encode: (sqe) => {
      prepSocketDirect(sqe, domain, type, protocol, slot, 0);
      return undefined;
    },
    decode: ({ res }) => slotResult(res, slot),
    undo: (file) => close(file),
  });
}

/**
 * Makes a socket as a direct descriptor in a free slot of the ring's table of files: short
 * for {@linkcode socketDirect} with `IORING_FILE_INDEX_ALLOC`.
 *
 * @returns the direct descriptor.
 * @throws {TypeError | RangeError} as {@linkcode socketDirect}.
 *
 * Since kernel 5.19; see io_uring_prep_socket_direct_alloc(3).
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, opcodes, run, socketDirectAlloc } from "@uring/uring/ops";
 *
 * if (opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   ring.files.registerSparse(8);
 *   const file = run(ring, socketDirectAlloc(AF_INET, SOCK_DGRAM));
 *   run(ring, close(file));
 * }
 * ```
 */
export function socketDirectAlloc(
  domain: number,
  type: number,
  options: SocketOptions = {},
): Op<FixedFile> {
  return socketDirect(domain, type, IORING_FILE_INDEX_ALLOC, options);
}

/**
 * Gives a socket its address, as bind(2).
 *
 * @param address the IP address and port, port 0 for one that the kernel chooses; or the
 * path, which must not exist yet, or the abstract name of a Unix socket.
 * @throws {TypeError | RangeError} if the address is none.
 *
 * Errors: EADDRINUSE, EADDRNOTAVAIL, EACCES (a port below 1024). Since kernel 6.11; see
 * io_uring_prep_bind(3).
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { bind, close, opcodes, run, socket } from "@uring/uring/ops";
 *
 * if (opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   run(ring, bind(fd, { hostname: "127.0.0.1", port: 0 }));
 *   run(ring, close(fd));
 * }
 * ```
 */
export function bind(fd: Fd, address: SocketAddressLike): Op<void> {
  return addressed("bind", IORING_OP_BIND, prepBind, fd, address);
}

/**
 * Connects a socket, as connect(2). A stream socket that could not be connected is of no more
 * use: close it.
 *
 * @throws {TypeError | RangeError} if the address is none.
 *
 * Errors: ECONNREFUSED, ETIMEDOUT, ENETUNREACH, ENOENT (no such Unix socket). Since kernel
 * 5.5; see io_uring_prep_connect(3).
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, connect, opcodes, run, socket } from "@uring/uring/ops";
 *
 * if (opcodes.socket.supported()) {
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_DGRAM));
 *   run(ring, connect(fd, { hostname: "127.0.0.1", port: 9 }));
 *   run(ring, close(fd));
 * }
 * ```
 */
export function connect(fd: Fd, address: SocketAddressLike): Op<void> {
  return addressed("connect", IORING_OP_CONNECT, prepConnect, fd, address);
}

/** The two ops that take an address and give nothing. */
function addressed(
  name: string,
  opcode: number,
  prep: typeof prepConnect,
  fd: Fd,
  address: SocketAddressLike,
): Op<void> {
  checkFd(`${name}: fd`, fd);
  const sockaddr = encodeSockaddr(`${name}: address`, address);
  return Op.of({
    opcode,
    name,
    path: showAddress(address),
    encode: (sqe) => {
      const block = copyBlock(sockaddr);
      prep(sqe, fdNumber(fd), block.address, sockaddr.length);
      markFixed(sqe, fd);
      return block;
    },
    decode: nothing,
  });
}

/**
 * Makes a bound stream socket accept connections, as listen(2).
 *
 * @param backlog how many connections may wait to be accepted; the kernel lowers it to
 * `net.core.somaxconn`. Default: 4096.
 * @throws {RangeError} if the backlog is no integer from 0 on.
 *
 * Errors: EADDRINUSE, EOPNOTSUPP (a socket of datagrams). Since kernel 6.11; see
 * io_uring_prep_listen(3).
 *
 * @example
 * ```ts
 * import { AF_INET, SOCK_STREAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { bind, close, listen, opcodes, run, socket } from "@uring/uring/ops";
 *
 * if (opcodes.listen.supported()) {
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_INET, SOCK_STREAM));
 *   run(ring, bind(fd, { hostname: "127.0.0.1", port: 0 }));
 *   run(ring, listen(fd));
 *   run(ring, close(fd));
 * }
 * ```
 */
export function listen(fd: Fd, backlog: number = SOMAXCONN): Op<void> {
  checkFd("listen: fd", fd);
  checkUnsigned("listen: backlog", backlog, 0x7fff_ffff);
  return Op.of({
    opcode: IORING_OP_LISTEN,
    name: "listen",
    encode: (sqe) => {
      prepListen(sqe, fdNumber(fd), backlog);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: nothing,
  });
}

/**
 * Ends a connection, or one direction of it, as shutdown(2). The socket stays open until it
 * is closed.
 *
 * @param how `SHUT_RD`, `SHUT_WR` (the other end then reads to the end) or `SHUT_RDWR`.
 * @throws {RangeError} if `how` is none of these.
 *
 * Errors: ENOTCONN, ENOTSOCK. Since kernel 5.11; see io_uring_prep_shutdown(3).
 *
 * @example
 * ```ts
 * import { AF_UNIX, SHUT_RDWR, SOCK_DGRAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, opcodes, recv, run, shutdown, socket } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.socket.supported()) {
 *   using ring = new Ring(4);
 *   const fd = run(ring, socket(AF_UNIX, SOCK_DGRAM));
 *   run(ring, shutdown(fd, SHUT_RDWR));
 *   assertEquals(run(ring, recv(fd, new Uint8Array(8))), 0);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function shutdown(fd: Fd, how: number): Op<void> {
  checkFd("shutdown: fd", fd);
  checkInteger("shutdown: how", how, SHUT_RD, SHUT_RDWR);
  return Op.of({
    opcode: IORING_OP_SHUTDOWN,
    name: "shutdown",
    encode: (sqe) => {
      prepShutdown(sqe, fdNumber(fd), how);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: nothing,
  });
}
