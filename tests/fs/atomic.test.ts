/** `writeFile` with `atomic` and `sync`: the old file or the new one, whatever happens. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { open } from "../../fs/open.ts";
import { writeFile, writeTextFile } from "../../fs/write_file.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { canBeNobody, shell } from "../support/utilities.ts";
import { bytes, modeOf } from "./both.ts";

const ATOMIC = { atomic: true };

Deno.test("atomic: makes a file, and replaces it", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  await writeTextFile(path, "one", ATOMIC);
  assertEquals(Deno.readTextFileSync(path), "one");
  const { ino } = Deno.statSync(path);
  await writeFile(path, bytes("two, longer"), { atomic: true, sync: true });
  assertEquals(Deno.readTextFileSync(path), "two, longer");
  // Another file: whoever has the old one open goes on reading that.
  assert(Deno.statSync(path).ino !== ino);
  await writeFile(
    path,
    ReadableStream.from([bytes("a "), bytes("stream")]),
    ATOMIC,
  );
  assertEquals(Deno.readTextFileSync(path), "a stream");
  await writeTextFile(path, ReadableStream.from(["te", "xt"]), ATOMIC);
  assertEquals(Deno.readTextFileSync(path), "text");
  assertEquals([...Deno.readDirSync(home.path)].length, 1);
});

Deno.test("atomic: permissions are kept, or those that are asked for", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "old");
  for (const mode of [0o600, 0o777, 0o666, 0o4711]) {
    Deno.chmodSync(path, mode);
    await writeTextFile(path, "new", ATOMIC);
    assertEquals(modeOf(path), mode);
  }
  await writeTextFile(path, "new", { atomic: true, mode: 0o644 });
  assertEquals(modeOf(path), 0o644);
  await writeTextFile(home.join("made"), "new", { atomic: true, mode: 0o666 });
  assertEquals(modeOf(home.join("made")), 0o666);
  await writeTextFile(home.join("usual"), "new", ATOMIC);
  await Deno.writeTextFile(home.join("by Deno"), "new");
  assertEquals(modeOf(home.join("usual")), modeOf(home.join("by Deno")));
});

Deno.test({
  name: "atomic: the owner is kept",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    using home = new TemporaryDirectory();
    const path = home.file("file", "old");
    Deno.chmodSync(path, 0o640);
    Deno.chownSync(path, 12, 34);
    await writeTextFile(path, "new", ATOMIC);
    const { uid, gid } = Deno.statSync(path);
    assertEquals([uid, gid, modeOf(path)], [12, 34, 0o640]);
  },
});

Deno.test("atomic: of a link what it leads to is replaced", async () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("folder"));
  const target = home.file("folder/file", "old");
  Deno.symlinkSync("folder/file", home.join("link"));
  Deno.symlinkSync("link", home.join("link to the link"));
  await writeTextFile(home.join("link to the link"), "new", ATOMIC);
  assertEquals(Deno.readTextFileSync(target), "new");
  assert(Deno.lstatSync(home.join("link")).isSymlink);
  assertEquals([...Deno.readDirSync(home.join("folder"))].length, 1);
});

Deno.test("atomic: of a link to nothing what it leads to is made, as Deno does", async () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("folder"));
  const link = home.join("link");
  const second = home.join("link to the link");
  const target = home.join("folder/file");
  const texts = ["folder/file", target, "folder/../folder/file"];
  for (const text of texts) {
    Deno.symlinkSync(text, link);
    Deno.symlinkSync("link", second);
    for (const path of [link, second]) {
      await writeTextFile(path, "made", ATOMIC);
      assertEquals(Deno.readTextFileSync(target), "made");
      assertEquals(Deno.readLinkSync(link), text);
      assertEquals(Deno.readLinkSync(second), "link");
      Deno.removeSync(target);
    }
    for (const path of [link, second]) Deno.removeSync(path);
  }
});

Deno.test("atomic: refuses what Deno refuses, in its words", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "old");
  Deno.mkdirSync(home.join("folder"));
  Deno.symlinkSync("nowhere", home.join("to nothing"));
  Deno.symlinkSync("nowhere/file", home.join("to no folder"));
  Deno.symlinkSync("loop", home.join("loop"));
  Deno.symlinkSync("file", home.join("to file"));
  const cases: [string, Deno.WriteFileOptions][] = [
    ["", {}],
    ["", { create: false }],
    [`${path}/`, {}],
    [`${path}/`, { create: false }],
    [`${home.join("nothing")}/`, {}],
    [`${home.join("nothing/folder")}/`, {}],
    [`${home.join("to nothing")}/`, {}],
    [`${home.join("to file")}/`, {}],
    [`${home.join("folder")}/`, {}],
    [`${home.join("folder")}/`, { createNew: true }],
    [`${home.join("nothing")}/`, { createNew: true }],
    [home.join("to nothing"), { create: false }],
    [home.join("to nothing"), { createNew: true }],
    [home.join("to file"), { createNew: true }],
    [home.join("to no folder"), {}],
    [home.join("loop"), {}],
    [home.join("loop"), { createNew: true }],
    [`${path}/file`, { create: false }],
    [`${home.path}${"/x".repeat(2100)}`, {}],
    [path, { createNew: true }],
    [home.join("nothing"), { create: false }],
    [home.join("folder"), {}],
    [home.join("nothing/file"), {}],
    [`${path}/file`, {}],
    [home.join("x".repeat(256)), {}],
  ];
  for (const [where, options] of cases) {
    const expected = await assertRejects(() =>
      Deno.writeTextFile(where, "new", options)
    );
    const error = await assertRejects(() =>
      writeTextFile(where, "new", { ...options, atomic: true })
    );
    assert(expected instanceof Error && error instanceof Error);
    assertEquals(error.message, expected.message);
    assert(error instanceof expected.constructor, where);
  }
  assertEquals(Deno.readTextFileSync(path), "old");
  assertEquals([...Deno.readDirSync(home.path)].length, 6);
  await assertRejects(
    () => writeTextFile("/dev/null", "new", ATOMIC),
    TypeError,
    "'/dev/null' is no regular file",
  );
  await assertRejects(
    () => writeTextFile(path, "new", { atomic: true, append: true }),
    TypeError,
    "append cannot be atomic",
  );
});

Deno.test("atomic: createNew makes it, and only once", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  const tries = Array.from(
    { length: 20 },
    (_, at) =>
      writeTextFile(path, `${at}`.repeat(1000), {
        atomic: true,
        createNew: true,
      })
        .then(() => at, (error) => {
          assert(error instanceof Deno.errors.AlreadyExists);
          return undefined;
        }),
  );
  const made = (await Promise.all(tries)).filter((at) => at !== undefined);
  assertEquals(made.length, 1);
  assertEquals(Deno.readTextFileSync(path), `${made[0]}`.repeat(1000));
  assertEquals([...Deno.readDirSync(home.path)].length, 1);
});

Deno.test("atomic: a signal leaves the old file, and nothing else", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "old");
  const controller = new AbortController();
  const stream = new ReadableStream<Uint8Array>({
    pull(to) {
      to.enqueue(bytes("new"));
      controller.abort(new Error("enough"));
    },
  });
  const { signal } = controller;
  await assertRejects(
    () => writeFile(path, stream, { atomic: true, signal }),
    Error,
    "enough",
  );
  assertEquals(Deno.readTextFileSync(path), "old");
  assertEquals([...Deno.readDirSync(home.path)].length, 1);
});

Deno.test("sync: what is written is there, however it is written", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  await writeTextFile(path, "one", { sync: true });
  await writeFile(path, ReadableStream.from([bytes("two")]), {
    sync: true,
    append: true,
  });
  assertEquals(Deno.readTextFileSync(path), "onetwo");
  const there = Deno.cwd();
  try {
    // The folder of a name alone is the current one.
    Deno.chdir(home.path);
    await writeTextFile("here", "text", { sync: true, atomic: true });
    await writeTextFile("here", "text", { sync: true });
  } finally {
    Deno.chdir(there);
  }
  assertEquals(Deno.readTextFileSync(home.join("here")), "text");
});

/** A file system with so much room, gone at the end of the scope. */
class SmallDisk implements Disposable {
  readonly #home = new TemporaryDirectory();
  readonly path: string = this.#home.path;

