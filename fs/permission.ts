/**
 * Deno's permissions, asked before the kernel is: FFI steps around Deno's sandbox, so this folder
 * looks after it that a program may do with a path what Deno would let it do, no more.
 *
 * It protects from paths that come from elsewhere. It does not protect from the program itself:
 * whoever has `--allow-ffi` can do without this folder.
 *
 * @module
 */

import { isPipe } from "../ffi/kind.ts";
import { O_NOFOLLOW, RESOLVE_NO_SYMLINKS } from "../ffi/linux.ts";
import { resolvePath } from "../ffi/path.ts";
import { withoutPath } from "./failure.ts";

type Access = "read" | "write";

/** A path that may be opened, and how. */
export interface Opening {
  /** The path to open: without symlinks, where those had to be looked at. */
  readonly path: string;
  /** `O_*` to add. */
  readonly flags: number;
  /** `RESOLVE_*` to add. */
  readonly resolve: number;
  /** Whether nothing was there when symlinks were looked at; at most a link to nothing. */
  readonly missing?: boolean;
}

/** Objects for the usual questions: a fresh one for each call would cost as much as the answer. */
const UNSCOPED = {
  read: { name: "read" },
  write: { name: "write" },
} as const satisfies Record<Access, Deno.PermissionDescriptor>;

/** Everything that `--allow-all` allows. */
const ALL = ["read", "write", "net", "env", "sys", "run", "ffi", "import"]
  .map((name) => ({ name }) as Deno.PermissionDescriptor);

/**
 * Where the kernel shows itself as files: Deno wants all permissions for these, with a few
 * exceptions.
 */
const SPECIAL = /^\/(?:proc|sys|dev)(?:\/|$)/;
const MAY_BE_SPECIAL = /^(?:[^/]|$)|\/(?:proc|sys|dev|\.\.)(?:\/|$)/;
const HARMLESS = /^\/dev\/(?:null|zero|u?random)$|^\/proc\/pressure\//;
/** Some links in these lead to what has no path. */
const MAGIC = /^\/(?:proc|dev)(?:\/|$)/;
/** What the shell calls the pipes that it was told to make: `>(command)`. */
const DESCRIPTOR = /^\/(?:dev|proc\/self)\/fd\/(\d{1,9})$/;

let everything: boolean | undefined;

/** Whether all is allowed, as far as can be asked. It is asked once. */
export function isEverythingAllowed(): boolean {
  return everything ??= ALL.every(isWhollyGranted);
}

function isWhollyGranted(descriptor: Deno.PermissionDescriptor): boolean {
  const { state, partial } = Deno.permissions.querySync(descriptor);
  // Partial: something is denied, see --deny-read.
  return state === "granted" && partial !== true;
}

/** Whether every path may be read, or written, but perhaps not those into /proc, /sys and /dev. */
export function mayAll(access: Access): boolean {
  return isWhollyGranted(UNSCOPED[access]);
}

/** Whether every path may be read: what a batch asks once, instead of each path. */
export function mayReadAll(): boolean {
  return isEverythingAllowed() && isWhollyGranted(UNSCOPED.read);
}

/** Whether every path may be written. */
export function mayWriteAll(): boolean {
  return isEverythingAllowed() && isWhollyGranted(UNSCOPED.write);
}

/**
 * Makes sure that a path may be read; asks the user where Deno would.
 *
 * It is about a name, as `stat` and `readDir` use it. What opens a file calls
 * {@linkcode allowOpen}, which looks at symlinks too.
 *
 * @param api the function's name, `"stat"`.
 * @throws {Deno.errors.NotCapable} in Deno's own words, if it may not.
 */
export function allowRead(path: string, api: string): void {
  allow("read", path, api);
  if (!isEverythingAllowed()) allowSpecial(path, api, false);
}

/**
 * Makes sure that a path may be written; asks the user where Deno would.
 *
 * @param api the function's name, `"mkdir"`.
 * @throws {Deno.errors.NotCapable} in Deno's own words, if it may not.
 */
export function allowWrite(path: string, api: string): void {
  allow("write", path, api);
  if (!isEverythingAllowed()) allowSpecial(path, api, true);
}

/**
 * Makes sure that all paths may be read and written, which a symlink needs: where it leads is found
 * out only by who follows it.
 *
 * @param api the function's name, `"symlink"`.
 * @throws {Deno.errors.NotCapable} in Deno's own words, if they may not.
 */
export function allowReadAndWriteAll(api: string): void {
  for (const descriptor of [UNSCOPED.read, UNSCOPED.write]) {
    if (isWhollyGranted(descriptor)) continue;
    Deno.permissions.requestSync(descriptor);
    if (isWhollyGranted(descriptor)) continue;
    throw new Deno.errors.NotCapable(
      `Deno.${api}() requires unscoped --allow-read and --allow-write permissions; path-scoped ` +
        "grants (e.g. --allow-write=<path>) are not supported because a symlink's target is only " +
        "resolved when the link is traversed",
    );
  }
}

