import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { isSystemError, Memory, O_RDONLY } from "../../ffi/mod.ts";
import { close, openat, prepNop, prepRead, run } from "../../ops/mod.ts";
import { parseFdinfo, SqPoll } from "../../sqpoll/mod.ts";
import { ringKinds } from "../support/rings.ts";

const ignore =
  ringKinds.find(({ name }) => name === "sqpoll")?.supported !== true;

/** Submits `total` ops in batches, reaping from the completion queue alone. */
function drive(
  poll: SqPoll,
  total: number,
  fill: (tag: number) => void,
): number {
  let done = 0;
  const visit = ({ res }: { res: number }) => {
    if (res < 0) throw poll.errorOf("op", res);
  };
  for (let tag = 0; tag < total; tag++) {
    fill(tag);
    if (tag % 16 === 15) poll.submit();
    // No more in flight than completions fit: an overflow would cost a system call.
    while (tag + 1 - done >= poll.ring.cq.entries) done += poll.reap(visit);
  }
  poll.submit();
  while (done < total) done += poll.reap(visit);
  return done;
}

Deno.test({
  name: "SqPoll: a busy thread takes nops without system calls",
  ignore,
  fn() {
    using poll = new SqPoll({ entries: 256, idle: 2000 });
    // Until its thread first runs, each submission wakes it.
    prepNop(poll.sqe());
    poll.submit();
    poll.wait(1);
    poll.reap(() => {});
    const before = poll.stats.enters;
    const total = 200_000;
    const done = drive(poll, total, (tag) => {
      let sqe = poll.ring.sqe();
      while (sqe === null) {
        poll.submit();
        sqe = poll.ring.sqe();
      }
      prepNop(sqe);
      sqe.tag = tag;
    });
    assertEquals(done, total);
    assertLess(poll.stats.enters - before, 10);
    const { submissions, wakeups, avoided } = poll.stats;
    assertEquals(avoided, submissions - wakeups);
    assertGreater(avoided, 1000);
  },
});

Deno.test({
  name: "SqPoll: a busy thread takes cached reads without system calls",
  ignore,
  fn() {
    using memory = new Memory(4096);
    using poll = new SqPoll({ entries: 256, idle: 2000 });
    const path = Deno.makeTempFileSync();
    Deno.writeFileSync(path, new Uint8Array(1 << 20));
    const fd = run(poll.ring, openat(path, O_RDONLY));
    const before = poll.stats.enters;
    const total = 50_000;
    const done = drive(poll, total, (tag) => {
      let sqe = poll.ring.sqe();
      while (sqe === null) {
        poll.submit();
        sqe = poll.ring.sqe();
      }
      prepRead(sqe, fd, memory.address, 4096, (tag % 256) * 4096);
    });
    assertEquals(done, total);
    assertLess(poll.stats.enters - before, 10);
    run(poll.ring, close(fd));
    Deno.removeSync(path);
  },
});

Deno.test({
  name: "SqPoll: sqe() waits for the thread when the queue is full",
  ignore,
  fn() {
    using poll = new SqPoll({ entries: 4, cqEntries: 4096, idle: 20 });
    let done = 0;
    for (let tag = 0; tag < 1000; tag++) {
      const sqe = poll.sqe();
      prepNop(sqe);
      sqe.tag = tag;
    }
    poll.submit();
    const tags = new Set<number>();
    while (done < 1000) done += poll.reap((cqe) => tags.add(cqe.tag));
    assertEquals(tags.size, 1000);
  },
});

Deno.test({
  name: "SqPoll: a sleeping thread is woken, and only then entered for",
  ignore,
  async fn() {
    using poll = new SqPoll({ entries: 8, idle: 1 });
    const nop = () => {
      prepNop(poll.sqe());
      poll.submit();
      assertEquals(poll.wait(1, { timeout: 5000 }), 1);
      poll.reap(() => {});
    };
    nop();
    const deadline = Date.now() + 5000;
    while (!poll.asleep && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert(poll.asleep);
    const { wakeups } = poll.stats;
    nop();
    assertEquals(poll.stats.wakeups, wakeups + 1);
  },
});

Deno.test({
  name: "SqPoll: rings share a thread",
  ignore,
  fn() {
    using first = new SqPoll({ entries: 8, idle: 50 });
    using second = new SqPoll({ entries: 8, idle: 50, share: first });
    const thread = (poll: SqPoll) => {
      const path = `/proc/self/fdinfo/${poll.ring.fd}`;
      for (;;) {
        const { thread } = parseFdinfo(Deno.readTextFileSync(path));
        // Linux 5.10 does not tell while the thread is busy with the ring.
        if (thread !== -1) return thread;
      }
    };
    assertGreater(thread(first), 0);
    assertEquals(thread(first), thread(second));
    for (const poll of [first, second]) {
      prepNop(poll.sqe());
      poll.submit();
      assertEquals(poll.wait(1), 1);
    }
  },
});

Deno.test({
  name: "SqPoll.load: the thread's share of a CPU",
  ignore,
  fn() {
    using poll = new SqPoll({ entries: 64, idle: 1000 });
    drive(poll, 20_000, () => prepNop(poll.sqe()));
    try {
      const { share, busy, thread } = poll.load();
      assertGreater(thread, 0);
      assert(share > 0 && share <= 1.5, `share ${share}`);
      assert(busy >= 0 && busy <= 1, `busy ${busy}`);
    } catch (error) {
      // Kernels before 6.9 do not tell, and the error says so.
      assert(isSystemError(error), String(error));
      assertStringIncludes(error.message, "6.9");
    }
  },
});

Deno.test("parseFdinfo: with and without the times", () => {
  const text =
    "pos:\t0\nSqThread:\t17\nSqThreadCpu:\t2\nSqTotalTime:\t31692\nSqWorkTime:\t25807\n";
  assertEquals(parseFdinfo(text), {
    thread: 17,
    cpu: 2,
    totalTime: 31692,
    workTime: 25807,
  });
  assertEquals(parseFdinfo("SqThread:\t-1\nSqThreadCpu:\t-1\n"), {
    thread: -1,
    cpu: -1,
    totalTime: undefined,
    workTime: undefined,
  });
});

Deno.test({
  name: "SqPoll: wrong options are refused",
  ignore,
  fn() {
    assertThrows(() => new SqPoll({ entries: 0 }), RangeError, "entries");
    assertThrows(() => new SqPoll({ idle: -1 }), RangeError, "sqThreadIdle");
    assertThrows(() => new SqPoll({ cpu: 1.5 }), RangeError, "sqThreadCpu");
    assertThrows(() => new SqPoll({ cpu: 60_000 }), Error, "EINVAL");
    const poll = new SqPoll({ entries: 4 });
    poll.close();
    poll.close();
    assertThrows(() => poll.sqe(), TypeError, "closed");
    assertThrows(() => poll.submit(), TypeError, "closed");
    assertThrows(() => poll.wait(1), TypeError, "closed");
  },
});
