/**
 * What kind of file is open, where that is quicker told than by statx.
 *
 * @module
 */

import { checkInteger } from "./check.ts";
import { libc } from "./libc.ts";
import { F_GETPIPE_SZ } from "./linux.ts";

/** Whether a descriptor is that of a pipe or a FIFO; false if it is not open. */
export function isPipe(fd: number): boolean {
  checkInteger("isPipe: fd", fd, 0, 0x7fff_ffff);
  return libc().fcntl(fd, F_GETPIPE_SZ, 0) > 0;
}

/** Whether a descriptor is that of a terminal; false if it is not open. */
export function isTerminal(fd: number): boolean {
  checkInteger("isTerminal: fd", fd, 0, 0x7fff_ffff);
  return libc().isatty(fd) === 1;
}
