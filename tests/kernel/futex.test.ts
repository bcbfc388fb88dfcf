import { assert, assertEquals, assertThrows } from "@std/assert";
import { ECANCELED, ETIME } from "../../ffi/linux.ts";
import { IOSQE_IO_LINK } from "../../ffi/mod.ts";
import { cancel } from "../../ops/cancel.ts";
import { type Held, type Op, release } from "../../ops/op.ts";
import { futexWait, futexWaitv, futexWake } from "../../ops/process.ts";
import { run } from "../../ops/run.ts";
import { linkTimeout } from "../../ops/timeout.ts";
import { Ring } from "../../ring/mod.ts";
import { collect, queue, runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";

function sharedWords(...values: number[]): Int32Array<SharedArrayBuffer> {
  const words = new Int32Array(new SharedArrayBuffer(4 * values.length));
  words.set(values);
  return words;
}

/**
 * Queues waits, tagged 1, 2, ..., and submits them. A kernel thread may submit them later:
 * another ring's wakers come when they wait.
 */
function waiting(ring: Ring, ...ops: Op<unknown>[]): Held[] {
  const held = ops.map((op, index) => queue(ring, op, index + 1));
  ring.submit();
  while (ring.sq.ready > 0) ring.wait(1, { timeout: 1 });
  return held;
}

/** Wakes with a ring of its own: the other one has waits in flight. */
function wake(op: Op<number>): number {
  using ring = new Ring(2);
  return run(ring, op);
}

eachRing("futexWait: until woken", { needs: ["futexWait"] }, (ring) => {
  const words = sharedWords(0, 7);
  const held = waiting(ring, futexWait(words, 1, 7));
  assertEquals(ring.wait(1, { timeout: 5 }), 0);
  assertEquals(wake(futexWake(words, 0, 1)), 0); // another word
  assertEquals(ring.wait(1, { timeout: 5 }), 0);
  assertEquals(wake(futexWake(words, 1, 9)), 1);
  assertEquals(collect(ring, 1).map(({ tag, res }) => [tag, res]), [[1, 0]]);
  held.forEach(release);
});

eachRing("futexWait: memory of one process, not shared", {
  needs: ["futexWait"],
}, (ring) => {
  const words = Uint32Array.of(0xffff_ffff);
  const held = waiting(ring, futexWait(words, 0, -1));
  assertEquals(wake(futexWake(words, 0, 1)), 1);
  assertEquals(collect(ring, 1)[0]?.res, 0);
  held.forEach(release);
});

eachRing(
  "futexWait: the word has another value",
  { needs: ["futexWait"] },
  (ring) => {
    const words = sharedWords(1);
    assertThrows(
      () => run(ring, futexWait(words, 0, 2)),
      Deno.errors.WouldBlock,
    );
  },
);

eachRing(
  "futexWake: wakes as many as it may",
  { needs: ["futexWait"] },
  (ring) => {
    const words = sharedWords(3);
    const held = waiting(ring, ...new Array(4).fill(futexWait(words, 0, 3)));
    assertEquals(wake(futexWake(words, 0, 3)), 3);
    assertEquals(collect(ring, 3).map(({ res }) => res), [0, 0, 0]);
    assertEquals(wake(futexWake(words, 0, 3)), 1);
    assertEquals(collect(ring, 1).map(({ res }) => res), [0]);
    held.forEach(release);
  },
);

eachRing(
  "futexWake: masks choose among waiters",
  { needs: ["futexWait"] },
  (ring) => {
    const words = sharedWords(0);
    const held = waiting(
      ring,
      futexWait(words, 0, 0, { mask: 1 }),
      futexWait(words, 0, 0, { mask: 6 }),
    );
    assertEquals(wake(futexWake(words, 0, 9, { mask: 8 })), 0);
    assertEquals(wake(futexWake(words, 0, 9, { mask: 4 })), 1);
    assertEquals(collect(ring, 1)[0]?.tag, 2);
    assertEquals(wake(futexWake(words, 0, 9)), 1);
    assertEquals(collect(ring, 1)[0]?.tag, 1);
    held.forEach(release);
  },
);

eachRing("futexWake: shared and private waiters are apart", {
  needs: ["futexWait"],
}, (ring) => {
  const words = sharedWords(0);
  const held = waiting(ring, futexWait(words, 0, 0, { shared: true }));
  assertEquals(wake(futexWake(words, 0, 9)), 0);
  assertEquals(wake(futexWake(words, 0, 9, { shared: true })), 1);
  assertEquals(collect(ring, 1)[0]?.res, 0);
  held.forEach(release);
});

eachRing(
  "futexWaitv: tells which one was woken",
  { needs: ["futexWaitv"] },
  (ring) => {
    const words = sharedWords(1, 2);
    const far = sharedWords(3);
    const any = futexWaitv([
      { words, index: 0, value: 1 },
      { words, index: 1, value: 2 },
      { words: far, index: 0, value: 3 },
    ]);
    for (
      const [index, op] of [
        futexWake(words, 0, 1),
        futexWake(words, 1, 1),
        futexWake(far, 0, 1),
      ].entries()
    ) {
      const held = waiting(ring, any);
      assertEquals(ring.wait(1, { timeout: 2 }), 0);
      assertEquals(wake(op), 1);
      ring.wait(1);
      ring.forEachCqe((cqe) => assertEquals(any.finish(cqe, held[0]), index));
      held.forEach(release);
    }
  },
);

eachRing(
  "futexWaitv: one has another value",
  { needs: ["futexWaitv"] },
  (ring) => {
    const words = sharedWords(1, 2);
    const any = futexWaitv([
      { words, index: 0, value: 1 },
      { words, index: 1, value: 1 },
    ]);
    assertThrows(() => run(ring, any), Deno.errors.WouldBlock);
  },
);

eachRing("futexWait: with a linked timeout, and cancelled", {
  needs: ["futexWait"],
}, (ring) => {
  const words = sharedWords(0);
  const limit = linkTimeout(5);
  const seen = runAll(
    ring,
    [futexWait(words, 0, 0), IOSQE_IO_LINK],
    [limit],
  );
  assertEquals(seen.get(1), -ECANCELED);
  // -ETIME, or as of 6.18 how many waits were cancelled: 1.
  const res = seen.get(2) ?? 0;
  assert(res === -ETIME || res === 1, `${res}`);
  assertEquals(limit.finish({ res, flags: 0 }, undefined), true);
  const held = waiting(ring, futexWait(words, 0, 0));
  const strays: number[] = [];
  run(ring, cancel(1), { others: ([cqe]) => strays.push(cqe?.res ?? 0) });
  if (strays.length === 0) strays.push(collect(ring, 1)[0]?.res ?? 0);
  assertEquals(strays, [-ECANCELED]);
  assertEquals(wake(futexWake(words, 0, 1)), 0);
  held.forEach(release);
});

eachRing(
  "futexWait: woken from a Worker",
  { needs: ["futexWait"], only: ["liburing"] },
  async (ring) => {
    const words = sharedWords(0);
    const held = waiting(ring, futexWait(words, 0, 0));
    const module = new URL("../../ops/mod.ts", import.meta.url);
    const rings = new URL("../../ring/mod.ts", import.meta.url);
    const script = `
    import { futexWake, run } from ${JSON.stringify(module)};
    import { Ring } from ${JSON.stringify(rings)};
    self.onmessage = ({ data }) => {
      using ring = new Ring(2);
      self.postMessage(run(ring, futexWake(data, 0, 1)));
    };
  `;
    const url = URL.createObjectURL(
      new Blob([script], { type: "text/javascript" }),
    );
    const worker = new Worker(url, { type: "module" });
    const woken = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    worker.postMessage(words);
    assertEquals(await woken, 1);
    assertEquals(collect(ring, 1)[0]?.res, 0);
    worker.terminate();
    URL.revokeObjectURL(url);
    held.forEach(release);
  },
);
