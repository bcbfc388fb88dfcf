/** Writing to disks that cannot be written. */

import { assertEquals } from "@std/assert";
import { open } from "../../fs/open.ts";
import { openDirect } from "../../fs/direct.ts";
import { readTextFile } from "../../fs/read_file.ts";
import { writeFile } from "../../fs/write_file.ts";
import { pattern } from "../support/files.ts";
import { assertInputOutputError, rejection } from "./damage.ts";
import { BLOCK, onFaultyDisk } from "./faulty_disk.ts";

const LENGTHS = [1, 5000, 300_000, 9_000_001];
const DURABLE = { atomic: true, sync: true };

function streamOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  return new Blob([bytes]).stream();
}

onFaultyDisk(
  "writeFile: atomic and sync, what cannot be written leaves the old file, and no part",
  async (disk) => {
    const old = disk.file("old", "old");
    disk.breakFreeSpace();
    for (const length of LENGTHS) {
      const content = pattern(length);
      for (const path of [old, disk.join("new")]) {
        for (const data of [content, streamOf(content)]) {
          const error = await rejection(writeFile(path, data, DURABLE));
          assertInputOutputError(error, "fsync", { api: "writefile", path });
          assertEquals(disk.names(), ["old"]);
          assertEquals(await readTextFile(old), "old");
        }
      }
    }
    disk.repair();
    await writeFile(old, pattern(100), DURABLE);
    disk.remount();
    assertEquals(Deno.readFileSync(old), pattern(100));
  },
);

onFaultyDisk(
  "writeFile: a disk that is gone leaves the old file",
  async (disk) => {
    const old = disk.file("old", "old");
    disk.breakAll();
    const error = await rejection(writeFile(old, pattern(300_000), DURABLE));
    assertInputOutputError(error, "fsync", { api: "writefile", path: old });
    disk.repair();
    disk.remount();
    assertEquals(await readTextFile(old), "old");
    assertEquals(disk.names(), ["old"]);
  },
);

onFaultyDisk(
  "writeFile: sync tells that what was written did not get to the disk",
  async (disk) => {
    disk.breakFreeSpace();
    for (const length of LENGTHS) {
      const path = disk.join(`${length}`);
      const content = pattern(length);
      const error = await rejection(writeFile(path, content, { sync: true }));
      assertInputOutputError(error, "fsync", { api: "writefile", path });
      const stream = streamOf(content);
      const other = await rejection(writeFile(path, stream, { sync: true }));
      // Deno's own words for a stream are those of its file.
      assertInputOutputError(other, "fsync");
    }
  },
);

onFaultyDisk(
  "FsFile.sync, FsFile.syncData: tell once that a write failed, each open file",
  async (disk) => {
    disk.breakFreeSpace();
    for (const method of ["sync", "syncData"] as const) {
      const path = disk.join(method);
      using one = await open(path, { write: true, create: true });
      using two = await open(path, { write: true });
      assertEquals(await one.writeAt(pattern(50_000), 0), 50_000);
      for (const file of [one, two]) {
        const error = await rejection(file[method]());
        assertInputOutputError(error, "fsync");
        await file[method]();
      }
    }
  },
);

onFaultyDisk("openDirect: a write that fails says so itself", async (disk) => {
  const path = disk.file("file", pattern(10 * BLOCK));
  disk.breakBlock(path, 5 * BLOCK);
  const options = { read: true, write: true, blockSize: 4 * BLOCK };
  await using file = await openDirect(path, options);
  using lease = await file.lease();
  lease.bytes.fill(7);
  for (const [at, fails] of [[0, false], [4, true], [6, false]] as const) {
    const writing = file.writeAt(lease, at * BLOCK);
    if (!fails) {
      assertEquals(await writing, 4 * BLOCK);
      continue;
    }
    assertInputOutputError(await rejection(writing), "write_fixed");
  }
  assertEquals(await file.readAt(lease, 6 * BLOCK), 4 * BLOCK);
  assertEquals(lease.bytes, new Uint8Array(4 * BLOCK).fill(7));
});
