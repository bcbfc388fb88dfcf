/** `copyFile`: as Deno's, and what it does beyond. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { closeSync, openSync } from "node:fs";
import { closeDescriptor, pipePair } from "../../ffi/mod.ts";
import { copyData } from "../../fs/copy_data.ts";
import { copyFile, type CopyOptions } from "../../fs/copy_file.ts";
import { Uring } from "../../proactor/mod.ts";
import { opcodes, read, run } from "../../ops/mod.ts";
import { Ring } from "../../ring/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { emulated } from "../support/machine.ts";
import { assertSame } from "./errors.ts";
import { blocksOf, pattern, sparseFile } from "./copies.ts";

/** Lengths around the small path, the blocks and the pages. */
const LENGTHS = [
  ...[0, 1, 4095, 4096, 4097, 262_143, 262_144, 262_145],
  ...[(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 9_999_999],
];

const WAYS: CopyOptions[] = [
  {},
  { inPlace: true },
  { queueDepth: 1 },
  { queueDepth: 64 },
  { sparse: "always" },
  { sparse: "never", reflink: "never" },
  { direct: true },
];

Deno.test("copyFile: every length, every way, new and over another", async () => {
  using home = new TemporaryDirectory();
  for (const length of LENGTHS) {
    const content = pattern(length, length);
    const from = home.file("from", content);
    for (const options of WAYS) {
      const to = home.join("to");
      await copyFile(from, to, options);
      assertEquals(Deno.readFileSync(to), content);
      Deno.writeFileSync(to, pattern(length + 5000, 1));
      await copyFile(from, to, options);
      assertEquals(Deno.readFileSync(to), content);
      Deno.removeSync(to);
    }
  }
  assertEquals([...Deno.readDirSync(home.path)].length, 1);
});

Deno.test("copyFile: paths as URLs, names of 255 bytes", async () => {
  using home = new TemporaryDirectory();
  const from = home.file("é".repeat(127) + "x", "text");
  const to = home.join("ü".repeat(127) + "y");
  const url = (path: string) =>
    new URL(`file://${path.split("/").map(encodeURIComponent).join("/")}`);
  await copyFile(url(from), url(to));
  assertEquals(Deno.readTextFileSync(to), "text");
});

Deno.test("copyFile: permissions as Deno's, new and over another", async () => {
  using home = new TemporaryDirectory();
  for (const mode of [0o600, 0o644, 0o777, 0o400, 0o755]) {
    for (const before of [undefined, 0o666, 0o600]) {
      const modes = [Deno.copyFile, copyFile].map((copy, i) => {
        const from = home.file(`from${i}`, "text");
        Deno.chmodSync(from, mode);
        const to = home.join(`to${i}`);
        if (before !== undefined) {
          Deno.writeTextFileSync(to, "old");
          Deno.chmodSync(to, before);
        }
        return copy(from, to).then(() => {
          const found = Deno.statSync(to).mode;
          Deno.removeSync(to);
          Deno.removeSync(from);
          return found;
        });
      });
      const [theirs, ours] = await Promise.all(modes);
      assertEquals(ours, theirs);
    }
  }
});

Deno.test("copyFile: errors as Deno's", async () => {
  using home = new TemporaryDirectory();
  const file = home.file("file", "text");
  const folder = home.join("folder");
  Deno.mkdirSync(folder);
  Deno.symlinkSync("loop", home.join("loop"));
  const cases = [
    [home.join("none"), home.join("to")],
    [folder, home.join("to")],
    [file, folder],
    [file, home.join("none/to")],
    [file, `${file}/to`],
    ["/dev/null", home.join("to")],
    [file, file],
    [home.join("loop"), home.join("to")],
    [file, home.join("x".repeat(256))],
    ["a\0b", home.join("to")],
    [file, "a\0b"],
    [new URL(`file://${home.path}/a%00b`), home.join("to")],
    [file, new URL(`file://${home.path}/a%00b`)],
    [file, `${file}/`],
    [file, `${home.join("loop")}/`],
    [file, `${home.path}${"/.".repeat(2050)}/to`],
    [file, ""],
  ] as const;
  for (const [from, to] of cases) {
    const ours = await assertRejects(() => copyFile(from, to));
    assertSame(ours, await assertRejects(() => Deno.copyFile(from, to)));
  }
  assertEquals(Deno.readTextFileSync(file), "text");
});

Deno.test("copyFile: a link to what has no path, as those to open pipes", async () => {
  using home = new TemporaryDirectory();
  using ring = new Ring(2);
  const from = home.file("from", "text");
  const [reader, writer] = pipePair();
  try {
    const self = `/proc/${Deno.pid}/fd/${writer}`;
    Deno.symlinkSync(self, home.join("link"));
    for (const to of [self, home.join("link")]) {
      await copyFile(from, to);
      const buffer = new Uint8Array(64);
      const count = run(ring, read(reader, buffer));
      const text = new TextDecoder().decode(buffer.subarray(0, count));
      assertEquals(text, "text");
    }
  } finally {
    closeDescriptor(reader);
    closeDescriptor(writer);
  }
});

Deno.test("copyFile: links are followed at both ends, dangling ones too", async () => {
  using home = new TemporaryDirectory();
  home.file("from", "text");
  home.file("old", "old");
  Deno.symlinkSync("from", home.join("source"));
  Deno.symlinkSync("old", home.join("to old"));
  Deno.symlinkSync("new", home.join("to new"));
  for (const name of ["to old", "to new"]) {
    await copyFile(home.join("source"), home.join(name));
    assert(Deno.lstatSync(home.join(name)).isSymlink);
  }
  for (const name of ["old", "new"]) {
    assert(Deno.lstatSync(home.join(name)).isFile);
    assertEquals(Deno.readTextFileSync(home.join(name)), "text");
  }
  // By another name it is the same file too.
  await assertRejects(
    () => copyFile(home.join("from"), home.join("source")),
    TypeError,
    "same file",
  );
});

Deno.test("copyFile: a file is replaced, not written to, unless in place", async () => {
  using home = new TemporaryDirectory();
  const from = home.file("from", "new");
  const to = home.file("to", "old");
  Deno.linkSync(to, home.join("other"));
  const { ino } = Deno.statSync(to);
  using open = Deno.openSync(to);
  await copyFile(from, to);
  assertNotEquals(Deno.statSync(to).ino, ino);
  assertEquals(Deno.readTextFileSync(home.join("other")), "old");
  const buffer = new Uint8Array(8);
  assertEquals(open.readSync(buffer), 3);
  assertEquals(new TextDecoder().decode(buffer.subarray(0, 3)), "old");

  const kept = Deno.statSync(to).ino;
  Deno.linkSync(to, home.join("third"));
  Deno.writeTextFileSync(from, "in place");
  await copyFile(from, to, { inPlace: true });
  assertEquals(Deno.statSync(to).ino, kept);
  assertEquals(Deno.readTextFileSync(home.join("third")), "in place");
});

Deno.test({
  name: "copyFile: the owner of what is replaced is kept",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    using home = new TemporaryDirectory();
    const from = home.file("from", "new");
    const to = home.file("to", "old");
    Deno.chownSync(to, 12, 34);
    await copyFile(from, to);
    const { uid, gid } = Deno.statSync(to);
    assertEquals([uid, gid], [12, 34]);
  },
});

