/**
 * Goes through what is to be copied, in coreutils' order, and decides about each thing in turn.
 * The data of files is copied meanwhile, many side by side.
 *
 * @module
 */

import { IORING_OP_LINKAT } from "../../ffi/abi.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import type { SmallCopy } from "../../fs/copy_small.ts";
import { SMALL_FILE } from "../../fs/copy_slots.ts";
import { preserveQuickly } from "./attributes.ts";
import {
  decide,
  type Destination,
  examine,
  givesWay,
  isRead,
  NOTHING,
  takeAway,
} from "./destination.ts";
import {
  finishFolder,
  Folder,
  inmates,
  isAncestor,
  join,
  type Made,
  makeFolder,
} from "./folder.ts";
import { directoryOf } from "./draft.ts";
import { quote } from "../quote.ts";
import { copyRegular, finalMode, firstMode } from "./regular.ts";
import { sameName } from "./same_file.ts";
import { identity, lookUp, type Session, yieldTurn } from "./session.ts";
import { copySpecial, hardLink } from "./special.ts";
import { arrow, type Section } from "./transcript.ts";
import { codeOf, Complaint, notUtf8 } from "./trouble.ts";

/** So many small files are copied in a burst. */
const BURST = 512;
/** If as many fail, and none does not, bursts are of no use here. */
const FEW = 16;

/** What an operand says, for all that is found below it. */
interface Operand {
  from: string;
  to: string;
  /** The file system that `-x` stays on. */
  device: number;
  /** Whether a directory has been made for it. */
  begun: boolean;
}

/** Something to be copied. */
interface Item {
  from: string;
  to: string;
  operand: Operand;
  /** Whether it is the operand itself. */
  top: boolean;
  inside: Folder | null;
  /** What is known of it; undefined if nobody has looked. */
  source?: Statx | { error: unknown };
  /** What is at the destination; undefined if nobody has looked. */
  there?: Statx | null | undefined;
}

/** A copy that other names of the same file are linked to. */
interface Copied {
  to: string;
  /** Whether it came to be. */
  done: Promise<boolean>;
}

/** Copies operands. */
export class Copier {
  readonly #session: Session;
  /** Whether several operands go to one directory. */
  readonly #several: boolean;
  readonly #copied = new Map<string, Copied>();
  readonly #seen = new Map<string, string[]>();
  readonly #made = new Set<string>();
  readonly #names = new Set<string>();
  /** Whether bursts can copy: so far as was tried. Files get their names by an op of Linux 5.15. */
  #bursts: boolean;
  /** Small files that wait until there are enough of them. */
  #small: Small[] = [];

  /**
   * Copies nothing yet.
   *
   * @param several whether several operands go to one directory.
   */
  constructor(session: Session, several: boolean) {
    this.#session = session;
    this.#several = several;
    this.#bursts = session.burst !== null &&
      session.uring.ring.probe().supports(IORING_OP_LINKAT);
  }

  /** Copies an operand. What goes wrong is told, and does not keep others from being copied. */
  async copy(from: string, to: string): Promise<void> {
    const name = to.slice(to.lastIndexOf("/") + 1);
    // It could be, or could be where, something is that was just made.
    if (this.#names.has(name)) await this.drain();
    this.#names.add(name);
    const operand = { from, to, device: 0, begun: false };
    await this.#visit({ from, to, operand, top: true, inside: null });
  }

  /** Waits until all that was begun is done. */
  async drain(): Promise<void> {
    await this.#copySmall();
    await this.#session.jobs.drain();
  }

  /**
   * Copies something; gives whether a directory turned out to be copied into itself.
   *
   * @param section what is printed about it.
   */
  async #visit(
    item: Item,
    section = this.#session.transcript.section(),
  ): Promise<boolean> {
    const { signal, jobs } = this.#session;
    signal.throwIfAborted();
    await jobs.room();
    let handedOver = false;
    try {
      const source = await this.#look(item, section);
      if (source === null) return false;
      const job = await this.#plan(item, source, section);
      if (job === "into itself") return true;
      if (job instanceof Walk) {
        section.end();
        handedOver = true;
        return await this.#walk(item, source, job);
      }
      if (job === null) return false;
      handedOver = true;
      await this.#run(item, section, job);
      return false;
    } catch (error) {
      if (!(error instanceof Complaint)) throw error;
      section.complain(error.message);
      return false;
    } finally {
      if (!handedOver) section.end();
    }
  }

