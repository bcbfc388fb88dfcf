/** Timers and sockets keep their turn, whatever a `Uring` is busy with. */

import { assertEquals, assertGreater, assertLess } from "@std/assert";
import {
  close,
  nop,
  opcodes,
  openat,
  read,
  timeoutMultishot,
} from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { kernelSince } from "../support/sockets.ts";
import { eachKind, kinds, sleep, turn } from "./support.ts";

/** Kinds that differ in how completions come: enough of them, as each takes its time. */
const only = ["best", "plain", "sqpoll"];

/**
 * What share of an interval's ticks, of those it has while nothing else runs, it keeps while
 * something does.
 */
async function shareOfTicks(busy: () => Promise<unknown>): Promise<number> {
  const rateDuring = async (body: () => Promise<unknown>) => {
    let ticks = 0;
    const interval = setInterval(() => ticks++, 1);
    const started = performance.now();
    await body();
    const elapsed = performance.now() - started;
    clearInterval(interval);
    return ticks / elapsed;
  };
  const idle = await rateDuring(() => sleep(120));
  return await rateDuring(busy) / idle;
}

/** Does something again and again for a while. */
async function forAWhile(
  milliseconds: number,
  body: () => Promise<unknown>,
): Promise<void> {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) await body();
}

eachKind(
  "an interval keeps its ticks while cached reads are awaited",
  { only },
  async (uring) => {
    using directory = new TemporaryDirectory();
    const path = directory.file("cached", "x".repeat(1 << 20));
    const fd = await uring.submit(openat(path, 0));
    const buffer = new Uint8Array(4096);
    let reads = 0;
    const one = async () => {
      const offset = reads++ % 256 * 4096;
      assertEquals(await uring.submit(read(fd, buffer, { offset })), 4096);
    };
    const share = await shareOfTicks(() => forAWhile(250, one));
    assertGreater(share, 0.5);
    assertGreater(reads, 1000);
    await uring.submit(close(fd));
  },
);

eachKind(
  "an interval keeps its ticks with 32 loops at once",
  { only },
  async (uring) => {
    const loops = () =>
      Promise.all(Array.from(
        { length: 32 },
        () => forAWhile(200, () => uring.submit(nop())),
      ));
    assertGreater(await shareOfTicks(loops), 0.5);
  },
);

eachKind(
  "an interval keeps its ticks while a thousand ops are queued all the time",
  {
    only,
    entries: 8,
    cqEntries: 16,
  },
  async (uring) => {
    const batch = () =>
      Promise.all(Array.from({ length: 1000 }, () => uring.submit(nop())));
    assertGreater(await shareOfTicks(() => forAWhile(200, batch)), 0.3);
  },
);

eachKind("an interval keeps its ticks while messages go round", {
  only,
  when: opcodes.msgRing.supported(),
}, async (uring) => {
  let messages = 0;
  let going = true;
  uring.onMessage = async () => {
    messages++;
    if (going) await uring.post(uring.ring.fd, 1);
  };
  await uring.post(uring.ring.fd, 1);
  assertGreater(await shareOfTicks(() => sleep(200)), 0.5);
  going = false;
  await sleep(5);
  uring.onMessage = undefined;
  assertGreater(messages, 100);
});

eachKind("sockets of Deno have their turn", { only }, async (uring) => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  let going = true;
  const busy = (async () => {
    while (going) await uring.submit(nop());
  })();
  const serving = (async () => {
    using connection = await listener.accept();
    const buffer = new Uint8Array(8);
    for (let count; (count = await connection.read(buffer)) !== null;) {
      await connection.write(buffer.subarray(0, count));
    }
  })();
  const started = performance.now();
  {
    using connection = await Deno.connect({ port });
    const buffer = new Uint8Array(8);
    for (let round = 0; round < 50; round++) {
      await connection.write(Uint8Array.of(round));
      assertEquals(await connection.read(buffer), 1);
      assertEquals(buffer[0], round);
    }
  }
  await serving;
  going = false;
  await busy;
  assertLess(performance.now() - started, 5000);
});

eachKind("a stream without end leaves the others their turn", {
  only,
  when: kernelSince(6, 4),
}, async (uring) => {
  let ticks = 0;
  const stream = uring.stream(timeoutMultishot(0.02));
  const reading = (async () => {
    for await (const _ of stream) ticks++;
  })();
  assertGreater(await shareOfTicks(() => sleep(200)), 0.4);
  await stream.return?.();
  await reading;
  assertGreater(ticks, 10);
});

for (const kind of kinds) {
  Deno.test({
    name: `two Urings in one thread go on side by side [${kind.name}]`,
    ignore: !kind.supported,
    async fn() {
      await using one = new Uring(kind.options);
      await using other = new Uring(kind.options);
      const counts = [0, 0];
      const loop = (uring: Uring, at: number) =>
        forAWhile(150, async () => {
          await uring.submit(nop());
          (counts[at] as number)++;
        });
      await Promise.all([loop(one, 0), loop(other, 1)]);
      await turn();
      const [most, least] = [Math.max(...counts), Math.min(...counts)];
      assertGreater(least, 100);
      assertLess(most / least, 20);
    },
  });
}
