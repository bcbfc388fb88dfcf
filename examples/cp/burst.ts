/**
 * Many small files at a time, in the shortest way there is.
 *
 * A promise for each op costs more than what the kernel does for a small file. So these run on a
 * ring of their own without any: each completion says what its file needs next, and the thread
 * waits for several at once. The event loop stands still meanwhile, for some milliseconds.
 *
 * Whatever is not as expected is undone and left to the careful way, which finds out what to say.
 *
 * @module
 */

import {
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
} from "../../ffi/abi.ts";
import { closeDescriptor } from "../../ffi/descriptors.ts";
import { isSystemError } from "../../ffi/errors.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_RDONLY,
  O_TMPFILE,
  O_WRONLY,
  STATX_BASIC_STATS,
} from "../../ffi/linux.ts";
import { Memory } from "../../ffi/memory.ts";
import { readStatx, type Statx } from "../../ffi/structs/statx.ts";
import { prepOpenat } from "../../ops/open.ts";
import { prepLinkat, prepStatx } from "../../ops/path.ts";
import { prepRead, prepWrite } from "../../ops/rw.ts";
import { Ring } from "../../ring/ring.ts";
import type { Sqe } from "../../ring/sqe.ts";

/** Files up to this size are small. */
export const SMALL = 64 * 1024;

/** How many completions are waited for at a time: to be woken for each takes longer. */
const TOGETHER = 16;
/** Room for a path with its NUL: the kernel's PATH_MAX. */
const PATH = 4096;

/** Where in the memory of a lane things are. */
const FROM = 0;
const FOLDER = PATH;
const TO = 2 * PATH;
const SELF = 3 * PATH;
const STATX = 4 * PATH;
/** A byte longer than a small file, so that its end shows. */
const DATA = 5 * PATH;
const LANE = DATA + SMALL + PATH;

/** What a lane waits for; the tags of its ops are its number times eight, and this. */
const SOURCE = 0;
const DRAFT = 1;
const READ = 2;
const WRITE = 3;
const LINK = 4;
const STAT = 5;

const ENOENT = 2;

/** A small file to be copied to where nothing is. */
export interface SmallFile {
  /** Its name. */
  readonly from: string;
  /** The name of the copy. */
  readonly to: string;
  /** Its size in bytes. */
  readonly size: number;
  /** The permissions of the copy, less the umask. */
  readonly mode: number;
  /** Whether a symbolic link of its name is followed. */
  readonly follow: boolean;
}

/** A file on its way. */
interface Lane {
  readonly number: number;
  /** Where its memory begins. */
  readonly begin: number;
  /** Which of the files it has. */
  index: number;
  source: number;
  draft: number;
  /** How many ops are in flight. */
  busy: number;
}

/** One thread that submits and then waits: completions need not interrupt it. */
function newRing(lanes: number): Ring {
  const deferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  for (const flags of [deferred, IORING_SETUP_COOP_TASKRUN]) {
    try {
      return new Ring({ entries: 2 * lanes, flags });
    } catch (error) {
      if (!isSystemError(error) || error.code !== "EINVAL") throw error;
    }
  }
  return new Ring(2 * lanes);
}

/** Copies small files, and looks files up, many at a time. */
export class Burst implements Disposable {
  readonly #ring: Ring;
  readonly #memory: Memory;
  readonly #view: DataView;
  readonly #encoder = new TextEncoder();
  readonly #lanes: Lane[];
  #inFlight = 0;

