/**
 * Files that only the ring knows: direct descriptors in a table of registered files.
 *
 * @module
 */

import { IORING_FILE_INDEX_ALLOC } from "../ffi/abi.ts";
import { checkInteger, show } from "../ffi/check.ts";
import { systemError } from "../ffi/errors.ts";
import { ECANCELED } from "../ffi/linux.ts";
import type { Path } from "../ops/arguments.ts";
import { FixedFile } from "../ops/fd.ts";
import type { Op } from "../ops/op.ts";
import { closeDirect, openatDirect, type OpenatOptions } from "../ops/open.ts";
import {
  filesUpdateAlloc,
  fixedFdInstall,
  type FixedFdInstallOptions,
} from "../ops/ring.ts";
import type { Ring } from "../ring/ring.ts";
import type { Engine } from "./engine.ts";
import { usesFile, whenTablesRest, whenUnused } from "./in_use.ts";
import { checkOptions, type SubmitOptions } from "./options.ts";
import { plainExtra, type Slot } from "./slots.ts";
import { engineOf, Uring } from "./uring.ts";

/** The kernel's `IORING_MAX_FIXED_FILES`. */
const MOST = 1 << 20;

/** Options of a {@linkcode FixedFiles}. */
export interface FixedFilesOptions {
  /** How many files the table has room for, 1 to 1048576, at most RLIMIT_NOFILE. */
  slots: number;
  /**
   * The part of the table that the kernel chooses slots from; the others are for
   * {@linkcode OpenFixedOptions.slot}. Since Linux 6.0. Default: all of it.
   */
  range?: { offset: number; length: number };
}

/** Options of {@linkcode FixedFiles.open}. */
export interface OpenFixedOptions extends OpenatOptions {
  /** The slot that the file goes to, a free one. Default: the kernel chooses. */
  slot?: number;
  /** Cancels the opening when it aborts. */
  signal?: AbortSignal | undefined;
  /** After how many milliseconds the kernel is to cancel the opening. */
  timeout?: number | undefined;
}

/**
 * The table of registered files of a {@linkcode Uring}, and the files in it. They have no
 * descriptor: opening, using and closing them spares the kernel the process's table of
 * descriptors, which all its threads share. Ops take them like descriptors.
 *
 * A slot is closed only when no op on it is in flight, so that none can hit the next file in it.
 * A ring has one such table. Since Linux 5.19.
 *
 * @example
 * ```ts
 * import { FixedFiles, Uring } from "@uring/uring";
 * import { opcodes, read } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * await using uring = new Uring();
 * if (opcodes.socket.supported()) { // Linux 5.19, as the table
 *   await using files = new FixedFiles(uring, { slots: 64 });
 *   await using file = await files.open("/proc/version", 0); // O_RDONLY
 *   const buffer = new Uint8Array(5);
 *   await uring.submit(read(file, buffer));
 *   assertEquals(new TextDecoder().decode(buffer), "Linux");
 * }
 * ```
 */