Deno.test("copyFile: to and from what is no plain file", async () => {
  using home = new TemporaryDirectory();
  const from = home.file("from", pattern(300_000, 3));
  await copyFile(from, "/dev/null");
  assert(Deno.statSync("/dev/null").isCharDevice);
  await copyFile("/proc/version", home.join("version"));
  assertEquals(
    Deno.readFileSync(home.join("version")),
    Deno.readFileSync("/proc/version"),
  );
});

Deno.test("copyFile: times, owner and attributes where asked for", async () => {
  using home = new TemporaryDirectory();
  const from = home.file("from", "text");
  const to = home.join("to");
  Deno.chmodSync(from, 0o4750);
  Deno.utimeSync(from, 1_000_000_000.25, 1_234_567_890.5);
  const preserve = { timestamps: true, ownership: true, xattr: true };
  await copyFile(from, to, { preserve });
  const { atime, mtime, mode } = Deno.statSync(to);
  assertEquals(atime?.getTime(), 1_000_000_000_250);
  assertEquals(mtime?.getTime(), 1_234_567_890_500);
  assertEquals(mode, Deno.statSync(from).mode);
  await copyFile(from, to);
  assertGreater(Deno.statSync(to).mtime?.getTime(), 1_600_000_000_000);
});

Deno.test({
  name: "copyFile: extended attributes",
  ignore: !opcodes.fsetxattr.supported(),
  fn: async () => {
    using home = new TemporaryDirectory();
    const { getXattr, setXattr } = await import("../../fs/xattr.ts");
    const from = home.file("from", "text");
    await setXattr(from, "user.colour", "green");
    await setXattr(from, "user.long", new Uint8Array(2000).fill(7));
    await copyFile(from, home.join("with"), { preserve: { xattr: true } });
    await copyFile(from, home.join("without"));
    const value = await getXattr(home.join("with"), "user.colour");
    assertEquals(new TextDecoder().decode(value), "green");
    assertEquals((await getXattr(home.join("with"), "user.long")).length, 2000);
    await assertRejects(() => getXattr(home.join("without"), "user.colour"));
  },
});

