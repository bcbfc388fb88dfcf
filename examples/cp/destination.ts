/**
 * What is at a destination, and what that means for a copy.
 *
 * @module
 */

import type { Statx } from "../../ffi/structs/statx.ts";
import { removeAt } from "../../fs/entries.ts";
import { mayOverwrite } from "./ask.ts";
import { quote } from "../quote.ts";
import { sameFile } from "./same_file.ts";
import { find, lookUp, type Session } from "./session.ts";
import type { Section } from "./transcript.ts";
import { attempt, codeOf, Complaint } from "./trouble.ts";

/** What is copied where. */
export interface Aim {
  /** The source's name. */
  from: string;
  /** What is known of the source. */
  source: Statx;
  /** The destination's name. */
  to: string;
  /** What is at the destination itself, links not followed: undefined if nobody has looked. */
  there: Statx | null | undefined;
  /** Whether it is an operand. */
  top: boolean;
  /** Whether an operand was made here before, in this run. */
  made: boolean;
}

/** What is at a destination. */
export interface Destination {
  /** What is there, as it counts for the copy; null if nothing is in the way. */
  old: Statx | null;
  /** Whether it is a symbolic link, that is followed. */
  linked: boolean;
  /** Whether what is there gives way, whatever it is. */
  gives: boolean;
  /** Whether a symbolic link is there that leads nowhere. */
  dangling: boolean;
}

/** A destination where there is nothing. */
export const NOTHING: Destination = {
  old: null,
  linked: false,
  gives: false,
  dangling: false,
};

/**
 * Looks at a destination.
 *
 * @throws {Complaint} if it cannot be looked at.
 */
export async function examine(
  session: Session,
  { source, to, there }: Aim,
): Promise<Destination> {
  const what = `cannot stat ${quote(to)}`;
  const itself = there !== undefined
    ? there
    : await attempt(what, () => find(session, to, false));
  if (itself === null) return NOTHING;
  if (!itself.isSymlink || countsItself(session, source)) {
    return { ...NOTHING, old: itself };
  }
  try {
    const old = await lookUp(session, to, true);
    return { ...NOTHING, old, linked: true };
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return { ...NOTHING, dangling: true };
    const loops = code === "ELOOP" && session.settings.force;
    if (loops) return { ...NOTHING, gives: true };
    return await attempt(what, () => Promise.reject(error));
  }
}

/** Whether a symbolic link at the destination is what counts, and not what it leads to. */
function countsItself(session: Session, source: Statx): boolean {
  return session.settings.removeFirst || !isRead(session, source);
}

/** Whether something is copied by reading it: outside of a tree, a FIFO is. */
export function isRead({ settings }: Session, source: Statx): boolean {
  if (source.isFile) return true;
  if (source.isDirectory || source.isSymlink) return false;
  return !settings.recursive || settings.contents;
}

/**
 * Decides what to do about a file that is there already.
 *
 * @returns `"skip"` to leave it alone; `"newer"` to leave it alone because it is as new as the
 * source; null to go on.
 * @throws {Complaint} if it must not be overwritten.
 */
export async function decide(
  session: Session,
  { from, source, to, top, made }: Aim,
  old: Statx,
): Promise<"skip" | "newer" | null> {
  const { settings } = session;
  if (!source.isDirectory && settings.clobber === "keep") return "skip";
  const unfollowed = keepsLinks(session, top);
  const pair = { from, to, source, old };
  const same = await sameFile(session, pair, unfollowed);
  if (same === "done") return "skip";
  if (same === "same") {
    throw new Complaint(`${quote(from)} and ${quote(to)} are the same file`);
  }
  if (!source.isDirectory) {
    const newer = old.mtimeNanoseconds >= source.mtimeNanoseconds;
    if (settings.update && newer) return "newer";
    const asks = settings.clobber === "ask";
    if (asks && !mayOverwrite(session, to, old)) return "skip";
  }
  if (old.isDirectory) {
    if (source.isDirectory) return null;
    const what = `cannot overwrite directory ${quote(to)}`;
    throw new Complaint(`${what} with non-directory`);
  }
  if (source.isDirectory) {
    const what = `cannot overwrite non-directory ${quote(to)}`;
    throw new Complaint(`${what} with directory ${quote(from)}`);
  }
  if (made) {
    const what = `will not overwrite just-created ${quote(to)}`;
    throw new Complaint(`${what} with ${quote(from)}`);
  }
  return null;
}

/** Whether symbolic links are copied themselves. */
function keepsLinks({ settings }: Session, top: boolean): boolean {
  return settings.follow === "never" || settings.follow === "operands" && !top;
}

/** Whether what is there has to give way to a copy, as it cannot become one. */
export function givesWay(
  session: Session,
  { source, top }: Aim,
  old: Statx,
): boolean {
  if (old.isDirectory) return false;
  const { removeFirst, preserve } = session.settings;
  return removeFirst ||
    preserve.links && old.nlink > 1 ||
    keepsLinks(session, top) && !source.isFile;
}

/** Takes away what is there. */
export async function takeAway(
  { uring, settings }: Session,
  section: Section,
  to: string,
): Promise<void> {
  const what = `cannot remove ${quote(to)}`;
  await attempt(what, () => removeAt(uring, to));
  if (settings.verbose) section.say(`removed ${quote(to)}`);
}
