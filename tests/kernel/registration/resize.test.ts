/** Rings of another size: `ring.resize`. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  IORING_OP_NOP,
  IORING_REGISTER_RESIZE_RINGS,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_NO_SQARRAY,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQE128,
  IORING_SETUP_TASKRUN_FLAG,
  type Kernel,
  openKernel,
  POLLIN,
} from "../../../ffi/mod.ts";
import { prepNop } from "../../../ops/nop.ts";
import { prepPollAdd } from "../../../ops/poll.ts";
import { Ring, type RingOptions } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { Fds, writeNow } from "../../support/sockets.ts";
import {
  available,
  child,
  hasRegister,
  linux,
  queue,
  runOne,
  take,
  wrongly,
} from "./support.ts";

const DEFERRED = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
const when = hasRegister(IORING_REGISTER_RESIZE_RINGS);

/** What a ring may look like when it is resized. */
const shapes: readonly {
  name: string;
  options: RingOptions;
  can: boolean;
}[] = [
  { name: "plain", options: { flags: 0 }, can: when },
  {
    name: "liburing",
    options: { backend: "liburing" },
    can: when && available("liburing"),
  },
  {
    name: "liburing, SQE128",
    options: { backend: "liburing", flags: IORING_SETUP_SQE128 },
    can: when && available("liburing"),
  },
  {
    name: "TASKRUN_FLAG",
    options: { flags: IORING_SETUP_TASKRUN_FLAG },
    can: when,
  },
  {
    name: "NO_SQARRAY",
    options: { flags: IORING_SETUP_NO_SQARRAY },
    can: when,
  },
  { name: "SQE128", options: { flags: IORING_SETUP_SQE128 }, can: when },
  { name: "CQE32", options: { flags: IORING_SETUP_CQE32 }, can: when },
];

function make(options: RingOptions): Ring {
  return new Ring({
    backend: "syscall",
    ...options,
    flags: (options.flags ?? 0) | DEFERRED,
  });
}

function queueNops(ring: Ring, first: number, count: number): void {
  for (let tag = first; tag < first + count; tag++) {
    queue(ring, (sqe) => {
      prepNop(sqe);
      sqe.tag = tag;
    });
  }
}

function tags(ring: Ring, count: number): number[] {
  return take(ring, count).map(({ userData }) => Number(userData));
}

