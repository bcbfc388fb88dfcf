/**
 * Which flags of io_uring_setup(2) this kernel takes: each is tried, on a ring of its own.
 *
 * @module
 */

import * as abi from "../../ffi/abi.ts";
import { errnoName } from "../../ffi/errno.ts";
import { isSystemError, systemError } from "../../ffi/errors.ts";
import { io_uring_params, io_uring_rsrc_update } from "../../ffi/layout.ts";
import { errno, errnoView, libc } from "../../ffi/libc.ts";
import {
  __NR_io_uring_register,
  __NR_io_uring_setup,
} from "../../ffi/linux.ts";
import { addressOf, Memory } from "../../ffi/memory.ts";
import { pageSize } from "../../ffi/system.ts";
import { encodeParams } from "../../ffi/params.ts";
import { setupFlags } from "../../ffi/setup_flags.ts";
import { Ring, type RingOptions } from "../../ring/mod.ts";
import type { Ability } from "./report.ts";

const PREFIX = "IORING_SETUP_";

/** Flags that some flags are nothing without. */
const companions: Readonly<Record<string, number>> = {
  SQ_AFF: abi.IORING_SETUP_SQPOLL,
  TASKRUN_FLAG: abi.IORING_SETUP_COOP_TASKRUN,
  DEFER_TASKRUN: abi.IORING_SETUP_SINGLE_ISSUER,
  REGISTERED_FD_ONLY: abi.IORING_SETUP_NO_MMAP,
  HYBRID_IOPOLL: abi.IORING_SETUP_IOPOLL,
  SQ_REWIND: abi.IORING_SETUP_NO_SQARRAY,
};

/** An errno's name if the kernel refuses the flag, and an empty string if it takes it. */
function tryFlag(name: string, flag: number): string {
  const flags = (flag | (companions[name] ?? 0)) >>> 0;
  if (flags & abi.IORING_SETUP_NO_MMAP) return tryOwnMemory(flags);
  try {
    using other = new Ring({ entries: 2, backend: "syscall" });
    const options: RingOptions = {
      entries: 2,
      // What the kernel takes an old liburing may not.
      backend: "syscall",
      flags,
      ...(name === "CQSIZE" ? { cqEntries: 8 } : {}),
      ...(name === "ATTACH_WQ" ? { attachTo: other } : {}),
      ...(name === "SQ_AFF" ? { sqThreadCpu: firstCpu() } : {}),
    };
    new Ring(options).close();
    return "";
  } catch (error) {
    if (isSystemError(error)) return error.code;
    throw error;
  }
}

/** A CPU that this process may run on: CPU 0 may be another container's. */
function firstCpu(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/^Cpus_allowed_list:\s*(\d+)/m.exec(status)?.[1] ?? 0);
}

/**
 * A ring in memory of the program's own, which the library has no use for; so it is made, and
 * given back, by the bare system calls.
 */
function tryOwnMemory(flags: number): string {
  const page = pageSize();
  using memory = new Memory(2 * page);
  const request = encodeParams({
    entries: 2,
    flags,
    cqEntries: 0,
    sqThreadIdle: 0,
    sqThreadCpu: 0,
    wqFd: 0,
  });
  const { sq_off_user_addr, cq_off_user_addr } = io_uring_params;
  request.setBigUint64(sq_off_user_addr, BigInt(memory.address), true);
  request.setBigUint64(cq_off_user_addr, BigInt(memory.address + page), true);
  errnoView();
  const fd = libc().io_uring_setup(__NR_io_uring_setup, 2, request);
  if (fd < 0) return errnoName(errno());
  if (flags & abi.IORING_SETUP_REGISTERED_FD_ONLY) unregister(fd);
  else libc().close(fd);
  return "";
}

/** Gives back a ring that is no descriptor, only an index among the thread's registered ones. */
function unregister(index: number): void {
  const update = new DataView(new ArrayBuffer(io_uring_rsrc_update.size));
  update.setUint32(io_uring_rsrc_update.offset, index, true);
  errnoView();
  const result = libc().io_uring_register(
    __NR_io_uring_register,
    index,
    (abi.IORING_UNREGISTER_RING_FDS |
      abi.IORING_REGISTER_USE_REGISTERED_RING) >>> 0,
    BigInt(addressOf(update)),
    1,
  );
  if (result < 0) throw systemError(errno(), "io_uring_unregister_ring_fd");
}

/** Which flags this kernel takes. EINVAL is its word for those that it does not know. */
export function setupFlagsHere(): Ability[] {
  return setupFlags.map(({ name: constant, flag: value, since }) => {
    const name = constant.replace(PREFIX, "");
    const code = tryFlag(name, value);
    const refused = code === "" || code === "EINVAL" ? {} : { refused: code };
    return { name, value, since, here: code !== "EINVAL", ...refused };
  });
}
