/** Layer 1 on the real kernel: every kind of ring, its queues, its limits, its end. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertThrows,
} from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import { openKernel } from "../../ffi/backend.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { io_uring_params } from "../../ffi/layout.ts";
import { libc } from "../../ffi/libc.ts";
import {
  __NR_io_uring_setup,
  EAGAIN,
  EBUSY,
  EINTR,
  EINVAL,
} from "../../ffi/linux.ts";
import { openRing } from "../../ffi/map_ring.ts";
import { addressOf, type SystemError } from "../../ffi/mod.ts";
import { release } from "../../ops/op.ts";
import { prepNop, prepTimeout, read } from "../../ops/mod.ts";
import { type Cqe, Ring, type RingOptions, type Sqe } from "../../ring/mod.ts";
import { eachRing } from "../support/rings.ts";
import { Fds, writeNow } from "../support/sockets.ts";

function entry(ring: Ring): Sqe {
  const sqe = ring.sqe();
  if (sqe === null) throw new Error("the submission queue is full");
  return sqe;
}

/** The kernel's thread gives entries back some time after their completions. */
function awaitSpace(ring: Ring, count: number): void {
  const end = performance.now() + 10_000;
  while (ring.sq.space < count && performance.now() < end);
}

function nops(ring: Ring, count: number): void {
  if (ring.flags & abi.IORING_SETUP_SQPOLL) awaitSpace(ring, count);
  for (let tag = 0; tag < count; tag++) {
    const sqe = entry(ring);
    prepNop(sqe);
    sqe.tag = tag;
  }
}

function reap(ring: Ring): number[] {
  const tags: number[] = [];
  ring.forEachCqe((cqe) => tags.push(cqe.tag));
  return tags;
}

function supported(options: RingOptions): boolean {
  try {
    new Ring(options).close();
    return true;
  } catch (error) {
    if ((error as SystemError).code === "EINVAL") return false;
    throw error;
  }
}

/** A kernel that cannot leave out the array of indices, as those before Linux 6.6. */
function withArray(): Kernel {
  const real = openKernel("syscall");
  const { io_uring_setup } = libc();
  const setup = (entries: number, params: DataView<ArrayBuffer>) => {
    const flags = params.getUint32(io_uring_params.flags, true);
    if (flags & abi.IORING_SETUP_NO_SQARRAY) return -EINVAL;
    return io_uring_setup(__NR_io_uring_setup, entries, params);
  };
  return {
    backend: real.backend,
    version: real.version,
    setup: (request) => openRing(setup, request),
    enter: (...given) => real.enter(...given),
    enter2: (...given) => real.enter2(...given),
    register: (...given) => real.register(...given),
    resize: (...given) => real.resize(...given),
    close: (mapping) => real.close(mapping),
  };
}

const { IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN } = abi;
const shapes: Record<string, RingOptions> = {
  "SQE128": { flags: abi.IORING_SETUP_SQE128 },
  "CQE32": { flags: abi.IORING_SETUP_CQE32 },
  "SQE128 and CQE32": {
    flags: abi.IORING_SETUP_SQE128 | abi.IORING_SETUP_CQE32,
  },
  "CQE_MIXED": { flags: abi.IORING_SETUP_CQE_MIXED },
  "SQE_MIXED": { flags: abi.IORING_SETUP_SQE_MIXED },
  "an SQ array": { backend: withArray() },
  "no SQ array": { flags: abi.IORING_SETUP_NO_SQARRAY },
  "SQ_REWIND": { flags: abi.IORING_SETUP_SQ_REWIND },
  "CQSIZE": { cqEntries: 64 },
  "SUBMIT_ALL": { flags: abi.IORING_SETUP_SUBMIT_ALL },
  "COOP_TASKRUN": {
    flags: abi.IORING_SETUP_COOP_TASKRUN | abi.IORING_SETUP_TASKRUN_FLAG,
  },
  "SINGLE_ISSUER": { flags: IORING_SETUP_SINGLE_ISSUER },
  "DEFER_TASKRUN": {
    flags: IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
  },
  "SQPOLL": { flags: abi.IORING_SETUP_SQPOLL },
};

for (const [name, options] of Object.entries(shapes)) {
  Deno.test({
    name: `a ring with ${name} takes entries round after round`,
    ignore: !supported({ entries: 8, ...options }),
    fn() {
      using ring = new Ring({ entries: 8, ...options });
      for (let round = 0; round < 50; round++) {
        const count = round % 8 + 1;
        nops(ring, count);
        assertEquals(ring.submitAndWait(count), count);
        assertEquals(
          reap(ring),
          Array.from({ length: count }, (_, tag) => tag),
        );
      }
    },
  });
}

