/**
 * Filters of submissions by classic BPF programs: `IORING_REGISTER_BPF_FILTER`.
 *
 * @module
 */

import {
  IO_URING_BPF_CMD_FILTER,
  IO_URING_BPF_FILTER_DENY_REST,
  IO_URING_BPF_FILTER_SZ_STRICT,
  IORING_REGISTER_BPF_FILTER,
} from "../../ffi/abi.ts";
import { type Backend, openKernel } from "../../ffi/backend.ts";
import type { Block } from "../../ffi/block.ts";
import { checkInteger, show } from "../../ffi/check.ts";
import { io_uring_bpf as bpf } from "../../ffi/layout.ts";
import type { Registrar } from "../registrar.ts";
import { checkArray, hints, withBlock, writeAddress } from "./argument.ts";
import { registerBlind } from "./blind.ts";

/** The kernel's `BPF_MAXINSNS`. */
const MOST = 4096;
const UINT32_MAX = 0xffff_ffff;

/** The size of a `struct sock_filter`. */
const INSTRUCTION = 8;

const hint = hints({
  EBADF: "IORING_REGISTER_BPF_FILTER needs Linux 7.0 or later.",
  EINVAL: "The kernel must know the op, and find the program valid.",
  EMSGSIZE: "pduSize is not what the kernel has for this op.",
  EACCES: "The task needs no_new_privs (see prctl(2)) or CAP_SYS_ADMIN.",
});

/** An instruction of classic BPF, a `struct sock_filter`: see bpf(2), socket(7). */
export interface BpfInstruction {
  /** The instruction's code, 16 bits. */
  code: number;
  /** How many instructions to jump over if true. Default: 0. */
  jt?: number;
  /** How many instructions to jump over if false. Default: 0. */
  jf?: number;
  /** Its operand, 32 bits, unsigned. Default: 0. */
  k?: number;
}

/** A filter: which ops it sees, and what it says. */
export interface BpfFilter {
  /** The op that it filters, `IORING_OP_*`. */
  opcode: number;
  /**
   * The program, 1 to 4096 instructions. It sees a `struct io_uring_bpf_ctx` and returns 0 to
   * have the op fail with EACCES.
   */
  program: readonly BpfInstruction[];
  /**
   * How many bytes of the op's own data the program expects behind the first 16: 12 for
   * `IORING_OP_SOCKET`, 24 for `IORING_OP_OPENAT` and `OPENAT2`. Default: 0.
   */
  pduSize?: number;
  /** Refuse every op that has no filter (`IO_URING_BPF_FILTER_DENY_REST`). Default: false. */
  denyRest?: boolean;
  /** Refuse the filter unless `pduSize` is exactly the kernel's (`IO_URING_BPF_FILTER_SZ_STRICT`). Default: false. */
  strictSize?: boolean;
}

const NAME = "io_uring_register_bpf_filter";

/** Filters the ops of a ring. Internal: `ring.registerBpfFilter` calls it. */
export function registerBpfFilter(ring: Registrar, filter: BpfFilter): void {
  withFilter("ring.registerBpfFilter", filter, (block) => {
    ring.register(NAME, IORING_REGISTER_BPF_FILTER, block, 1, hint);
  });
}

/**
 * Filters the ops of every ring that the calling thread, and the threads and processes it will
 * start, make from now on. It cannot be undone. Since Linux 7.0, see
 * io_uring_register_bpf_filter_task(3).
 *
 * @param options `backend`: how to reach the kernel, see {@linkcode RingOptions}.
 * @throws {TypeError | RangeError} if a field cannot hold what it is given.
 * @throws {SystemError} EINVAL or EBADF before Linux 7.0; EACCES without no_new_privs.
 *
 * @example
 * ```ts
 * import { filterTask } from "@uring/uring/ring";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(() => filterTask({ opcode: 0, program: [] }), RangeError);
 * ```
 */
export function filterTask(
  filter: BpfFilter,
  { backend }: { backend?: Backend } = {},
): void {
  withFilter("filterTask", filter, (block) => {
    const name = `${NAME}_task`;
    const opcode = IORING_REGISTER_BPF_FILTER;
    registerBlind(openKernel(backend), name, opcode, block, 1, hint);
  });
}

function withFilter(
  what: string,
  filter: BpfFilter,
  use: (block: Block) => void,
): void {
  if (filter === null || typeof filter !== "object") {
    throw new TypeError(
      `${what}: filter must be an object; got ${show(filter)}.`,
    );
  }
  const { opcode, program, pduSize = 0 } = filter;
  checkInteger(`${what}: opcode`, opcode, 0, 255);
  checkInteger(`${what}: pduSize`, pduSize, 0, 255);
  checkArray(`${what}: program`, program, MOST);
  const flags = (filter.denyRest ? IO_URING_BPF_FILTER_DENY_REST : 0) |
    (filter.strictSize ? IO_URING_BPF_FILTER_SZ_STRICT : 0);
  withBlock(bpf.size + program.length * INSTRUCTION, (block) => {
    const { view } = block;
    view.setUint16(bpf.cmd_type, IO_URING_BPF_CMD_FILTER, true);
    view.setUint32(bpf.filter_opcode, opcode, true);
    view.setUint32(bpf.filter_flags, flags, true);
    view.setUint32(bpf.filter_filter_len, program.length, true);
    view.setUint8(bpf.filter_pdu_size, pduSize);
    writeAddress(view, bpf.filter_filter_ptr, block.address + bpf.size);
    for (const [index, instruction] of program.entries()) {
      const at = bpf.size + index * INSTRUCTION;
      writeInstruction(view, at, `${what}: program[${index}]`, instruction);
    }
    use(block);
  });
}

function writeInstruction(
  view: DataView,
  byteOffset: number,
  what: string,
  instruction: BpfInstruction,
): void {
  if (instruction === null || typeof instruction !== "object") {
    throw new TypeError(
      `${what} must be an object; got ${show(instruction)}.`,
    );
  }
  const { code, jt = 0, jf = 0, k = 0 } = instruction;
  const half = checkInteger(`${what}.code`, code, 0, 0xffff);
  view.setUint16(byteOffset, half, true);
  view.setUint8(byteOffset + 2, checkInteger(`${what}.jt`, jt, 0, 255));
  view.setUint8(byteOffset + 3, checkInteger(`${what}.jf`, jf, 0, 255));
  const word = checkInteger(`${what}.k`, k, 0, UINT32_MAX);
  view.setUint32(byteOffset + 4, word, true);
}
