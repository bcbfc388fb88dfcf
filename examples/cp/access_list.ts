/**
 * Access control lists, see acl(5), as far as a copy has to know of them.
 *
 * @module
 */

import { attributeNames } from "../../ffi/inode.ts";
import { fsetxattr } from "../../ops/xattr.ts";
import type { Session } from "./session.ts";

/** The attribute that has a file's access control list. */
export const ACCESS = "system.posix_acl_access";
/** The attribute that has the list that new files in a directory begin with. */
export const DEFAULT = "system.posix_acl_default";

const VERSION = 2;
const HEADER = 4;
const ENTRY = 8;
/** ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER, and where a mode has what they may do. */
const ENTRIES = [[1, 6], [4, 3], [0x20, 0]] as const;
/** ACL_UNDEFINED_ID */
const NOBODY = 0xffff_ffff;

/**
 * Takes away the access control list that a new file got from its directory. There is no op to
 * remove an attribute; but a list that says no more than a mode does is none.
 */
export async function dropList(
  { uring }: Session,
  fd: number,
  mode: number,
): Promise<void> {
  if (!attributeNames(fd).includes(ACCESS)) return;
  await uring.submit(fsetxattr(fd, ACCESS, listOf(mode)));
}

/** The access control list that says what a mode does. */
function listOf(mode: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(
    new ArrayBuffer(HEADER + ENTRIES.length * ENTRY),
  );
  view.setUint32(0, VERSION, true);
  ENTRIES.forEach(([tag, shift], i) => {
    const at = HEADER + i * ENTRY;
    view.setUint16(at, tag, true);
    view.setUint16(at + 2, mode >> shift & 0o7, true);
    view.setUint32(at + 4, NOBODY, true);
  });
  return new Uint8Array(view.buffer);
}
