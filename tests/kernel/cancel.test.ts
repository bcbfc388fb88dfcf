import { assert, assertEquals, assertThrows } from "@std/assert";
import { ECANCELED } from "../../ffi/linux.ts";

import {
  AF_INET,
  IORING_OP_POLL_ADD,
  IORING_OP_TIMEOUT,
  SOCK_DGRAM,
} from "../../ffi/mod.ts";
import {
  cancel,
  cancelAny,
  cancelFd,
  cancelMatching,
  cancelOp,
} from "../../ops/cancel.ts";
import { type Fd, fdNumber, fixedFile, markFixed } from "../../ops/fd.ts";
import { close } from "../../ops/open.ts";
import { count, Op, release } from "../../ops/op.ts";
import { run } from "../../ops/run.ts";
import { timeout } from "../../ops/timeout.ts";
import { socket } from "../../ops/socket.ts";
import { Ring } from "../../ring/mod.ts";
import { queue, type Seen } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";

const HOUR = 3_600_000;
const POLLIN = 1;

/** Waits for another ring's completions, of which there are none. */
function poll(fd: Fd): Op<number> {
  return Op.of({
    opcode: IORING_OP_POLL_ADD,
    name: "poll_add",
    encode: (sqe) => {
      sqe.opFlags = POLLIN;
      sqe.prep(IORING_OP_POLL_ADD, fdNumber(fd), 0, 0, 0);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: count,
  });
}

/** Runs a cancellation; gives what it gives and the tags that were cancelled, sorted. */
function outcome(ring: Ring, op: Op<number>): [number, number[]] {
  const cancelled: Seen[] = [];
  const found = run(ring, op, {
    others: (completions) => cancelled.push(...completions),
  });
  // An op on its way may complete after the op that cancelled it.
  while (cancelled.length < found) {
    ring.wait(1);
    ring.forEachCqe(({ tag, res, flags, more }) => {
      cancelled.push({ tag, res, flags, more });
    });
  }
  assert(cancelled.every(({ res }) => res === -ECANCELED));
  return [found, cancelled.map(({ tag }) => tag).sort((a, b) => a - b)];
}

eachRing("cancel: by user_data", {}, (ring) => {
  using idle = new Ring(2);
  queue(ring, poll(idle.fd), 1);
  queue(ring, poll(idle.fd), 2);
  ring.submit();
  assertEquals(outcome(ring, cancel(2)), [1, [2]]);
  assertEquals(outcome(ring, cancel(1n)), [1, [1]]);
  assertThrows(
    () => run(ring, cancel(1)),
    Deno.errors.NotFound,
    "async_cancel",
  );
});

eachRing("cancel: a timeout", {}, (ring) => {
  const held = queue(ring, timeout(HOUR), 5);
  ring.submit();
  assertEquals(outcome(ring, cancel(5)), [1, [5]]);
  release(held);
});

// The flags that match by file, any and all came with 5.19, as socket did.
eachRing(
  "cancel: all with a user_data, or one",
  { needs: ["socket"] },
  (ring) => {
    using idle = new Ring(2);
    for (const tag of [3, 3, 3, 4]) queue(ring, poll(idle.fd), tag);
    ring.submit();
    assertEquals(outcome(ring, cancel(3)), [1, [3]]);
    assertEquals(outcome(ring, cancel(3, { all: true })), [2, [3, 3]]);
    assertEquals(outcome(ring, cancel(3, { all: true })), [0, []]);
    assertEquals(outcome(ring, cancelAny()), [1, [4]]);
  },
);

eachRing("cancelFd: one or all on a file", { needs: ["socket"] }, (ring) => {
  using idle = new Ring(2);
  using other = new Ring(2);
  for (const tag of [1, 2, 3]) queue(ring, poll(idle.fd), tag);
  queue(ring, poll(other.fd), 4);
  ring.submit();
  const [found, [first]] = outcome(ring, cancelFd(idle.fd));
  assertEquals(found, 1);
  const rest = [1, 2, 3].filter((tag) => tag !== first);
  assertEquals(outcome(ring, cancelFd(idle.fd, { all: true })), [2, rest]);
  assertThrows(() => run(ring, cancelFd(idle.fd)), Deno.errors.NotFound);
  assertEquals(outcome(ring, cancelFd(other.fd)), [1, [4]]);
});

eachRing("cancelFd: of no open file", { needs: ["socket"] }, (ring) => {
  assertThrows(() => run(ring, cancelFd(0x7fff_ffff)), Error, "EBADF");
});

// Registered files can be matched since 6.0, as send_zc.
eachRing("cancelFd: on a registered file", { needs: ["sendZc"] }, (ring) => {
  const silent = () => run(ring, socket(AF_INET, SOCK_DGRAM));
  const sockets = [silent(), silent()];
  ring.files.register(sockets);
  queue(ring, poll(fixedFile(1)), 1);
  queue(ring, poll(fixedFile(1)), 2);
  queue(ring, poll(fixedFile(0)), 3);
  ring.submit();
  const all = cancelFd(fixedFile(1), { all: true });
  assertEquals(outcome(ring, all), [2, [1, 2]]);
  assertEquals(outcome(ring, cancelAny()), [1, [3]]);
  assertThrows(() => run(ring, cancelFd(fixedFile(7))), Error, "EBADF");
  for (const fd of sockets) run(ring, close(fd));
});

// Opcodes and several keys can be matched since 6.6; multishot reads came with 6.7.
eachRing(
  "cancelOp: ops of one opcode",
  { needs: ["readMultishot"] },
  (ring) => {
    using idle = new Ring(2);
    const held = [1, 2].map((tag) => queue(ring, timeout(HOUR), tag));
    for (const tag of [3, 4, 5]) queue(ring, poll(idle.fd), tag);
    ring.submit();
    const polls = cancelOp(IORING_OP_POLL_ADD, { all: true });
    assertEquals(outcome(ring, polls), [3, [3, 4, 5]]);
    assertThrows(
      () => run(ring, cancelOp(IORING_OP_POLL_ADD)),
      Error,
      "ENOENT",
    );
    const timeouts = cancelOp(IORING_OP_TIMEOUT, { all: true });
    assertEquals(outcome(ring, timeouts), [2, [1, 2]]);
    held.forEach(release);
  },
);

eachRing(
  "cancelMatching: every key must match",
  { needs: ["readMultishot"] },
  (ring) => {
    using idle = new Ring(2);
    using other = new Ring(2);
    queue(ring, poll(idle.fd), 1);
    queue(ring, poll(idle.fd), 2);
    queue(ring, poll(other.fd), 1);
    ring.submit();
    const absent = cancelMatching({ fd: other.fd, userData: 2 });
    assertThrows(() => run(ring, absent), Deno.errors.NotFound);
    const match = { fd: idle.fd, userData: 1, all: true };
    assertEquals(outcome(ring, cancelMatching(match)), [1, [1]]);
    const kind = { fd: idle.fd, opcode: IORING_OP_POLL_ADD, all: true };
    assertEquals(outcome(ring, cancelMatching(kind)), [1, [2]]);
    assertEquals(outcome(ring, cancelAny()), [1, [1]]);
  },
);

eachRing(
  "cancelAny: everything, of every kind",
  { needs: ["socket"] },
  (ring) => {
    using idle = new Ring(2);
    const held = [1, 2, 3].map((tag) => queue(ring, timeout(HOUR), tag));
    for (const tag of [4, 5]) queue(ring, poll(idle.fd), tag);
    ring.submit();
    assertEquals(outcome(ring, cancelAny()), [5, [1, 2, 3, 4, 5]]);
    assertEquals(outcome(ring, cancelAny()), [0, []]);
    held.forEach(release);
  },
);
