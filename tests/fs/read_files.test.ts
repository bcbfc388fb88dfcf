/** `readFiles`: many files, whole, in bounded memory. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { type FileFailure, readFiles } from "../../fs/batch.ts";
import { ReadWork } from "../../fs/batch_read.ts";
import { Failure, Loop } from "../../fs/batch_loop.ts";
import { supply } from "../../fs/batch_source.ts";
import { SliceRing } from "../../fs/slice_ring.ts";
import { makeNode, S_IFIFO } from "../../ffi/mod.ts";
import { assertSame } from "./errors.ts";
import { Uring } from "../../proactor/mod.ts";
import { pattern, TemporaryDirectory } from "../support/files.ts";
import { emulated } from "../support/machine.ts";
import { openFiles } from "../support/sockets.ts";

/** Lengths around what the blocks, probes and arrays in there have. */
const LENGTHS = [
  ...[0, 1, 2, 4095, 4096, 4097, 16383, 16384, 16385, 16384 + 255],
  ...[16384 + 256, 16384 + 257, 65536, 100_000, 1 << 20, 3_000_001],
];

Deno.test("readFiles: every length, in order", async () => {
  using home = new TemporaryDirectory();
  const paths = LENGTHS.map((length) =>
    home.file(`${length}`, pattern(length, length))
  );
  for (const concurrency of [1, 3, 64]) {
    let at = 0;
    for await (const file of readFiles(paths, { concurrency })) {
      assertEquals([file.path, file.index], [paths[at], at]);
      assertEquals(file.data, pattern(file.data.length, LENGTHS[at] as number));
      assertEquals(file.data.length, LENGTHS[at]);
      at++;
    }
    assertEquals(at, paths.length);
  }
});

Deno.test("readFiles: as they are done, each once", async () => {
  using home = new TemporaryDirectory();
  const paths = Array.from(
    { length: 700 },
    (_, i) => home.file(`${i}`, pattern(i * 37, i)),
  );
  const seen = new Set<number>();
  for await (const file of readFiles(paths, { ordered: false })) {
    assertEquals(file.data, pattern(file.index * 37, file.index));
    assertEquals(file.path, paths[file.index]);
    seen.add(file.index);
  }
  assertEquals(seen.size, paths.length);
});

Deno.test("readFiles: URLs, sets, generators, and async generators that wait", async () => {
  using home = new TemporaryDirectory();
  const names = ["a", "b b", "ü%20"];
  const paths = names.map((name) => home.file(name, name));
  const texts = async (source: Parameters<typeof readFiles>[0]) => {
    const found = await Array.fromAsync(readFiles(source));
    return found.map(({ data }) => new TextDecoder().decode(data));
  };
  assertEquals(await texts(new Set(paths)), names);
  const urls = paths.map((path) =>
    new URL(`file://${path.split("/").map(encodeURIComponent).join("/")}`)
  );
  assertEquals(await texts(urls), names);
  const slow = async function* () {
    for (const path of paths) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield path;
    }
  };
  assertEquals(await texts(slow()), names);
  const quick = async function* () {
    for (let i = 0; i < 1000; i++) yield paths[i % 3] as string;
  };
  assertEquals((await texts(quick())).length, 1000);
  assertEquals(await texts([]), []);
  assertEquals(await texts((async function* () {})()), []);
});

Deno.test("readFiles: an error is thrown in its turn, or yielded", async () => {
  using home = new TemporaryDirectory();
  const paths = [home.file("a", "a"), home.join("none"), home.path];
  paths.push(home.file("b", "b"), `${home.join("x".repeat(5000))}`, "a\0b");
  const seen: unknown[] = [];
  const error = await assertRejects(async () => {
    for await (const { path } of readFiles(paths)) seen.push(path);
  }, Deno.errors.NotFound);
  assertEquals(seen, [paths[0]]);
  const theirs = await assertRejects(() => Deno.readFile(paths[1] as string));
  assertEquals(error.message, (theirs as Error).message);
  const { code, errno, path } = error as unknown as Record<string, unknown>;
  assertEquals([code, errno, path], ["ENOENT", 2, paths[1]]);

  const all = await Array.fromAsync(readFiles(paths, { errors: "yield" }));
  assertEquals(all.map(({ index }) => index), [0, 1, 2, 3, 4, 5]);
  assertEquals(all.map(({ data }) => data?.length), [
    ...[1, undefined, undefined, 1, undefined, undefined],
  ]);
  for (const { path, error } of all as FileFailure[]) {
    if (error === undefined) continue;
    assertSame(error, await assertRejects(() => Deno.readFile(path)));
  }
});

