/**
 * Accepting connections: one, or one after the other from a single submission.
 *
 * @module
 */

import {
  IORING_ACCEPT_DONTWAIT,
  IORING_ACCEPT_MULTISHOT,
  IORING_ACCEPT_POLL_FIRST,
  IORING_FILE_INDEX_ALLOC,
  IORING_OP_ACCEPT,
} from "../ffi/abi.ts";
import { Block } from "../ffi/block.ts";
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from "../ffi/linux.ts";
import type { SocketAddress } from "../ffi/structs/sockaddr.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  addressBlock,
  lengthAddress,
  readAddress,
  sockaddrAddress,
} from "./address.ts";
import { checkUnsigned } from "./arguments.ts";
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
import { count, Op } from "./op.ts";
import { close } from "./open.ts";
import { checkDirect } from "./socket.ts";

/**
 * Queues an accept; `addr` and `addrlen` are the addresses of a `struct sockaddr` and a
 * `socklen_t`, or 0. `io_uring_prep_accept(3)`, since 5.5.
 */
export function prepAccept(
  sqe: Sqe,
  fd: number,
  addr: number | bigint,
  addrlen: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_ACCEPT, fd, addr, 0, addrlen);
}

/**
 * Queues an accept of a connection as a direct descriptor.
 * `io_uring_prep_accept_direct(3)`, since 5.15.
 */
export function prepAcceptDirect(
  sqe: Sqe,
  fd: number,
  addr: number | bigint,
  addrlen: number | bigint,
  flags: number,
  fileIndex: number,
): void {
  encodeSlot(sqe, "prepAcceptDirect: file_index", fileIndex);
  prepAccept(sqe, fd, addr, addrlen, flags);
}

/**
 * Queues an accept of one connection after the other.
 * `io_uring_prep_multishot_accept(3)`, since 5.19.
 */
export function prepMultishotAccept(
  sqe: Sqe,
  fd: number,
  addr: number | bigint,
  addrlen: number | bigint,
  flags: number,
): void {
  sqe.ioprio |= IORING_ACCEPT_MULTISHOT;
  prepAccept(sqe, fd, addr, addrlen, flags);
}

/**
 * Queues an accept of one connection after the other, each as a direct descriptor in a slot
 * that the kernel chooses. `io_uring_prep_multishot_accept_direct(3)`, since 5.19.
 */
export function prepMultishotAcceptDirect(
  sqe: Sqe,
  fd: number,
  addr: number | bigint,
  addrlen: number | bigint,
  flags: number,
): void {
  sqe.fileIndex = IORING_FILE_INDEX_ALLOC;
  prepMultishotAccept(sqe, fd, addr, addrlen, flags);
}

/** Options of {@linkcode acceptMultishot} and its relatives. */
export interface AcceptMultishotOptions {
  /**
   * `SOCK_CLOEXEC`, or every child process gets the connection too, which then stays open as long as
   * the child; `SOCK_NONBLOCK`. Default: 0.
   */
  flags?: number;
  /**
   * Whether to fail with EAGAIN if no connection is waiting (`IORING_ACCEPT_DONTWAIT`, since
   * kernel 6.10). Default: false.
   */
  dontWait?: boolean;
  /**
   * Whether to expect that no connection is waiting, and to save the first attempt
   * (`IORING_ACCEPT_POLL_FIRST`, since kernel 6.10). Default: false.
   */
  pollFirst?: boolean;
}

/** Options of {@linkcode accept} and {@linkcode acceptDirect}. */
export interface AcceptOptions extends AcceptMultishotOptions {
  /** Whether to ask for the other end's address. Default: true. */
  address?: boolean;
}

/** A connection that was accepted. */
export interface Accepted {
  /** The file descriptor of the connection. */
  fd: number;
  /** The other end's address, unless it was not asked for. */
  address: SocketAddress | undefined;
}

/** A connection that was accepted as a direct descriptor. */
export interface AcceptedDirect {
  /** The direct descriptor of the connection. */
  file: FixedFile;
  /** The other end's address, unless it was not asked for. */
  address: SocketAddress | undefined;
}

