/**
 * Whether a copy would destroy what it copies.
 *
 * @module
 */

import type { Statx } from "../../ffi/structs/statx.ts";
import { lookUp, sameInode, type Session } from "./session.ts";
import { codeOf } from "./trouble.ts";

/** A source and what is at its destination. */
export interface Pair {
  /** The source's name. */
  from: string;
  /** The destination's name. */
  to: string;
  /** What is known of the source, as it is looked at. */
  source: Statx;
  /** What is at the destination, as it is looked at. */
  old: Statx;
}

/**
 * What stands against a copy: that both are the same file, or `"done"` if nothing has to be done
 * about that; null if nothing stands against it.
 *
 * @param unfollowed whether symbolic links are copied themselves.
 */
export async function sameFile(
  session: Session,
  pair: Pair,
  unfollowed: boolean,
): Promise<"same" | "done" | null> {
  return unfollowed
    ? await sameUnfollowed(session, pair)
    : await sameFollowed(session, pair);
}

/** Where symbolic links are copied themselves. */
async function sameUnfollowed(
  session: Session,
  { from, to, source, old }: Pair,
): Promise<"same" | "done" | null> {
  const same = sameInode(source, old);
  if (source.isSymlink && old.isSymlink) {
    if (await sameName(from, to)) return "same";
    // Two names of one symbolic link.
    return same ? "done" : null;
  }
  if (!source.isSymlink && !old.isSymlink) return same ? "same" : null;
  // A link and what it leads to.
  const followed = async (path: string, info: Statx) =>
    info.isSymlink ? await lookUp(session, path, true) : info;
  try {
    const target = await followed(from, source);
    return sameInode(target, await followed(to, old)) ? "same" : null;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return null;
  }
}

/** Where symbolic links are followed. */
async function sameFollowed(
  session: Session,
  { from, to, source, old }: Pair,
): Promise<"same" | null> {
  if (!sameInode(source, old)) return null;
  try {
    const [link, other] = await Promise.all([
      lookUp(session, from, false),
      lookUp(session, to, false),
    ]);
    // Only a name goes, if it goes first.
    const { removeFirst } = session.settings;
    if (removeFirst && link.isSymlink && other.isSymlink) return null;
    return "same";
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return null;
  }
}

/** Whether two paths are one name in one directory, whatever way leads there. */
export async function sameName(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map(nameIn));
  return first === second;
}

async function nameIn(path: string): Promise<string> {
  const bare = path.replace(/(?<=.)\/+$/, "");
  const name = bare.slice(bare.lastIndexOf("/") + 1);
  const directory = bare.slice(0, bare.length - name.length) || ".";
  const { dev, ino } = await Deno.stat(directory);
  return `${dev}:${ino}:${name}`;
}
