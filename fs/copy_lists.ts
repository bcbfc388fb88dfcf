/**
 * The files of new folders: those that are small are copied by a queue, the others by the walk.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { opcodes } from "../ops/opcodes.ts";
import { isSparse } from "./copy_data.ts";
import type {
  CopyTreeEntry,
  CopyTreeFailure,
  CopyTreeOptions,
} from "./copy_options.ts";
import { SmallQueue, type SmallSource } from "./copy_queue.ts";
import { SMALL_FILE, type SmallCopy } from "./copy_small.ts";
import type { CopyWalk, Folder } from "./copy_walk.ts";
import type { FileInfo } from "./stat.ts";

/** How many folders may wait: the walk need not be far ahead. */
const MOST = 4;

/** The files of a folder. */
interface FileList {
  readonly from: string;
  readonly to: string;
  readonly folder: Folder;
  readonly names: readonly string[];
  /** Which one is next. */
  at: number;
}

/** Files that wait for their turn. */
export class FileLists implements SmallSource, AsyncDisposable {
  readonly #walk: CopyWalk;
  readonly #slots: number;
  readonly #lists: FileList[] = [];
  #queue: SmallQueue | undefined;
  #isOfUse: boolean;

  /**
   * Nothing yet.
   *
   * @param slots how many files are in flight at most.
   */
  constructor(walk: CopyWalk, slots: number) {
    this.#walk = walk;
    this.#slots = slots;
    // Files without a name are linked by linkat, which came with the tables that take open files.
    this.#isOfUse = !walk.asks && isPlain(walk.options) &&
      opcodes.linkat.supported();
  }

  /** How many files are under way. */
  get busy(): number {
    return this.#queue?.busy ?? 0;
  }

  /** Whether so many wait that no more need be found. */
  get isFull(): boolean {
    return this.#lists.length >= MOST;
  }

  /**
   * Takes the files of a folder whose copy is new, so that there is nothing in it.
   *
   * @returns false if they are to be copied in another way.
   */
  take(
    { from, to }: CopyTreeEntry,
    folder: Folder,
    names: readonly string[],
  ): boolean {
    if (!this.#isOfUse || !folder.fresh) return false;
    if (names.length === 0) return true;
    this.#queue ??= this.#start();
    if (this.#queue === undefined) return false;
    folder.begin();
    this.#lists.push({ from, to, folder, names, at: 0 });
    this.#queue.wake();
    return true;
  }

  #start(): SmallQueue | undefined {
    try {
      const { backend } = this.#walk.ring.ring;
      return new SmallQueue(this.#slots, backend, this);
    } catch (error) {
      // EMFILE, ENOMEM: one ring has to do.
      if (!isSystemError(error)) throw error;
      this.#isOfUse = false;
      return undefined;
    }
  }

  /** There may be room. */
  wake(): void {
    if (this.#lists.length > 0) this.#queue?.wake();
  }

  next(): SmallCopy | undefined {
    const walk = this.#walk;
    if (walk.stopped) this.#clear();
    const [list] = this.#lists;
    if (list === undefined || !walk.hasRoom) return undefined;
    const { folder, names } = list;
    const name = names[list.at++] as string;
    folder.begin();
    if (list.at === names.length) {
      this.#lists.shift();
      folder.end();
    }
    const [from, to] = [`${list.from}/${name}`, `${list.to}/${name}`];
    return new SmallFile(walk, folder, from, list.to, to);
  }

  failed(error: unknown): void {
    this.#walk.break(error);
    this.#clear();
  }

  #clear(): void {
    if (this.#lists.length === 0) return;
    for (const { folder } of this.#lists.splice(0)) folder.end();
    this.#walk.goOn();
  }

  /** Takes the queue down; nothing may be under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue?.[Symbol.asyncDispose]();
  }
}

/** Whether files get nothing but their data, by reads and writes, and nobody is asked about them. */
function isPlain(options: CopyTreeOptions): boolean {
  const { direct, filter, preserve = {}, reflink, sparse } = options;
  const { mode, timestamps, ownership, xattr } = preserve;
  return ![direct, mode, timestamps, ownership, xattr].includes(true) &&
    filter === undefined && reflink !== "always" && sparse !== "always";
}

/** A file of a list, on its way. */
class SmallFile implements SmallCopy {
  readonly #walk: CopyWalk;
  readonly #parent: Folder;
  #info: FileInfo | undefined;

  constructor(
    walk: CopyWalk,
    parent: Folder,
    readonly from: string,
    readonly folder: string,
    readonly to: string,
  ) {
    this.#walk = walk;
    this.#parent = parent;
  }

  looked(info: FileInfo): boolean {
    this.#info = info;
    const { options, sharing } = this.#walk;
    const { preserve, reflink, sparse } = options;
    const isSmall = info.isFile && info.size < SMALL_FILE &&
      !(preserve?.links === true && (info.nlink ?? 1) > 1) &&
      !(sparse !== "never" && isSparse(info)) &&
      !(reflink !== "never" && sharing.possible);
    if (!isSmall) this.refused();
    return isSmall;
  }

  copied(bytes: number): void {
    const walk = this.#walk;
    const { from, to } = this;
    const entry = { from, to, info: this.#info as FileInfo };
    try {
      walk.moved(bytes, from);
      walk.done("files", entry);
    } catch (error) {
      walk.fail(entry, error);
    }
    this.#parent.end();
    walk.goOn();
  }

  refused(): void {
    const walk = this.#walk;
    const { from, to } = this;
    const info = this.#info;
    const about: CopyTreeFailure = { from, to };
    const entry = info === undefined ? undefined : { from, to, info };
    walk.start(
      entry ?? about,
      this.#parent,
      () =>
        entry === undefined
          ? walk.find(about, this.#parent)
          : Promise.resolve(entry),
    );
    this.#parent.end();
  }
}
