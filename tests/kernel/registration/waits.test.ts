/** Waits: registered ones, minimum times, the clock they are timed by. */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ETIME } from "../../../ffi/linux.ts";
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  IORING_FEAT_MIN_TIMEOUT,
  IORING_REGISTER_CLOCK,
  IORING_REGISTER_MEM_REGION,
  IORING_SETUP_R_DISABLED,
  POLLIN,
  takeBlock,
} from "../../../ffi/mod.ts";
import { writeTimespec } from "../../../ffi/structs/timespec.ts";
import { prepNop } from "../../../ops/nop.ts";
import { prepPollAdd } from "../../../ops/poll.ts";
import { prepTimeout } from "../../../ops/timeout.ts";
import { Ring } from "../../../ring/mod.ts";
import { toMicroseconds } from "../../../ring/registration/wait_region.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { Fds } from "../../support/sockets.ts";
import {
  hasRegister,
  notNumbers,
  queue,
  runOne,
  take,
  wrongly,
} from "./support.ts";

const regions = hasRegister(IORING_REGISTER_MEM_REGION);
const clocks = hasRegister(IORING_REGISTER_CLOCK);
const minimal = (() => {
  using ring = new Ring(1);
  return (ring.features & IORING_FEAT_MIN_TIMEOUT) !== 0;
})();
const options = { flags: IORING_SETUP_R_DISABLED };

/** How long something takes, in milliseconds. */
function timed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

eachRing("registered waits: time out, each after its own time", {
  when: regions,
  options,
}, (ring) => {
  const waits = ring.registerWaits(3);
  assert(ring.waits === waits);
  assertEquals(
    ring.keep.size,
    1,
    "the kernel reads there as long as the ring lives",
  );
  assertEquals(waits.entries, 3);
  ring.enable();
  waits.set(0, { timeout: 2 });
  waits.set(2, { timeout: 30.5 });
  const short = timed(() =>
    assertEquals(ring.submitAndWaitRegistered(1, 0), 0)
  );
  const long = timed(() => assertEquals(ring.submitAndWaitRegistered(1, 2), 0));
  assertEquals(ring.cq.ready, 0);
  assertGreaterOrEqual(short, 2);
  assertGreaterOrEqual(long, 30.5);
  waits.set(2, { timeout: 0 });
  assertLess(timed(() => ring.submitAndWaitRegistered(1, 2)), 30);
});

eachRing("registered waits: submit, and end with the completions", {
  when: regions,
  options,
}, (ring) => {
  const waits = ring.registerWaits(1);
  ring.enable();
  waits.set(0, { timeout: 60_000 });
  queue(ring, prepNop);
  queue(ring, prepNop);
  assertEquals(ring.submitAndWaitRegistered(2, 0), 2);
  assertEquals(ring.cq.ready, 2);
  assertEquals(ring.submitAndWaitRegistered(2, 0), 0, "they are there already");
  queue(ring, prepNop);
  assertEquals(ring.submitAndWaitRegistered(0, 0), 1);
  assertEquals(take(ring, 3).length, 3);
  waits.set(0, {});
  queue(ring, prepNop);
  assertEquals(ring.submitAndWaitRegistered(1, 0), 1);
  assertEquals(take(ring, 1)[0]?.res, 0);
});

eachRing(
  "registered waits: what was submitted counts though the time ran out",
  {
    when: regions,
    options,
  },
  (ring, kind) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const waits = ring.registerWaits(1);
    ring.enable();
    waits.set(0, { timeout: 1 });
    queue(ring, (sqe) => prepPollAdd(sqe, reader, POLLIN));
    assertEquals(ring.submitAndWaitRegistered(1, 0), 1);
    assertEquals(ring.cq.ready, 0);
    // The thread of an SQPOLL ring takes it when it comes to it.
    if (kind.name !== "sqpoll") assertEquals(ring.sq.ready, 0);
  },
);

eachRing("registered waits: the submission queue goes round", {
  when: regions,
  options: { ...options, entries: 4 },
  only: ["liburing", "syscall", "deferred"],
}, (ring) => {
  const waits = ring.registerWaits(1);
  ring.enable();
  waits.set(0, { timeout: 60_000 });
  for (let count = 0; count < 10; count++) {
    queue(ring, prepNop);
    assertEquals(ring.submitAndWaitRegistered(1, 0), 1);
    assertEquals([ring.sq.ready, take(ring, 1)[0]?.res], [0, 0]);
  }
});

