/**
 * The machine and its limits, as the kernel tells of them.
 *
 * @module
 */

import { libc } from "../../ffi/libc.ts";
import { RLIM_INFINITY, RLIMIT_MEMLOCK } from "../../ffi/linux.ts";
import { isSystemError } from "../../ffi/errors.ts";
import type { Ring } from "../../ring/mod.ts";
import type { Limit, Limits, Machine } from "./report.ts";

const RLIMIT_NOFILE = 7;
const CAP_IPC_LOCK = 14n;
const SECCOMP = ["none", "strict", "filter"] as const;

/** The contents of a file, or undefined where it cannot be read. */
export function tryRead(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch (error) {
    // Containers hide parts of /proc and /sys; older kernels lack others.
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied ||
      error instanceof Deno.errors.NotCapable
    ) return undefined;
    throw error;
  }
}

/** A number in a file; null where there is none. */
export function tryNumber(path: string): number | null {
  const text = tryRead(path);
  return text === undefined || text === "" ? null : Number(text);
}

/** What runs here. */
export function machine(): Machine {
  return {
    kernel: Deno.osRelease(),
    architecture: Deno.build.arch,
    deno: Deno.version.deno,
    cpus: navigator.hardwareConcurrency,
  };
}

function limit(resource: number): Limit {
  const values = new BigUint64Array(2);
  libc().getrlimit(resource, values);
  const [soft, hard] = Array.from(
    values,
    (value) => value === RLIM_INFINITY ? null : Number(value),
  );
  return { soft: soft ?? null, hard: hard ?? null };
}

/** How many workers there may be; null on kernels that do not tell. */
function workers(ring: Ring): Limits["workers"] {
  try {
    return ring.workers.max();
  } catch (error) {
    if (isSystemError(error) && error.code === "EINVAL") return null;
    throw error;
  }
}

/** A field of /proc/self/status. */
function status(name: string): string | undefined {
  const text = tryRead("/proc/self/status") ?? "";
  return new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(text)?.[1];
}

/** Whether seccomp(2) looks at what this process asks of the kernel. */
export function seccomp(): Limits["seccomp"] {
  return SECCOMP[Number(status("Seccomp") ?? -1)] ?? null;
}

/** What the process may use, and the workers of a ring. */
export function limits(ring: Ring): Limits {
  const capabilities = status("CapEff");
  return {
    memlock: limit(RLIMIT_MEMLOCK),
    memlockLifted: capabilities === undefined
      ? null
      : (BigInt(`0x${capabilities}`) >> CAP_IPC_LOCK & 1n) === 1n,
    nofile: limit(RLIMIT_NOFILE),
    workers: workers(ring),
    disabled: tryNumber("/proc/sys/kernel/io_uring_disabled"),
    group: tryNumber("/proc/sys/kernel/io_uring_group"),
    seccomp: seccomp(),
  };
}
