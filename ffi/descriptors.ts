/**
 * Descriptors that a ring is woken by: what io_uring has no op for.
 *
 * @module
 */

import { errnoName } from "./errno.ts";
import { systemError } from "./errors.ts";
import { errno, errnoView, libc } from "./libc.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK, O_CLOEXEC, O_NONBLOCK } from "./linux.ts";

/**
 * A new eventfd(2), closed on exec, at 0.
 *
 * @param blocking whether a read of it may wait: a ring answers EAGAIN at once for descriptors
 * that may not. Default: false.
 * @throws {SystemError} EMFILE if the process has too many descriptors.
 *
 * @example
 * ```ts
 * import { closeDescriptor, eventfd } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * const fd = eventfd();
 * assert(fd > 2);
 * closeDescriptor(fd);
 * ```
 */
export function eventfd(blocking = false): number {
  errnoView();
  const fd = libc().eventfd(0, EFD_CLOEXEC | (blocking ? 0 : EFD_NONBLOCK));
  if (fd < 0) throw systemError(errno(), "eventfd");
  return fd;
}

/**
 * A new pipe(2), non-blocking, closed on exec: the end to read from, and the one to write to.
 *
 * @throws {SystemError} EMFILE if the process has too many descriptors.
 *
 * @example
 * ```ts
 * import { closeDescriptor, pipePair } from "@uring/uring/ffi";
 *
 * for (const fd of pipePair()) closeDescriptor(fd);
 * ```
 */
export function pipePair(): [read: number, write: number] {
  errnoView();
  const fds = new Int32Array(2);
  if (libc().pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
    throw systemError(errno(), "pipe2");
  }
  return [fds[0] as number, fds[1] as number];
}

/**
 * Waits, in poll(2), until the other end of a pipe is closed wherever it was open.
 *
 * @param fd the end to read from.
 * @param patience how long at most, in milliseconds.
 * @returns whether it was, by then.
 * @throws {SystemError} ENOMEM if the kernel has no memory for that.
 *
 * @example
 * ```ts
 * import { closeDescriptor, hangsUp, pipePair } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const [reader, writer] = pipePair();
 * assertEquals(hangsUp(reader, 1), false);
 * closeDescriptor(writer);
 * assertEquals(hangsUp(reader, 1), true);
 * closeDescriptor(reader);
 * ```
 */
export function hangsUp(fd: number, patience: number): boolean {
  errnoView();
  // A struct pollfd: the descriptor, the events asked for (a hang-up needs no asking), and those
  // that came.
  const pollfd = new Int32Array([fd, 0]);
  const deadline = performance.now() + patience;
  for (let left = patience;; left = deadline - performance.now()) {
    const count = libc().poll(pollfd, 1n, Math.max(Math.ceil(left), 0));
    if (count >= 0) return count > 0;
    if (errnoName(errno()) !== "EINTR") throw systemError(errno(), "poll");
  }
}

/**
 * Closes a descriptor, at once: close(2).
 *
 * @throws {SystemError} EBADF if it is not open.
 *
 * @example
 * ```ts
 * import { closeDescriptor, eventfd } from "@uring/uring/ffi";
 * import { assertThrows } from "@std/assert";
 *
 * const fd = eventfd();
 * closeDescriptor(fd);
 * assertThrows(() => closeDescriptor(fd), Error, "EBADF");
 * ```
 */
export function closeDescriptor(fd: number): void {
  errnoView();
  if (libc().close(fd) < 0) throw systemError(errno(), "close");
}
