// Sockets: made, named, connected, shut down, asked and told about options.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  FD_CLOEXEC,
  IORING_SETUP_CQE32,
  IPPROTO_TCP,
  O_NONBLOCK,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_BINDTODEVICE,
  SO_LINGER,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_TIMESTAMPING,
  SO_TYPE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../ffi/mod.ts";
import * as ops from "../../ops/mod.ts";
import { run } from "../../ops/mod.ts";
import { F_GETFD, F_GETFL } from "../../ffi/linux.ts";
import { failure, TemporaryDirectory } from "../support/files.ts";
import { collect, queue } from "../support/queue.ts";
import {
  EOPNOTSUPP,
  fcntl,
  getOption,
  kernelSince,
  LOOPBACK,
  nameOf,
  openFiles,
  recvNow,
  sendNow,
  setOption,
  socketTest,
  stop,
  uniqueName,
} from "../support/sockets.ts";

socketTest(
  "socket: domain, kind and flags",
  { needs: ["socket"] },
  (ring, fds) => {
    const plain = fds.add(run(ring, ops.socket(AF_INET, SOCK_STREAM)));
    assertEquals(getOption(plain, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assertEquals(fcntl(plain, F_GETFD) & FD_CLOEXEC, 0);
    assertEquals(fcntl(plain, F_GETFL) & O_NONBLOCK, 0);

    const type = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const flagged = fds.add(run(ring, ops.socket(AF_UNIX, type)));
    assertEquals(getOption(flagged, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    assertEquals(fcntl(flagged, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assertEquals(fcntl(flagged, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  },
);

socketTest("socket: what the kernel has not", { needs: ["socket"] }, (ring) => {
  failure("EAFNOSUPPORT", () => run(ring, ops.socket(4000, SOCK_STREAM)));
  const udp = ops.socket(AF_INET, SOCK_STREAM, { protocol: 17 });
  failure("EPROTONOSUPPORT", () => run(ring, udp));
});

socketTest(
  "socketDirect: a socket without a descriptor, in the slot or a free one",
  { needs: ["socket", "bind"] },
  (ring) => {
    const files = openFiles();
    const op = ops.socketDirect(AF_INET, SOCK_STREAM, 1);
    failure("ENXIO", () => run(ring, op));
    ring.files.registerSparse(3);
    const direct = run(ring, op);
    assertEquals(direct.index, 1);
    const alloc = ops.socketDirectAlloc(AF_UNIX, SOCK_STREAM);
    const chosen = [run(ring, alloc).index, run(ring, alloc).index];
    assertEquals(chosen.sort(), [0, 2]);
    failure("ENFILE", () => run(ring, alloc));
    const beyond = ops.socketDirect(AF_INET, SOCK_STREAM, 3);
    failure("EINVAL", () => run(ring, beyond));
    run(ring, ops.bind(direct, LOOPBACK));
    run(ring, ops.listen(direct));
    assertEquals(openFiles(), files);
    ring.files.unregister();
  },
);

socketTest(
  "bind, listen, connect, accept: all on direct descriptors",
  { needs: ["bind", "listen"] },
  (ring) => {
    ring.files.registerSparse(4);
    const address = uniqueName();
    const listener = run(ring, ops.socketDirect(AF_UNIX, SOCK_STREAM, 0));
    run(ring, ops.bind(listener, address));
    run(ring, ops.listen(listener, 1));
    const client = run(ring, ops.socketDirect(AF_UNIX, SOCK_STREAM, 1));
    run(ring, ops.connect(client, address));
    const accepted = run(ring, ops.acceptDirect(listener, 3));
    assertEquals(accepted.file.index, 3);
    assertEquals(accepted.address, { transport: "unix", path: "" });
    const bytes = new Uint8Array(8);
    assertEquals(run(ring, ops.send(client, new Uint8Array(3).fill(7))), 3);
    assertEquals(run(ring, ops.recv(accepted.file, bytes)), 3);
    assertEquals(bytes[2], 7);
    ring.files.unregister();
  },
);

const families = [
  ["IPv4", AF_INET, { hostname: "127.0.0.1", port: 0 }],
  ["IPv6", AF_INET6, { hostname: "::1", port: 0 }],
  ["an abstract name", AF_UNIX, uniqueName()],
] as const;

for (const [name, domain, address] of families) {
  socketTest(
    `bind, listen, connect, accept: ${name}`,
    { needs: ["socket", "bind", "listen"] },
    (ring, fds) => {
      const type = SOCK_STREAM | SOCK_CLOEXEC;
      const listener = fds.add(run(ring, ops.socket(domain, type)));
      run(ring, ops.bind(listener, address));
      run(ring, ops.listen(listener, 4));
      const bound = nameOf(listener);
      const client = fds.add(run(ring, ops.socket(domain, type)));
      run(ring, ops.connect(client, bound));
      const { fd, address: peer } = run(ring, ops.accept(listener));
      fds.add(fd);
      const expected = domain === AF_UNIX
        ? { transport: "unix", path: "" }
        : nameOf(client);
      assertEquals<unknown>(peer, expected);
      sendNow(client, "ping");
      assertEquals(recvNow(fd), "ping");
    },
  );
}

socketTest("bind, connect: a Unix path", { needs: ["bind"] }, (ring, fds) => {
  using directory = new TemporaryDirectory();
  const path = directory.join("söcket");
  const listener = fds.socket(AF_UNIX, SOCK_STREAM);
  run(ring, ops.bind(listener, { path }));
  run(ring, ops.listen(listener));
  assert(Deno.statSync(path).isSocket);
  const client = fds.bound(AF_UNIX, SOCK_STREAM, { path: `${path}2` });
  run(ring, ops.connect(client, { transport: "unix", path }));
  const { fd, address } = run(ring, ops.accept(listener));
  fds.add(fd);
  assertEquals(address, { transport: "unix", path: `${path}2` });
  const other = fds.socket(AF_UNIX, SOCK_STREAM);
  const error = failure(
    "EADDRINUSE",
    () => run(ring, ops.bind(other, { path })),
  );
  assertEquals(error.path, path);
});

socketTest(
  "bind: an empty path lets the kernel choose",
  { needs: ["bind"] },
  (ring, fds) => {
    const fd = fds.socket(AF_UNIX, SOCK_DGRAM);
    run(ring, ops.bind(fd, { path: "" }));
    const name = nameOf(fd);
    assert("path" in name && name.path.length === 6 && name.path[0] === "\0");
  },
);

socketTest("bind: what is refused", { needs: ["bind"] }, (ring, fds) => {
  const taken = fds.listener();
  const fd = fds.socket(AF_INET, SOCK_STREAM);
  const error = failure("EADDRINUSE", () => {
    run(ring, ops.bind(fd, nameOf(taken)));
  });
  assert(error instanceof Deno.errors.AddrInUse);
  assert(
    /^bind '127\.0\.0\.1:\d+': address already in use/.test(error.message),
  );
  failure("EADDRNOTAVAIL", () => {
    run(ring, ops.bind(fd, { hostname: "192.0.2.1", port: 0 }));
  });
  failure("EAFNOSUPPORT", () => {
    run(ring, ops.bind(fd, { hostname: "::1", port: 0 }));
  });
  const notSocket = fds.eventfd();
  failure("ENOTSOCK", () => run(ring, ops.bind(notSocket, LOOPBACK)));
  failure("EBADF", () => run(ring, ops.bind(1_000_000, LOOPBACK)));
});

socketTest("listen: what is refused", { needs: ["listen"] }, (ring, fds) => {
  const datagrams = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
  failure(EOPNOTSUPP, () => run(ring, ops.listen(datagrams)));
  failure("ENOTSOCK", () => run(ring, ops.listen(fds.eventfd())));
});

socketTest("connect: nobody listens", { needs: ["connect"] }, (ring, fds) => {
  const address = nameOf(fds.bound(AF_INET, SOCK_STREAM, LOOPBACK));
  const fd = fds.socket(AF_INET, SOCK_STREAM);
  const error = failure(
    "ECONNREFUSED",
    () => run(ring, ops.connect(fd, address)),
  );
  assert(error instanceof Deno.errors.ConnectionRefused);
  const unix = fds.socket(AF_UNIX, SOCK_STREAM);
  failure("ECONNREFUSED", () => run(ring, ops.connect(unix, uniqueName())));
  const nowhere = ops.connect(unix, { path: "/nonexistent/socket" });
  failure("ENOENT", () => run(ring, nowhere));
});

socketTest("connect: nobody accepts yet, and the time runs out", {
  needs: ["connect", "listen"],
}, (ring, fds) => {
  const address = uniqueName();
  const listener = fds.bound(AF_UNIX, SOCK_STREAM, address);
  // One fits beyond the backlog; the next has to wait.
  run(ring, ops.listen(listener, 0));
  run(ring, ops.connect(fds.socket(AF_UNIX, SOCK_STREAM), address));
  const blocked = ops.connect(fds.socket(AF_UNIX, SOCK_STREAM), address);
  failure("ETIMEDOUT", () => run(ring, blocked, { timeout: 20 }));
});

socketTest(
  "shutdown: the other end reads to the end",
  { needs: ["shutdown"] },
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    sendNow(one, "last words");
    run(ring, ops.shutdown(one, SHUT_WR));
    assertEquals(recvNow(other), "last words");
    assertEquals(recvNow(other), "");
    sendNow(other, "the other way");
    assertEquals(recvNow(one), "the other way");
    failure("EPIPE", () => run(ring, ops.send(one, new Uint8Array(1))));
  },
);

socketTest(
  "shutdown: a receive that waits ends",
  { needs: ["shutdown"] },
  (ring, fds) => {
    for (const how of [SHUT_RD, SHUT_RDWR]) {
      const [one] = fds.pair();
      const waiting = queue(ring, ops.recv(one, new Uint8Array(8)), 1);
      ring.submit();
      ops.release(queue(ring, ops.shutdown(one, how), 2));
      const seen = collect(ring, 2);
      assertEquals(seen.map(({ res }) => res), [0, 0]);
      ops.release(waiting);
    }
  },
);

socketTest(
  "shutdown: what is refused",
  { needs: ["shutdown"] },
  (ring, fds) => {
    const lonely = fds.socket(AF_INET, SOCK_STREAM);
    const error = failure(
      "ENOTCONN",
      () => run(ring, ops.shutdown(lonely, SHUT_WR)),
    );
    assert(error instanceof Deno.errors.NotConnected);
    failure("ENOTSOCK", () => run(ring, ops.shutdown(fds.eventfd(), SHUT_WR)));
  },
);

// Commands came with 6.6 and 6.7, waitid with 6.7 too.

socketTest(
  "cmdSiocinq, cmdSiocoutq: what waits",
  { needs: ["waitid"] },
  (ring, fds) => {
    const [one, other] = fds.tcpPair();
    assertEquals(run(ring, ops.cmdSiocinq(other)), 0);
    sendNow(one, "12345");
    run(ring, ops.pollAdd(other, 1));
    assertEquals(run(ring, ops.cmdSiocinq(other)), 5);
    assertEquals(recvNow(other), "12345");
    assertEquals(run(ring, ops.cmdSiocinq(other)), 0);

    // Nobody reads: what does not fit the other end's buffer stays here.
    const most = ops.send(one, new Uint8Array(8 << 20), { flags: 0x40 });
    const sent = run(ring, most);
    const waiting = run(ring, ops.cmdSiocoutq(one));
    assert(waiting > 0 && waiting <= sent, `${waiting} of ${sent}`);
  },
);

socketTest(
  "commands: what takes none says so",
  { needs: ["waitid"] },
  (ring, fds) => {
    const [unix] = fds.pair();
    const error = failure(EOPNOTSUPP, () => run(ring, ops.cmdSiocinq(unix)));
    assert(error.message.includes("TCP, UDP and raw sockets"));
    const listener = fds.listener();
    failure("EINVAL", () => run(ring, ops.cmdSiocinq(listener)));
    const [reader] = fds.pipe();
    failure(EOPNOTSUPP, () => run(ring, ops.cmdGetsockopt(reader, 1, 3)));
  },
);

socketTest(
  "cmdGetsockopt, cmdSetsockopt: ints",
  { needs: ["waitid"] },
  (ring, fds) => {
    const fd = fds.socket(AF_INET, SOCK_STREAM);
    assertEquals(
      run(ring, ops.cmdGetsockopt(fd, SOL_SOCKET, SO_TYPE)),
      SOCK_STREAM,
    );
    run(ring, ops.cmdSetsockopt(fd, SOL_SOCKET, SO_REUSEADDR, true));
    assertEquals(getOption(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    run(ring, ops.cmdSetsockopt(fd, SOL_SOCKET, SO_RCVBUF, 20_000));
    // The kernel doubles it, for its own needs.
    assertEquals(
      run(ring, ops.cmdGetsockopt(fd, SOL_SOCKET, SO_RCVBUF)),
      40_000,
    );
    run(ring, ops.cmdSetsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1));
    assertEquals(getOption(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  },
);

socketTest(
  "cmdGetsockoptInto: structs and text",
  { needs: ["waitid"] },
  (ring, fds) => {
    const fd = fds.socket(AF_INET, SOCK_STREAM);
    run(
      ring,
      ops.cmdSetsockopt(fd, SOL_SOCKET, SO_LINGER, Int32Array.of(1, 9)),
    );
    const linger = new Int32Array(4);
    const read = ops.cmdGetsockoptInto(fd, SOL_SOCKET, SO_LINGER, linger);
    assertEquals([run(ring, read), ...linger], [8, 1, 9, 0, 0]);
    const device = new TextEncoder().encode("lo");
    run(ring, ops.cmdSetsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device));
    const name = new Uint8Array(16);
    const bound = ops.cmdGetsockoptInto(fd, SOL_SOCKET, SO_BINDTODEVICE, name);
    const length = run(ring, bound);
    assertEquals(new TextDecoder().decode(name.subarray(0, length)), "lo\0");
  },
);

socketTest("cmdGetsockopt, cmdSetsockopt: what is refused", {
  needs: ["waitid"],
}, (ring, fds) => {
  const fd = fds.socket(AF_INET, SOCK_STREAM);
  const level = ops.cmdGetsockopt(fd, IPPROTO_TCP, TCP_NODELAY);
  const error = failure(EOPNOTSUPP, () => run(ring, level));
  assert(error.message.includes("SOL_SOCKET only"));
  failure(
    "ENOPROTOOPT",
    () => run(ring, ops.cmdGetsockopt(fd, SOL_SOCKET, 9999)),
  );
  failure("ENOPROTOOPT", () => {
    run(ring, ops.cmdSetsockopt(fd, SOL_SOCKET, 9999, 1));
  });
  failure("EINVAL", () => {
    run(
      ring,
      ops.cmdSetsockopt(fd, SOL_SOCKET, SO_REUSEADDR, new Uint8Array(1)),
    );
  });
});

socketTest("cmdGetsockname: older kernels say so", {
  needs: ["waitid"],
  when: !kernelSince(6, 19),
}, (ring, fds) => {
  const op = ops.cmdGetsockname(fds.listener());
  const error = failure(EOPNOTSUPP, () => run(ring, op));
  assert(error.message.includes("6.19"));
});

socketTest("cmdGetsockname: this end, and the other", {
  needs: ["waitid"],
  when: kernelSince(6, 19),
}, (ring, fds) => {
  const [one, other] = fds.tcpPair();
  assertEquals(run(ring, ops.cmdGetsockname(one)), nameOf(one));
  const peer = ops.cmdGetsockname(one, { peer: true });
  assertEquals(run(ring, peer), nameOf(other));
  const [unix] = fds.pair(SOCK_DGRAM);
  const name = ops.cmdGetsockname(unix, { kind: "datagram" });
  assertEquals(run(ring, name), { transport: "unixpacket", path: "" });
  const lonely = fds.socket(AF_INET, SOCK_STREAM);
  failure("ENOTCONN", () => {
    run(ring, ops.cmdGetsockname(lonely, { peer: true }));
  });
});

// SOF_TIMESTAMPING_TX_SOFTWARE, _SOFTWARE, _OPT_ID, _OPT_TSONLY of linux/net_tstamp.h
const TIMESTAMPING = (1 << 1) | (1 << 4) | (1 << 7) | (1 << 11);

socketTest("cmdTxTimestamp: when datagrams left", {
  needs: ["waitid"],
  when: kernelSince(6, 17),
  options: { flags: IORING_SETUP_CQE32 },
}, (ring, fds) => {
  const target = fds.bound(AF_INET, SOCK_DGRAM, LOOPBACK);
  const fd = fds.connected(AF_INET, SOCK_DGRAM, nameOf(target));
  setOption(fd, SOL_SOCKET, SO_TIMESTAMPING, TIMESTAMPING);
  const op = ops.cmdTxTimestamp(fd);
  const start = BigInt(Date.now()) * 1_000_000n;
  ops.release(queue(ring, op, 1));
  ring.submit();
  sendNow(fd, "one");
  sendNow(fd, "two");
  const times: (ops.TxTimestamp | undefined)[] = [];
  while (times.length < 2) {
    ring.wait(1);
    ring.forEachCqe((cqe) => times.push(op.finish(cqe, undefined)));
  }
  assertEquals(times.map((time) => time?.key), [0, 1]);
  assertEquals(times.map((time) => [time?.type, time?.hardware]), [
    [0, false],
    [0, false],
  ]);
  const [first, second] = times.map((time) => time?.time ?? 0n);
  assert(first !== undefined && second !== undefined);
  assert(start <= first + 1_000_000n && first <= second);
  stop(ring, 1);
});

socketTest("cmdTxTimestamp: refused where completions are too small", {
  needs: ["waitid"],
  when: kernelSince(6, 17),
}, (ring, fds) => {
  const op = ops.cmdTxTimestamp(fds.socket(AF_INET, SOCK_DGRAM));
  ops.release(queue(ring, op, 1));
  const [seen] = collect(ring, 1);
  assert(seen !== undefined);
  assertEquals(op.failed(seen), true);
  assertThrows(() => op.finish(seen, undefined), Error, "EINVAL");
});