Deno.test("a ring has an array of indices only where the kernel insists", () => {
  const bare = (options: RingOptions) => {
    using ring = new Ring(options);
    return (ring.flags & abi.IORING_SETUP_NO_SQARRAY) !== 0;
  };
  const can = supported({ flags: abi.IORING_SETUP_NO_SQARRAY });
  assertEquals(bare({ backend: "syscall" }), can);
  assertEquals(bare({}), can);
  assertEquals(bare({ backend: withArray() }), false);
  const flags = abi.IORING_SETUP_NO_SQARRAY;
  const error = assertThrows(() => bare({ backend: withArray(), flags }));
  assertEquals((error as SystemError).code, "EINVAL");
});

Deno.test("sizes: rounded up, doubled, chosen, clamped", () => {
  const sizes = (options: RingOptions) => {
    using ring = new Ring(options);
    return [ring.sq.entries, ring.cq.entries];
  };
  assertEquals(sizes({ entries: 5 }), [8, 16]);
  assertEquals(sizes({ entries: 8, cqEntries: 100 }), [8, 128]);
  const flags = abi.IORING_SETUP_CLAMP;
  assertEquals(sizes({ entries: 1 << 20, flags }), [32768, 65536]);
});

eachRing("the queue fills up, and goes on after submit", {
  options: { entries: 4 },
}, (ring) => {
  nops(ring, 4);
  assertEquals(ring.sqe(), null);
  assertEquals(ring.submitAndWait(4), 4);
  assertEquals(reap(ring), [0, 1, 2, 3]);
  nops(ring, 4);
  assertEquals(ring.submitAndWait(4), 4);
  assertEquals(reap(ring), [0, 1, 2, 3]);
});

eachRing("waits from within a visit sleep, and what comes finds room", {
  options: { entries: 2, cqEntries: 2 },
}, (ring) => {
  const hundredth = new BigInt64Array([0n, 10_000_000n]);
  nops(ring, 2);
  ring.submitAndWait(2);
  const tags: number[] = [];
  ring.forEachCqe((cqe) => {
    if (tags.push(cqe.tag) !== 2) return;
    if (ring.flags & abi.IORING_SETUP_SQPOLL) awaitSpace(ring, 1);
    const sqe = entry(ring);
    prepTimeout(sqe, addressOf(hundredth), 0, 0);
    sqe.tag = 7;
    const before = ring.enters;
    ring.submitAndWait(1);
    // A signal, or a thread of the kernel's, may end a wait or two.
    assertLess(ring.enters - before, 20);
    assertEquals([cqe.tag, ring.cq.ready], [1, 1]);
    assertEquals(ring.wait(1, { timeout: 1000 }), 1);
    assertThrows(() => ring.wait(2), RangeError, "from within a visit");
    assertThrows(
      () => ring.wait(2, { timeout: 1 }),
      RangeError,
      "from within a visit",
    );
  });
  assertEquals([...tags, ...reap(ring)], [0, 1, 7]);
  nops(ring, 1);
  ring.submitAndWait(1);
  ring.forEachCqe(() => {
    const before = ring.enters;
    assertEquals(ring.wait(1, { timeout: 20 }), 0);
    assertLess(ring.enters - before, 20);
  });
  assertEquals(reap(ring), []);
});

Deno.test({
  name: "a wait from within a visit of a completion over two slots",
  ignore: !supported({ flags: abi.IORING_SETUP_CQE_MIXED }),
  fn() {
    const flags = abi.IORING_SETUP_CQE_MIXED;
    using ring = new Ring({ entries: 4, cqEntries: 4, flags });
    const wide = entry(ring);
    prepNop(wide);
    wide.opFlags = abi.IORING_NOP_CQE32;
    wide.tag = 1;
    nops(ring, 1);
    ring.submitAndWait(3);
    const seen: unknown[] = [];
    ring.forEachCqe(({ tag, byteLength }) => {
      seen.push([tag, byteLength]);
      const before = ring.enters;
      ring.wait(2, { timeout: 10 });
      assertLess(ring.enters - before, 20);
    });
    assertEquals(seen, [[1, 32], [0, 16]]);
    nops(ring, 3);
    ring.submitAndWait(3);
    assertEquals(reap(ring), [0, 1, 2]);
  },
});

