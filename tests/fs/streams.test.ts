/** `FsFile.readable` and `FsFile.writable` beside Deno's. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { IORING_OP_WRITE } from "../../ffi/mod.ts";
import { GatheredStream } from "../../fs/gathered.ts";
import { open } from "../../fs/open.ts";
import { readFile } from "../../fs/read_file.ts";
import { writeFile } from "../../fs/write_file.ts";
import type { Op } from "../../ops/op.ts";
import type { SubmitOptions } from "../../proactor/options.ts";
import { Uring } from "../../proactor/uring.ts";
import type { Sqe } from "../../ring/sqe.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { collect, collected } from "../proactor/torture.ts";
import { bytes, openFiles, same } from "./both.ts";

/** Whether a file is still open, asked by closing it. */
function wasOpen(file: { close(): void }): boolean {
  try {
    file.close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BadResource) return false;
    throw error;
  }
}

same("readable: to the end", async ({ fs, path, step }) => {
  for (const size of [0, 5, 65536, 65537, 200_000]) {
    Deno.writeFileSync(path("file"), new Uint8Array(size).fill(size & 0xff));
    const file = await fs.open(path("file"));
    const { readable } = file;
    await step("the same one", () => readable === file.readable);
    await step("chunks", async () => {
      const chunks = await Array.fromAsync(readable);
      return chunks.map((
        chunk,
      ) => [chunk.length, chunk[0], chunk.constructor.name]);
    });
    await step("open", () => wasOpen(file));
  }
});

same("readable: from the position on", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "0123456789");
  const file = await fs.open(path("file"));
  await file.seek(4, Deno.SeekMode.Start);
  await step("text", () => new Response(file.readable).text());
  await step("open", () => wasOpen(file));
});

same(
  "readable: into one's own memory, and not to the end",
  async ({ fs, path, step }) => {
    Deno.writeTextFileSync(path("file"), "0123456789");
    const file = await fs.open(path("file"));
    const reader = file.readable.getReader({ mode: "byob" });
    await step("some", async () => {
      const { value, done } = await reader.read(
        new Uint8Array(new ArrayBuffer(8), 2, 4),
      );
      return [done, value?.byteOffset, new TextDecoder().decode(value)];
    });
    await step("cancel", () => reader.cancel("enough"));
    await step("open", () => wasOpen(file));
  },
);

same("readable: errors", async ({ fs, path, step }) => {
  const file = await fs.open(path("file"), { write: true, create: true });
  await step("read", () => Array.fromAsync(file.readable));
  await step("open", () => wasOpen(file));
  const closed = await fs.open(path("file"));
  const { readable } = closed;
  closed.close();
  await step("closed", () => Array.fromAsync(readable));
  await step("closed before", () => Array.fromAsync(closed.readable));
  const folder = await fs.open(path("."));
  await step("folder", () => Array.fromAsync(folder.readable));
  await step("open", () => wasOpen(folder));
});

same("writable: all of it", async ({ fs, path, step }) => {
  const file = await fs.open(path("file"), { write: true, create: true });
  const { writable } = file;
  await step("the same one", () => writable === file.writable);
  const writer = writable.getWriter();
  await step("write", () => writer.write(bytes("hello ")));
  await step("write", () => writer.write(new Uint8Array()));
  await step("write", () => writer.write(new Uint8Array(100_000).fill(65)));
  await step("close", () => writer.close());
  await step("open", () => wasOpen(file));
  await step("text", () => fs.readTextFile(path("file")));
});

same("writable: piped from a file", async ({ fs, path, step }) => {
  Deno.writeFileSync(path("from"), new Uint8Array(300_000).fill(7));
  const from = await fs.open(path("from"));
  const to = await fs.open(path("to"), { write: true, create: true });
  await step("pipe", () => from.readable.pipeTo(to.writable));
  await step("open", () => [wasOpen(from), wasOpen(to)]);
  await step("size", async () => (await fs.readFile(path("to"))).length);
});

same("writable: aborted", async ({ fs, path, step }) => {
  const file = await fs.open(path("file"), { write: true, create: true });
  const writer = file.writable.getWriter();
  await step("write", () => writer.write(bytes("some")));
  await step("abort", () => writer.abort(new Error("enough")));
  await step("write", () => writer.write(bytes("more")));
  await step("open", () => wasOpen(file));
});

same("writable: of a file that was closed", async ({ fs, path, step }) => {
  const file = await fs.open(path("file"), { write: true, create: true });
  const writer = file.writable.getWriter();
  file.close();
  // More than Deno keeps to itself.
  await step("write", async () => {
    await writer.write(new Uint8Array(200_000)).catch(() => {});
    await writer.closed;
  });
});

same("writable: what is no bytes", async ({ fs, path, step }) => {
  const file = await fs.open(path("file"), { write: true, create: true });
  const writer = file.writable.getWriter();
  await step("text", () => writer.write("text" as never));
  await step("bytes", () => writer.write(bytes("more")));
  await step("open", () => wasOpen(file));
});

Deno.test("writable: short chunks are written together, from memory that may change", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  await using ring = new Uring();
  const file = await open(path, { write: true, create: true, ring });
  const writer = file.writable.getWriter();
  const before = ring.stats.submitted;
  const chunk = new Uint8Array(1000);
  for (let index = 0; index < 200; index++) {
    await writer.write(chunk.fill(index));
  }
  await writer.close();
  // 65 of them fit at a time, and the loop may have had some turns.
  assert(ring.stats.submitted - before < 50);
  const written = Deno.readFileSync(path);
  assertEquals(written.length, 200_000);
  assert(written.every((byte, at) => byte === Math.floor(at / 1000)));
});

