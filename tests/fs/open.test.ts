/** `open`, `create` and `FsFile` beside Deno's. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FsFile } from "../../fs/file.ts";
import { open } from "../../fs/open.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { bytes, modeOf, same } from "./both.ts";

const { Start, Current, End } = Deno.SeekMode;

const said = (error: Error) => error.message;

/** Every set of options, and some values that are none. */
function* everyOption(): Generator<Deno.OpenOptions> {
  const names = ["read", "write", "append", "truncate", "create", "createNew"];
  for (let bits = 0; bits < 1 << names.length; bits++) {
    const chosen = names.filter((_, at) => (bits & (1 << at)) !== 0);
    yield Object.fromEntries(chosen.map((name) => [name, true]));
  }
  yield* [
    { read: false },
    { write: true, create: true, mode: 0o600 },
    { write: true, create: true, mode: 0o7777 },
    { write: true, create: true, mode: -1 },
    { mode: 0o600 },
    { read: 1 } as never,
    { unknown: true } as never,
    5 as never,
    null as never,
  ];
}

same("open: options", async ({ fs, path, step }) => {
  for (const options of everyOption()) {
    for (const there of [true, false]) {
      const file = path("file");
      if (there) Deno.writeTextFileSync(file, "old contents");
      const name = `${JSON.stringify(options)}${there}`;
      await step(name, async () => {
        using opened = await fs.open(file, options);
        const read = await opened.read(new Uint8Array(3)).catch(said);
        const write = await opened.write(bytes("new")).catch(said);
        return [read, write, await opened.seek(0, Current)];
      });
      await step(name, () => fs.readTextFile(file));
      await step(name, () => modeOf(file));
      try {
        Deno.removeSync(file);
      } catch {
        // Not made.
      }
    }
  }
});

Deno.test({
  name: "open: an option that changes its mind is asked once",
  permissions: { ffi: true, read: true, write: ["/nothing"] },
  async fn() {
    for (const yes of [0, 1, 2, 3]) {
      let asked = 0;
      const options = {
        read: true,
        get write() {
          return asked++ >= yes;
        },
      };
      // To write is not allowed, so either way nobody gets to.
      const file = await open("/etc/passwd", options).catch((error) => error);
      assertEquals(asked, 1);
      if (file instanceof Deno.errors.NotCapable) continue;
      using opened = file as FsFile;
      await assertRejects(() => opened.write(bytes("x")), Error, "os error 9");
    }
  },
});

same("open: paths", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "text");
  Deno.mkdirSync(path("folder"));
  Deno.symlinkSync("file", path("link"));
  Deno.symlinkSync("made", path("dangling"));
  const names = ["file", "folder", "link", "nothing", "file/x", "x\0y"];
  for (const name of [...names, "folder/", "x".repeat(256), "dangling"]) {
    for (const how of ["read", "write", "append"]) {
      await step(`${how} ${name}`, async () => {
        using file = await fs.open(path(name), { [how]: true });
        return (await file.stat()).size;
      });
    }
    await step(`create ${name}`, async () => {
      using file = await fs.create(path(name));
      return [await file.write(bytes("made")), await file.seek(0, Start)];
    });
  }
  await step("no path", () => fs.open("", { read: true }));
  await step("URL", async () => {
    using file = await fs.open(new URL(`file://${path("file")}`));
    return (await file.stat()).isFile;
  });
});

