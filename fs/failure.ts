/**
 * The kernel's errors in Deno's words.
 *
 * @module
 */

import { strerror } from "../ffi/errno.ts";
import { isSystemError, type SystemError } from "../ffi/errors.ts";
import { EINVAL } from "../ffi/linux.ts";

const TRANSFER = /^(?:read|write)/;

/**
 * The error that Deno throws for the same failure: its class, its message, and beside that
 * `code`, `errno`, `op` and `path`. What is no error of the kernel stays as it is, such as the
 * reason of a signal.
 *
 * Call it in the `catch` of an async function: the stack is taken here.
 *
 * @param api the function's name as Deno's messages have it: `"readfile"`.
 * @param paths the paths it was given, one or two.
 */
export function withPath(
  error: unknown,
  api: string,
  ...paths: string[]
): unknown {
  if (!isSystemError(error)) return error;
  const quoted = paths.map((path) => ` '${path}'`).join(" ->");
  const message = `${reason(error)}: ${api}${quoted}${hintOf(error, false)}`;
  return remade(error, message, paths[0]);
}

/**
 * As {@linkcode withPath}, for what is asked of an open file: Deno names no path then.
 *
 * @param direct whether the file was opened with O_DIRECT. Default: false.
 */
export function withoutPath(error: unknown, direct = false): unknown {
  if (!isSystemError(error)) return error;
  return remade(error, `${reason(error)}${hintOf(error, direct)}`, undefined);
}

/** The error for a write that takes nothing, which would be tried for ever. */
export function writeZero(): Error {
  return new Deno.errors.WriteZero("failed to write whole buffer");
}

function reason({ errno }: SystemError): string {
  return `${strerror(errno)} (os error ${errno})`;
}

/**
 * The sentence on what to do about it that the errors of reads and writes end with, as far as it can
 * be true: EINVAL they put down to O_DIRECT. What other ops add, the paths say.
 */
function hintOf(
  { message, code, errno, op }: SystemError,
  direct: boolean,
): string {
  if (!TRANSFER.test(op) || (errno === EINVAL && !direct)) return "";
  const mark = `(${code}). `;
  const at = message.indexOf(mark);
  return at < 0 ? "" : `. ${message.slice(at + mark.length)}`;
}

function remade(
  error: SystemError,
  message: string,
  path: string | undefined,
): SystemError {
  const { code, errno, op } = error;
  const fields = path === undefined
    ? { code, errno, op }
    : { code, errno, op, path };
  if (errno === EINVAL) return Object.assign(new TypeError(message), fields);
  error.message = message;
  // The first line of the stack has the message.
  Error.captureStackTrace(error, withPath);
  return Object.assign(error, fields);
}
