/** Sleeping and waking: both doorbells, none at all, thousands of round trips, an idle CPU. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import process from "node:process";
import {
  closeDescriptor,
  eventfd,
  IOSQE_ASYNC,
  isSystemError,
} from "../../ffi/mod.ts";
import {
  nop,
  opcodes,
  pollMultishot,
  read,
  recv,
  send,
  statx,
  timeout,
} from "../../ops/mod.ts";
import { Uring, type Wake } from "../../proactor/mod.ts";
import { makeWake } from "../../proactor/wake.ts";
import { emulated } from "../support/machine.ts";
import { Fds, kernelSince, openFiles, writeNow } from "../support/sockets.ts";
import { bytes, kinds, sleep, turn, until, type UringKind } from "./support.ts";

const bells = ["handle", "ring"] as const;

/** Before 5.18 the bell is put up with the ring, as the kernel would wait for what is in flight. */
const bellIsEarly = !kernelSince(5, 18);

// What the runtime opens once, and keeps, it opens now.
for (const wake of kinds.some(({ supported }) => supported) ? bells : []) {
  await using uring = new Uring({ spin: 0, wake });
  await uring.submit(timeout(1));
}

/** Registers a test for each kind of ring and each doorbell; fails it if files stay open. */
function eachBell(
  name: string,
  body: (
    make: (options?: { spin?: number }) => Uring,
    kind: UringKind,
    bell: typeof bells[number],
  ) => Promise<void>,
  when = true,
): void {
  for (const kind of kinds) {
    for (const bell of bells) {
      Deno.test({
        name: `${name} [${kind.name}, ${bell}]`,
        ignore: !kind.supported || !when,
        async fn() {
          const before = openFiles();
          const make = (options = {}) =>
            new Uring({ ...kind.options, spin: 0, wake: bell, ...options });
          await body(make, kind, bell);
          // The runtime may have closed some of its own.
          await until(() => openFiles() <= before, "the doorbell's files");
        },
      });
    }
  }
}

async function asleep(uring: Uring, sleeps: number): Promise<void> {
  await until(() => uring.stats.sleeps > sleeps, "sleep");
}

eachBell(
  "it sleeps while nothing happens, and wakes when something does",
  async (make) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    await using uring = make();
    for (let round = 0; round < 20; round++) {
      const { sleeps, wakes } = uring.stats;
      const reading = uring.submit(read(reader, new Uint8Array(1)));
      await asleep(uring, sleeps);
      const { enters } = uring.stats;
      await sleep(1);
      assertEquals(uring.stats.enters, enters, "a sleeper entered the kernel");
      assertEquals(uring.stats.wakes, wakes);
      writeNow(writer, bytes("x"));
      assertEquals(await reading, 1);
      // Linux 6.1 may ring once more.
      assertGreaterOrEqual(uring.stats.wakes, wakes + 1);
    }
  },
);

eachBell("an eventfd that is signalled wakes it, each time", async (make) => {
  using fds = new Fds();
  const counter = fds.add(eventfd(true));
  const one = new Uint8Array(BigUint64Array.of(1n).buffer);
  await using uring = make();
  for (let round = 0; round < 4; round++) {
    const { sleeps } = uring.stats;
    let count = 0;
    uring.submit(read(counter, new Uint8Array(8))).then((read) => count = read);
    await asleep(uring, sleeps);
    writeNow(counter, one);
    await until(() => count === 8, `what was signalled in round ${round}`);
  }
});

eachBell("timers of the kernel wake it", async (make) => {
  await using uring = make();
  const started = performance.now();
  for (let round = 0; round < 10; round++) await uring.submit(timeout(2));
  assertGreaterOrEqual(performance.now() - started, 19);
  // On a busy machine a timer may run out before there is sleep.
  for (let round = 0; uring.stats.wakes === 0 && round < 20; round++) {
    await uring.submit(timeout(20));
  }
  assertGreater(uring.stats.wakes, 0);
});

eachBell("the kernel's workers wake it", async (make) => {
  await using uring = make();
  for (let round = 0; round < 200; round++) {
    await Promise.all([
      uring.submit(statx("/")),
      uring.submit(nop(), { flags: IOSQE_ASYNC }),
    ]);
  }
  assertEquals(uring.stats.inFlight, 0);
});

eachBell("messages of another ring wake it", async (make) => {
  await using uring = make();
  await using other = new Uring();
  const got: number[] = [];
  uring.onMessage = (value) => got.push(value);
  for (let round = 0; round < 20; round++) {
    const { sleeps } = uring.stats;
    await asleep(uring, sleeps - 1);
    await other.post(uring.ring.fd, round);
    await until(() => got.length === round + 1, "the message");
  }
  uring.onMessage = undefined;
  assertEquals(got, [...got.keys()]);
}, opcodes.msgRing.supported());

