// Polls: once, again and again, removed, changed.

import { assert, assertEquals } from "@std/assert";
import { ECANCELED } from "../../ffi/linux.ts";
import {
  AF_INET,
  EPOLLEXCLUSIVE,
  IORING_POLL_ADD_LEVEL,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  SHUT_WR,
  SOCK_STREAM,
} from "../../ffi/mod.ts";
import * as ops from "../../ops/mod.ts";
import { run } from "../../ops/mod.ts";
import type { Ring } from "../../ring/mod.ts";
import { failure } from "../support/files.ts";
import { collect, queue } from "../support/queue.ts";
import {
  kernelSince,
  nameOf,
  readNow,
  recvNow,
  sendNow,
  socketTest,
  writeNow,
} from "../support/sockets.ts";

/** 1, as an eventfd takes it. */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** Lets the kernel run what is due, and tells whether something completed. */
function completesSoon(ring: Ring): boolean {
  ring.submit();
  return ring.wait(1, { timeout: 10 }) > 0;
}

socketTest(
  "pollAdd: what holds already",
  { needs: ["pollAdd"] },
  (ring, fds) => {
    const [one, other] = fds.pair();
    assertEquals(run(ring, ops.pollAdd(one, POLLIN | POLLOUT)), POLLOUT);
    sendNow(other, "x");
    assertEquals(
      run(ring, ops.pollAdd(one, POLLIN | POLLOUT)),
      POLLIN | POLLOUT,
    );
    assertEquals(run(ring, ops.pollAdd(one, POLLIN)), POLLIN);
  },
);

socketTest(
  "pollAdd: waits for what does not hold yet",
  { needs: ["pollAdd"] },
  (ring, fds) => {
    const [one, other] = fds.pair();
    ops.release(queue(ring, ops.pollAdd(one, POLLIN), 1));
    assert(!completesSoon(ring));
    sendNow(other, "x");
    assertEquals(collect(ring, 1).map(({ res, more }) => [res, more]), [
      [POLLIN, false],
    ]);
    // It was for once.
    recvNow(one);
    sendNow(other, "y");
    assert(!completesSoon(ring));
  },
);

socketTest("pollAdd: ends and errors come without being asked for", {
  needs: ["pollAdd"],
}, (ring, fds) => {
  const [reader, writer] = fds.pipe();
  fds.close(writer);
  assertEquals(run(ring, ops.pollAdd(reader, POLLIN)), POLLHUP);
  const [reader2, writer2] = fds.pipe();
  fds.close(reader2);
  assertEquals(run(ring, ops.pollAdd(writer2, 0)), POLLERR);

  const [one, other] = fds.tcpPair();
  ops.release(queue(ring, ops.pollAdd(one, POLLRDHUP), 1));
  assert(!completesSoon(ring));
  if (ops.opcodes.shutdown.supported()) {
    ops.release(queue(ring, ops.shutdown(other, SHUT_WR), 2));
  } else {
    fds.close(other);
  }
  const seen = collect(ring, 1);
  if (seen.length < 2) seen.push(...collect(ring, seen[0]?.tag === 2 ? 1 : 0));
  const poll = seen.find(({ tag }) => tag === 1);
  assertEquals((poll?.res ?? 0) & POLLRDHUP, POLLRDHUP);
});

