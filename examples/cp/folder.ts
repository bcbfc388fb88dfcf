/**
 * Directories: what is in them, what is made for them, and when a copy is complete.
 *
 * @module
 */

import { closeDescriptor } from "../../ffi/descriptors.ts";
import { O_DIRECTORY, O_RDONLY } from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { makeFolderAt } from "../../fs/entries.ts";
import { readDir } from "../../fs/read_dir.ts";
import { type Inode, preserve } from "./attributes.ts";
import { isHidden } from "./draft.ts";
import { quote } from "../quote.ts";
import { find, lookUp, open, type Session, yieldTurn } from "./session.ts";
import type { Section } from "./transcript.ts";
import { attempt, codeOf } from "./trouble.ts";

/** How many entries of a directory are looked up at a time. */
const CHUNK = 256;
/** Of a directory with more entries not all that is known is kept in memory. */
const MANY = 8192;
const S_IRWXU = 0o700;

/** A directory on the way from an operand to what is being copied. */
export interface Ancestor {
  /** Its identity. */
  readonly identity: string;
  /** The one that it is in. */
  readonly parent: Ancestor | null;
}

/** Whether a directory is among the ancestors of what is being copied. */
export function isAncestor(identity: string, inside: Ancestor | null): boolean {
  for (let at = inside; at !== null; at = at.parent) {
    if (at.identity === identity) return true;
  }
  return false;
}

/** A directory that is being copied: complete when all that is in it is. */
export class Folder implements Ancestor {
  /** Its identity. */
  readonly identity: string;
  /** The one that it is in. */
  readonly parent: Folder | null;
  #pending = 1;
  readonly #complete: () => Promise<void>;
  readonly #add: (job: () => Promise<void>) => void;

  /**
   * A directory in which something is to be copied yet.
   *
   * @param complete what is to be done when it is complete.
   * @param add runs a job.
   */
  constructor(
    identity: string,
    parent: Folder | null,
    complete: () => Promise<void>,
    add: (job: () => Promise<void>) => void,
  ) {
    this.identity = identity;
    this.parent = parent;
    this.#complete = complete;
    this.#add = add;
    parent?.enter();
  }

  /** Something more is to be copied in it. */
  enter(): void {
    this.#pending++;
  }

  /** Something in it is done; the last one is the walk through it. */
  leave(): void {
    if (--this.#pending > 0) return;
    this.#add(async () => {
      await this.#complete();
      this.parent?.leave();
    });
  }
}

/** Something in a directory. */
export interface Inmate {
  /** Its name. */
  name: string;
  /** What is known of it, symbolic links followed if they are to be; or why nothing is. */
  source: Statx | { error: unknown };
  /** What is at its destination; undefined if nobody has looked. */
  there: Statx | null | undefined;
}

/**
 * What is in a directory, in the order of the inodes, in which a disk reads it quickest.
 *
 * @param to the destination, if there may be something in it already; else null.
 */
export async function* inmates(
  session: Session,
  from: string,
  to: string | null,
  follow: boolean,
): AsyncGenerator<Inmate, undefined> {
  const what = `cannot access ${quote(from)}`;
  // Deno.readDirSync would leave out what cannot be read, and say nothing.
  const names = await attempt(what, async () => {
    const entries = await Array.fromAsync(readDir(from));
    return entries.map(({ name }) => name).filter((name) => !isHidden(name));
  });
  const known = await inOrder(session, from, names);
  for (let at = 0; at < known.length; at += CHUNK) {
    const part = known.slice(at, at + CHUNK);
    const here = known.length > MANY
      ? await lookUpAll(session, part.map(({ name }) => join(from, name)))
      : part.map(({ source }) => source);
    const there = to === null
      ? []
      : await lookUpAll(session, part.map(({ name }) => join(to, name)));
    for (const [i, { name }] of part.entries()) {
      const path = join(from, name);
      const source = await followed(session, path, here[i], follow);
      yield { name, source, there: there[i] };
    }
  }
}

interface Known {
  name: string;
  /** Undefined if it has to be looked up again. */
  source: Statx | undefined;
}

