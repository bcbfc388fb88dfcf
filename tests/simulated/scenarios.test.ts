/**
 * What random programs have found, as the shortest programs that show it. Here nothing is random:
 * the kernel does what each test says.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { assertSpyCalls, stub } from "@std/testing/mock";
import * as abi from "../../ffi/abi.ts";
import { type Block, takeBlock } from "../../ffi/block.ts";
import { EBADFD } from "../../ffi/linux.ts";
import { Op } from "../../ops/op.ts";
import {
  BufferPool,
  BufferRing,
  FixedFiles,
  Uring,
  type UringOptions,
} from "../../proactor/mod.ts";
import { type KernelOptions, SimulatedKernel } from "./kernel.ts";
import type { BufRing } from "../../ring/mod.ts";
import { VirtualLoop } from "./loop.ts";
import type { Fate, Request } from "./request.ts";
import type { SimulatedRing } from "./ring.ts";
import { tame } from "./whims.ts";
import { AGAIN, Mistake, type StreamKind, streamWork, work } from "./works.ts";

interface World {
  readonly uring: Uring;
  readonly ring: SimulatedRing;
  readonly kernel: SimulatedKernel;
  readonly loop: VirtualLoop;
}

/** A fate for each request, by the number in the place of its file. */
type Fates = Readonly<Record<number, Partial<Fate>>>;

/** Runs a program in a world of its own; when it is over nothing may go on. */
async function simulate(
  { fates = {}, kernel: kernelOptions = {}, ...options }: UringOptions & {
    fates?: Fates;
    kernel?: KernelOptions;
  },
  program: (world: World) => Promise<void>,
): Promise<void> {
  const decide = ({ fd }: Request): Fate => ({
    when: "never",
    res: 1,
    last: true,
    ...fates[fd],
  });
  using kernel = new SimulatedKernel({ decide, ...kernelOptions });
  using loop = new VirtualLoop(kernel);
  const uring = new Uring({
    backend: kernel,
    wake: (ring, onRing) => loop.wake(ring, onRing),
    spin: 0,
    ...options,
  });
  const ring = kernel.ringOf(uring.ring.fd);
  await loop.run(() => program({ uring, ring, kernel, loop }));
  await loop.settle();
  assertEquals(kernel.violations, []);
}

const op = (id: number) => work("accept", id, 0, { decoded: 0 });
const stream = (kind: StreamKind, id: number) => streamWork(kind, id);

/** The numbers of the requests, in the order in which the kernel took them. */
function taken(ring: SimulatedRing): number[] {
  return ring.journal.filter(({ high }) => high === 0).map(({ fd }) => fd);
}

/** The results of the last request for a file. */
function resultsOf(ring: SimulatedRing, file: number): number[] | undefined {
  const last = ring.journal.findLast(({ fd, high }) =>
    fd === file && high === 0
  );
  return last?.posted.map(({ res }) => res);
}

/** A stream of two connections: 100, which was taken, and 101, which nobody has taken yet. */
async function accepting(
  { uring, ring, loop }: Omit<World, "kernel">,
): Promise<AsyncIterableIterator<number>> {
  const iterator = uring.stream(stream("accept", 1));
  const next = iterator.next();
  await loop.pass(1);
  ring.requests.complete(1, 100);
  assertEquals(await next, { done: false, value: 100 });
  await loop.pass(1);
  ring.requests.complete(1, 101);
  await loop.pass(1);
  return iterator;
}

const NOW = { when: "now" } as const;
const LATER = { when: "later" } as const;

Deno.test("an op that comes while space is made is submitted once, and no other forgotten", async () => {
  const ids = [2, 3, 4, 5, 6, 7];
  const fates = Object.fromEntries(ids.map((id) => [id, NOW]));
  const options = { entries: 4, flags: 0, fates };
  await simulate(options, async ({ uring, ring, loop }) => {
    const iterator = uring.stream(stream("poll", 1));
    const first = iterator.next();
    const second = iterator.next();
    await loop.pass(1);
    // The kernel drops the multishot. Nobody has looked yet.
    ring.requests.complete(1, 7);
    // The fifth finds the queue full.
    const others = ids.map((id) => uring.submit(op(id), {}));
    assertEquals(await first, { done: false, value: 7 });
    assertEquals(await Promise.all(others), ids.map(() => 1));
    await loop.pass(1);
    assertEquals(taken(ring).toSorted(), [1, 1, ...ids]);
    await iterator.return?.();
    assertEquals(await second, { done: true, value: undefined });
    await uring.close();
  });
});

