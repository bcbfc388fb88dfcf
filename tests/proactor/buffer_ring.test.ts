/** `BufferRing`: leases of provided buffers, streams over them, what fails, the end. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { assertSpyCalls, spy, stub } from "@std/testing/mock";
import {
  addressOf,
  IORING_REGISTER_PBUF_RING,
  IORING_REGISTER_PBUF_STATUS,
  IOSQE_ASYNC,
  layout,
  SOCK_DGRAM,
} from "../../ffi/mod.ts";
import {
  opcodes,
  openat,
  read,
  readMultishot,
  type Received,
  recv,
  recvMultishot,
  timeoutMultishot,
} from "../../ops/mod.ts";
import {
  BufferRing,
  type BufferRingOptions,
  type ReceivedLease,
  type Uring,
} from "../../proactor/mod.ts";
import { hasRegister, linux } from "../kernel/registration/support.ts";
import { Descriptor, pattern } from "../support/files.ts";
import { isMapped } from "../support/maps.ts";
import { Fds, kernelSince, sendNow, writeNow } from "../support/sockets.ts";
import { bytes, eachKind, stateOf, turn, until } from "./support.ts";

const MSG_TRUNC = 0x20;
const when = hasRegister(IORING_REGISTER_PBUF_RING);
const multishot = linux("6.0");
const bundles = linux("6.10");
const incremental = linux("6.12");
const text = (lease: ReceivedLease) => new TextDecoder().decode(lease.bytes);

// --- leases

eachKind("buffers go round", { when }, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  using buffers = new BufferRing(uring, { entries: 4, bufferSize: 16 });
  assertEquals([buffers.entries, buffers.bufferSize], [4, 16]);
  const bufferGroup = buffers.group;
  const kept: ReceivedLease[] = [];
  for (let round = 0; round < 23; round++) {
    writeNow(writer, bytes(`round ${round}`));
    const op = read(reader, { bufferGroup });
    const received = await uring.submit(op);
    const lease = buffers.take(received);
    assertEquals([text(lease), lease.length], [
      `round ${round}`,
      received.length,
    ]);
    assertEquals(lease.received, received);
    kept.push(lease);
    assertEquals(buffers.leased, Math.min(round + 1, 4));
    // Not in the order in which they were taken.
    if (kept.length === 4) kept.splice(round % 4, 1)[0]?.release();
    assertEquals(buffers.leased, kept.length);
  }
  for (const lease of kept) lease.release();
  assertEquals(buffers.leased, 0);
});

eachKind("a lease ends once", { when, only: ["best"] }, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 16 });
  const op = read(reader, { bufferGroup: buffers.group });
  writeNow(writer, bytes("once"));
  const received = await uring.submit(op);
  const lease = buffers.take(received);
  assertThrows(() => buffers.take(received), TypeError, "taken already");
  assertThrows(
    () => buffers.take({ ...received }),
    TypeError,
    `buffer ${received.bufferId} was taken already`,
  );
  lease.release();
  lease.release();
  lease[Symbol.dispose]();
  assert(lease.released);
  assertThrows(() => lease.bytes, TypeError, "given back");
  assertThrows(() => lease.parts, TypeError, "given back");
  assertThrows(() => buffers.take(received), TypeError, "taken already");
  // Given back twice, it would be there twice.
  const texts: string[] = [];
  const leases: ReceivedLease[] = [];
  for (const word of ["one", "two"]) {
    writeNow(writer, bytes(word));
    leases.push(buffers.take(await uring.submit(op)));
  }
  for (const lease of leases) texts.push(text(lease));
  assertEquals(texts, ["one", "two"]);
  writeNow(writer, bytes("three"));
  await assertRejects(() => uring.submit(op), Error, "ENOBUFS");
  for (const lease of leases) lease.release();
});

eachKind("an op gives leases by itself", { when }, async (uring) => {
  using fds = new Fds();
  const [here, there] = fds.pair();
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 64 });
  const op = buffers.leasing(recv(here, { bufferGroup: buffers.group }));
  for (let round = 0; round < 9; round++) {
    sendNow(there, `message ${round}`);
    using lease = await uring.submit(op);
    assertEquals(text(lease), `message ${round}`);
    assertEquals(buffers.leased, 1);
  }
  assertEquals(buffers.leased, 0);
});

eachKind("the end of a file is a lease too", { when }, async (uring) => {
  using file = new Descriptor(await uring.submit(openat("/dev/null", 0)));
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 64 });
  const op = read(file.fd, { bufferGroup: buffers.group });
  for (let round = 0; round < 5; round++) {
    using lease = buffers.take(await uring.submit(op));
    assertEquals([lease.length, lease.bytes.length], [0, 0]);
  }
  for (let round = 0; round < 5; round++) {
    using lease = await uring.submit(buffers.leasing(op));
    assertEquals(lease.bytes.length, 0);
  }
  assertEquals(buffers.leased, 0);
});

// --- streams

/** Sends a pattern through a socket, and compares what a loop makes of it. */
async function pumps(
  loop: (socket: number, take: (bytes: Uint8Array) => void) => Promise<void>,
): Promise<void> {
  using fds = new Fds();
  const [here, there] = fds.pair();
  const data = pattern(300_000);
  const got: number[] = [];
  const looping = loop(here, (bytes) => got.push(...bytes));
  for (let at = 0; at < data.length; at += 10_000) {
    sendNow(there, data.subarray(at, at + 10_000));
    await until(() => got.length >= at - 50_000, "the receiver follows");
  }
  fds.close(there);
  await looping;
  assertEquals(Uint8Array.from(got), data);
}