socketTest(
  "pollAdd: many wait for one file",
  { needs: ["pollAdd"] },
  (ring, fds) => {
    const fd = fds.eventfd();
    for (let tag = 0; tag < 8; tag++) {
      ops.release(queue(ring, ops.pollAdd(fd, POLLIN), tag));
    }
    assert(!completesSoon(ring));
    writeNow(fd, ONE);
    const seen = collect(ring, 8);
    assertEquals(seen.map(({ tag }) => tag).sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert(seen.every(({ res }) => res === POLLIN));
  },
);

socketTest("pollAdd: EPOLLEXCLUSIVE wakes one, not all", {
  needs: ["pollAdd"],
  when: kernelSince(5, 9),
}, (ring, fds) => {
  const listener = fds.listener();
  for (let tag = 1; tag <= 3; tag++) {
    ops.release(
      queue(ring, ops.pollAdd(listener, POLLIN | EPOLLEXCLUSIVE), tag),
    );
  }
  assert(!completesSoon(ring));
  fds.connected(AF_INET, SOCK_STREAM, nameOf(listener));
  assertEquals(collect(ring, 1).map(({ res }) => res), [POLLIN]);
  assert(!completesSoon(ring));
});

socketTest("pollAdd: what is refused", { needs: ["pollAdd"] }, (ring) => {
  failure("EBADF", () => run(ring, ops.pollAdd(1_000_000, POLLIN)));
});

socketTest("pollAdd: runs out of time", {
  needs: ["pollAdd", "linkTimeout"],
}, (ring, fds) => {
  const op = ops.pollAdd(fds.eventfd(), POLLIN);
  failure("ETIMEDOUT", () => run(ring, op, { timeout: 10 }));
});

// Multishot came with 5.13; no opcode tells, 5.15 brought mkdirat.

socketTest("pollMultishot: every announcement, until removed", {
  needs: ["mkdirat"],
}, (ring, fds) => {
  const fd = fds.eventfd();
  writeNow(fd, ONE);
  ops.release(queue(ring, ops.pollMultishot(fd, POLLIN), 1));
  ring.submit();
  const fired = () => collect(ring, 1).map(({ res, more }) => [res, more]);
  // At once, because it holds; then at each write, though nobody reads.
  assertEquals(fired(), [[POLLIN, true]]);
  assert(!completesSoon(ring));
  for (let round = 0; round < 3; round++) {
    writeNow(fd, ONE);
    assertEquals(fired(), [[POLLIN, true]]);
  }
  readNow(fd, 8);
  assert(!completesSoon(ring));

  ops.release(queue(ring, ops.pollRemove(1), 2));
  const last = collect(ring, 2).sort((a, b) => a.tag - b.tag);
  assertEquals(last.map(({ res, more }) => [res, more]), [
    [-ECANCELED, false],
    [0, false],
  ]);
});

socketTest("pollMultishot: level-triggered is a number that kernels refuse", {
  needs: ["mkdirat"],
}, (ring, fds) => {
  const fd = fds.eventfd();
  const op = ops.pollMultishot(fd, POLLIN);
  ops.release(queue(ring, op, 1));
  // What the builder does not offer.
  const sqe = ring.sqe();
  assert(sqe !== null);
  ops.prepPollMultishot(sqe, fd, POLLIN);
  sqe.len |= IORING_POLL_ADD_LEVEL;
  sqe.tag = 2;
  const [seen] = collect(ring, 1);
  assertEquals([seen?.tag, seen?.res], [2, -22]);
  // One-shot polls anew are level-triggered: each completes as long as there is something.
  writeNow(fd, ONE);
  collect(ring, 1);
  for (let round = 0; round < 3; round++) {
    assertEquals(run(ring, ops.pollAdd(fd, POLLIN)), POLLIN);
  }
});

socketTest("pollMultishot: a full completion queue loses no event", {
  needs: ["mkdirat"],
  options: { entries: 2, cqEntries: 4 },
}, (ring, fds) => {
  const pipes = [fds.pipe(), fds.pipe()];
  pipes.forEach(([reader], i) =>
    ops.release(queue(ring, ops.pollMultishot(reader, POLLIN), i))
  );
  ring.submit();
  const writes = 10;
  for (let round = 0; round < writes; round++) {
    for (const [, writer] of pipes) writeNow(writer, Uint8Array.of(round));
  }
  // Where the queue overflowed, the poll may have ended: whoever sees that looks again.
  const last = new Map<number, boolean>();
  for (let idle = false; !idle;) {
    idle = !completesSoon(ring);
    ring.forEachCqe(({ tag, res, more }) => {
      assertEquals(res & POLLIN, POLLIN);
      last.set(tag, more);
    });
  }
  assertEquals([...last.keys()].sort(), [0, 1]);
  for (const [reader] of pipes) {
    assertEquals(readNow(reader, 64).length, writes);
  }
});

socketTest("pollRemove: none, or one that completes with ECANCELED", {
  needs: ["pollAdd", "pollRemove"],
}, (ring, fds) => {
  const error = failure("ENOENT", () => run(ring, ops.pollRemove(7)));
  assert(error.message.includes("may have completed"));
  const fd = fds.eventfd();
  const sqe = ring.sqe();
  assert(sqe !== null);
  ops.prepPollAdd(sqe, fd, POLLIN);
  const userData = 0xfedc_ba98_7654_3210n;
  sqe.userData = userData;
  ring.submit();
  ops.release(queue(ring, ops.pollRemove(userData), 1));
  const results = collect(ring, 2).map(({ tag, res }) => [tag, res]);
  assertEquals(results.sort(), [[0x7654_3210, -ECANCELED], [1, 0]].sort());
});

socketTest("pollUpdate: other events", { needs: ["mkdirat"] }, (ring, fds) => {
  const [one] = fds.pair();
  ops.release(queue(ring, ops.pollAdd(one, POLLIN), 1));
  assert(!completesSoon(ring));
  ops.release(queue(ring, ops.pollUpdate(1, { events: POLLOUT }), 2));
  const seen = collect(ring, 2).map(({ tag, res }) => [tag, res]);
  assertEquals(seen.sort(), [[1, POLLOUT], [2, 0]]);
});

socketTest("pollUpdate: another user_data, of a multishot that goes on", {
  needs: ["mkdirat"],
}, (ring, fds) => {
  const [one, other] = fds.pair();
  ops.release(queue(ring, ops.pollMultishot(one, POLLIN), 1));
  assert(!completesSoon(ring));
  ops.release(queue(ring, ops.pollUpdate(1, { userData: 9n }), 2));
  assertEquals(collect(ring, 1).map(({ tag, res }) => [tag, res]), [[2, 0]]);
  for (let round = 0; round < 2; round++) {
    sendNow(other, "x");
    const [seen] = collect(ring, 1);
    assertEquals([seen?.tag, seen?.res, seen?.more], [9, POLLIN, true]);
  }
  const both = { events: POLLIN | POLLOUT, userData: 5 };
  ops.release(queue(ring, ops.pollUpdate(9, both), 3));
  const seen = collect(ring, 2).sort((a, b) => a.tag - b.tag);
  assertEquals(seen.map(({ tag }) => tag), [3, 5]);
  assertEquals(seen[1]?.res, POLLIN | POLLOUT);
});

socketTest("pollUpdate: there is none", { needs: ["mkdirat"] }, (ring) => {
  const error = failure("ENOENT", () => {
    run(ring, ops.pollUpdate(3, { events: POLLIN }));
  });
  assert(error instanceof Deno.errors.NotFound);
});
