/**
 * Which opcodes this kernel has: `IORING_REGISTER_PROBE`.
 *
 * @module
 */

import { IO_URING_OP_SUPPORTED, IORING_REGISTER_PROBE } from "../../ffi/abi.ts";
import { io_uring_probe, io_uring_probe_op } from "../../ffi/layout.ts";
import type { Registrar } from "../registrar.ts";

const MOST_OPCODES = 256;

/**
 * What a kernel answered when it was asked for its opcodes.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { IORING_OP_READ } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * using ring = new Ring(2);
 * assert(ring.probe().supports(IORING_OP_READ)); // since Linux 5.6
 * ```
 */
export class Probe {
  /** The highest opcode that this kernel knows. */
  readonly lastOpcode: number;
  readonly #supported: ReadonlySet<number>;

  private constructor(lastOpcode: number, supported: ReadonlySet<number>) {
    this.lastOpcode = lastOpcode;
    this.#supported = supported;
  }

  /** Asks the kernel. Since Linux 5.6, see io_uring_register(2). Internal: {@linkcode Ring.probe}. */
  static of(ring: Registrar): Probe {
    const size = io_uring_probe.size + MOST_OPCODES * io_uring_probe_op.size;
    const view = new DataView(new ArrayBuffer(size));
    ring.register(
      "io_uring_register_probe",
      IORING_REGISTER_PROBE,
      view,
      MOST_OPCODES,
    );
    const supported = new Set<number>();
    const count = view.getUint8(io_uring_probe.ops_len);
    for (let index = 0; index < count; index++) {
      const at = io_uring_probe.size + index * io_uring_probe_op.size;
      const flags = view.getUint16(at + io_uring_probe_op.flags, true);
      if (flags & IO_URING_OP_SUPPORTED) {
        supported.add(view.getUint8(at + io_uring_probe_op.op));
      }
    }
    return new Probe(view.getUint8(io_uring_probe.last_op), supported);
  }

  /** Whether this kernel has the opcode, `IORING_OP_*`. */
  supports(opcode: number): boolean {
    return this.#supported.has(opcode);
  }
}
