/** `readFile` and `readTextFile` beside Deno's. */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { readFile, readTextFile } from "../../fs/read_file.ts";
import { Uring } from "../../proactor/mod.ts";
import { pattern, TemporaryDirectory } from "../support/files.ts";
import { bytes, openFiles, same } from "./both.ts";

same("readFile: sizes", async ({ fs, path, step }) => {
  const sizes = [0, 1, 4095, 4096, 4097, 65536, 1 << 20, (1 << 20) + 1];
  for (const size of [...sizes, (4 << 20) + 3, 17 << 20]) {
    Deno.writeFileSync(path("file"), pattern(size));
    await step(`${size} bytes`, async () => {
      const data = await fs.readFile(path("file"));
      // Programs look at the buffer of what they get.
      assertEquals([data.byteOffset, data.buffer.byteLength], [0, size]);
      assertEquals(data, pattern(size));
      return data.constructor.name;
    });
  }
});

same("readFile: paths", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("a file"), "there");
  Deno.mkdirSync(path("folder"));
  Deno.symlinkSync("a file", path("link"));
  Deno.symlinkSync("loop", path("loop"));
  Deno.symlinkSync("nothing", path("dangling"));
  const names = ["a file", "link", "folder", "nothing", "a file/x", "loop"];
  for (const name of [...names, "dangling", "x\0y", "x".repeat(256)]) {
    await step(name, () => fs.readFile(path(name)));
    await step(`text of ${name}`, () => fs.readTextFile(path(name)));
  }
  await step("empty", () => fs.readFile(""));
  const url = new URL(`file://${path("a file")}`);
  await step("URL", () => fs.readTextFile(url));
  await step("URL with an escape", () => {
    return fs.readTextFile(new URL(`file://${path("a%20file")}`));
  });
  await step("http URL", () => fs.readFile(new URL("http://localhost/x")));
  await step("URL with a host", () => fs.readFile(new URL("file://there/x")));
});

same("readFile: what does not tell its size", async ({ fs, step }) => {
  for (
    const name of [
      "/proc/version",
      "/proc/self/comm",
      "/proc/cpuinfo",
      "/proc/sys/kernel/hostname",
      "/sys/kernel/mm/transparent_hugepage/enabled",
      "/dev/null",
    ]
  ) await step(name, () => fs.readTextFile(name));
  await step("/proc/self/maps", async () => {
    return (await fs.readTextFile("/proc/self/maps")).includes("libc.so");
  });
  // Refused by the kernel in the middle of the read.
  await step("/proc/self/mem", () => fs.readFile("/proc/self/mem"));
});

same("readFile: a FIFO", async ({ fs, path, step }) => {
  await new Deno.Command("mkfifo", { args: [path("fifo")] }).output();
  await step("what is written later", async () => {
    const reading = fs.readTextFile(path("fifo"));
    // The reader waits for somebody to open the other end.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const script = `for i in 1 2 3; do echo $i; sleep 0.05; done`;
    const child = new Deno.Command("sh", {
      args: ["-c", `(${script}) > '${path("fifo")}'`],
    }).spawn();
    const text = await reading;
    await child.status;
    return text;
  });
});

same("readTextFile: what is no UTF-8", async ({ fs, path, step }) => {
  const texts = {
    mark: [0xef, 0xbb, 0xbf, 97],
    broken: [97, 0xff, 98, 0xc3],
    surrogate: [0xed, 0xa0, 0x80],
    nul: [0, 97, 0],
    euro: [0xe2, 0x82, 0xac],
  };
  for (const [name, data] of Object.entries(texts)) {
    Deno.writeFileSync(path(name), new Uint8Array(data));
    await step(name, () => fs.readTextFile(path(name)));
  }
});

same("readFile: signals", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "there");
  for (const reason of [undefined, new Error("enough"), "a word", 5]) {
    const controller = new AbortController();
    const { signal } = controller;
    await step("in time", () => fs.readTextFile(path("file"), { signal }));
    controller.abort(reason);
    await step("aborted", () => fs.readFile(path("file"), { signal }));
    await step("nothing", () => fs.readTextFile(path("nothing"), { signal }));
  }
});

for (const reason of [undefined, new Error("enough"), "a word"]) {
  same(
    `a signal in the next microtask: ${reason}`,
    async ({ fs, path, step }) => {
      Deno.writeTextFileSync(path("file"), "there");
      const soon = () => {
        const controller = new AbortController();
        queueMicrotask(() => controller.abort(reason));
        return { signal: controller.signal };
      };
      await step("readFile", () => fs.readFile(path("file"), soon()));
      await step("readTextFile", () => fs.readTextFile(path("file"), soon()));
      await step(
        "writeFile",
        () => fs.writeFile(path("other"), bytes("x"), soon()),
      );
      await step(
        "writeTextFile",
        () => fs.writeTextFile(path("other"), "x", soon()),
      );
    },
  );
}

