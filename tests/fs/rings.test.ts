/** The same work on every kind of ring that a caller may pass. */

import { assertEquals, assertRejects } from "@std/assert";
import { IORING_SETUP_SQPOLL, isSystemError } from "../../ffi/mod.ts";
import { create, open } from "../../fs/open.ts";
import { readFile, readTextFile } from "../../fs/read_file.ts";
import { truncate } from "../../fs/truncate.ts";
import { writeFile, writeTextFile } from "../../fs/write_file.ts";
import { Uring, type UringOptions } from "../../proactor/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { bytes } from "./both.ts";

const KINDS: Record<string, UringOptions> = {
  "the usual": {},
  "the smallest": { entries: 1, cqEntries: 2 },
  "plain": { flags: 0 },
  "SQPOLL": { flags: IORING_SETUP_SQPOLL, sqThreadIdle: 20 },
  "without liburing": { backend: "syscall" },
  "woken by a second ring": { wake: "ring" },
  "that never sleeps": { sleep: false },
};

/** Whether this kernel, and this user, can have one. */
async function canMake(options: UringOptions): Promise<boolean> {
  try {
    await new Uring(options).close();
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

async function work(folder: string, ring: Uring): Promise<void> {
  const path = `${folder}/file`;
  const large = new Uint8Array((6 << 20) + 1).map((_, at) => at >> 12);
  await writeFile(path, large, { ring });
  assertEquals(await readFile(path, { ring }), large);
  await truncate(path, 5, { ring });
  await writeTextFile(path, " world", { ring, append: true });
  await writeFile(path, ReadableStream.from([bytes("hello"), bytes(" you")]), {
    ring,
    atomic: true,
    sync: true,
  });
  assertEquals(await readTextFile(path, { ring }), "hello you");
  {
    using file = await open(path, { ring, read: true, write: true });
    assertEquals(await file.read(new Uint8Array(6)), 6);
    assertEquals(await file.write(bytes("all")), 3);
    assertEquals((await file.stat()).size, 9);
    await file.sync();
    const parts = [new Uint8Array(4), new Uint8Array(9)];
    await Promise.all(parts.map((part, at) => file.readAt(part, 3 * at)));
    assertEquals(parts[0], bytes("hell"));
  }
  const made = await create(`${folder}/made`, { ring });
  const source = await open(path, { ring });
  await source.readable.pipeTo(made.writable);
  assertEquals(await readTextFile(`${folder}/made`, { ring }), "hello all");
  const many = Array.from({ length: 100 }, () => readTextFile(path, { ring }));
  assertEquals(new Set(await Promise.all(many)), new Set(["hello all"]));
  await assertRejects(
    () => readFile(`${folder}/no`, { ring }),
    Deno.errors.NotFound,
  );
}

for (const [name, options] of Object.entries(KINDS)) {
  Deno.test({
    name: `fs on a ring: ${name}`,
    ignore: !await canMake(options),
    fn: async () => {
      using home = new TemporaryDirectory();
      await using ring = new Uring(options);
      await work(home.path, ring);
      assertEquals([ring.stats.inFlight, ring.stats.queued], [0, 0]);
    },
  });
}

Deno.test("fs on a ring that is closed", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "text");
  const ring = new Uring();
  using file = await open(path, { ring });
  await ring.close();
  for (
    const action of [
      () => readFile(path, { ring }),
      () => writeTextFile(path, "new", { ring }),
      () => open(path, { ring }),
      () => file.read(new Uint8Array(4)),
    ]
  ) await assertRejects(action, TypeError, "the Uring is closed");
  assertEquals(file.readSync(new Uint8Array(8)), 4); // needs no event loop
});