for (const { name, options, can } of shapes) {
  const test = (what: string, body: () => void) =>
    Deno.test({ name: `resize: ${what} [${name}]`, ignore: !can, fn: body });

  test("larger, then smaller", () => {
    using ring = make({ ...options, entries: 4 });
    ring.resize({ entries: 64 });
    assertEquals([ring.sq.entries, ring.cq.entries], [64, 128]);
    queueNops(ring, 1, 64);
    assertEquals(ring.sqe(), null);
    assertEquals(ring.submitAndWait(64), 64);
    assertEquals(tags(ring, 64).at(-1), 64);
    ring.resize({ entries: 2, cqEntries: 2 });
    assertEquals([ring.sq.entries, ring.cq.entries], [2, 2]);
    assertEquals(runOne(ring, prepNop), 0);
    ring.resize({ cqEntries: 512 });
    assertEquals([ring.sq.entries, ring.cq.entries], [2, 512]);
    assertEquals(runOne(ring, prepNop), 0);
    ring.resize();
    assertEquals([ring.sq.entries, ring.cq.entries], [2, 4]);
    assertEquals(runOne(ring, prepNop), 0);
  });

  test("what is in the queues stays there, in its order", () => {
    using ring = make({ ...options, entries: 8, cqEntries: 16 });
    // The counters are moved on, so that entries lie across the queues' ends.
    for (let round = 0; round < 5; round++) {
      queueNops(ring, 1, 3);
      ring.submitAndWait(3);
      tags(ring, 3);
    }
    queueNops(ring, 100, 6);
    ring.submitAndWait(6);
    queueNops(ring, 200, 7);
    for (const entries of [32, 8, 16]) {
      ring.resize({ entries, cqEntries: 2 * entries });
      assertEquals([ring.sq.ready, ring.cq.ready], [7, 6]);
      assertEquals(ring.sq.space, entries - 7);
    }
    assertEquals(tags(ring, 6), [100, 101, 102, 103, 104, 105]);
    queueNops(ring, 207, 2);
    assertEquals(ring.submitAndWait(9), 9);
    assertEquals(tags(ring, 9), [200, 201, 202, 203, 204, 205, 206, 207, 208]);
    assertEquals(ring.sq.dropped, 0);
  });

  test("ops in flight complete into the new queue", () => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    using ring = make({ ...options, entries: 4 });
    queue(ring, (sqe) => {
      prepPollAdd(sqe, reader, POLLIN);
      sqe.tag = 9;
    });
    ring.submit();
    ring.resize({ entries: 32 });
    writeNow(writer, Uint8Array.of(1));
    const [seen] = take(ring, 1);
    assertEquals([seen?.userData, seen?.res], [9n, POLLIN]);
  });

  test("completions beyond the queue are not lost", () => {
    using ring = make({ ...options, entries: 8, cqEntries: 8 });
    for (let round = 0; round < 3; round++) {
      queueNops(ring, round * 8, 8);
      ring.submit();
      ring.wait(8);
    }
    ring.resize({ entries: 8, cqEntries: 64 });
    const all = tags(ring, 24).sort((a, b) => a - b);
    assertEquals(all, Array.from({ length: 24 }, (_, index) => index));
  });

  test("too small for what is there is refused, and nothing changes", () => {
    using ring = make({ ...options, entries: 8 });
    queueNops(ring, 1, 4);
    ring.submitAndWait(4);
    queueNops(ring, 5, 4);
    const { sq, cq } = ring;
    for (const size of [{ entries: 2 }, { entries: 2, cqEntries: 2 }]) {
      const error = failure("EOVERFLOW", () => ring.resize(size));
      assertEquals(error.op, "io_uring_resize_rings");
      assertStringIncludes(error.message, "take the completions");
    }
    assert(ring.sq === sq && ring.cq === cq);
    assertEquals([ring.sq.ready, ring.cq.ready], [4, 4]);
    ring.submit();
    assertEquals(tags(ring, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
  });
}

Deno.test({
  name: "resize: the second half of a big entry stays",
  ignore: !when,
  fn() {
    const flags = IORING_SETUP_SQE128 | IORING_SETUP_CQE32;
    using ring = make({ entries: 4, flags });
    const NOP_CQE32 = 32;
    for (let tag = 1; tag <= 3; tag++) {
      queue(ring, (sqe) => {
        sqe.opcode = IORING_OP_NOP;
        sqe.opFlags = linux("6.18") ? NOP_CQE32 : 0;
        sqe.set64(2, 1000 + tag, "extra1");
        sqe.set64(4, 2000 + tag, "extra2");
        sqe.cmd[79] = tag;
        sqe.tag = tag;
      });
    }
    ring.resize({ entries: 16 });
    ring.submitAndWait(3);
    ring.resize({ entries: 4 });
    const seen: [number, bigint, bigint][] = [];
    ring.forEachCqe((cqe) => {
      seen.push([cqe.tag, cqe.bigCqe(0), cqe.bigCqe(1)]);
    });
    const extra = linux("6.18") ? [1000n, 2000n] : [0n, 0n];
    assertEquals(
      seen,
      [1n, 2n, 3n].map((tag) => [
        Number(tag),
        linux("6.18") ? (extra[0] as bigint) + tag : 0n,
        linux("6.18") ? (extra[1] as bigint) + tag : 0n,
      ]),
    );
  },
});

Deno.test({
  name: "resize: a queue of mixed completions must be empty",
  ignore: !when || !linux("6.18"),
  fn() {
    using ring = make({ entries: 4, flags: IORING_SETUP_CQE_MIXED });
    assertEquals(runOne(ring, prepNop), 0);
    queueNops(ring, 1, 1);
    ring.submitAndWait(1);
    assertThrows(() => ring.resize({ entries: 8 }), Error, "call forEachCqe");
    assertEquals(tags(ring, 1), [1]);
    ring.resize({ entries: 8 });
    assertEquals(ring.sq.entries, 8);
    assertEquals(runOne(ring, prepNop), 0);
  },
});

Deno.test({
  name: "resize: not from within a visit",
  ignore: !when,
  fn() {
    using ring = make({ entries: 4 });
    queueNops(ring, 1, 1);
    ring.submitAndWait(1);
    ring.forEachCqe(() => {
      assertThrows(() => ring.resize({ entries: 8 }), Error, "within a visit");
    });
    ring.resize({ entries: 8 });
    assertEquals(runOne(ring, prepNop), 0);
  },
});

Deno.test({
  name: "resize: what is registered stays registered",
  ignore: !when,
  fn() {
    using ring = make({ entries: 4 });
    ring.registerRingFd();
    ring.files.register([0]);
    ring.cq.eventfdEnabled = false;
    ring.resize({ entries: 32 });
    assertEquals(ring.cq.eventfdEnabled, false);
    assertEquals(runOne(ring, prepNop), 0);
    ring.files.update(0, [0]);
    failure("EBUSY", () => ring.files.register([0]));
    assertEquals(ring.wait(1, { timeout: 1 }), 0);
  },
});

for (const backend of ["liburing", "syscall"] as const) {
  Deno.test({
    name: `resize: maps and unmaps as much [${backend}]`,
    ignore: !when || !available(backend),
    fn() {
      const maps = () =>
        Deno.readTextFileSync("/proc/self/maps").split("\n")
          .filter((line) => line.includes("io_uring")).length;
      const before = maps();
      {
        using ring = make({ entries: 4, backend });
        const one = maps();
        for (let round = 0; round < 50; round++) {
          ring.resize({ entries: round % 2 === 0 ? 256 : 4 });
        }
        assertEquals(maps(), one);
      }
      assertEquals(maps(), before);
    },
  });
}

eachRing("resize: only rings with DEFER_TASKRUN", {
  only: ["liburing", "syscall", "sqpoll"],
}, (ring) => {
  assertThrows(
    () => ring.resize({ entries: 64 }),
    TypeError,
    "only a ring with IORING_SETUP_DEFER_TASKRUN",
  );
  assertEquals(runOne(ring, prepNop), 0);
});

Deno.test({
  name: "resize: a ring whose new queues cannot be mapped is closed",
  ignore: !when,
  fn() {
    const real = openKernel("syscall");
    const kernel: Kernel = {
      backend: "syscall",
      version: null,
      setup: (request) => real.setup(request),
      enter: (...call) => real.enter(...call),
      enter2: (...call) => real.enter2(...call),
      register: (...call) => real.register(...call),
      resize(mapping) {
        real.close(mapping);
        throw new Error("mmap: there is no memory");
      },
      close: (mapping) => real.close(mapping),
    };
    const ring = make({ entries: 4, backend: kernel });
    assertThrows(() => ring.resize({ entries: 8 }), Error, "mmap");
    assert(ring.closed);
    for (const call of [() => ring.sqe(), () => ring.submit()]) {
      assertThrows(call, TypeError, "closed");
    }
    ring.close();
  },
});

Deno.test({
  name: "resize: memory that was provided before stays the kernel's",
  ignore: !when,
  async fn() {
    const output = await child(
      `
      const { provideBuffers, removeBuffers, run } = await import("@uring/uring/ops");
      const flags = f.IORING_SETUP_SINGLE_ISSUER | f.IORING_SETUP_DEFER_TASKRUN;
      using ring = new r.Ring({ entries: 4, flags });
      const memory = (() => {
        const bytes = new Uint8Array(4096);
        run(ring, provideBuffers(bytes, 1024, 1));
        return new WeakRef(bytes.buffer);
      })();
      ring.resize({ entries: 8 });
      for (let i = 0; i < 10; i++) { await new Promise((done) => setTimeout(done)); gc(); }
      console.log(memory.deref() !== undefined, run(ring, removeBuffers(9, 1)));
      `,
      { flags: ["--v8-flags=--expose-gc"] },
    );
    assertEquals(output, "true 4");
  },
});

Deno.test({
  name: "resize: what is no size is refused before the kernel sees it",
  ignore: !when,
  fn() {
    const ring = make({ entries: 4 });
    const resize = (options: unknown) => () => ring.resize(wrongly(options));
    for (const options of [null, 4, "4"]) {
      assertThrows(resize(options), TypeError, "options must be an object");
    }
    for (const entries of [null, "4", {}]) {
      assertThrows(resize({ entries }), TypeError, "Ring.resize: entries");
    }
    for (const entries of [0, -1, 1.5, 32769, NaN]) {
      assertThrows(resize({ entries }), RangeError, "Ring.resize: entries");
    }
    for (const cqEntries of [0, 3, 4.5, 65537]) {
      assertThrows(resize({ entries: 4, cqEntries }), RangeError, "cqEntries");
    }
    ring.close();
    assertThrows(resize({ entries: 8 }), TypeError, "closed");
  },
});
