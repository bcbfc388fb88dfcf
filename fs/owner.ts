/**
 * Giving files away, which only root may.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { setLinkOwner, setOwner } from "../ffi/inode.ts";

/** Gives an open file to an owner and a group, if that is permitted; tells whether. */
export function attemptOwner(fd: number, uid: number, gid: number): boolean {
  return isPermitted(() => setOwner(fd, uid, gid));
}

/** {@linkcode attemptOwner} for what a path names, a symbolic link itself. */
export function attemptLinkOwner(
  path: string,
  uid: number,
  gid: number,
): boolean {
  return isPermitted(() => setLinkOwner(path, uid, gid));
}

function isPermitted(change: () => void): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (!isSystemError(error) || error.code !== "EPERM") throw error;
    return false;
  }
}
