/**
 * Open files.
 *
 * @module
 */

import { IORING_FSYNC_DATASYNC } from "../ffi/abi.ts";
import { systemError } from "../ffi/errors.ts";
import { lseek, setLength } from "../ffi/file.ts";
import { setTimes } from "../ffi/inode.ts";
import { isTerminal } from "../ffi/kind.ts";
import { lockFile, lockFileNow, tryLockFile, unlockFile } from "../ffi/lock.ts";
import { AT_EMPTY_PATH, EINVAL, SEEK_END, SEEK_SET } from "../ffi/linux.ts";
import { fadvise, fallocate, fsync, ftruncate } from "../ops/file.ts";
import type { Op } from "../ops/op.ts";
import { opcodes } from "../ops/opcodes.ts";
import { read, write } from "../ops/rw.ts";
import {
  checkBytes,
  checkPosition,
  checkSeek,
  fixed,
  intoFixed,
  isFixed,
  lengthOf,
  nanoseconds,
} from "./arguments.ts";
import { giveBack } from "./descriptor.ts";
import { withoutPath } from "./failure.ts";
import { readableOf, writableOf } from "./file_streams.ts";
import { openTwin } from "./file_twin.ts";
import type { GatheredStream } from "./gathered.ts";
import { now } from "./now.ts";
import { allowRead, allowWrite } from "./permission.ts";
import { type FileInfo, fileInfo } from "./stat.ts";
import {
  type FileParts,
  NO_POSITION,
  type Place,
  readFull,
  readSome,
  writeFull,
  writeSome,
} from "./transfer.ts";

/** What was opened, and where. */
export interface Opened extends FileParts {
  /** The path that was opened: without symlinks, where those had to be looked at. */
  readonly place: string;
  /** Whether it was opened with O_DIRECT. */
  readonly direct: boolean;
}

/** Makes a file of what was opened: the constructor is nobody's business. */
export let makeFile: (parts: Opened) => FsFile;

/** Does something with a file's descriptor, for which it has to stay open. */
export let useFile: <T>(
  file: FsFile,
  work: (fd: number) => Promise<T>,
) => Promise<T>;

let making: Opened | undefined;

/**
 * Closes files that are forgotten together with their streams, as Deno does. One that had no stream
 * stays open: somebody may have kept its descriptor.
 */
const forgotten = new FinalizationRegistry<number>((fd) =>
  giveBack(fd, "kept")
);

/**
 * An open file, as `Deno.FsFile`; {@linkcode open} and {@linkcode create} make them.
 *
 * Reads, writes and seeks are done one after the other, in the order of the calls, as in Deno; all
 * else at once. See {@linkcode close} for what is in flight then.
 *
 * Its position is kept here, not in the kernel: who uses {@linkcode fd} with ops of his own gives
 * them an offset.
 *
 * @example
 * ```ts
 * import { open } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * using file = await open("/proc/self/comm");
 * const buffer = new Uint8Array(64);
 * const count = await file.read(buffer) ?? 0;
 * assertEquals(buffer[count - 1], 10); // the line's end
 * assertEquals(await file.read(buffer), null);
 * ```
 */
export class FsFile implements Disposable, AsyncDisposable {
  readonly #parts: Opened;
  #position: number;
  #inUse = 0;
  #closed = false;
  /** Ends reads that may wait for ever: those of a pipe or a terminal. */
  #hangUp: AbortController | undefined;
  /** Whether a read, a write or a seek is being done, and who comes next. */
  #moving = false;
  readonly #turns: (() => void)[] = [];
  readonly #gone = Promise.withResolvers<void>();
  /** Deno's own opening, which has the terminal's mode. */
  #twin: Deno.FsFile | undefined;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #gathered: GatheredStream | undefined;

  static {
    makeFile = (parts) => {
      making = parts;
      return new FsFile();
    };
    useFile = (file, work) => file.#use(() => work(file.#parts.fd));
  }

