/** Timers, and which ops need them. */

import { assertEquals } from "@std/assert";
import { assertSpyCalls, spy, stub } from "@std/testing/mock";
import {
  IORING_OP_READ,
  IORING_OP_SPLICE,
  IOSQE_ASYNC,
  IOSQE_FIXED_FILE,
  IOSQE_IO_DRAIN,
} from "../../../ffi/mod.ts";
import { after, beginsInWorker } from "../../../proactor/timer.ts";

Deno.test("timer: it keeps no process alive, and is gone when it is stopped", () => {
  using unref = spy(Deno, "unrefTimer");
  const stop = after(1e6, () => {});
  assertSpyCalls(unref, 1);
  stop();
});

Deno.test("timer: it takes as long as it is to, in as many parts as that needs", () => {
  const delays: unknown[] = [];
  let fire = (): unknown => undefined;
  using _timers = stub(
    globalThis as { setTimeout: (...args: unknown[]) => unknown },
    "setTimeout",
    (task, delay) => (fire = task as () => unknown, delays.push(delay), 0),
  );
  using _unref = stub(Deno, "unrefTimer");
  let fired = 0;
  after(2 ** 32, () => fired++);
  for (let part = 0; part < 3; part++) {
    assertEquals(fired, 0);
    fire();
  }
  assertEquals([fired, delays], [1, [2 ** 31 - 1, 2 ** 31 - 1, 2]]);
});

Deno.test("timer: an op begins in a worker by its kind, by its flags, or not at all", () => {
  assertEquals(beginsInWorker(IORING_OP_READ, 0), false);
  assertEquals(beginsInWorker(IORING_OP_READ, IOSQE_FIXED_FILE), false);
  assertEquals(beginsInWorker(IORING_OP_READ, IOSQE_ASYNC), true);
  assertEquals(beginsInWorker(IORING_OP_READ, IOSQE_IO_DRAIN), true);
  assertEquals(beginsInWorker(IORING_OP_SPLICE, 0), true);
});
