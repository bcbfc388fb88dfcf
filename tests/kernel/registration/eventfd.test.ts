/** The registered eventfd: `ring.eventfd`. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { IOSQE_ASYNC, POLLIN } from "../../../ffi/mod.ts";
import { prepNop } from "../../../ops/nop.ts";
import { prepPollAdd } from "../../../ops/poll.ts";
import { Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { Fds, readNow, writeNow } from "../../support/sockets.ts";
import { notNumbers, queue, runOne, take, wrongly } from "./support.ts";

/** What an eventfd stands at, without taking it. */
function countOf(fd: number): number {
  const text = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
  const count = /^eventfd-count:\s*([0-9a-f]+)/m.exec(text)?.[1];
  return Number.parseInt(count ?? "", 16);
}

eachRing("eventfd: rings when completions come", {}, (ring) => {
  using fds = new Fds();
  const bell = fds.eventfd();
  ring.eventfd.register(bell);
  assertEquals(countOf(bell), 0);
  assertEquals(runOne(ring, prepNop), 0);
  assertEquals(
    new DataView(readNow(bell, 8).buffer).getUint32(0, true) > 0,
    true,
  );
  assertEquals(runOne(ring, prepNop), 0);
  assertEquals(countOf(bell) > 0, true);
  ring.eventfd.unregister();
  readNow(bell, 8);
  assertEquals(runOne(ring, prepNop), 0);
  assertEquals(countOf(bell), 0);
});

eachRing("eventfd: is quiet while it is disabled", {}, (ring) => {
  using fds = new Fds();
  const bell = fds.eventfd();
  ring.eventfd.register(bell);
  ring.cq.eventfdEnabled = false;
  assertEquals(runOne(ring, prepNop), 0);
  assertEquals(countOf(bell), 0);
  ring.cq.eventfdEnabled = true;
  assertEquals(runOne(ring, prepNop), 0);
  assertEquals(countOf(bell) > 0, true);
});

eachRing("eventfd: the async one rings only for what workers complete", {}, (
  ring,
) => {
  using fds = new Fds();
  const bell = fds.eventfd();
  const [reader, writer] = fds.pipe();
  ring.eventfd.register(bell, { async: true });
  assertEquals(runOne(ring, prepNop), 0);
  assertEquals(countOf(bell), 0, "completed inline");
  queue(ring, (sqe) => prepPollAdd(sqe, reader, POLLIN));
  ring.submit();
  writeNow(writer, Uint8Array.of(1));
  assertEquals(take(ring, 1)[0]?.res, POLLIN);
  assertEquals(countOf(bell), 0, "polled for");
  const offloaded = runOne(ring, (sqe) => {
    prepNop(sqe);
    sqe.flags = IOSQE_ASYNC;
  });
  assertEquals(offloaded, 0);
  assertEquals(countOf(bell) > 0, true, "completed by a worker");
});

eachRing("eventfd: twice, not at all, or no eventfd", {}, (ring) => {
  using fds = new Fds();
  const bell = fds.eventfd();
  const [reader] = fds.pipe();
  const none = failure("ENXIO", () => ring.eventfd.unregister());
  assertEquals(none.op, "io_uring_unregister_eventfd");
  assertStringIncludes(none.message, "No eventfd is registered.");
  const wrong = failure("EINVAL", () => ring.eventfd.register(reader));
  assertStringIncludes(wrong.message, "must be that of an eventfd(2)");
  failure("EBADF", () => ring.eventfd.register(0x7fff_0000));
  ring.eventfd.register(bell);
  const twice = failure("EBUSY", () => ring.eventfd.register(bell));
  assertEquals(twice.op, "io_uring_register_eventfd");
  const async = failure(
    "EBUSY",
    () => ring.eventfd.register(bell, { async: true }),
  );
  assertEquals(async.op, "io_uring_register_eventfd_async");
  ring.eventfd.unregister();
  failure("ENXIO", () => ring.eventfd.unregister());
});

Deno.test("eventfd: what is no descriptor is refused before the kernel sees it", () => {
  const ring = new Ring(4);
  for (const fd of notNumbers.filter((value) => value !== 1n)) {
    assertThrows(() => ring.eventfd.register(wrongly(fd)), TypeError, "fd");
  }
  for (const fd of [-1, 0.5, NaN, 2 ** 31]) {
    assertThrows(() => ring.eventfd.register(fd), RangeError, "fd");
  }
  ring.close();
  assertThrows(() => ring.eventfd.register(0), TypeError, "closed");
  assertThrows(() => ring.eventfd.unregister(), TypeError, "closed");
});
