/**
 * Reads and writes with one buffer: the caller's, a registered one, or provided ones.
 *
 * @module
 */

import {
  IORING_OP_READ,
  IORING_OP_READ_FIXED,
  IORING_OP_READ_MULTISHOT,
  IORING_OP_WRITE,
  IORING_OP_WRITE_FIXED,
  IOSQE_BUFFER_SELECT,
} from "../ffi/abi.ts";
import { EBADFD } from "../ffi/linux.ts";
import {
  addressOfChecked,
  checkView,
  type Region,
  type View,
} from "../ffi/memory.ts";
import type { Sqe } from "../ring/sqe.ts";
import {
  checkFlags,
  checkIntact,
  checkUnsigned,
  MAX_TRANSFER,
} from "./arguments.ts";
import {
  type Cached,
  type CachedOptions,
  type CachedRead,
  cachedRead,
} from "./cached.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { type Completion, Op } from "./op.ts";
import {
  checkGroup,
  groupHint,
  type Received,
  received,
  selectBuffer,
  selectedLength,
  selectsBuffer,
} from "./provided.ts";
import {
  checkTransfer,
  encodeTransfer,
  type Kind,
  kind,
  type ReadWriteOptions,
  type Transfer,
  transferHint,
  transferOf,
} from "./transfer.ts";

/**
 * Writes the five fields that almost every op has. `io_uring_prep_rw`, which liburing exports
 * and no man page describes.
 *
 * @throws {RangeError} if the opcode needs more than 8 bits, which C would cut off.
 */
export function prepRw(
  sqe: Sqe,
  op: number,
  fd: number,
  addr: number | bigint,
  len: number,
  offset: number | bigint,
): void {
  sqe.prep(checkUnsigned("prepRw: op", op, 0xff), fd, addr, len, offset);
}

/** Queues a read. `io_uring_prep_read(3)`, since 5.6. */
export function prepRead(
  sqe: Sqe,
  fd: number,
  buf: number | bigint,
  nbytes: number,
  offset: number | bigint,
): void {
  sqe.prep(IORING_OP_READ, fd, buf, nbytes, offset);
}

/** Queues a write. `io_uring_prep_write(3)`, since 5.6. */
export function prepWrite(
  sqe: Sqe,
  fd: number,
  buf: number | bigint,
  nbytes: number,
  offset: number | bigint,
): void {
  sqe.prep(IORING_OP_WRITE, fd, buf, nbytes, offset);
}

/**
 * Queues a read into a part of the registered buffer `buf_index`.
 * `io_uring_prep_read_fixed(3)`, since 5.1.
 */
export function prepReadFixed(
  sqe: Sqe,
  fd: number,
  buf: number | bigint,
  nbytes: number,
  offset: number | bigint,
  bufIndex: number,
): void {
  sqe.bufIndex = bufIndex;
  sqe.prep(IORING_OP_READ_FIXED, fd, buf, nbytes, offset);
}

/**
 * Queues a write from a part of the registered buffer `buf_index`.
 * `io_uring_prep_write_fixed(3)`, since 5.1.
 */
export function prepWriteFixed(
  sqe: Sqe,
  fd: number,
  buf: number | bigint,
  nbytes: number,
  offset: number | bigint,
  bufIndex: number,
): void {
  sqe.bufIndex = bufIndex;
  sqe.prep(IORING_OP_WRITE_FIXED, fd, buf, nbytes, offset);
}

/**
 * Queues reads into the provided buffers of group `buf_group`, one whenever there is
 * something to read. The entry's other flags are cleared. `io_uring_prep_read_multishot(3)`,
 * since 6.7.
 */
export function prepReadMultishot(
  sqe: Sqe,
  fd: number,
  nbytes: number,
  offset: number | bigint,
  bufGroup: number,
): void {
  sqe.bufIndex = bufGroup;
  sqe.flags = IOSQE_BUFFER_SELECT;
  sqe.prep(IORING_OP_READ_MULTISHOT, fd, 0, nbytes, offset);
}

// The same number on x86-64 and aarch64.

