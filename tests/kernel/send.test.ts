// Sending: bytes, datagrams, messages, provided buffers, and without copying.

import { assert, assertEquals } from "@std/assert";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IORING_CQE_F_MORE,
  IORING_CQE_F_NOTIF,
  Memory,
  MSG_DONTWAIT,
  MSG_WAITALL,
  SOCK_DGRAM,
  SOCK_STREAM,
} from "../../ffi/mod.ts";
import * as ops from "../../ops/mod.ts";
import { run } from "../../ops/mod.ts";
import type { Ring } from "../../ring/mod.ts";
import { failure, pattern } from "../support/files.ts";
import { collect, queue, type Seen } from "../support/queue.ts";
import {
  EOPNOTSUPP,
  type Fds,
  kernelSince,
  LOOPBACK,
  nameOf,
  recvNow,
  socketTest,
  uniqueName,
} from "../support/sockets.ts";

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);

/** Receives on a ring until so many bytes have come. */
function receiveAll(ring: Ring, fd: number, length: number): Uint8Array {
  const all = new Uint8Array(length);
  const flags = MSG_WAITALL;
  assertEquals(run(ring, ops.recv(fd, all, { flags })), length);
  return all;
}

socketTest("send: bytes of a stream", { needs: ["send"] }, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  assertEquals(run(ring, ops.send(one, bytes("hello"))), 5);
  assertEquals(recvNow(other), "hello");
  const words = Uint16Array.of(0x6161, 0x6262, 0x6363);
  assertEquals(run(ring, ops.send(one, words.subarray(1, 2))), 2);
  assertEquals(recvNow(other), "bb");
  assertEquals(run(ring, ops.send(one, new Uint8Array())), 0);
});

socketTest(
  "send: datagrams, empty ones too",
  { needs: ["send"] },
  (ring, fds) => {
    const [one, other] = fds.pair(SOCK_DGRAM);
    for (const text of ["a", "", "bcd"]) {
      assertEquals(run(ring, ops.send(one, bytes(text))), text.length);
    }
    assertEquals([recvNow(other), recvNow(other), recvNow(other)], [
      "a",
      "",
      "bcd",
    ]);
  },
);

socketTest("send: a full socket, with and without patience", {
  needs: ["send"],
}, (ring, fds) => {
  const [one, other] = fds.pair();
  const data = pattern(1 << 20);
  const sent = run(ring, ops.send(one, data, { flags: MSG_DONTWAIT }));
  assert(sent > 0 && sent < data.length);
  failure("EAGAIN", () => {
    run(ring, ops.send(one, data, { flags: MSG_DONTWAIT }));
  });
  assertEquals(receiveAll(ring, other, sent), data.subarray(0, sent));

  const whole = ops.send(one, data, { flags: MSG_WAITALL });
  const held = queue(ring, whole, 1);
  const received = new Uint8Array(data.length);
  const reader = ops.recv(other, received, { flags: MSG_WAITALL });
  const room = queue(ring, reader, 2);
  const results = collect(ring, 2).map(({ res }) => res);
  assertEquals(results, [data.length, data.length]);
  assertEquals(received, data);
  ops.release(held);
  ops.release(room);
});

socketTest("send: expecting a full socket, it sends all the same", {
  needs: ["send"],
  when: kernelSince(5, 19),
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  assertEquals(run(ring, ops.send(one, bytes("x"), { pollFirst: true })), 1);
  assertEquals(recvNow(other), "x");
});

socketTest("send: what is refused", { needs: ["send"] }, (ring, fds) => {
  const data = new Uint8Array(10);
  failure("ENOTSOCK", () => run(ring, ops.send(fds.eventfd(), data)));
  const unconnected = fds.socket(AF_INET, SOCK_DGRAM);
  failure("EDESTADDRREQ", () => run(ring, ops.send(unconnected, data)));
  const [one, other] = fds.pair();
  fds.close(other);
  const error = failure("EPIPE", () => run(ring, ops.send(one, data)));
  assert(error instanceof Deno.errors.BrokenPipe);
  const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
  const sender = fds.connected(AF_INET, SOCK_DGRAM, nameOf(target));
  failure(
    "EMSGSIZE",
    () => run(ring, ops.send(sender, new Uint8Array(70_000))),
  );
});

