// Accepting connections: one, or one after the other.

import { assert, assertEquals } from "@std/assert";
import {
  AF_INET,
  AF_INET6,
  FD_CLOEXEC,
  IORING_FILE_INDEX_ALLOC,
  O_NONBLOCK,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from "../../ffi/mod.ts";
import { F_GETFD, F_GETFL } from "../../ffi/linux.ts";
import * as ops from "../../ops/mod.ts";
import { run } from "../../ops/mod.ts";
import { failure } from "../support/files.ts";
import { collect, queue } from "../support/queue.ts";
import {
  EOPNOTSUPP,
  fcntl,
  kernelSince,
  nameOf,
  recvNow,
  sendNow,
  socketTest,
} from "../support/sockets.ts";

socketTest(
  "accept: the address, or only the connection",
  { needs: ["accept"] },
  (ring, fds) => {
    const listener = fds.listener(AF_INET6, { hostname: "::1", port: 0 });
    const client = fds.connected(AF_INET6, SOCK_STREAM, nameOf(listener));
    const first = run(ring, ops.accept(listener));
    fds.add(first.fd);
    assertEquals(first.address, nameOf(client));
    assertEquals(fcntl(first.fd, F_GETFD) & FD_CLOEXEC, 0);

    const second = fds.connected(AF_INET6, SOCK_STREAM, nameOf(listener));
    const flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    const bare = run(ring, ops.accept(listener, { address: false, flags }));
    fds.add(bare.fd);
    assertEquals(bare.address, undefined);
    assertEquals(fcntl(bare.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assertEquals(fcntl(bare.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    sendNow(second, "hi");
    assertEquals(recvNow(bare.fd), "hi");
  },
);

socketTest(
  "accept: waits for a connection",
  { needs: ["accept"] },
  (ring, fds) => {
    const listener = fds.listener();
    for (const options of [{}, { pollFirst: kernelSince(6, 10) }]) {
      const op = ops.accept(listener, options);
      const held = queue(ring, op, 1);
      ring.submit();
      assertEquals(ring.wait(1, { timeout: 5 }), 0);
      const client = fds.connected(AF_INET, SOCK_STREAM, nameOf(listener));
      const [seen] = collect(ring, 1);
      assert(seen !== undefined);
      const { fd, address } = op.finish(seen, held);
      fds.add(fd);
      ops.release(held);
      assertEquals(address, nameOf(client));
    }
  },
);

socketTest("accept: several wait at the same time, each for its own", {
  needs: ["accept"],
}, (ring, fds) => {
  const listener = fds.listener();
  const op = ops.accept(listener);
  const held = [queue(ring, op, 0), queue(ring, op, 1), queue(ring, op, 2)];
  ring.submit();
  const clients = [0, 1, 2].map(() =>
    nameOf(fds.connected(AF_INET, SOCK_STREAM, nameOf(listener)))
  );
  const addresses = collect(ring, 3).map((seen) => {
    const { fd, address } = op.finish(seen, held[seen.tag]);
    fds.add(fd);
    return address;
  });
  held.forEach(ops.release);
  const text = (addresses: unknown[]) =>
    addresses.map((each) => JSON.stringify(each)).sort();
  assertEquals(text(addresses), text(clients));
});

socketTest("accept: what is refused", { needs: ["accept"] }, (ring, fds) => {
  failure(
    "EINVAL",
    () => run(ring, ops.accept(fds.socket(AF_INET, SOCK_STREAM))),
  );
  failure("ENOTSOCK", () => run(ring, ops.accept(fds.eventfd())));
  failure(EOPNOTSUPP, () => run(ring, ops.accept(fds.pair(SOCK_DGRAM)[0])));
});

socketTest("accept: nobody is there, and it does not wait", {
  needs: ["accept"],
  when: kernelSince(6, 10),
}, (ring, fds) => {
  const op = ops.accept(fds.listener(), { dontWait: true });
  const error = failure("EAGAIN", () => run(ring, op));
  assert(error instanceof Deno.errors.WouldBlock);
});

socketTest("acceptDirect: into the slot, or a free one", {
  needs: ["accept", "socket"],
}, (ring, fds) => {
  const listener = fds.listener();
  ring.files.registerSparse(2);
  const client = fds.connected(AF_INET, SOCK_STREAM, nameOf(listener));
  const first = run(ring, ops.acceptDirect(listener, 1));
  assertEquals([first.file.index, first.address], [1, nameOf(client)]);
  const other = fds.connected(AF_INET, SOCK_STREAM, nameOf(listener));
  const any = ops.acceptDirect(listener, IORING_FILE_INDEX_ALLOC, {
    address: false,
  });
  const second = run(ring, any);
  assertEquals([second.file.index, second.address], [0, undefined]);
  sendNow(other, "direct");
  const bytes = new Uint8Array(8);
  assertEquals(run(ring, ops.recv(second.file, bytes)), 6);
  ring.files.unregister();
});

socketTest("acceptMultishot: one connection after the other, until cancelled", {
  needs: ["accept", "socket"],
}, (ring, fds) => {
  const listener = fds.listener();
  const op = ops.acceptMultishot(listener, { flags: SOCK_CLOEXEC });
  // One connects before, others after.
  const clients = [fds.connected(AF_INET, SOCK_STREAM, nameOf(listener))];
  ops.release(queue(ring, op, 1));
  ring.submit();
  for (let i = 0; i < 4; i++) {
    clients.push(fds.connected(AF_INET, SOCK_STREAM, nameOf(listener)));
  }
  for (const seen of collect(ring, 5)) {
    assert(seen.more);
    const fd = fds.add(op.finish(seen, undefined));
    assertEquals(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  }
  ops.release(queue(ring, ops.cancel(1), 2));
  const [last] = collect(ring, 2).filter(({ tag }) => tag === 1);
  assertEquals([last?.res, last?.more], [-125, false]);
});

socketTest("acceptMultishotDirect: a full table ends it", {
  needs: ["accept", "socket"],
}, (ring, fds) => {
  const listener = fds.listener();
  ring.files.registerSparse(2);
  const op = ops.acceptMultishotDirect(listener);
  ops.release(queue(ring, op, 1));
  ring.submit();
  for (let i = 0; i < 3; i++) {
    fds.connected(AF_INET, SOCK_STREAM, nameOf(listener));
  }
  const seen = collect(ring, 3);
  const [first, second, last] = seen;
  assert(first !== undefined && second !== undefined && last !== undefined);
  assertEquals(op.finish(first, undefined).index, 0);
  assertEquals(op.finish(second, undefined).index, 1);
  assertEquals([last.res, last.more], [-23, false]);
  ring.files.unregister();
});

socketTest("acceptMultishot: overflowing completions lose no connection", {
  needs: ["accept", "socket"],
  options: { entries: 2, cqEntries: 4 },
}, (ring, fds) => {
  const listener = fds.listener();
  const op = ops.acceptMultishot(listener);
  const total = 12;
  ops.release(queue(ring, op, 1));
  ring.submit();
  for (let i = 0; i < total; i++) {
    fds.connected(AF_INET, SOCK_STREAM, nameOf(listener));
  }
  let accepted = 0;
  let armed = true;
  while (accepted < total) {
    for (const seen of collect(ring, 1)) {
      fds.add(op.finish(seen, undefined));
      accepted++;
      armed = seen.more;
    }
    // A full queue may end it: the rest waits in the backlog.
    if (!armed && accepted < total) {
      ops.release(queue(ring, op, 1));
      armed = true;
    }
  }
  assertEquals(accepted, total);
});
