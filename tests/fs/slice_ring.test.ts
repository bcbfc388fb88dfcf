/** The ring of batches: it sleeps, is woken, and ends with whatever is in flight. */

import { assertEquals, assertLess } from "@std/assert";
import { IOSQE_ASYNC, IOSQE_IO_HARDLINK, Memory } from "../../ffi/mod.ts";
import { POLLIN } from "../../ffi/linux.ts";
import { SliceRing } from "../../fs/slice_ring.ts";
import { prepPollAdd } from "../../ops/poll.ts";
import { prepRead } from "../../ops/rw.ts";
import { Pipe } from "../support/files.ts";
import { openFiles, readNow, writeNow } from "../support/sockets.ts";

// What the runtime opens once, and keeps, it opens now.
{
  await using ring = new SliceRing(2);
  prepPollAdd(ring.entry(0), 0, 0);
  await Promise.race([ring.sleep(), Promise.resolve()]);
}

/** Waits; fails after a while. */
async function wakes(ring: SliceRing): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("not woken")), 20_000);
  try {
    await Promise.race([ring.sleep(), promise]);
  } finally {
    clearTimeout(timer);
  }
}

for (const chains of [false, true]) {
  const kind = chains ? "for chains" : "for single ops";

  Deno.test(`a ring ${kind} is woken each time, whatever else is in flight`, async () => {
    using pipe = new Pipe();
    using other = new Pipe();
    using memory = new Memory(8);
    await using ring = new SliceRing(4, undefined, chains);
    // A thread of the kernel waits for this one until the end.
    prepRead(ring.entry(0), other.reader, memory.address, 8, -1);
    ring.collect(0, () => {});
    for (let round = 1; round <= 5; round++) {
      prepPollAdd(ring.entry(round), pipe.reader, POLLIN);
      ring.collect(0, () => {});
      setTimeout(() => writeNow(pipe.writer, Uint8Array.of(round)), 20);
      let tag = 0;
      while (tag === 0) {
        await wakes(ring);
        ring.collect(1, (cqe) => tag = cqe.tag);
      }
      assertEquals(tag, round);
      assertEquals(readNow(pipe.reader, 8), Uint8Array.of(round));
    }
    assertEquals(ring.inFlight, 1);
  });

  Deno.test(`a ring ${kind} that closes cancels what is in flight, and what is linked to it`, async () => {
    const before = openFiles();
    {
      using pipe = new Pipe();
      using memory = new Memory(8);
      const ring = new SliceRing(16, undefined, chains);
      const read = (tag: number, flags: number) => {
        const sqe = ring.entry(tag);
        prepRead(sqe, pipe.reader, memory.address, 8, -1);
        sqe.flags = flags;
      };
      // Each begins when the one before it is cancelled.
      for (let tag = 0; tag < 4; tag++) read(tag, IOSQE_IO_HARDLINK);
      read(4, 0);
      for (let tag = 5; tag < 8; tag++) read(tag, IOSQE_ASYNC);
      prepPollAdd(ring.entry(8), pipe.reader, POLLIN);
      ring.collect(0, () => {});
      const seen: number[] = [];
      await ring.close(({ tag, res }) => {
        seen.push(tag);
        assertLess(res, 0);
      });
      assertEquals(seen.sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
      assertEquals(ring.inFlight, 0);
      await ring.close();
    }
    assertEquals(openFiles(), before);
  });
}
