/**
 * What a copy gets beside data: times, owner, extended attributes, permissions.
 *
 * @module
 */

import {
  attributeNames,
  setLinkOwner,
  setLinkTimes,
  setMode,
  setOwner,
  setTimes,
} from "../../ffi/inode.ts";
import { S_ISGID, S_ISUID, S_ISVTX, XATTR_SIZE_MAX } from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { hasAttributes } from "../../ffi/path.ts";
import { fgetxattr, fsetxattr, getxattr, setxattr } from "../../ops/xattr.ts";
import { ACCESS, DEFAULT, dropList } from "./access_list.ts";
import { quote } from "../quote.ts";
import type { Session } from "./session.ts";
import type { Settings } from "./settings.ts";
import type { Section } from "./transcript.ts";
import { codeOf } from "./trouble.ts";

/** A file: its open descriptor, or the name of what has none, such as a symbolic link. */
export type Inode = number | string;

/** A copy, with its data. */
export interface Copy {
  /** The source. */
  from: Inode;
  /** What is known of the source. */
  source: Statx;
  /** The copy. */
  file: Inode;
  /** The copy's name, for messages. */
  to: string;
  /** Whether there was nothing of that name before. */
  fresh: boolean;
  /** What a fresh copy's permissions are to become if nobody preserves any; null: as they are. */
  mode: number | null;
}

const SPECIAL = S_ISUID | S_ISGID | S_ISVTX;
/** An owner that stays: `(uid_t) -1`. */
const UNCHANGED = 0xffff_ffff;
const SELINUX = "security.selinux";

/**
 * Gives a copy what is to be preserved, in the order that keeps it: a new owner takes special
 * bits and capabilities away. Gives whether all went well that had to.
 */
export async function preserve(
  session: Session,
  section: Section,
  copy: Copy,
): Promise<boolean> {
  const { preserve, preserveOrFail, attributesOrFail } = session.settings;
  const { source, file, to, fresh, mode } = copy;
  const names = preserve.xattr || preserve.mode ? namesOf(copy) : [];
  // What fails here, though it was demanded, leaves the rest as it is, as with coreutils.
  if (preserve.timestamps && !await keepTimes(section, copy)) {
    if (preserveOrFail) return false;
  }
  const owned = !preserve.ownership || keepOwner(section, copy);
  if (!owned && mayChown() && preserveOrFail) return false;
  const kept = !preserve.xattr ||
    await keepAttributes(session, section, copy, names) || !attributesOrFail;
  if (source.isSymlink) return kept;
  if (preserve.mode) {
    const done = await keepMode(session, section, copy, names, owned);
    return kept && (done || !preserveOrFail);
  }
  if (!fresh || mode === null) return kept;
  const what = `preserving permissions for ${quote(to)}`;
  return await tried(section, what, () => changeMode(file, mode)) && kept;
}

/**
 * The same for a new regular file, at once and without a word: false if that is not enough, or
 * fails. The copy is then of no use.
 */
export function preserveQuickly(
  { settings }: Session,
  { from, source, file, mode }: {
    from: string;
    source: Statx;
    file: number;
    mode: number | null;
  },
): boolean {
  const { preserve } = settings;
  try {
    const attributes = preserve.xattr || preserve.mode;
    if (attributes && hasAttributes(from)) return false;
    // What a new file has, it has from its directory: an access control list.
    if (preserve.mode && hasAttributes(file)) return false;
    if (preserve.timestamps) {
      setTimes(file, source.atimeNanoseconds, source.mtimeNanoseconds);
    }
    if (preserve.ownership) setOwner(file, source.uid, source.gid);
    if (preserve.mode) setMode(file, source.mode & 0o7777);
    else if (mode !== null) setMode(file, mode);
    return true;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  }
}

/** Whether {@linkcode preserveQuickly} would do anything. */
export function preservesAny({ preserve, forgetMode }: Settings): boolean {
  const { mode, timestamps, ownership, xattr } = preserve;
  return mode || timestamps || ownership || xattr || forgetMode;
}

