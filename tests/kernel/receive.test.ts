// Receiving bytes: into the caller's buffers and into provided ones, once and again and again.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AF_INET,
  IORING_SETUP_CQE32,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  MSG_DONTWAIT,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  POLLIN,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../ffi/mod.ts";
import * as ops from "../../ops/mod.ts";
import { type Received, run } from "../../ops/mod.ts";
import type { Ring } from "../../ring/mod.ts";
import { failure } from "../support/files.ts";
import { collect, queue } from "../support/queue.ts";
import {
  kernelSince,
  LOOPBACK,
  nameOf,
  sendNow,
  socketTest,
  stop,
} from "../support/sockets.ts";

const decoder = new TextDecoder();

function text(bytes: Uint8Array, length: number): string {
  return decoder.decode(bytes.subarray(0, length));
}

/** The results of the next completions of a multishot op. */
function results<T>(ring: Ring, op: ops.Op<T>, count: number): T[] {
  return collect(ring, count).map((seen) => op.finish(seen, undefined));
}

/** What one completion of an ordinary receive into a provided buffer gives. */
function got(
  length: number,
  bufferId: number,
  more: boolean,
): Partial<Received> {
  return { length, bufferId, more, partial: false };
}

/** Without what depends on how fast the other end was. */
function plain({ nonEmpty: _, ...rest }: Received): Partial<Received> {
  return rest;
}

socketTest("recv: what is there, then what comes, then the end", {
  needs: ["recv"],
}, (ring, fds) => {
  const [one, other] = fds.pair();
  const buffer = new Uint8Array(8).fill(0xee);
  sendNow(other, "abc");
  assertEquals(run(ring, ops.recv(one, buffer)), 3);
  assertEquals(buffer, Uint8Array.of(97, 98, 99, ...Array(5).fill(0xee)));

  const later = ops.recv(one, buffer);
  const held = queue(ring, later, 1);
  ring.submit();
  assertEquals(ring.wait(1, { timeout: 5 }), 0);
  sendNow(other, "0123456789");
  const [seen] = collect(ring, 1);
  assert(seen !== undefined);
  assertEquals(later.finish(seen, held), 8);
  assertEquals(text(buffer, 8), "01234567");
  assertEquals(run(ring, ops.recv(one, buffer)), 2);

  fds.close(other);
  assertEquals(run(ring, ops.recv(one, buffer)), 0);
});

socketTest("recv: into views of any kind", { needs: ["recv"] }, (ring, fds) => {
  const [one, other] = fds.pair();
  const words = new Uint32Array(4);
  sendNow(other, Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0));
  assertEquals(run(ring, ops.recv(one, words.subarray(1))), 8);
  assertEquals(words, Uint32Array.of(0, 1, 2, 0));
  const shared = new DataView(new SharedArrayBuffer(4), 2);
  sendNow(other, Uint8Array.of(7, 8));
  assertEquals(run(ring, ops.recv(one, shared)), 2);
  assertEquals(shared.getUint16(0), 0x708);
});

socketTest("recv: flags", { needs: ["recv"] }, (ring, fds) => {
  const [one, other] = fds.pair();
  const buffer = new Uint8Array(6);
  failure("EAGAIN", () => {
    run(ring, ops.recv(one, buffer, { flags: MSG_DONTWAIT }));
  });
  sendNow(other, "abc");
  assertEquals(run(ring, ops.recv(one, buffer, { flags: MSG_PEEK })), 3);
  const whole = ops.recv(one, buffer, { flags: MSG_WAITALL });
  const held = queue(ring, whole, 1);
  ring.submit();
  assertEquals(ring.wait(1, { timeout: 5 }), 0);
  sendNow(other, "def");
  const [seen] = collect(ring, 1);
  assert(seen !== undefined);
  assertEquals(whole.finish(seen, held), 6);
  assertEquals(text(buffer, 6), "abcdef");
});

socketTest("recv: the true length of a datagram that was cut", {
  needs: ["recv"],
}, (ring, fds) => {
  const [one, other] = fds.pair(SOCK_DGRAM);
  sendNow(other, "0123456789");
  sendNow(other, "next");
  const buffer = new Uint8Array(4);
  assertEquals(run(ring, ops.recv(one, buffer, { flags: MSG_TRUNC })), 10);
  assertEquals(run(ring, ops.recv(one, buffer)), 4);
  assertEquals(text(buffer, 4), "next");
});