function checkAccept(
  op: string,
  fd: Fd,
  { flags = 0, dontWait = false, pollFirst = false }: AcceptMultishotOptions,
): { flags: number; ioprio: number } {
  checkFd(`${op}: fd`, fd);
  checkUnsigned(`${op}: flags`, flags);
  if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) !== 0) {
    throw new RangeError(
      `${op}: flags must be of SOCK_NONBLOCK and SOCK_CLOEXEC; got 0x${
        flags.toString(16)
      }.`,
    );
  }
  const ioprio = (dontWait ? IORING_ACCEPT_DONTWAIT : 0) |
    (pollFirst ? IORING_ACCEPT_POLL_FIRST : 0);
  return { flags, ioprio };
}

/** Encodes an accept of one connection; returns the room for the address, if asked for. */
function encodeAccept(
  sqe: Sqe,
  fd: Fd,
  address: boolean,
  flags: number,
  ioprio: number,
): Block | undefined {
  const block = address ? addressBlock() : undefined;
  sqe.ioprio = ioprio;
  if (block === undefined) {
    prepAccept(sqe, fdNumber(fd), 0, 0, flags);
  } else {
    const length = lengthAddress(block);
    prepAccept(sqe, fdNumber(fd), sockaddrAddress(block), length, flags);
  }
  markFixed(sqe, fd);
  return block;
}

function acceptedAddress(held: Block | undefined): SocketAddress | undefined {
  return held instanceof Block ? readAddress(held, "stream") : undefined;
}

/**
 * Accepts a connection, waiting for one if need be, as accept4(2).
 *
 * @param fd a listening socket.
 * @returns the connection's file descriptor, which is the caller's to close, and the other
 * end's address.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * Errors: EINVAL (the socket does not listen), EMFILE, ECONNABORTED. Since kernel 5.5; see
 * io_uring_prep_accept(3).
 *
 * @example
 * ```ts
 * import { AF_UNIX, SOCK_STREAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import * as ops from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (ops.opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   const path = `\0uring-accept-${Deno.pid}`;
 *   const listener = ops.run(ring, ops.socket(AF_UNIX, SOCK_STREAM));
 *   ops.run(ring, ops.bind(listener, { path }));
 *   ops.run(ring, ops.listen(listener));
 *   const client = ops.run(ring, ops.socket(AF_UNIX, SOCK_STREAM));
 *   ops.run(ring, ops.connect(client, { path }));
 *   const { fd, address } = ops.run(ring, ops.accept(listener));
 *   assertEquals(address, { transport: "unix", path: "" }); // the client has no name
 *   for (const each of [fd, client, listener]) ops.run(ring, ops.close(each));
 * }
 * ```
 */
export function accept(fd: Fd, options: AcceptOptions = {}): Op<Accepted> {
  const { flags, ioprio } = checkAccept("accept", fd, options);
  const asked = options.address !== false;
  return Op.of({
    opcode: IORING_OP_ACCEPT,
    name: "accept",
    encode: (sqe) => encodeAccept(sqe, fd, asked, flags, ioprio),
    decode: ({ res }, held) => ({ fd: res, address: acceptedAddress(held) }),
    undo: (accepted) => close(accepted.fd),
  });
}

/**
 * Accepts a connection as a direct descriptor: an entry in the ring's table of files, with no
 * file descriptor of the process.
 *
 * @param fd a listening socket.
 * @param slot the index in the table; what is there is closed. `IORING_FILE_INDEX_ALLOC` lets
 * the kernel choose a free one (since kernel 5.19).
 * @returns the direct descriptor, and the other end's address.
 * @throws {TypeError | RangeError} if an argument is wrong, or flags have `SOCK_CLOEXEC`.
 *
 * Errors: as {@linkcode accept}; ENXIO if no table is registered, EINVAL if the slot is beyond
 * it, ENFILE if none is free. Since kernel 5.15; see io_uring_prep_accept_direct(3).
 *
 * @example
 * ```ts
 * import { IORING_FILE_INDEX_ALLOC } from "@uring/uring/ffi";
 * import { acceptDirect } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const op = acceptDirect(3, IORING_FILE_INDEX_ALLOC, { address: false });
 * assertEquals(op.name, "accept");
 * ```
 */
