/** `BufferPool`: leases, waiting, ops that outlive their lease, registration, the end. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import { ENOMEM } from "../../ffi/linux.ts";
import { addressOf, systemError } from "../../ffi/mod.ts";
import {
  nop,
  opcodes,
  openat,
  read,
  readFixed,
  readv,
  timeout,
  writeFixed,
} from "../../ops/mod.ts";
import {
  type BufferLease,
  BufferPool,
  type BufferPoolOptions,
  FixedFiles,
  type LeaseOptions,
  type Uring,
} from "../../proactor/mod.ts";
import { linux } from "../kernel/registration/support.ts";
import { Abort } from "../simulated/abort.ts";
import { Descriptor, pattern, TemporaryDirectory } from "../support/files.ts";
import { canLimitLockedMemory, runLocking } from "../support/locked_memory.ts";
import { isMapped } from "../support/maps.ts";
import { Fds, writeNow } from "../support/sockets.ts";
import { bytes, eachKind, stateOf, turn, until } from "./support.ts";

const O_RDWR_CREAT = 0o102;

async function open(uring: Uring, path: string): Promise<Descriptor> {
  return new Descriptor(
    await uring.submit(openat(path, O_RDWR_CREAT, { mode: 0o600 })),
  );
}

// --- leases

eachKind("leases are aligned, registered memory of their own", {}, async (
  uring,
) => {
  using pool = new BufferPool(uring, { count: 3, size: 10_000 });
  assertEquals([pool.count, pool.size, pool.available], [3, 10_000, 3]);
  assert(pool.registered);
  assertEquals(pool.refusal, undefined);
  const leases = [await pool.lease(), await pool.lease(), await pool.lease()];
  for (const { bytes, address } of leases) {
    assertEquals(bytes.length, 10_000);
    assertEquals(address % 4096, 0);
    assertEquals(address, addressOf(bytes));
  }
  const indices = leases.map(({ index }) => index);
  assertEquals(indices.sort(), [0, 1, 2]);
  assertEquals(new Set(leases.map(({ bytes }) => bytes.buffer)).size, 3);
  for (const lease of leases) lease.release();
  assertEquals(pool.available, 3);
});

eachKind("what the builders of fixed ops are given works", {}, async (
  uring,
) => {
  using directory = new TemporaryDirectory();
  using file = await open(uring, directory.join("file"));
  using pool = new BufferPool(uring, { count: 2, size: 8192 });
  const data = pattern(8192);
  using out = await pool.lease();
  out.bytes.set(data);
  const written = writeFixed(file.fd, out.bytes, out.index, { offset: 0 });
  assertEquals(await uring.submit(written), 8192);
  using back = await pool.lease();
  const part = back.bytes.subarray(100, 1100);
  const op = readFixed(file.fd, part, back.index, { offset: 7000 });
  assertEquals(await uring.submit(op), 1000);
  assertEquals(part, data.subarray(7000, 8000));
});

eachKind("a lease reads and writes by itself", {}, async (uring) => {
  using directory = new TemporaryDirectory();
  using file = await open(uring, directory.join("file"));
  for (const register of [true, false]) {
    using pool = new BufferPool(uring, { count: 1, size: 100, register });
    using lease = await pool.lease();
    assertEquals(lease.index, register ? 0 : -1);
    const name = register ? "_fixed" : "";
    assertEquals(lease.read(file.fd).name, `read${name}`);
    assertEquals(lease.write(file.fd).name, `write${name}`);
    lease.bytes.set(bytes("..hello.."));
    const out = lease.write(file.fd, { start: 2, length: 5, offset: 0 });
    assertEquals(await uring.submit(out), 5);
    const back = lease.read(file.fd, { start: 95, offset: 0 });
    assertEquals(await uring.submit(back), 5);
    assertEquals(lease.bytes.subarray(95), bytes("hello"));
    assertThrows(() => lease.read(file.fd, { start: 101 }), RangeError);
    assertThrows(() => lease.write(file.fd, { length: 101 }), RangeError);
    assertThrows(
      () => lease.write(file.fd, { start: 60, length: 41 }),
      RangeError,
      "BufferLease.write: length",
    );
  }
});

eachKind("a lease is given back once", { only: ["best"] }, async (uring) => {
  using pool = new BufferPool(uring, { count: 2, size: 64 });
  const lease = await pool.lease();
  assertFalse(lease.released);
  lease.release();
  lease.release();
  lease[Symbol.dispose]();
  assert(lease.released);
  assertEquals(pool.available, 2);
  const one = pool.tryLease();
  const two = pool.tryLease();
  assert(one !== null && two !== null);
  assertNotEquals(one.address, two.address);
  assertEquals(pool.tryLease(), null);
  for (
    const use of [
      () => lease.bytes,
      () => lease.address,
      () => lease.index,
      () => lease.read(0),
      () => lease.write(1),
    ]
  ) assertThrows(use, TypeError, "was given back");
  one.release();
  two.release();
});

eachKind(
  "an empty pool lends in the order of asking",
  { only: ["best"] },
  async (
    uring,
  ) => {
    using pool = new BufferPool(uring, { count: 2, size: 64 });
    const first = await pool.lease();
    const second = await pool.lease();
    const order: string[] = [];
    const take = async (name: string) => {
      const lease = await pool.lease();
      order.push(name);
      return lease;
    };
    const [a, b, c] = [take("a"), take("b"), take("c")];
    assertEquals([pool.waiting, pool.available], [3, 0]);
    assertEquals(pool.tryLease(), null, "overtook those who wait");
    first.release();
    assertEquals(pool.tryLease(), null, "overtook those who wait");
    (await a).release();
    second.release();
    (await b).release();
    (await c).release();
    assertEquals(order, ["a", "b", "c"]);
    assertEquals([pool.waiting, pool.available], [0, 2]);
  },
);

eachKind("whoever waits may give up", { only: ["best"] }, async (uring) => {
  using pool = new BufferPool(uring, { count: 1, size: 64 });
  const lease = await pool.lease();
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = pool.lease({ signal });
  const patient = pool.lease();
  controller.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  await assertRejects(() => pool.lease({ signal }), Error, "enough");
  assertEquals(pool.waiting, 1);
  lease.release();
  const late = new Abort();
  using next = await patient;
  const got = pool.lease({ signal: late.signal });
  next.release();
  using last = await got;
  assertEquals(late.listeners, 0, "a listener left behind");
  late.abort();
  assertFalse(last.released, "a lease once given is no longer the signal's");
});

// --- ops that outlive their lease

/** A pool of one buffer, leased, and a read into it that waits for a pipe. */
async function readingLease(
  uring: Uring,
  pool: BufferPool,
  fds: Fds,
): Promise<{ lease: BufferLease; reading: Promise<number>; writer: number }> {
  const [reader, writer] = fds.pipe();
  const lease = await pool.lease();
  const reading = uring.submit(lease.read(reader, { length: 64 }));
  return { lease, reading, writer };
}

