/**
 * What builders are given, checked: paths, buffers, offsets, flags. Each check names the op
 * and the argument, and nothing wrong gets as far as the kernel.
 *
 * @module
 */

import { type Block, takeBlock } from "../ffi/block.ts";
import { check64, checkInteger, notInteger, show } from "../ffi/check.ts";
import { checkView, type View } from "../ffi/memory.ts";

/** The most that one read or write moves: `MAX_RW_COUNT`, 2 GiB - 4 KiB. */
export const MAX_TRANSFER = 0x7fff_f000;

/** A path, as text or as the bytes of a name that is no UTF-8. */
export type Path = string | URL | Uint8Array;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A path as text, for errors. */
export function pathText(path: Path): string {
  if (typeof path === "string") return path;
  return path instanceof URL ? filePath(path) : decoder.decode(path);
}

function filePath(url: URL): string {
  if (url.protocol !== "file:") {
    throw new TypeError(
      `A path as a URL must be a file: URL; got ${url.href}.`,
    );
  }
  return decodeURIComponent(
    url.pathname.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"),
  );
}

/**
 * Checks a path.
 *
 * @throws {TypeError} if it is no path, or has a NUL, at which the kernel would cut it.
 */
export function checkPath(what: string, path: Path): string | Uint8Array {
  const plain = path instanceof URL ? filePath(path) : path;
  if (typeof plain === "string") {
    if (plain.includes("\0")) throw new TypeError(`${what} contains a NUL.`);
    return plain;
  }
  if (!(plain instanceof Uint8Array)) {
    throw new TypeError(
      `${what} must be a string, a file: URL or a Uint8Array; got ${
        show(path)
      }.`,
    );
  }
  if (plain.includes(0)) throw new TypeError(`${what} contains a NUL.`);
  return plain.slice();
}

/** How many bytes a text or bytes need at most as a C string. */
export function cStringSize(text: string | Uint8Array): number {
  return (typeof text === "string" ? 3 * text.length : text.length) + 1;
}

/** Writes a C string into memory; returns its length with the NUL. */
export function writeCString(
  bytes: Uint8Array<ArrayBuffer>,
  text: string | Uint8Array,
): number {
  let written = text.length;
  if (typeof text === "string") {
    written = encoder.encodeInto(text, bytes).written;
  } else {
    bytes.set(text);
  }
  bytes[written] = 0;
  return written + 1;
}

/** A block with a C string in it, as the kernel wants paths. */
export function cString(text: string | Uint8Array): Block {
  const block = takeBlock(cStringSize(text));
  writeCString(block.bytes, text);
  return block;
}

/** A block with two C strings in it, and the address of the second. */
export function cStrings(
  first: string | Uint8Array,
  second: string | Uint8Array,
): [block: Block, second: number] {
  const block = takeBlock(cStringSize(first) + cStringSize(second));
  const length = writeCString(block.bytes, first);
  writeCString(block.bytes.subarray(length), second);
  return [block, block.address + length];
}

/** Checks a buffer; see {@linkcode checkView}. */
export function checkBuffer(what: string, buffer: View): View {
  checkView(what, buffer);
  return buffer;
}

/**
 * Notices a buffer that was transferred away while the kernel used it.
 *
 * @throws {TypeError} if the view no longer has the length it had.
 */
export function checkIntact(
  op: string,
  buffer: View,
  byteLength: number,
): void {
  if (buffer.byteLength !== byteLength) {
    throw new TypeError(
      `${op}: the buffer was transferred away while the kernel used it; what was read ` +
        "or written cannot be told. Wait for the op before transferring its buffer.",
    );
  }
}

/** Checks a file offset: -1 is the file's own position. */
export function checkOffset(
  what: string,
  offset: number | bigint,
): number | bigint {
  if (typeof offset === "number") {
    if (Number.isSafeInteger(offset) && offset >= -1) return offset;
  } else if (typeof offset === "bigint") {
    if (offset >= -1n && offset < 1n << 63n) return offset;
  }
  const message =
    `${what} must be an integer from 0 to 2^63 - 1, or -1 for the ` +
    `file's position; beyond 2^53 - 1 pass a bigint; got ${show(offset)}.`;
  throw typeof offset === "number" || typeof offset === "bigint"
    ? new RangeError(message)
    : new TypeError(message);
}

/** Checks a length or another 64-bit count from 0 on, or from `least`. */
export function checkLength(
  what: string,
  length: number | bigint,
  least = 0,
): number | bigint {
  check64(what, length);
  if (length < least || length >= 1n << 63n) {
    throw new RangeError(
      `${what} must be an integer from ${least} to 2^63 - 1; got ${length}.`,
    );
  }
  return length;
}

/** Checks flags of 32 bits. */
export function checkFlags(what: string, flags: number): number {
  if ((flags | 0) !== flags && (flags >>> 0) !== flags) {
    throw notInteger(what, flags, 0, 0xffff_ffff);
  }
  return flags;
}

/** Checks an unsigned integer of 32 bits, or of less. */
export function checkUnsigned(
  what: string,
  value: number,
  most = 0xffff_ffff,
): number {
  return checkInteger(what, value, 0, most);
}

/**
 * Checks a 32-bit integer, signed or unsigned, and returns it unsigned: for a C `int` that
 * stands in an unsigned field.
 */
export function checkWord(what: string, value: number): number {
  if ((value | 0) !== value && (value >>> 0) !== value) {
    throw notInteger(what, value, -0x8000_0000, 0xffff_ffff);
  }
  return value >>> 0;
}
