/**
 * Reads and writes with several buffers at once.
 *
 * @module
 */

import {
  IORING_OP_READV,
  IORING_OP_READV_FIXED,
  IORING_OP_WRITEV,
  IORING_OP_WRITEV_FIXED,
} from "../ffi/abi.ts";
import { takeBlock } from "../ffi/block.ts";
import { show } from "../ffi/check.ts";
import { iovec } from "../ffi/layout.ts";
import { UIO_MAXIOV } from "../ffi/linux.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import { writeIovec } from "../ffi/structs/iovec.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkBuffer, checkIntact } from "./arguments.ts";
import {
  type Cached,
  type CachedOptions,
  type CachedRead,
  cachedRead,
} from "./cached.ts";
import type { Fd } from "./fd.ts";
import { Op } from "./op.ts";
import {
  encodeTransfer,
  type Kind,
  kind,
  type ReadWriteOptions,
  transferHint,
  transferOf,
} from "./transfer.ts";

/**
 * Queues a read into `nr_vecs` buffers, `iovecs` being the address of their
 * `struct iovec`s. `io_uring_prep_readv(3)`, since 5.1.
 */
export function prepReadv(
  sqe: Sqe,
  fd: number,
  iovecs: number | bigint,
  nrVecs: number,
  offset: number | bigint,
): void {
  sqe.prep(IORING_OP_READV, fd, iovecs, nrVecs, offset);
}

/**
 * Queues a write from `nr_vecs` buffers, `iovecs` being the address of their
 * `struct iovec`s. `io_uring_prep_writev(3)`, since 5.1.
 */
export function prepWritev(
  sqe: Sqe,
  fd: number,
  iovecs: number | bigint,
  nrVecs: number,
  offset: number | bigint,
): void {
  sqe.prep(IORING_OP_WRITEV, fd, iovecs, nrVecs, offset);
}

/** Queues {@linkcode prepReadv} with `RWF_*` flags. `io_uring_prep_readv2(3)`, since 5.1. */
export function prepReadv2(
  sqe: Sqe,
  fd: number,
  iovecs: number | bigint,
  nrVecs: number,
  offset: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_READV, fd, iovecs, nrVecs, offset);
}

/** Queues {@linkcode prepWritev} with `RWF_*` flags. `io_uring_prep_writev2(3)`, since 5.1. */
export function prepWritev2(
  sqe: Sqe,
  fd: number,
  iovecs: number | bigint,
  nrVecs: number,
  offset: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_WRITEV, fd, iovecs, nrVecs, offset);
}

/**
 * Queues a read into several parts of the registered buffer `buf_index`.
 * `io_uring_prep_readv_fixed(3)`, since 6.15.
 */
export function prepReadvFixed(
  sqe: Sqe,
  fd: number,
  iovecs: number | bigint,
  nrVecs: number,
  offset: number | bigint,
  flags: number,
  bufIndex: number,
): void {
  sqe.opFlags = flags;
  sqe.bufIndex = bufIndex;
  sqe.prep(IORING_OP_READV_FIXED, fd, iovecs, nrVecs, offset);
}

/**
 * Queues a write from several parts of the registered buffer `buf_index`.
 * `io_uring_prep_writev_fixed(3)`, since 6.15.
 */
export function prepWritevFixed(
  sqe: Sqe,
  fd: number,
  iovecs: number | bigint,
  nrVecs: number,
  offset: number | bigint,
  flags: number,
  bufIndex: number,
): void {
  sqe.opFlags = flags;
  sqe.bufIndex = bufIndex;
  sqe.prep(IORING_OP_WRITEV_FIXED, fd, iovecs, nrVecs, offset);
}

const READV = kind("readv", IORING_OP_READV, false);
const WRITEV = kind("writev", IORING_OP_WRITEV, false);
const READV_FIXED = kind("readvFixed", IORING_OP_READV_FIXED, true);
const WRITEV_FIXED = kind("writevFixed", IORING_OP_WRITEV_FIXED, true);