same("FsFile: reading, writing, seeking", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "0123456789");
  using file = await fs.open(path("file"), { read: true, write: true });
  const read = async (length: number) => {
    const buffer = new Uint8Array(length);
    const count = await file.read(buffer);
    return [count, new TextDecoder().decode(buffer)];
  };
  await step("read", () => read(4));
  await step("read nothing", () => read(0));
  await step("read on", () => read(4));
  await step("read less", () => read(4));
  await step("read at the end", () => read(4));
  await step("nothing at the end", () => read(0));
  const places: [number | bigint, Deno.SeekMode][] = [
    [3, Start],
    [2, Current],
    [-2n, Current],
    [-1, End],
    [0, End],
    [5, End],
    [100n, Start],
    [-200, Current],
    [-1, Start],
    [-11, End],
    [2.9, Start],
    [-0.5, Current],
    [NaN, Start],
    [2 ** 33 + 1, Start],
    [-Infinity, Current],
    [3, 7 as never],
    [3, -1 as never],
    [3, Start],
  ];
  for (const [offset, whence] of places) {
    await step(`seek ${offset} ${whence}`, () => file.seek(offset, whence));
    await step("position", () => file.seek(0, Current));
    await step("read", () => read(2));
  }
  for (const offset of ["3", undefined, null, {}]) {
    await step(`seek ${offset}`, () => file.seek(offset as never, Start), {
      message: false,
    });
  }
  await step("seek", () => file.seek(8, Start));
  await step("write over the end", () => file.write(bytes("abcd")));
  await step("write no bytes", () => file.write(new Uint8Array()));
  await step("position", () => file.seek(0, Current));
  await step("seek beyond", () => file.seek(20, Start));
  await step("write there", () => file.write(bytes("far")));
  await step("all", () => fs.readFile(path("file")));
  await step("truncate", async () => void await file.truncate(5));
  await step("position", () => file.seek(0, Current));
  await step("read beyond", () => read(3));
  await step("stat", async () => (await file.stat()).size);
  await step("truncate to nothing", async () => void await file.truncate());
  await step("longer", async () => void await file.truncate(2.7));
  await step("negative", async () => void await file.truncate(-3));
  await step("size", async () => (await file.stat()).size);
  await step("sync", () => file.sync());
  await step("syncData", () => file.syncData());
});

same("FsFile: appending", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "0123");
  using file = await fs.open(path("file"), { read: true, append: true });
  await step("read", () => file.read(new Uint8Array(2)));
  await step("write", () => file.write(bytes("abc")));
  await step("position", () => file.seek(0, Current));
  await step("seek", () => file.seek(1, Start));
  await step("write", () => file.write(bytes("def")));
  await step("position", () => file.seek(0, Current));
  await step("all", () => fs.readTextFile(path("file")));
});

same("FsFile: buffers", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "0123456789");
  using file = await fs.open(path("file"), { read: true, write: true });
  const wrong = [undefined, "text", new ArrayBuffer(4), new Uint16Array(4), 5];
  for (const value of wrong) {
    await step(`read ${value}`, () => file.read(value as never), {
      message: false,
    });
    await step(`write ${value}`, () => file.write(value as never), {
      message: false,
    });
  }
  await step("position", () => file.seek(0, Current));
  const shared = new Uint8Array(new SharedArrayBuffer(4));
  await step("shared", async () => [await file.read(shared), ...shared]);
  const resizable = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }));
  await step(
    "resizable",
    async () => [await file.read(resizable), ...resizable],
  );
  await step("write shared", () => file.write(shared));
  await step("write resizable", () => file.write(resizable));
  await step("all", () => fs.readTextFile(path("file")));
});

same(
  "FsFile: several at once are done in order",
  async ({ fs, path, step }) => {
    Deno.writeTextFileSync(path("file"), "0123456789abcdef");
    using file = await fs.open(path("file"), { read: true, write: true });
    const buffers = Array.from({ length: 4 }, () => new Uint8Array(3));
    await step(
      "reads",
      () => Promise.all(buffers.map((buffer) => file.read(buffer))),
    );
    await step("what they read", () => buffers.map((buffer) => [...buffer]));
    await step("a mix", () =>
      Promise.all([
        file.seek(0, Start),
        file.write(bytes("AB")),
        file.seek(1, Current),
        file.write(bytes("CD")),
        file.read(new Uint8Array(2)),
        file.seek(0, Current),
      ]));
    await step("all", () => fs.readTextFile(path("file")));
  },
);

