/**
 * Files without the page cache: O_DIRECT, and the aligned memory that it wants.
 *
 * @module
 */

import { checkInteger, show } from "../ffi/check.ts";
import { AT_EMPTY_PATH, O_DIRECT, STATX_DIOALIGN } from "../ffi/linux.ts";
import { pageSize } from "../ffi/system.ts";
import { statx } from "../ops/path.ts";
import { BufferLease, BufferPool } from "../proactor/buffer_pool.ts";
import type { Uring } from "../proactor/uring.ts";
import { ringOf } from "./context.ts";
import { writeZero } from "./failure.ts";
import { type FsFile, useFile } from "./file.ts";
import { type OpenOptions, openWith } from "./open.ts";

/** Options of {@linkcode openDirect}. */
export interface OpenDirectOptions extends OpenOptions {
  /** How large each buffer is, in bytes: a multiple of the page size. Default: 256 KiB. */
  blockSize?: number | undefined;
  /** How many buffers there are. Default: 8. */
  buffers?: number | undefined;
}

/** A part of a file, as {@linkcode UnbufferedFile.blocks} gives it. */
export interface FileBlock {
  /** Where in the file it begins, in bytes. */
  position: number;
  /** What is there. The memory is used again once the next block is asked for. */
  bytes: Uint8Array<ArrayBuffer>;
}

/** Which part of a file {@linkcode UnbufferedFile.blocks} is to give. */
export interface BlocksOptions {
  /** Where to begin, in bytes: a multiple of the alignment. Default: 0. */
  start?: number | undefined;
  /** Where to end, in bytes. Default: the end of the file. */
  end?: number | undefined;
}

/**
 * Opens a file without the page cache (O_DIRECT): what is read comes from the storage, what is
 * written goes there, and nothing is copied in between. For data that is used once, or that the
 * program caches itself.
 *
 * The storage demands that positions, lengths and addresses are multiples of its alignment; so
 * there is a pool of buffers with it, registered with the ring if that has none yet.
 *
 * @param options as for {@linkcode open}.
 * @returns the file. Rejects as {@linkcode open}, and with EINVAL if the file system knows no
 * O_DIRECT.
 *
 * @example
 * ```ts
 * import { openDirect } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ dir: "." });
 * await Deno.writeFile(path, new Uint8Array(10_000).fill(1));
 * {
 *   await using direct = await openDirect(path);
 *   let sum = 0;
 *   for await (const { bytes } of direct.blocks()) {
 *     for (const byte of bytes) sum += byte;
 *   }
 *   assertEquals(sum, 10_000);
 * }
 * await Deno.remove(path);
 * ```
 */
export async function openDirect(
  path: string | URL,
  options: OpenDirectOptions = {},
): Promise<UnbufferedFile> {
  const { blockSize = 256 * 1024, buffers = 8, ...how } = options;
  checkInteger("openDirect: buffers", buffers, 1, 1 << 14);
  checkInteger("openDirect: blockSize", blockSize, 1, 2 ** 30);
  if (blockSize % pageSize() !== 0) {
    throw new RangeError(
      `openDirect: blockSize must be a multiple of ${pageSize()}; got ${blockSize}.`,
    );
  }
  const ring = ringOf(options);
  const says = Object.keys(how).length > 0;
  const file = await openWith(path, says ? how : undefined, O_DIRECT);
  using opened = new DisposableStack();
  opened.use(file);
  const alignment = await alignmentOf(ring, file.fd);
  const pool = new BufferPool(ring, { count: buffers, size: blockSize });
  opened.move();
  return new UnbufferedFile(ring, file, pool, alignment);
}

/** What positions and lengths must be multiples of. */
async function alignmentOf(ring: Uring, fd: number): Promise<number> {
  const { mask, dioOffsetAlign } = await ring.submit(
    statx("", { dirfd: fd, flags: AT_EMPTY_PATH, mask: STATX_DIOALIGN }),
  );
  // Before Linux 6.1, and where the file system does not tell: no storage wants more than a page.
  const told = (mask & STATX_DIOALIGN) !== 0 && dioOffsetAlign > 0;
  return told ? dioOffsetAlign : pageSize();
}

/**
 * A file without the page cache, and buffers for it; {@linkcode openDirect} makes them.
 *
 * @example
 * ```ts
 * import { openDirect } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ dir: "." });
 * {
 *   await using direct = await openDirect(path, { read: true, write: true });
 *   using lease = await direct.lease();
 *   lease.bytes.fill(7);
 *   await direct.writeAt(lease, 0, 4096);
 *   await direct.file.truncate(1000); // the last block is written whole
 *   assertEquals(await direct.readAt(lease, 0), 1000);
 * }
 * await Deno.remove(path);
 * ```
 */
export class UnbufferedFile implements AsyncDisposable {
  /** The file, for all else: its length, its times, fsync. */
  readonly file: FsFile;
  /** What positions and lengths must be multiples of, in bytes. */
  readonly alignment: number;
  readonly #ring: Uring;
  readonly #pool: BufferPool;