Deno.test({
  name: "a mixed ring has room for an entry over two slots",
  ignore: !supported({ flags: abi.IORING_SETUP_CQE_MIXED }),
  fn() {
    const flags = abi.IORING_SETUP_CQE_MIXED;
    const options = { entries: 1, cqEntries: 1, flags };
    assertThrows(() => new Ring(options), Error, "at least 2");
  },
});

eachRing("an entry is zero when it is handed out, whatever was in it", {
  options: { entries: 2 },
}, (ring) => {
  for (let round = 0; round < 6; round++) {
    const sqe = entry(ring);
    const bytes = new Uint8Array(sqe.words.buffer, sqe.base * 4, 64);
    assert(bytes.every((byte) => byte === 0), `round ${round}`);
    bytes.fill(0xff, 32, 48); // user_data and what a nop ignores
    bytes.fill(0, 40, 48);
    ring.submitAndWait(1);
    ring.forEachCqe((cqe) =>
      assertEquals(cqe.userData, 0xffff_ffff_ffff_ffffn)
    );
  }
});

eachRing("completions that overflow are not lost", {
  options: { entries: 8, cqEntries: 8 },
}, (ring) => {
  const total = 200;
  for (let sent = 0; sent < total; sent += 4) {
    for (let i = 0; i < 4; i++) {
      const sqe = entry(ring);
      prepNop(sqe);
      sqe.tag = sent + i;
    }
    // The thread of a polled ring takes its time; the queue must be empty to go on.
    while (ring.sq.ready > 0) ring.submit();
  }
  const tags = new Set<number>();
  // One round takes what is in the queue, and what was held back.
  while (ring.cq.ready < 8 || ring.sq.ready > 0);
  const first = ring.forEachCqe((cqe) => tags.add(cqe.tag));
  assertGreater(first, 8);
  while (tags.size < total) {
    ring.wait(1);
    ring.forEachCqe((cqe) => tags.add(cqe.tag));
  }
  assertEquals(tags.size, total);
});

eachRing(
  "wait: the time runs out with none, and with fewer than asked for",
  {},
  (ring) => {
    assertEquals(ring.wait(1, { timeout: 5 }), 0);
    nops(ring, 1);
    ring.submitAndWait(1);
    assertEquals(ring.wait(2, { timeout: 5 }), 1);
    assertEquals(ring.wait(1), 1);
    assertEquals(ring.wait(0, { timeout: 0 }), 1);
    assertEquals(reap(ring), [0]);
  },
);

eachRing(
  "a visit that throws takes its completion and leaves the others",
  {},
  (ring) => {
    nops(ring, 3);
    ring.submitAndWait(3);
    assertThrows(
      () =>
        ring.forEachCqe((cqe) => {
          if (cqe.tag === 1) throw new Error("enough");
        }),
      Error,
      "enough",
    );
    assertEquals(reap(ring), [2]);
  },
);

eachRing("submitAndWait waits no longer than it is told", {}, (ring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const reading = read(reader, new Uint8Array(1));
  const sqe = entry(ring);
  const held = reading.encode(sqe);
  sqe.tag = 1;
  nops(ring, 1);
  const before = ring.enters;
  assertEquals(ring.submitAndWait(2, { timeout: 20 }), 2);
  const polled = (ring.flags & abi.IORING_SETUP_SQPOLL) !== 0;
  const extended = (ring.features & abi.IORING_FEAT_EXT_ARG) !== 0;
  if (extended && !polled) assertEquals(ring.enters - before, 1);
  assertEquals(reap(ring), [0]);
  // With nothing to submit it waits all the same.
  assertEquals(ring.submitAndWait(1, { timeout: 1 }), 0);
  writeNow(writer, new Uint8Array(1));
  nops(ring, 1);
  assertEquals(ring.submitAndWait(2, { timeout: 60_000 }), 1);
  assertEquals(reap(ring).sort(), [0, 1]);
  release(held);
  nops(ring, 2);
  assertEquals(ring.submitAndWait(2, {}), 2);
  assertEquals(reap(ring), [0, 1]);
  if ((ring.features & abi.IORING_FEAT_MIN_TIMEOUT) === 0) return;
  nops(ring, 1);
  assertEquals(ring.submitAndWait(2, { minWait: 1 }), 1);
  assertEquals(reap(ring), [0]);
});

