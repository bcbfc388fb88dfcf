/**
 * What the kernel refused, as errors.
 *
 * @module
 */

import { errnoMessage, errnoName } from "./errno.ts";

/** What an error of the kernel carries, whichever class it has. */
export interface SystemErrorFields {
  /** The errno's name: `"ENOENT"`. */
  readonly code: string;
  /** The errno, positive: 2. */
  readonly errno: number;
  /** What was asked of the kernel: an op's name (`"openat"`) or a call's. */
  readonly op: string;
  /** The path it was asked about, where there is one. */
  readonly path?: string;
}

/** An error that says which errno the kernel answered, for which op. */
export type SystemError = Error & SystemErrorFields;

/** What {@linkcode systemError} may be told beside the errno. */
export interface SystemErrorOptions {
  /** The path that the op was about. */
  path?: string | undefined;
  /** What to do about it: a sentence, added to the message. */
  hint?: string | undefined;
  /** The error that led to this one. */
  cause?: unknown;
}

/**
 * An errno for which Deno has no error class. Every error of the kernel, of this class or
 * of one of `Deno.errors`, carries the same fields; {@linkcode isSystemError} tells them.
 *
 * @example
 * ```ts
 * import { systemError, UringError } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * assert(systemError(62, "timeout") instanceof UringError); // ETIME
 * ```
 */
export class UringError extends Error implements SystemErrorFields {
  /** The errno's name: `"ETIME"`. */
  readonly code: string;
  /** The errno, positive. */
  readonly errno: number;
  /** What was asked of the kernel. */
  readonly op: string;
  /** The path it was asked about, where there is one. */
  declare readonly path?: string;

  /** An error for `errno`, answered to `op`. Most callers want {@linkcode systemError}. */
  constructor(
    message: string,
    errno: number,
    op: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "UringError";
    this.code = errnoName(errno);
    this.errno = errno;
    this.op = op;
  }
}

type ErrorClass = new (message: string, options?: ErrorOptions) => Error;

/** The errnos for which Deno throws a class of its own. */
const classes: Readonly<Record<string, ErrorClass>> = {
  ENOENT: Deno.errors.NotFound,
  EACCES: Deno.errors.PermissionDenied,
  EPERM: Deno.errors.PermissionDenied,
  EEXIST: Deno.errors.AlreadyExists,
  ECONNREFUSED: Deno.errors.ConnectionRefused,
  ECONNRESET: Deno.errors.ConnectionReset,
  ECONNABORTED: Deno.errors.ConnectionAborted,
  ENOTCONN: Deno.errors.NotConnected,
  EADDRINUSE: Deno.errors.AddrInUse,
  EADDRNOTAVAIL: Deno.errors.AddrNotAvailable,
  EPIPE: Deno.errors.BrokenPipe,
  ETIMEDOUT: Deno.errors.TimedOut,
  EINTR: Deno.errors.Interrupted,
  EAGAIN: Deno.errors.WouldBlock,
  ELOOP: Deno.errors.FilesystemLoop,
  EISDIR: Deno.errors.IsADirectory,
  ENOTDIR: Deno.errors.NotADirectory,
  ENETUNREACH: Deno.errors.NetworkUnreachable,
  EBUSY: Deno.errors.Busy,
};

/**
 * The error for an errno: of Deno's class where Deno has one (`Deno.errors.NotFound` for
 * ENOENT), else a {@linkcode UringError}. Its message names the op, the path, the errno
 * and what the errno means.
 *
 * @param errno the errno, positive (a CQE's `res` negated).
 * @param op the name of the op or call that was refused.
 *
 * @example
 * ```ts
 * import { systemError } from "@uring/uring/ffi";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const error = systemError(2, "openat", { path: "/nope" });
 * assert(error instanceof Deno.errors.NotFound);
 * assertEquals(error.code, "ENOENT");
 * assertEquals(error.message, "openat '/nope': no such file or directory (ENOENT)");
 * ```
 */
export function systemError(
  errno: number,
  op: string,
  { path, hint, cause }: SystemErrorOptions = {},
): SystemError {
  const code = errnoName(errno);
  const subject = path === undefined ? op : `${op} '${path}'`;
  const message = `${subject}: ${errnoMessage(errno)} (${code})` +
    (hint === undefined ? "" : `. ${hint}`);
  const options = cause === undefined ? undefined : { cause };
  const deno = classes[code];
  const error = deno === undefined
    ? new UringError(message, errno, op, options)
    : Object.assign(new deno(message, options), { code, errno, op });
  return path === undefined ? error : Object.assign(error, { path });
}

/**
 * Whether a value is an error that the kernel's errno caused, of whichever class:
 * it has `code`, `errno` and `op`.
 *
 * @example
 * ```ts
 * import { isSystemError, systemError } from "@uring/uring/ffi";
 * import { assert } from "@std/assert";
 *
 * assert(isSystemError(systemError(13, "openat")));
 * assert(!isSystemError(new Error("no errno here")));
 * ```
 */
export function isSystemError(value: unknown): value is SystemError {
  return value instanceof Error && "code" in value && "errno" in value &&
    "op" in value && typeof value.code === "string" &&
    typeof value.errno === "number" && typeof value.op === "string";
}