eachKind(
  "a buffer is not lent again before the last op on it is done",
  {},
  async (uring) => {
    using fds = new Fds();
    using pool = new BufferPool(uring, { count: 1, size: 4096 });
    const { lease, reading, writer } = await readingLease(uring, pool, fds);
    const { address } = lease;
    await turn();
    lease.release();
    assertEquals([pool.tryLease(), pool.available], [null, 0]);
    const next = pool.lease();
    await turn();
    assertEquals(await stateOf(next), "waiting");
    writeNow(writer, bytes("late"));
    assertEquals(await reading, 4);
    using got = await next;
    assertEquals(got.address, address);
    assertEquals(got.bytes.subarray(0, 4), bytes("late"));
  },
);

eachKind(
  "nor before it, if somebody waited when it was given back",
  {},
  async (uring) => {
    using fds = new Fds();
    using pool = new BufferPool(uring, { count: 1, size: 4096 });
    const { lease, reading, writer } = await readingLease(uring, pool, fds);
    const next = pool.lease();
    await turn();
    lease.release();
    await turn();
    assertEquals(await stateOf(next), "waiting");
    writeNow(writer, bytes("late"));
    assertEquals(await reading, 4);
    (await next).release();
  },
);

eachKind("a cancelled op keeps its buffer until it is over", {}, async (
  uring,
) => {
  using fds = new Fds();
  using pool = new BufferPool(uring, { count: 1, size: 4096 });
  const [reader] = fds.pipe();
  const lease = await pool.lease();
  const controller = new AbortController();
  const op = lease.read(reader);
  const reading = uring.submit(op, { signal: controller.signal });
  await turn();
  const next = pool.lease();
  lease.release();
  await turn();
  assertEquals(await stateOf(next), "waiting");
  controller.abort(new Error("no more"));
  await assertRejects(() => reading, Error, "no more");
  (await next).release();
});

