/**
 * The files of new folders: those that are small are copied by a queue, the others by the walk.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import { hasAttributes } from "../ffi/path.ts";
import { opcodes } from "../ops/opcodes.ts";
import {
  giveOwnerAndMode,
  giveTimes,
  type Times,
  timesAt,
} from "./copy_belongings.ts";
import { isSparse } from "./copy_data.ts";
import type {
  CopyTreeEntry,
  CopyTreeFailure,
  CopyTreeOptions,
} from "./copy_options.ts";
import { SmallQueue, type SmallSource } from "./copy_queue.ts";
import { SMALL_FILE } from "./copy_slots.ts";
import type { SmallCopy } from "./copy_small.ts";
import type { CopyWalk, Folder } from "./copy_walk.ts";
import { type FileInfo, fileInfoAt } from "./stat.ts";

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
  readonly finishes: boolean;
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
    const { mode, timestamps, ownership, xattr } = walk.options.preserve ?? {};
    this.finishes = [mode, timestamps, ownership, xattr].includes(true);
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

/** Whether files get their data by reads and writes, of all that there is. */
function isPlain({ direct, reflink, sparse }: CopyTreeOptions): boolean {
  return direct !== true && reflink !== "always" && sparse !== "always";
}

/** A file of a list, on its way. */
class SmallFile implements SmallCopy {
  readonly follows = false;
  size = -1;
  mode = 0;
  readonly #walk: CopyWalk;
  readonly #parent: Folder;
  /** Once it was looked at, and is to be copied. */
  #entry: CopyTreeEntry | undefined;
  #times: Times | undefined;

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

  looked(stat: DataView, at: number): boolean {
    const walk = this.#walk;
    const info = fileInfoAt(stat, at);
    const entry = { from: this.from, to: this.to, info };
    const answer = this.#ask(entry);
    if (typeof answer !== "boolean") {
      this.#handOver(entry, () => walk.judged(entry, answer));
      return false;
    }
    if (!answer) {
      this.#end();
      return false;
    }
    this.#entry = entry;
    if (!this.#isSmall(info)) {
      this.refused();
      return false;
    }
    this.size = info.size;
    this.mode = (info.mode ?? 0) & 0o777;
    if (walk.options.preserve?.timestamps === true) {
      this.#times = timesAt(stat, at);
    }
    return true;
  }

  /** Whether it is to be copied, or a promise of that. */
  #ask(entry: CopyTreeEntry): boolean | Promise<boolean> {
    const walk = this.#walk;
    const { filter } = walk.options;
    if (filter === undefined) return true;
    if (walk.stopped) return false;
    try {
      const answer = filter(entry);
      if (typeof answer === "boolean") return walk.heeds(answer);
      const promise = Promise.resolve(answer);
      // A walk that was stopped meanwhile does not wait for it.
      promise.catch(() => {});
      return promise;
    } catch (error) {
      walk.fail(entry, error);
      return false;
    }
  }

  #isSmall(info: FileInfo): boolean {
    const { options, sharing } = this.#walk;
    const { preserve, reflink, sparse } = options;
    return info.isFile && info.size < SMALL_FILE &&
      !(preserve?.links === true && (info.nlink ?? 1) > 1) &&
      !(sparse !== "never" && isSparse(info)) &&
      !(reflink !== "never" && sharing.possible);
  }

  finish(fd: number): boolean {
    const { preserve = {} } = this.#walk.options;
    const { info } = this.#entry as CopyTreeEntry;
    try {
      // What has attributes has to be read and written by ops.
      if (preserve.xattr === true && hasAttributes(this.from)) return false;
      giveOwnerAndMode(fd, info, preserve);
      if (this.#times !== undefined) giveTimes(fd, this.#times);
      return true;
    } catch (error) {
      // It goes wrong once more, where that is told.
      if (isSystemError(error)) return false;
      throw error;
    }
  }

  copied(): void {
    const walk = this.#walk;
    const entry = this.#entry as CopyTreeEntry;
    try {
      walk.moved(this.size, this.from);
      walk.done("files", entry);
    } catch (error) {
      walk.fail(entry, error);
    }
    this.#end();
  }

  refused(): void {
    const walk = this.#walk;
    const entry = this.#entry;
    if (entry !== undefined) {
      this.#handOver(entry, () => Promise.resolve(entry));
      return;
    }
    const about: CopyTreeFailure = { from: this.from, to: this.to };
    this.#handOver(about, () => walk.find(about, this.#parent));
  }

  /** Leaves it to the walk. */
  #handOver(
    about: CopyTreeFailure,
    find: () => Promise<CopyTreeEntry | undefined>,
  ): void {
    this.#walk.start(about, this.#parent, find);
    this.#parent.end();
  }

  #end(): void {
    this.#parent.end();
    this.#walk.goOn();
  }
}