Deno.test("a ring that breaks: everything fails with that, and nothing goes on", async () => {
  await simulate(
    { entries: 2, cqEntries: 4 },
    async ({ uring, ring, loop }) => {
      const abort = new AbortController();
      const { signal } = abort;
      const flying = [1, 2, 3, 4].map((id) => uring.submit(op(id), { signal }));
      const queued = [5, 6, 7].map((id) => uring.submit(op(id)));
      const chains = [uring.chain(op(8), op(9)), uring.chain(op(10))];
      const iterator = uring.stream(stream("poll", 11));
      const next = iterator.next();
      await loop.pass(1);
      assertEquals(uring.stats.queued, 6);
      ring.dead = EBADFD;
      // To cancel them it enters.
      abort.abort();
      for (const promise of [...flying, ...queued, ...chains, next]) {
        const error = await assertRejects(() => promise, Error, "EBADFD");
        assert(!("position" in error), "the error is everybody's");
      }
      await assertRejects(() => uring.submit(op(12)), Error, "EBADFD");
      await uring.close();
      assertEquals(await iterator.return?.(), { done: true, value: undefined });
    },
  );
});

Deno.test("a ring that breaks while it closes", async () => {
  await simulate({}, async ({ uring, ring, loop }) => {
    const flying = uring.submit(op(1));
    await loop.pass(1);
    const closing = uring.close();
    ring.dead = EBADFD;
    await assertRejects(() => flying, Error, "EBADFD");
    await closing;
  });
});

Deno.test("a ring that breaks: what comes all the same finds nobody", async () => {
  const flags = abi.IORING_SETUP_SQPOLL;
  await simulate({ flags, sleep: false }, async ({ uring, ring, loop }) => {
    const first = uring.submit(op(1));
    const iterator = uring.stream(stream("accept", 2));
    const next = iterator.next();
    await loop.pass(1);
    ring.dead = EBADFD;
    // The thread sleeps, and cannot be woken.
    ring.queues.flag(abi.IORING_SQ_NEED_WAKEUP, true);
    const second = uring.submit(op(3));
    for (const promise of [first, next, second]) {
      await assertRejects(() => promise, Error, "EBADFD");
    }
    // Nobody is told twice, and no error is left unheard.
    ring.requests.complete(1, -5);
    ring.requests.complete(2, 100);
    await loop.pass(1);
    await uring.close();
  });
});

Deno.test("a ring that breaks: leaving a stream does not wait for what cannot be undone", async () => {
  await simulate({}, async ({ uring, ring, loop }) => {
    const iterator = await accepting({ uring, ring, loop });
    ring.dead = EBADFD;
    await assertRejects(() => uring.submit(op(2)), Error, "EBADFD");
    assertEquals(await iterator.return?.(), { done: true, value: undefined });
    await uring.close();
  });
});

Deno.test("a ring that breaks: no buffer is lent that the kernel may still write to", async () => {
  await simulate({}, async ({ uring, loop, ring }) => {
    using pool = new BufferPool(uring, { count: 1, size: 64, register: false });
    const lease = await pool.lease();
    const reading = uring.submit(filling(1, lease.bytes));
    await loop.pass(1);
    lease.release();
    const waiting = pool.lease();
    await loop.pass(1);
    ring.dead = EBADFD;
    await assertRejects(() => uring.submit(op(2)), Error, "EBADFD");
    for (const promise of [reading, waiting, pool.lease()]) {
      await assertRejects(() => promise, Error, "EBADFD");
    }
    assertEquals([pool.tryLease(), pool.available, pool.waiting], [null, 0, 0]);
    await uring.close();
  });
  await simulate({}, async ({ uring, loop, ring }) => {
    using pool = new BufferPool(uring, { count: 1, size: 64, register: false });
    const lease = await pool.lease();
    const reading = uring.submit(filling(1, lease.bytes));
    await loop.pass(1);
    // Nobody asks for it before the ring breaks.
    lease.release();
    ring.dead = EBADFD;
    await assertRejects(() => uring.submit(op(2)), Error, "EBADFD");
    await assertRejects(() => reading, Error, "EBADFD");
    assertEquals([pool.tryLease(), pool.available], [null, 0]);
    await assertRejects(() => pool.lease(), Error, "EBADFD");
    await uring.close();
  });
});