same("FsFile: once it is closed", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "text");
  const file = await fs.open(path("file"), { read: true, write: true });
  await step("close", () => file.close());
  await step("close again", () => file.close());
  await step("dispose", () => file[Symbol.dispose]());
  await step("read", () => file.read(new Uint8Array(4)));
  await step("read nothing", () => file.read(new Uint8Array(0)));
  await step("write", () => file.write(bytes("x")));
  await step("seek", () => file.seek(0, Start));
  await step("stat", () => file.stat());
  await step("sync", () => file.sync());
  await step("syncData", () => file.syncData());
  await step("truncate", async () => void await file.truncate(1));
  await step("utime", () => file.utime(1, 2));
  await step("lock", () => file.lock());
  await step("unlock", () => file.unlock());
  await step("isTerminal", () => file.isTerminal());
  await step("setRaw", () => file.setRaw(true));
});

same("FsFile: what it was not opened for", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "text");
  for (const how of ["read", "write", "append"]) {
    using file = await fs.open(path("file"), { [how]: true });
    await step(`${how}: read`, () => file.read(new Uint8Array(4)));
    await step(`${how}: write`, () => file.write(bytes("x")));
    await step(`${how}: truncate`, async () => void await file.truncate(1));
    await step(`${how}: sync`, () => file.sync());
    await step(`${how}: stat`, async () => (await file.stat()).size);
  }
  using folder = await fs.open(path("."));
  await step("folder: read", () => folder.read(new Uint8Array(4)));
  await step("folder: stat", async () => (await folder.stat()).isDirectory);
});

same("FsFile: what has no positions", async ({ fs, path, step }) => {
  await new Deno.Command("mkfifo", { args: [path("fifo")] }).output();
  const [reader, writer] = await Promise.all([
    fs.open(path("fifo"), { read: true }),
    fs.open(path("fifo"), { write: true }),
  ]);
  await step("seek", () => reader.seek(0, Start));
  await step("write", () => writer.write(bytes("hello")));
  const buffer = new Uint8Array(8);
  await step("read", async () => [await reader.read(buffer), ...buffer]);
  writer.close();
  await step("read at the end", () => reader.read(buffer));
  await step("isTerminal", () => reader.isTerminal());
  reader.close();
  using zero = await fs.open("/dev/zero");
  await step("zeros", async () => [await zero.read(buffer), ...buffer]);
  await step("more zeros", () => zero.read(buffer));
  using full = await fs.open("/dev/full", { write: true });
  await step("full", () => full.write(buffer));
  using none = await fs.open("/dev/null", { read: true, write: true });
  await step(
    "null",
    async () => [await none.write(buffer), await none.read(buffer)],
  );
});

same("FsFile: times and locks", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "text");
  using file = await fs.open(path("file"), { read: true, write: true });
  await step("utime", () => file.utime(1000, new Date(2_000_500)));
  await step("times", async () => {
    const { atime, mtime } = await file.stat();
    return [atime, mtime];
  });
  await step("lock", () => file.lock(true));
  await step("held", async () => {
    using other = await Deno.open(path("file"));
    return await other.tryLock(true);
  });
  await step("unlock", () => file.unlock());
  await step("free", async () => {
    using other = await Deno.open(path("file"));
    return await other.tryLock(true);
  });
  await step("tryLock", () => file.tryLock(false));
  await step("isTerminal", () => file.isTerminal());
  await step("setRaw", () => file.setRaw(true), { message: false });
});

same("FsFile: a lock waits for others", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "text");
  const one = await fs.open(path("file"));
  using other = await fs.open(path("file"), { write: true });
  await step("shared", () => Promise.all([one.lock(), other.lock()]));
  await step("unlock", () => other.unlock());
  await step("try", () => [other.tryLockSync(true), other.tryLockSync()]);
  await step("unlock", () => other.unlock());
  const events: string[] = [];
  const waiting = other.lock(true).then(() => events.push("locked"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  events.push("closed");
  one.close();
  await step("wait", () => waiting);
  await step("events", () => events);
});