Deno.test("writable: chunks of all lengths come in their order", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  const text = Array.from({ length: 100_000 }, (_, index) => index).join();
  const lengths = [1, 65_535, 2, 65_536, 0, 65_537, 30_000, 40_000, 3, 70_000];
  for (const turns of [false, true]) {
    const file = await open(path, { write: true, create: true });
    const writer = file.writable.getWriter();
    let at = 0;
    for (const length of lengths) {
      await writer.write(bytes(text.slice(at, at += length)));
      if (turns) await new Promise((resolve) => setImmediate(resolve));
    }
    await writer.close();
    assertEquals(Deno.readTextFileSync(path), text.slice(0, at));
  }
});

Deno.test("writable: what was written is there while the stream goes on, which Deno's is not", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  const file = await open(path, { write: true, create: true });
  const writer = file.writable.getWriter();
  for (const line of ["one\n", "one\ntwo\n"]) {
    await writer.write(bytes(line.slice(-4)));
    while (Deno.readTextFileSync(path) !== line) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  await writer.close();
});

Deno.test("writable: a file that is closed keeps what was written, which Deno's does not", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  {
    await using file = await open(path, { write: true, create: true });
    await file.writable.getWriter().write(bytes("kept"));
  }
  assertEquals(Deno.readTextFileSync(path), "kept");
});

Deno.test("writable: an error is told when it is closed, which Deno keeps to itself", async () => {
  const file = await open("/etc/passwd");
  const writer = file.writable.getWriter();
  await writer.write(bytes("more"));
  await assertRejects(() => writer.close(), Error, "os error 9");
  assertEquals(wasOpen(file), false);
});

Deno.test("writable: an error is told while nobody writes, which Deno's is not", async () => {
  const file = await open("/etc/passwd");
  const writer = file.writable.getWriter();
  await writer.write(bytes("more"));
  await assertRejects(() => writer.closed, Error, "os error 9");
  await assertRejects(() => writer.write(bytes("more")), Error, "os error 9");
  assertEquals(wasOpen(file), false);
});

Deno.test("writable: aborted, it waits for what is being written", async () => {
  const begun = Promise.withResolvers<void>();
  const writing = Promise.withResolvers<void>();
  const events: string[] = [];
  const { stream } = new GatheredStream({
    async write(chunk) {
      begun.resolve();
      await writing.promise;
      events.push(new TextDecoder().decode(chunk));
    },
    end: () => void events.push("end"),
  });
  const writer = stream.getWriter();
  await writer.write(bytes("some"));
  await begun.promise;
  const aborted = writer.abort(new Error("enough"));
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals(events, []);
  writing.resolve();
  await aborted;
  assertEquals(events, ["some", "end"]);
});

Deno.test("readable: nothing is left open when a pipe fails", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "x".repeat(200_000));
  await new Response((await open(path)).readable).bytes(); // opens what stays open
  const before = openFiles();
  const from = await open(path);
  const full = await open("/dev/full", { write: true });
  const error = await assertRejects(() => from.readable.pipeTo(full.writable));
  assertEquals((error as { code?: string }).code, "ENOSPC");
  assertEquals(openFiles(), before);
});

Deno.test({
  name:
    "a file is closed when it is forgotten together with its streams, as Deno's is",
  ignore: collect === undefined,
  async fn() {
    using home = new TemporaryDirectory();
    const path = home.file("file", "x".repeat(200_000));
    const forget = async () => {
      const read = await open(path);
      await read.readable.getReader().read();
      const both = await open(path, { read: true, write: true });
      await both.writable.getWriter().write(bytes("some"));
      await both.readable.getReader().read();
    };
    await readFile(path); // opens what stays open
    const before = openFiles();
    for (let round = 0; round < 4; round++) await forget();
    await collected(() => assertEquals(openFiles(), before));
    // No number was closed twice: it may be another file's by then.
    await using kept = await open(path);
    await forget();
    await collected(() => assertEquals(openFiles(), before + 1));
    assertEquals((await kept.stat()).size, 200_000);
  },
});

/** A ring on which each write takes nothing. */
class IdleRing extends Uring {
  override submit<T>(op: Op<T>, options?: SubmitOptions): Promise<T> {
    if (op.opcode !== IORING_OP_WRITE) return super.submit(op, options);
    const encode = (sqe: Sqe) => {
      const held = op.encode(sqe);
      sqe.len = 0;
      return held;
    };
    const empty: Op<T> = Object.create(op, { encode: { value: encode } });
    return super.submit(empty, options);
  }
}

Deno.test("writes that take nothing are not tried for ever", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  await using ring = new IdleRing();
  const data = bytes("text");
  for (const atomic of [false, true]) {
    for (const how of [data, new Blob([data]).stream()]) {
      await assertRejects(
        () => writeFile(path, how, { ring, atomic }),
        Deno.errors.WriteZero,
        "failed to write whole buffer",
      );
    }
  }
  const file = await open(path, { write: true, ring });
  const writer = file.writable.getWriter();
  await writer.write(data);
  await assertRejects(() => writer.close(), Deno.errors.WriteZero);
  assertEquals(file.closed, true);
});