const READ = kind("read", IORING_OP_READ, false);
const WRITE = kind("write", IORING_OP_WRITE, false);
const READ_FIXED = kind("readFixed", IORING_OP_READ_FIXED, true);
const WRITE_FIXED = kind("writeFixed", IORING_OP_WRITE_FIXED, true);

/** Options of {@linkcode read} with provided buffers. */
export interface ReadSelectOptions extends ReadWriteOptions {
  /** The group of provided buffers, from 0 to 65535, that the kernel takes one from. */
  bufferGroup: number;
  /** How many bytes at most. Default: 0, as many as the buffer holds (since kernel 5.19). */
  length?: number;
}

/**
 * Reads into a buffer, as pread(2): at most as many bytes as it has, and at most 2 GiB - 4 KiB.
 *
 * Gives the number of bytes read, which may be fewer than asked for; 0 at the end of the file.
 * EAGAIN: with `RWF_NOWAIT`, the data is not in memory.
 *
 * The buffer belongs to the kernel until the op is done: do not transfer it, and expect to
 * see it change.
 *
 * Since kernel 5.6; see io_uring_prep_read(3).
 *
 * @param fd what to read from.
 * @param buffer where to, any view over a buffer of fixed length.
 * @throws {TypeError} if an argument has the wrong type, or the buffer cannot be used.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { read, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const fd = openSync("/proc/self/comm", "r");
 * const buffer = new Uint8Array(64);
 * const n = run(ring, read(fd, buffer, { offset: 0 }));
 * assertEquals(buffer[n - 1], 10); // the line's end
 * closeSync(fd);
 * ```
 */
export function read(
  fd: Fd,
  buffer: View,
  options?: ReadWriteOptions & { cached?: undefined },
): Op<number>;
/**
 * Reads from the page cache alone: null if the data is not there. Since kernel 5.1 for most
 * file systems.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { read, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, "just written, so cached");
 * const fd = openSync(path, "r");
 * const buffer = new Uint8Array(4);
 * const options = { offset: 0, cached: "only" } as const;
 * const count = run(ring, read(fd, buffer, options)); // null: not in the page cache
 * assertEquals(count, 4);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function read(
  fd: Fd,
  buffer: View,
  options: CachedOptions<"only">,
): Op<number | null>;
/**
 * Reads, and says whether the page cache had the data.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Uring } from "@uring/uring";
 * import { read } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * await using uring = new Uring();
 * const path = Deno.makeTempFileSync();
 * Deno.writeTextFileSync(path, "just written, so cached");
 * const fd = openSync(path, "r");
 * const buffer = new Uint8Array(4);
 * const options = { offset: 0, cached: "report" } as const;
 * const { bytes, hit } = await uring.submit(read(fd, buffer, options));
 * assertEquals([bytes, hit], [4, true]);
 * closeSync(fd);
 * Deno.removeSync(path);
 * ```
 */
export function read(
  fd: Fd,
  buffer: View,
  options: CachedOptions<"report">,
): Op<CachedRead>;
/**
 * Reads into a provided buffer of the kernel's choice, which is taken only when there is
 * something to read. Since kernel 5.7.
 *
 * Gives how many bytes were read, and which buffer has them. ENOBUFS: the group is empty.
 */
export function read(fd: Fd, options: ReadSelectOptions): Op<Received>;
export function read(
  fd: Fd,
  target: View | ReadSelectOptions,
  options: ReadOptions = {},
): Op<number> | Op<number | null> | Op<CachedRead> | Op<Received> {
  return selectsBuffer<ReadSelectOptions>(target)
    ? readSelected(fd, target)
    : readOne(READ, fd, target, options, 0);
}

/**
 * Writes a buffer, as pwrite(2): at most 2 GiB - 4 KiB of it.
 *
 * Gives the number of bytes written, which may be fewer than the buffer has. ENOSPC: the disk
 * is full. EPIPE: nobody reads the pipe any more.
 *
 * Since kernel 5.6; see io_uring_prep_write(3).
 *
 * @param fd what to write to.
 * @param buffer what to write, any view over a buffer of fixed length.
 * @throws {TypeError} if an argument has the wrong type, or the buffer cannot be used.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { Ring } from "@uring/uring/ring";
 * import { run, write } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * const path = Deno.makeTempFileSync();
 * const fd = openSync(path, "w");
 * assertEquals(run(ring, write(fd, new TextEncoder().encode("hello"))), 5);
 * closeSync(fd);
 * assertEquals(Deno.readTextFileSync(path), "hello");
 * Deno.removeSync(path);
 * ```
 */
