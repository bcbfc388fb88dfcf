/** Registered buffers: `ring.buffers`. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { EFAULT } from "../../../ffi/linux.ts";
import {
  IORING_REGISTER_BUFFERS2,
  IORING_REGISTER_CLONE_BUFFERS,
  Memory,
} from "../../../ffi/mod.ts";
import { prepReadFixed } from "../../../ops/rw.ts";
import { Ring } from "../../../ring/mod.ts";
import {
  canLimitLockedMemory,
  lockingAtMost,
} from "../../support/locked_memory.ts";
import { failure } from "../../support/files.ts";
import { canReserve } from "../../support/memory.ts";
import { eachRing } from "../../support/rings.ts";
import { Fds, writeNow } from "../../support/sockets.ts";
import {
  child,
  hasRegister,
  linux,
  notNumbers,
  queue,
  runOne,
  take,
  takeNow,
  wrongly,
} from "./support.ts";

const tagged = hasRegister(IORING_REGISTER_BUFFERS2);
const sparse = linux("5.19");
const cloned = hasRegister(IORING_REGISTER_CLONE_BUFFERS);
const clonedInPart = linux("6.13");

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  mprotect: { parameters: ["usize", "usize", "i32"], result: "i32" },
});

/** Reads 8 bytes from a pipe into the beginning of a registered buffer. */
function readInto(ring: Ring, memory: Memory, index: number): number {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  writeNow(writer, new TextEncoder().encode("12345678"));
  return runOne(ring, (sqe) => {
    prepReadFixed(sqe, reader, memory.address, 8, 0, index);
  });
}

eachRing("buffers: an op finds its buffer by index", {}, (ring) => {
  const memories = [new Memory(4096), new Memory(8192)];
  ring.buffers.register(memories.map(({ bytes }) => bytes));
  assertEquals(ring.buffers.length, 2);
  for (const [index, memory] of memories.entries()) {
    assertEquals(readInto(ring, memory, index), 8);
    assertEquals(
      new TextDecoder().decode(memory.bytes.slice(0, 8)),
      "12345678",
    );
  }
  const [first] = memories as [Memory];
  assertEquals(readInto(ring, first, 1), -EFAULT, "not in that buffer");
  assertEquals(readInto(ring, first, 2), -EFAULT, "no such buffer");
  ring.buffers.unregister();
  assertEquals(ring.buffers.length, 0);
  assertEquals(readInto(ring, first, 0), -EFAULT, "unregistered");
});

eachRing("buffers: views of any kind, shared too", {}, (ring) => {
  const shared = new Uint8Array(new SharedArrayBuffer(4096));
  const data = new DataView(new ArrayBuffer(100), 10, 50);
  ring.buffers.register([shared, data, new Float64Array(8)]);
  assertEquals(ring.buffers.length, 3);
  ring.buffers.unregister();
});

eachRing("buffers: twice, or not at all", {}, (ring) => {
  const { bytes } = new Memory(4096);
  const none = failure("ENXIO", () => ring.buffers.unregister());
  assertEquals(none.op, "io_uring_unregister_buffers");
  assertStringIncludes(none.message, "No buffers are registered.");
  ring.buffers.register([bytes]);
  const twice = failure("EBUSY", () => ring.buffers.register([bytes]));
  assertEquals(twice.op, "io_uring_register_buffers");
  assertStringIncludes(twice.message, "call unregister() first");
  ring.buffers.unregister();
  failure("ENXIO", () => ring.buffers.unregister());
  ring.buffers.register([bytes, bytes]);
  assertEquals(ring.buffers.length, 2);
});

eachRing("buffers: a table of empty slots is filled and emptied", {
  when: sparse,
}, (ring) => {
  const memory = new Memory(4096);
  ring.buffers.registerSparse(4);
  assertEquals(ring.buffers.length, 4);
  assertEquals(readInto(ring, memory, 2), -EFAULT);
  ring.buffers.update(2, [memory.bytes, memory.bytes]);
  assertEquals(readInto(ring, memory, 2), 8);
  assertEquals(readInto(ring, memory, 3), 8);
  ring.buffers.update(2, [null]);
  assertEquals(readInto(ring, memory, 2), -EFAULT);
  assertEquals(readInto(ring, memory, 3), 8);
});

