/**
 * Registered credentials: ops can run as somebody that the program was earlier.
 *
 * @module
 */

import {
  IORING_REGISTER_PERSONALITY,
  IORING_UNREGISTER_PERSONALITY,
} from "../../ffi/abi.ts";
import { checkInteger } from "../../ffi/check.ts";
import type { Registrar } from "../registrar.ts";
import { hints } from "./argument.ts";

const hint = hints({
  EINVAL: "No personality with this id is registered.",
  EBUSY: "All 65536 ids are taken: unregister some.",
});

/**
 * The personalities of a ring, `ring.personalities`: credentials (user, groups, capabilities)
 * under an id, which an op names in `sqe.personality` to run with them.
 *
 * See io_uring_register(2).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { assert } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const id = ring.personalities.register();
 * assert(id > 0);
 * ring.personalities.unregister(id);
 * ```
 */
export class Personalities {
  readonly #ring: Registrar;

  /** The personalities of a ring. Internal: `ring.personalities` is the way to them. */
  constructor(ring: Registrar) {
    this.#ring = ring;
  }

  /**
   * Keeps the credentials that the calling thread has now. Since Linux 5.6.
   *
   * @returns their id, from 1 on, for `sqe.personality`.
   */
  register(): number {
    const name = "io_uring_register_personality";
    return this.#ring.register(name, IORING_REGISTER_PERSONALITY, 0, 0, hint);
  }

  /**
   * Forgets credentials. Ops in flight keep theirs. Since Linux 5.6.
   *
   * @param id what {@linkcode register} returned.
   * @throws {TypeError | RangeError} if it is no integer from 1 to 65535.
   * @throws {SystemError} EINVAL if no such id is registered.
   */
  unregister(id: number): void {
    checkInteger("ring.personalities.unregister: id", id, 1, 0xffff);
    const name = "io_uring_unregister_personality";
    this.#ring.register(name, IORING_UNREGISTER_PERSONALITY, 0, id, hint);
  }
}