function mayChown(): boolean {
  return Deno.uid() === 0;
}

/**
 * The names of the extended attributes. What has no descriptor, a FIFO say, may have an access
 * control list, and hardly anything else.
 */
function namesOf({ from, source }: Copy): string[] {
  if (typeof from === "number") return attributeNames(from);
  return source.isSymlink ? [] : [ACCESS];
}

async function tried(
  section: Section,
  what: string,
  action: () => void | Promise<void>,
): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    section.fail(what, error);
    return false;
  }
}

function keepTimes(
  section: Section,
  { source, file, to }: Copy,
): Promise<boolean> {
  const { atimeNanoseconds: atime, mtimeNanoseconds: mtime } = source;
  return tried(section, `preserving times for ${quote(to)}`, () => {
    if (typeof file === "number") setTimes(file, atime, mtime);
    else setLinkTimes(file, atime, mtime);
  });
}

/** Whether the copy has the source's owner. Nobody but root is expected to manage that. */
function keepOwner(section: Section, { source, file, to }: Copy): boolean {
  const { uid, gid } = source;
  try {
    changeOwner(file, uid, gid);
    return true;
  } catch (error) {
    const code = codeOf(error);
    const refused = code === "EPERM" || code === "EINVAL";
    if (!refused || mayChown()) {
      section.fail(`failed to preserve ownership for ${quote(to)}`, error);
    }
    if (refused) keepGroup(file, gid);
    return false;
  }
}

function keepGroup(file: Inode, gid: number): void {
  try {
    changeOwner(file, UNCHANGED, gid);
  } catch (error) {
    // It was worth a try: one of the user's own groups it may be.
    if (codeOf(error) === undefined) throw error;
  }
}

function changeOwner(file: Inode, uid: number, gid: number): void {
  if (typeof file === "number") setOwner(file, uid, gid);
  else setLinkOwner(file, uid, gid);
}

function changeMode(file: Inode, mode: number): void {
  if (typeof file === "number") setMode(file, mode);
  else Deno.chmodSync(file, mode);
}

/** Permissions are kept apart, and a label is the system's business. */
function isCopied(name: string): boolean {
  return name !== ACCESS && name !== DEFAULT && name !== SELINUX;
}

async function keepAttributes(
  session: Session,
  section: Section,
  copy: Copy,
  names: string[],
): Promise<boolean> {
  const outcomes = names.filter(isCopied).map(async (name) => {
    try {
      await copyAttribute(session, copy, name);
      return true;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      const what = `setting attribute ${quote(name)} for ${quote(copy.to)}`;
      if (session.settings.attributesOrFail) section.fail(what, error);
      return false;
    }
  });
  return !(await Promise.all(outcomes)).includes(false);
}

/** Permissions, access control lists among them. */
async function keepMode(
  session: Session,
  section: Section,
  copy: Copy,
  names: string[],
  owned: boolean,
): Promise<boolean> {
  const { source, file, to } = copy;
  const what = `preserving permissions for ${quote(to)}`;
  const mode = source.mode & (owned ? 0o7777 : 0o7777 & ~SPECIAL);
  const lists = names.filter((name) => name === ACCESS || name === DEFAULT);
  return await tried(section, what, async () => {
    if (typeof file === "number") await dropList(session, file, mode);
    changeMode(file, mode);
    for (const name of lists) await copyAttribute(session, copy, name);
  });
}

/** Copies an extended attribute, if there is one. */
async function copyAttribute(
  { uring }: Session,
  { from, file }: Copy,
  name: string,
): Promise<void> {
  const size = XATTR_SIZE_MAX;
  const get = typeof from === "number"
    ? fgetxattr(from, name, { size })
    : getxattr(from, name, { size });
  let value: Uint8Array<ArrayBuffer>;
  try {
    value = await uring.submit(get);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENODATA" || code === "EOPNOTSUPP") return;
    throw error;
  }
  const set = typeof file === "number"
    ? fsetxattr(file, name, value)
    : setxattr(file, name, value);
  await uring.submit(set);
}
