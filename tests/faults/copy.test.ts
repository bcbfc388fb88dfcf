/** Copying files of which a block cannot be read, and onto a disk that cannot be written. */

import { assertEquals } from "@std/assert";
import { copyFile, type CopyOptions } from "../../fs/copy_file.ts";
import { copyTree, type CopyTreeFailure } from "../../fs/copy_tree.ts";
import { pattern, TemporaryDirectory } from "../support/files.ts";
import {
  assertInputOutputError,
  damaged,
  DAMAGES,
  rejection,
} from "./damage.ts";
import { type FaultyDisk, forget, onFaultyDisk } from "./faulty_disk.ts";

const MANNERS: readonly CopyOptions[] = [
  {},
  { direct: true },
  { direct: true, sparse: "always" },
  { sparse: "always" },
  { sparse: "never", reflink: "never" },
  { queueDepth: 1 },
  { preserve: { timestamps: true, xattr: true, ownership: true } },
];

onFaultyDisk(
  "copyFile: a source with a bad block leaves the old file, or none, and no part",
  async (disk) => {
    using elsewhere = new TemporaryDirectory();
    const files = DAMAGES.map(([length, at]) =>
      damaged(disk, `${length}-${at}`, length, at)
    );
    Deno.mkdirSync(disk.join("copies"));
    const places: [folder: string, options: CopyOptions][] = MANNERS
      .map((options) => [disk.join("copies"), options]);
    places.push([elsewhere.path, {}]);
    for (const [folder, options] of places) {
      for (const { path } of files) {
        Deno.writeTextFileSync(`${folder}/old`, "old");
        for (const name of ["old", "new"]) {
          const to = `${folder}/${name}`;
          forget(path);
          const error = await rejection(copyFile(path, to, options));
          assertInputOutputError(error, "read", { api: "copy", path, to });
        }
        const names = Deno.readDirSync(folder).map(({ name }) => name);
        assertEquals(names.toArray(), ["old"]);
        assertEquals(Deno.readTextFileSync(`${folder}/old`), "old");
      }
    }
  },
);

onFaultyDisk(
  "copyFile: in place, a copy has what came before a bad block",
  async (disk) => {
    const { path } = damaged(disk, "bad", 300_000, 150_000);
    const to = disk.file("to", "old");
    const { ino } = Deno.statSync(to);
    const error = await rejection(copyFile(path, to, { inPlace: true }));
    assertInputOutputError(error, "read", { api: "copy", path, to });
    assertEquals(Deno.statSync(to).ino, ino);
    assertEquals(disk.names(), ["bad", "to"]);
  },
);

/** A tree of good and bad files; gives what is in the good ones, and which are bad. */
function makeTree(disk: FaultyDisk) {
  const good = new Map<string, Uint8Array>();
  const bad: string[] = [];
  Deno.mkdirSync(disk.join("tree"));
  for (const [i, [length, at]] of DAMAGES.entries()) {
    Deno.mkdirSync(disk.join(`tree/${i}`));
    for (let j = 0; j < 10; j++) {
      const name = `${i}/${j}`;
      const content = pattern(length >> (j + 2), i + j);
      disk.file(`tree/${name}`, content);
      good.set(name, content);
    }
    damaged(disk, `tree/${i}/bad`, length, at);
    bad.push(`${i}/bad`);
  }
  return { good, bad };
}

function filesBelow(folder: string): string[] {
  return Deno.readDirSync(folder).flatMap(({ name, isDirectory }) =>
    isDirectory
      ? filesBelow(`${folder}/${name}`).map((inside) => `${name}/${inside}`)
      : [name]
  ).toArray().sort();
}

onFaultyDisk(
  "copyTree: bad files are told, the others are copied, and no part of any stays",
  async (disk) => {
    const { good, bad } = makeTree(disk);
    const [from, to] = [disk.join("tree"), disk.join("copy")];
    for (const concurrency of [1, 64]) {
      for (const direct of [false, true]) {
        disk.remount();
        const told: [error: unknown, entry: CopyTreeFailure][] = [];
        const result = await copyTree(from, to, {
          concurrency,
          direct,
          onError: (error, entry) => told.push([error, entry]),
        });
        const names = told.map(([error, { from: path, to }]) => {
          assertInputOutputError(error, "read", { api: "copy", path, to });
          return path.slice(from.length + 1);
        });
        assertEquals(names.sort(), bad);
        assertEquals([result.files, result.failed], [good.size, bad.length]);
        assertEquals(filesBelow(to), [...good.keys()].sort());
        for (const [name, content] of good) {
          assertEquals(Deno.readFileSync(`${to}/${name}`), content);
        }
        Deno.removeSync(to, { recursive: true });
      }
    }
  },
);

onFaultyDisk(
  "copyTree: a bad file ends it, and what was at its destination stays",
  async (disk) => {
    const from = disk.join("tree");
    const to = disk.join("copy");
    Deno.mkdirSync(from);
    Deno.mkdirSync(to);
    disk.file("copy/bad", "old");
    const { path } = damaged(disk, "tree/bad", 20_000, 9000);
    const error = await rejection(copyTree(from, to));
    assertInputOutputError(error, "read", {
      api: "copy",
      path,
      to: `${to}/bad`,
    });
    assertEquals(filesBelow(to), ["bad"]);
    assertEquals(Deno.readTextFileSync(`${to}/bad`), "old");
  },
);

onFaultyDisk(
  "copyTree: a folder that cannot be listed is told, the others are copied",
  async (disk) => {
    const [from, to] = [disk.join("tree"), disk.join("copy")];
    for (const name of ["", "/bad", "/good"]) Deno.mkdirSync(`${from}${name}`);
    for (const name of ["bad/a", "good/a"]) disk.file(`tree/${name}`, name);
    disk.breakBlock(`${from}/bad`);
    for (const count of [false, true]) {
      const told: unknown[] = [];
      const result = await copyTree(from, to, {
        count,
        onError: (error) => told.push(error),
      });
      assertEquals(told.length, 1);
      assertInputOutputError(told[0], "readdir", {
        api: "copy",
        path: `${from}/bad`,
        to: `${to}/bad`,
      });
      assertEquals([result.files, result.failed], [1, 1]);
      assertEquals(filesBelow(to), ["good/a"]);
    }
  },
);

onFaultyDisk(
  "copyFile: O_DIRECT onto a disk that cannot be written leaves the old file, and no part",
  async (disk) => {
    using elsewhere = new TemporaryDirectory();
    disk.file("old", "old");
    disk.breakFreeSpace();
    for (const length of [100, 20_000, 300_000, 9_000_001]) {
      const from = elsewhere.file("from", pattern(length));
      for (const name of ["old", "new"]) {
        const to = disk.join(name);
        const error = await rejection(copyFile(from, to, { direct: true }));
        assertInputOutputError(error, "write", { api: "copy", path: from, to });
        assertEquals(disk.names(), ["old"]);
        assertEquals(Deno.readTextFileSync(disk.join("old")), "old");
      }
    }
  },
);
