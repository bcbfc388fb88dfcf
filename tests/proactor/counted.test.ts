/** Streams with so many results and no more, however often their multishot is submitted. */

import { assert, assertEquals } from "@std/assert";
import { timeoutMultishot } from "../../ops/mod.ts";
import { timesMany } from "./multishots.ts";
import { eachKind, idle, until } from "./support.ts";

eachKind(
  "a stream that pauses has as many results as it was to have",
  // Emulated, all the ticks are there before anybody looks.
  { when: timesMany, timed: true },
  async (uring) => {
    const count = 100;
    const op = timeoutMultishot(2, { count });
    const stream = uring.stream(op, { limit: 3 });
    let ticks = 0;
    for await (const _ of stream) {
      if (++ticks > count) break;
      // At its limit it is cancelled, and submitted again for the next ticks.
      if (ticks % 3 === 1) await idle(uring);
    }
    assertEquals(ticks, count);
    assert(uring.stats.rearms > 0);
    await idle(uring);
  },
);

/** Blocks the event loop until the kernel has dropped multishots for want of room. */
function block(milliseconds: number): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(word, 0, 0, milliseconds);
}

eachKind(
  "so have streams that are dropped for want of room",
  // Deferred work waits for room by itself.
  { when: timesMany, entries: 4, cqEntries: 4, only: ["plain", "sqpoll"] },
  async (uring) => {
    const count = async (): Promise<number> => {
      let ticks = 0;
      const op = timeoutMultishot(1, { count: 20 });
      for await (const _ of uring.stream(op)) {
        if (++ticks % 5 === 0) block(8);
      }
      return ticks;
    };
    const counts = Array.from({ length: 4 }, count);
    assertEquals(await Promise.all(counts), [20, 20, 20, 20]);
    assert(uring.stats.overflows > 0);
    await until(() => uring.stats.inFlight === 0, "nothing in flight");
  },
);
