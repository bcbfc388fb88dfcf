/**
 * Regular files, and whatever else is read like one.
 *
 * @module
 */

import { closeDescriptor } from "../../ffi/descriptors.ts";
import { isSystemError } from "../../ffi/errors.ts";
import * as linux from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { isSparse } from "../../fs/copy_data.ts";
import { statx } from "../../ops/path.ts";
import { preserve } from "./attributes.ts";
import { Draft, replaceable } from "./draft.ts";
import { quote } from "../quote.ts";
import { identity, open, type Session } from "./session.ts";
import { type Ends, NotCloned, transfer } from "./transfer.ts";
import type { Section } from "./transcript.ts";
import { attempt, codeOf, Complaint, Interrupted, reason } from "./trouble.ts";

/** A file to be copied. */
export interface Errand {
  /** Its name. */
  from: string;
  /** The name of the copy. */
  to: string;
  /** What is known of it. */
  source: Statx;
  /** Whether a symbolic link of its name is followed. */
  follow: boolean;
  /** What is at the destination, links followed; null if there is nothing. */
  old: Statx | null;
  /** Whether what is at the destination gives way, whatever it is. */
  gives: boolean;
  /** Whether the destination is a symbolic link that leads to `old`. */
  linked: boolean;
}

/** Where the data goes. */
interface Target extends AsyncDisposable {
  readonly fd: number;
  /** Whether it is a new file. */
  readonly fresh: boolean;
  /** Whether nothing shows before it is published. */
  readonly draft: boolean;
  publish(): Promise<void>;
}

/**
 * Copies a file. Gives whether that went well; if not, it has said why.
 *
 * What is written is a {@linkcode Draft} wherever that leaves behind what writing to the
 * destination would: it has its name when it is whole, and a copy that fails leaves what was
 * there before. A file with several names or with extended attributes, one that somebody else
 * owns, in a directory that may not be written, or that is open as a stream of this process
 * (`/dev/stdout`), a device and a FIFO are written in place.
 */
export async function copyRegular(
  session: Session,
  section: Section,
  errand: Errand,
): Promise<boolean> {
  const { from, to, source, follow } = errand;
  let fd: number;
  try {
    const flags = linux.O_RDONLY | (follow ? 0 : linux.O_NOFOLLOW);
    fd = await open(session, from, flags, { blocks: !source.isFile });
  } catch (error) {
    section.fail(`cannot open ${quote(from)} for reading`, error);
    return false;
  }
  try {
    return await copyOpened(session, section, errand, fd);
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    section.fail(`cannot create regular file ${quote(to)}`, error);
    return false;
  } finally {
    closeDescriptor(fd);
  }
}

async function copyOpened(
  session: Session,
  section: Section,
  errand: Errand,
  from: number,
): Promise<boolean> {
  for (let inPlace = false;; inPlace = true) {
    await using target = await openTarget(session, section, errand, inPlace);
    const { to, source, old } = errand;
    const seekable = target.fresh || (old?.isFile ?? true);
    const ends = { from, source, to: target.fd, seekable };
    try {
      await explained(session, errand, ends);
    } catch (error) {
      if (error instanceof Interrupted) session.cutShort(to, target.draft);
      throw error;
    }
    const { fd: file, fresh } = target;
    const mode = finalMode(session, source);
    const copy = { from, source, file, to, fresh, mode };
    const ok = await preserve(session, section, copy);
    try {
      await target.publish();
    } catch (error) {
      // Only now it shows that a name may not be taken away: in a sticky directory, or where
      // something is mounted on it.
      const code = codeOf(error) ?? "";
      const stuck = ["EPERM", "EACCES", "EBUSY"].includes(code);
      if (!stuck || inPlace || old === null) throw error;
      continue;
    }
    return ok;
  }
}

/** The permissions that a copy is made with, less the umask. */
export function firstMode({ settings }: Session, { mode }: Statx): number {
  const { ownership, mode: permissions } = settings.preserve;
  // While its owner and its permissions change, it is nobody else's business.
  return mode & (ownership || permissions ? 0o700 : 0o777);
}

/** What a new file's permissions become in the end; null if they are right from the beginning. */
export function finalMode(
  { settings, umask }: Session,
  { mode }: Statx,
): number | null {
  if (settings.forgetMode) return 0o666 & ~umask;
  return settings.preserve.ownership ? mode & 0o777 & ~umask : null;
}

