// epoll sets, changed and waited for through a ring.

import { assert, assertEquals } from "@std/assert";
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
} from "../../ffi/mod.ts";
import * as ops from "../../ops/mod.ts";
import { run } from "../../ops/mod.ts";
import { failure, TemporaryDirectory } from "../support/files.ts";
import { collect, queue } from "../support/queue.ts";
import { recvNow, sendNow, socketTest } from "../support/sockets.ts";

const both = { needs: ["epollCtl", "epollWait"] as ops.OpcodeName[] };

socketTest(
  "epollCtl, epollWait: what was given comes back",
  both,
  (ring, fds) => {
    const set = fds.epoll();
    const [one, other] = fds.pair();
    run(ring, ops.epollCtl(set, one, EPOLL_CTL_ADD, { events: EPOLLIN }));
    const data = 0xfedc_ba98_7654_3210n;
    const interest = { events: EPOLLIN, data };
    run(ring, ops.epollCtl(set, other, EPOLL_CTL_ADD, interest));
    sendNow(other, "x");
    assertEquals(run(ring, ops.epollWait(set)), [
      { events: EPOLLIN, data: BigInt(one) },
    ]);
    sendNow(one, "y");
    const events = run(ring, ops.epollWait(set));
    assertEquals(events.map((event) => event.data), [BigInt(one), data]);
    // One at a time, each in its turn.
    const [first] = run(ring, ops.epollWait(set, 1));
    const [second] = run(ring, ops.epollWait(set, 1));
    assert(first !== undefined && second !== undefined);
    assert(first.data !== second.data);
  },
);

socketTest("epollCtl: changed, removed, negative data", both, (ring, fds) => {
  const set = fds.epoll();
  const [one] = fds.pair();
  const op = ops.epollCtl(set, one, EPOLL_CTL_ADD, { events: EPOLLIN });
  run(ring, op);
  failure("EEXIST", () => run(ring, op));
  const change = { events: EPOLLOUT, data: -1 };
  run(ring, ops.epollCtl(set, one, EPOLL_CTL_MOD, change));
  assertEquals(run(ring, ops.epollWait(set)), [
    { events: EPOLLOUT, data: 0xffff_ffff_ffff_ffffn },
  ]);
  run(ring, ops.epollCtl(set, one, EPOLL_CTL_DEL));
  failure("ENOENT", () => run(ring, ops.epollCtl(set, one, EPOLL_CTL_DEL)));
  failure("ENOENT", () => {
    run(ring, ops.epollCtl(set, one, EPOLL_CTL_MOD, change));
  });
});

socketTest(
  "epollCtl: what is refused",
  { needs: ["epollCtl"] },
  (ring, fds) => {
    using directory = new TemporaryDirectory();
    using file = Deno.openSync(directory.file("x"));
    assert(file !== undefined);
    const set = fds.epoll();
    const [one] = fds.pair();
    const interest = { events: EPOLLIN };
    const add = (epfd: number, fd: number) =>
      run(ring, ops.epollCtl(epfd, fd, EPOLL_CTL_ADD, interest));
    failure("EBADF", () => add(set, 1_000_000));
    failure("EINVAL", () => add(one, one));
    failure("EINVAL", () => add(set, set));
    const regular = fds.add(
      run(ring, ops.openat(directory.join("x"), 0)),
    );
    failure("EPERM", () => add(set, regular));
  },
);

socketTest("epollWait: waits until something happens", both, (ring, fds) => {
  const set = fds.epoll();
  const [one, other] = fds.pair();
  const interest = { events: EPOLLIN, data: 5 };
  run(ring, ops.epollCtl(set, one, EPOLL_CTL_ADD, interest));
  const op = ops.epollWait(set);
  const held = queue(ring, op, 1);
  ring.submit();
  assertEquals(ring.wait(1, { timeout: 10 }), 0);
  sendNow(other, "x");
  const [seen] = collect(ring, 1);
  assert(seen !== undefined);
  assertEquals(op.finish(seen, held), [{ events: EPOLLIN, data: 5n }]);
  ops.release(held);
});

socketTest("epollWait: edges and single shots", both, (ring, fds) => {
  const set = fds.epoll();
  const [one, other] = fds.pair();
  const [two] = fds.pair();
  const edge = { events: (EPOLLIN | EPOLLET) >>> 0, data: 1 };
  const once = { events: EPOLLOUT | EPOLLONESHOT, data: 2 };
  run(ring, ops.epollCtl(set, one, EPOLL_CTL_ADD, edge));
  run(ring, ops.epollCtl(set, two, EPOLL_CTL_ADD, once));
  const tokens = () => run(ring, ops.epollWait(set)).map(({ data }) => data);
  assertEquals(tokens(), [2n]);
  sendNow(other, "x");
  assertEquals(tokens(), [1n]);
  const quiet = () => run(ring, ops.epollWait(set), { timeout: 10 });
  failure("ETIMEDOUT", quiet);
  sendNow(other, "y");
  assertEquals(tokens(), [1n]);
  assertEquals(recvNow(one), "xy");
});

socketTest(
  "epollWait: what is refused",
  { needs: ["epollWait"] },
  (ring, fds) => {
    const [one] = fds.pair();
    failure("EINVAL", () => run(ring, ops.epollWait(one)));
    failure("EBADF", () => run(ring, ops.epollWait(1_000_000)));
  },
);