  constructor(size: string) {
    mount("-t", "tmpfs", "-o", `size=${size}`, "none", this.path);
  }

  [Symbol.dispose](): void {
    new Deno.Command("umount", { args: [this.path] }).outputSync();
    this.#home[Symbol.dispose]();
  }
}

function mount(...args: string[]): void {
  const { success, stderr } = new Deno.Command("mount", { args }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

function canMount(): boolean {
  if (Deno.uid() !== 0) return false;
  try {
    using _disk = new SmallDisk("1m");
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "atomic: a disk that is full at any byte leaves the old file",
  ignore: !canMount(),
  fn: async () => {
    using disk = new SmallDisk("256k");
    const path = `${disk.path}/file`;
    const old = new Uint8Array(40_000).fill(1);
    Deno.writeFileSync(path, old);
    const outcomes = new Set<string>();
    for (let size = 0; size <= 300_000; size += 9_973) {
      const fresh = new Uint8Array(size).fill(2);
      for (const data of [fresh, new Blob([fresh]).stream()]) {
        try {
          await writeFile(path, data, { atomic: true, sync: true });
          assertEquals(Deno.readFileSync(path), fresh);
          outcomes.add("new");
        } catch (error) {
          assertEquals((error as { code?: string }).code, "ENOSPC");
          assertEquals(Deno.readFileSync(path), old);
          outcomes.add("old");
        }
        assertEquals([...Deno.readDirSync(disk.path)].length, 1);
        await Deno.writeFile(path, old);
      }
    }
    assertEquals([...outcomes].sort(), ["new", "old"]);
  },
});

Deno.test({
  name: "a disk that fills up: what fits is written, and the rest is an error",
  ignore: !canMount(),
  fn: async () => {
    using disk = new SmallDisk("64k");
    const path = `${disk.path}/file`;
    const data = new Uint8Array(100_000).fill(1);
    for (const sync of [false, true]) {
      const error = await assertRejects(() => writeFile(path, data, { sync }));
      assertEquals((error as { code?: string }).code, "ENOSPC");
      assertEquals(Deno.statSync(path).size, 65536);
    }
    using file = await open(path, { write: true, truncate: true });
    assertEquals(await file.write(data), 65536);
    assertEquals(await file.seek(0, Deno.SeekMode.Current), 65536);
    await assertRejects(() => file.write(data), Error, "os error 28");
    assertEquals(await file.seek(0, Deno.SeekMode.Current), 65536);
    await assertRejects(() => file.writeAt(data, 10), Error, "os error 28");
    using appending = await open(path, { append: true });
    await assertRejects(() => appending.write(data), Error, "os error 28");
  },
});

Deno.test("atomic: kill -9 at any time leaves the old file or the new one", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "a".repeat(300_000));
  const program = home.file(
    "program.ts",
    `import { writeFile } from ${
      JSON.stringify(import.meta.resolve("../../fs/write_file.ts"))
    };
    const [a, b] = ["a", "b"].map((text) => new TextEncoder().encode(text.repeat(300_000)));
    console.log("ready");
    for (;;) {
      await writeFile(${JSON.stringify(path)}, b, { atomic: true });
      await writeFile(${JSON.stringify(path)}, a, { atomic: true });
    }`,
  );
  for (let round = 0; round < 8; round++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", program],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    await new Promise((resolve) =>
      setTimeout(resolve, 3 * round + Math.random() * 5)
    );
    child.kill("SIGKILL");
    await reader.cancel();
    await child.status;
    const text = Deno.readTextFileSync(path);
    assertEquals(text.length, 300_000);
    assertEquals(new Set(text).size, 1);
  }
});

