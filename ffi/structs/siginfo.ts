/**
 * `siginfo_t`, as waitid(2) fills it: what became of a child process.
 *
 * @module
 */

import { siginfo_t } from "../layout.ts";

/** What became of a child process: the part of `siginfo_t` that waitid(2) fills. */
export interface ChildStatus {
  /** The child's process id. */
  readonly pid: number;
  /** The child's real user id. */
  readonly uid: number;
  /** The signal that told of it: `SIGCHLD`, 17. */
  readonly signal: number;
  /** The exit status, or the number of the signal that ended, stopped or continued it. */
  readonly status: number;
  /** What happened: `CLD_EXITED`, `CLD_KILLED`, `CLD_DUMPED`, `CLD_STOPPED`, `CLD_CONTINUED`. */
  readonly code: number;
}

/**
 * Reads what waitid(2) wrote to a `siginfo_t` of 128 bytes.
 *
 * @example
 * ```ts
 * import { readSiginfo } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(128));
 * view.setInt32(0, 17, true); // si_signo: SIGCHLD
 * view.setInt32(8, 1, true); // si_code: CLD_EXITED
 * view.setInt32(16, 4711, true); // si_pid
 * view.setInt32(24, 3, true); // si_status
 * assertEquals(readSiginfo(view, 0), { pid: 4711, uid: 0, signal: 17, status: 3, code: 1 });
 * ```
 */
export function readSiginfo(view: DataView, byteOffset: number): ChildStatus {
  const { si_signo, si_code, si_pid, si_uid, si_status } = siginfo_t;
  return {
    pid: view.getInt32(byteOffset + si_pid, true),
    uid: view.getUint32(byteOffset + si_uid, true),
    signal: view.getInt32(byteOffset + si_signo, true),
    status: view.getInt32(byteOffset + si_status, true),
    code: view.getInt32(byteOffset + si_code, true),
  };
}
