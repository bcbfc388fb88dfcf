/**
 * The length of a file.
 *
 * @module
 */

import { setLength } from "../ffi/file.ts";
import { O_NOFOLLOW, O_WRONLY } from "../ffi/linux.ts";
import { ftruncate } from "../ops/file.ts";
import { opcodes } from "../ops/opcodes.ts";
import { lengthOf } from "./arguments.ts";
import { pathOf, ringOf, type RingOption } from "./context.ts";
import { giveBack, openDescriptor } from "./descriptor.ts";
import { withPath } from "./failure.ts";
import { allowWrite } from "./permission.ts";

/**
 * Cuts a file off at a length, or lets it end in a hole, as `Deno.truncate`. As there, it follows no
 * symbolic link.
 *
 * Before Linux 6.9 without the ring.
 *
 * @param name a path or a `file:` URL.
 * @param len in bytes. Default: 0.
 * @returns when it is done. Rejects as Deno does: with `Deno.errors.NotFound` and so on, which also
 * have `code`, `errno`, `op` and `path`.
 *
 * @example
 * ```ts
 * import { readTextFile, truncate, writeTextFile } from "@uring/uring/fs";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * await writeTextFile(path, "hello world");
 * await truncate(path, 5);
 * assertEquals(await readTextFile(path), "hello");
 * await Deno.remove(path);
 * ```
 */
export async function truncate(
  name: string | URL,
  len?: number,
  options?: RingOption,
): Promise<void> {
  const length = lengthOf("truncate", len);
  const path = pathOf(name, "truncate");
  allowWrite(path, "truncate");
  const ring = ringOf(options);
  try {
    const where = { path, flags: O_NOFOLLOW, resolve: 0 };
    const manner = { flags: O_WRONLY, stay: "passing" } as const;
    const { fd } = await openDescriptor(ring, where, manner);
    try {
      if (opcodes.ftruncate.supported()) {
        await ring.submit(ftruncate(fd, length));
      } else setLength(fd, length);
    } finally {
      giveBack(fd, "passing");
    }
  } catch (error) {
    throw withPath(error, "truncate", path);
  }
}
