/** Streams that find no provided buffer, because the program has them all. */

import { assertEquals, assertLess } from "@std/assert";
import { opcodes, pipe, readMultishot, timeout, write } from "../../ops/mod.ts";
import { BufferRing, type ReceivedLease, Uring } from "../../proactor/mod.ts";
import { closeDescriptor } from "../../ffi/mod.ts";

const STREAMS = 200;

Deno.test({
  name: "streams without buffers wait to be told of one, all of them in turn",
  ignore: !opcodes.pipe.supported(),
  async fn() {
    await using uring = new Uring();
    using buffers = new BufferRing(uring, { entries: 4, bufferSize: 64 });
    const held: ReceivedLease[] = [];
    let received = 0;
    const listen = async (): Promise<void> => {
      const [reader, writer] = await uring.submit(pipe());
      await uring.submit(write(writer, new Uint8Array(8)));
      const op = readMultishot(reader, { bufferGroup: buffers.group });
      for await (const lease of uring.stream(buffers.leasing(op))) {
        received++;
        held.push(lease);
        break;
      }
      closeDescriptor(reader);
      closeDescriptor(writer);
    };
    const listening = Array.from({ length: STREAMS }, listen);
    while (held.length < 4) await uring.submit(timeout(1));
    // Whoever asks every few milliseconds does so five times meanwhile.
    const { rearms } = uring.stats;
    await uring.submit(timeout(100));
    const [askedAgain, meanwhile] = [uring.stats.rearms - rearms, received];

    while (received < STREAMS) {
      for (const lease of held.splice(0)) lease.release();
      await uring.submit(timeout(0));
    }
    for (const lease of held.splice(0)) lease.release();
    await Promise.all(listening);
    assertEquals([meanwhile, buffers.leased], [4, 0]);
    assertLess(askedAgain, 2 * STREAMS);
  },
});
