/**
 * Extended attributes of files, see xattr(7).
 *
 * @module
 */

import {
  IORING_OP_FGETXATTR,
  IORING_OP_FSETXATTR,
  IORING_OP_GETXATTR,
  IORING_OP_SETXATTR,
} from "../ffi/abi.ts";
import { type Block, takeBlock } from "../ffi/block.ts";
import { checkInteger, show } from "../ffi/check.ts";
import { errnoName } from "../ffi/errno.ts";
import { XATTR_SIZE_MAX } from "../ffi/linux.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  checkBuffer,
  checkFlags,
  checkPath,
  cStringSize,
  type Path,
  pathText,
  writeCString,
} from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { nothing, Op } from "./op.ts";

/**
 * Queues a getxattr(2) of at most `len` bytes to the address `value`.
 * `io_uring_prep_getxattr(3)`, since 5.19.
 */
export function prepGetxattr(
  sqe: Sqe,
  name: number | bigint,
  value: number | bigint,
  path: number | bigint,
  len: number,
): void {
  sqe.addr3 = path;
  sqe.opFlags = 0;
  sqe.prep(IORING_OP_GETXATTR, 0, name, len, value);
}

/**
 * Queues a setxattr(2) of `len` bytes from the address `value`.
 * `io_uring_prep_setxattr(3)`, since 5.19.
 */
export function prepSetxattr(
  sqe: Sqe,
  name: number | bigint,
  value: number | bigint,
  path: number | bigint,
  flags: number,
  len: number,
): void {
  sqe.addr3 = path;
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_SETXATTR, 0, name, len, value);
}

/**
 * Queues an fgetxattr(2) of at most `len` bytes to the address `value`.
 * `io_uring_prep_fgetxattr(3)`, since 5.19.
 */
export function prepFgetxattr(
  sqe: Sqe,
  fd: number,
  name: number | bigint,
  value: number | bigint,
  len: number,
): void {
  sqe.opFlags = 0;
  sqe.prep(IORING_OP_FGETXATTR, fd, name, len, value);
}

/**
 * Queues an fsetxattr(2) of `len` bytes from the address `value`.
 * `io_uring_prep_fsetxattr(3)`, since 5.19.
 */
export function prepFsetxattr(
  sqe: Sqe,
  fd: number,
  name: number | bigint,
  value: number | bigint,
  flags: number,
  len: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_FSETXATTR, fd, name, len, value);
}

/** Options of {@linkcode getxattr} and {@linkcode fgetxattr}. */
export interface GetxattrOptions {
  /** How many bytes the value may have, from 1 to 65536 (`XATTR_SIZE_MAX`). Default: 4096. */
  size?: number;
}

/** Options of {@linkcode setxattr} and {@linkcode fsetxattr}. */
export interface SetxattrOptions {
  /** `XATTR_CREATE`: it must be new; `XATTR_REPLACE`: it must exist. Default: 0, either. */
  flags?: number;
}

const DEFAULT_SIZE = 4096;

/**
 * Reads an extended attribute of the file with a path, as getxattr(2). Symbolic links are
 * followed.
 *
 * Gives the value's bytes. ENODATA: the file has no such attribute. ERANGE: the value is
 * longer than `size`. EOPNOTSUPP: the file system has no such attributes.
 *
 * Since kernel 5.19; see io_uring_prep_getxattr(3).
 *
 * @param name the attribute with its namespace: "user.comment".
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { getxattr, opcodes, run, setxattr } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.getxattr.supported()) {
 *   using ring = new Ring(4);
 *   const path = Deno.makeTempFileSync();
 *   run(ring, setxattr(path, "user.colour", "green"));
 *   const value = run(ring, getxattr(path, "user.colour"));
 *   assertEquals(new TextDecoder().decode(value), "green");
 *   Deno.removeSync(path);
 * }
 * ```
 */
export function getxattr(
  path: Path,
  name: string | Uint8Array,
  { size = DEFAULT_SIZE }: GetxattrOptions = {},
): Op<Uint8Array<ArrayBuffer>> {
  const place = checkPath("getxattr: path", path);
  const key = checkName("getxattr: name", name);
  checkInteger("getxattr: size", size, 1, XATTR_SIZE_MAX);
  return Op.of({
    opcode: IORING_OP_GETXATTR,
    name: "getxattr",
    path: pathText(path),
    encode: (sqe) => {
      const { block, keyAt, placeAt } = pack(size, key, place);
      prepGetxattr(sqe, keyAt, block.address, placeAt, size);
      return block;
    },
    decode: ({ res }, { bytes }) => bytes.slice(0, res),
    hint: (errno) => getHint(errno, size),
  });
}

/**
 * Reads an extended attribute of an open file, as fgetxattr(2).
 *
 * Gives the value's bytes. Errors are {@linkcode getxattr}'s.
 *
 * Since kernel 5.19; see io_uring_prep_fgetxattr(3).
 *
 * @param name the attribute with its namespace: "user.comment".
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { fgetxattr, fsetxattr, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.fgetxattr.supported()) {
 *   using ring = new Ring(4);
 *   const path = Deno.makeTempFileSync();
 *   const fd = openSync(path, "w");
 *   run(ring, fsetxattr(fd, "user.size", Uint8Array.of(4, 2)));
 *   assertEquals(run(ring, fgetxattr(fd, "user.size")), Uint8Array.of(4, 2));
 *   closeSync(fd);
 *   Deno.removeSync(path);
 * }
 * ```
 */