socketTest("recv: expecting nothing, it finds something all the same", {
  needs: ["recv"],
  when: kernelSince(5, 19),
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  sendNow(other, "ready");
  const buffer = new Uint8Array(8);
  assertEquals(run(ring, ops.recv(one, buffer, { pollFirst: true })), 5);
});

socketTest("recv: what is refused", { needs: ["recv"] }, (ring, fds) => {
  const buffer = new Uint8Array(8);
  const lonely = fds.socket(AF_INET, SOCK_STREAM);
  const error = failure("ENOTCONN", () => run(ring, ops.recv(lonely, buffer)));
  assert(error instanceof Deno.errors.NotConnected);
  failure("ENOTSOCK", () => run(ring, ops.recv(fds.eventfd(), buffer)));
  failure("EBADF", () => run(ring, ops.recv(1_000_000, buffer)));
});

socketTest("recv: runs out of time", { needs: ["recv"] }, (ring, fds) => {
  const op = ops.recv(fds.pair()[0], new Uint8Array(8));
  failure("ETIMEDOUT", () => run(ring, op, { timeout: 10 }));
});

socketTest("recv: a buffer that is transferred away meanwhile is noticed", {
  needs: ["recv"],
}, (ring, fds) => {
  const [one, other] = fds.pair();
  const buffer = new Uint8Array(8);
  const op = ops.recv(one, buffer);
  const held = queue(ring, op, 1);
  ring.submit();
  const moved = buffer.buffer.transfer();
  sendNow(other, "where?");
  const [seen] = collect(ring, 1);
  assert(seen !== undefined);
  assertThrows(
    () => op.finish(seen, held),
    TypeError,
    "recv: the buffer was transferred away",
  );
  assertEquals(text(new Uint8Array(moved), 6), "where?");
});

socketTest("recv: a provided buffer is taken when something is there", {
  needs: ["recv", "provideBuffers"],
}, (ring, fds) => {
  const [one, other] = fds.pair();
  const memory = new Uint8Array(3 * 16);
  const op = ops.recv(one, { bufferGroup: 5 });
  sendNow(other, "abc");
  const error = failure("ENOBUFS", () => run(ring, op));
  assert(error.message.includes("Group 5 has no free buffer"));
  run(ring, ops.provideBuffers(memory, 16, 5, { firstId: 100 }));
  // Which of them the kernel takes is its own affair.
  const first = run(ring, op);
  const at = (id: number) => memory.subarray(16 * (id - 100));
  assertEquals(first.length, 3);
  assertEquals(text(at(first.bufferId), 3), "abc");
  sendNow(other, "0123456789");
  const second = run(ring, ops.recv(one, { bufferGroup: 5, length: 4 }));
  assertEquals(text(at(second.bufferId), second.length), "0123");
  const third = run(ring, op);
  assertEquals(text(at(third.bufferId), third.length), "456789");
  const ids = [first, second, third].map(({ bufferId }) => bufferId).sort();
  assertEquals(ids, [100, 101, 102]);
  sendNow(other, "x");
  failure("ENOBUFS", () => run(ring, op));
});

socketTest("recv: the end of the stream takes no provided buffer", {
  needs: ["recv", "provideBuffers"],
  when: kernelSince(6, 0),
}, (ring, fds) => {
  const [one, other] = fds.pair();
  run(ring, ops.provideBuffers(new Uint8Array(16), 16, 5));
  fds.close(other);
  const { length, more } = run(ring, ops.recv(one, { bufferGroup: 5 }));
  assertEquals([length, more], [0, false]);
});

// Multishot receives came with 6.0, as send_zc did; buffer rings with 5.19.
const multishot = { needs: ["sendZc"] as ops.OpcodeName[] };

socketTest(
  "recvMultishot: message after message, to the end",
  multishot,
  (ring, fds) => {
    const [one, other] = fds.pair(SOCK_STREAM);
    using buffers = ring.setupBufRing({ entries: 4, group: 3, bufferSize: 8 });
    const op = ops.recvMultishot(one, { bufferGroup: 3 });
    ops.release(queue(ring, op, 1));
    sendNow(other, "first");
    const [first] = results(ring, op, 1);
    assert(first !== undefined);
    assertEquals(plain(first), got(5, 0, true));
    assertEquals(text(buffers.bytes(0), 5), "first");
    // More than one buffer holds: the next goes on.
    sendNow(other, "0123456789");
    const rest = results(ring, op, 2);
    assertEquals(rest.map(plain), [got(8, 1, true), got(2, 2, true)]);
    assertEquals(
      text(buffers.bytes(1), 8) + text(buffers.bytes(2), 2),
      "0123456789",
    );
    fds.close(other);
    const [last] = results(ring, op, 1);
    assertEquals([last?.length, last?.more], [0, false]);
  },
);