eachRing("registered waits: from within a visit they are for what comes", {
  when: regions,
  options,
}, (ring) => {
  const waits = ring.registerWaits(1);
  ring.enable();
  waits.set(0, { timeout: 60_000 });
  const block = takeBlock(16);
  writeTimespec(block.view, 0, 20);
  queue(ring, prepNop);
  ring.submitAndWait(1);
  ring.forEachCqe(() => {
    queue(ring, (sqe) => prepTimeout(sqe, block.address, 0, 0));
    assertEquals(ring.submitAndWaitRegistered(1, 0), 1);
    assertEquals(ring.cq.ready, 1);
  });
  assertEquals(take(ring, 1)[0]?.res, -ETIME);
  block.release();
});

eachRing("registered waits: without a time they wait for ever", {
  when: regions,
  options,
}, (ring) => {
  const waits = ring.registerWaits(1);
  ring.enable();
  waits.set(0, { timeout: 0 });
  waits.set(0, {});
  const block = takeBlock(16);
  writeTimespec(block.view, 0, 20);
  queue(ring, (sqe) => prepTimeout(sqe, block.address, 0, 0));
  assertEquals(ring.submitAndWaitRegistered(1, 0), 1);
  assertEquals(ring.cq.ready, 1, "it did not end before");
  assertEquals(take(ring, 1)[0]?.res, -ETIME);
  block.release();
});

eachRing("registered waits: a minimum, after which one is enough", {
  when: regions && minimal,
  options,
}, (ring) => {
  const waits = ring.registerWaits(1);
  ring.enable();
  waits.set(0, { timeout: 60_000, minWait: 10 });
  queue(ring, prepNop);
  const time = timed(() => {
    assertEquals(ring.submitAndWaitRegistered(4, 0), 1);
  });
  assertGreaterOrEqual(time, 10);
  assertLess(time, 30_000);
  assertEquals(ring.cq.ready, 1);
});

eachRing("registered waits: only once, and before the ring is enabled", {
  when: regions,
  options,
}, (ring, kind) => {
  ring.registerWaits(1);
  const twice = failure("EBUSY", () => ring.registerWaits(1));
  assertEquals(twice.op, "io_uring_register_region");
  assertStringIncludes(twice.message, "for as long as it lives");
  const error = failure(
    "EBADFD",
    () => {
      queue(ring, prepNop);
      ring.submitAndWaitRegistered(1, 0);
    },
  );
  assertStringIncludes(error.message, "ring.enable()");
  using enabled = kind.make();
  const late = failure("EINVAL", () => enabled.registerWaits(1));
  assertStringIncludes(late.message, "IORING_SETUP_R_DISABLED");
  assertThrows(
    () => enabled.submitAndWaitRegistered(1, 0),
    TypeError,
    "call registerWaits() first",
  );
});

Deno.test({
  name: "registered waits: what is none is refused before the kernel sees it",
  ignore: !regions,
  fn() {
    const ring = new Ring({ entries: 4, ...options });
    for (const entries of [0, -1, 1.5, 65537]) {
      assertThrows(() => ring.registerWaits(entries), RangeError, "entries");
    }
    assertThrows(() => ring.registerWaits(wrongly("1")), TypeError, "entries");
    const waits = ring.registerWaits(65);
    ring.enable();
    for (const index of [-1, 65, 0.5, NaN]) {
      assertThrows(() => waits.set(index, {}), RangeError, "index");
      assertThrows(
        () => ring.submitAndWaitRegistered(0, index),
        RangeError,
        "index",
      );
    }
    for (const count of [-1, 9, 0.5]) {
      assertThrows(
        () => ring.submitAndWaitRegistered(count, 0),
        RangeError,
        "count",
      );
    }
    assertThrows(() => waits.set(0, { timeout: -1 }), RangeError, "timeout");
    assertThrows(() => waits.set(0, { minWait: -1 }), RangeError, "minWait");
    assertThrows(
      () => waits.set(0, { minWait: 4294968 }),
      RangeError,
      "minWait",
    );
    assertThrows(
      () => waits.set(0, { timeout: wrongly("1") }),
      TypeError,
      "timeout",
    );
    waits.set(64, { timeout: 1 });
    assertEquals(ring.submitAndWaitRegistered(1, 64), 0);
    ring.close();
    assertThrows(
      () => ring.submitAndWaitRegistered(0, 0),
      TypeError,
      "closed",
    );
    assertThrows(() => ring.registerWaits(1), TypeError, "closed");
    waits.set(0, { timeout: 1 });
  },
});