export function acceptDirect(
  fd: Fd,
  slot: number,
  options: AcceptOptions = {},
): Op<AcceptedDirect> {
  const { flags, ioprio } = checkAccept("acceptDirect", fd, options);
  checkDirect("acceptDirect: flags", flags);
  checkSlot("acceptDirect: slot", slot);
  const asked = options.address !== false;
  return Op.of({
    opcode: IORING_OP_ACCEPT,
    name: "accept",
    encode: (sqe) => {
      encodeSlot(sqe, "acceptDirect: slot", slot);
      return encodeAccept(sqe, fd, asked, flags, ioprio);
    },
    decode: ({ res }, held) => ({
      file: slotResult(res, slot),
      address: acceptedAddress(held),
    }),
    undo: ({ file }) => close(file),
  });
}

/**
 * Accepts one connection after the other: each completion is one, until one comes without
 * `IORING_CQE_F_MORE`. Ask for the other end's address with {@linkcode cmdGetsockname}.
 *
 * @param fd a listening socket.
 * @returns the file descriptor of each connection, which is the caller's to close.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * Errors: as {@linkcode accept}. Cancelling it ends it with ECANCELED. Since kernel 5.19; see
 * io_uring_prep_multishot_accept(3).
 *
 * @example
 * ```ts
 * import { AF_UNIX, SOCK_STREAM } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import * as ops from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * if (ops.opcodes.bind.supported()) {
 *   using ring = new Ring(4);
 *   const address = { path: `\0uring-accept-multishot-${Deno.pid}` };
 *   const listener = ops.run(ring, ops.socket(AF_UNIX, SOCK_STREAM));
 *   ops.run(ring, ops.bind(listener, address));
 *   ops.run(ring, ops.listen(listener));
 *   const client = ops.run(ring, ops.socket(AF_UNIX, SOCK_STREAM));
 *   ops.run(ring, ops.connect(client, address));
 *
 *   const op = ops.acceptMultishot(listener);
 *   const sqe = ring.sqe();
 *   if (sqe !== null) op.encode(sqe);
 *   ring.submitAndWait(1);
 *   const fds = [client, listener];
 *   ring.forEachCqe((cqe) => fds.push(op.finish(cqe, undefined)));
 *   const others = () => {}; // it goes on waiting for connections meanwhile
 *   for (const fd of fds) ops.run(ring, ops.close(fd), { others });
 *   assert(fds.length === 3);
 * }
 * ```
 */
export function acceptMultishot(
  fd: Fd,
  options: AcceptMultishotOptions = {},
): Op<number> {
  const { flags, ioprio } = checkAccept("acceptMultishot", fd, options);
  return Op.of({
    opcode: IORING_OP_ACCEPT,
    name: "accept",
    multishot: true,
    encode: (sqe) => {
      sqe.ioprio = ioprio;
      // One address for all connections would be overwritten before it is read.
      prepMultishotAccept(sqe, fdNumber(fd), 0, 0, flags);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: count,
    undo: (connection) => close(connection),
  });
}

/**
 * Accepts one connection after the other, each as a direct descriptor in a free slot of the
 * ring's table of files.
 *
 * @param fd a listening socket.
 * @returns the direct descriptor of each connection.
 * @throws {TypeError | RangeError} if an argument is wrong, or flags have `SOCK_CLOEXEC`.
 *
 * Errors: as {@linkcode acceptDirect}; a full table ends it with ENFILE. Since kernel 5.19;
 * see io_uring_prep_multishot_accept_direct(3).
 *
 * @example
 * ```ts
 * import { acceptMultishotDirect } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * assert(acceptMultishotDirect(3).multishot);
 * ```
 */
export function acceptMultishotDirect(
  fd: Fd,
  options: AcceptMultishotOptions = {},
): Op<FixedFile> {
  const { flags, ioprio } = checkAccept("acceptMultishotDirect", fd, options);
  checkDirect("acceptMultishotDirect: flags", flags);
  return Op.of({
    opcode: IORING_OP_ACCEPT,
    name: "accept",
    multishot: true,
    encode: (sqe) => {
      sqe.ioprio = ioprio;
      prepMultishotAcceptDirect(sqe, fdNumber(fd), 0, 0, flags);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: ({ res }) => slotResult(res, IORING_FILE_INDEX_ALLOC),
    undo: (file) => close(file),
  });
}
