/**
 * Registered waits: the arguments of waits in memory that the kernel has mapped once, so that
 * it need not copy them at each.
 *
 * @module
 */

import {
  IORING_MEM_REGION_REG_WAIT_ARG,
  IORING_MEM_REGION_TYPE_USER,
  IORING_REG_WAIT_TS,
  IORING_REGISTER_MEM_REGION,
} from "../../ffi/abi.ts";
import { checkInteger } from "../../ffi/check.ts";
import {
  io_uring_mem_region_reg as registration,
  io_uring_reg_wait as wait,
  io_uring_region_desc as region,
} from "../../ffi/layout.ts";
import { Memory } from "../../ffi/memory.ts";
import {
  checkMilliseconds,
  writeTimespec,
} from "../../ffi/structs/timespec.ts";
import { pageSize } from "../../ffi/system.ts";
import type { Registrar } from "../registrar.ts";
import { hints, withBlock, writeAddress } from "./argument.ts";

const MOST = 1 << 16;

const hint = hints({
  EBUSY: "The ring has a region already, for as long as it lives.",
  EINVAL:
    "The ring must be made with IORING_SETUP_R_DISABLED and not be enabled yet: " +
    "register the region first, then call ring.enable().",
});

/** What a registered wait says. */
export interface RegisteredWait {
  /** How long to wait at most, in milliseconds. Default: for ever. */
  timeout?: number;
  /**
   * How long to wait for all the completions asked for, in milliseconds; from then on one is
   * enough. Default: 0, which is not at all.
   */
  minWait?: number;
}

/**
 * Waits that were registered, made by `ring.registerWaits`. Each has an index, by which
 * `ring.submitAndWaitRegistered` names it; its contents may be changed between waits.
 *
 * Since Linux 6.13, see io_uring_register_region(3).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { IORING_SETUP_R_DISABLED, isSystemError } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring({ entries: 4, flags: IORING_SETUP_R_DISABLED });
 * try {
 *   const waits = ring.registerWaits(2);
 *   ring.enable();
 *   waits.set(1, { timeout: 5 });
 *   ring.submitAndWaitRegistered(1, 1); // nothing comes, for 5 ms
 *   assertEquals(ring.cq.ready, 0);
 * } catch (error) {
 *   if (!isSystemError(error) || error.code !== "EINVAL") throw error; // before Linux 6.13
 * }
 * ```
 */
export class WaitRegion {
  /** How many waits there are. */
  readonly entries: number;
  readonly #memory: Memory;
  readonly #view: DataView<ArrayBuffer>;

  /** Registers waits. Internal: `ring.registerWaits` is the way to them. */
  constructor(ring: Registrar, entries: number) {
    checkInteger("ring.registerWaits: entries", entries, 1, MOST);
    this.entries = entries;
    const page = pageSize();
    const size = Math.ceil(entries * wait.size / page) * page;
    this.#memory = new Memory(size);
    this.#view = new DataView(this.#memory.bytes.buffer);
    withBlock(registration.size + region.size, (block) => {
      const { view } = block;
      const regionAt = registration.size;
      writeAddress(view, registration.region_uptr, block.address + regionAt);
      view.setBigUint64(
        registration.flags,
        BigInt(IORING_MEM_REGION_REG_WAIT_ARG),
        true,
      );
      writeAddress(view, regionAt + region.user_addr, this.#memory.address);
      writeAddress(view, regionAt + region.size_, size);
      view.setUint32(
        regionAt + region.flags,
        IORING_MEM_REGION_TYPE_USER,
        true,
      );
      const name = "io_uring_register_region";
      ring.register(name, IORING_REGISTER_MEM_REGION, block, 1, hint);
    });
    // A region cannot be unregistered.
    ring.keep.add(this.#memory);
  }

  /**
   * Says what a wait is to be.
   *
   * @param index which, 0 to `entries` - 1.
   * @throws {TypeError | RangeError} if there is no such wait, or a time is no such number.
   */
  set(index: number, { timeout, minWait = 0 }: RegisteredWait): void {
    checkInteger("WaitRegion.set: index", index, 0, this.entries - 1);
    if (timeout !== undefined) {
      checkMilliseconds("WaitRegion.set: timeout", timeout);
    }
    const view = this.#view;
    const at = index * wait.size;
    const microseconds = toMicroseconds("WaitRegion.set: minWait", minWait);
    writeTimespec(view, at + wait.ts, timeout ?? 0);
    const flags = timeout === undefined ? 0 : IORING_REG_WAIT_TS;
    view.setUint32(at + wait.flags, flags, true);
    view.setUint32(at + wait.min_wait_usec, microseconds, true);
  }
}

/**
 * Milliseconds as the kernel's `min_wait_usec` has them.
 *
 * @throws {TypeError | RangeError} if they are no number, negative, or over 71 minutes.
 */
export function toMicroseconds(what: string, milliseconds: number): number {
  checkMilliseconds(what, milliseconds);
  const microseconds = Math.ceil(milliseconds * 1000);
  if (microseconds > 0xffff_ffff) {
    throw new RangeError(
      `${what} must be at most 4294967 milliseconds; got ${milliseconds}.`,
    );
  }
  return microseconds;
}
