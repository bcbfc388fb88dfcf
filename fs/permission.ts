/**
 * Deno's permissions, asked before the kernel is: FFI steps around Deno's sandbox, so this folder
 * looks after it that a program may do with a path what Deno would let it do, no more.
 *
 * It protects from paths that come from elsewhere. It does not protect from the program itself:
 * whoever has `--allow-ffi` can do without this folder.
 *
 * @module
 */

import { O_NOFOLLOW, RESOLVE_NO_SYMLINKS } from "../ffi/linux.ts";

type Access = "read" | "write";

/** A path that may be opened, and how. */
export interface Opening {
  /** The path to open: without symlinks, where those had to be looked at. */
  readonly path: string;
  /** `O_*` to add. */
  readonly flags: number;
  /** `RESOLVE_*` to add. */
  readonly resolve: number;
  /** Whether nothing was there when symlinks were looked at, if they were: at most a link. */
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
const SPECIAL = /^\/+(?:proc|sys|dev)(?:\/|$)/;
const MAY_BE_SPECIAL = /^[^/]|\/(?:proc|sys|dev|\.\.)(?:\/|$)/;
const HARMLESS = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

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
  if (!isEverythingAllowed()) allowSpecial(path, api);
}

/**
 * Makes sure that a path may be written; asks the user where Deno would.
 *
 * @param api the function's name, `"mkdir"`.
 * @throws {Deno.errors.NotCapable} in Deno's own words, if it may not.
 */
export function allowWrite(path: string, api: string): void {
  allow("write", path, api);
  if (!isEverythingAllowed()) allowSpecial(path, api);
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
 * As in Deno a path that is allowed may lead through symlinks to a file which by its own name is not:
 * whoever may make symlinks decides that. But it may not lead into /proc, /sys and /dev. So
 * unless everything is allowed, the symlinks are resolved first, and the open refuses one that
 * appears in the last place meanwhile.
 *
 * Deno needs no permission to resolve them. Here reading must be allowed for that, and where only
 * writing is, a path through a symlink cannot be opened (ELOOP).
 *
 * @param api the function's name, `"open"`.
 * @throws {Deno.errors.NotCapable} in Deno's own words, if it may not.
 */
export function allowOpen(
  path: string,
  { read, write }: { read: boolean; write: boolean },
  api: string,
): Opening {
  if (read) allow("read", path, api);
  if (write) allow("write", path, api);
  if (isEverythingAllowed()) return { path, flags: 0, resolve: 0 };
  allowSpecial(path, api);
  if (!isGranted("read", path)) {
    return { path, flags: 0, resolve: RESOLVE_NO_SYMLINKS };
  }
  const resolved = resolveLinks(path);
  const missing = resolved === undefined;
  const plain = resolved ?? resolveFolder(path);
  allowSpecial(plain, api);
  return { path: plain, flags: O_NOFOLLOW, resolve: 0, missing };
}

function isGranted(name: Access, path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

function allow(name: Access, path: string, api: string): void {
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

/** Lets Deno say whether it would look at a path; any other failure is not ours. */
function ask(path: string): void {
  try {
    Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
  }
}

/** Makes sure that a path into /proc, /sys and /dev is one that Deno would allow. */
function allowSpecial(path: string, api: string): void {
  if (!MAY_BE_SPECIAL.test(path)) return;
  if (isGranted("read", path)) {
    ask(path);
    return;
  }
  if (SPECIAL.test(path) && !HARMLESS.includes(path)) {
    refuse("all", path, api);
  }
}

/** The path without symlinks; undefined if it leads to nothing. */
function resolveLinks(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    // Whatever else is wrong with it the kernel says.
    return error instanceof Deno.errors.NotFound ? undefined : path;
  }
}

/** The path of what is yet to be made, with no symlinks but perhaps the last name. */
function resolveFolder(path: string): string {
  const slash = path.lastIndexOf("/");
  const folder = slash < 0 ? "." : path.slice(0, slash + 1);
  const resolved = resolveLinks(folder);
  return resolved === undefined ? path : `${resolved}/${path.slice(slash + 1)}`;
}