export function fgetxattr(
  fd: Fd,
  name: string | Uint8Array,
  { size = DEFAULT_SIZE }: GetxattrOptions = {},
): Op<Uint8Array<ArrayBuffer>> {
  checkFd("fgetxattr: fd", fd);
  const key = checkName("fgetxattr: name", name);
  checkInteger("fgetxattr: size", size, 1, XATTR_SIZE_MAX);
  return Op.of({
    opcode: IORING_OP_FGETXATTR,
    name: "fgetxattr",
    encode: (sqe) => {
      const { block, keyAt } = pack(size, key, "");
      prepFgetxattr(sqe, fdNumber(fd), keyAt, block.address, size);
      markFixed(sqe, fd);
      return block;
    },
    decode: ({ res }, { bytes }) => bytes.slice(0, res),
    hint: (errno) => getHint(errno, size),
  });
}

/**
 * Sets an extended attribute of the file with a path, as setxattr(2). Symbolic links are
 * followed.
 *
 * EEXIST, ENODATA: the flags ask for a new one, or for an old one. EOPNOTSUPP: the file system
 * has no such attributes. ENOSPC: it has no room for the value. E2BIG: more than 65536 bytes.
 *
 * Since kernel 5.19; see io_uring_prep_setxattr(3).
 *
 * @param name the attribute with its namespace: "user.comment".
 * @param value its bytes, or a text to be stored as UTF-8; copied at once.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { XATTR_CREATE } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { opcodes, run, setxattr } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * if (opcodes.setxattr.supported()) {
 *   using ring = new Ring(4);
 *   const path = Deno.makeTempFileSync();
 *   const op = setxattr(path, "user.once", "only", { flags: XATTR_CREATE });
 *   run(ring, op);
 *   assertThrows(() => run(ring, op), Deno.errors.AlreadyExists);
 *   Deno.removeSync(path);
 * }
 * ```
 */
export function setxattr(
  path: Path,
  name: string | Uint8Array,
  value: string | Uint8Array,
  { flags = 0 }: SetxattrOptions = {},
): Op<void> {
  const place = checkPath("setxattr: path", path);
  const key = checkName("setxattr: name", name);
  const bytes = checkValue("setxattr: value", value);
  checkFlags("setxattr: flags", flags);
  return Op.of({
    opcode: IORING_OP_SETXATTR,
    name: "setxattr",
    path: pathText(path),
    encode: (sqe) => {
      const { block, keyAt, placeAt } = pack(bytes.length, key, place);
      block.bytes.set(bytes);
      prepSetxattr(sqe, keyAt, block.address, placeAt, flags, bytes.length);
      return block;
    },
    decode: nothing,
  });
}

/**
 * Sets an extended attribute of an open file, as fsetxattr(2).
 *
 * Errors are {@linkcode setxattr}'s.
 *
 * Since kernel 5.19; see io_uring_prep_fsetxattr(3).
 *
 * @param name the attribute with its namespace: "user.comment".
 * @param value its bytes, or a text to be stored as UTF-8; copied at once.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { XATTR_REPLACE } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { fsetxattr, opcodes, run } from "@uring/uring/ops";
 * import { assertThrows } from "@std/assert";
 *
 * if (opcodes.fsetxattr.supported()) {
 *   using ring = new Ring(4);
 *   const path = Deno.makeTempFileSync();
 *   const fd = openSync(path, "w");
 *   const op = fsetxattr(fd, "user.none", "", { flags: XATTR_REPLACE });
 *   assertThrows(() => run(ring, op), Error, "ENODATA");
 *   closeSync(fd);
 *   Deno.removeSync(path);
 * }
 * ```
 */
export function fsetxattr(
  fd: Fd,
  name: string | Uint8Array,
  value: string | Uint8Array,
  { flags = 0 }: SetxattrOptions = {},
): Op<void> {
  checkFd("fsetxattr: fd", fd);
  const key = checkName("fsetxattr: name", name);
  const bytes = checkValue("fsetxattr: value", value);
  checkFlags("fsetxattr: flags", flags);
  return Op.of({
    opcode: IORING_OP_FSETXATTR,
    name: "fsetxattr",
    encode: (sqe) => {
      const { block, keyAt } = pack(bytes.length, key, "");
      block.bytes.set(bytes);
      const { length } = bytes;
      prepFsetxattr(sqe, fdNumber(fd), keyAt, block.address, flags, length);
      markFixed(sqe, fd);
      return block;
    },
    decode: nothing,
  });
}

/** A block with room for the value first, then the attribute's name, then the path. */
function pack(
  size: number,
  key: string | Uint8Array,
  place: string | Uint8Array,
): { block: Block; keyAt: number; placeAt: number } {
  const block = takeBlock(size + cStringSize(key) + cStringSize(place));
  const keyEnd = size + writeCString(block.bytes.subarray(size), key);
  writeCString(block.bytes.subarray(keyEnd), place);
  return {
    block,
    keyAt: block.address + size,
    placeAt: block.address + keyEnd,
  };
}

function checkName(
  what: string,
  name: string | Uint8Array,
): string | Uint8Array {
  if (typeof name !== "string" && !(name instanceof Uint8Array)) {
    throw new TypeError(
      `${what} must be a string or a Uint8Array; got ${show(name)}.`,
    );
  }
  return checkPath(what, name);
}

function checkValue(what: string, value: string | Uint8Array): Uint8Array {
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (value instanceof Uint8Array) {
    checkBuffer(what, value);
    return value.slice();
  }
  throw new TypeError(
    `${what} must be a string or a Uint8Array; got ${show(value)}.`,
  );
}

function getHint(errno: number, size: number): string | undefined {
  return errnoName(errno) === "ERANGE"
    ? `The value has more than ${size} bytes; pass a larger size, ${XATTR_SIZE_MAX} ` +
      "for any value."
    : undefined;
}