export function write(
  fd: Fd,
  buffer: View,
  options: ReadWriteOptions = {},
): Op<number> {
  return moveOne(WRITE, fd, buffer, options, 0);
}

/**
 * Reads into a part of a buffer that was registered with the ring, which saves the kernel
 * from pinning the memory each time.
 *
 * Gives the number of bytes read; 0 at the end of the file. EFAULT: no buffer is registered
 * at the index, or `buffer` does not lie within it.
 *
 * Since kernel 5.1; see io_uring_prep_read_fixed(3).
 *
 * @param fd what to read from.
 * @param buffer where to: the registered buffer, or a view of a part of it.
 * @param bufIndex the index of the registered buffer.
 * @throws {TypeError} if an argument has the wrong type, or the buffer cannot be used.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { readFixed } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = new Uint8Array(4096); // registered at 0
 * assertEquals(readFixed(5, buffer.subarray(0, 512), 0).name, "read_fixed");
 * ```
 */
export function readFixed(
  fd: Fd,
  buffer: View,
  bufIndex: number,
  options?: ReadWriteOptions & { cached?: undefined },
): Op<number>;
/** Reads from the page cache alone: null if the data is not there. */
export function readFixed(
  fd: Fd,
  buffer: View,
  bufIndex: number,
  options: CachedOptions<"only">,
): Op<number | null>;
/** Reads, and says whether the page cache had the data. */
export function readFixed(
  fd: Fd,
  buffer: View,
  bufIndex: number,
  options: CachedOptions<"report">,
): Op<CachedRead>;
export function readFixed(
  fd: Fd,
  buffer: View,
  bufIndex: number,
  options: ReadOptions = {},
): Op<number> | Op<number | null> | Op<CachedRead> {
  return readOne(READ_FIXED, fd, buffer, options, bufIndex);
}

/**
 * Writes a part of a buffer that was registered with the ring, which saves the kernel from
 * pinning the memory each time.
 *
 * Gives the number of bytes written. EFAULT: no buffer is registered at the index, or
 * `buffer` does not lie within it.
 *
 * Since kernel 5.1; see io_uring_prep_write_fixed(3).
 *
 * @param fd what to write to.
 * @param buffer what to write: the registered buffer, or a view of a part of it.
 * @param bufIndex the index of the registered buffer.
 * @throws {TypeError} if an argument has the wrong type, or the buffer cannot be used.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { writeFixed } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const buffer = new Uint8Array(4096); // registered at 0
 * assertEquals(writeFixed(5, buffer.subarray(0, 512), 0).name, "write_fixed");
 * ```
 */
export function writeFixed(
  fd: Fd,
  buffer: View,
  bufIndex: number,
  options: ReadWriteOptions = {},
): Op<number> {
  return moveOne(WRITE_FIXED, fd, buffer, options, bufIndex);
}

/** Options of {@linkcode readMultishot}. */
export interface ReadMultishotOptions {
  /** The group of provided buffers, from 0 to 65535, that the kernel takes them from. */
  bufferGroup: number;
  /** `RWF_*`, see preadv2(2). Default: 0. */
  flags?: number;
}

/**
 * Reads again and again, whenever there is something to read, each time into a provided
 * buffer of the kernel's choice. For pipes, terminals and others that can be polled.
 *
 * Each completion gives how many bytes went to which buffer. The op ends at the end of the
 * input (length 0), with an error, and when it is cancelled: the last completion has `more`
 * false. ENOBUFS: the group has no buffer left. EBADFD: a regular file, which cannot be
 * polled. Files whose driver cannot read without waiting, such as those of inotify, must be
 * opened with `O_NONBLOCK`: of others nothing ever comes.
 *
 * Since kernel 6.7; see io_uring_prep_read_multishot(3).
 *
 * @param fd what to read from.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { readMultishot } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * const op = readMultishot(0, { bufferGroup: 7 }); // standard input
 * assert(op.multishot);
 * ```
 */
