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
import { loadSince } from "../../sqpoll/figures.ts";
import { parseFdinfo, SqPoll, type ThreadLoad } from "../../sqpoll/mod.ts";
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

/**
 * The first load in which the thread worked. It takes some looks where the kernel counts time in
 * ticks: a few milliseconds of work between two of them are none.
 */
function workingLoad(poll: SqPoll): ThreadLoad {
  const end = performance.now() + 10_000;
  for (;;) {
    drive(poll, 20_000, () => prepNop(poll.sqe()));
    const load = poll.load();
    if (load.share > 0 || performance.now() > end) return load;
  }
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
    for (const poll of [first, second]) {
      prepNop(poll.sqe());
      poll.submit();
      assertEquals(poll.wait(1), 1);
    }
    // Until the thread has run, a ring names the one that made it.
    assertGreater(thread(first), 0);
    assertEquals(thread(first), thread(second));
  },
});

Deno.test({
  name: "SqPoll.load: the thread's share of a CPU",
  ignore,
  fn() {
    using poll = new SqPoll({ entries: 64, idle: 1000 });
    try {
      const { share, busy, thread } = workingLoad(poll);
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

Deno.test({
  name: "SqPoll.load: of a shared thread only from the second look on",
  ignore: ignore || !tellsTimes(),
  fn() {
    using first = new SqPoll({ entries: 64, idle: 1000 });
    drive(first, 20_000, () => prepNop(first.sqe()));
    using second = new SqPoll({ entries: 64, idle: 1000, share: first });
    const load = second.load();
    assertEquals([load.share, load.busy], [NaN, NaN]);
    assertEquals(load.thread, first.load().thread);
    const { share, busy } = workingLoad(second);
    assert(share > 0 && share <= 1.5, `share ${share}`);
    assert(busy >= 0 && busy <= 1, `busy ${busy}`);
  },
});

Deno.test({
  name: "SqPoll.load: while the thread is busy with the ring",
  ignore: ignore || !tellsTimes(),
  fn() {
    using poll = new SqPoll({ entries: 4096, cqEntries: 8192, idle: 1000 });
    let told = 0;
    // Most of the time /proc says nothing at all then.
    for (let round = 0; round < 50 || (told === 0 && round < 5000); round++) {
      for (let count = 0; count < 2000; count++) {
        const sqe = poll.ring.sqe();
        if (sqe === null) break;
        prepNop(sqe);
      }
      poll.submit();
      if (poll.load().share >= 0) told++;
      poll.reap(() => {});
    }
    assertGreater(told, 0);
  },
});

Deno.test({
  name: "SqPoll.load: of its thread, or of none, from the first moment on",
  ignore: ignore || !tellsTimes(),
  async fn() {
    let told = 0;
    for (let round = 0; round < 30; round++) {
      using poll = new SqPoll({ entries: 4, idle: 50 });
      if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve));
      const { thread, share } = poll.load();
      if (thread === -1) assertEquals(share, NaN);
      else {
        const comm = `/proc/self/task/${thread}/comm`;
        assertStringIncludes(Deno.readTextFileSync(comm), "iou-sqp");
        assert(share >= 0, `share ${share}`);
      }
      prepNop(poll.sqe());
      poll.submit();
      poll.wait(1);
      if (poll.load().share >= 0) told++;
    }
    // Once it has run, the kernel tells of it, except when it is busy.
    assertGreater(told, 0);
  },
});

function tellsTimes(): boolean {
  if (ignore) return false;
  using poll = new SqPoll({ entries: 2, idle: 1 });
  const path = `/proc/self/fdinfo/${poll.ring.fd}`;
  return Deno.readTextFileSync(path).includes("SqTotalTime");
}

/** Texts of several kernels, and what is in them. */
const FDINFO: Record<string, [text: string, figures: unknown[]]> = {
  "Linux 6.18": [
    "pos:\t0\nflags:\t02000002\nSqMask:\t0x3f\nCachedCqTail:\t9\n" +
    "SqThread:\t17\nSqThreadCpu:\t2\nSqTotalTime:\t31692\nSqWorkTime:\t25807\n",
    [17, 2, 31692, 25807],
  ],
  "no thread, or it is gone: the times are 0": [
    "SqThread:\t-1\nSqThreadCpu:\t-1\nSqTotalTime:\t0\nSqWorkTime:\t0\n",
    [-1, -1, undefined, undefined],
  ],
  "before 6.9": [
    "SqThread:\t17\nSqThreadCpu:\t2\nUserFiles:\t0\n",
    [17, 2, undefined, undefined],
  ],
  "before 6.9, the thread busy": [
    "SqThread:\t-1\nSqThreadCpu:\t-1\nUserFiles:\t0\n",
    [-1, -1, undefined, undefined],
  ],
  "6.18, the thread busy: as of a file that is no ring": [
    "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t1042\n",
    [-1, -1, undefined, undefined],
  ],
  "other files' names": [
    "pos:\t0\nUserFiles:\t1\n    0: SqThread:\t5\nUserBufs:\t0\n",
    [-1, -1, undefined, undefined],
  ],
  "no numbers": [
    "SqThread:\tnone\nSqThreadCpu:\t0x2\nSqTotalTime:\t\nSqWorkTime:\t5us\n",
    [-1, -1, undefined, undefined],
  ],
  nothing: ["", [-1, -1, undefined, undefined]],
};

for (const [name, [text, expected]] of Object.entries(FDINFO)) {
  Deno.test(`parseFdinfo: ${name}`, () => {
    const { thread, cpu, totalTime, workTime } = parseFdinfo(text);
    assertEquals([thread, cpu, totalTime, workTime], expected);
  });
}

Deno.test("loadSince: of one thread, and of what is not known", () => {
  const look = (thread: number, totalTime?: number, workTime?: number) => ({
    ...{ thread, cpu: thread === -1 ? -1 : 0, totalTime, workTime },
  });
  const began = { at: 100, totalTime: 0, workTime: 0 };
  const later = { at: 100, ...look(17, 500, 400) };
  const unknown = [NaN, NaN];
  for (
    const [last, now, expected] of [
      // The first look at a thread of its own: 10 ms, half of it spent, a fifth of that on work.
      [began, look(17, 5000, 1000), [0.5, 0.2]],
      [later, look(17, 2500, 1400), [0.2, 0.5]],
      [later, look(17, 500, 400), [0, 0]],
      // Work is measured more coarsely than time.
      [later, look(17, 600, 900), [0.01, 1]],
      [later, look(-1), unknown],
      [later, look(18, 2500, 1400), unknown],
      [later, look(17, 20, 10), unknown],
      [later, look(17, 600, 300), unknown],
      [{ ...began, totalTime: undefined }, look(17, 5000, 1000), unknown],
    ] as const
  ) {
    const { share, busy } = loadSince(last, now, 110);
    assertEquals([share, busy], [...expected]);
  }
  assertEquals(loadSince(began, look(17, 5, 1), 100).share, 0);
});

Deno.test({
  name: "SqPoll: what counts as a submission, and what EBADF means",
  ignore,
  fn() {
    using poll = new SqPoll({ entries: 4 });
    assertEquals([poll.submit(), poll.stats.submissions], [0, 0]);
    for (let count = 0; count < 5; count++) prepNop(poll.sqe());
    assertEquals(poll.stats.submissions, 1, "the first four, to make room");
    assertEquals([poll.submit(), poll.stats.submissions], [1, 2]);
    poll.wait(5);
    assertEquals(poll.reap(() => {}), 5);
    const { message } = poll.errorOf("read", -9);
    assertEquals(message.includes("5.11"), poll.ring.needsFixedFiles);
  },
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
