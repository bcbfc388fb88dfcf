/**
 * The opcodes of io_uring_register(2), and the kernels that brought them.
 *
 * @module
 */

import * as abi from "../../ffi/abi.ts";
import { errnoName } from "../../ffi/errno.ts";
import { type SystemError, systemError } from "../../ffi/errors.ts";
import { enterHint } from "../enter_error.ts";

/** An opcode of io_uring_register(2) as errors and probes name it. */
export interface RegisterOpcode {
  /** Its C name. */
  readonly name: string;
  /** Its number, `IORING_REGISTER_*`. */
  readonly opcode: number;
  /** The first kernel that has it. */
  readonly since: string;
}

const table = [
  ["IORING_REGISTER_BUFFERS", "5.1"],
  ["IORING_UNREGISTER_BUFFERS", "5.1"],
  ["IORING_REGISTER_FILES", "5.1"],
  ["IORING_UNREGISTER_FILES", "5.1"],
  ["IORING_REGISTER_EVENTFD", "5.2"],
  ["IORING_UNREGISTER_EVENTFD", "5.2"],
  ["IORING_REGISTER_FILES_UPDATE", "5.5"],
  ["IORING_REGISTER_EVENTFD_ASYNC", "5.6"],
  ["IORING_REGISTER_PROBE", "5.6"],
  ["IORING_REGISTER_PERSONALITY", "5.6"],
  ["IORING_UNREGISTER_PERSONALITY", "5.6"],
  ["IORING_REGISTER_RESTRICTIONS", "5.10"],
  ["IORING_REGISTER_ENABLE_RINGS", "5.10"],
  ["IORING_REGISTER_FILES2", "5.13"],
  ["IORING_REGISTER_FILES_UPDATE2", "5.13"],
  ["IORING_REGISTER_BUFFERS2", "5.13"],
  ["IORING_REGISTER_BUFFERS_UPDATE", "5.13"],
  ["IORING_REGISTER_IOWQ_AFF", "5.14"],
  ["IORING_UNREGISTER_IOWQ_AFF", "5.14"],
  ["IORING_REGISTER_IOWQ_MAX_WORKERS", "5.15"],
  ["IORING_REGISTER_RING_FDS", "5.18"],
  ["IORING_UNREGISTER_RING_FDS", "5.18"],
  ["IORING_REGISTER_PBUF_RING", "5.19"],
  ["IORING_UNREGISTER_PBUF_RING", "5.19"],
  ["IORING_REGISTER_SYNC_CANCEL", "6.0"],
  ["IORING_REGISTER_FILE_ALLOC_RANGE", "6.0"],
  ["IORING_REGISTER_PBUF_STATUS", "6.8"],
  ["IORING_REGISTER_NAPI", "6.9"],
  ["IORING_UNREGISTER_NAPI", "6.9"],
  ["IORING_REGISTER_CLOCK", "6.12"],
  ["IORING_REGISTER_CLONE_BUFFERS", "6.12"],
  ["IORING_REGISTER_SEND_MSG_RING", "6.13"],
  ["IORING_REGISTER_ZCRX_IFQ", "6.15"],
  ["IORING_REGISTER_RESIZE_RINGS", "6.13"],
  ["IORING_REGISTER_MEM_REGION", "6.13"],
  ["IORING_REGISTER_QUERY", "6.18"],
  ["IORING_REGISTER_ZCRX_CTRL", "6.19"],
  ["IORING_REGISTER_BPF_FILTER", "7.0"],
] as const;

/**
 * Every opcode of io_uring_register(2), by number.
 *
 * @example
 * ```ts
 * import { registerOpcodes } from "@uring/uring/ring";
 * import { IORING_REGISTER_CLOCK } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = registerOpcodes[IORING_REGISTER_CLOCK];
 * assertEquals(clock?.name, "IORING_REGISTER_CLOCK");
 * assertEquals(clock?.since, "6.12");
 * ```
 */
export const registerOpcodes: readonly RegisterOpcode[] = table.map((
  [name, since],
) => ({ name, opcode: abi[name], since }));

/** Every kernel that this library runs on has the opcodes up to here: those of Linux 5.10. */
const OLDEST = abi.IORING_REGISTER_ENABLE_RINGS;

/**
 * The error for what io_uring_register(2) answered. An opcode that a kernel does not know is
 * EINVAL to it, or EBADF where there is no ring to look at: then the error says which kernel
 * has it.
 *
 * @param name what it is called in liburing: `"io_uring_register_buffers"`.
 * @param hint what to do about an errno, where the caller knows.
 */
export function registerError(
  errno: number,
  name: string,
  opcode: number,
  hint?: (errno: number) => string | undefined,
): SystemError {
  const code = errnoName(errno);
  const own = hint?.(errno);
  const known = registerOpcodes[opcode];
  const young = opcode > OLDEST && code === "EINVAL" && known !== undefined;
  const since = young
    ? `${known.name} needs Linux ${known.since} or later.`
    : undefined;
  const told = own === undefined || since === undefined
    ? own ?? since
    : `${own} ${since}`;
  return systemError(errno, name, { hint: told ?? enterHint(errno) });
}
