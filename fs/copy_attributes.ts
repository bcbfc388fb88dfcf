/**
 * Extended attributes, copied.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { attributeNames } from "../ffi/inode.ts";
import { fgetxattr, fsetxattr } from "../ops/xattr.ts";
import type { Uring } from "../proactor/uring.ts";

/** `XATTR_SIZE_MAX`. */
const LONGEST = 65536;
/** What the target does not have, or may not be given by whoever runs this. */
const UNWANTED = ["EOPNOTSUPP", "EPERM", "EACCES", "ENODATA", "EINVAL"];

/**
 * Copies the extended attributes of an open file to another. What the target cannot have, or only
 * root may give it, is left out. Needs Linux 5.19.
 */
export async function copyAttributes(
  ring: Uring,
  from: number,
  to: number,
): Promise<void> {
  for (const name of attributeNames(from)) {
    try {
      const value = await ring.submit(fgetxattr(from, name, { size: LONGEST }));
      await ring.submit(fsetxattr(to, name, value));
    } catch (error) {
      if (!isSystemError(error) || !UNWANTED.includes(error.code)) throw error;
    }
  }
}
