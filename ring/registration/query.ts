/**
 * Questions to the kernel that need no ring: `IORING_REGISTER_QUERY`.
 *
 * @module
 */

import {
  IO_URING_QUERY_OPCODES,
  IO_URING_QUERY_SCQ,
  IO_URING_QUERY_ZCRX,
  IORING_REGISTER_QUERY,
} from "../../ffi/abi.ts";
import { type Backend, openKernel } from "../../ffi/backend.ts";
import { systemError } from "../../ffi/errors.ts";
import {
  io_uring_query_hdr as header,
  io_uring_query_opcode as opcodes,
  io_uring_query_scq as scq,
  io_uring_query_zcrx as zcrx,
} from "../../ffi/layout.ts";
import { hints, withBlock, writeAddress } from "./argument.ts";
import { registerBlind } from "./blind.ts";

/** What a kernel's io_uring knows, as {@linkcode queryOpcodes} answers. */
export interface OpcodesAnswer {
  /** How many ops it has: those below this opcode. */
  readonly opcodes: number;
  /** How many register opcodes it has: those below this. */
  readonly registerOpcodes: number;
  /** How many questions it answers; 0 on Linux 6.18, which does not say. */
  readonly queries: number;
  /** The features that it has, `IORING_FEAT_*`. */
  readonly features: number;
  /** The setup flags that it takes, `IORING_SETUP_*`. */
  readonly setupFlags: number;
  /** The flags of io_uring_enter(2) that it takes, `IORING_ENTER_*`. */
  readonly enterFlags: number;
  /** The flags of submissions that it takes, `IOSQE_*`. */
  readonly sqeFlags: number;
}

/** What a kernel's zero-copy receive knows, as {@linkcode queryZcrx} answers. */
export interface ZcrxAnswer {
  /** The flags of a queue that it takes, `ZCRX_REG_*`. */
  readonly registerFlags: number;
  /** The flags of an area that it takes, `IORING_ZCRX_AREA_*`. */
  readonly areaFlags: number;
  /** How many control operations it has: those below this, `ZCRX_CTRL_*`. */
  readonly controls: number;
  /** `ZCRX_FEATURE_*`. */
  readonly features: number;
  /** The size of the refill queue's header, in bytes. */
  readonly headerSize: number;
  /** Its alignment, in bytes. */
  readonly headerAlignment: number;
}

/** What the header of a ring's two queues takes, as {@linkcode queryScq} answers. */
export interface ScqAnswer {
  /** Its size in bytes. */
  readonly headerSize: number;
  /** Its alignment in bytes. */
  readonly headerAlignment: number;
}

/** How to reach the kernel. */
export interface QueryOptions {
  /** See {@linkcode RingOptions}. */
  backend?: Backend;
}

const hint = hints({
  EBADF: "IORING_REGISTER_QUERY needs Linux 6.18 or later.",
});

const answerHint = hints({
  EOPNOTSUPP:
    "The kernel does not know this question: it needs Linux 6.19 or later.",
});

/**
 * Asks which opcodes, flags and features this kernel has. Since Linux 6.18, see
 * io_uring_register_query(3).
 *
 * @throws {SystemError} EINVAL or EBADF before Linux 6.18.
 *
 * @example
 * ```ts
 * import { queryOpcodes } from "@uring/uring/ring";
 * import { IORING_OP_PIPE, isSystemError } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * try {
 *   assert(queryOpcodes().opcodes > IORING_OP_PIPE);
 * } catch (error) {
 *   if (!isSystemError(error)) throw error; // before Linux 6.18
 * }
 * ```
 */
export function queryOpcodes(options: QueryOptions = {}): OpcodesAnswer {
  return query(IO_URING_QUERY_OPCODES, opcodes.size, options, (answer) => ({
    opcodes: answer.getUint32(opcodes.nr_request_opcodes, true),
    registerOpcodes: answer.getUint32(opcodes.nr_register_opcodes, true),
    queries: answer.getUint32(opcodes.nr_query_opcodes, true),
    features: flags(answer, opcodes.feature_flags),
    setupFlags: flags(answer, opcodes.ring_setup_flags),
    enterFlags: flags(answer, opcodes.enter_flags),
    sqeFlags: flags(answer, opcodes.sqe_flags),
  }));
}

/**
 * Asks what this kernel's zero-copy receive can do. Since Linux 6.19.
 *
 * @throws {SystemError} EOPNOTSUPP before Linux 6.19; EINVAL or EBADF before 6.18.
 *
 * @example
 * ```ts
 * import { queryZcrx } from "@uring/uring/ring";
 * import { isSystemError } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * try {
 *   assert(queryZcrx().headerSize > 0);
 * } catch (error) {
 *   if (!isSystemError(error)) throw error; // before Linux 6.19
 * }
 * ```
 */
export function queryZcrx(options: QueryOptions = {}): ZcrxAnswer {
  return query(IO_URING_QUERY_ZCRX, zcrx.size, options, (answer) => ({
    registerFlags: flags(answer, zcrx.register_flags),
    areaFlags: flags(answer, zcrx.area_flags),
    controls: answer.getUint32(zcrx.nr_ctrl_opcodes, true),
    features: answer.getUint32(zcrx.features, true),
    headerSize: answer.getUint32(zcrx.rq_hdr_size, true),
    headerAlignment: answer.getUint32(zcrx.rq_hdr_alignment, true),
  }));
}

/**
 * Asks how much memory the header of a ring's queues takes, which matters to who supplies that
 * memory. Since Linux 6.19.
 *
 * @throws {SystemError} EOPNOTSUPP before Linux 6.19; EINVAL or EBADF before 6.18.
 *
 * @example
 * ```ts
 * import { queryScq } from "@uring/uring/ring";
 * import { isSystemError } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * try {
 *   assert(queryScq().headerSize > 0);
 * } catch (error) {
 *   if (!isSystemError(error)) throw error; // before Linux 6.19
 * }
 * ```
 */
export function queryScq(options: QueryOptions = {}): ScqAnswer {
  return query(IO_URING_QUERY_SCQ, scq.size, options, (answer) => ({
    headerSize: flags(answer, scq.hdr_size),
    headerAlignment: flags(answer, scq.hdr_alignment),
  }));
}

function query<T>(
  question: number,
  size: number,
  { backend }: QueryOptions,
  read: (answer: DataView) => T,
): T {
  return withBlock(header.size + size, (block) => {
    const { view } = block;
    writeAddress(view, header.query_data, block.address + header.size);
    view.setUint32(header.query_op, question, true);
    view.setUint32(header.size_, size, true);
    const name = "io_uring_register_query";
    const opcode = IORING_REGISTER_QUERY;
    registerBlind(openKernel(backend), name, opcode, block, 0, hint);
    const errno = -view.getInt32(header.result, true);
    if (errno !== 0) {
      throw systemError(errno, name, { hint: answerHint(errno) });
    }
    // What a kernel does not fill in stays 0.
    return read(new DataView(view.buffer, view.byteOffset + header.size, size));
  });
}

/** 64 bits of which io_uring uses fewer than 32. */
function flags(view: DataView, byteOffset: number): number {
  return Number(view.getBigUint64(byteOffset, true));
}
