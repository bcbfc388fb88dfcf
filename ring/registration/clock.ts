/**
 * The clock by which waits are timed: `IORING_REGISTER_CLOCK`.
 *
 * @module
 */

import { IORING_REGISTER_CLOCK } from "../../ffi/abi.ts";
import { io_uring_clock_register as clock } from "../../ffi/layout.ts";
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC } from "../../ffi/linux.ts";
import { notInteger } from "../../ffi/check.ts";
import type { Registrar } from "../registrar.ts";
import { withBlock } from "./argument.ts";

/** Sets a ring's clock. Internal: `ring.setClock` calls it. */
export function setClock(ring: Registrar, clockId: number): void {
  if (clockId !== CLOCK_MONOTONIC && clockId !== CLOCK_BOOTTIME) {
    if (typeof clockId !== "number") {
      const [least, most] = [CLOCK_MONOTONIC, CLOCK_BOOTTIME];
      throw notInteger("ring.setClock: clockId", clockId, least, most);
    }
    throw new RangeError(
      `ring.setClock: clockId must be CLOCK_MONOTONIC (1) or CLOCK_BOOTTIME (7); ` +
        `got ${clockId}.`,
    );
  }
  withBlock(clock.size, (block) => {
    block.view.setUint32(clock.clockid, clockId, true);
    const name = "io_uring_register_clock";
    ring.register(name, IORING_REGISTER_CLOCK, block, 0);
  });
}