/**
 * Makes sure that a file may be opened, and says how.
 *
 * As in Deno a path that is allowed may lead through symlinks to a file which by its own name is
 * not: whoever may make symlinks decides that. But it may not lead into /proc, /sys and /dev. So
 * unless everything is allowed, the symlinks are resolved first, for which Deno asks no
 * permission, and the open refuses any that appears meanwhile.
 *
 * @param api the function's name, `"open"`.
 * @throws {Deno.errors.NotCapable} in Deno's own words, if it may not.
 * @throws {SystemError} if a symlink cannot be followed, or leads to a name that is no UTF-8
 * (EILSEQ).
 */
export function allowOpen(
  path: string,
  { read, write }: { read: boolean; write: boolean },
  api: string,
): Opening {
  if (read) allow("read", path, api);
  if (write) allow("write", path, api);
  if (isEverythingAllowed()) return { path, flags: 0, resolve: 0 };
  allowSpecial(path, api, write);
  const place = absolute(path);
  if (MAGIC.test(place)) return { path: place, flags: 0, resolve: 0 };
  return openingOf(place, api, write);
}

/**
 * Makes sure that what a symlink to nothing leads to may be made: like what any symlink leads to,
 * unless that is in /proc, /sys and /dev.
 *
 * @param link where {@linkcode allowOpen} found the link.
 * @param target what it says.
 * @throws as {@linkcode allowOpen}.
 */
export function allowLinked(
  link: Opening,
  target: string,
  api: string,
): Opening {
  return openingOf(beside(link.path, target), api, true);
}

/** Where a symbolic link leads that says so. */
export function beside(link: string, target: string): string {
  if (target.startsWith("/")) return target;
  return link.slice(0, link.lastIndexOf("/") + 1) + target;
}

function openingOf(place: string, api: string, write: boolean): Opening {
  const { found, rest } = resolveLinks(place);
  allowSpecial(found + rest, api, write);
  return {
    path: found + rest,
    flags: O_NOFOLLOW,
    resolve: RESOLVE_NO_SYMLINKS,
    missing: rest !== "",
  };
}

function isGranted(name: Access, path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

function allow(name: Access, path: string, api: string): void {
  if (path === "" && !isEverythingAllowed()) {
    throw new Error("Empty path is not allowed");
  }
  if (isWhollyGranted(UNSCOPED[name])) return;
  // An empty path is no path to Deno.permissions.
  const descriptor = { name, path: path === "" ? "." : path };
  if (Deno.permissions.querySync(descriptor).state === "granted") return;
  if (Deno.permissions.requestSync(descriptor).state === "granted") return;
  refuse(name, path, api);
}

/** Deno's own error for it: the words differ between `deno run` and a compiled program. */
function refuse(name: Access | "all", path: string, api: string): never {
  if (name === "read") ask(path);
  throw new Deno.errors.NotCapable(
    `Requires ${name} access to ${
      JSON.stringify(path)
    }, run again with the --allow-${name} flag`,
    { cause: api },
  );
}

/** Makes sure that a path into /proc, /sys and /dev is one that Deno would allow. */
function allowSpecial(path: string, api: string, write: boolean): void {
  if (!MAY_BE_SPECIAL.test(path)) return;
  if (isGranted("read", path)) ask(path);
  else if (isForbidden(absolute(path))) refuse("all", path, api);
  // What is written to a terminal may look like a question of Deno's.
  if (write && absolute(path) === "/dev/tty") refuse("all", path, api);
}

/** Lets Deno say whether it would look at a path; any other failure is not ours. */
function ask(path: string): void {
  try {
    Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
  }
}

/** Deno's rules, for what it cannot be asked. */
function isForbidden(place: string): boolean {
  if (!SPECIAL.test(place) || HARMLESS.test(place)) return false;
  const fd = Number(DESCRIPTOR.exec(place)?.[1] ?? 0);
  // Not what the program began with.
  return fd <= 2 || !isPipe(fd);
}

/** The absolute path, without `.`, `..` and empty names, which Deno takes out before all else. */
function absolute(path: string): string {
  const whole = path.startsWith("/") ? path : `${resolvePath(".")}/${path}`;
  const names: string[] = [];
  for (const name of whole.split("/")) {
    if (name === "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return `/${names.join("/")}`;
}

/** A path in two parts. */
interface Resolved {
  /** What is there, without symlinks. */
  readonly found: string;
  /** What is yet to be made, with a slash before it; the first name may be a link to nothing. */
  readonly rest: string;
}

function resolveLinks(place: string): Resolved {
  for (let end = place.length;; end = place.lastIndexOf("/", end - 1)) {
    try {
      const found = resolvePath(place.slice(0, end) || "/");
      const rest = place.slice(end);
      return { found: found === "/" && rest !== "" ? "" : found, rest };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw withoutPath(error);
    }
  }
}
