/**
 * The data of one open file, copied to another.
 *
 * @module
 */

import { checkInteger, show } from "../ffi/check.ts";
import { isSystemError } from "../ffi/errors.ts";
import { nextData, setLength } from "../ffi/file.ts";
import { cloneFile } from "../ffi/inode.ts";
import { AT_EMPTY_PATH } from "../ffi/linux.ts";
import { fallocate } from "../ops/file.ts";
import { ringOf, type RingOption } from "./context.ts";
import { LARGEST_BUFFER as BLOCK, lend } from "./copy_buffers.ts";
import type { ReflinkPolicy, SparsePolicy } from "./copy_options.ts";
import { copyWaiting, WAITING_BLOCK } from "./copy_waiting.ts";
import { type FileInfo, fileInfo } from "./stat.ts";
import {
  again,
  NO_POSITION,
  type Place,
  readFull,
  readSome,
  writeFull,
} from "./transfer.ts";

/** What O_DIRECT wants of offsets and lengths, on all devices of today. */
const ALIGNMENT = 4096;
/** The pieces in which zeros become holes: a page of most file systems. */
const PAGE = 4096;
/** What stands against sharing storage without being an error. */
const UNSHARED = [
  "EOPNOTSUPP",
  "ENOTTY",
  "EXDEV",
  "EINVAL",
  "ENOSYS",
  "EPERM",
  "ETXTBSY",
  "EBADF",
];

/** Options of {@linkcode copyData}. */
export interface CopyDataOptions extends RingOption {
  /** Stops the copy when it aborts: what was written stays written. */
  signal?: AbortSignal | undefined;
  /** Blocks in flight, of 1 MiB, or of 256 KiB if this thread `waits`: 1 to 64. Default: 8. */
  queueDepth?: number | undefined;
  /** Holes. Default: `"auto"`. */
  sparse?: SparsePolicy | undefined;
  /** Shared storage. Default: `"auto"`. */
  reflink?: ReflinkPolicy | undefined;
  /** Whether the files were opened with O_DIRECT. Default: false. */
  direct?: boolean | undefined;
  /** What is known of the source already; otherwise it is asked for. */
  info?: FileInfo | undefined;
  /** Whether the target takes bytes at any offset: a regular file. Default: true. */
  seekable?: boolean | undefined;
  /**
   * Whether this thread may copy, and wait, in the kernel, as that of a program does that has nothing
   * else to do: the event loop has its turn 50 times a second. Otherwise a large file is copied by
   * the kernel's workers. Default: false.
   */
  waits?: boolean | undefined;
  /** Called with how many more bytes were copied, those of holes among them. */
  progress?: ((bytes: number) => void) | undefined;
}

/**
 * Copies all data of an open file to another, which must be empty; its length becomes that of
 * the source. Positions do not matter, and do not move.
 *
 * Several blocks are in flight: while one is written, the next is read. The space is reserved
 * first, which takes ext4 a third less time than to find it for each write. A source that grows or
 * shrinks meanwhile is copied as far as it is there.
 *
 * @param from a descriptor, open for reading: of a regular file, or of a pipe or device, which is
 * read to its end.
 * @param to a descriptor, open for writing.
 * @returns how many bytes the copy has.
 * @throws {SystemError} (as a rejection) what a read or write ended with. ENOSPC: the disk is full.
 *
 * @example
 * ```ts
 * import { closeSync, openSync } from "node:fs";
 * import { copyData } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * const from = openSync("/proc/self/comm", "r");
 * const to = openSync(path, "w");
 * const length = await copyData(from, to);
 * closeSync(from);
 * closeSync(to);
 * assertEquals((await Deno.readFile(path)).length, length);
 * await Deno.remove(path);
 * ```
 */
