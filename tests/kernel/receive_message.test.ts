// Receiving messages: who sent them, what came beside the bytes, what was cut.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  controlSpace,
  FD_CLOEXEC,
  IP_PKTINFO,
  IPPROTO_IP,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_TRUNC,
  readRecvmsgOut,
  receivedFds,
  rights,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOCKADDR_SIZE,
  type SocketAddress,
} from "../../ffi/mod.ts";
import { F_GETFD } from "../../ffi/linux.ts";
import * as ops from "../../ops/mod.ts";
import { run } from "../../ops/mod.ts";
import { failure } from "../support/files.ts";
import { collect, queue } from "../support/queue.ts";
import {
  fcntl,
  LOOPBACK,
  nameOf,
  openFiles,
  readNow,
  sendNow,
  setOption,
  socketTest,
  stop,
  uniqueName,
  writeNow,
} from "../support/sockets.ts";

const decoder = new TextDecoder();

function text(bytes: Uint8Array, length = bytes.length): string {
  return decoder.decode(bytes.subarray(0, length));
}

/** As a socket of datagrams tells it. */
function udp(address: SocketAddress): SocketAddress {
  return { ...address, transport: "udp" } as SocketAddress;
}

const families = [
  ["IPv4", AF_INET, { hostname: "127.0.0.1", port: 0 }],
  ["IPv6", AF_INET6, { hostname: "::1", port: 0 }],
] as const;

for (const [name, domain, address] of families) {
  socketTest(
    `recvmsg: the sender's address, ${name}`,
    { needs: ["recvmsg"] },
    (ring, fds) => {
      const target = fds.bound(domain, SOCK_DGRAM, address);
      const sender = fds.connected(domain, SOCK_DGRAM, nameOf(target));
      sendNow(sender, "hello");
      const buffer = new Uint8Array(16);
      const message = run(ring, ops.recvmsg(target, buffer));
      const expected = udp(nameOf(sender));
      assertEquals(message, {
        length: 5,
        address: expected,
        control: [],
        flags: 0,
      });
      assertEquals(text(buffer, 5), "hello");
    },
  );
}

socketTest(
  "recvmsg: the sender's address, Unix",
  { needs: ["recvmsg"] },
  (ring, fds) => {
    const address = uniqueName();
    const target = fds.bound(AF_UNIX, SOCK_DGRAM, address);
    const named = fds.bound(AF_UNIX, SOCK_DGRAM, uniqueName());
    const connected = fds.connected(AF_UNIX, SOCK_DGRAM, address);
    sendNow(connected, "nobody");
    const first = run(ring, ops.recvmsg(target, new Uint8Array(16)));
    assertEquals([first.length, first.address], [6, undefined]);

    run(ring, ops.connect(named, address));
    sendNow(named, "x");
    const second = run(ring, ops.recvmsg(target, new Uint8Array(16)));
    const name = nameOf(named);
    assertEquals<unknown>(second.address, { ...name, transport: "unixpacket" });
  },
);

socketTest(
  "recvmsg: a connected stream has no sender",
  { needs: ["recvmsg"] },
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    sendNow(other, "bytes");
    const message = run(ring, ops.recvmsg(one, new Uint8Array(16)));
    assertEquals([message.length, message.address], [5, undefined]);
    fds.close(other);
    assertEquals(run(ring, ops.recvmsg(one, new Uint8Array(16))).length, 0);
  },
);

socketTest("recvmsg: several buffers, one after the other", {
  needs: ["recvmsg"],
}, (ring, fds) => {
  const [one, other] = fds.pair();
  const buffers = [new Uint8Array(2), new Uint8Array(0), new Uint16Array(4)];
  sendNow(other, "abcdefg");
  const { length } = run(ring, ops.recvmsg(one, buffers, { address: false }));
  assertEquals(length, 7);
  const bytes = buffers.map((each) => new Uint8Array(each.buffer));
  assertEquals(bytes.map((each) => text(each)), ["ab", "", "cdefg\0\0\0"]);
});

socketTest(
  "recvmsg: the same op many times at once",
  { needs: ["recvmsg"] },
  (ring, fds) => {
    const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
    const senders = [0, 1, 2].map(() =>
      fds.connected(AF_INET, SOCK_DGRAM, nameOf(target))
    );
    const op = ops.recvmsg(target, new Uint8Array(4));
    const held = senders.map((_, i) => queue(ring, op, i));
    ring.submit();
    senders.forEach((fd) => sendNow(fd, "x"));
    const addresses = collect(ring, 3).map((seen) =>
      JSON.stringify(op.finish(seen, held[seen.tag]).address)
    );
    held.forEach(ops.release);
    const expected = senders.map((fd) => JSON.stringify(udp(nameOf(fd))));
    // The fields may stand in another order.
    const keys = (list: string[]) =>
      list.map((each) => JSON.parse(each).port).sort();
    assertEquals(keys(addresses), keys(expected));
  },
);

