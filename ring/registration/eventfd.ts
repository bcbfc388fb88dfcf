/**
 * The eventfd that a ring signals its completions to.
 *
 * @module
 */

import {
  IORING_REGISTER_EVENTFD,
  IORING_REGISTER_EVENTFD_ASYNC,
  IORING_UNREGISTER_EVENTFD,
} from "../../ffi/abi.ts";
import { checkInteger } from "../../ffi/check.ts";
import type { Registrar } from "../registrar.ts";
import { hints, withBlock } from "./argument.ts";

const hint = hints({
  EBUSY: "An eventfd is registered already: call unregister() first.",
  ENXIO: "No eventfd is registered.",
  EBADF: "The descriptor is not open.",
  EINVAL: "The descriptor must be that of an eventfd(2).",
});

/** Options of {@linkcode RegisteredEventfd.register}. */
export interface EventfdOptions {
  /**
   * Signal only what a worker thread completes (`IORING_REGISTER_EVENTFD_ASYNC`): neither what
   * completes within the call that submitted it, nor what was polled for, such as a receive
   * that had to wait. Since Linux 5.6. Default: false.
   */
  async?: boolean;
}

/**
 * The registered eventfd of a ring, `ring.eventfd`: the kernel adds to it when completions
 * come, so that a program which waits on descriptors can wait on a ring. A hint to look, not a
 * count: several completions may be one signal.
 *
 * `ring.cq.eventfdEnabled` turns the signals off and on without a call.
 *
 * Before Linux 5.18 registering and unregistering it wait until nothing is in flight.
 *
 * See io_uring_register_eventfd(3).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { isSystemError } from "@uring/uring/ffi";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const error = assertThrows(() => ring.eventfd.register(0x7fff_ffff)); // not open
 * assertEquals(isSystemError(error) && error.code, "EBADF");
 * ```
 */
export class RegisteredEventfd {
  readonly #ring: Registrar;

  /** The registered eventfd of a ring. Internal: `ring.eventfd` is the way to it. */
  constructor(ring: Registrar) {
    this.#ring = ring;
  }

  /**
   * Has the ring signal an eventfd(2). The ring has its own reference to it. Since Linux 5.2.
   *
   * @param fd the eventfd's descriptor.
   * @throws {TypeError | RangeError} if it is no such number, or the ring is closed.
   * @throws {SystemError} EBADF if it is not open, EINVAL if it is no eventfd, EBUSY if one is
   * registered already.
   */
  register(fd: number, { async = false }: EventfdOptions = {}): void {
    checkInteger("ring.eventfd.register: fd", fd, 0, 0x7fff_ffff);
    withBlock(4, (block) => {
      block.view.setInt32(0, fd, true);
      const [name, opcode] = async
        ? ["io_uring_register_eventfd_async", IORING_REGISTER_EVENTFD_ASYNC]
        : ["io_uring_register_eventfd", IORING_REGISTER_EVENTFD];
      this.#ring.register(name as string, opcode as number, block, 1, hint);
    });
  }

  /**
   * Ends the signals. Since Linux 5.2.
   *
   * @throws {SystemError} ENXIO if no eventfd is registered.
   */
  unregister(): void {
    const name = "io_uring_unregister_eventfd";
    this.#ring.register(name, IORING_UNREGISTER_EVENTFD, 0, 0, hint);
  }
}
