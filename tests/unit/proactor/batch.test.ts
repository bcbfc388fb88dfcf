/** `BatchQueue`: the order of batches, and what it holds on to. */

import { assert, assertEquals } from "@std/assert";
import { type Batch, BatchQueue } from "../../../proactor/batch.ts";

const collect = (globalThis as { gc?: () => void }).gc;

function batch(size: number): Batch {
  return { size, launch() {}, abandon() {} };
}

Deno.test("batch: first come, first served, whoever is withdrawn meanwhile", () => {
  const queue = new BatchQueue();
  const all = Array.from({ length: 5000 }, (_, size) => batch(size));
  const order: number[] = [];
  for (const [at, each] of all.entries()) {
    queue.push(each);
    // Now and then one leaves, most of them before their turn.
    const leaver = all[at - 7];
    if (at % 5 === 0 && leaver !== undefined) queue.withdraw(leaver);
    if (at % 2 === 1) continue;
    order.push(queue.first?.size ?? -1);
    queue.shift();
  }
  const gone = batch(0);
  assertEquals(queue.withdraw(gone), false);
  assertEquals(queue.withdraw(all[order.at(-1) ?? -1] ?? gone), false);
  const { length } = queue;
  const rest = queue.clear();
  assertEquals([rest.length, queue.length, queue.first], [
    length,
    0,
    undefined,
  ]);
  order.push(...rest.map(({ size }) => size));
  assertEquals(order, order.toSorted((a, b) => a - b));
  queue.push(gone);
  assert(queue.first === gone);
});

Deno.test({
  name: "batch: what was taken out is not held on to for long",
  ignore: collect === undefined,
  async fn() {
    const queue = new BatchQueue();
    const first = new WeakRef(batch(1));
    // Apart, as a function keeps what it has had in its hands.
    (() => queue.push(first.deref() ?? batch(0)))();
    queue.shift();
    const second = new WeakRef(batch(2));
    (() => queue.push(second.deref() ?? batch(0)))();
    for (let more = 0; more < 2000; more++) queue.push(batch(3));
    for (let more = 0; more < 2000; more++) queue.shift();
    for (let time = 0; time < 5; time++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      collect?.();
    }
    assertEquals([first.deref(), second.deref()], [undefined, undefined]);
    assertEquals(queue.length, 1);
  },
});
