/**
 * What every function of this folder begins with: which ring runs it, and which path is meant.
 *
 * @module
 */

import { show } from "../ffi/check.ts";
import { Uring } from "../proactor/uring.ts";
import { isEverythingAllowed } from "./permission.ts";

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
  if (!plain.includes("\0")) {
    return plain.includes("..") && !isEverythingAllowed()
      ? withoutDots(plain)
      : plain;
  }
  const about = api === undefined ? "" : `: ${api} '${plain}'`;
  throw Object.assign(
    new TypeError(`file name contained an unexpected NUL byte${about}`),
    { code: "EINVAL" },
  );
}

/**
 * A path without `name/..`, which Deno takes out before it looks whether the path is allowed, and
 * opens it so too. The kernel would go to where `name` leads, if that is a symlink.
 */
function withoutDots(path: string): string {
  const names: string[] = [];
  for (const name of path.split("/")) {
    const last = names.at(-1);
    if (name !== "..") names.push(name);
    else if (last === undefined || last === "..") names.push(name);
    else if (last !== "" || names.length > 1) names.pop();
  }
  return names.join("/") || (path.startsWith("/") ? "/" : ".");
}

function pathOfUrl(url: URL): string {
  if (url.protocol !== "file:") throw new TypeError("Must be a file URL");
  if (url.hostname !== "") throw new TypeError("Host must be empty");
  // A lone % is a % to Deno.
  return decodeURIComponent(
    url.pathname.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"),
  );
}
