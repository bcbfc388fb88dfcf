/** `copyTree`: folders with all that is in them. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "@std/assert";
import { makeNode, S_IFIFO, setLinkTimes } from "../../ffi/mod.ts";
import { copyTree, type CopyTreeOptions } from "../../fs/copy_tree.ts";
import { opcodes } from "../../ops/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { emulated } from "../support/machine.ts";
import { openFiles } from "../support/sockets.ts";
import {
  assertSameContents,
  assertSamePortrait,
  blocksOf,
  EVERYTHING,
  KIND_AND_MODE,
  pattern,
  printed,
  sparseFile,
} from "./copies.ts";

/** A tree with one of everything. */
function plant(home: TemporaryDirectory): string {
  const top = home.join("tree");
  Deno.mkdirSync(`${top}/a/b/c`, { recursive: true });
  Deno.mkdirSync(`${top}/empty`);
  Deno.mkdirSync(`${top}/many`);
  Deno.writeTextFileSync(`${top}/none`, "");
  Deno.writeFileSync(`${top}/a/small`, pattern(5000, 1));
  Deno.writeFileSync(`${top}/a/b/large`, pattern(3_000_001, 2));
  Deno.writeTextFileSync(`${top}/a/b/c/deep`, "deep");
  Deno.writeTextFileSync(`${top}/a/ü b\n'"$`, "strange");
  for (let i = 0; i < 300; i++) {
    Deno.writeFileSync(`${top}/many/${i}`, pattern(i * 50, i));
  }
  Deno.symlinkSync("small", `${top}/a/link`);
  Deno.symlinkSync("../a", `${top}/many/up`);
  Deno.symlinkSync("nowhere", `${top}/dangling`);
  makeNode(`${top}/fifo`, S_IFIFO | 0o640);
  Deno.linkSync(`${top}/a/small`, `${top}/twin`);
  sparseFile(`${top}/sparse`, 20_000_000, [[10_000_000, 100]]);
  Deno.chmodSync(`${top}/a/small`, 0o4751);
  Deno.chmodSync(`${top}/a/b/c/deep`, 0o400);
  Deno.chmodSync(`${top}/a/b/c`, 0o555);
  Deno.chmodSync(`${top}/empty`, 0o1777);
  Deno.utimeSync(`${top}/a/b/large`, 1_000_000_000, 1_100_000_000.125);
  Deno.utimeSync(`${top}/a/b/c`, 1_000_000_001, 1_100_000_001.25);
  return top;
}

Deno.test("copyTree: as cp -r does it", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const result = await copyTree(top, home.join("ours"));
  printed("cp", "-r", top, home.join("theirs"));
  assertSameContents(top, home.join("ours"));
  assertSamePortrait(home.join("ours"), home.join("theirs"), KIND_AND_MODE);
  const { files, folders, symlinks, links, skipped, failed } = result;
  assertEquals([files, folders, symlinks, links], [308, 6, 3, 0]);
  assertEquals([skipped, failed], [0, 0]);
  assertLess(blocksOf(home.join("ours/sparse")) * 512, 1_000_000);
});

Deno.test("copyTree: as cp -a does it", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  if (Deno.uid() === 0) Deno.chownSync(`${top}/a/b/large`, 12, 34);
  setLinkTimes(
    `${top}/a/link`,
    1_000_000_000_123_456_789n,
    1_200_000_000_987_654_321n,
  );
  const preserve = {
    mode: true,
    timestamps: true,
    ownership: true,
    links: true,
    xattr: true,
  };
  const result = await copyTree(top, home.join("ours"), { preserve });
  printed("cp", "-a", top, home.join("theirs"));
  assertSameContents(top, home.join("ours"));
  assertSamePortrait(home.join("ours"), home.join("theirs"), EVERYTHING);
  assertEquals([result.files, result.links], [307, 1]);
  // And again over it: nothing but the names in the folders changes.
  await copyTree(top, home.join("ours"), { preserve });
  assertSamePortrait(home.join("ours"), home.join("theirs"), EVERYTHING);
});

Deno.test({
  name: "copyTree: extended attributes of files and folders",
  ignore: !opcodes.fsetxattr.supported(),
  fn: async () => {
    using home = new TemporaryDirectory();
    const { getXattr, setXattr } = await import("../../fs/xattr.ts");
    Deno.mkdirSync(home.join("tree/folder"), { recursive: true });
    Deno.writeTextFileSync(home.join("tree/folder/file"), "text");
    for (const name of ["tree", "tree/folder", "tree/folder/file"]) {
      await setXattr(home.join(name), "user.name", name);
    }
    const preserve = { xattr: true };
    await copyTree(home.join("tree"), home.join("copy"), { preserve });
    for (const name of ["", "/folder", "/folder/file"]) {
      const value = await getXattr(home.join(`copy${name}`), "user.name");
      assertEquals(new TextDecoder().decode(value), `tree${name}`);
    }
  },
});

