/**
 * What is no regular file and no directory: links of both kinds, FIFOs, sockets, devices.
 *
 * @module
 */

import { makeNode } from "../../ffi/inode.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { linkTo, moveTo, removeAt, symlinkTo } from "../../fs/entries.ts";
import { preserve } from "./attributes.ts";
import { hiddenBeside } from "./draft.ts";
import { quote } from "../quote.ts";
import { find, sameInode, type Session } from "./session.ts";
import type { Section } from "./transcript.ts";
import { attempt, codeOf, Complaint, worded } from "./trouble.ts";

/** What is copied, and what becomes of it. */
export interface SpecialErrand {
  /** Its name. */
  from: string;
  /** The name of the copy. */
  to: string;
  /** What is known of it. */
  source: Statx;
}

/** Copies a symbolic link, a FIFO, a socket or a device; gives whether it kept what it had to. */
export async function copySpecial(
  session: Session,
  section: Section,
  { from, to, source }: SpecialErrand,
): Promise<boolean> {
  if (source.isSymlink) await copySymlink(session, from, to);
  else await copyNode(session, to, source);
  const { mode } = source;
  const copy = { from, source, file: to, to, fresh: true };
  const kept = session.settings.forgetMode
    ? 0o666 & ~session.umask
    : mode & 0o7777 & ~session.umask;
  // With an owner to be preserved, the permissions for others were held back.
  const held = session.settings.preserve.ownership ||
    session.settings.forgetMode;
  return preserve(session, section, { ...copy, mode: held ? kept : null });
}

async function copySymlink(
  session: Session,
  from: string,
  to: string,
): Promise<void> {
  const what = `cannot read symbolic link ${quote(from)}`;
  // io_uring has no op for it.
  const target = await attempt(what, () => Deno.readLink(from));
  await attempt(`cannot create symbolic link ${quote(to)}`, async () => {
    try {
      await symlinkTo(session.uring, target, to);
    } catch (error) {
      const forced = session.settings.force && codeOf(error) === "EEXIST";
      if (!forced) throw error;
      const hidden = hiddenBeside(to);
      await symlinkTo(session.uring, target, hidden);
      await moveTo(session.uring, hidden, to, true);
    }
  });
}

async function copyNode(
  { settings }: Session,
  to: string,
  { isFifo, mode, rdev }: Statx,
): Promise<void> {
  const what = isFifo
    ? `cannot create fifo ${quote(to)}`
    : `cannot create special file ${quote(to)}`;
  const alone = settings.preserve.ownership ? ~0o077 : ~0;
  await attempt(what, () => makeNode(to, mode & alone, isFifo ? 0 : rdev));
}

/** Lets a name be another one of a file that was copied before. */
export async function hardLink(
  session: Session,
  section: Section,
  earlier: string,
  to: string,
): Promise<void> {
  const { uring, settings } = session;
  const follow = settings.follow === "always";
  const what = `cannot create hard link ${quote(to)} to ${quote(earlier)}`;
  try {
    await linkTo(uring, earlier, to, follow);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw new Complaint(worded(what, error));
    await attempt(what, () => replaceByLink(session, earlier, to, follow));
    if (settings.verbose) section.say(`removed ${quote(to)}`);
  }
}

async function replaceByLink(
  session: Session,
  earlier: string,
  to: string,
  follow: boolean,
): Promise<void> {
  const { uring } = session;
  const there = await find(session, to, false);
  const wanted = await find(session, earlier, false);
  // Renamed onto another name of the same file, a name stays where it is.
  if (there !== null && wanted !== null && sameInode(there, wanted)) return;
  const hidden = hiddenBeside(to);
  await linkTo(uring, earlier, hidden, follow);
  try {
    await moveTo(uring, hidden, to, true);
  } catch (error) {
    await removeAt(uring, hidden);
    throw error;
  }
}
