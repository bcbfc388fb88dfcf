/** Cancelling at once: `ring.cancel`. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ECANCELED } from "../../../ffi/linux.ts";
import {
  IORING_OP_POLL_ADD,
  IORING_OP_READ,
  IORING_REGISTER_SYNC_CANCEL,
  IOSQE_ASYNC,
  IOSQE_FIXED_FILE,
  POLLIN,
  takeBlock,
} from "../../../ffi/mod.ts";
import { prepPollAdd } from "../../../ops/poll.ts";
import { prepRead } from "../../../ops/rw.ts";
import { Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { Fds } from "../../support/sockets.ts";
import {
  hasRegister,
  linux,
  queue,
  take,
  takeNow,
  wrongly,
} from "./support.ts";

const when = hasRegister(IORING_REGISTER_SYNC_CANCEL);
const byOpcode = linux("6.6");
// The thread of an SQPOLL ring may not have taken an op yet that is to be cancelled.
const only = ["liburing", "syscall", "deferred"];

/** Queues polls that nothing will end, tagged 1, 2, ...; and submits them. */
function poll(ring: Ring, ...fds: number[]): void {
  fds.forEach((fd, index) =>
    queue(ring, (sqe) => {
      prepPollAdd(sqe, fd, POLLIN);
      sqe.tag = index + 1;
    })
  );
  ring.submit();
}

function canceled(ring: Ring, count: number): number[] {
  const seen = take(ring, count);
  for (const { res } of seen) assertEquals(res, -ECANCELED);
  return seen.map(({ userData }) => Number(userData)).sort();
}

eachRing("cancel: by user_data", { when, only }, (ring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  poll(ring, reader, reader, reader);
  assertEquals(ring.cancel({ userData: 2 }), 1);
  assertEquals(canceled(ring, 1), [2]);
  assertEquals(ring.cancel({ userData: 2n }), 0, "there is none any more");
  assertEquals(ring.cancel({ userData: -1 }), 0);
  assertEquals(takeNow(ring), []);
});

eachRing("cancel: by file, one or all", { when, only }, (ring) => {
  using fds = new Fds();
  const [one] = fds.pipe();
  const [other] = fds.pipe();
  poll(ring, one, one, other, one);
  assertEquals(ring.cancel({ fd: one }), 1);
  assertEquals(canceled(ring, 1).length, 1);
  assertEquals(ring.cancel({ fd: one, all: true }), 2);
  assertEquals(canceled(ring, 2).length, 2);
  assertEquals(ring.cancel({ fd: one, all: true }), 0);
  assertEquals(ring.cancel({ fd: other }), 1);
  assertEquals(canceled(ring, 1), [3]);
  const error = failure("EBADF", () => ring.cancel({ fd: 0x7fff_0000 }));
  assertEquals(error.op, "io_uring_register_sync_cancel");
  assertStringIncludes(error.message, "fd is not open");
});

eachRing("cancel: by registered file", { when, only }, (ring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  ring.files.register([-1, reader]);
  queue(ring, (sqe) => {
    prepPollAdd(sqe, 1, POLLIN);
    sqe.flags = IOSQE_FIXED_FILE;
    sqe.tag = 5;
  });
  ring.submit();
  failure("EBADF", () => ring.cancel({ fd: { index: 0 } }));
  failure("EBADF", () => ring.cancel({ fd: { index: 7 } }));
  assertEquals(ring.cancel({ fd: { index: 1 } }), 1);
  assertEquals(canceled(ring, 1), [5]);
});

eachRing("cancel: whatever there is", { when, only }, (ring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  assertEquals(ring.cancel({ any: true }), 0);
  poll(ring, reader, reader, reader);
  assertEquals(ring.cancel({ any: true }), 3);
  assertEquals(canceled(ring, 3), [1, 2, 3]);
});

eachRing("cancel: by opcode, and by several keys", {
  when: byOpcode,
  only,
}, (ring) => {
  using fds = new Fds();
  const [one] = fds.pipe();
  const [other] = fds.pipe();
  poll(ring, one, one, other);
  assertEquals(ring.cancel({ opcode: IORING_OP_READ, all: true }), 0);
  assertEquals(ring.cancel({ userData: 1, fd: other }), 0);
  assertEquals(ring.cancel({ userData: 1, fd: one }), 1);
  assertEquals(canceled(ring, 1), [1]);
  const opcode = IORING_OP_POLL_ADD;
  assertEquals(ring.cancel({ opcode, fd: other }), 1);
  assertEquals(canceled(ring, 1), [3]);
  assertEquals(ring.cancel({ opcode, all: true }), 1);
  assertEquals(canceled(ring, 1), [2]);
});

eachRing("cancel: what a worker sleeps in is interrupted", { when, only }, (
  ring,
) => {
  using fds = new Fds();
  const bell = fds.eventfd();
  const block = takeBlock(64);
  queue(ring, (sqe) => {
    prepRead(sqe, bell, block.address, 8, 0);
    sqe.flags = IOSQE_ASYNC;
    sqe.tag = 9;
  });
  ring.submit();
  // Told while the worker runs, it may be over by the time that the kernel looks for it again: Linux 6.1.
  const count = ring.cancel({ userData: 9, timeout: 5000 });
  assert(count === 0 || count === 1, `${count}`);
  const [seen] = take(ring, 1);
  assertEquals(seen?.userData, 9n);
  assertEquals([-ECANCELED, -4].includes(seen?.res ?? 0), true, `${seen?.res}`);
  block.release();
});

Deno.test("cancel: what is no request is refused before the kernel sees it", () => {
  const ring = new Ring(4);
  const cancel = (request: unknown) => () => ring.cancel(wrongly(request));
  for (const request of [undefined, null, 5, "any"]) {
    assertThrows(cancel(request), TypeError, "request must be an object");
  }
  for (const request of [{}, { all: true }, { any: true, userData: 1 }]) {
    assertThrows(cancel(request), TypeError, "give either any: true, or");
  }
  for (const userData of [null, "1", {}]) {
    assertThrows(cancel({ userData }), TypeError, "userData");
  }
  assertThrows(cancel({ userData: 1.5 }), RangeError, "userData");
  assertThrows(cancel({ userData: 1n << 64n }), RangeError, "userData");
  for (const fd of [null, "1", {}, { index: "1" }]) {
    assertThrows(cancel({ fd }), TypeError, "fd");
  }
  for (const fd of [-1, 1.5, { index: -1 }, { index: 2 ** 31 }]) {
    assertThrows(cancel({ fd }), RangeError, "fd");
  }
  assertThrows(cancel({ opcode: 256 }), RangeError, "opcode");
  assertThrows(cancel({ opcode: "nop" }), TypeError, "opcode");
  assertThrows(cancel({ any: true, timeout: -1 }), RangeError, "timeout");
  assertThrows(cancel({ any: true, timeout: "1" }), TypeError, "timeout");
  ring.close();
  assertThrows(cancel({ any: true }), TypeError, "closed");
});
