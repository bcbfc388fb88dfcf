/** Timers and sockets keep their turn, whatever a `Uring` is busy with. */

import process from "node:process";
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
import { emulated } from "../support/machine.ts";
import { kernelSince } from "../support/sockets.ts";
import { eachKind, kinds, sleep, turn, type UringKind } from "./support.ts";

/** Kinds that differ in how completions come: enough of them, as each takes its time. */
const only = ["best", "plain", "sqpoll"];

/**
 * Checks that an interval of 1 ms keeps more than a share of its ticks while something goes on.
 * Ticks are set against the CPU time that this takes: on a machine that is busy with other
 * things the rest of the time is not this process's to give.
 */
async function assertTicks(
  least: number,
  kind: UringKind,
  busy: () => Promise<unknown>,
): Promise<void> {
  // The kernel's thread takes as much CPU time as the program's.
  const threads = kind.name === "sqpoll" ? 2 : 1;
  const share = async () => {
    let ticks = 0;
    const interval = setInterval(() => ticks++, 1);
    const before = process.cpuUsage();
    await busy();
    const { user, system } = process.cpuUsage(before);
    clearInterval(interval);
    return ticks / ((user + system) / 1000 / threads);
  };
  const shares: number[] = [];
  while (shares.length < 4) {
    shares.push(await share());
    if (Math.max(...shares) > least) return;
  }
  throw new Error(`Of its ticks the interval kept ${shares}, not ${least}.`);
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
  { only, timed: true },
  async (uring, kind) => {
    using directory = new TemporaryDirectory();
    const path = directory.file("cached", "x".repeat(1 << 20));
    const fd = await uring.submit(openat(path, 0));
    const buffer = new Uint8Array(4096);
    let reads = 0;
    const one = async () => {
      const offset = reads++ % 256 * 4096;
      assertEquals(await uring.submit(read(fd, buffer, { offset })), 4096);
    };
    await assertTicks(0.5, kind, () => forAWhile(250, one));
    assertGreater(reads, 100);
    await uring.submit(close(fd));
  },
);

eachKind(
  "an interval keeps its ticks with 32 loops at once",
  { only, timed: true },
  async (uring, kind) => {
    const loops = () =>
      Promise.all(Array.from(
        { length: 32 },
        () => forAWhile(200, () => uring.submit(nop())),
      ));
    await assertTicks(0.5, kind, loops);
  },
);

eachKind(
  "an interval keeps its ticks while a thousand ops are queued all the time",
  {
    only,
    timed: true,
    entries: 8,
    cqEntries: 16,
  },
  async (uring, kind) => {
    const batch = () =>
      Promise.all(Array.from({ length: 1000 }, () => uring.submit(nop())));
    await assertTicks(0.3, kind, () => forAWhile(200, batch));
  },
);

eachKind("an interval keeps its ticks while messages go round", {
  only,
  timed: true,
  when: opcodes.msgRing.supported(),
}, async (uring, kind) => {
  let messages = 0;
  let going = true;
  uring.onMessage = async () => {
    messages++;
    if (going) await uring.post(uring.ring.fd, 1);
  };
  await uring.post(uring.ring.fd, 1);
  await assertTicks(0.5, kind, () => sleep(200));
  going = false;
  await sleep(5);
  uring.onMessage = undefined;
  assertGreater(messages, 100);
});

eachKind(
  "sockets of Deno have their turn",
  { only, timed: true },
  async (uring) => {
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
    const before = process.cpuUsage();
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
    // Of its own time: what a busy machine gives to others does not count.
    const { user, system } = process.cpuUsage(before);
    assertLess((user + system) / 1000, 5000);
  },
);

eachKind("a stream without end leaves the others their turn", {
  only,
  timed: true,
  when: kernelSince(6, 4),
}, async (uring, kind) => {
  let ticks = 0;
  const stream = uring.stream(timeoutMultishot(0.02));
  const reading = (async () => {
    for await (const _ of stream) ticks++;
  })();
  await assertTicks(0.4, kind, () => sleep(200));
  await stream.return?.();
  await reading;
  assertGreater(ticks, 10);
});

for (const kind of kinds) {
  Deno.test({
    name: `two Urings in one thread go on side by side [${kind.name}]`,
    ignore: !kind.supported || emulated,
    async fn() {
      await using one = new Uring(kind.options);
      await using other = new Uring(kind.options);
      const counts = [0, 0];
      const polled = kind.name === "sqpoll";
      const loop = async (uring: Uring, at: number) => {
        const once = async () => {
          await uring.submit(nop());
          (counts[at] as number)++;
        };
        await forAWhile(150, once);
        // Which of the kernel's threads gets on is up to its scheduler.
        while (polled && counts[at] as number <= 10) await once();
      };
      await Promise.all([loop(one, 0), loop(other, 1)]);
      await turn();
      const [most, least] = [Math.max(...counts), Math.min(...counts)];
      assertGreater(least, 10);
      if (!polled) assertLess(most / least, 50);
    },
  });
}
