/** `Uring.submit`: turns, enters, inline completions, backpressure, overflow. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertRejects,
} from "@std/assert";
import { IOSQE_ASYNC, IOSQE_IO_DRAIN } from "../../ffi/mod.ts";
import {
  close,
  nop,
  Op,
  opcodes,
  openat,
  read,
  sendZc,
  timeout,
  write,
} from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { pattern, TemporaryDirectory } from "../support/files.ts";
import { Fds, kernelSince, readNow, writeNow } from "../support/sockets.ts";
import {
  bytes,
  eachKind,
  idle,
  sleep,
  stateOf,
  turn,
  until,
} from "./support.ts";

const injects = kernelSince(6, 10);

eachKind("files are opened, written, read and closed", {}, async (uring) => {
  using directory = new TemporaryDirectory();
  const data = pattern(100_000);
  const path = directory.join("file");
  const O_RDWR_CREAT = 0o102;
  const fd = await uring.submit(openat(path, O_RDWR_CREAT, { mode: 0o600 }));
  assertEquals(await uring.submit(write(fd, data, { offset: 0 })), 100_000);
  const back = new Uint8Array(100_000);
  assertEquals(await uring.submit(read(fd, back, { offset: 0 })), 100_000);
  await uring.submit(close(fd));
  assertEquals(back, data);
  assertEquals(Deno.readFileSync(path), data);
});

eachKind(
  "what waits for something comes when it is there",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const buffer = new Uint8Array(16);
    const reading = uring.submit(read(reader, buffer));
    await turn();
    assertEquals(await stateOf(reading), "waiting");
    assertEquals(uring.stats.inFlight, 1);
    writeNow(writer, bytes("hello"));
    assertEquals(await reading, 5);
    assertEquals(new TextDecoder().decode(buffer.subarray(0, 5)), "hello");
  },
);

eachKind(
  "one op value may be run any number of times, at once too",
  {},
  async (uring) => {
    const op = timeout(1);
    await Promise.all([uring.submit(op), uring.submit(op), uring.submit(op)]);
    await uring.submit(op);
    assertEquals(uring.stats.completed, 4);
  },
);

// --- one enter for each turn

const inline = ["best", "cooperative", "plain", "syscall"];

eachKind(
  "what is submitted in one turn takes one enter",
  { only: inline },
  async (uring) => {
    const before = uring.stats.enters;
    await Promise.all(Array.from({ length: 100 }, () => uring.submit(nop())));
    assertEquals(uring.stats.enters - before, 1);
    const { submitted, completed, inline } = uring.stats;
    assertEquals([submitted, completed, inline], [100, 100, 100]);
  },
);

eachKind(
  "each microtask turn has one enter",
  { only: inline },
  async (uring) => {
    const loop = async () => {
      for (let i = 0; i < 10; i++) await uring.submit(nop());
    };
    const before = uring.stats.enters;
    await Promise.all([loop(), loop(), loop(), loop()]);
    assertEquals(uring.stats.enters - before, 10);
    assertEquals(uring.stats.inline, 40);
  },
);

eachKind(
  "a loop that the microtasks interleave is one turn",
  { only: inline },
  async (uring) => {
    const before = uring.stats.enters;
    const late = Promise.resolve().then(() => uring.submit(nop()));
    const early = uring.submit(nop());
    await Promise.all([early, late]);
    assertEquals(uring.stats.enters - before, 1);
  },
);

eachKind("what is done by the time of the enter settles in the same turn", {
  timed: true,
  only: inline,
}, async (uring) => {
  using directory = new TemporaryDirectory();
  const file = Deno.openSync(directory.file("cached", "x".repeat(4096)));
  file.close();
  const fd = await uring.submit(openat(directory.join("cached"), 0));
  await uring.submit(read(fd, new Uint8Array(4096), { offset: 0 }));
  await turn();
  let turned = false;
  const immediate = setImmediate(() => turned = true);
  await uring.submit(read(fd, new Uint8Array(4096), { offset: 0 }));
  assertFalse(turned, "a cached read waited for the event loop");
  clearImmediate(immediate);
  await uring.submit(close(fd));
});

eachKind("after a bounded number of rounds the event loop has its turn", {
  only: inline,
}, async (uring) => {
  let turns = 0;
  let running = true;
  const count = () => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  for (let i = 0; i < 10_000; i++) await uring.submit(nop());
  running = false;
  await turn();
  // Some hundred ops a turn: neither one for each op, nor one for all.
  assertGreater(turns, 10_000 / 2000);
  assertLess(turns, 10_000 / 16);
});

// --- backpressure

eachKind("100 000 promises at once", {}, async (uring) => {
  const all: Promise<number>[] = [];
  for (let i = 0; i < 100_000; i++) {
    all.push(uring.submit(injects ? nop({ result: i }) : nop()));
  }
  const results = await Promise.all(all);
  const expected = results.map((_, index) => injects ? index : 0);
  assertEquals(results, expected);
  const { submitted, completed, inFlight, queued } = uring.stats;
  assertEquals(
    [submitted, completed, inFlight, queued],
    [100_000, 100_000, 0, 0],
  );
});

eachKind(
  "20 000 that wait, with room for 4096",
  { timed: true },
  async (uring) => {
    const op = timeout(20);
    const all = Promise.all(
      Array.from({ length: 20_000 }, () => uring.submit(op)),
    );
    const { inFlight, queued } = uring.stats;
    await all;
    assertGreater(queued, 0);
    assertGreaterOrEqual(4096, inFlight);
    assertEquals(uring.stats.completed, 20_000);
  },
);

eachKind("more ops than both queues hold go in order", {
  entries: 4,
  cqEntries: 8,
}, async (uring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("log");
  const O_WRONLY = 1;
  const fd = await uring.submit(openat(path, O_WRONLY));
  const settled: number[] = [];
  const all = Array.from(
    { length: 100 },
    (_, index) =>
      uring.submit(write(fd, Uint8Array.of(index), { offset: index }))
        .then(() => settled.push(index)),
  );
  assertGreaterOrEqual(8, uring.stats.inFlight);
  await Promise.all(all);
  await uring.submit(close(fd));
  assertEquals(Deno.readFileSync(path), Uint8Array.from(all.keys()));
});

eachKind("nops settle in the order of their submission", {
  entries: 4,
  cqEntries: 8,
}, async (uring) => {
  const settled: number[] = [];
  await Promise.all(
    Array.from(
      { length: 500 },
      (_, index) => uring.submit(nop()).then(() => settled.push(index)),
    ),
  );
  assertEquals(settled, [...settled.keys()]);
  assertEquals(settled.length, 500);
});

eachKind("what finds no room waits for those before it", {
  entries: 4,
  cqEntries: 8,
}, async (uring) => {
  using fds = new Fds();
  const pipes = Array.from({ length: 20 }, () => fds.pipe());
  const reads = pipes.map(([reader]) =>
    uring.submit(read(reader, new Uint8Array(8)))
  );
  const holds = (inFlight: number, queued: number) =>
    until(
      () => uring.stats.inFlight === inFlight && uring.stats.queued === queued,
      `${inFlight} in flight, ${queued} queued`,
    );
  await holds(8, 12);
  for (const [index, [, writer]] of pipes.entries()) {
    writeNow(writer, new Uint8Array(index % 8 + 1));
    assertEquals(await reads[index], index % 8 + 1);
    await holds(Math.min(8, 19 - index), Math.max(0, 11 - index));
  }
});

eachKind("the smallest ring there is runs everything", {
  entries: 1,
  cqEntries: 1,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const all = Array.from({ length: 20 }, () => uring.submit(nop()));
  const readings = [4, 4].map((length) =>
    uring.submit(read(reader, new Uint8Array(length)))
  );
  const after = uring.submit(nop());
  await Promise.all(all);
  await turn();
  assertEquals(await stateOf(after), "waiting");
  writeNow(writer, bytes("let go!"));
  assertEquals((await Promise.all(readings)).sort(), [3, 4]);
  assertEquals(await after, 0);
});

eachKind("completions that overflow their queue are not lost", {
  when: opcodes.msgRing.supported(),
  cqEntries: 4,
  entries: 4,
  only: ["best", "cooperative", "plain", "syscall"],
}, async (uring) => {
  await using other = new Uring();
  const got: number[] = [];
  uring.onMessage = (value) => got.push(value);
  // Both rings are this thread's: nothing is taken while the other one submits.
  const posts = Array.from(
    { length: 100 },
    (_, value) => other.post(uring.ring.fd, value),
  );
  await Promise.all(posts);
  await until(() => got.length === 100, "100 messages");
  uring.onMessage = undefined;
  assertEquals(got, [...got.keys()]);
  assertGreater(uring.stats.overflows, 0);
  assertEquals(uring.stats.strays, 0);
  assertEquals(await uring.submit(nop()), 0);
});

// --- one op and its neighbours

function encodingFails(): Op<void> {
  return Op.of({
    opcode: 0,
    name: "broken",
    encode: (sqe) => {
      sqe.opcode = 255;
      throw new RangeError("broken: cannot be encoded");
    },
    decode: () => undefined,
  });
}

eachKind(
  "an op that cannot be encoded leaves its neighbours alone",
  {},
  async (uring) => {
    const before = uring.submit(nop());
    const broken = uring.submit(encodingFails());
    const after = uring.submit(nop());
    await assertRejects(() => broken, RangeError, "cannot be encoded");
    assertEquals([await before, await after], [0, 0]);
    const timed = uring.submit(encodingFails(), { timeout: 10_000 });
    await assertRejects(() => timed, RangeError, "cannot be encoded");
    assertEquals(await uring.submit(nop()), 0);
    await idle(uring);
  },
);

eachKind(
  "a result that cannot be decoded rejects its promise alone",
  {},
  async (uring) => {
    const broken = Op.of({
      opcode: 0,
      name: "broken",
      encode: () => undefined,
      decode: (): void => {
        throw new SyntaxError("no such result");
      },
    });
    const [first, second, third] = await Promise.allSettled([
      uring.submit(nop()),
      uring.submit(broken),
      uring.submit(nop()),
    ]);
    assertEquals([first?.status, third?.status], ["fulfilled", "fulfilled"]);
    assert(second?.status === "rejected");
    assertEquals(second.reason.message, "no such result");
  },
);

eachKind("an op that fails leaves its neighbours alone", {}, async (uring) => {
  const all = await Promise.allSettled([
    uring.submit(nop()),
    uring.submit(openat("/nope/nope", 0)),
    uring.submit(nop()),
    uring.submit(close(999_999)),
    uring.submit(nop()),
  ]);
  const expected = ["fulfilled", "rejected"];
  assertEquals(
    all.map(({ status }) => status),
    [...expected, ...expected, "fulfilled"],
  );
});

eachKind("IOSQE_ASYNC sends an op to a worker", {}, async (uring) => {
  assertEquals(await uring.submit(nop(), { flags: IOSQE_ASYNC }), 0);
});

eachKind(
  "IOSQE_IO_DRAIN waits for what was submitted before",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const order: string[] = [];
    const reading = uring.submit(read(reader, new Uint8Array(1)))
      .then(() => order.push("read"));
    const drained = uring.submit(nop(), { flags: IOSQE_IO_DRAIN })
      .then(() => order.push("drained"));
    const later = uring.submit(nop()).then(() => order.push("later"));
    await sleep(5);
    assertEquals(order, []);
    writeNow(writer, bytes("x"));
    await Promise.all([reading, drained, later]);
    const [first, ...others] = order;
    assertEquals(first, "read");
    // Older ones let both go at once, and 6.1 runs the last first.
    if (!kernelSince(6, 12)) others.sort();
    assertEquals(others, ["drained", "later"]);
  },
);

eachKind("a zero-copy send settles when the kernel has let go of the buffer", {
  when: opcodes.sendZc.supported(),
}, async (uring) => {
  using fds = new Fds();
  const [left, right] = fds.tcpPair();
  const data = pattern(5000);
  const sent = await uring.submit(sendZc(left, data));
  assertEquals(sent, 5000);
  // Both completions have come.
  assertEquals([uring.stats.completed, uring.stats.inFlight], [1, 0]);
  const received: number[] = [];
  while (received.length < 5000) received.push(...readNow(right, 5000));
  assertEquals(Uint8Array.from(received), data);
});

eachKind("the figures add up", {}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const zero = uring.stats;
  assertEquals(
    [zero.submitted, zero.completed, zero.inline, zero.inFlight, zero.queued],
    [0, 0, 0, 0, 0],
  );
  const reading = uring.submit(read(reader, new Uint8Array(1)));
  assertEquals(uring.stats.submitted, 1);
  await sleep(5);
  assertEquals(
    [uring.stats.completed, uring.stats.inFlight, uring.stats.inline],
    [0, 1, 0],
  );
  writeNow(writer, bytes("x"));
  await reading;
  assertEquals([uring.stats.completed, uring.stats.inFlight], [1, 0]);
  assertEquals(uring.stats.strays, 0);
  assertEquals(uring.stats.enters, uring.ring.enters);
  // A snapshot: what comes later does not change it.
  assertEquals(zero.submitted, 0);
});