export async function copyData(
  from: number,
  to: number,
  options: CopyDataOptions = {},
): Promise<number> {
  checkInteger("copyData: from", from, 0, 0x7fff_ffff);
  checkInteger("copyData: to", to, 0, 0x7fff_ffff);
  checkData("copyData", options);
  const { signal, reflink = "auto", seekable = true, progress } = options;
  const ring = ringOf(options);
  const info = options.info ??
    await ring.submit(fileInfo("", AT_EMPTY_PATH, from));
  const source: Place = { ring, fd: from, signal };
  const target: Place = { ring, fd: to, signal };
  if (!info.isFile || !seekable) {
    const position = info.isFile ? 0 : NO_POSITION;
    return await copyStream(source, position, target, NO_POSITION, progress);
  }
  if (reflink !== "never" && share(to, from, reflink)) {
    progress?.(info.size);
    return info.size;
  }
  let length = 0;
  if (info.size > 0) length = await copyKnown(source, target, info, options);
  // What has grown meanwhile, and what has no size, as in /proc, is read until nothing comes.
  if (length === info.size && options.direct !== true) {
    length += await copyStream(source, length, target, length, progress);
  }
  setLength(to, length);
  return length;
}

/** Checks what all copies of data are told. */
export function checkData(
  what: string,
  options: Pick<
    CopyDataOptions,
    "signal" | "queueDepth" | "sparse" | "reflink"
  >,
): void {
  const { signal, queueDepth = 8, sparse, reflink } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(
      `${what}: signal must be an AbortSignal; got ${show(signal)}.`,
    );
  }
  checkInteger(`${what}: queueDepth`, queueDepth, 1, 64);
  for (const [name, value] of Object.entries({ sparse, reflink })) {
    if (value === undefined || ["auto", "always", "never"].includes(value)) {
      continue;
    }
    throw new TypeError(
      `${what}: ${name} must be "auto", "always" or "never"; got ${
        show(value)
      }.`,
    );
  }
}

/** Whether the files share their storage now. */
export function share(
  to: number,
  from: number,
  reflink: ReflinkPolicy,
): boolean {
  try {
    cloneFile(to, from);
    return true;
  } catch (error) {
    const unable = isSystemError(error) && UNSHARED.includes(error.code);
    if (!unable || reflink === "always") throw error;
    return false;
  }
}

/** Whether a file has holes: less storage than its size needs. */
export function isSparse({ size, blocks }: FileInfo): boolean {
  return (blocks ?? Infinity) * 512 < size;
}

/** Where there is something to copy, in pieces of a block at most. */
function* pieces(
  fd: number,
  { size }: FileInfo,
  sparse: boolean,
  block: number,
): Generator<[at: number, length: number], undefined> {
  for (let end = 0; end < size;) {
    const data = sparse ? nextData(fd, end) : [0, size];
    const [begin = size, next = size] = data ?? [];
    end = Math.min(next, size);
    const first = Math.floor(begin / ALIGNMENT) * ALIGNMENT;
    for (let at = first; at < end; at += block) {
      yield [at, Math.min(block, end - at)];
    }
  }
}

/** Copies as many bytes as are known of; gives the length, less if the source shrank. */
async function copyKnown(
  source: Place,
  target: Place,
  info: FileInfo,
  options: CopyDataOptions,
): Promise<number> {
  const { sparse = "auto", direct = false } = options;
  const holes = sparse !== "never" && isSparse(info);
  if (!holes && sparse !== "always") await reserve(target, info.size);
  const simple = !direct && sparse !== "always" && info.size >= BLOCK;
  if (options.waits !== true || !simple) {
    const todo = pieces(source.fd, info, holes, BLOCK);
    return await copyBlocks(source, target, info, todo, options);
  }
  const { queueDepth, signal, progress } = options;
  return await copyWaiting({
    from: source.fd,
    to: target.fd,
    size: info.size,
    pieces: pieces(source.fd, info, holes, WAITING_BLOCK),
    queueDepth,
    signal,
    progress,
  });
}

