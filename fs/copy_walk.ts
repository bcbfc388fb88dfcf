/**
 * The walk through a tree that is copied: what comes next, how many at a time, what came of it.
 *
 * @module
 */

import { systemError } from "../ffi/errors.ts";
import { AT_SYMLINK_NOFOLLOW, ELOOP } from "../ffi/linux.ts";
import type { Uring } from "../proactor/uring.ts";
import { copyEntry, type EntryKind } from "./copy_entry.ts";
import { type FolderCopy, leaveFolder, makeFolder } from "./copy_folder.ts";
import type {
  CopyProgress,
  CopyTreeEntry,
  CopyTreeFailure,
  CopyTreeOptions,
  CopyTreeResult,
} from "./copy_options.ts";
import { FileLists } from "./copy_lists.ts";
import { withDescriptor } from "./descriptor.ts";
import { withPath } from "./failure.ts";
import {
  allowRead,
  allowWrite,
  mayReadAll,
  mayWriteAll,
} from "./permission.ts";
import { readDir } from "./read_dir.ts";
import { type FileInfo, fileInfo, isSame, lookAt } from "./stat.ts";

/** A folder on its way: done when all that is in it is. */
export class Folder {
  /** How many of its entries are not done; one more while it is listed. */
  #open = 1;
  readonly #done: () => void;

  /** A folder that is being listed. */
  constructor(
    /** What it is. */
    readonly info: FileInfo,
    /** Whether the copy was made just now: nothing can be in it yet. */
    readonly fresh: boolean,
    /** The folder that it is in. */
    readonly parent: Folder | undefined,
    done: () => void,
  ) {
    this.#done = done;
  }

  /** Something in it has begun. */
  begin(): void {
    this.#open++;
  }

  /** Something in it is done, or the list of it. */
  end(): void {
    if (--this.#open === 0) this.#done();
  }
}

/** A tree that is being copied. */
export class CopyWalk {
  /** The ring that runs it. */
  readonly ring: Uring;
  /** How. */
  readonly options: CopyTreeOptions;
  /** Files with several names: by device and inode, where the first copy is to be found. */
  readonly linked = new Map<string, Promise<string | undefined>>();
  /** What was done so far. */
  readonly result: CopyTreeResult = {
    files: 0,
    folders: 0,
    symlinks: 0,
    links: 0,
    bytes: 0,
    skipped: 0,
    failed: 0,
  };
  readonly #progress: CopyProgress;
  readonly #limit: number;
  /** Whether permissions are to be asked, path by path. */
  readonly asks: boolean;
  /** Whether files may share their storage, as far as was tried. */
  readonly sharing: { possible: boolean } = { possible: true };
  readonly #lists: FileLists;
  #running = 0;
  #needsRoom = false;
  #next: (() => void) | undefined;
  #failure: { error: unknown } | undefined;

  /** A walk that has not begun. */
  constructor(ring: Uring, options: CopyTreeOptions) {
    this.ring = ring;
    this.options = options;
    this.#limit = options.concurrency ?? 64;
    this.asks = !(mayReadAll() && mayWriteAll());
    this.#lists = new FileLists(this, this.#limit);
    this.#progress = { files: 0, folders: 0, bytes: 0, current: "" };
  }

  /** Notes what is to be copied, for the progress. */
  expect(files: number, bytes: number): void {
    const progress = this.#progress;
    progress.totalFiles = (progress.totalFiles ?? 0) + files;
    progress.totalBytes = (progress.totalBytes ?? 0) + bytes;
  }

  /** Copies an entry with all that is in it. */
  async run(entry: CopyTreeEntry): Promise<CopyTreeResult> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const top = new Folder(entry.info, false, undefined, resolve);
    await this.#begin(entry, top, true);
    top.end();
    await promise;
    await this.#lists[Symbol.asyncDispose]();
    this.options.signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.result;
  }

  /** Whether nothing more is to begin. */
  get stopped(): boolean {
    return this.#failure !== undefined || this.options.signal?.aborted === true;
  }