eachKind("a stream's results are taken", { when: multishot }, async (
  uring,
) => {
  using buffers = new BufferRing(uring, { entries: 8, bufferSize: 4096 });
  const bufferGroup = buffers.group;
  await pumps(async (socket, take) => {
    const stream = uring.stream(recvMultishot(socket, { bufferGroup }));
    for await (const received of stream) {
      using lease = buffers.take(received);
      take(lease.bytes);
    }
  });
  assertEquals(buffers.leased, 0);
});

eachKind("a stream gives leases", { when: multishot }, async (uring) => {
  using buffers = new BufferRing(uring, { entries: 8, bufferSize: 4096 });
  await pumps(async (socket, take) => {
    const stream = uring.stream(buffers.receive(socket));
    for await (using lease of stream) take(lease.bytes);
  });
  assertEquals(buffers.leased, 0);
});

eachKind("what nobody took of a stream goes back, to the group that it is of", {
  when: multishot,
}, async (uring) => {
  using buffers = new BufferRing(uring, { entries: 4, bufferSize: 4 });
  using _others = new BufferRing(uring, { entries: 4, bufferSize: 4 });
  for (const leasing of [false, true]) {
    using fds = new Fds();
    const [here, there] = fds.pair();
    const op = recvMultishot(here, { bufferGroup: buffers.group });
    const stream = uring.stream<unknown>(leasing ? buffers.leasing(op) : op);
    const first = stream.next();
    sendNow(there, "one.two.");
    const { value } = await first;
    await until(() => buffers.leased === 2, "the second result has come");
    await stream.return?.();
    assertEquals(buffers.leased, 1, "only what was taken is out");
    using _lease = leasing ? value : buffers.take(value);
  }
  assertEquals(buffers.leased, 0);
});

eachKind("a stream that takes no buffers has nothing to do with them", {
  when: when && opcodes.readMultishot.supported(),
}, async (uring) => {
  using buffers = new BufferRing(uring, { entries: 1, bufferSize: 4 });
  assertEquals(buffers.group, 0);
  let ticks = 0;
  const stream = uring.stream(timeoutMultishot(1, { count: 2 }));
  for await (const _tick of stream) ticks++;
  assertEquals(ticks, 2);
});

