/** Reading files of which a block cannot be read. */

import { assert, assertEquals } from "@std/assert";
import { openDirect } from "../../fs/direct.ts";
import { readFiles } from "../../fs/batch.ts";
import type { FsFile } from "../../fs/file.ts";
import { open } from "../../fs/open.ts";
import { readDir } from "../../fs/read_dir.ts";
import { readFile, readTextFile } from "../../fs/read_file.ts";
import { assertSame } from "../fs/errors.ts";
import { pattern } from "../support/files.ts";
import {
  assertBefore,
  assertInputOutputError,
  damaged,
  DAMAGES,
  rejection,
} from "./damage.ts";
import { BLOCK, forget, onFaultyDisk } from "./faulty_disk.ts";

onFaultyDisk(
  "readFile: a block that cannot be read, wherever it is",
  async (disk) => {
    for (const [length, at] of DAMAGES) {
      const { path } = damaged(disk, `${length}-${at}`, length, at);
      const theirs = await rejection(Deno.readFile(path));
      for (const action of [readFile, readTextFile]) {
        forget(path);
        const ours = await rejection(action(path));
        assertSame(ours, theirs);
        assertInputOutputError(ours, "read", { api: "readfile", path });
      }
    }
  },
);

onFaultyDisk(
  "readFile: reads again what could not be read before",
  async (disk) => {
    const { path, content } = damaged(disk, "file", 300_000, 150_000);
    await rejection(readFile(path));
    disk.repair();
    assertEquals(await readFile(path), content);
  },
);

/** Reads up to the end or an error; gives what came, and the error. */
async function drain(file: FsFile, byteLength: number) {
  const parts: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(byteLength);
    try {
      const count = await file.read(buffer);
      if (count === null) return { parts, error: undefined };
      parts.push(buffer.subarray(0, count));
    } catch (error) {
      return { parts, error };
    }
  }
}

function joined(parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

onFaultyDisk(
  "FsFile.read: gives all before a bad block, then fails, and can go on behind it",
  async (disk) => {
    const file = damaged(disk, "file", 5_000_000, 3_234_567);
    const { path, content, around: [, end] } = file;
    for (const byteLength of [4000, 65_536, 5_000_000]) {
      forget(path);
      using opened = await open(path);
      const { parts, error } = await drain(opened, byteLength);
      const before = joined(parts);
      assertBefore(before, file);
      assertInputOutputError(error, "read");
      // It has not moved, and is no less bad the second time.
      const position = await opened.seek(0, Deno.SeekMode.Current);
      assertEquals(position, before.length);
      const again = await drain(opened, byteLength);
      assertBefore(joined([before, ...again.parts]), file);
      assertInputOutputError(again.error, "read");
      await opened.seek(end, Deno.SeekMode.Start);
      const behind = await drain(opened, byteLength);
      assertEquals(behind.error, undefined);
      assertEquals(joined(behind.parts), content.subarray(end));
    }
  },
);

onFaultyDisk(
  "FsFile.readAt: fails if a bad block is in it, however much is read before",
  async (disk) => {
    const { path, content, begin, end, around: [first, last] } = damaged(
      disk,
      "file",
      9_000_000,
      5_000_000,
    );
    using file = await open(path);
    const spans = [
      [0, 9_000_000, true],
      [begin - 10, begin + 10, true],
      [begin + 10, begin + 20, true],
      [end - 1, end + 100_000, true],
      [0, first, false],
      [last, 9_000_000, false],
    ] as const;
    const outcomes = await Promise.allSettled(spans.map(async ([from, to]) => {
      const buffer = new Uint8Array(to - from);
      const count = await file.readAt(buffer, from);
      return buffer.subarray(0, count);
    }));
    for (const [i, [from, to, fails]] of spans.entries()) {
      const outcome = outcomes[i];
      assert(outcome !== undefined);
      assertEquals(outcome.status, fails ? "rejected" : "fulfilled");
      if (outcome.status === "rejected") {
        assertInputOutputError(outcome.reason, "read");
      } else assertEquals(outcome.value, content.subarray(from, to));
    }
  },
);

onFaultyDisk(
  "FsFile.readable: gives all before a bad block, then fails, and closes the file",
  async (disk) => {
    const bad = damaged(disk, "file", 5_000_000, 3_000_000);
    const file = await open(bad.path);
    const parts: Uint8Array[] = [];
    const error = await rejection((async () => {
      for await (const part of file.readable) parts.push(part);
    })());
    assertInputOutputError(error, "read");
    assertBefore(joined(parts), bad);
    assertEquals(file.closed, true);
  },
);

onFaultyDisk(
  "openDirect: blocks before a bad one come, then it fails",
  async (disk) => {
    const { path, content, begin, end } = damaged(
      disk,
      "file",
      2_000_000,
      1_000_000,
    );
    const blockSize = 4 * BLOCK;
    await using file = await openDirect(path, { blockSize, buffers: 4 });
    const parts: Uint8Array[] = [];
    const error = await rejection((async () => {
      for await (const { position, bytes } of file.blocks()) {
        assertEquals(position, parts.length * blockSize);
        parts.push(bytes.slice());
      }
    })());
    assertInputOutputError(error, "read_fixed");
    const whole = Math.floor(begin / blockSize) * blockSize;
    assertEquals(joined(parts), content.subarray(0, whole));
    using lease = await file.lease();
    const failure = await rejection(file.readAt(lease, begin, BLOCK));
    assertInputOutputError(failure, "read_fixed");
    const count = await file.readAt(lease, end, BLOCK);
    assertEquals(
      lease.bytes.subarray(0, count),
      content.subarray(end, end + BLOCK),
    );
  },
);

onFaultyDisk(
  "readFiles: bad files are told by name, the others are read",
  async (disk) => {
    const contents = new Map<string, Uint8Array | null>();
    for (const [i, [length, at]] of DAMAGES.entries()) {
      for (let j = 0; j < 5; j++) {
        const content = pattern(length >> j, i + j);
        contents.set(disk.file(`${i}-${j}`, content), content);
      }
      const { path } = damaged(disk, `${i}-bad`, length, at);
      contents.set(path, null);
    }
    for (const concurrency of [1, 64]) {
      for (const ordered of [true, false]) {
        for (const path of contents.keys()) forget(path);
        const options = { concurrency, ordered, errors: "yield" } as const;
        const seen: string[] = [];
        for await (const file of readFiles(contents.keys(), options)) {
          const path = String(file.path);
          seen.push(path);
          const expected = contents.get(path);
          if (expected !== null) assertEquals(file.data, expected);
          else {
            assertInputOutputError(file.error, "read", {
              api: "readfile",
              path,
            });
          }
        }
        if (!ordered) seen.sort();
        const paths = [...contents.keys()];
        assertEquals(seen, ordered ? paths : paths.sort());
      }
    }
    const [bad = ""] = [...contents].find(([, content]) => content === null) ??
      [];
    const error = await rejection(Array.fromAsync(readFiles(contents.keys())));
    assertInputOutputError(error, "read", { api: "readfile", path: bad });
  },
);

onFaultyDisk(
  "readDir: a folder that cannot be listed is not left open",
  async (disk) => {
    const path = disk.join("folder");
    Deno.mkdirSync(path);
    disk.file("folder/file", "text");
    disk.breakBlock(path);
    const error = await rejection(Array.fromAsync(readDir(path)));
    assertInputOutputError(error, "readdir", { path });
    // Nothing could, if anything on it were open.
    disk.remount();
  },
);
