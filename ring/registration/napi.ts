/**
 * Busy polling of network cards: `IORING_REGISTER_NAPI`.
 *
 * @module
 */

import { IORING_REGISTER_NAPI, IORING_UNREGISTER_NAPI } from "../../ffi/abi.ts";
import { checkInteger } from "../../ffi/check.ts";
import { io_uring_napi as napi } from "../../ffi/layout.ts";
import type { Registrar } from "../registrar.ts";
import { hints, withBlock } from "./argument.ts";

const hint = hints({
  EINVAL:
    "The ring must be without IORING_SETUP_IOPOLL, and the kernel built with " +
    "CONFIG_NET_RX_BUSY_POLL.",
});

/** How a ring polls. */
export interface NapiSettings {
  /** How long to poll at most while waiting, in microseconds, 0 to 2^32 - 1. */
  busyPollTimeout: number;
  /** Whether to poll rather than let the card interrupt. */
  preferBusyPoll: boolean;
}

/**
 * Busy polling of a ring, `ring.napi`: a wait for completions first polls the network cards of
 * the sockets that it has ops on, which saves the interrupt's latency and costs CPU time.
 *
 * See io_uring_register_napi(3).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { isSystemError } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * try {
 *   ring.napi.register({ busyPollTimeout: 50 });
 *   assertEquals(ring.napi.unregister().busyPollTimeout, 50);
 * } catch (error) {
 *   if (!isSystemError(error) || error.code !== "EINVAL") throw error; // before Linux 6.9
 * }
 * ```
 */
export class Napi {
  readonly #ring: Registrar;

  /** Busy polling of a ring. Internal: `ring.napi` is the way to it. */
  constructor(ring: Registrar) {
    this.#ring = ring;
  }

  /**
   * Begins to poll. Since Linux 6.9.
   *
   * @param settings by default 0 microseconds, and interrupts are preferred.
   * @returns the settings as they were.
   * @throws {TypeError | RangeError} if the time is no such number.
   * @throws {SystemError} EINVAL on a ring with `IORING_SETUP_IOPOLL`, and where the kernel
   * cannot poll.
   */
  register(settings: Partial<NapiSettings> = {}): NapiSettings {
    const { busyPollTimeout = 0, preferBusyPoll = false } = settings;
    const what = "ring.napi.register: busyPollTimeout";
    checkInteger(what, busyPollTimeout, 0, 0xffff_ffff);
    return withBlock(napi.size, (block) => {
      block.view.setUint32(napi.busy_poll_to, busyPollTimeout, true);
      block.view.setUint8(napi.prefer_busy_poll, preferBusyPoll ? 1 : 0);
      const name = "io_uring_register_napi";
      this.#ring.register(name, IORING_REGISTER_NAPI, block, 1, hint);
      return read(block.view);
    });
  }

  /**
   * Ends polling. Since Linux 6.9.
   *
   * @returns the settings as they were.
   */
  unregister(): NapiSettings {
    return withBlock(napi.size, (block) => {
      const name = "io_uring_unregister_napi";
      this.#ring.register(name, IORING_UNREGISTER_NAPI, block, 1, hint);
      return read(block.view);
    });
  }
}

function read(view: DataView): NapiSettings {
  return {
    busyPollTimeout: view.getUint32(napi.busy_poll_to, true),
    preferBusyPoll: view.getUint8(napi.prefer_busy_poll) !== 0,
  };
}