eachKind("an incremental ring gives every byte in its place", {
  when: incremental,
}, async (uring) => {
  const options = { entries: 4, bufferSize: 16384, incremental: true };
  using buffers = new BufferRing(uring, options);
  await pumps(async (socket, take) => {
    // Without a length of fewer bytes: Linux 6.18 with SQPOLL may never tell of the end then.
    const stream = uring.stream(buffers.receive(socket));
    for await (using lease of stream) take(lease.bytes);
  });
  assertEquals(buffers.leased, 0);
});

for (const kind of ["received", "leases"]) {
  eachKind(`what nobody took of a stream goes back: ${kind}`, {
    when: multishot,
  }, async (uring) => {
    using fds = new Fds();
    const [here, there] = fds.pair();
    using buffers = new BufferRing(uring, { entries: 8, bufferSize: 16 });
    const op = recvMultishot(here, { bufferGroup: buffers.group });
    sendNow(there, "0");
    for (let round = 0; round < 5; round++) {
      const stream: AsyncIterableIterator<Received | ReceivedLease> =
        kind === "leases"
          ? uring.stream(buffers.leasing(op))
          : uring.stream(op);
      for await (const result of stream) {
        using lease = "received" in result ? result : buffers.take(result);
        assertEquals(text(lease), `${round}`);
        sendNow(there, "a".repeat(70));
        await until(() => buffers.leased >= 6, "the others have come");
        break;
      }
      assertEquals(buffers.leased, 0);
      if (round < 4) sendNow(there, `${round + 1}`);
    }
  });
}

eachKind("results of an incremental stream may be taken in any order", {
  // A length for each result came with 6.17.
  when: incremental && kernelSince(6, 17),
}, async (uring) => {
  using fds = new Fds();
  const [here, there] = fds.pair();
  const options = { entries: 2, bufferSize: 24, incremental: true };
  using buffers = new BufferRing(uring, options);
  const op = recvMultishot(here, { bufferGroup: buffers.group, length: 8 });
  await using stream = uring.stream(op);
  const first = stream.next();
  sendNow(there, "11111111" + "22222222" + "33333333" + "44444444");
  const results: Received[] = [];
  for (const next of [first, stream.next(), stream.next(), stream.next()]) {
    results.push((await next).value);
  }
  const leases = results.toReversed().map((result) => buffers.take(result));
  assertEquals(leases.map(text), [
    "44444444",
    "33333333",
    "22222222",
    "11111111",
  ]);
  assertEquals(new Set(results.map(({ bufferId }) => bufferId)).size, 2);
  // The first buffer is full, the kernel goes on in the second.
  for (const lease of leases.slice(1)) {
    assertEquals(buffers.leased, 2);
    lease.release();
  }
  assertEquals(buffers.leased, 1);
  leases[0]?.release();
  assertEquals(buffers.leased, 0);
  sendNow(there, "55555555");
  using fifth: ReceivedLease = buffers.take((await stream.next()).value);
  assertEquals(text(fifth), "55555555");
});

eachKind("a bundle lies in several buffers", {
  // Linux 6.12 fills one buffer at a time where 6.17 fills several.
  when: bundles && kernelSince(6, 17),
}, async (uring) => {
  using fds = new Fds();
  const [here, there] = fds.pair();
  using buffers = new BufferRing(uring, { entries: 8, bufferSize: 8 });
  const bufferGroup = buffers.group;
  // So that those that follow each other in the ring do not in memory.
  const mixed: ReceivedLease[] = [];
  for (let id = 0; id < 8; id++) {
    sendNow(there, "x");
    mixed.push(buffers.take(await uring.submit(recv(here, { bufferGroup }))));
  }
  for (const id of [3, 1, 6, 0, 7, 2, 5, 4]) mixed[id]?.release();
  const op = recv(here, { bufferGroup, bundle: true });
  let most = 0;
  for (let round = 0; round < 6; round++) {
    const sent = "aaaaaaaabbbbbbbbccccccccddddddddend";
    sendNow(there, sent);
    let got = "";
    // How much of it comes at once is the kernel's choice.
    while (got.length < sent.length) {
      using lease = round % 2 === 0
        ? buffers.take(await uring.submit(op))
        : await uring.submit(buffers.leasing(op));
      assertEquals(lease.bytes.length, lease.length);
      assertEquals(buffers.leased, lease.parts.length);
      assert(lease.parts.slice(0, -1).every(({ length }) => length === 8));
      most = Math.max(most, lease.parts.length);
      got += text(lease);
    }
    assertEquals(got, sent);
  }
  assertGreater(most, 1, "no bundle came");
  assertEquals(buffers.leased, 0);
});

