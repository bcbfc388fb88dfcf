/**
 * What differs between the two architectures.
 *
 * @module
 */

/** The flags of open(2) whose values the architectures disagree on. */
export interface OpenFlags {
  /** Bypass the page cache. */
  O_DIRECT: number;
  /** Fail unless the path is a directory. */
  O_DIRECTORY: number;
  /** Fail if the path ends in a symbolic link. */
  O_NOFOLLOW: number;
  /** Make a file without a name; includes O_DIRECTORY. */
  O_TMPFILE: number;
}

const X86_64: OpenFlags = {
  O_DIRECT: 0o40000,
  O_DIRECTORY: 0o200000,
  O_NOFOLLOW: 0o400000,
  O_TMPFILE: 0o20200000,
};

const AARCH64: OpenFlags = {
  O_DIRECT: 0o200000,
  O_DIRECTORY: 0o40000,
  O_NOFOLLOW: 0o100000,
  O_TMPFILE: 0o20040000,
};

/**
 * The flags of open(2) as `arch` has them.
 *
 * @example
 * ```ts
 * import { O_DIRECT, O_DIRECTORY } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const swapped = Deno.build.arch === "aarch64";
 * assertEquals(O_DIRECT, swapped ? 0o200000 : 0o40000);
 * assertEquals(O_DIRECTORY, swapped ? 0o40000 : 0o200000);
 * ```
 */
export function openFlags(arch: typeof Deno.build.arch): OpenFlags {
  return arch === "aarch64" ? AARCH64 : X86_64;
}