  /** What is known of a source; null if it is not to be copied, and nothing more to be said. */
  async #look(item: Item, section: Section): Promise<Statx | null> {
    const { settings } = this.#session;
    const { from, to, operand, top } = item;
    let { source } = item;
    const strange = [from, to].find((name) => !name.isWellFormed());
    if (strange !== undefined) throw new Complaint(notUtf8(strange));
    try {
      source ??= await lookUp(this.#session, from, this.#follows(top));
      if ("error" in source) throw source.error;
    } catch (error) {
      // What Deno.readDir has in place of bytes that it cannot tell.
      if (from.includes("\ufffd") && codeOf(error) === "ENOENT") {
        throw new Complaint(notUtf8(from));
      }
      section.fail(`cannot stat ${quote(from)}`, error);
      return null;
    }
    if (source.isDirectory && !settings.recursive) {
      const what = `-r not specified; omitting directory ${quote(from)}`;
      throw new Complaint(what);
    }
    if (top) {
      operand.device = source.dev;
      // Trees may overlap, and be changed by what was copied before.
      if (source.isDirectory) await this.drain();
      if (await this.#repeated(from, source, section)) return null;
    }
    return source;
  }

  #follows(top: boolean): boolean {
    const { follow } = this.#session.settings;
    return follow === "always" || top && follow === "operands";
  }

