/**
 * The kernel's worker threads (`iou-wrk-*`), which run ops that would block.
 *
 * @module
 */

import {
  IO_WQ_BOUND,
  IO_WQ_UNBOUND,
  IORING_REGISTER_IOWQ_AFF,
  IORING_REGISTER_IOWQ_MAX_WORKERS,
  IORING_UNREGISTER_IOWQ_AFF,
} from "../../ffi/abi.ts";
import { checkInteger } from "../../ffi/check.ts";
import { configuredCpus } from "../../ffi/system.ts";
import type { Registrar } from "../registrar.ts";
import { checkArray, hints, withBlock } from "./argument.ts";

const hint = hints({
  EINVAL:
    "The process must be allowed to run on every CPU given (see taskset(1), cpuset(7)), " +
    "and the ring must have workers.",
});

/** How many workers there may be, for each NUMA node. */
export interface WorkerLimits {
  /** Workers for what ends in bounded time: ops on regular files and block devices. */
  bounded: number;
  /** Workers for what may take for ever: ops on sockets, pipes, character devices. */
  unbounded: number;
}

/**
 * The worker threads of a ring, `ring.workers`. The rings of one thread share them, and so do
 * rings attached to each other (`attachTo`).
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { IORING_FEAT_CQE_SKIP } from "@uring/uring/ffi";
 * import { assert, assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * if (ring.features & IORING_FEAT_CQE_SKIP) { // Linux 5.17; max() needs 5.15
 *   const before = ring.workers.max({ bounded: 2 });
 *   assert(before.bounded > 0);
 *   assertEquals(ring.workers.max().bounded, 2);
 *   ring.workers.max(before);
 * }
 * ```
 */
export class Workers {
  readonly #ring: Registrar;

  /** The workers of a ring. Internal: `ring.workers` is the way to them. */
  constructor(ring: Registrar) {
    this.#ring = ring;
  }

  /**
   * Binds the workers to CPUs. Since Linux 5.14, see io_uring_register_iowq_aff(3).
   *
   * @param cpus the CPUs' numbers.
   * @throws {TypeError | RangeError} if there is none, or the machine has no such CPU.
   * @throws {SystemError} EINVAL if this process may not run there.
   */
  setAffinity(cpus: readonly number[]): void {
    const what = "ring.workers.setAffinity: cpus";
    const most = configuredCpus();
    checkArray(what, cpus, most);
    // The kernel takes as many bytes of the mask as its own mask has, and ignores the others.
    const words = Math.ceil(most / 64);
    withBlock(words * 8, (block) => {
      for (const [index, cpu] of cpus.entries()) {
        checkInteger(`${what}[${index}]`, cpu, 0, most - 1);
        const byte = cpu >> 3;
        const bits = block.view.getUint8(byte) | (1 << (cpu & 7));
        block.view.setUint8(byte, bits);
      }
      const name = "io_uring_register_iowq_aff";
      const opcode = IORING_REGISTER_IOWQ_AFF;
      this.#ring.register(name, opcode, block, words * 8, hint);
    });
  }

  /** Lets the workers run wherever the process may. Since Linux 5.14. */
  clearAffinity(): void {
    const name = "io_uring_unregister_iowq_aff";
    this.#ring.register(name, IORING_UNREGISTER_IOWQ_AFF, 0, 0, hint);
  }

  /**
   * Limits how many workers there may be. Since Linux 5.15, see
   * io_uring_register_iowq_max_workers(3).
   *
   * @param limits the new limits, for each NUMA node; 0, or left out: as it is.
   * @returns the limits as they were.
   * @throws {TypeError | RangeError} if a limit is no integer from 0 to 2^31 - 1.
   */
  max(limits: Partial<WorkerLimits> = {}): WorkerLimits {
    const { bounded = 0, unbounded = 0 } = limits;
    checkInteger("ring.workers.max: bounded", bounded, 0, 0x7fff_ffff);
    checkInteger("ring.workers.max: unbounded", unbounded, 0, 0x7fff_ffff);
    return withBlock(8, (block) => {
      const { view } = block;
      view.setUint32(4 * IO_WQ_BOUND, bounded, true);
      view.setUint32(4 * IO_WQ_UNBOUND, unbounded, true);
      const name = "io_uring_register_iowq_max_workers";
      const opcode = IORING_REGISTER_IOWQ_MAX_WORKERS;
      this.#ring.register(name, opcode, block, 2);
      return {
        bounded: view.getUint32(4 * IO_WQ_BOUND, true),
        unbounded: view.getUint32(4 * IO_WQ_UNBOUND, true),
      };
    });
  }
}
