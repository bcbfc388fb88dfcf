/**
 * What io_uring has no op for, asked of a path: where its symbolic links lead, and which extended
 * attributes it has.
 *
 * All are system calls on the thread that calls them. They take as long as the way along the path
 * does: a microsecond or two where the kernel has it in memory.
 *
 * @module
 */

import { systemError } from "./errors.ts";
import { attributeNames } from "./inode.ts";
import { errno, errnoView, libc } from "./libc.ts";
import { EILSEQ, EOPNOTSUPP, ERANGE } from "./linux.ts";

/** The longest path, and the NUL at its end. */
const PATH_MAX = 4096;

/** Most files have none, or few names: one call does. XATTR_LIST_MAX is the limit. */
const LIST_SIZES = [1024, 65_536];

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const strict = new TextDecoder("utf-8", { fatal: true });

/**
 * The absolute path, without symbolic links, `.` and `..`, of what a path leads to: realpath(3).
 *
 * @throws {Deno.errors.NotFound} if nothing is there.
 * @throws {UringError} EILSEQ: there is a name in it that is no UTF-8. ENAMETOOLONG: it would be
 * longer than 4095 bytes.
 */
export function resolvePath(path: string): string {
  const place = cString("resolvePath: path", path);
  const resolved = new Uint8Array(PATH_MAX);
  errnoView();
  if (libc().realpath(place, resolved) === null) {
    throw systemError(errno(), "realpath", { path });
  }
  try {
    return strict.decode(resolved.subarray(0, resolved.indexOf(0)));
  } catch {
    throw systemError(EILSEQ, "realpath", { path });
  }
}

/**
 * The names of the extended attributes of what a path leads to: listxattr(2). A file system without
 * attributes has none.
 *
 * @throws {Deno.errors.NotFound} if nothing is there.
 */
export function listAttributes(path: string): string[] {
  const place = cString("listAttributes: path", path);
  let error = 0;
  for (const size of LIST_SIZES) {
    const names = new Uint8Array(size);
    errnoView();
    const length = Number(libc().listxattr(place, names, BigInt(size)));
    if (length >= 0) {
      const text = decoder.decode(names.subarray(0, length));
      return text.split("\0").slice(0, -1);
    }
    error = errno();
    if (error !== ERANGE) break;
  }
  if (error === EOPNOTSUPP) return [];
  throw systemError(error, "listxattr", { path });
}

/**
 * Whether a file has extended attributes: an open one, or what a path leads to. Most have none, and
 * to ask how long the list of them would be takes less time than the list.
 *
 * @throws {SystemError} if that cannot be told.
 */
export function hasAttributes(file: number | string): boolean {
  const { flistxattr, listxattr } = libc();
  const isOpen = typeof file === "number";
  const length = isOpen
    ? flistxattr(file, null, 0n)
    : listxattr(cString("hasAttributes: path", file), null, 0n);
  if (Number(length) === 0) return false;
  return (isOpen ? attributeNames(file) : listAttributes(file)).length > 0;
}

/**
 * Takes an extended attribute off what a path leads to: removexattr(2).
 *
 * @throws {Deno.errors.NotFound} if nothing is there.
 * @throws {UringError} ENODATA: it has no such attribute. EOPNOTSUPP: the file system has none.
 */
export function removeAttribute(path: string, name: string): void {
  const place = cString("removeAttribute: path", path);
  const key = cString("removeAttribute: name", name);
  errnoView();
  if (libc().removexattr(place, key) < 0) {
    throw systemError(errno(), "removexattr", { path });
  }
}

function cString(what: string, text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError(`${what} contains a NUL.`);
  return encoder.encode(text + "\0");
}
