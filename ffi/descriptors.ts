/**
 * Descriptors that a ring is woken by: what io_uring has no op for.
 *
 * @module
 */

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