Deno.test("readFiles: what has no size: /proc, /dev, FIFOs", async () => {
  using home = new TemporaryDirectory();
  const fifo = home.join("fifo");
  makeNode(fifo, S_IFIFO | 0o600);
  const reading = Array.fromAsync(
    readFiles([fifo, "/proc/self/maps", "/dev/null", "/proc/version"]),
  );
  const writer = await Deno.open(fifo, { write: true });
  const text = pattern(200_000, 7);
  for (let at = 0; at < text.length;) {
    at += await writer.write(text.subarray(at));
  }
  writer.close();
  const [piped, maps, none, version] = await reading;
  assertEquals(piped?.data, text);
  assert(new TextDecoder().decode(maps?.data).includes("[stack]"));
  assertEquals(none?.data.length, 0);
  assertEquals(version?.data, Deno.readFileSync("/proc/version"));
});

Deno.test("readFiles: who is read from gets a turn of the event loop, 100 times", async () => {
  using home = new TemporaryDirectory();
  for (let round = 0; round < 100; round++) {
    const fifo = home.join(`${round}`);
    makeNode(fifo, S_IFIFO | 0o600);
    const reading = Array.fromAsync(readFiles([fifo, "/proc/self/maps"]));
    // These run in the event loop: a batch that never let it turn would wait for ever.
    const writer = await Deno.open(fifo, { write: true });
    for (let left = 210_000; left > 0;) {
      left -= await writer.write(new Uint8Array(left));
    }
    writer.close();
    assertEquals((await reading)[0]?.data.length, 210_000);
  }
});

Deno.test("readFiles: a FIFO that nobody writes to holds up nobody, and can be left", async () => {
  using home = new TemporaryDirectory();
  const fifo = home.join("fifo");
  makeNode(fifo, S_IFIFO | 0o600);
  const paths = [fifo, ...Array<string>(300).fill(home.file("a", "a"))];
  let count = 0;
  for await (const { data } of readFiles(paths, { ordered: false })) {
    assertEquals(data.length, 1);
    if (++count === 300) break;
  }
  assertEquals(count, 300);
});

Deno.test("readFiles: a signal ends it with its reason, before and in the middle", async () => {
  using home = new TemporaryDirectory();
  const fifo = home.join("fifo");
  makeNode(fifo, S_IFIFO | 0o600);
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  await assertRejects(
    () => Array.fromAsync(readFiles([fifo], { signal: aborted })),
    Error,
    "enough",
  );
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 20);
  const paths = [fifo, home.file("a", "a")];
  await assertRejects(
    () => Array.fromAsync(readFiles(paths, { signal: controller.signal })),
    Error,
    "enough",
  );
});

Deno.test("readFiles: an error of the source is thrown, and leaving tells the source", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("a", "a");
  const failing = async function* () {
    yield path;
    throw new Error("no more");
  };
  await assertRejects(
    () => Array.fromAsync(readFiles(failing())),
    Error,
    "no more",
  );
  let left = 0;
  const endless = function* () {
    try {
      for (;;) yield path;
    } finally {
      left++;
    }
  };
  for await (const _ of readFiles(endless())) break;
  const later = async function* () {
    yield* endless();
  };
  for await (const _ of readFiles(later())) break;
  assertEquals(left, 2);
});