Deno.test("copyTree: links kept, followed, or followed at the top only", async () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("real/inner"), { recursive: true });
  Deno.writeTextFileSync(home.join("real/file"), "text");
  Deno.symlinkSync("file", home.join("real/link"));
  Deno.symlinkSync("inner", home.join("real/folder"));
  Deno.symlinkSync("real", home.join("top"));
  const copy = (to: string, symlinks: CopyTreeOptions["symlinks"]) =>
    copyTree(home.join("top"), home.join(to), symlinks ? { symlinks } : {});
  assertEquals((await copy("kept", "keep")).symlinks, 1);
  assertEquals(Deno.readLinkSync(home.join("kept")), "real");
  await copy("argument", "follow-argument");
  assertEquals(Deno.readLinkSync(home.join("argument/link")), "file");
  assertEquals(Deno.readLinkSync(home.join("argument/folder")), "inner");
  const { symlinks, folders } = await copy("followed", "follow");
  assertEquals([symlinks, folders], [0, 3]);
  assert(Deno.lstatSync(home.join("followed/link")).isFile);
  assert(Deno.lstatSync(home.join("followed/folder")).isDirectory);
});

Deno.test("copyTree: a link that leads upwards does not go on for ever", async () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("tree/inner"), { recursive: true });
  Deno.writeTextFileSync(home.join("tree/inner/file"), "text");
  Deno.symlinkSync("..", home.join("tree/inner/up"));
  const failures: unknown[] = [];
  const result = await copyTree(home.join("tree"), home.join("copy"), {
    symlinks: "follow",
    onError: (error, { from }) => failures.push([from, (error as Error).name]),
  });
  assertEquals(failures, [[home.join("tree/inner/up"), "FilesystemLoop"]]);
  assertEquals([result.files, result.failed], [1, 1]);
});

Deno.test("copyTree: merges folders, replaces files and links, or does not", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const to = home.join("copy");
  Deno.mkdirSync(`${to}/a`, { recursive: true });
  Deno.writeTextFileSync(`${to}/a/small`, "old");
  Deno.writeTextFileSync(`${to}/a/other`, "stays");
  Deno.writeTextFileSync(`${to}/a/link`, "was no link");
  Deno.symlinkSync("elsewhere", `${to}/dangling`);
  const failures: string[] = [];
  await copyTree(top, to, {
    overwrite: false,
    onError: (error, { to }) => {
      assert(error instanceof Deno.errors.AlreadyExists);
      failures.push(to);
    },
  });
  assertEquals(failures.sort(), [
    `${to}/a/link`,
    `${to}/a/small`,
    `${to}/dangling`,
  ]);
  assertEquals(Deno.readTextFileSync(`${to}/a/small`), "old");
  const { folders } = await copyTree(top, to);
  assertEquals(folders, 0);
  assertEquals(Deno.readTextFileSync(`${to}/a/other`), "stays");
  Deno.removeSync(`${to}/a/other`);
  assertSameContents(top, to);
});

Deno.test("copyTree: what is in the way is an error, and the rest goes on", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const to = home.join("copy");
  Deno.mkdirSync(`${to}/none`, { recursive: true });
  Deno.writeTextFileSync(`${to}/many`, "no folder");
  const failures = new Map<string, unknown>();
  const { failed, files } = await copyTree(top, to, {
    onError: (error, { to }) => failures.set(to, error),
  });
  assertEquals([failed, files], [2, 7]);
  assert(failures.get(`${to}/none`) instanceof Deno.errors.IsADirectory);
  assert(failures.get(`${to}/many`) instanceof Deno.errors.NotADirectory);
  await assertRejects(() => copyTree(top, to), Error, `-> '${to}/`);
});

Deno.test("copyTree: filter leaves out files, and folders with all in them", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const seen: string[] = [];
  const result = await copyTree(top, home.join("copy"), {
    filter: async ({ from, to, info, exists }) => {
      assertEquals(from.slice(top.length), to.slice(home.join("copy").length));
      assertEquals([exists, info.isFile], [
        undefined,
        Deno.lstatSync(from).isFile,
      ]);
      seen.push(from.slice(top.length));
      await new Promise((resolve) => setTimeout(resolve));
      return !from.endsWith("/many") && !from.endsWith("/fifo");
    },
  });
  assertEquals(result.skipped, 2);
  assert(!seen.some((path) => path.startsWith("/many/")));
  assert(seen.includes("") && seen.includes("/a/b/c/deep"));
  await assertRejects(() => Deno.lstat(home.join("copy/many")));
  await assertRejects(() => Deno.lstat(home.join("copy/fifo")));
  const none = await copyTree(top, home.join("none"), { filter: () => false });
  assertEquals([none.skipped, none.folders], [1, 0]);
});