eachBell(
  "submitting wakes it too: what it sleeps for is not forgotten",
  async (make) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    await using uring = make();
    const reading = uring.submit(read(reader, new Uint8Array(1)));
    for (let round = 0; round < 20; round++) {
      await asleep(uring, uring.stats.sleeps - 1);
      assertEquals(await uring.submit(nop()), 0);
      await turn();
    }
    writeNow(writer, bytes("x"));
    assertEquals(await reading, 1);
  },
);

eachBell(
  "what comes in the moment of falling asleep is not lost",
  async (make) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    await using uring = make();
    for (let round = 0; round < 400; round++) {
      const reading = uring.submit(read(reader, new Uint8Array(1)));
      // Some turns later each time: before, while, and after it falls asleep.
      for (let turns = round % 8; turns > 0; turns--) await turn();
      writeNow(writer, bytes("x"));
      assertEquals(await reading, 1);
    }
    assertGreater(uring.stats.sleeps, 0);
  },
);

/** A thread that sends back whatever a socket receives, until that is closed. */
function echo(fd: number): Worker {
  const worker = new Worker(new URL("./echo_worker.ts", import.meta.url), {
    type: "module",
  });
  worker.postMessage(fd);
  return worker;
}

/** The first worker leaves descriptors of the runtime behind: here, not in a test. */
async function warmUp(): Promise<void> {
  using fds = new Fds();
  const [left, right] = fds.pair();
  const worker = echo(right);
  const ended = new Promise((resolve) => worker.onmessage = resolve);
  fds.close(left);
  await ended;
  worker.terminate();
}

await warmUp();

eachBell(
  "echo over a socket pair: thousands of round trips, none lost",
  async (make) => {
    using fds = new Fds();
    const [left, right] = fds.pair();
    const worker = echo(right);
    await using uring = make();
    const out = new Int32Array(1);
    const back = new Int32Array(1);
    for (let round = 1; round <= 2000; round++) {
      out[0] = round;
      const answer = uring.submit(recv(left, back));
      assertEquals(await uring.submit(send(left, out)), 4);
      assertEquals(await answer, 4);
      assertEquals(back[0], round);
    }
    // Where all threads share a slow CPU, most answers are there before it would sleep.
    assertGreater(uring.stats.sleeps, 10);
    const ended = new Promise((resolve) => worker.onmessage = resolve);
    fds.close(left);
    await ended;
    worker.terminate();
  },
);

eachBell("many in flight, each waking when it likes", async (make) => {
  await using uring = make();
  const done = await Promise.all(
    Array.from({ length: 500 }, async (_, index) => {
      for (let round = 0; round < 3; round++) {
        await uring.submit(timeout(index % 13));
      }
      return 1;
    }),
  );
  assertEquals(done.length, 500);
  assertEquals(uring.stats.inFlight, 0);
});

// --- how long it looks, and whether it sleeps

for (const kind of kinds) {
  Deno.test({
    name: `sleep: false never sleeps [${kind.name}]`,
    ignore: !kind.supported,
    async fn() {
      await using uring = new Uring({ ...kind.options, sleep: false });
      await uring.submit(timeout(20));
      assertEquals([uring.stats.sleeps, uring.stats.wakes], [0, 0]);
    },
  });

  Deno.test({
    name: `spin: it looks that long before it sleeps [${kind.name}]`,
    ignore: !kind.supported || emulated,
    async fn() {
      await using uring = new Uring({ ...kind.options, spin: 1e9 });
      await uring.submit(timeout(10));
      assertEquals(uring.stats.sleeps, 0);
      await using short = new Uring({ ...kind.options, spin: 0 });
      await short.submit(timeout(10));
      assertEquals(short.stats.sleeps, 1);
    },
  });

  for (const wake of bells) {
    Deno.test({
      name: `asleep it needs less than 1 % of a CPU [${kind.name}, ${wake}]`,
      // The kernel's own thread is awake for a while.
      ignore: !kind.supported || emulated || kind.name === "sqpoll",
      async fn() {
        using fds = new Fds();
        const [reader] = fds.pipe();
        await using uring = new Uring({ ...kind.options, wake });
        const reading = assertRejects(() =>
          uring.submit(read(reader, new Uint8Array(1)))
        );
        const stream = uring.stream(pollMultishot(reader, 1));
        const polling = stream.next();
        uring.onMessage = () => {};
        await asleep(uring, 0);
        let least = Infinity;
        for (let attempt = 0; attempt < 4 && least >= 0.01; attempt++) {
          const before = process.cpuUsage();
          const started = performance.now();
          await sleep(500);
          const { user, system } = process.cpuUsage(before);
          const elapsed = (performance.now() - started) * 1000;
          least = Math.min(least, (user + system) / elapsed);
        }
        assertLess(least, 0.01);
        await stream.return?.();
        assertEquals((await polling).done, true);
        await uring.close();
        await reading;
      },
    });
  }
}