eachKind("vectored ops and chains keep theirs too", {}, async (uring) => {
  using fds = new Fds();
  using pool = new BufferPool(uring, { count: 3, size: 4096 });
  const [reader, writer] = fds.pipe();
  const [silent] = fds.pipe();
  const one = await pool.lease();
  const half = await pool.lease();
  const two = await pool.lease();
  const vectored = uring.submit(
    readv(reader, [one.bytes.subarray(8, 16), half.bytes]),
  );
  const controller = new AbortController();
  const chain = uring.link([read(silent, two.bytes), nop()], {
    signal: controller.signal,
  });
  await turn();
  one.release();
  half.release();
  two.release();
  const waiting = [pool.lease(), pool.lease(), pool.lease()];
  await turn();
  assertEquals(pool.waiting, 3);
  writeNow(writer, bytes("12345678"));
  assertEquals(await vectored, 8);
  const [first, second, third] = waiting;
  const leases = [await first, await second];
  controller.abort(new Error("broken off"));
  await assertRejects(() => chain, Error, "broken off");
  for (const lease of [...leases, await third]) lease?.release();
  assertEquals(pool.available, 3);
});

eachKind("an op that waits for its turn keeps its buffer", {
  entries: 2,
  cqEntries: 4,
}, async (uring) => {
  using fds = new Fds();
  using pool = new BufferPool(uring, { count: 1, size: 4096 });
  const [silent, filler] = fds.pipe();
  const blocked = Array.from(
    { length: 4 },
    () => uring.submit(read(silent, new Uint8Array(1))),
  );
  const { lease, reading, writer } = await readingLease(uring, pool, fds);
  await until(() => uring.stats.inFlight === 4, "the others are in flight");
  assertEquals(uring.stats.queued, 1);
  lease.release();
  assertEquals(pool.tryLease(), null);
  const next = pool.lease();
  await turn();
  writeNow(filler, bytes("1234"));
  await Promise.all(blocked);
  await turn();
  assertEquals(await stateOf(next), "waiting", "the op has only begun");
  writeNow(writer, bytes("turn"));
  assertEquals(await reading, 4);
  using got = await next;
  assertEquals(got.bytes.subarray(0, 4), bytes("turn"));
});

eachKind("a buffer has one holder at a time", {}, async (uring) => {
  using pool = new BufferPool(uring, { count: 4, size: 4096 });
  const held = new Set<number>();
  const work = async (who: number) => {
    for (let round = 0; round < 20; round++) {
      using lease = await pool.lease();
      assertFalse(held.has(lease.address), "lent twice");
      held.add(lease.address);
      lease.bytes.fill(who);
      await (round % 5 === 0 ? uring.submit(timeout(1)) : uring.submit(nop()));
      assert(lease.bytes.every((byte) => byte === who), "somebody else wrote");
      held.delete(lease.address);
    }
  };
  await Promise.all(Array.from({ length: 40 }, (_, who) => work(who)));
  assertEquals([pool.available, pool.waiting], [4, 0]);
});

// --- transfers

eachKind("a buffer that was transferred away is replaced", {}, async (
  uring,
) => {
  using directory = new TemporaryDirectory();
  using file = await open(uring, directory.file("file", "content"));
  using pool = new BufferPool(uring, { count: 1, size: 4096 });
  const lease = await pool.lease();
  const { address } = lease;
  const away = structuredClone(lease.bytes.buffer, {
    transfer: [lease.bytes.buffer],
  });
  assertEquals(lease.bytes.length, 0);
  lease.release();
  using next = await pool.lease();
  assertNotEquals(next.address, address);
  assertEquals([next.bytes.length, next.index], [4096, 0]);
  new Uint8Array(away).fill(1);
  assertEquals(await uring.submit(next.read(file.fd, { offset: 0 })), 7);
  assertEquals(next.bytes.subarray(0, 7), bytes("content"));
  assertEquals(new Uint8Array(away)[0], 1);
});

