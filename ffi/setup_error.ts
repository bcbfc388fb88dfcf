/**
 * Why the kernel refused to make a ring, and what to do about it.
 *
 * @module
 */

import {
  IORING_SETUP_ATTACH_WQ,
  IORING_SETUP_CLAMP,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SQ_AFF,
  IORING_SETUP_SQPOLL,
} from "./abi.ts";
import { errnoName } from "./errno.ts";
import { type SystemError, systemError } from "./errors.ts";
import type { SetupRequest } from "./kernel.ts";
import { libc } from "./libc.ts";
import { RLIM_INFINITY, RLIMIT_MEMLOCK } from "./linux.ts";
import { newestSetupFlag } from "./setup_flags.ts";

const SYSTEM_CALLS = "io_uring_setup, io_uring_enter and io_uring_register";
const CONTAINER =
  `In a container, its seccomp profile must allow ${SYSTEM_CALLS} ` +
  "(docker run --security-opt seccomp=PROFILE.json; Docker's own profile forbids them)";

/** The error for an errno of `io_uring_setup`: one sentence what it means, one what to do. */
export function setupError(errno: number, request: SetupRequest): SystemError {
  const error = systemError(errno, "io_uring_setup");
  const hint = hints[error.code]?.(request);
  return hint === undefined
    ? error
    : systemError(errno, "io_uring_setup", { hint });
}

/** The error for an errno of `IORING_REGISTER_RESIZE_RINGS`. */
export function resizeError(errno: number): SystemError {
  const name = "io_uring_resize_rings";
  return systemError(errno, name, { hint: resizeHints[errnoName(errno)] });
}

const resizeHints: Readonly<Record<string, string>> = {
  EOVERFLOW:
    "What is in the queues does not fit them: submit, and take the completions, first; or a " +
    "queue with entries over two slots (SQE_MIXED, CQE_MIXED) would have a single one.",
  EINVAL: "IORING_REGISTER_RESIZE_RINGS needs Linux 6.13 or later.",
  EEXIST: "The ring belongs to the thread that made it.",
};

const hints: Readonly<Record<string, (request: SetupRequest) => string>> = {
  ENOSYS: () =>
    "This kernel has no io_uring, or a seccomp profile hides it. " +
    `uring needs Linux 5.10 or later. ${CONTAINER}.`,
  EPERM: forbidden,
  ENOMEM: () =>
    "The kernel has no memory for the ring, or RLIMIT_MEMLOCK " +
    `(${memoryLockLimit()}) is too low for it. Ask for fewer entries, close other rings, ` +
    "or raise the limit (ulimit -l, LimitMEMLOCK= in a systemd unit, " +
    "docker run --ulimit memlock=-1).",
  EINVAL: invalid,
  EMFILE: () =>
    "The process has too many open files. Close some, or raise the limit (ulimit -n).",
  ENFILE: () => "The system has too many open files (fs.file-max).",
  EBADF: (request) => `attachTo: ${request.wqFd} is no open file descriptor.`,
  EOPNOTSUPP: () => "This kernel cannot make such a ring.",
  EOVERFLOW: () =>
    "With IORING_SETUP_CQE_MIXED cqEntries must be at least 2, and with " +
    "IORING_SETUP_SQE_MIXED entries: there an entry may take two slots.",
};

function forbidden(request: SetupRequest): string {
  const sysctl = disabledSetting();
  if (sysctl === "2") {
    return "kernel.io_uring_disabled is 2: nobody may use io_uring on this machine. " +
      "An administrator can allow it (sysctl kernel.io_uring_disabled=0).";
  }
  if (sysctl === "1") {
    return "kernel.io_uring_disabled is 1: only processes with CAP_SYS_ADMIN or in the " +
      "group kernel.io_uring_group may use io_uring. Join that group, or have an " +
      "administrator allow it (sysctl kernel.io_uring_disabled=0).";
  }
  const privileged = request.flags & IORING_SETUP_SQPOLL
    ? "Before Linux 5.11, SQPOLL needs CAP_SYS_ADMIN. "
    : "";
  const unknown = sysctl === undefined
    ? "kernel.io_uring_disabled may be 1 or 2 (sysctl kernel.io_uring_disabled). "
    : "";
  return `io_uring is forbidden here. ${privileged}${unknown}${CONTAINER}.`;
}

/** kernel.io_uring_disabled, where this program may read it; undefined where it may not. */
function disabledSetting(): string | undefined {
  const path = "/proc/sys/kernel/io_uring_disabled";
  const permission = Deno.permissions.querySync({ name: "read", path });
  if (permission.state !== "granted") return undefined;
  try {
    return Deno.readTextFileSync(path).trim();
  } catch (error) {
    // The setting is there since Linux 6.6; in some containers /proc/sys is not.
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied ||
      error instanceof Deno.errors.NotCapable
    ) return undefined;
    throw error;
  }
}

/** RLIMIT_MEMLOCK as a person reads it. */
export function memoryLockLimit(): string {
  const limit = new BigUint64Array(2);
  libc().getrlimit(RLIMIT_MEMLOCK, limit);
  const soft = limit[0] as bigint;
  return soft === RLIM_INFINITY ? "unlimited" : `${soft / 1024n} KiB`;
}

function invalid(request: SetupRequest): string {
  const { flags, entries, cqEntries } = request;
  const reasons: string[] = [];
  if (!(flags & IORING_SETUP_CLAMP) && entries > 32768) {
    reasons.push(`entries is ${entries}; the kernel's limit is 32768`);
  }
  if (flags & IORING_SETUP_CQSIZE) {
    reasons.push(
      `cqEntries is ${cqEntries}; it must be at least entries, at most 65536`,
    );
  }
  if (flags & IORING_SETUP_SQ_AFF) {
    reasons.push(
      `sqThreadCpu is ${request.sqThreadCpu}; that CPU must be online`,
    );
  }
  if (flags & IORING_SETUP_ATTACH_WQ) {
    reasons.push("attachTo must be a ring, with SQPOLL if this one has it");
  }
  const newest = newestSetupFlag(flags);
  // Older ones every kernel that this library runs on has.
  if (newest !== undefined && newest.flag > IORING_SETUP_R_DISABLED) {
    reasons.push(`${newest.name} needs Linux ${newest.since}`);
  }
  return reasons.length === 0
    ? "The kernel does not take these flags together."
    : `It may be that ${reasons.join("; or that ")}.`;
}