eachKind(
  "a message that was cut lies in one buffer, and takes no other along",
  {
    when,
  },
  async (uring) => {
    using fds = new Fds();
    const [here, there] = fds.pair(SOCK_DGRAM);
    using buffers = new BufferRing(uring, { entries: 4, bufferSize: 4 });
    const bufferGroup = buffers.group;
    const op = recv(here, { bufferGroup, flags: MSG_TRUNC });
    const ids: number[] = [];
    for (let round = 0; round < 8; round++) {
      sendNow(there, "much too long for four bytes");
      const received = await uring.submit(op);
      ids.push(received.bufferId);
      using lease = buffers.take(received);
      // Its length tells what it would have been.
      assertEquals([text(lease), lease.length], ["much", 28]);
      assertEquals(buffers.leased, 1);
    }
    assertEquals(ids, [0, 1, 2, 3, 0, 1, 2, 3]);
  },
);

// --- no buffers

/** Nothing in the body is called by a timer. */
async function withoutTimers<T>(body: () => Promise<T>): Promise<T> {
  using _timers = stub(
    globalThis as { setTimeout: (...args: unknown[]) => unknown },
    "setTimeout",
    () => 0,
  );
  return await body();
}

/** Where no timer runs. A kernel thread that shares its CPU takes many turns. */
async function turnsUntil(condition: () => boolean): Promise<void> {
  const late = performance.now() + 10_000;
  while (!condition() && performance.now() < late) await turn();
  assert(condition(), "it never came to that");
}

async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at++) await turn();
}

for (const kind of ["received", "leases"]) {
  eachKind(`a stream goes on as soon as a buffer comes back: ${kind}`, {
    when: multishot,
    sleep: false,
  }, async (uring) => {
    using fds = new Fds();
    const [here, there] = fds.pair();
    using buffers = new BufferRing(uring, { entries: 2, bufferSize: 4 });
    const op = recvMultishot(here, { bufferGroup: buffers.group });
    await using stream = uring.stream(buffers.leasing(op));
    await using raw = uring.stream(op);
    const next = async (): Promise<ReceivedLease> =>
      kind === "leases"
        ? (await stream.next()).value
        : buffers.take((await raw.next()).value);
    const first = next();
    sendNow(there, "one.two.three.");
    const leases = [await first, await next()];
    assertEquals(leases.map(text), ["one.", "two."]);
    await withoutTimers(async () => {
      for (const expected of ["thre", "e."]) {
        const waiting = next();
        await turns(20);
        assertEquals(await stateOf(waiting), "waiting");
        leases.shift()?.release();
        const lease = await waiting;
        assertEquals(text(lease), expected);
        leases.push(lease);
      }
    });
    assert(uring.stats.rearms > 0);
    for (const lease of leases) lease.release();
  });
}

