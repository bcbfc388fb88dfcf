/** `Uring.stream`: multishots as async iterators, re-armed and paused. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { isSystemError, POLLIN, SOCK_DGRAM } from "../../ffi/mod.ts";
import {
  acceptMultishot,
  cancelFd,
  nop,
  opcodes,
  pollMultishot,
  readMultishot,
  type Received,
  recvmsgMultishot,
  recvMultishot,
  timeoutMultishot,
} from "../../ops/mod.ts";
import { type StreamOptions, Uring } from "../../proactor/mod.ts";
import { Fds, readNow, sendNow, writeNow } from "../support/sockets.ts";
import { bytes, eachKind, idle, sleep, stateOf, turn } from "./support.ts";
import {
  acceptsMany,
  buffersOf,
  closeAll,
  connect,
  pollsMany,
  receivesMany,
  timesMany,
} from "./multishots.ts";

// --- the kinds of multishot

eachKind(
  "accept: every connection, and the end of the loop closes nothing that was taken",
  {
    when: acceptsMany,
  },
  async (uring) => {
    using fds = new Fds();
    const listener = fds.listener();
    const accepted: number[] = [];
    connect(fds, listener, 3);
    for await (const fd of uring.stream(acceptMultishot(listener))) {
      accepted.push(fd);
      if (accepted.length === 3) connect(fds, listener, 2);
      if (accepted.length === 5) break;
    }
    assertEquals(new Set(accepted).size, 5);
    await idle(uring);
    closeAll(accepted);
  },
);

eachKind("recv: text after text, until the other end closes", {
  when: receivesMany,
}, async (uring) => {
  using fds = new Fds();
  using buffers = buffersOf(uring.ring, 8);
  const [left, right] = fds.pair();
  const received: string[] = [];
  sendNow(right, "message 0");
  for await (
    const result of uring.stream(recvMultishot(left, { bufferGroup: 3 }))
  ) {
    received.push(buffers.text(result));
    if (received.length < 20) sendNow(right, `message ${received.length}`);
    else fds.close(right);
  }
  assertEquals(received, Array.from({ length: 20 }, (_, i) => `message ${i}`));
});

eachKind(
  "recvmsg: datagrams with their senders",
  { when: receivesMany },
  async (uring) => {
    using fds = new Fds();
    using buffers = buffersOf(uring.ring, 8);
    const [left, right] = fds.pair(SOCK_DGRAM);
    const bufferGroup = 3;
    const stream = uring.stream(
      recvmsgMultishot(left, { bufferGroup, kind: "datagram" }),
    );
    sendNow(right, "");
    const { value, done } = await stream.next();
    assertEquals(done, false);
    assertGreaterOrEqual(value.length, 0);
    buffers.giveBack(value.bufferId);
    await stream.return?.();
    await idle(uring);
  },
);

eachKind("read: what comes through a pipe, until it ends", {
  when: opcodes.readMultishot.supported(),
}, async (uring) => {
  using fds = new Fds();
  using buffers = buffersOf(uring.ring, 4);
  const [reader, writer] = fds.pipe();
  const got: string[] = [];
  writeNow(writer, bytes("0"));
  for await (
    const result of uring.stream(readMultishot(reader, { bufferGroup: 3 }))
  ) {
    got.push(buffers.text(result));
    if (got.length < 10) writeNow(writer, bytes(`${got.length}`));
    else fds.close(writer);
  }
  assertEquals(got.join(""), "0123456789");
});

eachKind(
  "poll: each time something happens",
  { when: pollsMany },
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    let times = 0;
    writeNow(writer, bytes("x"));
    for await (const events of uring.stream(pollMultishot(reader, POLLIN))) {
      assertEquals(events & POLLIN, POLLIN);
      readNow(reader, 1);
      if (++times === 5) break;
      writeNow(writer, bytes("x"));
    }
    await idle(uring);
  },
);

eachKind(
  "timeout: so many ticks, or without end",
  { when: timesMany },
  async (uring) => {
    let ticks = 0;
    for await (
      const _ of uring.stream(timeoutMultishot(1, { count: 5 }))
    ) ticks++;
    assertEquals(ticks, 5);
    const started = performance.now();
    for await (const _ of uring.stream(timeoutMultishot(2))) {
      if (++ticks === 10) break;
    }
    assertGreaterOrEqual(performance.now() - started, 9);
    await idle(uring);
  },
);

// --- the iterator

eachKind(
  "nothing is submitted before the first next()",
  { when: pollsMany },
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const stream = uring.stream(pollMultishot(reader, POLLIN));
    await turn();
    assertEquals(uring.stats.submitted, 0);
    assertStrictEquals(stream[Symbol.asyncIterator](), stream);
    assertEquals(await stream.return?.(), { done: true, value: undefined });
    assertEquals(await stream.next(), { done: true, value: undefined });
    assertEquals(uring.stats.submitted, 0);
  },
);

eachKind(
  "several concurrent next() are served in order",
  { when: timesMany },
  async (uring) => {
    const stream = uring.stream(timeoutMultishot(1, { count: 3 }));
    const order: number[] = [];
    const results = await Promise.all(
      Array.from({ length: 5 }, async (_, index) => {
        const { done } = await stream.next();
        order.push(index);
        return done === true;
      }),
    );
    assertEquals(order, [0, 1, 2, 3, 4]);
    assertEquals(results, [false, false, false, true, true]);
    assertEquals(await stream.next(), { done: true, value: undefined });
  },
);

eachKind("what comes between next() calls waits for them", {
  when: receivesMany,
}, async (uring) => {
  using fds = new Fds();
  using buffers = buffersOf(uring.ring, 8);
  const [left, right] = fds.pair();
  const stream = uring.stream(recvMultishot(left, { bufferGroup: 3 }));
  sendNow(right, "0");
  let got = buffers.text((await stream.next()).value);
  for (let index = 1; index < 6; index++) {
    sendNow(right, `${index}`);
    await sleep(2);
  }
  while (got.length < 6) got += buffers.text((await stream.next()).value);
  assertEquals(got, "012345");
  await stream.return?.();
});

eachKind(
  "two streams at once, of the same op too",
  { when: timesMany },
  async (uring) => {
    const op = timeoutMultishot(1, { count: 4 });
    const count = async () => (await Array.fromAsync(uring.stream(op))).length;
    assertEquals(await Promise.all([count(), count(), count()]), [4, 4, 4]);
  },
);

eachKind(
  "return() ends the waits of others",
  { when: pollsMany },
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const stream = uring.stream(pollMultishot(reader, POLLIN));
    const waiting = [stream.next(), stream.next()];
    await turn();
    assertEquals(uring.stats.inFlight, 1);
    await stream.return?.();
    // The kernel is done with it by then.
    await idle(uring);
    const end = { done: true as const, value: undefined };
    assertEquals(await Promise.all(waiting), [end, end]);
    assertEquals(await stream.return?.(), end);
  },
);

eachKind("await using ends a stream", { when: pollsMany }, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  {
    await using stream = uring.stream(pollMultishot(reader, POLLIN));
    writeNow(writer, bytes("x"));
    assertEquals((await stream.next()).done, false);
    assertEquals(uring.stats.inFlight, 1);
  }
  await idle(uring);
});

eachKind(
  "a failure rejects one next(), and is the end",
  { when: pollsMany },
  async (uring) => {
    const stream = uring.stream(pollMultishot(999_999, POLLIN));
    const error = await assertRejects(() => stream.next());
    assert(isSystemError(error));
    assertEquals([error.code, error.op], ["EBADF", "poll_add"]);
    assertEquals(await stream.next(), { done: true, value: undefined });
    assertEquals(await stream.return?.(), { done: true, value: undefined });
  },
);

eachKind(
  "what another op cancels is a failure",
  { when: acceptsMany },
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const stream = uring.stream(pollMultishot(reader, POLLIN));
    const next = assertRejects(() => stream.next());
    await turn();
    await uring.submit(cancelFd(reader));
    const error = await next;
    assert(isSystemError(error));
    assertEquals(error.code, "ECANCELED");
  },
);

eachKind("what was there before the failure comes before it", {
  // With SQPOLL nobody can tell when the kernel's thread has received it.
  only: ["best", "cooperative", "plain", "syscall"],
  when: receivesMany,
}, async (uring) => {
  using fds = new Fds();
  using buffers = buffersOf(uring.ring, 8);
  const [left, right] = fds.pair();
  const stream = uring.stream(recvMultishot(left, { bufferGroup: 3 }));
  sendNow(right, "first");
  assertEquals(buffers.text((await stream.next()).value), "first");
  sendNow(right, "second");
  await sleep(20);
  await uring.submit(cancelFd(left));
  await sleep(20);
  assertEquals(buffers.text((await stream.next()).value), "second");
  await assertRejects(() => stream.next(), Error, "ECANCELED");
});

// --- re-arming

eachKind(
  "no buffers: it goes on when some come back",
  { when: receivesMany },
  async (uring) => {
    using fds = new Fds();
    using buffers = buffersOf(uring.ring, 2);
    const [left, right] = fds.pair();
    const stream = uring.stream(recvMultishot(left, { bufferGroup: 3 }));
    sendNow(right, "a".repeat(16) + "b".repeat(16) + "c".repeat(16));
    const first = (await stream.next()).value as Received;
    const second = (await stream.next()).value as Received;
    const third = stream.next();
    await sleep(10);
    assertEquals(await stateOf(third), "waiting");
    assertGreater(uring.stats.rearms, 0);
    buffers.giveBack(first.bufferId);
    const { value } = await third;
    assertEquals(value.length, 16);
    assertEquals(buffers.text(value), "c".repeat(16));
    buffers.giveBack(second.bufferId);
    await stream.return?.();
    await idle(uring);
  },
);

eachKind(
  "no buffers: who waits can be cut off",
  { when: receivesMany },
  async (uring) => {
    using fds = new Fds();
    using _buffers = buffersOf(uring.ring, 1);
    const [left, right] = fds.pair();
    const controller = new AbortController();
    const { signal } = controller;
    const stream = uring.stream(recvMultishot(left, { bufferGroup: 3 }), {
      signal,
    });
    sendNow(right, "a".repeat(40));
    await stream.next();
    const second = stream.next();
    await sleep(5);
    controller.abort("enough");
    assertEquals(await second.catch((reason) => reason), "enough");
  },
);

eachKind("dropped for want of room in the queue: it is submitted again", {
  when: acceptsMany,
  entries: 2,
  cqEntries: 2,
  only: ["best", "cooperative", "plain", "syscall"],
}, async (uring) => {
  using fds = new Fds();
  const listener = fds.listener();
  connect(fds, listener, 20);
  const accepted: number[] = [];
  for await (const fd of uring.stream(acceptMultishot(listener))) {
    accepted.push(fd);
    if (accepted.length === 20) break;
  }
  closeAll(accepted);
  assertEquals(new Set(accepted).size, 20);
  assertGreater(uring.stats.rearms, 0);
});

eachKind("many streams on a ring with room for few entries", {
  when: timesMany,
  entries: 2,
  cqEntries: 64,
}, async (uring) => {
  const run = async () => {
    let ticks = 0;
    for await (const _ of uring.stream(timeoutMultishot(1), { limit: 1 })) {
      await turn();
      if (++ticks === 5) break;
    }
    return ticks;
  };
  const counts = await Promise.all(Array.from({ length: 40 }, run));
  assertEquals(counts, Array(40).fill(5));
  await idle(uring);
});

eachKind("many streams that are paused at once, with room for few entries", {
  when: pollsMany,
  entries: 2,
  cqEntries: 256,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const streams = Array.from(
    { length: 50 },
    () => uring.stream(pollMultishot(reader, POLLIN), { limit: 1 }),
  );
  for (let round = 0; round < 5; round++) {
    const nexts = streams.map((stream) => stream.next());
    await turn();
    writeNow(writer, bytes("x"));
    for (const { done } of await Promise.all(nexts)) assertEquals(done, false);
    // Nobody waits: the next event is one more than each keeps.
    writeNow(writer, bytes("x"));
    await sleep(2);
    for (const stream of streams) await stream.next();
  }
  await Promise.all(streams.map((stream) => stream.return?.()));
  await idle(uring);
});

// --- the limit

eachKind("at its limit it pauses, and goes on when what came is taken", {
  when: timesMany,
}, async (uring) => {
  const stream = uring.stream(timeoutMultishot(1), { limit: 3 });
  assertEquals((await stream.next()).done, false);
  await idle(uring);
  await sleep(10);
  // Nothing came in the meantime.
  assertEquals(uring.stats.inFlight, 0);
  // How many came before the pause is the kernel's affair.
  while (uring.stats.submitted < 2) {
    assertEquals((await stream.next()).done, false);
  }
  assertGreaterOrEqual(uring.stats.rearms, 1);
  await stream.return?.();
  await idle(uring);
});

eachKind(
  "at its limit no connection is lost",
  { when: acceptsMany },
  async (uring) => {
    using fds = new Fds();
    const listener = fds.listener();
    const accepted: number[] = [];
    const stream = uring.stream(acceptMultishot(listener), { limit: 2 });
    connect(fds, listener, 12);
    for await (const fd of stream) {
      accepted.push(fd);
      await sleep(1);
      if (accepted.length === 12) break;
    }
    closeAll(accepted);
    assertEquals(new Set(accepted).size, 12);
  },
);

eachKind("wrong options", {}, async (uring) => {
  const op = pollMultishot(0, POLLIN);
  const wrong: [StreamOptions, string][] = [
    [{ limit: 0 }, "limit must be an integer from 1 on; got 0"],
    [{ limit: 1.5 }, "limit must be an integer from 1 on; got 1.5"],
    [
      { signal: "no" as unknown as AbortSignal },
      "Uring.stream: signal must be",
    ],
    [
      null as unknown as StreamOptions,
      "Uring.stream: options must be an object",
    ],
  ];
  for (const [options, message] of wrong) {
    assertThrows(() => uring.stream(op, options), Error, message);
  }
  assertEquals(await uring.submit(nop()), 0);
});

eachKind("a thousand results a turn, none lost", {
  when: receivesMany,
}, async (uring) => {
  using fds = new Fds();
  using buffers = buffersOf(uring.ring, 256);
  const [left, right] = fds.pair();
  await using other = new Uring();
  let sent = 0;
  let got = 0;
  const sending = (async () => {
    for (let round = 0; round < 100; round++) {
      for (let index = 0; index < 20; index++) sendNow(right, `${sent++ % 10}`);
      await other.submit(nop());
      // The socket does not hold more than some hundred messages.
      do await turn(); while (sent - got > 100);
    }
  })();
  for await (
    const result of uring.stream(recvMultishot(left, { bufferGroup: 3 }))
  ) {
    for (const digit of buffers.text(result)) {
      assertEquals(digit, `${got++ % 10}`);
    }
    if (got === 2000) break;
  }
  await sending;
  assertEquals(got, 2000);
  await idle(uring);
});
