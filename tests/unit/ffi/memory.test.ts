/** Memory that the kernel may be given, and what it may not. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Memory } from "../../../ffi/mod.ts";
import { openRing } from "../../../ffi/map_ring.ts";
import { addressOf, addressOfChecked, checkView } from "../../../ffi/memory.ts";
import { closeSync, openSync } from "node:fs";
import { isMapped } from "../../support/maps.ts";
import { child } from "../../kernel/registration/support.ts";
import { refuses } from "../../support/entry.ts";

Deno.test("addresses: of views of any kind, over any memory", () => {
  using memory = new Memory(4096);
  const { buffer } = memory.bytes;
  assertEquals(addressOf(memory.bytes), memory.address);
  assertEquals(addressOf(new DataView(buffer, 100)), memory.address + 100);
  assertEquals(addressOf(new Float64Array(buffer, 8)), memory.address + 8);
  const view = memory.bytes.subarray(5);
  const region = checkView("view", view);
  assert(region !== undefined, "nobody need be asked");
  assertEquals(addressOfChecked(view, region), memory.address + 5);
  for (const own of [new ArrayBuffer(64), new SharedArrayBuffer(64)]) {
    const first = addressOf(new Uint8Array(own));
    assertEquals(addressOf(new DataView(own, 3, 9)), first + 3);
    assertEquals(checkView("view", new Uint8Array(own)), undefined);
  }
});

Deno.test("views: what may move, shrink or be gone is refused", () => {
  const gone = new Uint8Array(8);
  const goneData = new DataView(gone.buffer);
  gone.buffer.transfer();
  const closed = new Memory(64);
  const closedData = new DataView(closed.bytes.buffer);
  closed.close();
  const resizable = new ArrayBuffer(8, { maxByteLength: 16 });
  const growable = new SharedArrayBuffer(8, { maxByteLength: 16 });
  for (const view of [gone, goneData, closed.bytes, closedData]) {
    refuses(TypeError, "buffer is over a detached", checkView, "buffer", view);
  }
  const [shrinking, growing] = [resizable, growable].map((buffer) =>
    new Uint8Array(buffer)
  );
  refuses(TypeError, "over a resizable", checkView, "buffer", shrinking);
  refuses(TypeError, "over a growable", checkView, "buffer", growing);
  for (const none of [undefined, null, 5, {}, new ArrayBuffer(8), "text"]) {
    refuses(TypeError, "buffer must be a typed", checkView, "buffer", none);
  }
});

Deno.test("Memory: unmapped when it is closed, once; never if its buffer went", () => {
  const memory = new Memory(100_000);
  const { address, bytes } = memory;
  assertEquals([address % 4096, bytes.length], [0, 100_000]);
  assert(isMapped(address) && isMapped(address + 100_000 - 1));
  assert(bytes.every((byte) => byte === 0));
  memory.close();
  assertEquals([bytes.length, isMapped(address)], [0, false]);
  // Somebody else's by then.
  using other = new Memory(100_000);
  memory.close();
  assert(isMapped(other.address));

  const given = new Memory(8192);
  const moved = new Uint8Array(given.bytes.buffer.transfer());
  given.close();
  moved[8191] = 7;
  assert(isMapped(given.address));
  for (const size of [0, -1, 1.5, NaN, 2 ** 47]) {
    assertThrows(() => new Memory(size), RangeError, "Memory: byteLength");
  }
  const error = assertThrows(() => new Memory(4096, { fd: 0x7fff_ffff }));
  assert(
    error instanceof Error && error.message.startsWith("mmap"),
    `${error}`,
  );
});

Deno.test("Memory: of a descriptor, from an offset on, shared", () => {
  using file = temporary();
  using memory = new Memory(4096, {
    fd: file.fd,
    offset: 4096,
    populate: true,
  });
  assertEquals([...memory.bytes.subarray(0, 3)], [2, 2, 2]);
  memory.bytes[1] = 9;
  const written = Deno.readFileSync(file.path);
  assertEquals([...written.subarray(4095, 4099)], [1, 2, 9, 2]);
});

function temporary(): { fd: number; path: string } & Disposable {
  const path = Deno.makeTempFileSync();
  const pages = new Uint8Array(8192).fill(1, 0, 4096).fill(2, 4096);
  Deno.writeFileSync(path, pages);
  const fd = openSync(path, "r+");
  return {
    fd,
    path,
    [Symbol.dispose]() {
      closeSync(fd);
      Deno.removeSync(path);
    },
  };
}

Deno.test("Memory: what is forgotten is given back, with the last view of it", async () => {
  const maps = import.meta.resolve("../../support/maps.ts");
  const output = await child(
    `
    const { isMapped } = await import("${maps}");
    const turn = () => new Promise((done) => setTimeout(done));
    const collect = async () => {
      for (let i = 0; i < 5; i++) { await turn(); gc(); }
      await turn();
    };
    const forgotten = (() => new f.Memory(1 << 20).address)();
    let view: Uint8Array | undefined;
    const seen = (() => {
      const memory = new f.Memory(1 << 20);
      view = memory.bytes.subarray(1);
      return memory.address;
    })();
    let moved: ArrayBuffer | undefined;
    const given = (() => {
      const memory = new f.Memory(1 << 20);
      moved = memory.bytes.buffer.transfer();
      return memory.address;
    })();
    await collect();
    console.log(isMapped(forgotten), isMapped(seen), isMapped(given));
    view[0] = 1;
    new Uint8Array(moved)[0] = 1;
    view = undefined;
    await collect();
    console.log(isMapped(seen), isMapped(given));
    `,
    { flags: ["--v8-flags=--expose-gc"] },
  );
  assertEquals(output, "false true true\nfalse true");
});

Deno.test("a ring that cannot be mapped is closed", () => {
  let fd = -1;
  const request = {
    entries: 4,
    flags: 0,
    cqEntries: 0,
    sqThreadIdle: 0,
    sqThreadCpu: 0,
    wqFd: 0,
  };
  const setup = () => fd = openSync("/dev/null", "r");
  assertThrows(() => openRing(setup, request), Error, "mmap");
  // Its number may be another file's by now.
  assert(nameOf(fd) !== "/dev/null");
});

function nameOf(fd: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
