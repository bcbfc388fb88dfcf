/** The registered ring descriptor, and how a ring enters the kernel. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  IORING_ENTER_NO_IOWAIT,
  IORING_ENTER_REGISTERED_RING,
  IORING_FEAT_NO_IOWAIT,
  IORING_FEAT_REG_REG_RING,
  IORING_REGISTER_RING_FDS,
  IORING_REGISTER_USE_REGISTERED_RING,
  type Kernel,
  Memory,
  openKernel,
} from "../../../ffi/mod.ts";
import { prepNop } from "../../../ops/nop.ts";
import { Ring, type RingOptions } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { hasRegister, runOne } from "./support.ts";

const when = hasRegister(IORING_REGISTER_RING_FDS);
const iowait = (() => {
  using ring = new Ring(1);
  return (ring.features & IORING_FEAT_NO_IOWAIT) !== 0;
})();

/** A kernel that notes with which descriptors and flags it is called. */
function watched(): {
  kernel: Kernel;
  entered: { fd: number; flags: number }[];
  registered: { fd: number; opcode: number }[];
} {
  const real = openKernel("syscall");
  const entered: { fd: number; flags: number }[] = [];
  const registered: { fd: number; opcode: number }[] = [];
  const kernel: Kernel = {
    backend: real.backend,
    version: real.version,
    setup: (request) => real.setup(request),
    enter(fd, toSubmit, minComplete, flags) {
      entered.push({ fd, flags });
      return real.enter(fd, toSubmit, minComplete, flags);
    },
    enter2(fd, toSubmit, minComplete, flags, argument, size) {
      entered.push({ fd, flags });
      return real.enter2(fd, toSubmit, minComplete, flags, argument, size);
    },
    register(fd, opcode, argument, count) {
      registered.push({ fd, opcode });
      return real.register(fd, opcode, argument, count);
    },
    resize: (mapping, request) => real.resize(mapping, request),
    close: (mapping) => real.close(mapping),
  };
  return { kernel, entered, registered };
}

eachRing("ring fd: everything works on a registered descriptor", { when }, (
  ring,
) => {
  const { bytes } = new Memory(4096);
  ring.registerRingFd();
  assertEquals(runOne(ring, prepNop), 0);
  ring.buffers.register([bytes]);
  assertEquals(ring.wait(1, { timeout: 1 }), 0);
  ring.buffers.unregister();
  const twice = failure("EEXIST", () => ring.registerRingFd());
  assertEquals(twice.op, "io_uring_register_ring_fd");
  assertStringIncludes(twice.message, "registered already");
  ring.unregisterRingFd();
  assertEquals(runOne(ring, prepNop), 0);
  ring.buffers.register([bytes]);
  const none = failure("EINVAL", () => ring.unregisterRingFd());
  assertEquals(none.op, "io_uring_unregister_ring_fd");
  assertStringIncludes(none.message, "not registered");
  ring.registerRingFd();
  assertEquals(runOne(ring, prepNop), 0);
});

Deno.test({
  name: "ring fd: calls use the index, with the flags that say so",
  ignore: !when,
  fn() {
    const { kernel, entered, registered } = watched();
    using ring = new Ring({ entries: 4, backend: kernel });
    const last = <T>(list: T[]) => list.at(-1) as T;
    const wholly = (ring.features & IORING_FEAT_REG_REG_RING) !== 0;
    runOne(ring, prepNop);
    assertEquals(last(entered).fd, ring.fd);
    assertEquals(last(entered).flags & IORING_ENTER_REGISTERED_RING, 0);
    ring.registerRingFd();
    runOne(ring, prepNop);
    const { fd, flags } = last(entered);
    assertEquals(fd < 16 && fd !== ring.fd, true);
    assertEquals((flags & IORING_ENTER_REGISTERED_RING) !== 0, true);
    ring.wait(1, { timeout: 1 });
    assertEquals(last(entered).fd, fd);
    ring.files.register([0]);
    const { opcode } = last(registered);
    const flag = Math.floor(opcode / IORING_REGISTER_USE_REGISTERED_RING);
    assertEquals([last(registered).fd, flag], wholly ? [fd, 1] : [ring.fd, 0]);
    ring.unregisterRingFd();
    runOne(ring, prepNop);
    assertEquals(last(entered).fd, ring.fd);
    assertEquals(last(entered).flags & IORING_ENTER_REGISTERED_RING, 0);
  },
});

Deno.test({
  name: "ring fd: closing gives the place back",
  ignore: !when,
  fn() {
    // A thread has 16 places.
    for (let round = 0; round < 40; round++) {
      using ring = new Ring(2);
      ring.registerRingFd();
      assertEquals(runOne(ring, prepNop), 0);
    }
  },
});

