/**
 * What is in a directory.
 *
 * @module
 */

import { pathOf, type RingOption } from "./context.ts";
import { withFields } from "./own.ts";

/** One entry of a directory: Deno's own type. */
export type DirEntry = Deno.DirEntry;

/**
 * Lists a directory, as `Deno.readDir`, which is what runs: io_uring has no opcode for getdents(2).
 * The entries come in no order, without `.` and `..`; names that are no UTF-8 have U+FFFD in
 * place of what cannot be told.
 *
 * @param path a path or a `file:` URL.
 * @returns what may be iterated, any number of times; each time the directory is read anew. Rejects
 * with the errors that `Deno.readDir` has, with `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { makeTempDir, readDir, remove, writeTextFile } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await makeTempDir();
 * await writeTextFile(`${folder}/file`, "text");
 * for await (const { name, isFile } of readDir(folder)) {
 *   assertEquals([name, isFile], ["file", true]);
 * }
 * await remove(folder, { recursive: true });
 * ```
 */
export function readDir(
  path: string | URL,
  _options?: RingOption,
): AsyncIterable<DirEntry> {
  if (typeof path !== "string") pathOf(path, "readdir");
  const listing = Deno.readDir(path);
  return {
    async *[Symbol.asyncIterator]() {
      const entries = listing[Symbol.asyncIterator]();
      try {
        yield* { [Symbol.asyncIterator]: () => entries };
      } catch (error) {
        // Deno leaves a directory open that cannot be read to its end. Of one that could not be opened
        // this says the same again.
        await entries.return?.().catch(() => {});
        throw withFields(error, "readdir", path);
      }
    },
  };
}