/** Copies blocks side by side; gives the length, which is less than expected if the source shrank. */
async function copyBlocks(
  source: Place,
  target: Place,
  info: FileInfo,
  todo: Generator<[at: number, length: number], undefined>,
  options: CopyDataOptions,
): Promise<number> {
  const { queueDepth = 8, sparse = "auto", direct = false, progress } = options;
  const put = sparse === "always" ? writeDense : writeFull;
  let end = info.size;
  let told = 0;
  let going = true;
  const work = async (): Promise<void> => {
    using loan = await lend(Math.min(BLOCK, Math.max(info.size, ALIGNMENT)));
    for (;;) {
      // Asked for again each time: others may have found the end, or failed.
      const piece = going ? todo.next().value : undefined;
      if (piece === undefined) return;
      const [at, length] = piece;
      const buffer = loan.bytes.subarray(0, direct ? roundUp(length) : length);
      const count = direct
        ? await readDirect(source, buffer, at, length)
        : await readFull(source, buffer, at);
      if (count < length) {
        end = Math.min(end, at + count);
        going = false;
      }
      if (count === 0) return;
      const whole = direct ? filled(buffer, count) : buffer.subarray(0, count);
      await put(target, whole, at);
      const more = Math.min(count, length);
      told += more;
      progress?.(more);
    }
  };
  const count = Math.min(queueDepth, Math.ceil(info.size / BLOCK));
  const outcomes = await Promise.allSettled(
    // Nobody is to close the files before the last op on them is done.
    Array.from({ length: count }, () =>
      work().catch((error) => {
        going = false;
        throw error;
      })),
  );
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
  if (end > told) progress?.(end - told);
  return end;
}

/**
 * Reads with O_DIRECT, until `length` bytes are there, or no more come. Less than was asked for need
 * not be the end: file systems over a network, and FUSE, give what comes before an error.
 */
async function readDirect(
  source: Place,
  buffer: Uint8Array,
  at: number,
  length: number,
): Promise<number> {
  let filled = 0;
  for (let last = -1; filled > last && filled < length;) {
    last = filled;
    const start = filled - filled % ALIGNMENT;
    const rest = buffer.subarray(start);
    filled = start + await again(() => readSome(source, rest, at + start));
  }
  return filled;
}

function roundUp(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

/** What was read, and zeros up to where O_DIRECT may end. They are cut off afterwards. */
function filled(
  buffer: Uint8Array<ArrayBuffer>,
  count: number,
): Uint8Array<ArrayBuffer> {
  const whole = roundUp(count);
  return buffer.fill(0, count, whole).subarray(0, whole);
}

/**
 * Reserves the space that the target will need. Where it cannot be had, the writes find it, or say
 * why not.
 */
async function reserve({ ring, fd }: Place, size: number): Promise<void> {
  if (size < BLOCK) return;
  try {
    const { dev } = await ring.submit(fileInfo("", AT_EMPTY_PATH, fd));
    // Without a device of its own it is memory, where to reserve is half of the work, or elsewhere.
    if ((dev >> 8 & 0xfff) === 0) return;
    await ring.submit(fallocate(fd, 0, 0, size));
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

/** Writes a block, but for pages of zeros: they stay holes. */
async function writeDense(
  target: Place,
  block: Uint8Array<ArrayBuffer>,
  at: number,
): Promise<void> {
  let begin = -1;
  for (let page = 0; page < block.length; page += PAGE) {
    const dense = !isZero(block, page);
    if (dense && begin < 0) begin = page;
    if (dense || begin < 0) continue;
    await writeFull(target, block.subarray(begin, page), at + begin);
    begin = -1;
  }
  if (begin >= 0) await writeFull(target, block.subarray(begin), at + begin);
}

function isZero(block: Uint8Array, begin: number): boolean {
  const end = Math.min(begin + PAGE, block.length);
  for (let i = begin; i < end; i++) {
    if (block[i] !== 0) return false;
  }
  return true;
}

/** Copies piece by piece until nothing comes; gives how many bytes that were. */
async function copyStream(
  source: Place,
  from: number,
  target: Place,
  to: number,
  progress: ((bytes: number) => void) | undefined,
): Promise<number> {
  using loan = await lend(64 * 1024);
  const further = (offset: number, length: number) =>
    offset === NO_POSITION ? offset : offset + length;
  for (let total = 0;;) {
    const count = await again(() =>
      readSome(source, loan.bytes, further(from, total))
    );
    if (count === 0) return total;
    const bytes = loan.bytes.subarray(0, count);
    await writeFull(target, bytes, further(to, total));
    total += count;
    progress?.(count);
  }
}