Deno.test({
  name: "ring fd: a busy ring takes a place by itself",
  ignore: !when,
  fn() {
    const onIndex = (options: RingOptions, before?: (ring: Ring) => void) => {
      const { kernel, entered } = watched();
      using ring = new Ring({ ...options, entries: 4, backend: kernel });
      before?.(ring);
      for (let op = 0; op < 200; op++) assertEquals(runOne(ring, prepNop), 0);
      const { flags } = entered.at(-1) ?? { flags: 0 };
      return (flags & IORING_ENTER_REGISTERED_RING) !== 0;
    };
    assertEquals(onIndex({}), true);
    assertEquals(onIndex({ registerRingFd: true }), true);
    assertEquals(onIndex({ registerRingFd: false }), false);
    const putBack = (ring: Ring) => {
      ring.registerRingFd();
      ring.unregisterRingFd();
    };
    assertEquals(onIndex({}, putBack), false);
    // Every other call is a wait of limited time, the one that tells that the ring is busy too.
    const waits = (ring: Ring) => {
      for (let round = 0; round < 100; round++) {
        runOne(ring, prepNop);
        ring.wait(1, { timeout: 0 });
      }
    };
    assertEquals(onIndex({}, waits), true);
  },
});

Deno.test({
  name: "ring fd: the place of a busy ring is its user's when asked for",
  ignore: !when,
  fn() {
    using ring = new Ring(2);
    for (let op = 0; op < 200; op++) assertEquals(runOne(ring, prepNop), 0);
    failure("EINVAL", () => ring.unregisterRingFd());
    ring.registerRingFd();
    failure("EEXIST", () => ring.registerRingFd());
    ring.unregisterRingFd();
    failure("EINVAL", () => ring.unregisterRingFd());
    assertEquals(runOne(ring, prepNop), 0);
  },
});

Deno.test({
  name: "ring fd: busy rings beyond the 16 places go on without",
  ignore: !when,
  fn() {
    const rings = Array.from({ length: 20 }, () => new Ring(1));
    try {
      for (const ring of rings) {
        for (let op = 0; op < 100; op++) assertEquals(runOne(ring, prepNop), 0);
      }
    } finally {
      for (const ring of rings) ring.close();
    }
  },
});

Deno.test({
  name: "ring fd: there are 16 places",
  ignore: !when,
  fn() {
    const rings = Array.from({ length: 17 }, () => new Ring(1));
    try {
      const seventeenth = rings.pop();
      for (const ring of rings) ring.registerRingFd();
      const error = failure("EBUSY", () => seventeenth?.registerRingFd());
      assertStringIncludes(error.message, "16 places");
      assertEquals(runOne(seventeenth as Ring, prepNop), 0);
      rings[0]?.unregisterRingFd();
      seventeenth?.registerRingFd();
      seventeenth?.close();
    } finally {
      for (const ring of rings) ring.close();
    }
  },
});

Deno.test({
  name: "ring fd: a forgotten ring gives its descriptor and its place back",
  ignore: !when,
  async fn() {
    const { child } = await import("./support.ts");
    const output = await child(
      `
      const files = () => [...Deno.readDirSync("/proc/self/fd")].length;
      const before = files();
      const forget = () => {
        const ring = new r.Ring(1);
        ring.registerRingFd();
        ring.buffers.register([new Uint8Array(4096)]);
        ring.setupBufRing({ entries: 2, group: 1, bufferSize: 64 });
      };
      for (let round = 0; round < 12; round++) forget();
      for (let turn = 0; turn < 20 && files() > before; turn++) {
        gc();
        await new Promise((done) => setTimeout(done, 5));
      }
      for (let round = 0; round < 12; round++) forget();
      console.log(files() - before);
      `,
      { flags: ["--v8-flags=--expose-gc"] },
    );
    assertEquals(output, "12");
  },
});

Deno.test("ring fd: a closed ring has none", () => {
  const ring = new Ring(2);
  ring.close();
  for (
    const call of [
      () => ring.registerRingFd(),
      () => ring.unregisterRingFd(),
      () => ring.setIowait(true),
    ]
  ) assertThrows(call, TypeError, "closed");
});

Deno.test({
  name: "iowait: is a flag of every call",
  ignore: !iowait,
  fn() {
    const { kernel, entered } = watched();
    using ring = new Ring({ entries: 4, backend: kernel });
    const flag = () => (entered.at(-1)?.flags ?? 0) & IORING_ENTER_NO_IOWAIT;
    runOne(ring, prepNop);
    assertEquals(flag(), 0);
    ring.setIowait(false);
    runOne(ring, prepNop);
    assertEquals(flag(), IORING_ENTER_NO_IOWAIT);
    ring.wait(1, { timeout: 1 });
    assertEquals(flag(), IORING_ENTER_NO_IOWAIT);
    ring.setIowait(true);
    runOne(ring, prepNop);
    assertEquals(flag(), 0);
    // The flag of a registered descriptor stays.
    ring.registerRingFd();
    ring.setIowait(false);
    ring.setIowait(true);
    assertEquals(runOne(ring, prepNop), 0);
  },
});

Deno.test({
  name: "iowait: is named where the kernel lacks it",
  ignore: iowait,
  fn() {
    using ring = new Ring(2);
    const error = assertThrows(() => ring.setIowait(false));
    assertStringIncludes(String(error), "needs Linux 6.15 or later");
  },
});