Deno.test("copyFile: holes are kept, made, or filled", async () => {
  using home = new TemporaryDirectory();
  const from = home.join("from");
  const size = 6 * 2 ** 30 + 12_345;
  sparseFile(from, size, [[0, 5000], [5 * 2 ** 30 + 777, 100_000]]);
  const to = home.join("to");
  await copyFile(from, to);
  assertEquals(Deno.statSync(to).size, size);
  assert(blocksOf(to) * 512 < 1_000_000);
  using file = await Deno.open(to);
  const piece = new Uint8Array(100_002);
  await file.seek(5 * 2 ** 30 + 776, Deno.SeekMode.Start);
  for (let at = 0; at < piece.length;) {
    at += await file.read(piece.subarray(at)) ?? piece.length;
  }
  assertEquals(piece[0], 0);
  assertEquals(piece.subarray(1, 100_001), pattern(100_000, 5 * 2 ** 30 + 777));
  assertEquals(piece[100_001], 0);

  const zeros = home.file("zeros", new Uint8Array(3_000_000));
  await copyFile(zeros, home.join("dense"));
  assert(blocksOf(home.join("dense")) * 512 >= 2_990_000);
  await copyFile(zeros, home.join("holes"), { sparse: "always" });
  assertEquals(blocksOf(home.join("holes")), 0);
  assertEquals(Deno.statSync(home.join("holes")).size, 3_000_000);
  await copyFile(home.join("holes"), home.join("filled"), { sparse: "never" });
  assert(blocksOf(home.join("filled")) * 512 >= 2_990_000);
  assertEquals(
    Deno.readFileSync(home.join("filled")),
    new Uint8Array(3_000_000),
  );
});

Deno.test("copyFile: progress adds up, holes among it", async () => {
  using home = new TemporaryDirectory();
  const dense = home.file("dense", pattern(5_000_001, 9));
  const sparse = home.join("sparse");
  sparseFile(sparse, 50_000_000, [[20_000_000, 100]]);
  for (const from of [dense, sparse, home.file("small", "text")]) {
    const { size } = Deno.statSync(from);
    let last = 0;
    await copyFile(from, home.join("to"), {
      progress({ bytes, totalBytes, current }) {
        assert(bytes > last);
        last = bytes;
        assertEquals([totalBytes, current], [size, from]);
      },
    });
    assertEquals(last, size);
  }
});

Deno.test("copyFile: an abort leaves the old file, and no part of the new one", async () => {
  using home = new TemporaryDirectory();
  const from = home.file("from", pattern(30_000_000, 4));
  const to = home.file("to", "old");
  const controller = new AbortController();
  await assertRejects(
    () =>
      copyFile(from, to, {
        signal: controller.signal,
        queueDepth: 1,
        reflink: "never",
        progress: ({ bytes }) => {
          if (bytes > 10_000_000) controller.abort(new Error("enough"));
        },
      }),
    Error,
    "enough",
  );
  assertEquals(Deno.readTextFileSync(to), "old");
  await assertRejects(
    () => copyFile(from, home.join("new"), { signal: AbortSignal.abort() }),
    DOMException,
  );
  const names = [...Deno.readDirSync(home.path)].map(({ name }) => name);
  assertEquals(names.sort(), ["from", "to"]);
});