export class FixedFiles implements AsyncDisposable {
  /** How many files the table has room for. */
  readonly slots: number;
  readonly #uring: Uring;
  readonly #engine: Engine;
  readonly #ring: Ring;
  /** The files in the table that this knows of, by slot; undefined while one is opened there. */
  readonly #files = new Map<number, DirectFile | undefined>();
  /** What the kernel chooses slots from. */
  readonly #range: { offset: number; length: number };
  readonly #owner: Owner = {
    install: (file, options) => this.#install(file, options),
    close: (file, index) => this.#closeFile(file, index),
  };
  #closing: Promise<void> | undefined;

  /**
   * Registers a table of empty slots.
   *
   * @throws {TypeError | RangeError} if there can be no such table.
   * @throws {SystemError} EBUSY if the ring has registered files already, EMFILE over
   * RLIMIT_NOFILE, EINVAL before Linux 5.19 and for a range before 6.0.
   */
  constructor(uring: Uring, options: FixedFilesOptions) {
    if (!(uring instanceof Uring)) {
      throw new TypeError(
        `FixedFiles: uring must be a Uring; got ${show(uring)}.`,
      );
    }
    checkOptions("FixedFiles", options);
    const { slots, range } = options;
    this.slots = checkInteger("FixedFiles: slots", slots, 1, MOST);
    if (range !== undefined) checkRange(range, slots);
    this.#uring = uring;
    this.#engine = engineOf(uring);
    this.#ring = uring.ring;
    this.#range = { offset: 0, length: slots, ...range };
    this.#ring.files.registerSparse(slots);
    if (range === undefined) return;
    try {
      this.#ring.files.allocRange(range.offset, range.length);
    } catch (error) {
      this.#ring.files.unregister();
      throw error;
    }
  }

  /** How many files are open in the table, of those that {@linkcode open}, {@linkcode add} and {@linkcode adopt} gave. */
  get size(): number {
    return [...this.#files.values()].filter(Boolean).length;
  }

  /**
   * Opens a file into the table, as openat(2).
   *
   * @param flags `O_*`, without `O_CLOEXEC`: what has no descriptor is not inherited.
   * @returns the file. Rejects with ENFILE if no slot is free, with ENOENT, EACCES and so on as
   * openat(2) has them, and with a RangeError for a slot that cannot be chosen.
   */
  async open(
    path: Path,
    flags: number,
    options: OpenFixedOptions = {},
  ): Promise<DirectFile> {
    this.#checkOpen("open");
    checkOptions("FixedFiles.open", options);
    const { slot = IORING_FILE_INDEX_ALLOC } = options;
    const chosen = slot !== IORING_FILE_INDEX_ALLOC;
    const op = openatDirect(path, flags, slot, options);
    if (chosen) this.#reserve(slot);
    try {
      const { index } = await this.#submit(op, options);
      this.#checkOpen("open");
      return this.#own(index);
    } catch (error) {
      if (chosen) this.#files.delete(slot);
      throw error;
    }
  }

  /**
   * Puts the file behind a descriptor into the table. The descriptor stays open, and may be
   * closed: the file in the table is one of its own.
   *
   * @returns the file. Rejects with EBADF if fd is not open, ENFILE if no slot is free.
   */
  async add(fd: number): Promise<DirectFile> {
    this.#checkOpen("add");
    const [file] = await this.#uring.submit(filesUpdateAlloc([fd]));
    this.#checkOpen("add");
    // The kernel answers ENFILE rather than give none.
    return this.#own((file as FixedFile).index);
  }

  /**
   * Looks after a file that another op has put into the table: `acceptDirect`, `socketDirect`,
   * `pipeDirect`.
   *
   * @throws {TypeError | RangeError} if it is no file of the table, or is looked after already.
   */
  adopt(file: FixedFile): DirectFile {
    this.#checkOpen("adopt");
    if (!(file instanceof FixedFile)) {
      throw new TypeError(
        `FixedFiles.adopt: file must be a FixedFile; got ${show(file)}.`,
      );
    }
    const { index } = file;
    checkInteger("FixedFiles.adopt: file.index", index, 0, this.slots - 1);
    if (this.#files.has(index)) {
      throw new RangeError(
        `FixedFiles.adopt: slot ${index} has a file that is looked after already.`,
      );
    }
    return this.#own(index);
  }

  #own(index: number): DirectFile {
    const file = new DirectFile(index, this.#owner);
    this.#files.set(index, file);
    return file;
  }

  #submit<T>(op: Op<T>, { signal, timeout }: SubmitOptions): Promise<T> {
    const plain = signal === undefined && timeout === undefined;
    return this.#uring.submit(op, plain ? undefined : { signal, timeout });
  }

  #checkOpen(method: string): void {
    if (this.#closing === undefined) return;
    throw new TypeError(`FixedFiles.${method}: the table is closed.`);
  }

  /** Keeps a slot of the caller's choice from being chosen twice. */
  #reserve(slot: number): void {
    const what = "FixedFiles.open: slot";
    checkInteger(what, slot, 0, this.slots - 1);
    const { offset, length } = this.#range;
    if (slot >= offset && slot < offset + length) {
      throw new RangeError(
        `${what} ${slot} is among those that the kernel chooses from, ${offset} to ` +
          `${
            offset + length - 1
          }. Make the FixedFiles with a range that leaves it out.`,
      );
    }
    if (this.#files.has(slot)) {
      throw new RangeError(`${what} ${slot} has a file: close that first.`);
    }
    this.#files.set(slot, undefined);
  }

  #install(file: DirectFile, options: FixedFdInstallOptions): Promise<number> {
    return this.#uring.submit(fixedFdInstall(file, options));
  }

  async #closeFile(file: DirectFile, index: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const engine = this.#engine;
    whenUnused(engine, (slot) => usesFile(slot, index), () => {
      // What is encoded from here on could hit the next file in the slot.
      file.retire();
      if (this.#closing !== undefined) {
        resolve(this.#closing);
        return;
      }
      engine.enqueue({
        size: 1,
        launch: () =>
          void engine.launch(closeDirect(index), 0, resolve, reject, null),
        // A Uring that closes lets go of it.
        abandon: (broken) =>
          broken === undefined ? resolve(undefined) : reject(broken),
      });
    });
    try {
      await promise;
    } finally {
      if (this.#files.get(index) === file) this.#files.delete(index);
    }
  }

  /**
   * Closes the table: cancels the ops in flight on its files, waits for their last completions,
   * and lets go of every file. Safe to call twice, and after the `Uring` was closed.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    // A ring that broke cannot be waited for, and its table goes with it.
    whenUnused(
      this.#engine,
      (slot) => usesFile(slot),
      resolve,
      (slot) => this.#cancel(slot),
    );
    await promise;
    for (const file of this.#files.values()) file?.retire();
    this.#files.clear();
    await this.#giveUp();
  }

  /** Gives the table up: on older kernels not before ops on registered buffers are done, too. */
  async #giveUp(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    whenTablesRest(this.#engine, resolve);
    const broken = await promise;
    this.#engine.goneTables++;
    if (broken === undefined && !this.#ring.closed) {
      this.#ring.files.unregister();
    }
  }

  #cancel(slot: Slot): void {
    const { op, tag } = slot;
    if (op === null) return;
    const extra = slot.extra ??= plainExtra();
    extra.cancelled = true;
    extra.reason ??= systemError(ECANCELED, op.name, {
      path: op.path,
      hint: "The FixedFiles that its file is in was closed.",
    });
    this.#engine.cancel(tag);
  }

  /** {@linkcode close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checkRange(
  range: { offset: number; length: number },
  slots: number,
): void {
  if (range === null || typeof range !== "object") {
    throw new TypeError(
      `FixedFiles: range must be an object with offset and length; got ${
        show(range)
      }.`,
    );
  }
  const { offset, length } = range;
  checkInteger("FixedFiles: range.offset", offset, 0, slots - 1);
  checkInteger("FixedFiles: range.length", length, 1, slots - offset);
}

/** What a file in a table asks of its table. */
interface Owner {
  install(file: DirectFile, options: FixedFdInstallOptions): Promise<number>;
  close(file: DirectFile, index: number): Promise<void>;
}