/**
 * Reads into several buffers, filling one after the other, as preadv2(2).
 *
 * Gives the number of bytes read in all; 0 at the end of the file.
 *
 * Since kernel 5.1; see io_uring_prep_readv2(3).
 *
 * @param fd what to read from.
 * @param buffers where to, at most 1024 of them.
 * @throws {TypeError} if an argument has the wrong type, or a buffer cannot be used.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { readv, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, "head, body");
 * const fd = openSync(path, "r");
 * const [head, body] = [new Uint8Array(6), new Uint8Array(10)];
 * assertEquals(run(ring, readv(fd, [head, body])), 10);
 * assertEquals(new TextDecoder().decode(body.subarray(0, 4)), "body");
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function readv(
  fd: Fd,
  buffers: readonly View[],
  options?: ReadWriteOptions & { cached?: undefined },
): Op<number>;
/** Reads from the page cache alone: null if the data is not there. */
export function readv(
  fd: Fd,
  buffers: readonly View[],
  options: CachedOptions<"only">,
): Op<number | null>;
/** Reads, and says whether the page cache had the data. */
export function readv(
  fd: Fd,
  buffers: readonly View[],
  options: CachedOptions<"report">,
): Op<CachedRead>;
export function readv(
  fd: Fd,
  buffers: readonly View[],
  options: ReadOptions = {},
): Op<number> | Op<number | null> | Op<CachedRead> {
  return readMany(READV, fd, buffers, options, 0);
}

/**
 * Writes several buffers one after the other, as pwritev2(2).
 *
 * Gives the number of bytes written in all.
 *
 * Since kernel 5.1; see io_uring_prep_writev2(3).
 *
 * @param fd what to write to.
 * @param buffers what to write, at most 1024 of them.
 * @throws {TypeError} if an argument has the wrong type, or a buffer cannot be used.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { run, writev } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "w");
 * const lines = ["one\n", "two\n"].map((line) => new TextEncoder().encode(line));
 * assertEquals(run(ring, writev(fd, lines)), 8);
 * closeSync(fd);
 * assertEquals(Deno.readTextFileSync(path), "one\ntwo\n");
 * Deno.removeSync(path);
 * ```
 */
export function writev(
  fd: Fd,
  buffers: readonly View[],
  options: ReadWriteOptions = {},
): Op<number> {
  return moveMany(WRITEV, fd, buffers, options, 0);
}

/**
 * Reads into several parts of a buffer that was registered with the ring.
 *
 * Gives the number of bytes read in all; 0 at the end of the file. EFAULT: no buffer is
 * registered at the index, or a part does not lie within it.
 *
 * Since kernel 6.15; see io_uring_prep_readv_fixed(3).
 *
 * @param fd what to read from.
 * @param buffers where to: views of parts of the registered buffer, at most 1024 of them.
 * @param bufIndex the index of the registered buffer.
 * @throws {TypeError} if an argument has the wrong type, or a buffer cannot be used.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { readvFixed } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = new Uint8Array(4096); // registered at 0
 * const parts = [buffer.subarray(0, 512), buffer.subarray(1024)];
 * assertEquals(readvFixed(5, parts, 0).name, "readv_fixed");
 * ```
 */
export function readvFixed(
  fd: Fd,
  buffers: readonly View[],
  bufIndex: number,
  options?: ReadWriteOptions & { cached?: undefined },
): Op<number>;
/** Reads from the page cache alone: null if the data is not there. */
export function readvFixed(
  fd: Fd,
  buffers: readonly View[],
  bufIndex: number,
  options: CachedOptions<"only">,
): Op<number | null>;
/** Reads, and says whether the page cache had the data. */
export function readvFixed(
  fd: Fd,
  buffers: readonly View[],
  bufIndex: number,
  options: CachedOptions<"report">,
): Op<CachedRead>;
export function readvFixed(
  fd: Fd,
  buffers: readonly View[],
  bufIndex: number,
  options: ReadOptions = {},
): Op<number> | Op<number | null> | Op<CachedRead> {
  return readMany(READV_FIXED, fd, buffers, options, bufIndex);
}