Deno.test("copyTree: tells what it has copied, folders first, and how far it is", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const total = printed("find", top, "-type", "f", "-printf", "%s\n")
    .trim().split("\n").reduce((sum, size) => sum + Number(size), 0);
  const copied = new Set<string>();
  let last = { files: 0, folders: 0, bytes: 0 };
  const result = await copyTree(top, home.join("copy"), {
    count: true,
    onCopied({ to }) {
      assert(
        to === home.join("copy") || copied.has(to.replace(/\/[^/]*$/, "")),
      );
      Deno.lstatSync(to);
      copied.add(to);
    },
    progress({ files, folders, bytes, totalBytes, totalFiles, current }) {
      assert(files >= last.files && bytes >= last.bytes);
      assertEquals([totalFiles, totalBytes], [311, total]);
      assert(current.startsWith(top));
      last = { files, folders, bytes };
    },
  });
  assertEquals(last, { files: 311, folders: 6, bytes: total });
  assertEquals(result.bytes, total);
  assertEquals(copied.size, 317);
});

Deno.test("copyTree: an abort stops it, and what is there is whole", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const to = home.join("copy");
  const controller = new AbortController();
  let count = 0;
  await assertRejects(
    () =>
      copyTree(top, to, {
        signal: controller.signal,
        concurrency: 4,
        onError: () => count += 1000,
        onCopied: () => {
          if (++count === 20) controller.abort(new Error("enough"));
        },
      }),
    Error,
    "enough",
  );
  assertLess(count, 30);
  // One of them has a line feed in its name.
  const copies = printed("find", to, "-type", "f", "-print0").split("\0");
  for (const copy of copies.filter((path) => path !== "")) {
    const from = top + copy.slice(to.length);
    assertEquals(Deno.readFileSync(copy), Deno.readFileSync(from));
  }
});

Deno.test("copyTree: the first error stops it without onError", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const error = await assertRejects(
    () => copyTree(top, home.join("none/copy")),
    Deno.errors.NotFound,
  );
  assertEquals(
    error.message,
    `No such file or directory (os error 2): copy '${top}' -> '${
      home.join("none/copy")
    }'`,
  );
  await assertRejects(
    () => copyTree(home.join("none"), top),
    Deno.errors.NotFound,
  );
  await assertRejects(() => copyTree(top, top), Error, "are the same file");
  await assertRejects(
    () => copyTree(top, `${top}/a/copy`),
    Error,
    "into itself",
  );
  await assertRejects(
    () => copyTree(`${top}/a/`, `${top}/a/b/`),
    Error,
    "into itself",
  );
});

Deno.test("copyTree: a file, a link, a FIFO alone", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  const one = await copyTree(`${top}/a/small`, home.join("file"));
  assertEquals([one.files, one.bytes], [1, 5000]);
  assertEquals(Deno.readFileSync(home.join("file")), pattern(5000, 1));
  await copyTree(`${top}/dangling`, home.join("link"));
  assertEquals(Deno.readLinkSync(home.join("link")), "nowhere");
  await copyTree(`${top}/fifo`, home.join("fifo"));
  assert(Deno.lstatSync(home.join("fifo")).isFifo);
});

Deno.test("copyTree: two at once, with one file and with many in flight", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  await Promise.all(
    [1, 2, 64, 1024].map((concurrency) =>
      copyTree(top, home.join(`${concurrency}`), { concurrency })
    ),
  );
  for (const name of [1, 2, 64, 1024]) {
    assertSameContents(top, home.join(`${name}`));
  }
});

Deno.test("copyTree: timers tick, and no descriptor is left", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  await copyTree(top, home.join("first"));
  const before = openFiles();
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const begun = performance.now();
  await copyTree(top, home.join("copy"));
  const took = performance.now() - begun;
  clearInterval(timer);
  assertGreater(ticks, emulated ? 0 : took / 60);
  await copyTree(top, home.join("copy"), { overwrite: false, onError() {} });
  await assertRejects(() =>
    copyTree(top, home.join("copy"), { overwrite: false })
  );
  assertEquals(openFiles(), before);
});