eachKind("one that cannot be registered is lent all the same", {
  only: ["best"],
}, async (uring) => {
  using pool = new BufferPool(uring, { count: 1, size: 4096 });
  const lease = await pool.lease();
  lease.bytes.buffer.transfer();
  const { buffers } = uring.ring;
  using _update = stub(buffers, "update", () => {
    throw systemError(ENOMEM, "io_uring_register_buffers_update_tag");
  });
  lease.release();
  using next = await pool.lease();
  assertEquals([next.index, next.read(0).name], [-1, "read"]);
});

eachKind("a transfer in flight is told, and harms nobody", {}, async (
  uring,
) => {
  using fds = new Fds();
  using pool = new BufferPool(uring, { count: 1, size: 4096 });
  const { lease, reading, writer } = await readingLease(uring, pool, fds);
  await turn();
  const next = pool.lease();
  const away = lease.bytes.buffer.transfer();
  lease.release();
  await turn();
  assertEquals(await stateOf(next), "waiting");
  writeNow(writer, bytes("late"));
  await assertRejects(() => reading, TypeError, "transferred away");
  using got = await next;
  assertEquals(got.bytes[0], 0, "the kernel wrote to another's memory");
  assertEquals(new Uint8Array(away, 0, 4), bytes("late"));
});

// --- registration

eachKind("a ring registers one pool; others do without", {}, async (uring) => {
  using pool = new BufferPool(uring, { count: 1, size: 64 });
  using other = new BufferPool(uring, { count: 1, size: 64 });
  assert(pool.registered);
  assertFalse(other.registered);
  assertEquals(other.refusal?.code, "EBUSY");
  using lease = await other.lease();
  assertEquals([lease.index, lease.read(0).name], [-1, "read"]);
  pool.close();
  assertFalse(pool.registered);
  using third = new BufferPool(uring, { count: 1, size: 64 });
  assert(third.registered, "the table was not given back");
});

Deno.test({
  name: "over RLIMIT_MEMLOCK the buffers are not registered, and work",
  ignore: !canLimitLockedMemory,
  async fn() {
    const module = new URL("../../mod.ts", import.meta.url).href;
    const script = `
      import { BufferPool, ops, Uring } from ${JSON.stringify(module)};
      await using uring = new Uring();
      using pool = new BufferPool(uring, { count: 4, size: 1 << 20 });
      using lease = await pool.lease();
      const fd = await uring.submit(ops.openat("/proc/version", 0));
      const count = await uring.submit(lease.read(fd, { offset: 0 }));
      const text = new TextDecoder().decode(lease.bytes.subarray(0, 5));
      const { registered, refusal } = pool;
      // Within the limit, but not twice.
      using large = new BufferPool(uring, { count: 1, size: 3 << 19 });
      const gone = await large.lease();
      gone.bytes.buffer.transfer();
      gone.release();
      using replaced = await large.lease();
      const { index } = replaced;
      const { code, message } = refusal;
      console.log(JSON.stringify([registered, code, message, text, index]));
    `;
    const { success, stdout, stderr } = await runLocking(2048, script);
    assert(success, new TextDecoder().decode(stderr));
    const answer = JSON.parse(new TextDecoder().decode(stdout));
    assertEquals(answer[0], false);
    assertEquals(answer[1], "ENOMEM");
    assertStringIncludes(answer[2], "2048 KiB");
    assertEquals(answer[3], "Linux");
    // Older kernels let go of a buffer some time later.
    if (linux("6.13")) assertEquals(answer[4], 0);
  },
});

// --- the end

eachKind("a closed pool lends nothing, and frees what comes back", {}, async (
  uring,
) => {
  const pool = new BufferPool(uring, { count: 2, size: 4096 });
  const lease = await pool.lease();
  const other = await pool.lease();
  const { address } = lease;
  const waiting = pool.lease();
  pool.close();
  pool.close();
  await assertRejects(() => waiting, TypeError, "the pool is closed");
  await assertRejects(() => pool.lease(), TypeError, "the pool is closed");
  assertThrows(() => pool.tryLease(), TypeError, "the pool is closed");
  lease.bytes.fill(1); // still there
  assert(isMapped(address));
  lease.release();
  other.release();
  assertFalse(isMapped(address), "the memory was not given back");
  assertEquals([pool.available, uring.ring.buffers.length], [0, 0]);
});