/**
 * Writes several parts of a buffer that was registered with the ring.
 *
 * Gives the number of bytes written in all. EFAULT: no buffer is registered at the index, or
 * a part does not lie within it.
 *
 * Since kernel 6.15; see io_uring_prep_writev_fixed(3).
 *
 * @param fd what to write to.
 * @param buffers what to write: views of parts of the registered buffer, at most 1024 of them.
 * @param bufIndex the index of the registered buffer.
 * @throws {TypeError} if an argument has the wrong type, or a buffer cannot be used.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { writevFixed } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = new Uint8Array(4096); // registered at 0
 * const parts = [buffer.subarray(0, 512), buffer.subarray(1024)];
 * assertEquals(writevFixed(5, parts, 0).name, "writev_fixed");
 * ```
 */
export function writevFixed(
  fd: Fd,
  buffers: readonly View[],
  bufIndex: number,
  options: ReadWriteOptions = {},
): Op<number> {
  return moveMany(WRITEV_FIXED, fd, buffers, options, bufIndex);
}

/** Checks a list of buffers, and returns a copy that nobody else changes. */
export function checkBuffers(
  what: string,
  buffers: readonly View[],
): readonly View[] {
  if (!Array.isArray(buffers)) {
    throw new TypeError(
      `${what} must be an array of typed arrays; got ${show(buffers)}.`,
    );
  }
  if (buffers.length > UIO_MAXIOV) {
    throw new RangeError(
      `${what} must be at most ${UIO_MAXIOV} buffers; got ${buffers.length}.`,
    );
  }
  return buffers.map((buffer, i) => checkBuffer(`${what}[${i}]`, buffer));
}

/** Writes one `struct iovec` for each buffer. */
export function writeIovecs(
  view: DataView,
  byteOffset: number,
  buffers: readonly View[],
): void {
  buffers.forEach((buffer, i) =>
    writeIovec(
      view,
      byteOffset + i * iovec.size,
      addressOf(buffer),
      buffer.byteLength,
    )
  );
}

type ReadOptions = ReadWriteOptions & { cached?: Cached | undefined };

function readMany(
  kind: Kind,
  fd: Fd,
  buffers: readonly View[],
  options: ReadOptions,
  bufIndex: number,
): Op<number> | Op<number | null> | Op<CachedRead> {
  const { cached } = options;
  if (cached === undefined) {
    return moveMany(kind, fd, buffers, options, bufIndex);
  }
  return cachedRead(
    kind,
    { ...options, cached },
    (flags) => moveMany(kind, fd, buffers, { ...options, flags }, bufIndex),
  );
}

function moveMany(
  kind: Kind,
  fd: Fd,
  buffers: readonly View[],
  options: ReadWriteOptions,
  bufIndex: number,
): Op<number> {
  const transfer = transferOf(kind, fd, options, bufIndex);
  const views = checkBuffers(`${kind.builder}: buffers`, buffers);
  const lengths = views.map((view) => view.byteLength);
  return Op.of({
    opcode: kind.opcode,
    name: kind.name,
    encode: (sqe) => {
      const block = takeBlock(Math.max(1, views.length * iovec.size));
      try {
        writeIovecs(block.view, 0, views);
      } catch (error) {
        block.release();
        throw error;
      }
      block.keep = views;
      encodeTransfer(sqe, transfer, block.address, views.length);
      return block;
    },
    decode: ({ res }) => {
      views.forEach((view, i) =>
        checkIntact(kind.name, view, lengths[i] as number)
      );
      return res;
    },
    hint: (errno) => transferHint(transfer, errno),
  });
}
