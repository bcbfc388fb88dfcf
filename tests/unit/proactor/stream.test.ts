/** `MultishotStream` with an engine that does what each test says. */

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { assertSpyCalls, spy, stub } from "@std/testing/mock";
import {
  IORING_CQE_BUFFER_SHIFT,
  IORING_CQE_F_BUFFER,
} from "../../../ffi/abi.ts";
import { ECANCELED, EIO, ENOBUFS } from "../../../ffi/linux.ts";
import { Op } from "../../../ops/op.ts";
import {
  type Received,
  received,
  selectBuffer,
} from "../../../ops/provided.ts";
import type { Batch } from "../../../proactor/batch.ts";
import type { Engine } from "../../../proactor/engine.ts";
import { addGroup, type BufferGroup } from "../../../proactor/groups.ts";
import type { Extra } from "../../../proactor/slots.ts";
import { MultishotStream } from "../../../proactor/stream.ts";
import type { Ring } from "../../../ring/ring.ts";

const GROUP = 7;

/** What a completion tells beside its result. */
interface Told {
  /** Whether it is the last of its submission. */
  last?: boolean;
  /** Which provided buffer was taken. */
  buffer?: number;
}

/** An engine that launches at once, and completes when it is told to. */
class FakeEngine {
  readonly ring = {} as Ring;
  readonly broken = undefined;
  alive = true;
  readonly counters = { rearms: 0 };
  /** Whether what is submitted waits for room. */
  full = false;
  submitted = 0;
  cancelled = 0;
  readonly #queued = new Set<Batch>();
  #extra: Extra | null = null;

  get queued(): number {
    return this.#queued.size;
  }

  enqueue(batch: Batch): void {
    if (this.full) this.#queued.add(batch);
    else batch.launch();
  }

  withdraw(batch: Batch): boolean {
    return this.#queued.delete(batch);
  }

  launch(...[, , , , extra]: Parameters<Engine["launch"]>): { tag: number } {
    this.#extra = extra;
    return { tag: ++this.submitted };
  }

  cancel(): void {
    this.cancelled++;
  }

  /** A completion of what was launched last. */
  complete(res: number, { last = false, buffer }: Told = {}): void {
    const flags = buffer === undefined
      ? 0
      : (buffer << IORING_CQE_BUFFER_SHIFT) | IORING_CQE_F_BUFFER;
    this.#extra?.multishot?.take({ res, flags }, undefined, last);
  }
}

/** A group of which is told what becomes of its buffers. */
class FakeGroup implements BufferGroup {
  returned = 0;
  closed = false;
  readonly discarded: number[] = [];
  readonly waiting = new Set<() => boolean>();

  whenReturned(callback: () => boolean): () => void {
    this.waiting.add(callback);
    return () => this.waiting.delete(callback);
  }

  note(): void {}

  discard({ bufferId }: Received): void {
    this.discarded.push(bufferId);
  }

  /** A buffer comes back; whether somebody has a use for it. */
  giveBack(): boolean {
    this.returned++;
    return this.waiting.values().some((callback) => callback());
  }
}

const numbers = Op.of<number, undefined>({
  opcode: 0,
  name: "numbers",
  multishot: true,
  encode: () => undefined,
  decode: ({ res }) => {
    if (res === 13) throw new Error("unlucky");
    return res;
  },
  ends: ({ res }) => res === 0,
});

const buffers = Op.of<Received, undefined>({
  opcode: 0,
  name: "buffers",
  multishot: true,
  encode: (sqe) => {
    selectBuffer(sqe, GROUP);
    return undefined;
  },
  decode: received,
  ends: ({ res }) => res === 0,
});

function streamOf<T>(op: Op<T>, limit = 1024) {
  const engine = new FakeEngine();
  const group = new FakeGroup();
  addGroup(engine.ring, GROUP, group);
  const open = new Set<MultishotStream<unknown>>();
  const stream = new MultishotStream(
    engine as unknown as Engine,
    op,
    { limit },
    open,
  );
  return { engine, group, stream, open };
}