async function inOrder(
  session: Session,
  from: string,
  names: string[],
): Promise<Known[]> {
  const found: (Known & { inode: number })[] = [];
  for (let at = 0; at < names.length; at += CHUNK) {
    const part = names.slice(at, at + CHUNK);
    const infos = await lookUpAll(session, part.map((it) => join(from, it)));
    part.forEach((name, i) => {
      const info = infos[i] ?? undefined;
      const source = names.length > MANY ? undefined : info;
      found.push({ name, source, inode: info?.ino ?? 0 });
    });
  }
  return found.sort((a, b) => a.inode - b.inode);
}

/** What is known of files; null where there is nothing, undefined where it cannot be told. */
async function lookUpAll(
  session: Session,
  paths: string[],
): Promise<(Statx | null | undefined)[]> {
  const { burst } = session;
  if (burst === null) {
    return await Promise.all(
      paths.map((path) => find(session, path, false).catch(unlessBroken)),
    );
  }
  await yieldTurn();
  return burst.lookUp(paths);
}

/** Whoever asks again learns why. */
function unlessBroken(error: unknown): undefined {
  if (codeOf(error) === undefined) throw error;
}

/** What is known of a file, or why nothing is. */
async function followed(
  session: Session,
  path: string,
  source: Statx | null | undefined,
  follow: boolean,
): Promise<Statx | { error: unknown }> {
  if (source && !(follow && source.isSymlink)) return source;
  try {
    return await lookUp(session, path, follow);
  } catch (error) {
    return { error };
  }
}

/** A name in a directory, as a path. */
export function join(directory: string, name: string): string {
  return `${directory.replace(/\/+$/, "")}/${name}`;
}

/** The permissions that a directory gets once all is in it; null if it has them from the beginning. */
export interface Made {
  /** What it is to be changed to at the end. */
  final: number | null;
  /** What the kernel knows of it. */
  info: Statx;
}

/**
 * Makes a directory.
 *
 * @throws {Complaint} if it cannot be made.
 */
export async function makeFolder(
  session: Session,
  to: string,
  source: Statx,
): Promise<Made> {
  const { preserve, forgetMode } = session.settings;
  const wanted = source.mode & 0o7777;
  // What others could do to it while it is filled is held back.
  const held = wanted & (preserve.ownership ? 0o077 : 0o022);
  await attempt(
    `cannot create directory ${quote(to)}`,
    () => makeFolderAt(session.uring, to, wanted & ~held),
  );
  const what = `cannot stat ${quote(to)}`;
  const info = await attempt(what, () => lookUp(session, to, false));
  let final: number | null = null;
  if ((info.mode & S_IRWXU) !== S_IRWXU) {
    // Without them nothing could be put into it.
    final = info.mode & 0o7777;
    await attempt(
      `setting permissions for ${quote(to)}`,
      () => Deno.chmodSync(to, info.mode & 0o7777 | S_IRWXU),
    );
  }
  const missing = held & ~session.umask;
  if (missing !== 0) final = (final ?? info.mode & 0o7777) | missing;
  // The special bits stay: what is forgotten are the permissions.
  if (forgetMode) final = info.mode & 0o7000 | 0o777 & ~session.umask;
  return { final, info };
}

/** Gives a directory what is to be preserved, when all is in it. */
export async function finishFolder(
  session: Session,
  section: Section,
  { from, to, source, made }: {
    from: string;
    to: string;
    source: Statx;
    made: Made | null;
  },
): Promise<void> {
  const { mode, timestamps, ownership, xattr } = session.settings.preserve;
  const fresh = made !== null;
  const final = made?.final ?? null;
  if (final === null && !(mode || timestamps || ownership || xattr)) return;
  const input = await openFolder(session, from);
  const file = await openFolder(session, to);
  try {
    const copy = { from: input, source, file, to, fresh, mode: final };
    await preserve(session, section, copy);
  } finally {
    for (const fd of [input, file]) {
      if (typeof fd === "number") closeDescriptor(fd);
    }
  }
}

/** A directory, open; its name where it may not be read. */
async function openFolder(session: Session, path: string): Promise<Inode> {
  try {
    return await open(session, path, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return path;
  }
}