  /**
   * Not for callers.
   *
   * @throws {TypeError} always, except for {@linkcode open} and {@linkcode create}.
   */
  constructor() {
    if (making === undefined) {
      throw new TypeError(
        "'FsFile' cannot be constructed, use 'open()' or 'create()' instead",
      );
    }
    this.#parts = making;
    this.#position = making.seekable ? 0 : NO_POSITION;
    making = undefined;
  }

  /**
   * The descriptor, for ops of one's own; give them an offset. It belongs to this file, which
   * closes it.
   *
   * @throws {Deno.errors.BadResource} if the file is closed.
   */
  get fd(): number {
    if (this.#closed) throw badResource();
    return this.#parts.fd;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  // --- one after the other

  /**
   * Reads from the position on, which moves: at most as many bytes as the buffer has.
   *
   * @returns how many bytes were read; null at the end. Rejects with `Deno.errors.BadResource` if
   * the file is closed, with EBADF if it is not open for reading.
   */
  async read(p: Uint8Array): Promise<number | null> {
    checkBytes("read", p);
    if (p.length === 0) return 0;
    this.#enter();
    if (this.#moving) await this.#turn();
    this.#moving = true;
    try {
      const count = await intoFixed(
        p,
        (buffer) => readSome(this.#source(), buffer, this.#position),
      );
      if (this.#position !== NO_POSITION) this.#position += count;
      return count === 0 ? null : count;
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#pass();
      this.#leave();
    }
  }

  #source(): Place {
    if (this.#position !== NO_POSITION) return this.#parts;
    const { ring, fd } = this.#parts;
    const { signal } = this.#hangUp ??= new AbortController();
    return { ring, fd, signal };
  }

  /**
   * Writes at the position, which moves; at the end of the file if it was opened with `append`.
   *
   * @returns how many bytes were written, which may be fewer than the buffer has. Rejects with
   * `Deno.errors.BadResource` if the file is closed, ENOSPC if there is no room.
   */
  async write(p: Uint8Array): Promise<number> {
    checkBytes("write", p);
    this.#enter();
    if (this.#moving) await this.#turn();
    this.#moving = true;
    try {
      const count = await writeSome(this.#parts, fixed(p), this.#position);
      this.#advance(count);
      return count;
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#pass();
      this.#leave();
    }
  }

  #advance(count: number): void {
    const { append, fd } = this.#parts;
    if (this.#position === NO_POSITION) return;
    // The kernel alone knows where that was.
    this.#position = append ? lseek(fd, 0, SEEK_END) : this.#position + count;
  }

  /**
   * Moves the position.
   *
   * @param offset in bytes.
   * @param whence from where: the beginning, the position, the end.
   * @returns the new position. Rejects with a TypeError if it were before the beginning, and with
   * ESPIPE for a pipe or a terminal.
   */
  async seek(offset: number | bigint, whence: Deno.SeekMode): Promise<number> {
    checkSeek("seek", offset, whence);
    this.#enter();
    if (this.#moving) await this.#turn();
    this.#moving = true;
    try {
      this.#position = this.#place(offset, whence);
      return this.#position;
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#pass();
      this.#leave();
    }
  }

  #place(offset: number | bigint, whence: Deno.SeekMode): number {
    const { fd } = this.#parts;
    const current = whence === 1 && this.#position !== NO_POSITION;
    const whole = Math.trunc(Number(offset)) || 0;
    const target = current ? this.#position + whole : whole;
    if (!Number.isSafeInteger(target)) throw systemError(EINVAL, "lseek");
    return lseek(fd, target, whence === 2 ? SEEK_END : SEEK_SET);
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#turns.push(resolve));
  }

  /** Lets the next one move the position. */
  #pass(): void {
    const next = this.#turns.shift();
    if (next === undefined) this.#moving = false;
    else next();
  }

  // --- at once

  /**
   * Reads at a position of the caller's choice, until the buffer is full or the file ends. Any
   * number of these may be in flight; the file's own position stays.
   *
   * @param position in bytes from the beginning.
   * @returns how many bytes were read: fewer than the buffer has only at the end of the file.
   *
   * @example
   * ```ts
   * import { open } from "@uring/uring/fs";
   * import { assertEquals } from "@std/assert";
   *
   * using file = await open("/proc/version");
   * const [kernel, version] = [new Uint8Array(5), new Uint8Array(7)];
   * await Promise.all([file.readAt(kernel, 0), file.readAt(version, 6)]);
   * const texts = [kernel, version].map((bytes) => new TextDecoder().decode(bytes));
   * assertEquals(texts, ["Linux", "version"]);
   * ```
   */
  async readAt(buffer: Uint8Array, position: number): Promise<number> {
    checkBytes("readAt", buffer);
    checkPosition("readAt", position);
    return await this.#use(() =>
      intoFixed(buffer, (whole) => readFull(this.#parts, whole, position))
    );
  }

  /**
   * Writes all of a buffer at a position of the caller's choice. Any number of these may be in
   * flight; the file's own position stays.
   *
   * @param position in bytes from the beginning; ignored if the file was opened with `append`.
   * @returns how many bytes were written: all.
   *
   * @example
   * ```ts
   * import { open, readTextFile } from "@uring/uring/fs";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile();
   * {
   *   using file = await open(path, { write: true });
   *   const text = (text: string) => new TextEncoder().encode(text);
   *   await Promise.all([file.writeAt(text("world"), 6), file.writeAt(text("hello "), 0)]);
   * }
   * assertEquals(await readTextFile(path), "hello world");
   * await Deno.remove(path);
   * ```
   */
  async writeAt(buffer: Uint8Array, position: number): Promise<number> {
    checkBytes("writeAt", buffer);
    checkPosition("writeAt", position);
    await this.#use(() => writeFull(this.#parts, fixed(buffer), position));
    return buffer.length;
  }

  /**
   * Tells about the file, as `Deno.FsFile.stat`; as there, the path that was opened must be one
   * that may be read.
   */
  async stat(): Promise<FileInfo> {
    const op = fileInfo("", AT_EMPTY_PATH, this.fd);
    allowRead(this.#parts.place, "FsFile.stat");
    return await this.#submit(op);
  }

  /** Makes the data and what is told about it safe on the storage: fsync(2). */
  async sync(): Promise<void> {
    await this.#submit(fsync(this.fd));
  }

  /** Makes the data safe on the storage: fdatasync(2). */
  async syncData(): Promise<void> {
    await this.#submit(fsync(this.fd, { flags: IORING_FSYNC_DATASYNC }));
  }

  /**
   * Cuts the file off at a length, or lets it end in a hole. The position stays.
   *
   * Before Linux 6.9 without the ring.
   *
   * @param len in bytes. Default: 0.
   */
  async truncate(len?: number): Promise<void> {
    const length = lengthOf("truncate", len);
    const { fd } = this;
    await this.#use(async () => {
      if (opcodes.ftruncate.supported()) {
        await this.#parts.ring.submit(ftruncate(fd, length));
      } else setLength(fd, length);
    });
  }

  /**
   * Reserves storage for a part of the file, or does something else with it: fallocate(2).
   *
   * @param mode `FALLOC_FL_*`: `FALLOC_FL_KEEP_SIZE`, `FALLOC_FL_PUNCH_HOLE`, ... Default: 0, which
   * lengthens the file too.
   *
   * @example
   * ```ts
   * import { open } from "@uring/uring/fs";
   * import { assertEquals } from "@std/assert";
   *
   * const path = await Deno.makeTempFile();
   * {
   *   using file = await open(path, { write: true });
   *   await file.allocate(0, 1 << 20);
   *   assertEquals((await file.stat()).size, 1 << 20);
   * }
   * await Deno.remove(path);
   * ```
   */
  async allocate(offset: number, length: number, mode = 0): Promise<void> {
    await this.#submit(fallocate(this.fd, mode, offset, length));
  }

  /**
   * Announces how a part of the file will be used: posix_fadvise(2).
   *
   * @param length in bytes; 0 up to the end.
   * @param advice `POSIX_FADV_*`.
   *
   * @example
   * ```ts
   * import { open } from "@uring/uring/fs";
   * import { POSIX_FADV_SEQUENTIAL } from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * using file = await open("/etc/passwd");
   * assertEquals(await file.advise(0, 0, POSIX_FADV_SEQUENTIAL), undefined);
   * ```
   */
  async advise(offset: number, length: number, advice: number): Promise<void> {
    await this.#submit(fadvise(this.fd, offset, length, advice));
  }

  async #submit<T>(op: Op<T>): Promise<T> {
    return await this.#use(() => this.#parts.ring.submit(op));
  }

  #told(error: unknown): unknown {
    return withoutPath(error, this.#parts.direct);
  }

  /** Does something for which the file has to stay open. */
  async #use<T>(work: () => Promise<T>): Promise<T> {
    this.#enter();
    try {
      return await work();
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#leave();
    }
  }

  // --- what io_uring has no op for

  /**
   * Sets the times of the last access and the last change: futimens(3), without the ring. The path
   * that was opened must be one that may be written.
   *
   * @param atime a Date, or seconds since 1970.
   * @param mtime a Date, or seconds since 1970.
   */
  async utime(atime: number | Date, mtime: number | Date): Promise<void> {
    const [accessed, modified] = [nanoseconds(atime), nanoseconds(mtime)];
    const { fd } = this;
    allowWrite(this.#parts.place, "FsFile.utime");
    await this.#use(() => Promise.resolve(setTimes(fd, accessed, modified)));
  }

  /** Locks the file, and waits for that: flock(2), without the ring. */
  async lock(exclusive = false): Promise<void> {
    await this.#use(() => lockFile(this.#parts.fd, Boolean(exclusive)));
  }

  /** Locks the file if that can be had at once; tells whether. See {@linkcode lock}. */
  async tryLock(exclusive = false): Promise<boolean> {
    return await this.#use(() =>
      Promise.try(tryLockFile, this.#parts.fd, Boolean(exclusive))
    );
  }

  /** Lets go of the lock. See {@linkcode lock}. */
  async unlock(): Promise<void> {
    await this.#use(() => Promise.try(unlockFile, this.#parts.fd));
  }

  /** Whether it is a terminal. */
  isTerminal(): boolean {
    return !this.#closed && isTerminal(this.#parts.fd);
  }

  /**
   * Turns a terminal's raw mode on or off, as `Deno.FsFile.setRaw`.
   *
   * @throws {Deno.errors.BadResource} if it is no terminal, or closed.
   */
  setRaw(mode: boolean, options?: Deno.SetRawOptions): void {
    if (this.#closed || this.#parts.seekable) throw badResource();
    // Kept: it knows what the mode was before.
    this.#twin ??= openTwin(this.#parts);
    this.#twin.setRaw(mode, options);
  }

  // --- waiting for it, and for nothing else

  /** {@linkcode read}, and waits for it: nothing else happens meanwhile. */
  readSync(p: Uint8Array): number | null {
    checkBytes("readSync", p);
    if (p.length === 0) return 0;
    return this.#now(() => {
      const copy = isFixed(p) ? p : new Uint8Array(p.length);
      const offset = this.#position;
      const count = now(read(this.#parts.fd, copy, { offset }));
      if (copy !== p) p.set(copy.subarray(0, count));
      if (offset !== NO_POSITION) this.#position += count;
      return count === 0 ? null : count;
    });
  }

  /** {@linkcode write}, and waits for it. */
  writeSync(p: Uint8Array): number {
    checkBytes("writeSync", p);
    return this.#now(() => {
      const offset = this.#position;
      const count = now(write(this.#parts.fd, fixed(p), { offset }));
      this.#advance(count);
      return count;
    });
  }

  /** {@linkcode seek}, and waits for it. */
  seekSync(offset: number | bigint, whence: Deno.SeekMode): number {
    checkSeek("seekSync", offset, whence);
    return this.#now(() => {
      this.#position = this.#place(offset, whence);
      return this.#position;
    });
  }

  /** {@linkcode stat}, and waits for it. */
  statSync(): FileInfo {
    return this.#now(() => {
      allowRead(this.#parts.place, "FsFile.statSync");
      return now(fileInfo("", AT_EMPTY_PATH, this.fd));
    });
  }

  /** {@linkcode sync}, and waits for it. */
  syncSync(): void {
    this.#now(() => now(fsync(this.fd)));
  }

  /** {@linkcode syncData}, and waits for it. */
  syncDataSync(): void {
    this.#now(() => now(fsync(this.fd, { flags: IORING_FSYNC_DATASYNC })));
  }

  /** {@linkcode truncate}, and waits for it. */
  truncateSync(len?: number): void {
    const length = lengthOf("truncateSync", len);
    this.#now(() => setLength(this.fd, length));
  }

  /** {@linkcode utime}, and waits for it. */
  utimeSync(atime: number | Date, mtime: number | Date): void {
    const [accessed, modified] = [nanoseconds(atime), nanoseconds(mtime)];
    this.#now(() => {
      allowWrite(this.#parts.place, "FsFile.utimeSync");
      setTimes(this.fd, accessed, modified);
    });
  }

  /** {@linkcode lock}, and waits for it. */
  lockSync(exclusive = false): void {
    this.#now(() => lockFileNow(this.fd, Boolean(exclusive)));
  }

  /** {@linkcode tryLock}, and waits for it. */
  tryLockSync(exclusive = false): boolean {
    return this.#now(() => tryLockFile(this.fd, Boolean(exclusive)));
  }

  /** {@linkcode unlock}, and waits for it. */
  unlockSync(): void {
    this.#now(() => unlockFile(this.fd));
  }

  #now<T>(work: () => T): T {
    if (this.#closed) throw badResource();
    if (this.#moving) {
      throw new Deno.errors.Busy(
        "Resource is unavailable because it is in use by a promise",
      );
    }
    try {
      return work();
    } catch (error) {
      throw this.#told(error);
    }
  }

  // --- streams

  /** The rest of the file as a stream of bytes, which closes the file at its end, or when forgotten. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(this.#streamed());
  }

  /**
   * A stream that writes to the file, and closes it when it is closed.
   *
   * Short chunks are gathered, as Deno does, and written together at the end of the event loop's
   * turn: an error may come with a later write, or when the stream is closed.
   */
  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return (this.#gathered ??= writableOf(this.#streamed())).stream;
  }

  #streamed(): ReturnType<typeof streamed> {
    const isFirst = this.#readable === undefined &&
      this.#gathered === undefined;
    if (isFirst && !this.#closed) {
      forgotten.register(this, this.#parts.fd, this.#parts);
    }
    return streamed(this);
  }

  // --- the end

  #enter(): void {
    if (this.#closed) throw badResource();
    this.#inUse++;
  }

  #leave(): void {
    this.#inUse--;
    if (this.#closed && this.#inUse === 0) this.#finish();
  }

  #finish(): void {
    this.#twin?.close();
    forgotten.unregister(this.#parts);
    try {
      giveBack(this.#parts.fd, "kept");
    } finally {
      this.#gone.resolve();
    }
  }

  /**
   * Closes the file: at once, or as soon as what is in flight on it is done. Reads that wait for a
   * pipe or a terminal reject with `Deno.errors.Interrupted`.
   *
   * @throws {Deno.errors.BadResource} if it was closed already.
   */
  close(): void {
    if (this.#closed) throw badResource();
    this.#gathered?.hurry();
    this.#closed = true;
    this.#hangUp?.abort(interrupted());
    if (this.#inUse === 0) this.#finish();
  }

  /** {@linkcode close}, for `using`; twice is once. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.close();
  }

  /** {@linkcode close}, for `await using`: waits until it is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    await this.#gone.promise;
  }
}

function interrupted(): Error {
  const error = new Deno.errors.Interrupted("operation canceled");
  return Object.assign(error, { code: "EINTR" });
}

function badResource(message = "Bad resource ID"): Error {
  return new Deno.errors.BadResource(message);
}

/** A file as its streams use it: that somebody closed it before them they tell in Deno's words. */
function streamed(file: FsFile) {
  const tell = (error: unknown): never => {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
    throw badResource(
      "The stream's underlying resource was closed or consumed",
    );
  };
  return {
    read: (p: Uint8Array) => file.read(p).catch(tell),
    write: (p: Uint8Array) => file.write(p).catch(tell),
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}