// A destination in the entry came with 6.2 for send; waitid is of 6.7.

const families = [
  ["IPv4", AF_INET, { hostname: "127.0.0.1", port: 0 }],
  ["IPv6", AF_INET6, { hostname: "::1", port: 0 }],
  ["Unix", AF_UNIX, uniqueName()],
] as const;

for (const [name, domain, address] of families) {
  socketTest(`sendto: ${name}`, { needs: ["sendmsgZc"] }, (ring, fds) => {
    const target = fds.bound(domain, SOCK_DGRAM, address);
    const sender = fds.socket(domain, SOCK_DGRAM);
    const op = ops.sendto(sender, bytes("to you"), nameOf(target));
    assertEquals(run(ring, op), 6);
    assertEquals(run(ring, op), 6);
    assertEquals([recvNow(target), recvNow(target)], ["to you", "to you"]);
  });
}

socketTest("sendto: nobody is there", { needs: ["sendmsgZc"] }, (ring, fds) => {
  const sender = fds.socket(AF_UNIX, SOCK_DGRAM);
  const { path } = uniqueName();
  const error = failure("ECONNREFUSED", () => {
    run(ring, ops.sendto(sender, bytes("x"), { path }));
  });
  assertEquals(error.path, `@${path.slice(1)}`);
});

socketTest(
  "sendmsg: several buffers, to an address",
  { needs: ["sendmsg"] },
  (ring, fds) => {
    const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
    const sender = fds.socket(AF_INET, SOCK_DGRAM);
    const message = {
      buffers: [bytes("one "), new Uint8Array(), bytes("message")],
      address: nameOf(target),
    };
    assertEquals(run(ring, ops.sendmsg(sender, message)), 11);
    assertEquals(recvNow(target), "one message");
    assertEquals(
      run(ring, ops.sendmsg(sender, { ...message, buffers: [] })),
      0,
    );
    assertEquals(recvNow(target), "");
  },
);

socketTest(
  "sendmsg: as many buffers as there may be",
  { needs: ["sendmsg"] },
  (ring, fds) => {
    const [one, other] = fds.pair();
    const data = pattern(1024);
    const buffers = Array.from(data, (_, i) => data.subarray(i, i + 1));
    assertEquals(run(ring, ops.sendmsg(one, { buffers })), 1024);
    assertEquals(receiveAll(ring, other, 1024), data);
  },
);

socketTest("sendVectored: several buffers without a message", {
  needs: ["send"],
  when: kernelSince(6, 17),
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  const op = ops.sendVectored(one, [bytes("ab"), bytes("cde"), bytes("")]);
  assertEquals(run(ring, op), 5);
  assertEquals(recvNow(other), "abcde");
});

socketTest("sendVectored: older kernels refuse", {
  needs: ["send"],
  when: !kernelSince(6, 17),
}, (ring, fds) => {
  const [one] = fds.tcpPair();
  failure("EINVAL", () => run(ring, ops.sendVectored(one, [bytes("ab")])));
});

// Sends from provided buffers came with 6.10; bind with 6.11.

socketTest(
  "send: provided buffers go out in their order",
  { needs: ["bind"] },
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    using buffers = ring.setupBufRing({ entries: 4, group: 2 });
    ["first ", "second ", "third"].forEach((text, i) =>
      buffers.add(10 + i, bytes(text))
    );
    buffers.advance();
    const op = ops.send(one, { bufferGroup: 2 });
    const sent = [run(ring, op), run(ring, op), run(ring, op)];
    assertEquals(
      sent.map(({ length, bufferId, more }) => [length, bufferId, more]),
      [[6, 10, false], [7, 11, false], [5, 12, false]],
    );
    assertEquals(recvNow(other), "first second third");
    const error = failure("ENOBUFS", () => run(ring, op));
    assert(error.message.includes("Group 2 has no free buffer"));
  },
);