async function explained(
  session: Session,
  { from, to }: Errand,
  ends: Ends,
): Promise<void> {
  try {
    await transfer(session, ends);
  } catch (error) {
    if (error instanceof NotCloned) {
      const what = `failed to clone ${quote(to)} from ${quote(from)}`;
      throw new Complaint(`${what}: ${reason(error.cause)}`);
    }
    if (!isSystemError(error)) throw error;
    const what = await copiesAtOnce(session, ends)
      ? `error copying ${quote(from)} to ${quote(to)}`
      : error.op.startsWith("read")
      ? `error reading ${quote(from)}`
      : `error writing ${quote(to)}`;
    throw new Complaint(`${what}: ${reason(error)}`, { cause: error });
  }
}

/**
 * Whether coreutils would have had the kernel copy, copy_file_range(2), and could not tell whether it
 * was reading or writing that failed.
 */
async function copiesAtOnce(
  { uring, settings }: Session,
  { source, to, seekable }: Ends,
): Promise<boolean> {
  const { sparse, reflink } = settings;
  if (sparse === "always" || reflink === "never") return false;
  if (!source.isFile || !seekable || isSparse(source)) return false;
  const flags = linux.AT_EMPTY_PATH;
  const { dev } = await uring.submit(statx("", { dirfd: to, flags }));
  return dev === source.dev;
}

async function openTarget(
  session: Session,
  section: Section,
  errand: Errand,
  inPlace: boolean,
): Promise<Target> {
  const { to, source, old } = errand;
  const mode = firstMode(session, source);
  const drafted = async (
    path: string,
    replaces: boolean,
    like: Statx | null,
  ) => {
    const draft = await Draft.make(session, path, { mode, replaces, like });
    const fresh = like === null;
    return Object.assign(draft, { fresh, draft: true });
  };
  if (old === null && !errand.gives) {
    if (to.endsWith("/")) throw new Complaint(notFolder(to));
    return await drafted(to, false, null);
  }
  if (errand.gives || old === null) return await drafted(to, true, null);
  // Whoever has a stream open would go on writing to what is no longer there.
  const isStream = session.streams.has(identity(old));
  if (!old.isFile || isStream) return await openInPlace(session, to, old);
  let replace: boolean;
  try {
    replace = await mayReplace(session, to, old) && !inPlace;
  } catch (error) {
    const forced = session.settings.force && codeOf(error) !== undefined;
    if (!forced) throw error;
    return await insteadOf(session, section, to, drafted);
  }
  if (replace) {
    try {
      const path = errand.linked ? await Deno.realPath(to) : to;
      return await drafted(path, true, old);
    } catch (error) {
      // It can be written, but not replaced.
      const code = codeOf(error) ?? "";
      if (!["EACCES", "EPERM", "EROFS", "EINVAL"].includes(code)) throw error;
    }
  }
  return await openInPlace(session, to, old);
}

function notFolder(to: string): string {
  return `cannot create regular file ${quote(to)}: Not a directory`;
}

/**
 * Whether a new file may take the place of one.
 *
 * @throws {SystemError} if it may not even be written.
 */
async function mayReplace(
  session: Session,
  to: string,
  old: Statx,
): Promise<boolean> {
  const fd = await open(session, to, linux.O_WRONLY);
  try {
    return replaceable(fd, old);
  } finally {
    closeDescriptor(fd);
  }
}

/** `-f`: what cannot be opened gives way, once there is something to take its place. */
async function insteadOf(
  { settings }: Session,
  section: Section,
  to: string,
  drafted: (path: string, replaces: true, like: null) => Promise<Target>,
): Promise<Target> {
  const what = `cannot remove ${quote(to)}`;
  const draft = await attempt(what, () => drafted(to, true, null));
  if (settings.verbose) section.say(`removed ${quote(to)}`);
  return draft;
}

async function openInPlace(
  session: Session,
  to: string,
  old: Statx,
): Promise<Target> {
  const flags = linux.O_WRONLY | (old.isFile ? linux.O_TRUNC : 0);
  const fd = await open(session, to, flags, { blocks: !old.isFile });
  return {
    fd,
    fresh: false,
    draft: false,
    publish: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(closeDescriptor(fd)),
  };
}