eachKind("nor does a buffer that comes back too early go unnoticed", {
  when: multishot,
  sleep: false,
}, async (uring) => {
  using fds = new Fds();
  const [here, there] = fds.pair();
  using buffers = new BufferRing(uring, { entries: 1, bufferSize: 4 });
  await using stream = uring.stream(buffers.receive(here));
  const first = stream.next();
  sendNow(there, "one.");
  const lease: ReceivedLease = (await first).value;
  const second = stream.next();
  await turns(3);
  await withoutTimers(async () => {
    // The kernel finds no buffer; we learn of it when there is one again.
    sendNow(there, "two.");
    lease.release();
    using next: ReceivedLease = (await second).value;
    assertEquals(text(next), "two.");
  });
});

eachKind("streams that lack buffers are served in turn", {
  when: multishot,
  sleep: false,
}, async (uring) => {
  using fds = new Fds();
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 4 });
  const pairs = Array.from({ length: 20 }, () => fds.pair());
  const ends: Promise<void>[] = [];
  let served = 0;
  await withoutTimers(async () => {
    for (const [here, there] of pairs) {
      sendNow(there, "12345678abcd");
      fds.close(there);
      ends.push((async () => {
        let got = "";
        for await (using lease of uring.stream(buffers.receive(here))) {
          await turns(3);
          got += text(lease);
        }
        assertEquals(got, "12345678abcd");
        served++;
      })());
    }
    await turnsUntil(() => served === pairs.length);
  });
  await Promise.all(ends);
  assertEquals(buffers.leased, 0);
});

eachKind("streams that have no need of a buffer hold up nobody who has", {
  // Older ones let them wait for data without a buffer, 6.12 for one.
  when: linux("6.18"),
  sleep: false,
}, async (uring) => {
  using fds = new Fds();
  using buffers = new BufferRing(uring, { entries: 1, bufferSize: 4 });
  const pairs = Array.from({ length: 6 }, () => fds.pair());
  const streams = pairs.map(([here]) => uring.stream(buffers.receive(here)));
  const [first, ...others] = streams;
  const taken = first?.next();
  sendNow(pairs[0]?.[1] ?? -1, "one.");
  const lease: ReceivedLease = (await taken)?.value;
  await withoutTimers(async () => {
    // To begin to wait takes a buffer to be there: they are refused, though nothing was sent.
    const waiting = others.map((stream) => stream.next());
    await turnsUntil(() => uring.stats.inFlight === 1);
    sendNow(pairs.at(-1)?.[1] ?? -1, "last");
    lease.release();
    using last: ReceivedLease = (await waiting.pop())?.value;
    assertEquals(text(last), "last");
    for (const stream of streams) await stream.return?.();
    await Promise.all(waiting);
  });
});

eachKind("a buffer wakes one of those that wait for it, and nobody else", {
  when: multishot,
  only: ["best"],
  sleep: false,
}, async (uring) => {
  using fds = new Fds();
  using buffers = new BufferRing(uring, { entries: 1, bufferSize: 4 });
  const pairs = Array.from({ length: 4 }, () => fds.pair());
  const streams = pairs.map(([here]) => uring.stream(buffers.receive(here)));
  for (const [, there] of pairs) sendNow(there, "one.two.");
  await withoutTimers(async () => {
    const [first, ...others] = streams.map((stream) => stream.next());
    const lease: ReceivedLease = (await first)?.value;
    await turnsUntil(() => uring.stats.inFlight === 0);
    const { submitted } = uring.stats;
    lease.release();
    const next: ReceivedLease = (await others[0])?.value;
    await turns(5);
    assertEquals(uring.stats.submitted, submitted + 1);
    for (const stream of streams) await stream.return?.();
    await Promise.all(others);
    // Nobody waits: nothing is to be looked for in later turns.
    using immediates = spy(
      globalThis as { setImmediate: (...args: unknown[]) => unknown },
      "setImmediate",
    );
    next.release();
    assertSpyCalls(immediates, 0);
  });
});

// --- failures