// --- which doorbell, and when it is put up

Deno.test({
  name:
    "the doorbell is put up at the first sleep, once, and taken down at the end",
  ignore: bellIsEarly,
  async fn() {
    let made = 0;
    const log: string[] = [];
    const uring = new Uring({
      spin: 0,
      wake(ring, onRing): Wake {
        made++;
        const inner = makeWake(ring, onRing, "auto");
        return {
          kind: inner.kind,
          arm: () => (log.push("arm"), inner.arm()),
          disarm: () => (log.push("disarm"), inner.disarm()),
          keepAlive: (yes) => inner.keepAlive(yes),
          close: () => (log.push("close"), inner.close()),
        };
      },
    });
    for (let round = 0; round < 1000; round++) await uring.submit(nop());
    assertEquals(made, 0);
    await uring.submit(timeout(5));
    await uring.submit(timeout(5));
    assertEquals(made, 1);
    await uring.close();
    assertEquals(log.slice(0, 2), ["arm", "disarm"]);
    assertEquals(log.filter((entry) => entry === "close"), ["close"]);
    assertEquals(log.at(-1), "close");
  },
});

Deno.test("the bell is quiet while the ring is looked at anyhow", async () => {
  await using uring = new Uring({ spin: 0 });
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const reading = uring.submit(read(reader, new Uint8Array(1)));
  await asleep(uring, 0);
  assert(uring.ring.cq.eventfdEnabled);
  await uring.submit(nop());
  assertFalse(uring.ring.cq.eventfdEnabled);
  writeNow(writer, bytes("x"));
  await reading;
  assertFalse(uring.ring.cq.eventfdEnabled);
});

/** Runs something while Node's pipe handle is not to be had. */
async function withoutHandle(body: () => Promise<void>): Promise<void> {
  const had = Object.getOwnPropertyDescriptor(process, "binding");
  Object.defineProperty(process, "binding", {
    value: () => {
      throw new Error("No such module: pipe_wrap");
    },
    configurable: true,
    writable: true,
  });
  try {
    await body();
  } finally {
    if (had === undefined) Reflect.deleteProperty(process, "binding");
    else Object.defineProperty(process, "binding", had);
  }
}

Deno.test("without the handle it takes the ring", () =>
  withoutHandle(async () => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    await using uring = new Uring({ spin: 0 });
    const reading = uring.submit(read(reader, new Uint8Array(1)));
    await asleep(uring, 0);
    writeNow(writer, bytes("x"));
    assertEquals(await reading, 1);
    assertEquals(uring.stats.wakes, 1);
  }));

Deno.test("a handle that is asked for and not there is refused", () =>
  withoutHandle(() => {
    assertThrows(
      () => new Uring({ wake: "handle" }),
      Error,
      'wake: "handle" needs process.binding("pipe_wrap")',
    );
    return Promise.resolve();
  }));

Deno.test({
  name: "a doorbell of one's own that fails fails what waits for it",
  ignore: bellIsEarly,
  async fn() {
    const uring = new Uring({
      spin: 0,
      wake: () => {
        throw new SyntaxError("no bell");
      },
    });
    assertEquals(await uring.submit(nop()), 0);
    await assertRejects(
      () => uring.submit(timeout(2000)),
      SyntaxError,
      "no bell",
    );
    await assertRejects(() => uring.submit(nop()), SyntaxError, "no bell");
    await uring.close();
    uring.ring.close();
  },
});

Deno.test({
  name: "without a descriptor for the bell it goes on looking",
  ignore: bellIsEarly,
  async fn() {
    let refusals = 0;
    await using uring = new Uring({
      spin: 0,
      wake(ring, onRing) {
        if (refusals++ < 3) {
          const error = new Deno.errors.Busy("eventfd: too many open files");
          throw Object.assign(error, {
            code: "EMFILE",
            errno: 24,
            op: "eventfd",
          });
        }
        return makeWake(ring, onRing, "auto");
      },
    });
    const error: unknown = await uring.submit(timeout(300)).catch((error) =>
      error
    );
    assertFalse(isSystemError(error));
    assertEquals(refusals, 4);
    assertEquals(uring.stats.sleeps > 0, true);
  },
});

for (const wake of bells) {
  Deno.test({
    name: `a bell that cannot be put up leaves nothing behind: ${wake}`,
    ignore: bellIsEarly,
    async fn() {
      await using uring = new Uring({ spin: 0, wake });
      // A ring has one eventfd, and the program has taken it.
      const taken = eventfd();
      uring.ring.eventfd.register(taken);
      const before = openFiles();
      await uring.submit(timeout(20));
      assertEquals(uring.stats.sleeps, 0);
      await until(() => openFiles() <= before, "its files are closed");
      closeDescriptor(taken);
    },
  });
}