Deno.test("copyTree: folders 300 deep", async () => {
  using home = new TemporaryDirectory();
  const inner = `${home.join("tree")}${"/d".repeat(300)}`;
  Deno.mkdirSync(inner, { recursive: true });
  Deno.writeTextFileSync(`${inner}/file`, "text");
  const { folders } = await copyTree(home.join("tree"), home.join("copy"));
  assertEquals(folders, 301);
  assertEquals(
    Deno.readTextFileSync(`${home.join("copy")}${"/d".repeat(300)}/file`),
    "text",
  );
});

Deno.test("copyTree: what a callback throws is an error of its entry", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  await assertRejects(
    () =>
      copyTree(top, home.join("copy"), {
        filter: () => {
          throw new RangeError("no idea");
        },
      }),
    RangeError,
    "no idea",
  );
});

Deno.test("copyTree: what onError throws stops it, and is what it rejects with", async () => {
  using home = new TemporaryDirectory();
  const top = plant(home);
  let calls = 0;
  for (const preserve of [{}, { mode: true }]) {
    for (const to of [home.join("one"), home.join("other")]) {
      Deno.mkdirSync(to, { recursive: true });
      Deno.writeTextFileSync(`${to}/many`, "no folder");
      await assertRejects(
        () =>
          copyTree(top, to, {
            preserve,
            filter: ({ info }) => {
              if (info.isFile) throw new Error("no idea");
              return true;
            },
            onError: (error) => {
              calls++;
              throw new RangeError("enough", { cause: error });
            },
          }),
        RangeError,
        "enough",
      );
    }
  }
  assertGreater(calls, 3);
});

Deno.test("copyTree: arguments are checked", async () => {
  const wrong: [object, string][] = [
    [{ concurrency: 0 }, "concurrency"],
    [{ symlinks: "none" }, "symlinks"],
    [{ overwrite: 1 }, "overwrite"],
    [{ count: "yes" }, "count"],
    [{ filter: true }, "filter"],
    [{ onError: {} }, "onError"],
    [{ sparse: "some" }, "sparse"],
  ];
  for (const [options, word] of wrong) {
    await assertRejects(
      () => copyTree("/etc", "/nope/x", options),
      Error,
      word,
    );
  }
});

Deno.test("copyTree: small files, larger ones, and those that tell no size", async () => {
  using home = new TemporaryDirectory();
  const top = home.join("tree");
  const edge = 64 * 1024;
  const sizes = [0, 1, 4095, 4096, edge - 2, edge - 1, edge, edge + 1];
  for (let folder = 0; folder < 20; folder++) {
    Deno.mkdirSync(`${top}/${folder}`, { recursive: true });
    for (const [i, size] of sizes.entries()) {
      Deno.writeFileSync(`${top}/${folder}/${i}`, pattern(size, i + folder));
    }
  }
  for (const concurrency of [1, 7, 64, 1024]) {
    const to = home.join(`copy${concurrency}`);
    const current = new Set<string>();
    const result = await copyTree(top, to, {
      concurrency,
      onCopied: ({ from, to, info }) => {
        if (info.isFile) assertEquals(Deno.statSync(to).size, info.size);
        current.add(from);
      },
    });
    assertSameContents(top, to);
    assertEquals([result.files, result.folders], [160, 21]);
    assertEquals(result.bytes, 20 * sizes.reduce((sum, size) => sum + size));
    assertEquals(current.size, 181);
  }
  await copyTree("/proc/sys/fs/mqueue", home.join("mqueue"));
  assertSameContents("/proc/sys/fs/mqueue", home.join("mqueue"));
});

Deno.test("copyTree: small files that cannot be read are told one by one", async () => {
  using home = new TemporaryDirectory();
  const top = home.join("tree");
  Deno.mkdirSync(top);
  for (let i = 0; i < 200; i++) Deno.writeTextFileSync(`${top}/${i}`, `${i}`);
  const told: string[] = [];
  let first = true;
  const result = await copyTree(top, home.join("copy"), {
    onCopied: ({ info }) => {
      if (!first || info.isDirectory) return;
      first = false;
      // All are listed by now, and few of them under way.
      for (let i = 100; i < 200; i++) Deno.removeSync(`${top}/${i}`);
    },
    onError: (error, { from }) => {
      assert(error instanceof Deno.errors.NotFound);
      told.push(from);
    },
  });
  assertGreater(told.length, 0);
  assertEquals(result.failed, told.length);
  assertEquals(new Set(told).size, told.length);
  assertEquals(result.files + result.failed, 200);
  for (let i = 0; i < 100; i++) {
    assertEquals(Deno.readTextFileSync(home.join(`copy/${i}`)), `${i}`);
  }
});
