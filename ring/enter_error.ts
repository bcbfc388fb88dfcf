/**
 * What io_uring_enter(2) and io_uring_register(2) answer, and what to do about an errno.
 *
 * @module
 */

import { errnoName } from "../ffi/errno.ts";
import { EAGAIN, EBUSY, EINTR, ETIME } from "../ffi/linux.ts";

const hints: Readonly<Record<string, string>> = {
  EBADFD:
    "The ring is disabled (IORING_SETUP_R_DISABLED): call ring.enable(); or enabled " +
    "already, where only a disabled one will do.",
  EEXIST:
    "The ring belongs to the thread that made it (IORING_SETUP_SINGLE_ISSUER), or what is " +
    "to be registered is registered already.",
  EBADR:
    "The kernel had no memory for completions and dropped some: keep fewer in flight.",
  EOWNERDEAD: "The kernel's SQPOLL thread is gone.",
  EACCES: "The ring's restrictions do not allow it.",
  ENXIO: "The ring is being torn down, or nothing of the kind is registered.",
};

/** What EBADF means where {@linkcode Ring.needsFixedFiles}. */
export const FIXED_FILES_HINT =
  "Before Linux 5.11 an SQPOLL ring takes registered files only: ring.files.register([fd]), " +
  "then fixedFile(index).";

/** A sentence for errnos that mean something particular to a ring. */
export function enterHint(errno: number): string | undefined {
  return hints[errnoName(errno)];
}

/**
 * Whether an answer of io_uring_enter(2) is one to go on after: by then things may have changed,
 * and whoever looks next enters again if need be.
 */
export function passes(answer: number): boolean {
  return answer >= 0 || answer === -ETIME || answer === -EINTR ||
    answer === -EAGAIN || answer === -EBUSY;
}
