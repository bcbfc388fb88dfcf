/** `writeFile` and `writeTextFile` beside Deno's. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { writeFile, writeTextFile } from "../../fs/write_file.ts";
import { Uring } from "../../proactor/uring.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { bytes, modeOf, openFiles, same } from "./both.ts";

const OPTIONS: Deno.WriteFileOptions[] = [
  {},
  { append: true },
  { append: false },
  { create: true },
  { create: false },
  { createNew: true },
  { createNew: false },
  { append: true, create: false },
  { append: true, createNew: true },
  { create: false, createNew: true },
  { mode: 0o600 },
  { mode: 0o777 },
  { mode: 0o4755 },
  { mode: 0o640, append: true },
  { mode: 0o640, createNew: true },
];

/** What the options do to a file that is there, and to one that is not. */
for (const data of ["bytes", "a stream", "text", "a stream of text"] as const) {
  same(`writeFile: options, ${data}`, async ({ fs, path, step }) => {
    const write = (file: string, options: Deno.WriteFileOptions) => {
      const chunks = ["new ", "€"];
      if (data === "bytes") return fs.writeFile(file, bytes("new €"), options);
      if (data === "text") return fs.writeTextFile(file, "new €", options);
      if (data === "a stream of text") {
        return fs.writeTextFile(file, ReadableStream.from(chunks), options);
      }
      const stream = ReadableStream.from(chunks.map(bytes));
      return fs.writeFile(file, stream, options);
    };
    for (const options of OPTIONS) {
      for (const there of [true, false]) {
        const name = `${JSON.stringify(options)} ${there}`;
        const file = path("file");
        if (there) Deno.writeTextFileSync(file, "old contents");
        await step(name, () => write(file, options));
        await step(`${name}: text`, () => fs.readTextFile(file));
        await step(`${name}: mode`, () => modeOf(file));
        try {
          Deno.removeSync(file);
        } catch {
          // Not made.
        }
      }
    }
  });
}

same("writeFile: paths", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "old");
  Deno.mkdirSync(path("folder"));
  Deno.symlinkSync("file", path("link"));
  Deno.symlinkSync("made", path("dangling"));
  Deno.symlinkSync("loop", path("loop"));
  const names = ["file", "folder", "link", "nothing/x", "file/x", "dangling"];
  for (const name of [...names, "loop", "x\0y", "x".repeat(256)]) {
    await step(name, () => fs.writeFile(path(name), bytes(name)));
    await step(`${name}: text`, () => fs.readTextFile(path(name)));
    await step(`text, ${name}`, () => fs.writeTextFile(path(name), name));
    const stream = ReadableStream.from([bytes("one"), bytes("two")]);
    await step(`stream, ${name}`, () => fs.writeFile(path(name), stream));
  }
  await step("made", () => fs.readTextFile(path("made")));
  await step("a device", () => fs.writeFile("/dev/null", bytes("gone")));
  await step("a full device", () => fs.writeFile("/dev/full", bytes("none")));
  const url = new URL(`file://${path("by URL")}`);
  await step("URL", () => fs.writeTextFile(url, "text"));
  await step("by URL", () => fs.readTextFile(url));
});

same("writeFile: data", async ({ fs, path, step }) => {
  const file = path("file");
  const wrong = [undefined, null, 5, "text", [1, 2], new ArrayBuffer(3)];
  for (
    const data of [
      ...wrong,
      new Uint16Array(3),
      new DataView(new ArrayBuffer(2)),
    ]
  ) {
    await step(String(data), () => fs.writeFile(file, data as never), {
      message: false,
    });
    await step("is it there", () => fs.readFile(file));
  }
  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(7);
  await step("shared", () => fs.writeFile(file, shared as never));
  await step("shared", () => fs.readFile(file));
  const resizable = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }));
  await step("resizable", () => fs.writeFile(file, resizable));
  await step("resizable", () => fs.readFile(file));
  await step(
    "a part",
    () => fs.writeFile(file, bytes("0123456789").subarray(3, 6)),
  );
  await step("a part", () => fs.readTextFile(file));
  for (
    const text of ["\ud800 lone", "", "a\0b", "\ufeffmark", 5, {}, undefined]
  ) {
    await step(`text ${text}`, () => fs.writeTextFile(file, text as never));
    await step(`text ${text}`, () => fs.readFile(file));
  }
});

