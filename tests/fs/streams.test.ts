/** `FsFile.readable` and `FsFile.writable` beside Deno's. */

import { assertEquals, assertRejects } from "@std/assert";
import { IORING_OP_WRITE } from "../../ffi/mod.ts";
import { open } from "../../fs/open.ts";
import { writeFile } from "../../fs/write_file.ts";
import type { Op } from "../../ops/op.ts";
import type { SubmitOptions } from "../../proactor/options.ts";
import { Uring } from "../../proactor/uring.ts";
import type { Sqe } from "../../ring/sqe.ts";
import { TemporaryDirectory } from "../support/files.ts";
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

Deno.test("writable: an error comes with the write, which Deno's first one does not", async () => {
  const file = await open("/etc/passwd");
  const writer = file.writable.getWriter();
  await assertRejects(() => writer.write(bytes("more")), Error, "os error 9");
  await assertRejects(() => writer.closed, Error, "os error 9");
  assertEquals(wasOpen(file), false);
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
  await assertRejects(() => writer.write(data), Deno.errors.WriteZero);
  assertEquals(file.closed, true);
});