socketTest(
  "sendBundle: all that the group has",
  { needs: ["bind"] },
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    using buffers = ring.setupBufRing({ entries: 8, group: 2 });
    const data = pattern(5 * 100);
    for (let i = 0; i < 5; i++) {
      buffers.add(i, data.subarray(100 * i, 100 * (i + 1)));
    }
    buffers.advance();
    const op = ops.sendBundle(one, { bufferGroup: 2 });
    ops.release(queue(ring, op, 1));
    const sent: Seen[] = [];
    do sent.push(...collect(ring, 1)); while (sent.at(-1)?.more);
    const lengths = sent.filter((seen) => !op.failed(seen)).map((seen) => {
      const { length, bufferId } = op.finish(seen, undefined);
      return [bufferId, length];
    });
    assertEquals(lengths[0]?.[0], 0);
    const total = lengths.reduce((sum, [, length = 0]) => sum + length, 0);
    assertEquals(total, data.length);
    assertEquals(receiveAll(ring, other, data.length), data);
  },
);

/** Queues a zero-copy send; gives its completions, the last of which is the notification. */
function sendZc(ring: Ring, op: ops.Op<number>): Seen[] {
  const held = queue(ring, op, 1);
  const seen: Seen[] = [];
  do seen.push(...collect(ring, 1)); while (seen.at(-1)?.more);
  ops.release(held);
  return seen;
}

socketTest(
  "sendZc: the result, then the notification",
  { needs: ["sendZc"] },
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    const data = pattern(20_000);
    const op = ops.sendZc(one, data, { flags: MSG_WAITALL });
    const [first, second, ...others] = sendZc(ring, op);
    assert(first !== undefined && second !== undefined);
    assertEquals(others, []);
    assertEquals(first.flags & IORING_CQE_F_MORE, IORING_CQE_F_MORE);
    assert(!ops.isNotification(first));
    assertEquals(op.finish(first, data), data.length);
    assertEquals(second.flags, IORING_CQE_F_NOTIF);
    assert(ops.isNotification(second) && !ops.wasCopied(second));
    assertEquals(receiveAll(ring, other, data.length), data);
  },
);

socketTest("sendZc: on loopback the bytes are copied, and it says so", {
  needs: ["sendZc"],
  when: kernelSince(6, 2),
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  const data = pattern(4096);
  const op = ops.sendZc(one, data, { reportUsage: true });
  const [first, second] = sendZc(ring, op);
  assert(first !== undefined && second !== undefined);
  assertEquals(op.finish(first, data), 4096);
  assert(ops.wasCopied(second));
  assert(!op.failed(second));
  assertEquals(receiveAll(ring, other, 4096), data);
});

socketTest(
  "sendZc: run waits for the notification too",
  { needs: ["sendZc"] },
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    for (let round = 0; round < 3; round++) {
      assertEquals(run(ring, ops.sendZc(one, bytes(`round ${round}`))), 7);
      assertEquals(recvNow(other), `round ${round}`);
      assertEquals(ring.cq.ready, 0);
    }
  },
);

socketTest(
  "sendZc: a datagram to an address",
  { needs: ["sendZc"] },
  (ring, fds) => {
    const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
    const sender = fds.socket(AF_INET, SOCK_DGRAM);
    const address = nameOf(target);
    assertEquals(run(ring, ops.sendZc(sender, bytes("zero"), { address })), 4);
    assertEquals(recvNow(target), "zero");
  },
);

