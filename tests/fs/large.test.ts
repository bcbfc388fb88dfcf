/** Files and offsets beyond 2^31 and 2^32. */

import { assertEquals, assertRejects } from "@std/assert";
import { open } from "../../fs/open.ts";
import { readFile } from "../../fs/read_file.ts";
import { truncate } from "../../fs/truncate.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { bytes } from "./both.ts";

const GIGABYTE = 2 ** 30;
const { Start, Current, End } = Deno.SeekMode;

Deno.test("a file of 8 GiB: reads, writes and seeks at both its ends and in between", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("file");
  using file = await open(path, { read: true, write: true, createNew: true });
  const places = [
    0,
    2 ** 31 - 3,
    2 ** 32 - 3,
    2 ** 32 + 5,
    5 * GIGABYTE + 1,
    8 * GIGABYTE - 6,
  ];
  for (const place of places) {
    const text = `at ${place}`.slice(0, 6);
    assertEquals(await file.seek(place, Start), place);
    assertEquals(await file.write(bytes(text)), text.length);
    assertEquals(await file.seek(0, Current), place + text.length);
    const buffer = new Uint8Array(text.length);
    assertEquals(await file.readAt(buffer, place), text.length);
    assertEquals(buffer, bytes(text));
  }
  assertEquals((await file.stat()).size, 8 * GIGABYTE);
  assertEquals(await file.seek(-6, End), 8 * GIGABYTE - 6);
  const buffer = new Uint8Array(20);
  assertEquals(await file.read(buffer), 6);
  assertEquals(await file.read(buffer), null);
  assertEquals(await file.writeAt(bytes("beyond"), 9 * GIGABYTE), 6);
  assertEquals((await file.stat()).size, 9 * GIGABYTE + 6);
  await truncate(path, 8 * GIGABYTE);
  assertEquals((await file.stat()).size, 8 * GIGABYTE);
  await file.truncate(2 ** 32 + 1);
  assertEquals((await file.stat()).size, 2 ** 32 + 1);
  // A hole reads as zeros.
  const far = new Uint8Array(1 << 20).fill(1);
  assertEquals(await file.readAt(far, 3 * GIGABYTE), far.length);
  assertEquals(far.every((byte) => byte === 0), true);
});

Deno.test({
  name: "a file of more than one read moves: 2 GiB + 1 MiB",
  ignore: Deno.systemMemoryInfo().available < 5 * GIGABYTE,
  fn: async () => {
    using home = new TemporaryDirectory();
    const path = home.join("file");
    const size = 2 * GIGABYTE + (1 << 20);
    {
      using file = await open(path, { write: true, createNew: true });
      await file.truncate(size);
      await file.writeAt(bytes("begin"), 0);
      await file.writeAt(bytes("end"), size - 3);
      await file.writeAt(bytes("middle"), 2 ** 31 - 3);
    }
    const data = await readFile(path);
    assertEquals(data.length, size);
    const text = (from: number, to: number) =>
      new TextDecoder().decode(data.subarray(from, to));
    assertEquals(text(0, 5), "begin");
    assertEquals(text(2 ** 31 - 3, 2 ** 31 + 3), "middle");
    assertEquals(text(size - 3, size), "end");
  },
});

Deno.test("more than fits any memory is an error", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file");
  await truncate(path, 2 ** 41);
  await assertRejects(() => readFile(path), RangeError);
});

Deno.test("positions that are none are refused", async () => {
  using home = new TemporaryDirectory();
  using file = await open(home.file("file"), { read: true, write: true });
  for (const position of [-1, 1.5, NaN, Infinity, 2 ** 53]) {
    await assertRejects(
      () => file.readAt(new Uint8Array(1), position),
      RangeError,
    );
    await assertRejects(
      () => file.writeAt(new Uint8Array(1), position),
      RangeError,
    );
  }
  await assertRejects(
    () => file.readAt(new Uint8Array(1), "0" as never),
    TypeError,
  );
  await assertRejects(() => file.readAt("x" as never, 0), TypeError);
});

Deno.test("readAt fills the buffer, and stops at the end", async () => {
  using home = new TemporaryDirectory();
  const data = new Uint8Array((9 << 20) + 7).map((_, at) => at >> 10);
  using file = await open(home.file("file", data), {
    read: true,
    append: true,
  });
  const whole = new Uint8Array(data.length + 100);
  assertEquals(await file.readAt(whole, 0), data.length);
  assertEquals(whole.subarray(0, data.length), data);
  assertEquals(await file.readAt(whole.subarray(0, 5), data.length), 0);
  const parts = await Promise.all([0, 1, 2].map(async (at) => {
    const buffer = new Uint8Array(3 << 20);
    return [await file.readAt(buffer, at * (3 << 20)), buffer[1024]];
  }));
  assertEquals(
    parts,
    [0, 1, 2].map((at) => [3 << 20, (at * (3 << 10) + 1) & 255]),
  );
  assertEquals(await file.seek(0, Current), 0);
});