/** Runs a body in which time stands still; gives the delays of the timers that it set. */
function withoutTime(body: () => void): number[] {
  const delays: number[] = [];
  using _timers = stub(
    globalThis as { setTimeout: (...args: unknown[]) => unknown },
    "setTimeout",
    (_task, delay) => (delays.push(delay as number), 0),
  );
  body();
  return delays;
}

// --- the limit

for (const last of [false, true]) {
  const how = last ? "that the kernel ended" : "that goes on";
  Deno.test(`stream: one ${how} pauses at its limit until all that came is taken`, async () => {
    const { engine, stream } = streamOf(numbers, 2);
    const first = stream.next();
    engine.complete(1);
    engine.complete(2);
    assertEquals(engine.cancelled, 0);
    engine.complete(3, { last });
    assertEquals(engine.cancelled, last ? 0 : 1);
    if (!last) engine.complete(-ECANCELED, { last: true });
    assertEquals((await first).value, 1);
    assertEquals((await stream.next()).value, 2);
    assertEquals([engine.submitted, engine.counters.rearms], [1, 0]);
    // Nobody waits yet: what comes is there when somebody does.
    assertEquals((await stream.next()).value, 3);
    assertEquals([engine.submitted, engine.counters.rearms], [2, 1]);
  });
}

Deno.test("stream: a failure while it is paused is told", async () => {
  const { engine, stream } = streamOf(numbers, 1);
  const first = stream.next();
  engine.complete(1);
  engine.complete(2);
  assertEquals(engine.cancelled, 1);
  engine.complete(-EIO, { last: true });
  assertEquals([(await first).value, (await stream.next()).value], [1, 2]);
  await assertRejects(() => stream.next(), Error, "EIO");
  assertEquals((await stream.next()).done, true);
});

// --- the end

Deno.test("stream: a result that cannot be read ends it, and is told", async () => {
  const { engine, stream } = streamOf(numbers);
  const waiting = [stream.next(), stream.next()];
  engine.complete(13);
  assertEquals(engine.cancelled, 1);
  await assertRejects(async () => await waiting[0], Error, "unlucky");
  assertEquals((await waiting[1])?.done, true);
});

/** A stream at its end, one of whose results nobody has taken. */
async function ended() {
  const parts = streamOf(numbers);
  const first = parts.stream.next();
  parts.engine.complete(1);
  parts.engine.complete(2);
  parts.engine.complete(0, { last: true });
  await first;
  assertEquals(parts.open.size, 1, "what nobody took is still to be undone");
  return parts;
}

Deno.test("stream: nobody looks after one at its end, once its results are taken or undone", async () => {
  const taken = await ended();
  assertEquals((await taken.stream.next()).value, 2);
  assertEquals(taken.open.size, 0);
  const undone = await ended();
  await undone.stream.return();
  assertEquals(undone.open.size, 0);
  const { engine, stream, open } = streamOf(numbers);
  const only = stream.next();
  engine.complete(0, { last: true });
  assertEquals([(await only).done, open.size], [true, 0]);
});

Deno.test("stream: one that came to its end does not fail because the Uring closes", async () => {
  const { stream, open } = await ended();
  stream.close();
  assertEquals([(await stream.next()).done, open.size], [true, 0]);
});

Deno.test("stream: one that was left is cancelled once, and not asked for again", async () => {
  for (const limit of [1, 3]) {
    const { engine, stream } = streamOf(numbers, limit);
    const first = stream.next();
    engine.complete(1);
    engine.complete(2);
    const left = stream.return();
    assertEquals(engine.cancelled, 1);
    engine.complete(3, { last: true });
    await Promise.all([first, left]);
    assertEquals(engine.submitted, 1);
  }
});

