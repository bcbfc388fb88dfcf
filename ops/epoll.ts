/**
 * epoll: sets of files that a program waits for, for programs that have one already.
 *
 * @module
 */

import { IORING_OP_EPOLL_CTL, IORING_OP_EPOLL_WAIT } from "../ffi/abi.ts";
import { takeBlock } from "../ffi/block.ts";
import { checkInteger } from "../ffi/check.ts";
import { EPOLL_CTL_ADD, EPOLL_CTL_MOD } from "../ffi/linux.ts";
import {
  EPOLL_EVENT_SIZE,
  type EpollEvent,
  readEpollEvent,
  writeEpollEvent,
} from "../ffi/structs/epoll_event.ts";
import { check64 } from "../ffi/check.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkFlags, checkWord } from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { nothing, Op } from "./op.ts";

/**
 * Queues a change of an epoll set; `ev` is the address of a `struct epoll_event`.
 * `io_uring_prep_epoll_ctl(3)`, since 5.6.
 */
export function prepEpollCtl(
  sqe: Sqe,
  epfd: number,
  fd: number,
  op: number,
  ev: number | bigint,
): void {
  // C ints in unsigned fields: not sign-extended.
  const member = checkWord("prepEpollCtl: fd", fd);
  const operation = checkWord("prepEpollCtl: op", op);
  sqe.prep(IORING_OP_EPOLL_CTL, epfd, ev, operation, member);
}

/**
 * Queues a wait on an epoll set; `events` is the address of an array of `struct epoll_event`.
 * `io_uring_prep_epoll_wait(3)`, since 6.15.
 */
export function prepEpollWait(
  sqe: Sqe,
  fd: number,
  events: number | bigint,
  maxevents: number,
  flags: number,
): void {
  const room = checkWord("prepEpollWait: maxevents", maxevents);
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_EPOLL_WAIT, fd, events, room, 0);
}

/** What {@linkcode epollCtl} is to wait for. */
export interface EpollInterest {
  /** `EPOLLIN`, `EPOLLOUT` and others, `EPOLLET`, `EPOLLONESHOT`. */
  events: number;
  /** What comes back with the event, 64 bits. Default: the file descriptor. */
  data?: number | bigint;
}

/**
 * Changes an epoll set, as epoll_ctl(2).
 *
 * Gives nothing. EEXIST: the file is in the set already. ENOENT: it is not. EPERM: it cannot be
 * polled, as regular files.
 *
 * Since kernel 5.6; see io_uring_prep_epoll_ctl(3).
 *
 * @param epfd the epoll set, a file descriptor of the process.
 * @param fd the file, a file descriptor of the process.
 * @param operation `EPOLL_CTL_ADD`, `EPOLL_CTL_MOD` or `EPOLL_CTL_DEL`.
 * @param interest what to wait for; not with `EPOLL_CTL_DEL`.
 * @throws {TypeError | RangeError} if an argument is wrong, or the interest is missing.
 *
 * @example
 * ```ts
 * import { EPOLL_CTL_ADD, EPOLLIN } from "@uring/uring/ffi";
 * import { epollCtl } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const op = epollCtl(5, 3, EPOLL_CTL_ADD, { events: EPOLLIN }); // 5 is the set
 * assertEquals(op.name, "epoll_ctl");
 * ```
 */
export function epollCtl(
  epfd: number,
  fd: number,
  operation: number,
  interest?: EpollInterest,
): Op<void> {
  checkInteger("epollCtl: epfd", epfd, 0, 0x7fff_ffff);
  checkInteger("epollCtl: fd", fd, 0, 0x7fff_ffff);
  checkInteger("epollCtl: operation", operation, EPOLL_CTL_ADD, EPOLL_CTL_MOD);
  const event = interest && checkInterest(interest, fd);
  if (event === undefined && wantsEvent(operation)) {
    throw new TypeError(
      "epollCtl: EPOLL_CTL_ADD and EPOLL_CTL_MOD need the events to wait for.",
    );
  }
  return Op.of({
    opcode: IORING_OP_EPOLL_CTL,
    name: "epoll_ctl",
    encode: (sqe) => {
      if (event === undefined) {
        prepEpollCtl(sqe, epfd, fd, operation, 0);
        return undefined;
      }
      const block = takeBlock(EPOLL_EVENT_SIZE);
      writeEpollEvent(block.view, 0, event);
      prepEpollCtl(sqe, epfd, fd, operation, block.address);
      return block;
    },
    decode: nothing,
  });
}

function wantsEvent(operation: number): boolean {
  return operation === EPOLL_CTL_ADD || operation === EPOLL_CTL_MOD;
}

function checkInterest(
  { events, data }: EpollInterest,
  fd: number,
): EpollEvent {
  checkFlags("epollCtl: events", events);
  const token = BigInt(check64("epollCtl: data", data ?? fd));
  return { events: events >>> 0, data: BigInt.asUintN(64, token) };
}

/**
 * Waits for events on an epoll set, as epoll_wait(2).
 *
 * Gives the events, one at least. EINVAL: it is no epoll set, or the kernel is older.
 *
 * Since kernel 6.15; see io_uring_prep_epoll_wait(3).
 *
 * @param fd the epoll set.
 * @param maxEvents how many events to take at most. Default: 64.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { epollWait } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(epollWait(5).name, "epoll_wait"); // 5 is the set
 * ```
 */
export function epollWait(fd: Fd, maxEvents = 64): Op<EpollEvent[]> {
  checkFd("epollWait: fd", fd);
  checkInteger("epollWait: maxEvents", maxEvents, 1, 65536);
  return Op.of({
    opcode: IORING_OP_EPOLL_WAIT,
    name: "epoll_wait",
    encode: (sqe) => {
      const block = takeBlock(maxEvents * EPOLL_EVENT_SIZE);
      prepEpollWait(sqe, fdNumber(fd), block.address, maxEvents, 0);
      markFixed(sqe, fd);
      return block;
    },
    decode: ({ res }, { view }) =>
      Array.from(
        { length: res },
        (_, i) => readEpollEvent(view, i * EPOLL_EVENT_SIZE),
      ),
  });
}
