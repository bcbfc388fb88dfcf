/** Descriptors: many of them, too many of them, and when they are closed. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { makeNode, S_IFIFO } from "../../ffi/mod.ts";
import { open } from "../../fs/open.ts";
import { Uring } from "../../proactor/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { bytes, openFiles, same } from "./both.ts";

Deno.test("a file with something in flight is closed when that is done", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("fifo");
  makeNode(path, S_IFIFO | 0o600);
  const file = await open(path, { read: true, write: true });
  const { fd } = file;
  // More than a pipe holds.
  const first = file.write(new Uint8Array(100_000));
  const second = file.write(bytes("end")); // waits for the first
  await file.stat(); // the first is in flight
  file.close();
  assert(file.closed);
  await assertRejects(() => file.write(bytes("x")), Deno.errors.BadResource);
  // The descriptor is still that file's.
  assertEquals(Deno.readLinkSync(`/proc/self/fd/${fd}`), path);
  const reader = await Deno.open(path);
  let got = 0;
  const draining = (async () => {
    const buffer = new Uint8Array(65536);
    for (let count; (count = await reader.read(buffer)) !== null;) got += count;
  })();
  const written = await first + await second;
  await draining;
  assertEquals(got, written);
  assertEquals(isOpen(fd), false);
  reader.close();
});

same("close ends the reads of a pipe", async ({ fs, path, step }) => {
  makeNode(path("fifo"), S_IFIFO | 0o600);
  const file = await fs.open(path("fifo"), { read: true, write: true });
  const calls = {
    first: file.read(new Uint8Array(4)),
    second: file.read(new Uint8Array(4)),
    third: file.write(new Uint8Array(3)),
  };
  await new Promise((resolve) => setTimeout(resolve, 20));
  file.close();
  for (const [name, call] of Object.entries(calls)) {
    await step(name, () => call);
  }
});

same("a stream of a pipe that is cancelled", async ({ fs, path, step }) => {
  makeNode(path("fifo"), S_IFIFO | 0o600);
  const file = await fs.open(path("fifo"), { read: true, write: true });
  const reader = file.readable.getReader();
  const reading = reader.read();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await step("cancel", () => reader.cancel());
  await step("read", () => reading);
});

function isOpen(fd: number): boolean {
  try {
    Deno.readLinkSync(`/proc/self/fd/${fd}`);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test("asyncDispose waits until the file is closed", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "text");
  const before = openFiles();
  let reading: Promise<number | null>;
  {
    await using file = await open(path);
    reading = file.read(new Uint8Array(4));
  }
  assertEquals(openFiles(), before);
  assertEquals(await reading, 4);
});

Deno.test("what is in flight when its ring closes fails, and the file is closed", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("fifo");
  await new Deno.Command("mkfifo", { args: [path] }).output();
  const ring = new Uring();
  const file = await open(path, { read: true, write: true, ring });
  const { fd } = file;
  const reading = assertRejects(
    () => file.read(new Uint8Array(4)),
    Error,
    "os error 125",
  );
  await ring.close();
  await reading;
  file.close();
  assertEquals(isOpen(fd), false);
});

/** Runs a program of its own with fewer descriptors. */
async function withLimit(
  limit: number,
  program: string,
): Promise<{ code: number; out: string; err: string }> {
  using home = new TemporaryDirectory();
  const file = home.file(
    "program.ts",
    `import * as fs from ${
      JSON.stringify(import.meta.resolve("../../fs/mod.ts"))
    };
const home = ${JSON.stringify(home.path)};
// Deno sets up a signal a second after its start, and panics if it has no descriptor for that.
await new Promise((resolve) => setTimeout(resolve, 1500));
${program}`,
  );
  const { code, stdout, stderr } = await new Deno.Command("prlimit", {
    args: [
      `--nofile=${limit}`,
      Deno.execPath(),
      "run",
      "-A",
      "--no-check",
      file,
    ],
  }).output();
  const [out, err] = [stdout, stderr].map((part) =>
    new TextDecoder().decode(part)
  );
  return { code, out: (out as string).trim(), err: err as string };
}