eachKind("an op that fails gives its buffer back", { when }, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  using directory = new Descriptor(await uring.submit(openat("/", 0)));
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 64 });
  const bufferGroup = buffers.group;
  const op = read(directory.fd, { bufferGroup });
  for (let round = 0; round < 6; round++) {
    const failing = round % 2 === 0 ? op : buffers.leasing(op);
    await assertRejects(
      () => uring.submit(failing as typeof op),
      Error,
      "EISDIR",
    );
  }
  writeNow(writer, bytes("all there"));
  const good = buffers.leasing(read(reader, { bufferGroup }));
  using lease = await uring.submit(good);
  assertEquals([text(lease), buffers.leased], ["all there", 1]);
});

eachKind("so does one that is cancelled in a worker", {
  when: linux("6.0"),
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 64 });
  const op = buffers.leasing(read(reader, { bufferGroup: buffers.group }));
  for (let round = 0; round < 6; round++) {
    await assertRejects(
      () => uring.submit(op, { flags: IOSQE_ASYNC, timeout: 2 }),
      Error,
      "not done after 2 ms",
    );
  }
  writeNow(writer, bytes("all there"));
  using lease = await uring.submit(op);
  assertEquals([text(lease), buffers.leased], ["all there", 1]);
});

eachKind("a stream at its end gives its buffer back", {
  when: opcodes.readMultishot.supported() && linux("6.7"),
}, async (uring) => {
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 64 });
  for (let round = 0; round < 6; round++) {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    writeNow(writer, bytes("all there"));
    fds.close(writer);
    const op = readMultishot(reader, { bufferGroup: buffers.group });
    const texts: string[] = [];
    for await (using lease of uring.stream(buffers.leasing(op))) {
      texts.push(text(lease));
    }
    assertEquals(texts, ["all there"]);
    assertEquals(buffers.leased, 0);
  }
});

eachKind("a buffer that was transferred away is replaced", { when }, async (
  uring,
) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  using buffers = new BufferRing(uring, { entries: 1, bufferSize: 64 });
  const op = buffers.leasing(read(reader, { bufferGroup: buffers.group }));
  writeNow(writer, bytes("gone"));
  const lease = await uring.submit(op);
  const address = addressOf(lease.bytes);
  const { buffer } = lease.bytes;
  const away = structuredClone(buffer, { transfer: [buffer] });
  lease.release();
  writeNow(writer, bytes("next"));
  using next = await uring.submit(op);
  assertNotEquals(addressOf(next.bytes), address);
  assertEquals(text(next), "next");
  assertEquals(new Uint8Array(away, 0, 4), bytes("gone"));
});

eachKind("a transfer while the kernel fills the buffer is told", {
  when: incremental,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const options = { entries: 1, bufferSize: 16, incremental: true };
  using buffers = new BufferRing(uring, options);
  const op = buffers.leasing(
    read(reader, { bufferGroup: buffers.group, length: 8 }),
  );
  writeNow(writer, bytes("12345678"));
  const lease = await uring.submit(op);
  lease.bytes.buffer.transfer();
  lease.release();
  writeNow(writer, bytes("abcdefgh"));
  await assertRejects(() => uring.submit(op), TypeError, "transferred away");
  writeNow(writer, bytes("replaced"));
  using last = await uring.submit(op);
  assertEquals(text(last), "replaced");
});

// --- groups, and the end

eachKind("each ring of buffers has a group of its own", {
  when,
  only: ["best", "syscall"],
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  using theirs = uring.ring.setupBufRing({ entries: 1, group: 0 });
  using one = new BufferRing(uring, { entries: 1, bufferSize: 8 });
  const two = new BufferRing(uring, { entries: 1, bufferSize: 8 });
  using three = new BufferRing(uring, {
    entries: 1,
    bufferSize: 8,
    group: 65535,
  });
  const groups = [theirs, one, two, three].map(({ group }) => group);
  assertEquals(groups, [0, 1, 2, 65535]);
  assertThrows(
    () => new BufferRing(uring, { entries: 1, bufferSize: 8, group: 1 }),
    Error,
    "EEXIST",
  );
  writeNow(writer, bytes("two"));
  const result = await uring.submit(read(reader, { bufferGroup: two.group }));
  assertEquals(text(two.take(result)), "two");
  two.close();
  using again = new BufferRing(uring, { entries: 1, bufferSize: 8 });
  assertEquals(again.group, 2);
});