Deno.test("a ring that breaks: its provided buffers are not freed", async () => {
  await simulate({}, async ({ uring, ring }) => {
    const provided = {
      group: 0,
      entries: 1,
      incremental: false,
      add() {},
      advance() {},
      unregister() {},
    };
    using _ring = stub(
      uring.ring,
      "setupBufRing",
      () => provided as unknown as BufRing,
    );
    const buffers = new BufferRing(uring, { entries: 1, bufferSize: 8 });
    const lease = buffers.take({
      length: 1,
      bufferId: 0,
      more: false,
      partial: false,
      nonEmpty: false,
    });
    const { buffer } = lease.bytes;
    lease.release();
    ring.dead = EBADFD;
    await assertRejects(() => uring.submit(op(1)), Error, "EBADFD");
    buffers.close();
    assert(!buffer.detached, "the kernel may still write to it");
    await uring.close();
  });
});

/** An op that fills a buffer. */
function filling(id: number, bytes: Uint8Array): Op<number> {
  return Op.of({
    opcode: abi.IORING_OP_ACCEPT,
    name: "fill",
    encode: (sqe) => {
      sqe.prep(abi.IORING_OP_ACCEPT, id, 0, 0, 0);
      return bytes;
    },
    decode: ({ res }) => res,
  });
}

Deno.test("a ring that breaks: its tables are left to the kernel, which could wait for ever", async () => {
  await simulate({}, async ({ uring, ring }) => {
    const { buffers, files } = uring.ring;
    using _registered = stub(buffers, "register");
    using _sparse = stub(files, "registerSparse");
    using buffersGone = stub(buffers, "unregister");
    using filesGone = stub(files, "unregister");
    const pool = new BufferPool(uring, { count: 1, size: 64 });
    const table = new FixedFiles(uring, { slots: 1 });
    ring.dead = EBADFD;
    await assertRejects(() => uring.submit(op(1)), Error, "EBADFD");
    pool.close();
    await table.close();
    assertSpyCalls(buffersGone, 0);
    assertSpyCalls(filesGone, 0);
    await uring.close();
  });
});

Deno.test("slots are used again, whatever became of their ops", async () => {
  // In the place of what cannot be encoded passes a NOP, for file 0.
  const fates = { 0: NOW, 1: NOW, 2: LATER };
  await simulate({ fates }, async ({ uring, ring }) => {
    const unencodable = work("unencodable", 1, 0, { decoded: 0 });
    const undecodable = work("undecodable", 1, 0, { decoded: 0 });
    const ways = [
      () => uring.submit(op(1)),
      () => uring.submit(op(2)),
      () => uring.submit(op(1), { timeout: 1000 }),
      () => uring.submit(unencodable),
      () => uring.submit(unencodable, { timeout: 1000 }),
      () => uring.submit(undecodable),
      () => uring.submit(undecodable, { timeout: 1000 }),
    ];
    for (let round = 0; round < 10; round++) {
      for (const way of ways) await Promise.allSettled([way(), way()]);
    }
    const slots = ring.journal.filter(({ high }) => high === 0)
      .map(({ low }) => low & 0xffff);
    // Two, and the timeouts linked behind them.
    assertEquals(Math.max(...slots), 3);
    // What cannot be encoded is not submitted, nor its timeout.
    assertEquals(uring.stats.submitted, 10 * 2 * (1 + 1 + 2 + 1 + 2));
    await uring.close();
  });
});

for (const flags of [0, abi.IORING_SETUP_SQPOLL]) {
  Deno.test(`no more are in flight than completions have room: flags ${flags}`, async () => {
    const options = { entries: 2, cqEntries: 4, flags };
    await simulate(options, async ({ uring, loop, ring }) => {
      const all = [1, 2, 3, 4, 5, 6].map((id) => uring.submit(op(id)));
      await loop.pass(1);
      assertEquals([uring.stats.inFlight, uring.stats.queued], [4, 2]);
      const closing = uring.close();
      const outcomes = await Promise.allSettled(all);
      assert(outcomes.every(({ status }) => status === "rejected"));
      await closing;
      // What waited for its turn when it closed never reached the kernel.
      assertEquals(taken(ring).toSorted(), [1, 2, 3, 4]);
    });
  });
}

Deno.test("drains that are over, or never began, hold up no cancellation", async () => {
  // Before Linux 6.0: behind a drain nothing can be cancelled.
  const kernel = { syncCancel: false };
  const fates = { 0: NOW, 1: NOW };
  await simulate({ kernel, fates }, async ({ uring, loop }) => {
    const flags = abi.IOSQE_IO_DRAIN;
    assertEquals(await uring.submit(op(1), { flags }), 1);
    const unencodable = work("unencodable", 2, 0, { decoded: 0 });
    await assertRejects(() => uring.submit(unencodable, { flags }), Mistake);
    const { signal } = aborting(loop, 2);
    const error = await uring.submit(op(3), { signal }).catch((error) => error);
    assertEquals(error, "too late");
    await uring.close();
  });
});