eachRing("a visit must not start another round", {}, (ring) => {
  nops(ring, 1);
  ring.submitAndWait(1);
  assertThrows(
    () => ring.forEachCqe(() => ring.forEachCqe(() => {})),
    Error,
    "from within a visit",
  );
});

eachRing("within a visit the ring tells what is left", {}, (ring) => {
  // The whole queue, where the first entry and the one behind the last are the same.
  const count = Math.min(ring.sq.entries, ring.cq.entries);
  for (let round = 0; round < 3; round++) {
    nops(ring, count);
    ring.submitAndWait(count);
    const left: number[] = [];
    ring.forEachCqe(() => left.push(ring.cq.ready));
    assertEquals(left, Array.from({ length: count }, (_, i) => count - 1 - i));
  }
  nops(ring, 2);
  ring.submitAndWait(2);
  const ready: number[] = [];
  ring.forEachCqe(() => {
    if (ready.length === 0) nops(ring, 1);
    // Asks for one more than there are: it must not take the one in hand for it.
    ring.submitAndWait(ready.length === 0 ? 2 : 1);
    ready.push(ring.cq.ready);
  });
  assertEquals(ready, [2, 1]);
  assertEquals(ring.forEachCqe(() => {}), 1);
});

eachRing("closing: twice, within a visit, with ops in flight", {}, (ring) => {
  nops(ring, 2);
  const timeout = entry(ring);
  const spec = new BigInt64Array([3600n, 0n]);
  prepTimeout(timeout, addressOf(spec), 0, 0);
  ring.submitAndWait(2);
  const seen: number[] = [];
  ring.forEachCqe((cqe: Cqe) => {
    seen.push(cqe.tag);
    ring.close();
  });
  assertEquals(seen, [0, 1]);
  assert(ring.closed);
  ring.close();
  for (
    const use of [
      () => ring.sqe(),
      () => ring.submit(),
      () => ring.submitAndWait(1),
      () => ring.wait(1),
      () => ring.forEachCqe(() => {}),
      () => ring.sqe128(),
      () => ring.waitForSpace(),
      () => ring.registerRingFd(),
      () => ring.probe(),
      () => ring.enable(),
    ]
  ) assertThrows(use, TypeError, "closed");
});

Deno.test("R_DISABLED: nothing goes before enable(), everything after", () => {
  using ring = new Ring({ entries: 4, flags: abi.IORING_SETUP_R_DISABLED });
  nops(ring, 1);
  const error = assertThrows(() => ring.submit()) as SystemError;
  assertEquals([error.code, error.op], ["EBADFD", "io_uring_enter"]);
  assert(error.message.includes("ring.enable()"), error.message);
  const refused = assertThrows(() => ring.wait(1)) as SystemError;
  assertEquals(refused.code, "EBADFD");
  ring.enable();
  assertEquals(ring.submitAndWait(1), 1);
  assertEquals(reap(ring), [0]);
});

Deno.test("ATTACH_WQ: rings share workers; what is no ring is refused", () => {
  using first = new Ring(4);
  using second = new Ring({ entries: 4, attachTo: first });
  nops(second, 2);
  second.submitAndWait(2);
  assertEquals(reap(second), [0, 1]);
  const error = assertThrows(() =>
    new Ring({ entries: 4, attachTo: 0 })
  ) as SystemError;
  assertEquals(error.op, "io_uring_setup");
});

Deno.test("what the kernel does not take stays, and is taken later", () => {
  const real = openKernel("syscall");
  /** What `enter` answers, without being made; then it is made. */
  const answers: number[] = [];
  const kernel: Kernel = {
    backend: real.backend,
    version: real.version,
    setup: (request) => real.setup(request),
    enter: (...call) => answers.shift() ?? real.enter(...call),
    enter2: (...call) => real.enter2(...call),
    register: (...call) => real.register(...call),
    resize: (...call) => real.resize(...call),
    close: (mapping) => real.close(mapping),
  };
  using ring = new Ring({ entries: 4, backend: kernel });
  for (const answer of [0, -EAGAIN, -EBUSY]) {
    nops(ring, 4);
    answers.push(answer);
    assertEquals([ring.submit(), ring.sq.ready], [0, 4]);
    assertEquals(ring.sqe(), null);
    assertEquals([ring.submitAndWait(4), ring.sq.ready], [4, 0]);
    assertEquals(reap(ring), [0, 1, 2, 3]);
  }
  nops(ring, 4);
  answers.push(-EINTR);
  assertEquals(ring.submitAndWait(4), 4, "interrupted, and made again");
  answers.push(-EINTR, -EAGAIN, -EBUSY);
  assertEquals(ring.wait(4), 4);
  assertEquals(reap(ring), [0, 1, 2, 3]);
});