eachRing("buffers: slots may be left empty", { when: tagged }, (ring) => {
  const memory = new Memory(4096);
  ring.buffers.register([null, memory.bytes, null]);
  assertEquals(readInto(ring, memory, 0), -EFAULT);
  assertEquals(readInto(ring, memory, 1), 8);
  ring.buffers.update(0, [memory.bytes]);
  assertEquals(readInto(ring, memory, 0), 8);
});

eachRing("buffers: tags come back as completions", { when: tagged }, (ring) => {
  const { bytes } = new Memory(4096);
  const wide = 0xffff_ffff_ffff_fff0n;
  ring.buffers.register([bytes, null, bytes], { tags: [1, 0, wide] });
  assertEquals(takeNow(ring), []);
  ring.buffers.update(0, [bytes], { tags: [666] });
  assertEquals(take(ring, 1), [
    { userData: 1n, res: 0, flags: 0, bufferId: -1 },
  ]);
  ring.buffers.update(0, [bytes]);
  assertEquals(take(ring, 1)[0]?.userData, 666n);
  ring.buffers.update(0, [bytes], { tags: [7] });
  assertEquals(takeNow(ring), [], "what had no tag goes silently");
  ring.buffers.unregister();
  // Before 6.13 unregistering is silent.
  const left = linux("6.13")
    ? take(ring, 2).map(({ userData }) => userData)
    : takeNow(ring);
  assertEquals(left.sort(), linux("6.13") ? [7n, wide].sort() : []);
});

eachRing("buffers: a tag waits for the ops on its buffer", {
  when: tagged,
  // The thread of an SQPOLL ring may not have taken the op when the buffer is replaced.
  only: ["liburing", "syscall", "deferred"],
}, (ring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const [old, fresh] = [new Memory(4096), new Memory(4096)];
  ring.buffers.register([old.bytes], { tags: [5] });
  queue(ring, (sqe) => {
    prepReadFixed(sqe, reader, old.address, 4, 0, 0);
    sqe.tag = 100;
  });
  ring.submit();
  ring.buffers.update(0, [fresh.bytes]);
  assertEquals(takeNow(ring), []);
  writeNow(writer, new TextEncoder().encode("late"));
  const tags = take(ring, 2).map(({ userData }) => userData);
  assertEquals(tags, [100n, 5n]);
  assertEquals(new TextDecoder().decode(old.bytes.slice(0, 4)), "late");
});

eachRing("buffers: a refused view is told, and how many came before", {
  when: tagged,
}, (ring) => {
  const [good, bad] = [new Memory(4096), new Memory(4096)];
  const protect = (access: number) =>
    assertEquals(libc.mprotect(BigInt(bad.address), 4096n, access), 0);
  ring.buffers.register([good.bytes, null, null]);
  protect(1);
  try {
    const first = failure(
      "EFAULT",
      () => ring.buffers.update(1, [bad.bytes, good.bytes]),
    );
    assertStringIncludes(first.message, "memory that can be pinned");
    const second = failure(
      "EFAULT",
      () => ring.buffers.update(1, [good.bytes, bad.bytes]),
    );
    assertEquals(second.op, "io_uring_register_buffers_update_tag");
    assertStringIncludes(second.message, "1 of 2 slots were replaced.");
  } finally {
    protect(3);
  }
  assertEquals(readInto(ring, good, 1), 8);
  assertEquals(readInto(ring, good, 2), -EFAULT);
});

eachRing("buffers: update looks where there are slots", {
  when: tagged,
}, (ring) => {
  const { bytes } = new Memory(4096);
  failure("ENXIO", () => ring.buffers.update(0, [bytes]));
  ring.buffers.register([bytes, bytes]);
  for (
    const [index, count] of [[2, 1], [1, 2], [0, 3], [0x7fff_ffff, 1]] as const
  ) {
    const views = new Array<Uint8Array>(count).fill(bytes);
    assertThrows(() => ring.buffers.update(index, views), RangeError, "table");
  }
  for (const index of [-1, 1.5, NaN, 2 ** 31, Infinity]) {
    assertThrows(() => ring.buffers.update(index, [bytes]), RangeError);
  }
  for (const index of notNumbers) {
    assertThrows(
      () => ring.buffers.update(wrongly(index), [bytes]),
      index === 1n ? RangeError : TypeError,
    );
  }
});