socketTest(
  "recvmsg: a datagram that was cut",
  { needs: ["recvmsg"] },
  (ring, fds) => {
    const [one, other] = fds.pair(SOCK_DGRAM);
    sendNow(other, "0123456789");
    const cut = run(ring, ops.recvmsg(one, new Uint8Array(4)));
    assertEquals([cut.length, cut.flags], [4, MSG_TRUNC]);
    sendNow(other, "0123456789");
    const flags = MSG_TRUNC;
    const told = run(ring, ops.recvmsg(one, new Uint8Array(4), { flags }));
    assertEquals([told.length, told.flags], [10, MSG_TRUNC]);
  },
);

socketTest(
  "recvmsg: control messages of the network",
  { needs: ["recvmsg"] },
  (ring, fds) => {
    const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
    setOption(target, IPPROTO_IP, IP_PKTINFO, 1);
    sendNow(fds.connected(AF_INET, SOCK_DGRAM, nameOf(target)), "x");
    const op = ops.recvmsg(target, new Uint8Array(4), { controlLength: 64 });
    const { control } = run(ring, op);
    assertEquals(control.map(({ level, type }) => [level, type]), [
      [IPPROTO_IP, IP_PKTINFO],
    ]);
    // struct in_pktinfo: the interface, and twice the address.
    const [info] = control;
    assertEquals(info?.data.length, 12);
    assertEquals(info?.data.slice(8), Uint8Array.of(127, 0, 0, 1));
  },
);

const passing = { needs: ["sendmsg", "recvmsg"] as ops.OpcodeName[] };