  /** Begins with an entry; returns when there is room for the next. */
  async #begin(
    entry: CopyTreeEntry,
    parent: Folder,
    first = false,
  ): Promise<void> {
    if (entry.info.isDirectory) {
      await this.#attempt(entry, () => this.#enter(entry, parent, first));
      return;
    }
    await this.#room();
    this.start(entry, parent, () => this.#admitted(entry));
  }

  /**
   * Copies what is no folder, beside others.
   *
   * @param find gives what it is, unless it is left out.
   */
  start(
    about: CopyTreeFailure,
    parent: Folder,
    find: () => Promise<CopyTreeEntry | undefined>,
  ): void {
    parent.begin();
    this.#running++;
    const copy = async () => {
      const entry = await find();
      if (entry !== undefined) await this.#copy(entry);
    };
    this.#attempt(about, copy).finally(() => {
      this.#running--;
      parent.end();
      this.goOn();
    });
  }

  /** There may be room for more. */
  goOn(): void {
    this.#next?.();
    this.#lists.wake();
  }

  /** Resolves when fewer are in flight than may be. There is one walker only. */
  async #room(): Promise<void> {
    while (!this.#hasRoom) {
      this.#needsRoom = true;
      await this.#oneDone();
    }
    this.#needsRoom = false;
  }

  /** Whether fewer are in flight than may be, and the walk does not wait for that. */
  get hasRoom(): boolean {
    return !this.#needsRoom && this.#hasRoom;
  }

  get #hasRoom(): boolean {
    return this.#running + this.#lists.busy < this.#limit;
  }

  #oneDone(): Promise<void> {
    return new Promise((resolve) => this.#next = resolve);
  }

  async #copy(entry: CopyTreeEntry): Promise<void> {
    this.done(await copyEntry(this, entry), entry);
  }

  /** An entry exists at its destination. */
  done(kind: EntryKind, entry: CopyTreeEntry): void {
    this.result[kind]++;
    this.#progress.files++;
    this.#tell(entry.from);
    this.options.onCopied?.(entry);
  }

  /** So many more bytes were copied. */
  moved(bytes: number, current: string): void {
    this.result.bytes += bytes;
    this.#progress.bytes += bytes;
    this.#tell(current);
  }

  #tell(current: string): void {
    const { progress } = this.options;
    if (progress === undefined) return;
    this.#progress.current = current;
    progress({ ...this.#progress });
  }

  /** Does something about an entry, and notes what goes wrong. */
  async #attempt(
    entry: CopyTreeFailure,
    action: () => Promise<void>,
  ): Promise<void> {
    if (this.stopped) return;
    try {
      await action();
    } catch (error) {
      this.fail(entry, error);
    }
  }

  /** Nothing can be copied any more. */
  break(error: unknown): void {
    this.#failure ??= { error };
  }

  /** An entry could not be copied. */
  fail(entry: CopyTreeFailure, error: unknown): void {
    const { onError, signal } = this.options;
    // Everything that was in flight ends with the signal's reason.
    if (signal?.aborted === true) return;
    const told = withPath(error, "copy", entry.from, entry.to);
    this.result.failed++;
    if (onError === undefined) this.#failure ??= { error: told };
    else {
      try {
        onError(told, entry);
      } catch (thrown) {
        this.break(thrown);
      }
    }
  }

  /** Whether an entry is to be copied. */
  async #admits(entry: CopyTreeEntry): Promise<boolean> {
    this.options.signal?.throwIfAborted();
    if (this.asks) {
      allowRead(entry.from, "copyTree");
      allowWrite(entry.to, "copyTree");
    }
    const { filter } = this.options;
    return filter === undefined || this.heeds(await filter(entry));
  }

  /** What `filter` has answered; counts what it leaves out. */
  heeds(answer: boolean): boolean {
    if (answer) return true;
    this.result.skipped++;
    return false;
  }

  /** The entry, if `filter` will have said so. */
  async judged(
    entry: CopyTreeEntry,
    answer: Promise<boolean>,
  ): Promise<CopyTreeEntry | undefined> {
    return this.heeds(await answer) ? entry : undefined;
  }

  /** The entry, if it is to be copied. */
  async #admitted(entry: CopyTreeEntry): Promise<CopyTreeEntry | undefined> {
    return await this.#admits(entry) ? entry : undefined;
  }

  /** Makes a folder, and goes through it. */
  async #enter(
    entry: CopyTreeEntry,
    parent: Folder,
    first: boolean,
  ): Promise<void> {
    if (!await this.#admits(entry)) return;
    this.#checkLoop(entry, first ? undefined : parent);
    const made: FolderCopy = await makeFolder(this.ring, entry, this.options);
    if (made.fresh) {
      this.result.folders++;
      this.#progress.folders++;
    }
    this.#tell(entry.from);
    this.options.onCopied?.(entry);
    parent.begin();
    const above = first ? undefined : parent;
    const folder = new Folder(entry.info, made.fresh, above, () => {
      const leave = () => leaveFolder(this.ring, made, this.options);
      this.#attempt(entry, leave).finally(() => parent.end());
    });
    try {
      await this.#list(entry, folder);
    } finally {
      folder.end();
    }
  }

  async #list(entry: CopyTreeEntry, folder: Folder): Promise<void> {
    while (this.#lists.isFull) await this.#oneDone();
    const found = await withDescriptor(
      () => Array.fromAsync(readDir(entry.from)),
      this.options.signal,
    );
    const files = found.filter(({ isFile }) => isFile);
    const names = files.map(({ name }) => name);
    const isTaken = this.#lists.take(entry, folder, names);
    for (const { name, isDirectory, isFile, isSymlink } of found) {
      if (this.stopped) return;
      if (isFile && isTaken) continue;
      const from = `${entry.from}/${name}`;
      const to = `${entry.to}/${name}`;
      const about: CopyTreeFailure = { from, to };
      const follows = isSymlink && this.options.symlinks === "follow";
      if (!isDirectory && !follows) {
        await this.#room();
        this.start(about, folder, () => this.find(about, folder));
        continue;
      }
      // A folder's own entries come next: it has to be known now.
      await this.#attempt(about, async () => {
        await this.#begin(await this.#look(from, to, folder), folder);
      });
    }
  }

  /** Looks at an entry, and asks whether it is to be copied. */
  async find(
    about: CopyTreeFailure,
    folder: Folder,
  ): Promise<CopyTreeEntry | undefined> {
    const entry = await this.#look(about.from, about.to, folder);
    Object.assign(about, entry);
    return await this.#admitted(entry);
  }

  async #look(
    from: string,
    to: string,
    folder: Folder,
  ): Promise<CopyTreeEntry> {
    const follow = this.options.symlinks === "follow";
    const flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
    const info = await this.ring.submit(fileInfo(from, flags));
    const exists = folder.fresh
      ? undefined
      : await lookAt(this.ring, to, AT_SYMLINK_NOFOLLOW);
    return exists === undefined
      ? { from, to, info }
      : { from, to, info, exists };
  }

  /** A symbolic link that is followed may lead to where it is. */
  #checkLoop({ from, info }: CopyTreeEntry, parent: Folder | undefined): void {
    for (let above = parent; above !== undefined; above = above.parent) {
      if (isSame(above.info, info)) {
        throw systemError(ELOOP, "openat", { path: from });
      }
    }
  }
}