Deno.test("what a drain holds up is cancelled, though nobody looks at the ring any more", async () => {
  await simulate({}, async ({ uring, loop }) => {
    const { signal } = aborting(loop, 20);
    const reading = uring.submit(op(1), { signal });
    const drained = uring.submit(op(2), { flags: abi.IOSQE_IO_DRAIN });
    await loop.pass(10);
    assertEquals(uring.stats.sleeps, 1);
    assertEquals(await reading.catch((error) => error), "too late");
    const closing = uring.close();
    await assertRejects(() => drained, Error, "was closed");
    await closing;
  });
});

Deno.test("what no kernel could run is refused with the kernel's reason", () => {
  using kernel = new SimulatedKernel();
  kernel.unknownFlags = abi.IORING_SETUP_CQSIZE;
  assertThrows(() => new Uring({ backend: kernel }), Error, "EINVAL");
});

for (const sleep of [true, false]) {
  Deno.test(`what is in flight keeps the process alive, or does not: sleep ${sleep}`, async () => {
    // It would look for longer than anything here takes.
    await simulate({ sleep, spin: 1e9 }, async ({ uring, ring, loop }) => {
      const flying = uring.submit(op(1));
      await loop.pass(3);
      assertEquals(loop.alive, true);
      for (const alive of [false, true, false]) {
        if (alive) uring.ref();
        else uring.unref();
        // To end it there is time, one turn; to keep it there may be none.
        if (alive) assertEquals(loop.alive, true);
        await loop.pass(3);
        assertEquals(loop.alive, alive);
      }
      ring.requests.complete(1, 7);
      assertEquals(await flying, 7);
      await loop.pass(3);
      uring.ref();
      assertEquals(loop.alive, false, "nothing is in flight");
      await uring.close();
    });
  });
}

Deno.test("who listens for messages sleeps until one comes, and keeps the process alive", async () => {
  await simulate({}, async ({ uring, loop }) => {
    uring.onMessage = () => {};
    await loop.pass(5);
    assertEquals([uring.stats.sleeps, loop.alive], [1, true]);
    uring.onMessage = undefined;
    await loop.pass(5);
    assertEquals([uring.stats.sleeps, loop.alive], [1, false]);
    await uring.close();
  });
});

Deno.test("an op that is tried again keeps its signal", async () => {
  await simulate({}, async ({ uring, ring, loop }) => {
    const { signal } = aborting(loop, 5);
    const again = work("again", 1, 0, { decoded: 0 });
    const promise = uring.submit(again, { signal });
    await loop.pass(1);
    ring.requests.complete(1, AGAIN);
    assertEquals(await promise.catch((error) => error), "too late");
    assertEquals(taken(ring), [1, 1]);
    await uring.close();
  });
});

Deno.test("what cancels a chain first is its reason", async () => {
  // What is told to stop goes on.
  const whims = { ...tame, shrug: 1 };
  await simulate({ kernel: { whims } }, async ({ uring, ring, loop }) => {
    const { signal } = aborting(loop, 2);
    const chain = uring.link([op(1)], { signal, timeout: 5 });
    await loop.pass(10);
    ring.requests.complete(1, -125);
    assertEquals(await chain.catch((error) => error), "too late");
    whims.shrug = 0;
    await uring.close();
  });
});

Deno.test("what a multishot holds is the kernel's until its last completion", async () => {
  const receiving = Op.of<number, Block>({
    opcode: abi.IORING_OP_RECV,
    name: "recv",
    multishot: true,
    encode: (sqe) => {
      const block = takeBlock(64);
      sqe.prep(abi.IORING_OP_RECV, 1, block.address, 64, 0);
      sqe.ioprio = abi.IORING_RECV_MULTISHOT;
      return block;
    },
    decode: ({ res }) => res,
  });
  let shots = 0;
  const decide = (): Fate => ({
    when: shots++ === 0 ? "now" : "never",
    res: 7,
    last: false,
  });
  await simulate({ kernel: { decide } }, async ({ uring, kernel }) => {
    const iterator = uring.stream(receiving);
    assertEquals(await iterator.next(), { done: false, value: 7 });
    assertEquals(kernel.ledger.taken.size, 1);
    await iterator.return?.();
    assertEquals(kernel.ledger.taken.size, 0);
    await uring.close();
  });
});

Deno.test("leaving a stream waits until what nobody took is closed", async () => {
  await simulate({}, async ({ uring, ring, loop }) => {
    const iterator = await accepting({ uring, ring, loop });
    let left = false;
    const leaving = iterator.return?.().then(() => left = true);
    await loop.pass(5);
    assertEquals([left, taken(ring).at(-1)], [false, 101]);
    // Who closes waits for it too, and does not cancel it.
    const closing = uring.close();
    await loop.pass(5);
    ring.requests.complete(101, 0);
    await leaving;
    await closing;
    assertEquals(resultsOf(ring, 101), [0]);
  });
});