  /** Internal: {@linkcode openDirect} makes them. */
  constructor(
    ring: Uring,
    file: FsFile,
    pool: BufferPool,
    alignment: number,
  ) {
    this.file = file;
    this.alignment = alignment;
    this.#ring = ring;
    this.#pool = pool;
  }

  /** How large each buffer is, in bytes. */
  get blockSize(): number {
    return this.#pool.size;
  }

  /** How many buffers there are. */
  get buffers(): number {
    return this.#pool.count;
  }

  /**
   * Leases a buffer; waits for one if none is free.
   *
   * @returns the lease: dispose of it when done. Rejects with the signal's reason, and with a
   * TypeError if this is closed.
   */
  lease(options?: { signal?: AbortSignal }): Promise<BufferLease> {
    return this.#pool.lease(options);
  }

  /**
   * Reads into a buffer, until `length` bytes are there or the file ends.
   *
   * @param position where in the file: a multiple of the alignment, as `length`.
   * @param length how many bytes. Default: as many as the buffer has.
   * @returns how many bytes were read: fewer only at the end of the file.
   */
  async readAt(
    lease: BufferLease,
    position: number,
    length: number = this.blockSize,
  ): Promise<number> {
    this.#check("readAt", lease, position, length);
    return await useFile(this.file, async (fd) => {
      let filled = 0;
      while (filled < length) {
        const count = await this.#ring.submit(lease.read(fd, {
          offset: position + filled,
          start: filled,
          length: length - filled,
        }));
        filled += count;
        // Less than a block: the file ends there.
        if (count === 0 || count % this.alignment !== 0) break;
      }
      return filled;
    });
  }

  /**
   * Writes from a buffer: all of `length`. A file that is to end elsewhere is cut off with
   * `file.truncate`.
   *
   * @param position where in the file: a multiple of the alignment, as `length`.
   * @param length how many bytes. Default: as many as the buffer has.
   * @returns how many bytes were written: all.
   */
  async writeAt(
    lease: BufferLease,
    position: number,
    length: number = this.blockSize,
  ): Promise<number> {
    this.#check("writeAt", lease, position, length);
    return await useFile(this.file, async (fd) => {
      let written = 0;
      while (written < length) {
        const count = await this.#ring.submit(lease.write(fd, {
          offset: position + written,
          start: written,
          length: length - written,
        }));
        if (count === 0) throw writeZero();
        written += count;
      }
      return written;
    });
  }

  /**
   * The file, or a part of it, block by block, with a read in flight for each buffer that nobody
   * has leased.
   *
   * @throws {RangeError} (as a rejection) for a start that is no multiple of the alignment.
   */
  async *blocks(
    { start = 0, end = Infinity }: BlocksOptions = {},
  ): AsyncGenerator<FileBlock, void, void> {
    this.#checkAligned("blocks: start", start);
    const { size } = await this.file.stat();
    // Of a block device stat tells no size; whatever it is, the reads find the end.
    const last = Math.min(end, size === 0 ? Infinity : size);
    const ahead: Ahead[] = [];
    let next = start;
    const fill = (lease: BufferLease): void => {
      const position = next;
      next += this.blockSize;
      const count = this.readAt(lease, position);
      // What nobody waits for any more, once the reader has left, fails unseen.
      count.catch(() => {});
      ahead.push({ position, lease, count });
    };
    try {
      if (next < last) fill(await this.lease());
      for (;;) {
        while (next < last) {
          const lease = this.#pool.tryLease();
          if (lease === null) break;
          fill(lease);
        }
        const first = ahead.shift();
        if (first === undefined) return;
        using lease = first.lease;
        const count = Math.min(await first.count, last - first.position);
        if (count > 0) {
          const bytes = lease.bytes.subarray(0, count);
          yield { position: first.position, bytes };
        }
        if (count < this.blockSize) return;
        if (ahead.length === 0 && next < last) fill(await this.lease());
      }
    } finally {
      // The pool lends their memory again when the reads are done.
      for (const { lease } of ahead) lease.release();
    }
  }

  #check(
    method: string,
    lease: BufferLease,
    position: number,
    length: number,
  ): void {
    if (!(lease instanceof BufferLease)) {
      throw new TypeError(
        `${method}: lease must be a BufferLease, of lease(); got ${
          show(lease)
        }.`,
      );
    }
    this.#checkAligned(`${method}: position`, position);
    checkInteger(`${method}: length`, length, 0, lease.bytes.length);
    this.#checkAligned(`${method}: length`, length);
  }

  #checkAligned(what: string, value: number): void {
    checkInteger(what, value, 0, Number.MAX_SAFE_INTEGER);
    if (value % this.alignment === 0) return;
    throw new RangeError(
      `${what} must be a multiple of ${this.alignment}, as the storage wants it; got ${value}.`,
    );
  }

  /** Closes the file, as soon as nothing is in flight on it, and gives the buffers' memory back. */
  async close(): Promise<void> {
    this.#pool.close();
    await this.file[Symbol.asyncDispose]();
  }

  /** {@linkcode close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A block on its way. */
interface Ahead {
  position: number;
  lease: BufferLease;
  count: Promise<number>;
}