  /** Whether a file was an operand before; of directories only the names count, later. */
  async #repeated(
    from: string,
    source: Statx,
    section: Section,
  ): Promise<boolean> {
    if (!this.#several || source.isDirectory) return false;
    const key = identity(source);
    const seen = this.#seen.get(key) ?? [];
    this.#seen.set(key, [...seen, from]);
    const same = await Promise.all(seen.map((it) => sameName(it, from)));
    if (!same.includes(true)) return false;
    section.warn(`source file ${quote(from)} specified more than once`);
    return true;
  }

  /** Decides what to do about something: null for nothing. */
  async #plan(
    item: Item,
    source: Statx,
    section: Section,
  ): Promise<Job | Walk | "into itself" | null> {
    const { settings } = this.#session;
    const { from, to, top } = item;
    const made = top && this.#made.has(to);
    const aim = { from, source, to, there: item.there, top, made };
    let destination = await examine(this.#session, aim);
    const { old } = destination;
    if (old !== null) {
      const verdict = await decide(this.#session, aim, old);
      if (verdict === "newer") return this.#link(source, to, section);
      if (verdict === "skip") return null;
      if (givesWay(this.#session, aim, old)) {
        await takeAway(this.#session, section, to);
        destination = NOTHING;
      }
    }
    if (made && (destination.linked || destination.dangling)) {
      const what = `will not copy ${quote(from)} through just-created symlink`;
      throw new Complaint(`${what} ${quote(to)}`);
    }
    if (source.isDirectory) {
      return await this.#planFolder(item, source, section, destination);
    }
    if (settings.verbose) section.say(arrow(from, to));
    return this.#planFile(item, source, section, destination);
  }

  /** Remembers a copy that other names may be linked to; gives the one that was there before. */
  #remember(source: Statx, to: string): {
    earlier: Copied | undefined;
    settle: (done: boolean) => void;
  } {
    const key = identity(source);
    const earlier = this.#copied.get(key);
    if (earlier !== undefined) return { earlier, settle: () => {} };
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#copied.set(key, { to, done: promise });
    const settle = (done: boolean) => {
      // Another name of it has to be copied then.
      if (!done) this.#copied.delete(key);
      resolve(done);
    };
    return { earlier: undefined, settle };
  }

  /** Links a destination that is left alone to another name of its source, copied before. */
  #link(source: Statx, to: string, section: Section): Job | null {
    const { earlier, settle } = this.#remember(source, to);
    settle(true);
    if (earlier === undefined) return null;
    return {
      alone: true,
      run: async () => {
        await hardLink(this.#session, section, earlier.to, to);
        return true;
      },
    };
  }

  #planFile(
    item: Item,
    source: Statx,
    section: Section,
    destination: Destination,
  ): Job {
    const session = this.#session;
    const { settings } = session;
    const { from, to, top } = item;
    const { old, linked, dangling, gives } = destination;
    const read = isRead(session, source);
    // What is not simply a new file, or instead of an old one, is done alone.
    const simple = source.isFile && !linked && !dangling &&
      (old === null || old.isFile && old.nlink === 1);
    const follow = this.#follows(top) || settings.follow !== "never";
    const errand = { from, to, source, follow, old, linked, gives };
    const copy = async (): Promise<boolean> => {
      if (!read) return await copySpecial(session, section, errand);
      if (dangling) {
        const what = `not writing through dangling symlink ${quote(to)}`;
        throw new Complaint(what);
      }
      return await copyRegular(session, section, errand);
    };
    return { alone: !simple, run: this.#linked(item, source, section, copy) };
  }

  /** Copies something, or links it to what another name of it was copied to. */
  #linked(
    { top, to }: Item,
    source: Statx,
    section: Section,
    copy: () => Promise<boolean>,
  ): () => Promise<boolean> {
    const { settings } = this.#session;
    const several = source.nlink > 1 || this.#follows(top);
    if (!settings.preserve.links || !several) return copy;
    let { earlier, settle } = this.#remember(source, to);
    return async () => {
      while (earlier !== undefined) {
        if (await earlier.done) {
          await hardLink(this.#session, section, earlier.to, to);
          return true;
        }
        ({ earlier, settle } = this.#remember(source, to));
      }
      let done = false;
      try {
        return done = await copy();
      } finally {
        settle(done);
      }
    };
  }

  async #planFolder(
    item: Item,
    source: Statx,
    section: Section,
    { old }: Destination,
  ): Promise<Walk | "into itself" | null> {
    const { settings } = this.#session;
    const { from, to, top, operand, inside } = item;
    const key = identity(source);
    const earlier = this.#copied.get(key);
    if (earlier === undefined) {
      if (top) {
        this.#copied.set(key, { to, done: Promise.resolve(true) });
      }
    } else {
      const verdict = await this.#repeatedFolder(item, section, earlier.to);
      if (verdict !== null) return verdict === "done" ? null : verdict;
    }
    if (isAncestor(key, inside)) {
      throw new Complaint(`cannot copy cyclic symbolic link ${quote(from)}`);
    }
    let made: Made | null = null;
    if (old === null) {
      made = await makeFolder(this.#session, to, source);
      if (!operand.begun) {
        operand.begun = true;
        const done = Promise.resolve(true);
        this.#copied.set(identity(made.info), { to, done });
      }
      if (settings.verbose) section.say(arrow(from, to));
    }
    return new Walk(made);
  }

  /** What to do about a directory that was copied before; null to copy it again. */
  async #repeatedFolder(
    { from, to, operand, top }: Item,
    section: Section,
    earlier: string,
  ): Promise<"into itself" | "done" | null> {
    if (await sameName(from, earlier)) {
      section.complain(
        `cannot copy a directory, ${quote(operand.from)}, into itself, ` +
          quote(operand.to),
      );
      return "into itself";
    }
    if (await sameName(to, earlier)) {
      const what = `source directory ${quote(operand.from)}`;
      section.warn(`${what} specified more than once`);
      return "done";
    }
    if (this.#follows(top)) return null;
    const what = `will not create hard link ${quote(operand.to)}`;
    throw new Complaint(`${what} to directory ${quote(earlier)}`);
  }

  /** Goes through a directory. */
  async #walk(item: Item, source: Statx, { made }: Walk): Promise<boolean> {
    const session = this.#session;
    const { from, to, operand, top, inside } = item;
    let finish: () => Promise<void> = () => Promise.resolve();
    const folder: Folder = new Folder(
      identity(source),
      inside,
      () => finish(),
      (job) => session.jobs.add(job),
    );
    let intoItself = false;
    try {
      const crosses = session.settings.oneFileSystem &&
        source.dev !== operand.device;
      if (!crosses) intoItself = await this.#walkInmates(item, folder, made);
      if (top) this.#made.add(to);
    } finally {
      const section = session.transcript.section();
      finish = async () => {
        const errand = { from, to, source, made };
        await finishFolder(session, section, errand);
        section.end();
      };
      folder.leave();
    }
    return intoItself;
  }

  async #walkInmates(
    { from, to, operand }: Item,
    inside: Folder,
    made: Made | null,
  ): Promise<boolean> {
    const session = this.#session;
    const follow = this.#follows(false);
    const filled = made === null ? to : null;
    try {
      for await (const it of inmates(session, from, filled, follow)) {
        const { name, source } = it;
        const there = made === null ? it.there : null;
        const [a, b] = [join(from, name), join(to, name)];
        const item = {
          from: a,
          to: b,
          operand,
          top: false,
          inside,
          source,
          there,
        };
        if (this.#isSmall(item)) await this.#addSmall(item, source as Statx);
        else if (await this.#visit(item)) return true;
      }
    } catch (error) {
      if (!(error instanceof Complaint)) throw error;
      const section = session.transcript.section();
      section.complain(error.message);
      section.end();
    }
    return false;
  }

  /** Whether something is a file that can be copied in a burst, to where nothing is. */
  #isSmall({ source, there }: Item): boolean {
    const { settings, burst } = this.#session;
    if (burst === null || !this.#bursts || there !== null) return false;
    if (source === undefined || "error" in source) return false;
    const { isFile, size, blocks, nlink } = source;
    return isFile && size < SMALL_FILE && size <= blocks * 512 &&
      settings.clobber !== "ask" &&
      !(settings.preserve.links && (nlink > 1 || this.#follows(false))) &&
      settings.sparse !== "always" && settings.reflink !== "always" &&
      !settings.direct;
  }

  async #addSmall(item: Item, source: Statx): Promise<void> {
    const section = this.#session.transcript.section();
    item.inside?.enter();
    this.#small.push(new Small(this.#session, item, source, section));
    if (this.#small.length >= BURST) await this.#copySmall();
  }

  /** Copies small files in a burst; those that need more care one by one. */
  async #copySmall(): Promise<void> {
    const small = this.#small;
    const session = this.#session;
    if (small.length === 0 || session.burst === null) return;
    this.#small = [];
    await yieldTurn();
    session.signal.throwIfAborted();
    session.burst.copy(small);
    // A file system without files that have no name, say.
    this.#bursts = small.some(({ done }) => done) || small.length < FEW;
    for (const { item, source, section, done } of small) {
      const { from, to, inside } = item;
      if (done) {
        session.progress.bytes(source.size);
        if (session.settings.verbose) section.say(arrow(from, to));
        section.end();
      } else {
        await this.#visit(item, section);
      }
      inside?.leave();
    }
  }

  /** Runs a job beside the others, or alone. */
  async #run(item: Item, section: Section, job: Job): Promise<void> {
    const { jobs, settings, signal, transcript } = this.#session;
    const { inside, top, to } = item;
    const alone = job.alone || settings.clobber === "ask";
    if (alone) await this.drain();
    inside?.enter();
    jobs.add(async () => {
      try {
        signal.throwIfAborted();
        if (await job.run()) {
          if (top) this.#made.add(to);
        } else transcript.ok = false;
      } catch (error) {
        if (!(error instanceof Complaint)) throw error;
        section.complain(error.message);
      } finally {
        section.end();
        inside?.leave();
      }
    });
    if (alone) await this.drain();
  }
}

/** A small file that waits for others. */
class Small implements SmallCopy {
  readonly from: string;
  readonly to: string;
  readonly folder: string;
  readonly follows: boolean;
  readonly size: number;
  readonly mode: number;
  /** Whether it is copied. */
  done = false;
  readonly #session: Session;

  constructor(
    session: Session,
    readonly item: Item,
    readonly source: Statx,
    readonly section: Section,
  ) {
    this.#session = session;
    this.from = item.from;
    this.to = item.to;
    this.folder = directoryOf(item.to);
    this.follows = session.settings.follow !== "never";
    this.size = source.size;
    this.mode = firstMode(session, source);
  }

  /** That has been done. */
  looked(): boolean {
    return true;
  }

  finish(file: number): boolean {
    const { from, source } = this;
    const mode = finalMode(this.#session, source);
    return preserveQuickly(this.#session, { from, source, file, mode });
  }

  copied(): void {
    this.done = true;
  }

  refused(): void {}
}

/** Something that is copied beside other things. */
interface Job {
  /** Whether nothing else may go on meanwhile. */
  alone: boolean;
  /** Copies it; gives whether all went well. */
  run: () => Promise<boolean>;
}

/** A directory to go through, that was made or was there. */
class Walk {
  readonly made: Made | null;
  constructor(made: Made | null) {
    this.made = made;
  }
}
