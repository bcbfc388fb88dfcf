/**
 * Deno's own functions, for what io_uring has no opcode for.
 *
 * @module
 */

import { errnoNumber } from "../ffi/errno.ts";
import { pathOf } from "./context.ts";

/**
 * Runs one of Deno's own functions. Where the kernel refused, the error gets the fields that the
 * errors of a ring have.
 *
 * @param api the function's name as Deno's messages have it: `"readlink"`.
 * @param path the path it is about, if any. A NUL in it Deno refuses in its own words.
 * @throws {TypeError} if it is no path: Deno takes it for an empty one.
 */
export async function own<T>(
  api: string,
  path: string | URL | undefined,
  action: () => Promise<T>,
): Promise<T> {
  if (path !== undefined && typeof path !== "string") pathOf(path, api);
  try {
    return await action();
  } catch (error) {
    throw withFields(error, api, path);
  }
}

/** An error of Deno's, with `errno`, `op` and `path` if the kernel is behind it. */
export function withFields(
  error: unknown,
  op: string,
  path: string | URL | undefined,
): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const { code } = error;
  const errno = typeof code === "string" ? errnoNumber(code) : undefined;
  if (errno === undefined) return error;
  Object.assign(error, { errno, op });
  if (path === undefined) return error;
  return Object.assign(error, {
    path: typeof path === "string" ? path : pathOf(path, op),
  });
}