socketTest(
  "recvMultishot: an empty group ends it, and loses nothing",
  multishot,
  (ring, fds) => {
    const [one, other] = fds.pair();
    using buffers = ring.setupBufRing({ entries: 2, group: 3, bufferSize: 4 });
    const op = ops.recvMultishot(one, { bufferGroup: 3 });
    ops.release(queue(ring, op, 1));
    sendNow(other, "0123456789");
    const seen = collect(ring, 3);
    assertEquals(seen.map(({ res, more }) => [res, more]), [
      [4, true],
      [4, true],
      [-105, false],
    ]);
    const last = seen.at(-1);
    assert(last !== undefined);
    assertThrows(
      () => op.finish(last, undefined),
      Error,
      "Group 3 has no free",
    );

    // Of both, as before Linux 6.13 it looks for the next buffer at once.
    buffers.add(0);
    buffers.add(1);
    buffers.advance();
    ops.release(queue(ring, op, 1));
    const [rest] = results(ring, op, 1);
    assert(rest !== undefined);
    assertEquals(plain(rest), got(2, 0, true));
    assertEquals(text(buffers.bytes(0), 2), "89");
    stop(ring, 1);
  },
);

socketTest(
  "recvMultishot: buffers given back in time keep it going",
  multishot,
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    using buffers = ring.setupBufRing({ entries: 4, group: 3, bufferSize: 64 });
    const op = ops.recvMultishot(one, { bufferGroup: 3, pollFirst: true });
    ops.release(queue(ring, op, 1));
    ring.submit();
    for (let round = 0; round < 50; round++) {
      sendNow(other, `round ${round}`);
      const [received] = results(ring, op, 1);
      assert(received !== undefined && received.more);
      const bytes = buffers.bytes(received.bufferId);
      assertEquals(text(bytes, received.length), `round ${round}`);
      buffers.add(received.bufferId);
      buffers.advance();
    }
    stop(ring, 1);
  },
);

socketTest(
  "recvMultishot: a socket says that it has more",
  multishot,
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    using _buffers = ring.setupBufRing({ entries: 4, group: 3, bufferSize: 4 });
    sendNow(other, "01234567");
    run(ring, ops.pollAdd(one, POLLIN));
    const op = ops.recvMultishot(one, { bufferGroup: 3 });
    ops.release(queue(ring, op, 1));
    const [first, second] = results(ring, op, 2);
    assertEquals([first?.nonEmpty, second?.nonEmpty], [true, false]);
    stop(ring, 1);
  },
);

socketTest("recvMultishot: cancelled", multishot, (ring, fds) => {
  const [one] = fds.pair();
  using _buffers = ring.setupBufRing({ entries: 2, group: 3, bufferSize: 4 });
  ops.release(queue(ring, ops.recvMultishot(one, { bufferGroup: 3 }), 1));
  ring.submit();
  ops.release(queue(ring, ops.cancel(1), 2));
  const seen = collect(ring, 2).sort((a, b) => a.tag - b.tag);
  assertEquals(seen.map(({ res, more }) => [res, more]), [
    [-125, false],
    [0, false],
  ]);
});

socketTest(
  "recvMultishot: datagrams keep their borders",
  multishot,
  (ring, fds) => {
    const [one, other] = fds.pair(SOCK_DGRAM);
    using buffers = ring.setupBufRing({ entries: 4, group: 3, bufferSize: 8 });
    for (const each of ["a", "bcd", "too long for it"]) sendNow(other, each);
    const op = ops.recvMultishot(one, { bufferGroup: 3 });
    ops.release(queue(ring, op, 1));
    const received = results(ring, op, 3);
    assertEquals(
      received.map(({ bufferId, length }) =>
        text(buffers.bytes(bufferId), length)
      ),
      ["a", "bcd", "too long"],
    );
    stop(ring, 1);
  },
);