Deno.test("two entries serve 100 000 ops", () => {
  using ring = new Ring(2);
  let sum = 0;
  for (let round = 0; round < 100_000; round++) {
    const sqe = entry(ring);
    sqe.tag = 1;
    ring.submitAndWait(1);
    ring.forEachCqe((cqe) => sum += cqe.tag);
  }
  assertEquals(sum, 100_000);
  assertGreater(ring.enters, 99_999);
});

Deno.test("bad options are refused before the kernel is asked", () => {
  const bad: [unknown, string][] = [
    [0, "entries"],
    [-1, "entries"],
    [1.5, "entries"],
    [NaN, "entries"],
    [40_000, "entries"],
    ["8", "options"],
    [null, "options"],
    [{ entries: "8" }, "entries"],
    [{ flags: -1 }, "flags"],
    [{ flags: 2 ** 32 }, "flags"],
    [{ entries: 64, cqEntries: 8 }, "cqEntries"],
    [{ cqEntries: 2 ** 20 }, "cqEntries"],
    [{ sqThreadIdle: 5 }, "SQPOLL"],
    [{ sqThreadCpu: 0 }, "SQPOLL"],
    [{ attachTo: {} }, "attachTo"],
    [{ attachTo: -1 }, "attachTo"],
    [{ workers: { always: false, cpus: [1 << 20] } }, "cpus[0]"],
    [{ workers: { always: false, bounded: -1 } }, "bounded"],
    [{ workers: { always: false, unbounded: -1 } }, "unbounded"],
    [{ backend: "windows" }, "backend"],
    [{ backend: null }, "backend"],
    [{ flags: abi.IORING_SETUP_DEFER_TASKRUN }, "SINGLE_ISSUER"],
    [{ flags: abi.IORING_SETUP_TASKRUN_FLAG }, "TASKRUN_FLAG"],
    [{ flags: abi.IORING_SETUP_HYBRID_IOPOLL }, "IOPOLL"],
    [{ flags: abi.IORING_SETUP_NO_MMAP }, "NO_MMAP"],
    [{ flags: abi.IORING_SETUP_CQSIZE }, "cqEntries"],
    [{ flags: abi.IORING_SETUP_ATTACH_WQ }, "attachTo"],
    [
      { flags: abi.IORING_SETUP_SQ_AFF | abi.IORING_SETUP_SQPOLL },
      "sqThreadCpu",
    ],
  ];
  for (const [options, word] of bad) {
    const error = assertThrows(() => new Ring(options as RingOptions));
    assert(
      error instanceof TypeError || error instanceof RangeError,
      `${error}`,
    );
    assert(error.message.includes(word), `${error.message} lacks ${word}`);
  }
});

Deno.test("a flag that no kernel knows: EINVAL, explained", () => {
  const error = assertThrows(() =>
    new Ring({ flags: 0x8000_0000 })
  ) as SystemError;
  assertEquals([error.code, error.op], ["EINVAL", "io_uring_setup"]);
});

eachRing("bad arguments of methods are refused", {}, (ring) => {
  const wrong = [-1, 1.5, NaN, Infinity, ring.cq.entries + 1, "1", null, {}];
  for (const count of wrong as number[]) {
    assertThrows(() => ring.submitAndWait(count), Error, "count");
    assertThrows(() => ring.wait(count), Error, "count");
  }
  for (const timeout of [-1, NaN, "5", null] as number[]) {
    assertThrows(() => ring.wait(1, { timeout }), Error, "timeout");
    const both = () => ring.submitAndWait(1, { timeout });
    assertThrows(both, Error, "Ring.submitAndWait: timeout");
  }
  assertThrows(() => ring.sqe128(), TypeError, "SQE128");
});

eachRing("a mistake in prep leaves a nop that completes", {}, (ring) => {
  const sqe = entry(ring);
  assertThrows(() => sqe.prep(22, 1.5, 0, 0, 0), RangeError, "fd");
  ring.submitAndWait(1);
  ring.forEachCqe((cqe) => assertEquals(cqe.res, 0));
  assertGreaterOrEqual(ring.sq.space, 1);
});