eachKind(
  "streams end when their buffers close, and leases last",
  { when: multishot },
  async (
    uring,
  ) => {
    using fds = new Fds();
    const [here, there] = fds.pair();
    const [starving] = fds.pair();
    const buffers = new BufferRing(uring, { entries: 1, bufferSize: 4 });
    const silent = uring.stream(buffers.receive(starving));
    const idle = silent.next();
    const stream = uring.stream(buffers.receive(here));
    const first = stream.next();
    await turn();
    const { lease, address } = await withoutTimers(async () => {
      sendNow(there, "one.two.");
      const lease: ReceivedLease = (await first).value;
      const address = addressOf(lease.bytes);
      const waiting = stream.next();
      await turnsUntil(() => uring.stats.inFlight === 1);
      buffers.close();
      buffers.close();
      await assertRejects(() => waiting, Error, "ENOBUFS");
      return { lease, address };
    });
    assertEquals(await stateOf(idle), "waiting");
    assertEquals(text(lease), "one.");
    await silent.return?.();
    await stream.return?.();
    assertEquals((await idle).done, true);
    assert(isMapped(address));
    lease.release();
    assertFalse(isMapped(address), "the memory was not given back");
    const result: Received = {
      length: 1,
      bufferId: 0,
      more: false,
      partial: false,
      nonEmpty: false,
    };
    assertThrows(() => buffers.take(result), TypeError, "closed");
  },
);

/** How many buffers of a group the kernel has taken. */
function head(uring: Uring, group: number): number {
  const { io_uring_buf_status: status } = layout;
  const answer = new Uint8Array(status.size);
  const view = new DataView(answer.buffer);
  view.setUint32(status.buf_group, group, true);
  uring.ring.register("status", IORING_REGISTER_PBUF_STATUS, answer, 1);
  return view.getUint32(status.head, true);
}

eachKind("closed buffers stay while a worker fills one", {
  when: hasRegister(IORING_REGISTER_PBUF_STATUS),
}, async (
  uring,
) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const buffers = new BufferRing(uring, { entries: 2, bufferSize: 64 });
  const op = buffers.leasing(read(reader, { bufferGroup: buffers.group }));
  writeNow(writer, bytes("kept"));
  const kept = await uring.submit(op);
  writeNow(writer, bytes("first"));
  const first = await uring.submit(op);
  const address = addressOf(first.bytes);
  const { buffer } = kept.bytes;
  first.release();
  const reading = uring.submit(op, { flags: IOSQE_ASYNC });
  await until(() => head(uring, buffers.group) === 3, "a worker has a buffer");
  buffers.close();
  kept.release(); // to nobody: the kernel gets no buffer any more
  assert(isMapped(address), "the worker writes to memory that is gone");
  writeNow(writer, bytes("last"));
  const last = await reading;
  assertEquals(text(last), "last");
  await turn();
  assert(isMapped(address));
  assert(buffer.detached, "what nobody needs was not given back");
  last.release();
  assertFalse(isMapped(address), "the memory was not given back");
});

eachKind("what had come before the buffers closed can be taken", {
  when: multishot,
  only: ["plain"],
}, async (uring) => {
  using fds = new Fds();
  const [here, there] = fds.pair();
  const buffers = new BufferRing(uring, { entries: 1, bufferSize: 16 });
  const op = recvMultishot(here, { bufferGroup: buffers.group });
  const stream = uring.stream(op);
  const next = stream.next();
  await turn();
  // The kernel has put it into a buffer when the call returns. Nobody has looked yet.
  sendNow(there, "just in time");
  buffers.close();
  const lease = buffers.take((await next).value);
  assertEquals(text(lease), "just in time");
  const { buffer } = lease.bytes;
  await stream.return?.();
  assertFalse(buffer.detached);
  lease.release();
  assert(buffer.detached, "the memory was not given back");
});

