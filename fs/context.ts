/**
 * What every function of this folder begins with: which ring runs it, and which path is meant.
 *
 * @module
 */

import { show } from "../ffi/check.ts";
import { Uring } from "../proactor/uring.ts";
import { isEverythingAllowed, mayAll } from "./permission.ts";

/** What every function of `fs` takes. */
export interface RingOption {
  /** The ring that runs it. Default: {@linkcode defaultRing}, one for each thread. */
  ring?: Uring | undefined;
}

let own: Uring | undefined;

/**
 * The ring that runs what is given no other: one for each thread, made when it is first asked for,
 * and again if it was closed. Idle it keeps no process alive.
 *
 * A Worker closes its own before it is terminated: the kernel may still write to its memory.
 *
 * @throws {SystemError} if the kernel has no io_uring, or forbids it.
 *
 * @example
 * ```ts
 * import { defaultRing, readFile } from "@uring/uring/fs";
 * import { assert } from "@std/assert";
 *
 * const before = defaultRing().stats.submitted;
 * await readFile("/proc/version");
 * assert(defaultRing().stats.submitted > before);
 * ```
 */
export function defaultRing(): Uring {
  if (own === undefined || own.ring.closed) own = new Uring();
  return own;
}

/**
 * The ring of the options; else {@linkcode defaultRing}.
 *
 * @throws {TypeError} if `options.ring` is no {@linkcode Uring}.
 * @throws {SystemError} if the kernel has no io_uring, or forbids it.
 */
export function ringOf(options?: RingOption): Uring {
  const ring = options?.ring;
  if (ring === undefined) return defaultRing();
  if (!(ring instanceof Uring)) {
    throw new TypeError(`fs: ring must be a Uring; got ${show(ring)}.`);
  }
  return ring;
}

/**
 * A path as text: `file:` URLs decoded.
 *
 * @param api the name of the function that was called, as Deno's errors have it: `"readfile"`.
 * @throws {TypeError} if it is neither a string nor a `file:` URL, or has a NUL, at which the
 * kernel would cut it.
 */
export function pathOf(path: string | URL, api?: string): string {
  const plain = path instanceof URL ? pathOfUrl(path) : path;
  if (typeof plain !== "string") {
    throw new TypeError(
      `${api ?? "fs"}: path must be a string or a file: URL; got ${
        show(plain)
      }.`,
    );
  }
  if (plain.includes("\0")) {
    const about = api === undefined ? "" : `: ${api} '${plain}'`;
    throw Object.assign(
      new TypeError(`file name contained an unexpected NUL byte${about}`),
      { code: "EINVAL" },
    );
  }
  const asGiven = isEverythingAllowed() || !UNTIDY.test(plain) ||
    // The text of a link is no path before somebody follows it.
    api === "symlink" ||
    // What is removed is not looked into.
    (api === "remove" && mayAll("write"));
  return asGiven ? plain : tidied(plain);
}

/**
 * Two paths as text.
 *
 * @throws {TypeError} as {@linkcode pathOf} does, in the words that Deno has for two.
 */
export function pathsOf(
  api: string,
  oldPath: string | URL,
  newPath: string | URL,
): [from: string, to: string] {
  try {
    return [pathOf(oldPath, api), pathOf(newPath, api)];
  } catch (error) {
    const hasNul = error instanceof TypeError && "code" in error;
    if (!hasNul) throw error;
    const [reason = ""] = error.message.split(":");
    const [from, to] = [oldPath, newPath].map((path) =>
      path instanceof URL ? pathOfUrl(path) : path
    );
    error.message = `${reason}: ${api} '${from}' -> '${to}'`;
    throw error;
  }
}

/** Has a name that is `.` or `..`, or a slash at its end. */
const UNTIDY = /(?:^|\/)\.{1,2}(?:\/|$)|.\/$/;

/**
 * A path without `.`, `name/..` and slashes at its end, which Deno takes out before it looks
 * whether the path is allowed, and opens it so too. The kernel would go to where `name` leads, if
 * that is a symlink.
 */
function tidied(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    const last = names.at(-1);
    const leaves = name === ".." && last !== undefined && last !== "..";
    if (leaves) names.pop();
    else if (name !== ".." || !path.startsWith("/")) names.push(name);
  }
  if (path.startsWith("/")) return `/${names.join("/")}`;
  return names.join("/") || ".";
}

function pathOfUrl(url: URL): string {
  if (url.protocol !== "file:") throw new TypeError("Must be a file URL");
  if (url.hostname !== "") throw new TypeError("Host must be empty");
  // A lone % is a % to Deno.
  return decodeURIComponent(
    url.pathname.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"),
  );
}