Deno.test("buffers: what is no buffer is refused before the kernel sees it", () => {
  using ring = new Ring(4);
  const { buffers } = ring;
  const { bytes } = new Memory(4096);
  const detached = new Uint8Array(8);
  detached.buffer.transfer();
  const resizable = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }));
  for (
    const views of [
      undefined,
      null,
      "x",
      5,
      bytes,
      { length: 1 },
      [undefined],
      [5],
      [new ArrayBuffer(8)],
      [detached],
      [resizable],
      [bytes, "x"],
    ]
  ) {
    assertThrows(() => buffers.register(wrongly(views)), TypeError, "views");
  }
  for (
    const views of [[], [new Uint8Array(0)], new Array(16385).fill(bytes)]
  ) {
    assertThrows(() => buffers.register(views), RangeError, "views");
  }
  const error = assertThrows(() =>
    buffers.register([bytes, new Uint8Array(0)])
  );
  assert(error instanceof RangeError);
  assertEquals(
    error.message,
    "ring.buffers.register: views[1] must have 1 byte to 1 GiB; got 0 bytes. " +
      "null leaves a slot empty.",
  );
  for (const tags of ["x", 5, { length: 1 }, ["1"], [null]]) {
    assertThrows(
      () => buffers.register([bytes], { tags: wrongly(tags) }),
      TypeError,
      "tags",
    );
  }
  for (const tags of [[], [1, 2], [1.5], [1n << 64n]]) {
    assertThrows(() => buffers.register([bytes], { tags }), RangeError, "tags");
  }
  assertThrows(
    () => buffers.register([null], { tags: [1] }),
    RangeError,
    "slot 0 stays empty",
  );
  for (const count of [0, -1, 1.5, 16385, NaN]) {
    assertThrows(() => buffers.registerSparse(count), RangeError, "count");
  }
  assertThrows(() => buffers.registerSparse(wrongly("1")), TypeError, "count");
  assertEquals(buffers.length, 0);
});

Deno.test({
  name: "buffers: of more than 1 GiB are refused before the kernel sees them",
  ignore: !canReserve(2 ** 30 + 1),
  fn() {
    using memory = new Memory(2 ** 30 + 1); // Untouched, it takes none.
    using ring = new Ring(4);
    assertThrows(
      () => ring.buffers.register([memory.bytes]),
      RangeError,
      "views[0] must have 1 byte to 1 GiB",
    );
  },
});

Deno.test("buffers: a closed ring has none", () => {
  const ring = new Ring(4);
  const { bytes } = new Memory(4096);
  ring.buffers.register([bytes]);
  ring.close();
  using other = new Ring(4);
  for (
    const call of [
      () => ring.buffers.register([bytes]),
      () => ring.buffers.registerSparse(2),
      () => ring.buffers.update(0, [bytes]),
      () => ring.buffers.cloneFrom(other),
      () => ring.buffers.unregister(),
    ]
  ) assertThrows(call, TypeError, "closed");
});

eachRing(
  "buffers: another ring's are shared",
  { when: cloned },
  (ring, kind) => {
    using source = kind.make();
    failure("ENXIO", () => ring.buffers.cloneFrom(source));
    const memories = [new Memory(4096), new Memory(4096)];
    source.buffers.register(memories.map(({ bytes }) => bytes));
    ring.buffers.cloneFrom(source);
    assertEquals(ring.buffers.length, 2);
    const twice = failure("EBUSY", () => ring.buffers.cloneFrom(source));
    assertEquals(twice.op, "io_uring_clone_buffers");
    assertStringIncludes(twice.message, "replace: true");
    source.buffers.unregister();
    for (const [index, memory] of memories.entries()) {
      assertEquals(readInto(ring, memory, index), 8);
    }
  },
);

