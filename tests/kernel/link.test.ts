/** Order in the queue: links, hard links, drained ops, linked timeouts. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ECANCELED, EINVAL, ENOENT, ETIME } from "../../ffi/linux.ts";
import {
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../../ffi/mod.ts";
import { nop } from "../../ops/nop.ts";
import { release } from "../../ops/op.ts";
import { run } from "../../ops/run.ts";
import {
  linkTimeout,
  timeout,
  timeoutRemove,
  timeoutUpdate,
} from "../../ops/timeout.ts";
import { collect, queue, runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";

const HOUR = 3_600_000;

/** An op that fails on every kernel: there is no such timeout. */
const failure = timeoutRemove(0xdead);

function results(...expected: number[]): Map<number, number> {
  return new Map(expected.map((res, index) => [index + 1, res]));
}

/** Compares by tag, whatever the order was. */
function assertResults(
  actual: Map<number, number>,
  ...expected: number[]
): void {
  assertEquals(
    new Map([...actual].sort(([a], [b]) => a - b)),
    results(...expected),
  );
}

eachRing("link: one after the other", {}, (ring) => {
  const seen = runAll(
    ring,
    [timeout(20), IOSQE_IO_HARDLINK],
    [timeout(5), IOSQE_IO_HARDLINK],
    [nop()],
  );
  assertEquals([...seen.keys()], [1, 2, 3]);
  assertEquals([...seen.values()], [-ETIME, -ETIME, 0]);
});

eachRing("link: a failure cancels the rest of its chain only", {}, (ring) => {
  const seen = runAll(
    ring,
    [failure, IOSQE_IO_LINK],
    [nop(), IOSQE_IO_LINK],
    [nop()],
    [nop(), IOSQE_IO_LINK],
    [nop()],
  );
  assertResults(seen, -ENOENT, -ECANCELED, -ECANCELED, 0, 0);
});

eachRing("link: a failure in the middle spares what was before", {}, (ring) => {
  const seen = runAll(ring, [nop(), IOSQE_IO_LINK], [
    failure,
    IOSQE_IO_LINK,
  ], [nop()]);
  assertEquals([...seen], [...results(0, -ENOENT, -ECANCELED)]);
});

eachRing("hard link: goes on after a failure", {}, (ring) => {
  const seen = runAll(
    ring,
    [failure, IOSQE_IO_HARDLINK],
    [nop(), IOSQE_IO_HARDLINK],
    [failure, IOSQE_IO_LINK],
    [nop()],
  );
  assertEquals([...seen], [...results(-ENOENT, 0, -ENOENT, -ECANCELED)]);
});

eachRing("link: a time that runs out is a failure, unless told otherwise", {
  needs: ["msgRing"], // 5.18; IORING_TIMEOUT_ETIME_SUCCESS came with 5.16
}, (ring) => {
  const failed = runAll(ring, [timeout(1), IOSQE_IO_LINK], [nop()]);
  assertResults(failed, -ETIME, -ECANCELED);
  const patient = timeout(1, { expiryIsSuccess: true });
  const went = runAll(ring, [patient, IOSQE_IO_LINK], [nop()]);
  assertResults(went, -ETIME, 0);
});

eachRing("drain: starts after all before, holds back all after", {}, (ring) => {
  const seen = runAll(
    ring,
    [timeout(30)],
    [timeout(10)],
    [nop(), IOSQE_IO_DRAIN],
    [nop()],
  );
  const order = [...seen.keys()];
  assertEquals(order.slice(0, 2), [2, 1]);
  // Linux 6.1 lets go of what it held back in the reverse order.
  assertEquals(order.slice(2).sort(), [3, 4]);
});

eachRing("linkTimeout: runs out and cancels its op", {}, (ring) => {
  const seen = runAll(
    ring,
    [timeout(HOUR), IOSQE_IO_LINK],
    [linkTimeout(5)],
  );
  assertResults(seen, -ECANCELED, -ETIME);
});

eachRing("linkTimeout: ends with its op", {}, (ring) => {
  const seen = runAll(ring, [nop(), IOSQE_IO_LINK], [linkTimeout(HOUR)]);
  assertResults(seen, 0, -ECANCELED);
});

eachRing(
  "linkTimeout: absolute, by the time of day",
  { needs: ["mkdirat"] },
  (ring) => {
    const limit = linkTimeout(Date.now() + 5, {
      absolute: true,
      clock: "realtime",
    });
    const seen = runAll(ring, [timeout(HOUR), IOSQE_IO_LINK], [limit]);
    assertResults(seen, -ECANCELED, -ETIME);
  },
);

eachRing("linkTimeout: what is linked behind is cancelled too", {}, (ring) => {
  const seen = runAll(
    ring,
    [timeout(HOUR), IOSQE_IO_LINK],
    [linkTimeout(5), IOSQE_IO_LINK],
    [nop()],
  );
  assertResults(seen, -ECANCELED, -ETIME, -ECANCELED);
});

eachRing("linkTimeout: each op of a chain has its own", {}, (ring) => {
  const seen = runAll(
    ring,
    [nop(), IOSQE_IO_LINK],
    [linkTimeout(HOUR), IOSQE_IO_LINK],
    [timeout(HOUR), IOSQE_IO_LINK],
    [linkTimeout(5)],
  );
  assertResults(seen, 0, -ECANCELED, -ECANCELED, -ETIME);
});

eachRing("linkTimeout: behind nothing it is refused", {}, (ring) => {
  const held = queue(ring, linkTimeout(1), 1);
  assertEquals(collect(ring, 1).map(({ res }) => res), [-EINVAL]);
  release(held);
  assertThrows(() => run(ring, linkTimeout(1)), Error, "link_timeout: ");
});

// Updates of linked timeouts came with 5.15, as mkdirat did.
eachRing(
  "linkTimeout: updated while it counts",
  { needs: ["mkdirat"] },
  (ring) => {
    const held = queue(ring, timeout(HOUR), 1, IOSQE_IO_LINK);
    const limit = queue(ring, linkTimeout(HOUR), 2);
    ring.submit();
    const update = queue(ring, timeoutUpdate(2, 1, { link: true }), 3);
    const seen = new Map(collect(ring, 3).map(({ tag, res }) => [tag, res]));
    assertResults(seen, -ECANCELED, -ETIME, 0);
    for (const memory of [held, limit, update]) release(memory);
  },
);

// IOSQE_CQE_SKIP_SUCCESS came with 5.17, msg_ring with 5.18.
eachRing(
  "link: successes without completions",
  { needs: ["msgRing"] },
  (ring) => {
    queue(ring, nop(), 1, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
    queue(ring, nop(), 2, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
    queue(ring, nop(), 3);
    assertEquals(collect(ring, 1).map(({ tag }) => tag), [3]);
    assertEquals(ring.cq.ready, 0);
    queue(ring, failure, 4, IOSQE_CQE_SKIP_SUCCESS);
    const [failed] = collect(ring, 1);
    assert(failed?.tag === 4 && failed.res === -ENOENT);
  },
);