same("writeFile: large", async ({ fs, path, step }) => {
  const data = new Uint8Array((9 << 20) + 5).fill(3);
  data[5 << 20] = 9;
  await step("write", () => fs.writeFile(path("file"), data));
  await step("same", async () => {
    assertEquals(await fs.readFile(path("file")), data);
  });
  await step(
    "append",
    () => fs.writeFile(path("file"), data, { append: true }),
  );
  await step("size", () => Deno.statSync(path("file")).size);
});

same("writeFile: an empty stream", async ({ fs, path, step }) => {
  const file = path("file");
  await step("write", () => fs.writeFile(file, ReadableStream.from([])));
  await step("read", () => fs.readFile(file));
});

same("writeFile: signals", async ({ fs, path, step }) => {
  for (const reason of [undefined, new Error("enough"), "a word"]) {
    const controller = new AbortController();
    const { signal } = controller;
    const file = path("file");
    await step(
      "in time",
      () => fs.writeFile(file, bytes("in time"), { signal }),
    );
    controller.abort(reason);
    await step("bytes", () => fs.writeFile(file, bytes("late"), { signal }));
    await step("text", () => fs.writeTextFile(file, "late", { signal }));
    const stream = ReadableStream.from([bytes("late")]);
    await step("stream", () => fs.writeFile(file, stream, { signal }));
    await step("left as it was", () => fs.readTextFile(file));
    const fresh = path("fresh");
    await step("new", () => fs.writeFile(fresh, bytes("late"), { signal }));
    await step("not made", () => fs.readTextFile(fresh));
  }
});

same(
  "writeFile: a signal in the middle of a stream",
  async ({ fs, path, step }) => {
    const controller = new AbortController();
    const { signal } = controller;
    let pulls = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull(to) {
        to.enqueue(bytes("chunk"));
        if (++pulls === 3) controller.abort(new Error("late"));
      },
    });
    await step("write", () => fs.writeFile(path("file"), stream, { signal }));
  },
);

Deno.test("writeFile: many at a time", async () => {
  using home = new TemporaryDirectory();
  const paths = Array.from({ length: 200 }, (_, at) => home.join(`f${at}`));
  await Promise.all(paths.map((path) => writeTextFile(path, path.repeat(50))));
  for (const path of paths) {
    assertEquals(Deno.readTextFileSync(path), path.repeat(50));
  }
});

Deno.test("writeFile: the short chunks of a stream are written together", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}\n`);
  await using ring = new Uring();
  for (const atomic of [false, true]) {
    const { submitted } = ring.stats;
    await writeTextFile(path, ReadableStream.from(lines), { ring, atomic });
    assertEquals(Deno.readTextFileSync(path), lines.join(""));
    assert(ring.stats.submitted - submitted < 100);
  }
});

Deno.test("writeFile: a full disk says so, with the op and the path", async () => {
  const error = await assertRejects(
    () => writeFile("/dev/full", bytes("none")),
    Error,
    "No space left on device (os error 28): writefile '/dev/full'",
  );
  assertEquals({ ...error } as unknown, {
    name: "UringError",
    code: "ENOSPC",
    errno: 28,
    op: "write",
    path: "/dev/full",
  });
});

Deno.test("writeFile: whatever fails, no descriptor is left", async () => {
  using home = new TemporaryDirectory();
  const file = home.join("file");
  await writeTextFile(file, "opens what stays open");
  const before = openFiles();
  const locked = () => {
    const stream = ReadableStream.from([bytes("x")]);
    stream.getReader();
    return stream;
  };
  const failing = () =>
    new ReadableStream({
      pull() {
        throw new Error("boom");
      },
    });
  for (const atomic of [false, true]) {
    await assertRejects(() => writeFile(file, locked(), { atomic }), TypeError);
    await assertRejects(
      () => writeFile(file, failing(), { atomic }),
      Error,
      "boom",
    );
    await assertRejects(() =>
      writeFile(file, ReadableStream.from(["text"]) as never, { atomic })
    );
  }
  await assertRejects(() => writeFile("/dev/full", bytes("none")));
  assertEquals(openFiles(), before);
  assertEquals([...Deno.readDirSync(home.path)].length, 1);
});
