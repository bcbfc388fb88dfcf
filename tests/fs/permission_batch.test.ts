/** What `readFiles` opens is what was allowed, though others may change links meanwhile. */

import { assertEquals } from "@std/assert";
import { O_NOFOLLOW, RESOLVE_NO_SYMLINKS } from "../../ffi/linux.ts";
import { Failure, Loop } from "../../fs/batch_loop.ts";
import { ReadWork } from "../../fs/batch_read.ts";
import { supply } from "../../fs/batch_source.ts";
import { SliceRing } from "../../fs/slice_ring.ts";
import { TemporaryDirectory } from "../support/files.ts";

/** Reads what was allowed by other names, and says what came of each. */
async function readAs(
  allowed: Record<string, { path: string; missing: boolean }>,
  direct: boolean,
): Promise<unknown[]> {
  const ring = new SliceRing(64, undefined, true);
  let given = "";
  using work = new ReadWork(ring, 4, {
    limit: 1e6,
    direct,
    opening: () => ({
      path: "",
      flags: O_NOFOLLOW,
      resolve: RESOLVE_NO_SYMLINKS,
      ...allowed[given],
    }),
  });
  const loop = new Loop(ring, supply("test", Object.keys(allowed)), work, {
    ordered: true,
    signal: undefined,
    pathOf: (path) => given = String(path),
  });
  const results: unknown[] = [];
  for (;;) {
    const outcomes = await loop.next();
    if (outcomes.length === 0) break;
    for (const { result } of outcomes) {
      const text = result instanceof Failure
        ? `${result.error.name}: ${result.error.message}`
        : new TextDecoder().decode(result);
      results.push(text);
    }
  }
  // The memory of the work goes after it.
  await ring.close();
  return results;
}

for (const direct of [true, false]) {
  const files = direct ? "the ring's own files" : "descriptors";
  Deno.test(`readFiles: no link is followed that came after the question, ${files}`, async () => {
    using home = new TemporaryDirectory();
    Deno.mkdirSync(home.join("folder"));
    home.file("folder/file", "text");
    home.file("file", "plain");
    Deno.symlinkSync("folder", home.join("link"));
    Deno.symlinkSync("file", home.join("last"));
    Deno.symlinkSync("nothing", home.join("dangling"));
    const found = (name: string, missing = false) => ({
      path: home.join(name),
      missing,
    });
    const results = await readAs({
      plain: found("folder/file"),
      middle: found("link/file"),
      last: found("last"),
      dangling: found("dangling", true),
      nothing: found("nothing", true),
    }, direct);
    const loop = "Too many levels of symbolic links (os error 40): readfile";
    const nothing = "No such file or directory (os error 2): readfile";
    assertEquals(results, [
      "text",
      `FilesystemLoop: ${loop} 'middle'`,
      `FilesystemLoop: ${loop} 'last'`,
      `NotFound: ${nothing} 'dangling'`,
      `NotFound: ${nothing} 'nothing'`,
    ]);
  });
}
