/**
 * Extended attributes of files, see xattr(7): what Deno has no functions for.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { XATTR_CREATE, XATTR_REPLACE, XATTR_SIZE_MAX } from "../ffi/linux.ts";
import { listAttributes, removeAttribute } from "../ffi/path.ts";
import { show } from "../ffi/check.ts";
import * as ops from "../ops/xattr.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { withPath } from "./failure.ts";
import { allowRead, allowWrite } from "./permission.ts";

/** Options of {@linkcode setXattr}. */
export interface SetXattrOptions extends RingOption {
  /** `"create"`: it must be new; `"replace"`: it must exist. Default: either. */
  only?: "create" | "replace" | undefined;
}

const FLAGS = { create: XATTR_CREATE, replace: XATTR_REPLACE } as const;

/** What almost every value fits in. */
const USUAL_SIZE = 1024;

/**
 * Reads an extended attribute. Symbolic links are followed. Since kernel 5.19.
 *
 * @param path a path or a `file:` URL.
 * @param name the attribute with its namespace: `"user.comment"`.
 * @returns the value's bytes.
 * @throws {UringError} ENODATA: the file has no such attribute. EOPNOTSUPP: the file system has
 * none at all.
 * @throws {Deno.errors.NotFound} if nothing is there.
 *
 * @example
 * ```ts
 * import { getXattr, makeTempFile, remove, setXattr } from "@uring/uring/fs";
 * import { opcodes } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.getxattr.supported()) {
 *   const path = await makeTempFile();
 *   await setXattr(path, "user.colour", "green");
 *   const value = await getXattr(path, "user.colour");
 *   assertEquals(new TextDecoder().decode(value), "green");
 *   await remove(path);
 * }
 * ```
 */
export async function getXattr(
  path: string | URL,
  name: string,
  options?: RingOption,
): Promise<Uint8Array<ArrayBuffer>> {
  const place = pathOf(path, "getxattr");
  allowRead(place, "getXattr");
  const ring = ringOf(options);
  for (let size = USUAL_SIZE;; size = XATTR_SIZE_MAX) {
    try {
      return await ring.submit(ops.getxattr(place, name, { size }));
    } catch (error) {
      const isLonger = isSystemError(error) && error.code === "ERANGE" &&
        size < XATTR_SIZE_MAX;
      if (!isLonger) throw withPath(error, "getxattr", place);
    }
  }
}

/**
 * Sets an extended attribute. Symbolic links are followed. Since kernel 5.19.
 *
 * @param path a path or a `file:` URL.
 * @param name the attribute with its namespace: `"user.comment"`.
 * @param value its bytes, 65536 at most, or a text to be stored as UTF-8.
 * @throws {Deno.errors.AlreadyExists} if `only` is `"create"` and there is one.
 * @throws {UringError} ENODATA if `only` is `"replace"` and there is none. EOPNOTSUPP: the file
 * system has no attributes. ENOSPC: it has no room for the value. E2BIG: the value is too long.
 * @throws {Deno.errors.NotFound} if nothing is there.
 *
 * @example
 * ```ts
 * import { makeTempFile, remove, setXattr } from "@uring/uring/fs";
 * import { opcodes } from "@uring/uring/ops";
 * import { assertRejects } from "@std/assert";
 *
 * if (opcodes.setxattr.supported()) {
 *   const path = await makeTempFile();
 *   const set = () => setXattr(path, "user.once", "only", { only: "create" });
 *   await set();
 *   await assertRejects(set, Deno.errors.AlreadyExists);
 *   await remove(path);
 * }
 * ```
 */
export async function setXattr(
  path: string | URL,
  name: string,
  value: string | Uint8Array,
  options?: SetXattrOptions,
): Promise<void> {
  const place = pathOf(path, "setxattr");
  const only = options?.only;
  if (only !== undefined && FLAGS[only] === undefined) {
    throw new TypeError(
      `setXattr: only must be "create" or "replace"; got ${show(only)}.`,
    );
  }
  allowWrite(place, "setXattr");
  const flags = only === undefined ? 0 : FLAGS[only];
  try {
    await ringOf(options).submit(ops.setxattr(place, name, value, { flags }));
  } catch (error) {
    throw withPath(error, "setxattr", place);
  }
}

/**
 * Removes an extended attribute. Symbolic links are followed. Without the ring: io_uring has no
 * opcode for removexattr(2).
 *
 * @param path a path or a `file:` URL.
 * @param name the attribute with its namespace: `"user.comment"`.
 * @throws {UringError} ENODATA: the file has no such attribute. EOPNOTSUPP: the file system has
 * none at all.
 * @throws {Deno.errors.NotFound} if nothing is there.
 *
 * @example
 * ```ts
 * import { listXattrs, makeTempFile, remove, removeXattr, setXattr } from "@uring/uring/fs";
 * import { opcodes } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * if (opcodes.setxattr.supported()) {
 *   const path = await makeTempFile();
 *   await setXattr(path, "user.colour", "green");
 *   await removeXattr(path, "user.colour");
 *   assert(!(await listXattrs(path)).includes("user.colour"));
 *   await remove(path);
 * }
 * ```
 */
export function removeXattr(
  path: string | URL,
  name: string,
  _options?: RingOption,
): Promise<void> {
  return byPath("removexattr", path, (place) => {
    if (typeof name !== "string") {
      throw new TypeError(
        `removeXattr: name must be a string; got ${show(name)}.`,
      );
    }
    allowWrite(place, "removeXattr");
    removeAttribute(place, name);
  });
}

/**
 * Lists the names of a file's extended attributes, in no order. Symbolic links are followed.
 * Without the ring: io_uring has no opcode for listxattr(2).
 *
 * @param path a path or a `file:` URL.
 * @returns names with their namespaces; none where the file system has no attributes.
 * @throws {Deno.errors.NotFound} if nothing is there.
 *
 * @example
 * ```ts
 * import { listXattrs, makeTempFile, remove, setXattr } from "@uring/uring/fs";
 * import { opcodes } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * if (opcodes.setxattr.supported()) {
 *   const path = await makeTempFile();
 *   await setXattr(path, "user.colour", "green");
 *   assert((await listXattrs(path)).includes("user.colour"));
 *   await remove(path);
 * }
 * ```
 */
export function listXattrs(
  path: string | URL,
  _options?: RingOption,
): Promise<string[]> {
  return byPath("listxattr", path, (place) => {
    allowRead(place, "listXattrs");
    return listAttributes(place);
  });
}

/** Does what needs no ring. */
async function byPath<T>(
  api: string,
  path: string | URL,
  work: (place: string) => T,
): Promise<T> {
  const place = pathOf(path, api);
  try {
    return await Promise.try(work, place);
  } catch (error) {
    throw withPath(error, api, place);
  }
}