eachKind("the ring holds on to buffers for as long as it has them", {
  when,
  only: ["best"],
}, async (uring) => {
  const { keep } = uring.ring;
  const before = keep.size;
  const options = { entries: 2, bufferSize: 8, group: 5 };
  const buffers = new BufferRing(uring, options);
  assertEquals(keep.size, before + 2, "the buffers, and the ring of them");
  buffers.close();
  assertEquals(keep.size, before);
  {
    const { UnsafePointerView } = Deno;
    const { getArrayBuffer } = UnsafePointerView;
    let left = 2;
    using _none = stub(UnsafePointerView, "getArrayBuffer", (...args) => {
      if (left-- === 0) throw new Error("no memory");
      return getArrayBuffer(...args);
    });
    assertThrows(() => new BufferRing(uring, options), Error, "no memory");
  }
  assertEquals(keep.size, before);
  new BufferRing(uring, options).close();
  await turn();
});

eachKind("buffers outlive their Uring", { when, only: ["best"] }, async (
  uring,
) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const buffers = new BufferRing(uring, { entries: 2, bufferSize: 64 });
  writeNow(writer, bytes("kept"));
  const op = buffers.leasing(read(reader, { bufferGroup: buffers.group }));
  const lease = await uring.submit(op);
  const address = addressOf(lease.bytes);
  const hanging = uring.submit(op).then(() => "read", () => "failed");
  await uring.close();
  assertEquals(await hanging, "failed");
  assertEquals(text(lease), "kept");
  buffers.close();
  assertEquals(text(lease), "kept");
  lease.release();
  assertFalse(isMapped(address), "the memory was not given back");
});

eachKind("wrong use is told", { when, only: ["best"] }, async (uring) => {
  const make = (options: unknown) => () =>
    new BufferRing(uring, options as BufferRingOptions);
  assertThrows(
    () => new BufferRing({} as Uring, { entries: 1, bufferSize: 1 }),
    TypeError,
    "uring must be a Uring",
  );
  assertThrows(make(undefined), TypeError);
  assertThrows(make(null), TypeError, "options must be an object");
  assertThrows(
    make({ entries: 1, bufferSize: 1, incremental: 1 }),
    TypeError,
    "incremental must be a boolean",
  );
  assertThrows(make({ entries: 3, bufferSize: 8 }), RangeError, "power of two");
  assertThrows(make({ entries: 4, bufferSize: 0 }), RangeError, "bufferSize");
  assertThrows(make({ entries: 4 }), TypeError, "bufferSize");
  assertThrows(
    make({ entries: 4, bufferSize: 8, group: 65536 }),
    RangeError,
    "group",
  );
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 8 });
  const take = (result: unknown) => () => buffers.take(result as Received);
  assertThrows(take(null), TypeError, "must be what an op received");
  assertThrows(take(3), TypeError, "must be what an op received");
  assertThrows(take({ bufferId: 2, length: 1 }), RangeError, "bufferId");
  assertThrows(take({ bufferId: 0, length: -1 }), RangeError, "length");
  assertThrows(
    take({ bufferId: 0, length: 17, bundle: true }),
    RangeError,
    "length",
  );
  assertThrows(take({ bufferId: -1, length: 1 }), RangeError, "bufferId");
  assertThrows(
    () => buffers.leasing({} as ReturnType<typeof recv>),
    TypeError,
    "op must be an Op",
  );
  assertEquals(buffers.leased, 0);
  using nothing = buffers.take({
    length: 0,
    bufferId: -1,
    more: false,
    partial: false,
    nonEmpty: false,
  });
  assertEquals(nothing.bytes.length, 0);
  await turn();
});