socketTest(
  "sendmsg, recvmsg: file descriptors are passed",
  passing,
  (ring, fds) => {
    const [one, other] = fds.pair();
    const [reader, writer] = fds.pipe();
    const message = {
      buffers: Uint8Array.of(1),
      control: [rights(reader, writer)],
    };
    assertEquals(run(ring, ops.sendmsg(one, message)), 1);
    const controlLength = controlSpace(8);
    const op = ops.recvmsg(other, new Uint8Array(1), { controlLength });
    const { control, flags } = run(ring, op);
    assertEquals(flags, 0);
    const passed = receivedFds(control).map((fd) => fds.add(fd));
    assertEquals(passed.length, 2);
    const [reader2 = -1, writer2 = -1] = passed;
    assert(reader2 !== reader && writer2 !== writer);
    assertEquals(fcntl(reader2, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    writeNow(writer2, Uint8Array.of(7));
    assertEquals(readNow(reader, 4), Uint8Array.of(7));
    writeNow(writer, Uint8Array.of(8));
    assertEquals(readNow(reader2, 4), Uint8Array.of(8));
  },
);

socketTest(
  "sendmsg, recvmsg: descriptors without room are closed, not leaked",
  passing,
  (ring, fds) => {
    const [one, other] = fds.pair();
    const event = fds.eventfd();
    const before = openFiles();
    const control = [rights(event, event, event)];
    for (const controlLength of [0, controlSpace(4)]) {
      run(ring, ops.sendmsg(one, { buffers: Uint8Array.of(1), control }));
      const op = ops.recvmsg(other, new Uint8Array(1), { controlLength });
      const message = run(ring, op);
      assertEquals(message.flags & MSG_CTRUNC, MSG_CTRUNC);
      receivedFds(message.control).forEach((fd) => fds.close(fds.add(fd)));
      assertEquals(openFiles(), before);
    }
  },
);

socketTest(
  "sendmsg: what is no descriptor cannot be passed",
  passing,
  (ring, fds) => {
    const [one] = fds.pair();
    const message = {
      buffers: Uint8Array.of(1),
      control: [rights(1_000_000)],
    };
    failure("EBADF", () => run(ring, ops.sendmsg(one, message)));
  },
);

socketTest("recvmsg: a provided buffer takes the bytes, and only them", {
  needs: ["recvmsg", "provideBuffers"],
}, (ring, fds) => {
  const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
  const sender = fds.connected(AF_INET, SOCK_DGRAM, nameOf(target));
  const memory = new Uint8Array(32);
  run(ring, ops.provideBuffers(memory, 16, 4));
  sendNow(sender, "provided");
  const first = run(ring, ops.recvmsg(target, { bufferGroup: 4 }));
  assertEquals(first.address, udp(nameOf(sender)));
  assertEquals(text(memory.subarray(16 * first.bufferId), 8), "provided");
  sendNow(sender, "0123456789");
  const op = ops.recvmsg(target, { bufferGroup: 4, length: 4, address: false });
  const second = run(ring, op);
  assertEquals([second.length, second.address], [4, undefined]);
  assertEquals(second.flags, MSG_TRUNC);
  assertEquals(text(memory.subarray(16 * second.bufferId), 4), "0123");
  sendNow(sender, "x");
  failure("ENOBUFS", () => run(ring, op));
});

socketTest("recvmsg: what is refused", { needs: ["recvmsg"] }, (ring, fds) => {
  const buffer = new Uint8Array(4);
  failure("ENOTSOCK", () => run(ring, ops.recvmsg(fds.eventfd(), buffer)));
  const op = ops.recvmsg(fds.pair()[0], buffer, { flags: MSG_DONTWAIT });
  failure("EAGAIN", () => run(ring, op));
});

// Multishot receives came with 6.0, as send_zc did.
const multishot = { needs: ["sendZc"] as ops.OpcodeName[] };

socketTest(
  "recvmsgMultishot: address, control and payload in each buffer",
  multishot,
  (ring, fds) => {
    const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
    setOption(target, IPPROTO_IP, IP_PKTINFO, 1);
    const senders = [0, 1].map(() =>
      fds.connected(AF_INET, SOCK_DGRAM, nameOf(target))
    );
    const group = { entries: 8, group: 6, bufferSize: 512 };
    using buffers = ring.setupBufRing(group);
    const layout = { nameLength: SOCKADDR_SIZE, controlLength: 64 };
    const op = ops.recvmsgMultishot(target, { bufferGroup: 6, ...layout });
    const held = queue(ring, op, 1);
    ring.submit();
    for (let round = 0; round < 3; round++) {
      for (const [i, sender] of senders.entries()) {
        sendNow(sender, `round ${round} from ${i}`);
        const [seen] = collect(ring, 1);
        assert(seen !== undefined);
        const { length, bufferId, more } = op.finish(seen, held);
        assert(more);
        const bytes = buffers.bytes(bufferId).subarray(0, length);
        const message = readRecvmsgOut(bytes, layout);
        assertEquals(message.address, udp(nameOf(sender)));
        assertEquals(text(message.payload), `round ${round} from ${i}`);
        assertEquals(message.payloadLength, message.payload.length);
        assertEquals(message.control.map(({ type }) => type), [IP_PKTINFO]);
        assertEquals(message.flags, 0);
      }
    }
    ops.release(held);
    // Two buffers are left, then none.
    for (let i = 0; i < 3; i++) {
      sendNow(
        target === 0 ? 0 : (senders[0] ?? 0),
        "x",
      );
    }
    const seen = collect(ring, 3);
    assertEquals(seen.map(({ more }) => more), [true, true, false]);
    const last = seen.at(-1);
    assert(last !== undefined);
    assertThrows(
      () => op.finish(last, undefined),
      Error,
      "Group 6 has no free",
    );
  },
);

socketTest(
  "recvmsgMultishot: a datagram that was cut, a buffer too small",
  multishot,
  (ring, fds) => {
    const [one, other] = fds.pair(SOCK_DGRAM);
    using buffers = ring.setupBufRing({ entries: 4, group: 6, bufferSize: 24 });
    // Only who asks for MSG_TRUNC is told how long it was.
    for (const [flags, payloadLength] of [[0, 8], [MSG_TRUNC, 10]] as const) {
      const op = ops.recvmsgMultishot(one, { bufferGroup: 6, flags });
      const held = queue(ring, op, 1);
      ring.submit();
      sendNow(other, "0123456789");
      const [seen] = collect(ring, 1);
      assert(seen !== undefined);
      const { length, bufferId } = op.finish(seen, held);
      const message = readRecvmsgOut(
        buffers.bytes(bufferId).subarray(0, length),
      );
      assertEquals(text(message.payload), "01234567");
      assertEquals(message.payloadLength, payloadLength);
      assertEquals(message.flags, MSG_TRUNC);
      stop(ring, 1);
      ops.release(held);
    }
    const roomy = ops.recvmsgMultishot(one, { bufferGroup: 6, nameLength: 64 });
    const room = queue(ring, roomy, 2);
    sendNow(other, "x");
    const [refused] = collect(ring, 1);
    assertEquals([refused?.res, refused?.more], [-14, false]);
    ops.release(room);
  },
);

socketTest(
  "recvmsgMultishot: descriptors are passed in buffers too",
  multishot,
  (ring, fds) => {
    const [one, other] = fds.pair(SOCK_STREAM);
    using buffers = ring.setupBufRing({
      entries: 2,
      group: 6,
      bufferSize: 128,
    });
    const layout = { controlLength: controlSpace(4) };
    const op = ops.recvmsgMultishot(one, { bufferGroup: 6, ...layout });
    const held = queue(ring, op, 1);
    ring.submit();
    const control = [rights(fds.eventfd())];
    const message = { buffers: Uint8Array.of(1, 2), control };
    ops.release(queue(ring, ops.sendmsg(other, message), 2));
    const seen = collect(ring, 2).find(({ tag }) => tag === 1);
    assert(seen !== undefined);
    const { length, bufferId } = op.finish(seen, held);
    const bytes = buffers.bytes(bufferId).subarray(0, length);
    const { control: received, flags } = readRecvmsgOut(bytes, layout);
    assertEquals(flags, 0);
    const [fd = -1] = receivedFds(received);
    assertEquals(fcntl(fds.add(fd), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    stop(ring, 1);
    ops.release(held);
  },
);
