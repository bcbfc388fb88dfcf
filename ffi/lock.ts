/**
 * Locks of whole files, flock(2), which io_uring has no op for. A lock belongs to the opening of a
 * file, and goes with it.
 *
 * @module
 */

import { checkInteger } from "./check.ts";
import { systemError } from "./errors.ts";
import { errno, errnoView, libc } from "./libc.ts";
import { EINTR, EWOULDBLOCK } from "./linux.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

/**
 * Locks an open file, and waits for that, in a thread if need be.
 *
 * @param exclusive whether nobody else may have a lock on it then; otherwise a shared one.
 * @throws {UringError} ENOLCK: the kernel has no memory for it.
 */
export async function lockFile(fd: number, exclusive: boolean): Promise<void> {
  // Why a thread failed only it could ask: whatever it was, one's own try says it again.
  while (!tryLockFile(fd, exclusive)) {
    if (await libc().flock_thread(fd, kind(exclusive)) === 0) return;
  }
}

/** {@linkcode lockFile}, without an event loop. */
export function lockFileNow(fd: number, exclusive: boolean): void {
  flock(fd, kind(exclusive));
}

/** {@linkcode lockFile} if that can be had at once; tells whether. */
export function tryLockFile(fd: number, exclusive: boolean): boolean {
  return flock(fd, kind(exclusive) | LOCK_NB);
}

/** Lets go of the lock, if there is one. */
export function unlockFile(fd: number): void {
  flock(fd, LOCK_UN);
}

function kind(exclusive: boolean): number {
  return exclusive ? LOCK_EX : LOCK_SH;
}

function flock(fd: number, operation: number): boolean {
  checkInteger("flock: fd", fd, 0, 0x7fff_ffff);
  errnoView();
  while (libc().flock(fd, operation) < 0) {
    const error = errno();
    if (error === EWOULDBLOCK) return false;
    if (error !== EINTR) throw systemError(error, "flock");
  }
  return true;
}