Deno.test("stream: one that was left while it waits for room is not launched", async () => {
  const { engine, stream } = streamOf(numbers);
  const first = stream.next();
  engine.full = true;
  engine.complete(1, { last: true });
  await first;
  assertEquals([engine.submitted, engine.queued], [1, 1]);
  await stream.return();
  assertEquals([engine.cancelled, engine.queued], [0, 0]);
});

// --- provided buffers

Deno.test("stream: a completion without a result gives its buffer back", () => {
  for (const res of [0, -EIO, -ECANCELED]) {
    const { engine, group, stream } = streamOf(buffers);
    stream.next().catch(() => {});
    engine.complete(res, { last: true, buffer: 5 });
    assertEquals(group.discarded, [5], `${res}`);
  }
});

Deno.test("stream: who found no buffer asks again when one comes back, not before", () => {
  const { engine, group, stream } = streamOf(buffers);
  group.returned = 3;
  const delays = withoutTime(() => {
    stream.next();
    engine.complete(-ENOBUFS, { last: true });
    stream.next();
  });
  assertEquals([engine.submitted, delays.length], [1, 1]);
  assertEquals(group.waiting.size, 1);
  using timers = spy(
    globalThis as { clearTimeout: (...args: unknown[]) => unknown },
    "clearTimeout",
  );
  assert(group.giveBack());
  assertEquals([engine.submitted, group.waiting.size], [2, 0]);
  assertSpyCalls(timers, 1);
  // One comes back after the kernel was asked, and before it said that there is none.
  group.giveBack();
  engine.complete(-ENOBUFS, { last: true });
  assertEquals([engine.submitted, group.waiting.size], [3, 0]);
});

Deno.test("stream: who found no buffer leaves it to others while nobody waits for results", async () => {
  const { engine, group, stream } = streamOf(buffers);
  const first = stream.next();
  engine.complete(1, { buffer: 0 });
  await first;
  withoutTime(() => engine.complete(-ENOBUFS, { last: true }));
  assertFalse(group.giveBack());
  assertEquals([engine.submitted, group.waiting.size], [1, 0]);
  stream.next();
  assertEquals(engine.submitted, 2);
});

Deno.test("stream: to wait for buffers keeps the process alive no more than to wait for results", () => {
  using unref = stub(Deno, "unrefTimer");
  for (const alive of [true, false]) {
    const { engine, stream } = streamOf(buffers);
    engine.alive = alive;
    stream.next();
    withoutTime(() => engine.complete(-ENOBUFS, { last: true }));
    assertSpyCalls(unref, alive ? 0 : 1);
  }
});

Deno.test("stream: who finds no buffer, and is told of none, asks less and less often", () => {
  const { engine, stream } = streamOf(numbers);
  let retry = (): unknown => undefined;
  const delays: unknown[] = [];
  using _timers = stub(
    globalThis as { setTimeout: (...args: unknown[]) => unknown },
    "setTimeout",
    (task, delay) => (retry = task as () => unknown, delays.push(delay), 0),
  );
  stream.next();
  for (let time = 0; time < 3; time++) {
    engine.complete(-ENOBUFS, { last: true });
    retry();
  }
  engine.complete(1);
  stream.next();
  engine.complete(-ENOBUFS, { last: true });
  assertEquals(delays, [1, 2, 5, 1]);
});

Deno.test("stream: one that was left does not wait for buffers", async () => {
  const { engine, group, stream } = streamOf(buffers);
  const waiting = stream.next();
  const left = stream.return();
  const delays = withoutTime(() => {
    engine.complete(-ENOBUFS, { last: true });
  });
  assertEquals([delays, group.waiting.size], [[], 0]);
  assertEquals((await waiting).done, true);
  await left;
  const other = streamOf(buffers);
  const starved = other.stream.next();
  withoutTime(() => other.engine.complete(-ENOBUFS, { last: true }));
  assertEquals(other.group.waiting.size, 1);
  await other.stream.return();
  assertEquals([(await starved).done, other.group.waiting.size], [true, 0]);
});