Deno.test("10 000 files open at once", async () => {
  const { out, err } = await withLimit(
    20_000,
    `await fs.writeTextFile(home + "/file", "text");
    const files = await Promise.all(Array.from({ length: 10_000 }, () => fs.open(home + "/file")));
    const counts = await Promise.all(files.map((file) => file.read(new Uint8Array(8))));
    for (const file of files) file.close();
    console.log(files.length, counts.every((count) => count === 4));`,
  );
  assertEquals(out, "10000 true", err);
});

Deno.test("too many: calls wait for each other's descriptors", async () => {
  const { out, err } = await withLimit(
    100,
    `const names = Array.from({ length: 2000 }, (_, at) => home + "/f" + at);
    await Promise.all(names.map((name) => fs.writeTextFile(name, name)));
    const texts = await Promise.all(names.map((name) => fs.readTextFile(name)));
    const sizes = await Promise.all(names.map(async (name) => {
      using file = await fs.open(name);
      return (await file.stat()).size;
    }));
    console.log(texts.every((text, at) => text === names[at]), sizes.every((size) => size > 5));`,
  );
  assertEquals(out, "true true", err);
});

Deno.test("too many: a batch that is left closes what it has opened", async () => {
  const { out, err } = await withLimit(
    100,
    `const names = Array.from({ length: 500 }, (_, at) => home + "/f" + at);
    for (const name of names) Deno.writeTextFileSync(name, name);
    const open = () => [...Deno.readDirSync("/proc/self/fd")].length;
    // More at a time than there may be descriptors: the ring has no files of its own then.
    const batch = () => fs.readFiles(names, { concurrency: 200 });
    await Array.fromAsync(batch());
    const before = open();
    for await (const _ of batch()) break;
    console.log(open() - before);`,
  );
  assertEquals(out, "0", err);
});

Deno.test("too many: an open waits until a file is closed", async () => {
  const { out, err } = await withLimit(
    100,
    `await fs.writeTextFile(home + "/file", "text");
    const files = [];
    try {
      for (;;) files.push(await Deno.open(home + "/file"));
    } catch {}
    files.pop().close();
    const last = await fs.open(home + "/file");
    const waiting = fs.open(home + "/file");
    setTimeout(() => last.close(), 100);
    const file = await waiting;
    console.log(await file.read(new Uint8Array(8)));`,
  );
  assertEquals(out, "4", err);
});

Deno.test("too many: gives up if nothing of its own is open, or nobody closes it", async () => {
  const { out, err } = await withLimit(
    100,
    `await fs.writeTextFile(home + "/file", "text");
    const files = [];
    const said = (error) => [error.code, error.message.replace(home, "")].join(" ");
    try {
      for (;;) files.push(await Deno.open(home + "/file"));
    } catch {}
    console.log(await fs.readFile(home + "/file").catch(said));
    files.pop().close();
    const kept = await fs.open(home + "/file");
    console.log(await fs.open(home + "/file").catch(said));
    const controller = new AbortController();
    const waiting = fs.readFile(home + "/file", { signal: controller.signal }).catch(String);
    setTimeout(() => controller.abort("enough"), 50);
    console.log(await waiting);
    kept.close();
    console.log(await fs.readTextFile(home + "/file"));`,
  );
  assertEquals(
    out.split("\n"),
    [
      "EMFILE Too many open files (os error 24): readfile '/file'",
      "EMFILE Too many open files (os error 24): open '/file'",
      "enough",
      "text",
    ],
    err,
  );
});

Deno.test("too many: an open that fails before another is known to have succeeded waits", async () => {
  const { out, err } = await withLimit(
    100,
    `const { timeout } = await import(${
      JSON.stringify(import.meta.resolve("../../ops/mod.ts"))
    });
    // A ring that sleeps has descriptors of its own from then on.
    await fs.defaultRing().submit(timeout(200));
    const files = [];
    await fs.writeTextFile(home + "/file", "text");
    try {
      for (;;) files.push(await Deno.open(home + "/file"));
    } catch {}
    files.pop().close();
    // One descriptor for all of them, who are opened by threads of the kernel, as they create.
    const names = Array.from({ length: 8 }, (_, at) => home + "/f" + at);
    for (let round = 0; round < 200; round++) {
      await Promise.all(names.map((name) => fs.writeTextFile(name, name)));
    }
    console.log("done");`,
  );
  assertEquals(out, "done", err);
});