socketTest("recvMultishot: length each time, and a limit over all", {
  needs: ["sendZc"],
  when: kernelSince(6, 17),
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  using buffers = ring.setupBufRing({ entries: 8, group: 3, bufferSize: 64 });
  sendNow(other, "0123456789");
  run(ring, ops.pollAdd(one, POLLIN));
  const op = ops.recvMultishot(one, { bufferGroup: 3, length: 4, limit: 8 });
  ops.release(queue(ring, op, 1));
  const received = results(ring, op, 2);
  assertEquals(received.map(({ length, more }) => [length, more]), [
    [4, true],
    [4, false],
  ]);
  assertEquals(text(buffers.bytes(1), 4), "4567");
});

// Bundles came with 6.10; bind with 6.11.

socketTest("recv: a bundle fills several buffers, in their order", {
  needs: ["bind"],
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  using buffers = ring.setupBufRing({ entries: 8, group: 3, bufferSize: 16 });
  const sent = "the quick brown fox jumps over the lazy dog";
  sendNow(other, sent);
  run(ring, ops.pollAdd(one, POLLIN));
  const op = ops.recv(one, { bufferGroup: 3, bundle: true });
  let seen = "";
  let next = 0;
  while (seen.length < sent.length) {
    const { length, bufferId } = run(ring, op);
    assertEquals(bufferId, next);
    for (let left = length; left > 0; left -= 16) {
      seen += text(buffers.bytes(next++), Math.min(left, 16));
    }
  }
  assertEquals(seen, sent);
});

socketTest("recvMultishot: bundles", { needs: ["bind"] }, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  using buffers = ring.setupBufRing({ entries: 16, group: 3, bufferSize: 8 });
  const op = ops.recvMultishot(one, { bufferGroup: 3, bundle: true });
  ops.release(queue(ring, op, 1));
  ring.submit();
  const sent = "0123456789abcdefghijklmnopqrstuvwxyz";
  sendNow(other, sent);
  let seen = "";
  while (seen.length < sent.length) {
    for (const { length, bufferId } of results(ring, op, 1)) {
      let id = bufferId;
      for (let left = length; left > 0; left -= 8) {
        seen += text(buffers.bytes(id++), Math.min(left, 8));
      }
    }
  }
  assertEquals(seen, sent);
  stop(ring, 1);
});

// Incremental buffer rings came with 6.12; epoll_wait is of 6.15.

socketTest("recvMultishot: an incremental buffer is used piece by piece", {
  needs: ["epollWait"],
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  using buffers = ring.setupBufRing({
    entries: 2,
    group: 3,
    bufferSize: 10,
    incremental: true,
  });
  const op = ops.recvMultishot(one, { bufferGroup: 3 });
  ops.release(queue(ring, op, 1));
  ring.submit();
  const pieces = ["abc", "defgh", "ij"].map((piece) => {
    sendNow(other, piece);
    return results(ring, op, 1)[0];
  });
  assertEquals(
    pieces.map((piece) => [piece?.length, piece?.bufferId, piece?.partial]),
    [[3, 0, true], [5, 0, true], [2, 0, false]],
  );
  assertEquals(text(buffers.bytes(0), 10), "abcdefghij");
  stop(ring, 1);
});

socketTest("recvZc: a ring without the queue says what it needs", {
  needs: ["recvZc"],
  only: ["liburing"],
  options: {
    flags: IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
      IORING_SETUP_CQE32,
  },
}, (ring, fds) => {
  const [one] = fds.tcpPair();
  const op = ops.recvZc(one, { interfaceQueue: 0 });
  ops.release(queue(ring, op, 1));
  const [seen] = collect(ring, 1);
  assert(seen !== undefined);
  assertThrows(() => op.finish(seen, undefined), Error, "interface queue 0");
});

socketTest("recv: datagrams from anybody, or from the one connected to", {
  needs: ["recv"],
}, (ring, fds) => {
  const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
  const friend = fds.connected(AF_INET, SOCK_DGRAM, nameOf(target));
  const stranger = fds.connected(AF_INET, SOCK_DGRAM, nameOf(target));
  sendNow(friend, "friend");
  sendNow(stranger, "stranger");
  const buffer = new Uint8Array(16);
  assertEquals(run(ring, ops.recv(target, buffer)), 6);
  assertEquals(run(ring, ops.recv(target, buffer)), 8);
});