/**
 * A file in a {@linkcode FixedFiles}, which ops take like a descriptor. Once it is closed they
 * refuse it, as its slot may be another file's.
 */
export class DirectFile extends FixedFile implements AsyncDisposable {
  readonly #owner: Owner;
  #closing: Promise<void> | undefined;
  #retired = false;

  /** A file in a slot. Internal: a {@linkcode FixedFiles} makes them. */
  constructor(index: number, owner: Owner) {
    super(index);
    this.#owner = owner;
  }

  /** Whether it is closed, or about to be. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Makes a plain descriptor of the file, which stays in the table. Since Linux 6.8.
   *
   * @returns the descriptor: the caller closes it. Rejects with EMFILE if the process has too
   * many, and with a TypeError if the file is closed.
   *
   * @example
   * ```ts
   * import { FixedFiles, Uring } from "@uring/uring";
   * import { close, opcodes } from "@uring/uring/ops";
   * import { assert } from "@std/assert";
   *
   * await using uring = new Uring();
   * if (opcodes.fixedFdInstall.supported()) {
   *   await using files = new FixedFiles(uring, { slots: 4 });
   *   await using file = await files.open("/proc/version", 0); // O_RDONLY
   *   const fd = await file.install();
   *   assert(Deno.readLinkSync(`/proc/self/fd/${fd}`).endsWith("version"));
   *   await uring.submit(close(fd));
   * }
   * ```
   */
  install(options: FixedFdInstallOptions = {}): Promise<number> {
    return this.#owner.install(this, options);
  }

  /**
   * Closes the file and frees its slot, as soon as no op on it is in flight. One that never
   * ends, such as a receive from a silent socket, must be cancelled first. Safe to call twice.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#owner.close(this, this.index);
  }

  /** {@linkcode close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** From now on no op can be encoded with it. Internal. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#closing ??= Promise.resolve();
    const { index } = this;
    Object.defineProperty(this, "index", {
      get(): never {
        throw new TypeError(
          `The registered file at ${index} is closed; its slot may be another's.`,
        );
      },
    });
  }
}