Deno.test("what cannot be closed is told to who leaves, if anybody does", async () => {
  for (const leaves of [true, false]) {
    await simulate(
      { fates: { 101: { when: "now", res: -5 } } },
      async (world) => {
        const { uring, ring, loop } = world;
        const abort = new AbortController();
        const { signal } = abort;
        const iterator = uring.stream(stream("accept", 1), { signal });
        const next = iterator.next();
        await loop.pass(1);
        ring.requests.complete(1, 100);
        assertEquals(await next, { done: false, value: 100 });
        await loop.pass(1);
        ring.requests.complete(1, 101);
        await loop.pass(1);
        if (leaves) {
          await assertRejects(
            async () => await iterator.return?.(),
            Error,
            "EIO",
          );
        } else abort.abort();
        await loop.pass(1);
        assertEquals(resultsOf(ring, 101), [-5]);
        await uring.close();
      },
    );
  }
});

const DEFERRED = abi.IORING_SETUP_SINGLE_ISSUER |
  abi.IORING_SETUP_DEFER_TASKRUN;

Deno.test("it does not sleep over deferred work that nothing shows", async () => {
  await simulate({ flags: DEFERRED }, async ({ uring, ring, loop }) => {
    const promise = uring.submit(op(1));
    loop.beforeArming = () => ring.requests.complete(1, 7);
    assertEquals(await promise, 7);
    await uring.close();
  });
});

Deno.test("it does not sleep while a device has to be asked", async () => {
  const flags = abi.IORING_SETUP_IOPOLL;
  await simulate({ flags }, async ({ uring, ring, loop }) => {
    const promise = uring.submit(op(1));
    await loop.pass(5);
    ring.requests.complete(1, 7);
    assertEquals(await promise, 7);
    await uring.close();
  });
});

for (const syncCancel of [true, false]) {
  const kernel = { syncCancel };
  const since = syncCancel ? "since" : "before";
  Deno.test(`what hard links hold up is cancelled when it begins, ${since} Linux 6.0`, async () => {
    await simulate({ kernel }, async ({ uring, loop }) => {
      const chain = uring.link([op(1), op(2), op(3)], { hard: true });
      await loop.pass(1);
      const closing = uring.close();
      await assertRejects(() => chain, Error, "was closed");
      await closing;
    });
    await simulate({ kernel }, async ({ uring, loop }) => {
      const { signal } = aborting(loop, 2);
      const chain = uring.link([op(1), op(2)], { hard: true, signal });
      const error = await chain.then(() => undefined, (error) => error);
      assertEquals(error, "too late");
      await uring.close();
    });
  });
}

/** A controller that aborts after a time of the loop. */
function aborting(loop: VirtualLoop, milliseconds: number): AbortController {
  const abort = new AbortController();
  loop.pass(milliseconds).then(() => abort.abort("too late"));
  return abort;
}

Deno.test("what was to be tried again when the Uring closes is told that it closes", async () => {
  await simulate({ entries: 2 }, async ({ uring, ring, loop }) => {
    const again = uring.submit(work("again", 1, 0, { decoded: 0 }));
    const iterator = uring.stream(stream("poll", 2));
    const next = iterator.next();
    await loop.pass(1);
    ring.requests.complete(1, AGAIN);
    // The queue is full: to cancel the stream takes an enter, which brings the failure.
    const others = [uring.submit(op(3)), uring.submit(op(4))];
    const closing = uring.close();
    for (const promise of [again, next, ...others]) {
      await assertRejects(() => promise, Error, "was closed");
    }
    await closing;
    assertEquals(taken(ring).toSorted(), [1, 2, 3, 4]);
  });
});

Deno.test("closing does not drop the closing of what was accepted", async () => {
  const fates = { 101: LATER };
  await simulate({ entries: 2, cqEntries: 2, fates }, async (world) => {
    const { uring, ring, loop } = world;
    const iterator = await accepting({ uring, ring, loop });
    // No room for one more.
    const flying = [uring.submit(op(2)), uring.submit(op(3))];
    const leaving = iterator.return?.();
    await loop.pass(1);
    assert(uring.stats.queued > 0, "nothing waits for its turn");
    const closing = uring.close();
    for (const promise of flying) {
      await assertRejects(() => promise, Error, "was closed");
    }
    await closing;
    await leaving;
    assertEquals(taken(ring).at(-1), 101);
  });
});
