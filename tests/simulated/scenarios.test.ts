/**
 * What random programs have found, as the shortest programs that show it. Here nothing is random:
 * the kernel does what each test says.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import { Uring, type UringOptions } from "../../proactor/mod.ts";
import { type KernelOptions, SimulatedKernel } from "./kernel.ts";
import { VirtualLoop } from "./loop.ts";
import type { Fate, Request } from "./request.ts";
import type { SimulatedRing } from "./ring.ts";
import { AGAIN, type StreamKind, streamWork, work } from "./works.ts";

const EBADFD = 77;

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
    const iterator = uring.stream(stream("accept", 1));
    const next = iterator.next();
    await loop.pass(1);
    ring.requests.complete(1, 100);
    assertEquals(await next, { done: false, value: 100 });
    await loop.pass(1);
    ring.requests.complete(1, 101);
    await loop.pass(1);
    ring.dead = EBADFD;
    await assertRejects(() => uring.submit(op(2)), Error, "EBADFD");
    assertEquals(await iterator.return?.(), { done: true, value: undefined });
    await uring.close();
  });
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
    const iterator = uring.stream(stream("accept", 1));
    const next = iterator.next();
    await loop.pass(1);
    ring.requests.complete(1, 100);
    assertEquals(await next, { done: false, value: 100 });
    await loop.pass(1);
    ring.requests.complete(1, 101);
    await loop.pass(1);
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