socketTest("sendZc: what is refused completes for good as well", {
  needs: ["sendZc"],
}, (ring, fds) => {
  const [unix] = fds.pair();
  const error = failure(
    EOPNOTSUPP,
    () => run(ring, ops.sendZc(unix, bytes("x"))),
  );
  assert(error.message.includes("use send or sendmsg"));
  failure("ENOTSOCK", () => run(ring, ops.sendZc(fds.eventfd(), bytes("x"))));
  const lonely = fds.socket(AF_INET, SOCK_DGRAM);
  failure("EDESTADDRREQ", () => run(ring, ops.sendZc(lonely, bytes("x"))));
  assertEquals(ring.cq.ready, 0);
});

/** Registers memory as buffer 1 of a ring. */
function registered(ring: Ring, length: number): Memory {
  const memory = new Memory(length);
  memory.bytes.set(pattern(length));
  ring.buffers.register([new Memory(4096).bytes, memory.bytes]);
  return memory;
}

socketTest(
  "sendZcFixed: from a registered buffer",
  { needs: ["sendZc"] },
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    using memory = registered(ring, 16_384);
    const part = memory.bytes.subarray(100, 9000);
    const flags = MSG_WAITALL;
    assertEquals(run(ring, ops.sendZcFixed(one, part, 1, { flags })), 8900);
    assertEquals(receiveAll(ring, other, 8900), part);
    const stranger = new Uint8Array(10);
    failure("EFAULT", () => run(ring, ops.sendZcFixed(one, stranger, 1)));
    failure("EFAULT", () => run(ring, ops.sendZcFixed(one, part, 7)));
    ring.buffers.unregister();
  },
);

const message = (fds: Fds) => {
  const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
  const sender = fds.socket(AF_INET, SOCK_DGRAM);
  return { target, sender, address: nameOf(target) };
};

socketTest("sendmsgZc: several buffers, and a usage report", {
  needs: ["sendmsgZc"],
  when: kernelSince(6, 2),
}, (ring, fds) => {
  const { target, sender, address } = message(fds);
  const buffers = [bytes("zero "), bytes("copies")];
  const op = ops.sendmsgZc(sender, { buffers, address }, { reportUsage: true });
  const [first, second] = sendZc(ring, op);
  assert(first !== undefined && second !== undefined);
  assertEquals(first.res, 11);
  assert(ops.wasCopied(second));
  assertEquals(recvNow(target), "zero copies");
  failure(
    EOPNOTSUPP,
    () => run(ring, ops.sendmsgZc(fds.pair()[0], { buffers })),
  );
});

socketTest("sendmsgZcFixed: several parts of a registered buffer", {
  needs: ["epollWait"], // of 6.15 as well
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  using memory = registered(ring, 8192);
  const parts = [
    memory.bytes.subarray(8, 16),
    memory.bytes.subarray(4000, 4100),
  ];
  assertEquals(run(ring, ops.sendmsgZcFixed(one, { buffers: parts }, 1)), 108);
  const received = receiveAll(ring, other, 108);
  assertEquals(received.subarray(0, 8), parts[0]);
  assertEquals(received.subarray(8), parts[1]);
  const strange = { buffers: [memory.bytes.subarray(0, 8), new Uint8Array(8)] };
  failure("EFAULT", () => run(ring, ops.sendmsgZcFixed(one, strange, 1)));
  ring.buffers.unregister();
});

socketTest("send, recv: a ring's worth of both, in flight at once", {
  needs: ["send", "recv"],
}, (ring, fds) => {
  const pairs = Array.from({ length: 8 }, () => fds.pair(SOCK_STREAM));
  const data = pairs.map((_, i) => pattern(1000, i + 1));
  const buffers = pairs.map(() => new Uint8Array(1000));
  const flags = MSG_WAITALL;
  const held = pairs.flatMap(([one, other], i) => [
    queue(ring, ops.recv(other, buffers[i] as Uint8Array, { flags }), i),
    queue(ring, ops.send(one, data[i] as Uint8Array, { flags }), 100 + i),
  ]);
  const seen = collect(ring, 16);
  assert(seen.every(({ res }) => res === 1000));
  assertEquals(buffers, data);
  held.forEach(ops.release);
});