Deno.test("copyFile: nothing of it blocks the event loop", async () => {
  using home = new TemporaryDirectory();
  const from = home.file("from", pattern(100_000_000, 4));
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const begun = performance.now();
  await copyFile(from, home.join("to"), { reflink: "never" });
  clearInterval(timer);
  assertGreater(ticks, emulated ? 0 : (performance.now() - begun) / 60);
});

Deno.test("copyFile: on a ring of one's own", async () => {
  using home = new TemporaryDirectory();
  await using ring = new Uring({ entries: 8 });
  const from = home.file("from", pattern(3_000_000, 4));
  await copyFile(from, home.join("to"), { ring });
  assertEquals(Deno.readFileSync(home.join("to")), pattern(3_000_000, 4));
  assertGreater(ring.stats.submitted, 5);
});

Deno.test("copyFile: reflink where it can be, or an error where it must", async () => {
  using home = new TemporaryDirectory();
  const from = home.file("from", "text");
  const to = home.join("to");
  try {
    await copyFile(from, to, { reflink: "always" });
    assertEquals(Deno.readTextFileSync(to), "text");
  } catch (error) {
    assertStringIncludes((error as Error).message, "copy '");
    // Most file systems cannot, and then nothing is there.
    await assertRejects(() => Deno.stat(to), Deno.errors.NotFound);
  }
});

Deno.test("copyFile: arguments are checked", async () => {
  const wrong: [object, string][] = [
    [{ queueDepth: 0 }, "queueDepth"],
    [{ sparse: "some" }, "sparse"],
    [{ reflink: true }, "reflink"],
    [{ direct: 1 }, "direct"],
    [{ inPlace: "yes" }, "inPlace"],
    [{ preserve: { mode: 1 } }, "mode"],
    [{ progress: true }, "progress"],
    [{ signal: {} }, "signal"],
  ];
  for (const [options, word] of wrong) {
    const copy = () => copyFile("/etc/passwd", "/nope/x", options);
    assertStringIncludes((await assertRejects(copy) as Error).message, word);
  }
  await assertRejects(() => copyFile(7 as unknown as string, "x"), TypeError);
});

Deno.test("copyData: between descriptors, pipes among them", async () => {
  using home = new TemporaryDirectory();
  const content = pattern(2_500_000, 8);
  const from = openSync(home.file("from", content), "r");
  const to = openSync(home.join("to"), "w");
  try {
    const told: number[] = [];
    const progress = (bytes: number) => told.push(bytes);
    const length = await copyData(from, to, { progress });
    assertEquals(length, content.length);
    assertEquals(told.reduce((sum, bytes) => sum + bytes, 0), length);
    assertEquals(Deno.readFileSync(home.join("to")), content);
    await assertRejects(() => copyData(-1, to), RangeError, "from");
    await assertRejects(() => copyData(from, 1e10), RangeError, "to");
  } finally {
    closeSync(from);
    closeSync(to);
  }
});

Deno.test("copyData: a source that has grown or shrunk is copied as it is", async () => {
  using home = new TemporaryDirectory();
  const content = pattern(2_500_000, 8);
  const path = home.file("from", content);
  const info = Deno.statSync(path);
  const from = openSync(path, "r");
  try {
    for (const size of [1, 1_000_000, 2_499_999, 2_500_001, 9_000_000]) {
      const to = openSync(home.join("to"), "w");
      try {
        const options = { info: { ...info, size, blocks: 1e6 } };
        assertEquals(await copyData(from, to, options), content.length);
        assertEquals(Deno.readFileSync(home.join("to")), content);
      } finally {
        closeSync(to);
      }
    }
  } finally {
    closeSync(from);
  }
});