Deno.test("readFiles: takes no more paths than there is room for", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("a", "a");
  for (const ordered of [true, false]) {
    let taken = 0;
    const paths = function* () {
      for (; taken < 5000; taken++) yield path;
    };
    let given = 0;
    const options = { concurrency: 8, ordered };
    for await (const _ of readFiles(paths(), options)) {
      given++;
      // What is in flight, and what is ready, which in order may be four times that.
      assertLess(taken - given, 6 * 8);
      if (given % 100 === 0) {
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    assertEquals(given, 5000);
  }
});

Deno.test("readFiles: large files take their turns in little memory", async () => {
  using home = new TemporaryDirectory();
  const size = 300_000;
  const paths = Array.from(
    { length: 40 },
    (_, i) => home.file(`${i}`, pattern(size, i)),
  );
  for (const ordered of [true, false]) {
    let count = 0;
    const options = { memory: 700_000, ordered };
    for await (const { data, index } of readFiles(paths, options)) {
      assertEquals(data, pattern(size, index));
      count++;
    }
    assertEquals(count, 40);
    // Even one is more than this.
    const one = await Array.fromAsync(readFiles(paths, { memory: 1, ordered }));
    assertEquals(one.length, 40);
  }
});

Deno.test("readFiles: timers tick meanwhile", async () => {
  using home = new TemporaryDirectory();
  const paths = Array.from(
    { length: 500 },
    (_, i) => home.file(`${i}`, "text"),
  );
  const repeated = function* () {
    for (let round = 0; round < 60; round++) yield* paths;
  };
  let ticks = 0;
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    ticks++;
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  const begun = performance.now();
  let count = 0;
  for await (const _ of readFiles(repeated())) count++;
  const took = performance.now() - begun;
  clearInterval(timer);
  assertEquals(count, 30_000);
  // At least one tick for every 50 ms, whatever else the machine does.
  assertGreater(ticks, emulated ? 0 : took / 50);
});

Deno.test("readFiles: no descriptor is left open", async () => {
  using home = new TemporaryDirectory();
  const paths = Array.from(
    { length: 200 },
    (_, i) => home.file(`${i}`, "text"),
  );
  await Array.fromAsync(readFiles(paths));
  const before = openFiles();
  await Array.fromAsync(readFiles(paths));
  for await (const _ of readFiles(paths)) break;
  await Array.fromAsync(
    readFiles([...paths, home.join("none")], { errors: "yield" }),
  );
  assertEquals(openFiles(), before);
});

Deno.test("readFiles: arguments are checked before anything happens", () => {
  const wrong: [unknown, unknown, string][] = [
    [undefined, {}, "paths must be an iterable"],
    ["path", {}, "paths must be an iterable"],
    [7, {}, "paths must be an iterable"],
    [[], { concurrency: 0 }, "concurrency"],
    [[], { concurrency: 1025 }, "concurrency"],
    [[], { ordered: 1 }, "ordered"],
    [[], { errors: "ignore" }, "errors"],
    [[], { signal: {} }, "signal"],
    [[], { memory: 0 }, "memory"],
    [[], { ring: {} }, "ring must be a Uring"],
  ];
  for (const [paths, options, word] of wrong) {
    assertThrows(
      () => readFiles(paths as string[], options as object),
      Error,
      word,
    );
  }
});

Deno.test("readFiles: without files of the ring's own, as before Linux 5.15", async () => {
  using home = new TemporaryDirectory();
  const paths = LENGTHS.map((length) =>
    home.file(`${length}`, pattern(length, length))
  );
  const ring = new SliceRing(64);
  using work = new ReadWork(ring, 4, { limit: 1e6, direct: false });
  const loop = new Loop(ring, supply("test", [...paths, "/nope"]), work, {
    ordered: true,
    signal: undefined,
    pathOf: String,
  });
  const lengths: (number | string)[] = [];
  for (;;) {
    const outcomes = await loop.next();
    if (outcomes.length === 0) break;
    for (const { result } of outcomes) {
      if (result instanceof Failure) lengths.push(result.error.name);
      else {
        lengths.push(result.length);
        work.taken(result);
      }
    }
  }
  await ring.close();
  assertEquals(lengths, [...LENGTHS, "NotFound"]);
});

Deno.test("readFiles: has the backend of the ring that it is given", async () => {
  await using ring = new Uring({ backend: "syscall" });
  const [file] = await Array.fromAsync(readFiles(["/proc/version"], { ring }));
  assertEquals(file?.data, Deno.readFileSync("/proc/version"));
});