  /**
   * Makes a ring, and the memory for it.
   *
   * @param lanes how many files are in flight.
   */
  constructor(lanes: number) {
    this.#ring = newRing(lanes);
    this.#memory = new Memory(lanes * LANE);
    this.#view = new DataView(this.#memory.bytes.buffer);
    this.#lanes = Array.from({ length: lanes }, (_, number) => {
      const begin = number * LANE;
      return { number, begin, index: -1, source: -1, draft: -1, busy: 0 };
    });
  }

  /** Whether a path has room. A character has three bytes at most, in UTF-8. */
  fits(path: string): boolean {
    return 3 * path.length < PATH;
  }

  /**
   * Looks files up, symbolic links not followed. Null where there is nothing, undefined where
   * it cannot be told why not, or what.
   */
  lookUp(paths: readonly string[]): (Statx | null | undefined)[] {
    const found: (Statx | null | undefined)[] = [];
    found.length = paths.length;
    this.#run(paths.length, (lane) => {
      const path = paths[lane.index] ?? "";
      if (!this.fits(path)) return false;
      const [at, into] = [this.#path(lane, FROM, path), this.#at(lane, STATX)];
      const sqe = this.#entry(lane, STAT);
      const mask = STATX_BASIC_STATS;
      prepStatx(sqe, AT_FDCWD, at, AT_SYMLINK_NOFOLLOW, mask, into);
      return true;
    }, (lane, _, res) => {
      if (res === 0) {
        found[lane.index] = readStatx(this.#view, lane.begin + STATX);
      } else if (res === -ENOENT) found[lane.index] = null;
    });
    return found;
  }

  /**
   * Copies files; tells which of them are copied.
   *
   * @param finish gives a copy what it is to have beside data: false if that takes more care.
   */
  copy(
    files: readonly SmallFile[],
    finish: (index: number, from: number, to: number) => boolean,
  ): boolean[] {
    const copied = files.map(() => false);
    const file = (lane: Lane) => files[lane.index] as SmallFile;
    const next = (lane: Lane, step: number, res: number): boolean => {
      const { size } = file(lane);
      if (step === SOURCE) lane.source = res;
      if (step === DRAFT) lane.draft = res;
      if (lane.busy > 0) return true;
      if (step <= DRAFT) {
        if (lane.source < 0 || lane.draft < 0) return false;
        this.#read(lane, size);
        return true;
      }
      if (step === LINK) {
        copied[lane.index] = res === 0;
        return false;
      }
      if (res !== size) return false;
      if (step === READ && size > 0) {
        this.#write(lane, size);
        return true;
      }
      if (!finish(lane.index, lane.source, lane.draft)) return false;
      this.#link(lane, file(lane).to);
      return true;
    };
    this.#run(files.length, (lane) => this.#open(lane, file(lane)), next);
    return copied;
  }

  /**
   * Gives each lane one thing after the other until all are done.
   *
   * @param begin queues the first op; false if it cannot be done here.
   * @param next looks at a completion, and queues what comes next; false if that was all.
   */
  #run(
    count: number,
    begin: (lane: Lane) => boolean,
    next: (lane: Lane, step: number, res: number) => boolean | void,
  ): void {
    let index = 0;
    const take = (lane: Lane) => {
      this.#close(lane);
      while (index < count) {
        lane.index = index++;
        if (begin(lane)) return;
      }
    };
    for (const lane of this.#lanes) take(lane);
    while (this.#inFlight > 0) {
      // The kernel looks at the queue in this very call, on this thread: no fence is needed.
      this.#ring.submitAndWait(Math.min(this.#inFlight, TOGETHER));
      this.#ring.forEachCqe(({ tag, res }) => {
        const lane = this.#lanes[tag >> 3] as Lane;
        this.#inFlight--;
        lane.busy--;
        if (next(lane, tag & 7, res) !== true && lane.busy === 0) take(lane);
      });
    }
  }

  #close(lane: Lane): void {
    if (lane.source >= 0) closeDescriptor(lane.source);
    if (lane.draft >= 0) closeDescriptor(lane.draft);
    lane.source = lane.draft = -1;
  }

  #open(lane: Lane, { from, to, mode, follow }: SmallFile): boolean {
    if (!this.fits(from) || !this.fits(to)) return false;
    const read = O_RDONLY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
    const source = this.#path(lane, FROM, from);
    prepOpenat(this.#entry(lane, SOURCE), AT_FDCWD, source, read, 0);
    const folder = to.slice(0, to.lastIndexOf("/") + 1) || "./";
    const write = O_WRONLY | O_TMPFILE | O_CLOEXEC;
    const place = this.#path(lane, FOLDER, folder);
    prepOpenat(this.#entry(lane, DRAFT), AT_FDCWD, place, write, mode);
    return true;
  }

  #read(lane: Lane, size: number): void {
    const at = this.#at(lane, DATA);
    prepRead(this.#entry(lane, READ), lane.source, at, size + 1, 0);
  }

  #write(lane: Lane, size: number): void {
    const at = this.#at(lane, DATA);
    prepWrite(this.#entry(lane, WRITE), lane.draft, at, size, 0);
  }

  #link(lane: Lane, to: string): void {
    const self = this.#path(lane, SELF, `/proc/self/fd/${lane.draft}`);
    const path = this.#path(lane, TO, to);
    const sqe = this.#entry(lane, LINK);
    prepLinkat(sqe, AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
  }

  #entry(lane: Lane, step: number): Sqe {
    const sqe = this.#ring.sqe();
    if (sqe === null) throw new Error("More was queued than the ring holds.");
    sqe.tag = lane.number * 8 + step;
    lane.busy++;
    this.#inFlight++;
    return sqe;
  }

  #at(lane: Lane, what: number): number {
    return this.#memory.address + lane.begin + what;
  }

  /** Puts a path where the kernel reads it; gives its address. */
  #path(lane: Lane, what: number, path: string): number {
    const begin = lane.begin + what;
    const room = this.#memory.bytes.subarray(begin, begin + PATH);
    room[this.#encoder.encodeInto(path, room).written] = 0;
    return this.#memory.address + begin;
  }

  /** Gives the ring and its memory back. */
  [Symbol.dispose](): void {
    this.#ring.close();
    this.#memory.close();
  }
}