Deno.test("readFile: a file that grows while it is read is read to its end", async () => {
  using home = new TemporaryDirectory();
  for (const size of [0, 10, 100_000, 20 << 20]) {
    const path = home.file("file", new Uint8Array(size).fill(1));
    using file = Deno.openSync(path, { append: true });
    const reading = readFile(path);
    let grown = size;
    // As soon as it was opened, and in between.
    for (let turn = 0; turn < 50; turn++) {
      await Promise.resolve();
      grown += file.writeSync(new Uint8Array(100).fill(2));
    }
    const data = await reading;
    assertGreaterOrEqual(data.length, size);
    assertLessOrEqual(data.length, grown);
    assertEquals((data.length - size) % 100, 0);
    assertEquals(data.subarray(0, size).every((byte) => byte === 1), true);
    assertEquals(data.subarray(size).every((byte) => byte === 2), true);
  }
});

Deno.test({
  name: "readTextFile: more than a string holds is a TypeError, as with Deno",
  ignore: Deno.systemMemoryInfo().available < 2 ** 32,
  fn: async () => {
    using home = new TemporaryDirectory();
    const path = home.file("file");
    Deno.truncateSync(path, 2 ** 29);
    const words = "buffer exceeds maximum length";
    await assertRejects(() => readTextFile(path), TypeError, words);
  },
});

Deno.test("readFile: a signal stops what waits for a FIFO", async () => {
  using home = new TemporaryDirectory();
  const fifo = home.join("fifo");
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  const controller = new AbortController();
  const { signal } = controller;
  const reading = assertRejects(() => readFile(fifo, { signal }), Error, "why");
  await new Promise((resolve) => setTimeout(resolve, 30));
  controller.abort(new Error("why"));
  await reading;

  // The same once it is open, and waits for bytes.
  const second = new AbortController();
  const waiting = assertRejects(
    () => readFile(fifo, { signal: second.signal }),
    DOMException,
  );
  const writer = await Deno.open(fifo, { write: true });
  await new Promise((resolve) => setTimeout(resolve, 30));
  second.abort();
  await waiting;
  writer.close();
});

Deno.test("readFile: many at a time, each its own", async () => {
  using home = new TemporaryDirectory();
  const texts = Array.from({ length: 300 }, (_, at) => `${at} `.repeat(at));
  const paths = texts.map((text, at) => home.file(`f${at}`, text));
  assertEquals(
    await Promise.all(paths.map((path) => readTextFile(path))),
    texts,
  );
});

Deno.test("readFile: runs on the ring it is given", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "text");
  await using ring = new Uring({ entries: 8 });
  assertEquals(await readFile(path, { ring }), bytes("text"));
  assertStrictEquals(ring.stats.submitted >= 2, true);
  await assertRejects(
    () => readFile(path, { ring: {} as Uring }),
    TypeError,
    "ring must be a Uring",
  );
});

Deno.test("readFile: errors say where they come from", async () => {
  const error = await assertRejects(
    () => readFile("/nothing/here"),
    Deno.errors.NotFound,
  );
  assertEquals(
    { ...error },
    {
      name: "NotFound",
      code: "ENOENT",
      errno: 2,
      op: "openat",
      path: "/nothing/here",
    } as never,
  );
  const text =
    "NotFound: No such file or directory (os error 2): readfile '/nothing/here'";
  assertEquals(error.stack?.startsWith(text), true, error.stack);
  assertEquals(error.stack?.includes("read_file.test.ts"), true, error.stack);
});

Deno.test("readFile: a path that is no path", async () => {
  for (const path of [undefined, null, 5, {}, ["x"]]) {
    await assertRejects(
      () => readFile(path as never),
      TypeError,
      "path must be",
    );
  }
});

Deno.test("readFile: whatever fails, no descriptor is left", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "x".repeat(100_000));
  await readFile(path); // opens what stays open
  const before = openFiles();
  for (let round = 0; round < 20; round++) {
    const controller = new AbortController();
    const { signal } = controller;
    const calls = [
      readFile(path, { signal }),
      readTextFile(path, { signal }),
      readFile(home.path),
      readFile(home.join("nothing")),
    ];
    // In the middle of whatever it is at by then.
    for (let turns = round % 7; turns > 0; turns--) await Promise.resolve();
    controller.abort(new Error("enough"));
    const outcomes = await Promise.allSettled(calls);
    assertEquals(outcomes.slice(2).map(({ status }) => status), [
      "rejected",
      "rejected",
    ]);
  }
  assertEquals(openFiles(), before);
});