same("FsFile: a removed file", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "text");
  using file = await fs.open(path("file"), { read: true, write: true });
  Deno.removeSync(path("file"));
  await step("read", () => file.read(new Uint8Array(2)));
  await step("write", () => file.write(bytes("longer")));
  await step("stat", async () => (await file.stat()).size);
  await step("utime", () => file.utime(1, 2));
});

same("FsFile: without promises", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "0123456789");
  using file = await fs.open(path("file"), { read: true, write: true });
  const buffer = new Uint8Array(4);
  await step("read", () => [file.readSync(buffer), ...buffer]);
  await step("read nothing", () => file.readSync(new Uint8Array()));
  await step("write", () => file.writeSync(bytes("ab")));
  await step("seek", () => file.seekSync(-2, Current));
  await step("seek", () => file.seekSync(-2n, End));
  await step("seek before", () => file.seekSync(-1, Start));
  await step("no such mode", () => file.seekSync(0, 5 as never));
  await step("read", () => [file.readSync(buffer), ...buffer]);
  await step("read at the end", () => file.readSync(buffer));
  await step("truncate", () => void file.truncateSync(7));
  await step("stat", () => file.statSync().size);
  await step("utime", () => void file.utimeSync(5, new Date(9000)));
  await step("stat", () => [file.statSync().atime, file.statSync().mtime]);
  await step("sync", () => void file.syncSync());
  await step("syncData", () => void file.syncDataSync());
  await step("lock", () => void file.lockSync());
  await step("tryLock", () => file.tryLockSync(true));
  await step("unlock", () => void file.unlockSync());
  await step("all", () => fs.readTextFile(path("file")));
  using reader = await fs.open(path("file"));
  await step("write a reader", () => reader.writeSync(bytes("x")));
  const resizable = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }));
  await step("resizable", () => [reader.readSync(resizable), ...resizable]);
  reader.close();
  await step("closed", () => reader.readSync(buffer));
  await step("closed", () => reader.statSync());
});

Deno.test("FsFile: what waits for a promise cannot be done at once", async () => {
  using home = new TemporaryDirectory();
  using file = await open(home.file("file", "text"), { read: true });
  const reading = file.read(new Uint8Array(2));
  assertThrows(() => file.readSync(new Uint8Array(2)), Deno.errors.Busy);
  assertEquals(await reading, 2);
  assertEquals(file.readSync(new Uint8Array(4)), 2);
});

Deno.test({
  name: "FsFile: a terminal, and its raw mode",
  ignore: !await hasScript(),
  fn: async () => {
    using home = new TemporaryDirectory();
    const program = home.file(
      "program.ts",
      `import * as uring from ${
        JSON.stringify(import.meta.resolve("../../fs/mod.ts"))
      };
      const settings = () => new TextDecoder().decode(
        new Deno.Command("stty", { args: ["-a"], stdin: "inherit" }).outputSync().stdout,
      );
      for (const fs of [Deno, uring]) {
        using tty = await fs.open("/dev/tty", { read: true, write: true });
        const said = [tty.isTerminal()];
        for (const raw of [false, true, false]) {
          tty.setRaw(raw);
          said.push(settings().includes(" -icanon"));
        }
        await tty.write(new TextEncoder().encode("written\\n"));
        console.log(said.join(" "));
      }`,
    );
    const { stdout } = await new Deno.Command("script", {
      args: [
        "-qec",
        `'${Deno.execPath()}' run -A --no-check '${program}'`,
        "/dev/null",
      ],
      stdin: "null",
    }).output();
    const lines = new TextDecoder().decode(stdout).replaceAll("\r", "").trim();
    const expected = ["written", "true false true false"];
    assertEquals(lines.split("\n"), [...expected, ...expected]);
  },
});

/** Whether there is script(1), which runs a program in a terminal. */
async function hasScript(): Promise<boolean> {
  try {
    const script = new Deno.Command("script", { args: ["--version"] });
    return (await script.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("FsFile: is made by open alone", () => {
  assertThrows(() => new FsFile(), TypeError, "cannot be constructed");
  assertEquals(FsFile.name, "FsFile");
});