eachRing("buffers: a part of another ring's is shared", {
  when: clonedInPart,
}, (ring, kind) => {
  using source = kind.make();
  const memories = Array.from({ length: 4 }, () => new Memory(4096));
  const [zero, one, two, three] = memories as [Memory, Memory, Memory, Memory];
  source.buffers.register(memories.map(({ bytes }) => bytes));
  ring.buffers.cloneFrom(source, { sourceOffset: 2, offset: 1 });
  assertEquals(ring.buffers.length, 3);
  assertEquals(readInto(ring, two, 1), 8);
  assertEquals(readInto(ring, three, 2), 8);
  assertEquals(readInto(ring, zero, 0), -EFAULT, "grown over, not filled");
  failure("EBUSY", () => ring.buffers.cloneFrom(source, { count: 1 }));
  ring.buffers.cloneFrom(source, { count: 2, replace: true });
  assertEquals(ring.buffers.length, 3);
  assertEquals(readInto(ring, zero, 0), 8);
  assertEquals(readInto(ring, one, 1), 8);
  assertEquals(readInto(ring, three, 2), 8);
  ring.buffers.cloneFrom(source, { offset: 2, replace: true });
  assertEquals(ring.buffers.length, 6);
  assertEquals(readInto(ring, three, 5), 8);
  ring.buffers.update(5, [zero.bytes]);
  assertEquals(readInto(ring, zero, 5), 8);
  ring.buffers.unregister();

  const clone = (options: Parameters<typeof ring.buffers.cloneFrom>[1]) => () =>
    ring.buffers.cloneFrom(source, options);
  failure("EINVAL", clone({ count: 5 }));
  failure("EOVERFLOW", clone({ sourceOffset: 2, count: 4 }));
  failure("EOVERFLOW", clone({ offset: 0xffff_ffff, count: 4 }));
  assertEquals(ring.buffers.length, 0);
  assertThrows(clone({ count: -1 }), RangeError, "count");
  assertThrows(clone({ sourceOffset: 2 ** 32 }), RangeError, "sourceOffset");
  assertThrows(clone({ offset: wrongly("1") }), TypeError, "offset");
});

Deno.test("buffers: what is cloned must be a ring's", () => {
  using ring = new Ring(4);
  for (const source of [undefined, null, 3, {}, { fd: 3, buffers: [] }]) {
    assertThrows(
      () => ring.buffers.cloneFrom(wrongly(source)),
      TypeError,
      "source must be a Ring",
    );
  }
});

Deno.test("buffers: are held while they are registered, and not longer", async () => {
  const output = await child(
    `
    using ring = new r.Ring(4);
    const gone = (() => {
      const bytes = new Uint8Array(4096);
      ring.buffers.register([bytes]);
      return new WeakRef(bytes);
    })();
    // A WeakRef holds its target until the end of the turn in which it was made.
    const collect = async () => {
      for (let i = 0; i < 3; i++) { await new Promise((done) => setTimeout(done)); gc(); }
      return gone.deref() === undefined;
    };
    const while_ = await collect();
    ring.buffers.unregister();
    console.log(while_, await collect());
    `,
    { flags: ["--v8-flags=--expose-gc"] },
  );
  assertEquals(output, "false true");
});

Deno.test({
  name: "buffers: over RLIMIT_MEMLOCK the error has the limit's value",
  ignore: !canLimitLockedMemory,
  async fn() {
    const output = await child(
      `
      const ring = new r.Ring({ entries: 1 });
      const memory = new f.Memory(1 << 20);
      try {
        ring.buffers.register([memory.bytes]);
        console.log("registered");
      } catch (error) {
        console.log(error.code, error.message);
      }
      `,
      { shell: lockingAtMost(64) },
    );
    assertStringIncludes(output, "ENOMEM io_uring_register_buffers:");
    assertStringIncludes(output, "RLIMIT_MEMLOCK is 64 KiB");
    assertStringIncludes(output, "ulimit -l");
  },
});