/** Writes "new" to a path, atomically, in a process that may do so much; gives what it complains of. */
async function writeWith(path: string, ...flags: string[]): Promise<string> {
  using home = new TemporaryDirectory();
  const module = import.meta.resolve("../../fs/write_file.ts");
  const program = home.file(
    "program.ts",
    `import { writeTextFile } from ${JSON.stringify(module)};
    await writeTextFile(Deno.args[0], "new", { atomic: true });`,
  );
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--no-config", "--no-prompt"],
      ...["--allow-ffi", ...flags, program, path],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  return new TextDecoder().decode(stderr);
}

Deno.test("atomic: over a file that is there, without --allow-sys", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "old");
  const flags = ["--allow-read", `--allow-write=${home.path}`];
  assertEquals(await writeWith(path, ...flags), "");
  assertEquals(Deno.readTextFileSync(path), "new");
});

Deno.test("atomic: a link to nothing must be one that may be read", async () => {
  using home = new TemporaryDirectory();
  const link = home.join("link");
  Deno.symlinkSync("target", link);
  const mayWrite = `--allow-write=${home.path}`;
  const refusal = await writeWith(link, mayWrite);
  assert(refusal.includes("NotCapable: Requires read access to"), refusal);
  assert(refusal.includes("It is a symbolic link to nothing"), refusal);
  assertEquals([...Deno.readDirSync(home.path)].length, 1);
  const mayRead = `--allow-read=${home.path}`;
  assertEquals(await writeWith(link, mayWrite, mayRead), "");
  assertEquals(Deno.readTextFileSync(home.join("target")), "new");
  assertEquals(Deno.readLinkSync(link), "target");
});

Deno.test("atomic: the folder must be one that may be written", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "old");
  const refusal = await writeWith(path, `--allow-write=${path}`);
  assert(refusal.includes("NotCapable: Requires write access to"), refusal);
  assertEquals(Deno.readTextFileSync(path), "old");
});

Deno.test({
  name:
    "atomic: a file that may not be written is not replaced, as Deno does not write it",
  ignore: !canBeNobody,
  fn: async () => {
    using home = new TemporaryDirectory();
    Deno.chmodSync(home.path, 0o777);
    const path = home.file("file", "old");
    const module = import.meta.resolve("../../fs/write_file.ts");
    const program = home.file(
      "program.ts",
      `import { writeTextFile } from ${JSON.stringify(module)};
      for (const write of [Deno.writeTextFile, writeTextFile]) {
        try {
          await write(${JSON.stringify(path)}, "new", { atomic: true });
        } catch (error) {
          console.log(error.name, error.code, error.message);
        }
      }`,
    );
    const script =
      `${Deno.execPath()} run -A --no-check --no-config ${program}`;
    const { stdout, stderr } = await shell(script, false, home.path, {
      nobody: true,
    });
    const refusal =
      "PermissionDenied EACCES Permission denied (os error 13): " +
      `writefile '${path}'\n`;
    assertEquals(stdout, refusal.repeat(2), stderr);
    assertEquals(Deno.readTextFileSync(path), "old");
    assertEquals([...Deno.readDirSync(home.path)].length, 2);
  },
});