eachKind("a pool closed under an op waits for it", {}, async (uring) => {
  using fds = new Fds();
  const pool = new BufferPool(uring, { count: 1, size: 4096 });
  const { lease, reading, writer } = await readingLease(uring, pool, fds);
  const { address } = lease;
  lease.release();
  pool.close();
  await turn();
  assert(isMapped(address));
  writeNow(writer, bytes("last"));
  assertEquals(await reading, 4);
  await turn();
  assertFalse(isMapped(address), "the memory was not given back");
});

eachKind("a pool outlives its Uring", { only: ["best"] }, async (uring) => {
  const pool = new BufferPool(uring, { count: 2, size: 4096 });
  const lease = await pool.lease();
  const other = await pool.lease();
  const { address } = lease;
  const reading = uring.submit(read(0, lease.bytes), { timeout: 60_000 });
  const settled = reading.then(() => "read", () => "failed");
  await uring.close();
  await settled;
  assert(isMapped(address));
  lease.release();
  other.bytes.buffer.transfer();
  other.release();
  assertEquals(pool.available, 2);
  pool.close();
  assertFalse(isMapped(address));
});

eachKind("wrong use is told", { only: ["best"] }, async (uring) => {
  const make = (options: unknown) => () =>
    new BufferPool(uring, options as BufferPoolOptions);
  assertThrows(
    () => new BufferPool({} as Uring, { count: 1, size: 1 }),
    TypeError,
    "uring must be a Uring",
  );
  assertThrows(make(null), TypeError, "options must be an object");
  assertThrows(
    make({ count: 1, size: 1, register: "no" }),
    TypeError,
    "register must be a boolean",
  );
  assertThrows(make({ count: "1", size: 1 }), TypeError, "count");
  assertThrows(make({ count: 0, size: 1 }), RangeError, "count");
  assertThrows(make({ count: 16385, size: 1 }), RangeError, "count");
  assertThrows(make({ count: 1, size: 0 }), RangeError, "size");
  assertThrows(make({ count: 1, size: 2 ** 30 + 1 }), RangeError, "size");
  assertThrows(make({ count: 1, size: 1.5 }), RangeError, "size");
  using pool = new BufferPool(uring, { count: 1, size: 8 });
  const lease = (options: unknown) => () => pool.lease(options as LeaseOptions);
  await assertRejects(lease(null), TypeError, "options must be an object");
  await assertRejects(lease({ signal: 5 }), TypeError, "an AbortSignal");
  assertEquals(pool.available, 1);
  await until(() => uring.stats.inFlight === 0, "nothing was submitted");
});

// Up to Linux 6.12 the kernel waits, within the call, for ops that use the other table.
eachKind("closing does not wait for ops on registered files", {
  when: opcodes.filesUpdate.supported() && linux("5.12"),
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const files = new FixedFiles(uring, { slots: 1 });
  const file = await files.add(reader);
  const buffer = new Uint8Array(4);
  const reading = uring.submit(read(file, buffer, { offset: -1 }));
  await turn();
  const pool = new BufferPool(uring, { count: 1, size: 4096 });
  assert(pool.registered);
  pool.close();
  assertEquals(await stateOf(reading), "waiting");
  writeNow(writer, bytes("here"));
  assertEquals(await reading, 4);
  // The table is free again once nobody uses a file.
  using again = new BufferPool(uring, { count: 1, size: 4096 });
  assertEquals([again.registered, again.refusal], [true, undefined]);
  await files.close();
});

eachKind("nor do files wait for ops on registered buffers", {
  when: opcodes.filesUpdate.supported() && linux("5.12"),
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const files = new FixedFiles(uring, { slots: 1 });
  using pool = new BufferPool(uring, { count: 1, size: 4096 });
  using lease = await pool.lease();
  const { index } = lease;
  const room = lease.bytes.subarray(0, 4);
  const reading = uring.submit(readFixed(reader, room, index, { offset: -1 }));
  await turn();
  const closed = files.close();
  await turn();
  writeNow(writer, bytes("here"));
  assertEquals(await reading, 4);
  await closed;
});