export function readMultishot(
  fd: Fd,
  { bufferGroup, flags = 0 }: ReadMultishotOptions,
): Op<Received> {
  checkFd("readMultishot: fd", fd);
  checkGroup("readMultishot: bufferGroup", bufferGroup);
  checkFlags("readMultishot: flags", flags);
  return Op.of({
    opcode: IORING_OP_READ_MULTISHOT,
    name: "read_multishot",
    multishot: true,
    encode: (sqe) => {
      // The kernel refuses a length: each read is as long as its buffer.
      prepReadMultishot(sqe, fdNumber(fd), 0, -1, bufferGroup);
      sqe.opFlags = flags;
      markFixed(sqe, fd);
      return undefined;
    },
    decode: received,
    ends: ({ res }) => res === 0,
    hint: (errno) =>
      errno === EBADFD
        ? "Only files that can be polled, not regular ones, are read like this."
        : groupHint(bufferGroup, errno),
  });
}

function readSelected(fd: Fd, options: ReadSelectOptions): Op<Received> {
  const { bufferGroup, length = 0 } = options;
  const transfer = transferOf(READ, fd, options, 0);
  checkGroup("read: bufferGroup", bufferGroup);
  checkUnsigned("read: length", length, MAX_TRANSFER);
  return Op.of({
    opcode: READ.opcode,
    name: READ.name,
    encode: (sqe) => {
      encodeTransfer(sqe, transfer, 0, selectedLength(length));
      selectBuffer(sqe, bufferGroup);
      return undefined;
    },
    decode: received,
    hint: (errno) =>
      groupHint(bufferGroup, errno) ?? transferHint(transfer, errno),
  });
}

type ReadOptions = ReadWriteOptions & { cached?: Cached | undefined };

function readOne(
  kind: Kind,
  fd: Fd,
  buffer: View,
  options: ReadOptions,
  bufIndex: number,
): Op<number> | Op<number | null> | Op<CachedRead> {
  const { cached } = options;
  if (cached === undefined) return moveOne(kind, fd, buffer, options, bufIndex);
  return cachedRead(
    kind,
    { ...options, cached },
    (flags) => moveOne(kind, fd, buffer, { ...options, flags }, bufIndex),
  );
}

function moveOne(
  kind: Kind,
  fd: Fd,
  buffer: View,
  options: ReadWriteOptions,
  bufIndex: number,
): Op<number> {
  return new TransferOp(kind, fd, buffer, options, bufIndex);
}

/**
 * A read or write with one buffer. A class of its own, where others are composed of closures:
 * programs make millions of these, and one object costs a quarter of what five do.
 */
class TransferOp extends Op<number> implements Transfer {
  declare readonly kind: Kind;
  declare readonly fd: Fd;
  declare readonly offset: number | bigint;
  declare readonly flags: number;
  declare readonly ioprio: number;
  declare readonly bufIndex: number;
  declare private readonly buffer: View;
  declare private readonly region: Region | undefined;
  declare private readonly byteLength: number;

  constructor(
    kind: Kind,
    fd: Fd,
    buffer: View,
    options: ReadWriteOptions,
    bufIndex: number,
  ) {
    super(kind.opcode, kind.name);
    const { offset = -1, flags = 0, ioprio = 0 } = options;
    this.kind = kind;
    this.fd = fd;
    this.offset = offset;
    this.flags = flags;
    this.ioprio = ioprio;
    this.bufIndex = bufIndex;
    checkTransfer(this);
    this.region = checkView(kind.buffer, buffer);
    this.buffer = buffer;
    this.byteLength = buffer.byteLength;
  }

  override encode(sqe: Sqe): View {
    const buffer = this.buffer;
    const byteLength = this.byteLength;
    checkIntact(this.name, buffer, byteLength);
    const length = byteLength <= MAX_TRANSFER ? byteLength : MAX_TRANSFER;
    const address = addressOfChecked(buffer, this.region);
    encodeTransfer(sqe, this, address, length);
    return buffer;
  }

  override decode(completion: Completion): number {
    checkIntact(this.name, this.buffer, this.byteLength);
    return completion.res;
  }

  override hint(errno: number): string | undefined {
    return transferHint(this, errno);
  }
}