eachRing("wait: a minimum gathers a batch", { when: minimal }, (ring) => {
  queue(ring, prepNop);
  queue(ring, prepNop);
  ring.submit();
  ring.wait(2);
  const time = timed(() => {
    const there = ring.wait(8, { timeout: 60_000, minWait: 5 });
    assertEquals(there, 2);
  });
  assertGreaterOrEqual(time, 5);
  assertLess(time, 30_000);
  assertLess(timed(() => ring.wait(2, { minWait: 60_000 })), 30_000);
});

eachRing("wait: with nothing there a minimum goes on to the timeout", {
  when: minimal,
}, (ring) => {
  const time = timed(() => {
    assertEquals(ring.wait(4, { timeout: 25, minWait: 5 }), 0);
  });
  assertGreaterOrEqual(time, 25);
  const alone = timed(() => assertEquals(ring.wait(4, { minWait: 5 }), 0));
  assertGreaterOrEqual(alone, 5);
});

Deno.test({
  name: "wait: a minimum is named where the kernel lacks it",
  ignore: minimal,
  fn() {
    using ring = new Ring(2);
    const error = failure("EINVAL", () => ring.wait(1, { minWait: 1 }));
    assertStringIncludes(error.message, "minWait needs Linux 6.12 or later");
  },
});

Deno.test("wait: what is no time is refused before the kernel sees it", () => {
  using ring = new Ring(2);
  for (const time of [-1, NaN, Infinity]) {
    assertThrows(() => ring.wait(1, { timeout: time }), RangeError, "timeout");
    assertThrows(() => ring.wait(1, { minWait: time }), RangeError, "minWait");
  }
  for (const time of notNumbers.filter((value) => value !== undefined)) {
    assertThrows(
      () => ring.wait(1, { timeout: wrongly(time) }),
      TypeError,
      "timeout",
    );
    assertThrows(
      () => ring.wait(1, { minWait: wrongly(time) }),
      TypeError,
      "minWait",
    );
  }
});

eachRing(
  "clock: waits are timed by the one chosen",
  { when: clocks },
  (ring) => {
    for (const clock of [CLOCK_BOOTTIME, CLOCK_MONOTONIC]) {
      ring.setClock(clock);
      const time = timed(() => assertEquals(ring.wait(1, { timeout: 5 }), 0));
      assertGreaterOrEqual(time, 5);
      assertLess(time, 5000);
      assertEquals(runOne(ring, prepNop), 0);
    }
  },
);

Deno.test("wait: a minimum is rounded up to a microsecond", () => {
  const rounded = [0, 0.0001, 0.5, 1.0004, 3].map((milliseconds) =>
    toMicroseconds("minWait", milliseconds)
  );
  assertEquals(rounded, [0, 1, 500, 1001, 3000]);
});

Deno.test("clock: there are two", () => {
  const ring = new Ring(2);
  for (const clock of [CLOCK_REALTIME, 2, -1, 1.5, NaN]) {
    assertThrows(() => ring.setClock(clock), RangeError, "CLOCK_BOOTTIME");
  }
  for (const clock of [undefined, null, "1", {}]) {
    assertThrows(
      () => ring.setClock(wrongly(clock)),
      TypeError,
      "ring.setClock: clockId",
    );
  }
  ring.close();
  assertThrows(() => ring.setClock(CLOCK_MONOTONIC), TypeError, "closed");
});

Deno.test({
  name: "clock: is named where the kernel lacks it",
  ignore: clocks,
  fn() {
    using ring = new Ring(2);
    const error = failure("EINVAL", () => ring.setClock(CLOCK_BOOTTIME));
    assertStringIncludes(
      error.message,
      "IORING_REGISTER_CLOCK needs Linux 6.12 or later",
    );
  },
});
