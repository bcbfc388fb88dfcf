/** A `Uring` in every Worker, and messages between them. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { isSystemError } from "../../ffi/mod.ts";
import { nop, opcodes, timeout } from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import {
  Fds,
  kernelSince,
  openFiles,
  readNow,
  writeNow,
} from "../support/sockets.ts";
import { bytes, eachKind, kinds, sleep, turn, until } from "./support.ts";
import type { Report, Task } from "./uring_worker.ts";

const canPost = opcodes.msgRing.supported();

/** A Worker with a `Uring` of its own. */
class Colleague {
  readonly #worker = new Worker(
    new URL("./uring_worker.ts", import.meta.url),
    { type: "module" },
  );
  readonly #reports: Report[] = [];
  #arrived: (() => void) | undefined;

  constructor() {
    this.#worker.onmessage = ({ data }) => {
      this.#reports.push(data);
      this.#arrived?.();
    };
  }

  tell(task: Task): void {
    this.#worker.postMessage(task);
  }

  async hears(): Promise<Report> {
    while (this.#reports.length === 0) {
      await new Promise<void>((resolve) => this.#arrived = resolve);
    }
    return this.#reports.shift() as Report;
  }

  async ask(task: Task): Promise<Report> {
    this.tell(task);
    return await this.hears();
  }

  terminate(): void {
    this.#worker.terminate();
  }
}

async function warmUp(): Promise<void> {
  const first = new Colleague();
  await first.ask({ what: "open", options: {} });
  await first.ask({ what: "close" });
  first.terminate();
}

// The first worker leaves descriptors of the runtime behind: here, not in a test.
await warmUp();

for (const kind of kinds) {
  const test = (name: string, fn: () => Promise<void>, when = true) =>
    Deno.test({
      name: `${name} [${kind.name}]`,
      ignore: !kind.supported || !when,
      async fn() {
        const before = openFiles();
        await fn();
        await until(() => openFiles() <= before, "the workers' files");
      },
    });

  test("every Worker has its own", async () => {
    const colleagues = Array.from({ length: 4 }, () => new Colleague());
    await using uring = new Uring(kind.options);
    const { options } = kind;
    await Promise.all(
      colleagues.map((each) => each.ask({ what: "open", options })),
    );
    for (const each of colleagues) each.tell({ what: "work", rounds: 2000 });
    for (let round = 0; round < 2000; round++) await uring.submit(nop());
    for (const each of colleagues) {
      const { submitted, completed } = await each.hears();
      assertGreater(submitted, 2000);
      assertEquals(completed, submitted);
      await each.ask({ what: "close" });
      each.terminate();
    }
  });

  test(
    "messages there and back, in order, while both sleep in between",
    async () => {
      await using uring = new Uring(kind.options);
      const colleague = new Colleague();
      const { options } = kind;
      const { fd } = await colleague.ask({ what: "open", options });
      await colleague.ask({ what: "echo", fd: uring.ring.fd });
      const got: [number, number][] = [];
      uring.onMessage = (value, data) => got.push([value, data]);
      const sent: [number, number][] = [
        [0, 0],
        [1, 2],
        [-1, 0xffff_ffff],
        [0x7fff_ffff, 0x8000_0000],
        [-0x8000_0000, 1],
      ];
      for (const [round, [value, data]] of sent.entries()) {
        await uring.post(fd, value, data);
        await until(() => got.length > round, "the answer");
        await sleep(2);
      }
      assertEquals(got, sent);
      got.length = 0;
      await Promise.all(
        Array.from({ length: 1000 }, (_, index) => uring.post(fd, index)),
      );
      await until(() => got.length === 1000, "a thousand answers");
      assertEquals(got.map(([value]) => value), [...got.keys()]);
      uring.onMessage = undefined;
      await colleague.ask({ what: "close" });
      colleague.terminate();
    },
    canPost,
  );

  test("a Worker closes while messages are on their way", async () => {
    await using uring = new Uring(kind.options);
    const colleague = new Colleague();
    const { fd } = await colleague.ask({ what: "open", options: kind.options });
    await colleague.ask({ what: "echo", fd: uring.ring.fd });
    const posts = Promise.allSettled(
      Array.from({ length: 200 }, (_, index) => uring.post(fd, index)),
    );
    await colleague.ask({ what: "close" });
    for (const result of await posts) {
      if (result.status === "fulfilled") continue;
      // The descriptor is gone, or somebody else's.
      assert(isSystemError(result.reason), String(result.reason));
    }
    colleague.terminate();
    await turn();
  }, canPost);
}

/** How many threads of this process are Workers'. */
function workers(): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    try {
      const comm = Deno.readTextFileSync(`/proc/self/task/${name}/comm`);
      if (comm.startsWith("worker-")) count++;
    } catch (error) {
      // It has ended since: ENOENT, or ESRCH in the middle of it, which may come without a code.
      if (String(error).includes("(os error 3)")) continue;
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return count;
}

for (const kind of kinds) {
  Deno.test({
    name: `a Worker terminated with ops in flight [${kind.name}]`,
    // Elsewhere than with DEFER_TASKRUN the kernel may still read for it: there, close first.
    ignore: !kernelSince(6, 1) || !["best", "syscall"].includes(kind.name),
    async fn() {
      using fds = new Fds();
      for (let round = 0; round < 5; round++) {
        const [reader, writer] = fds.pipe();
        const colleague = new Colleague();
        await colleague.ask({ what: "open", options: kind.options });
        await colleague.ask({ what: "read", fd: reader });
        await sleep(round);
        colleague.terminate();
        await until(() => workers() === 0, "the end of the Worker's thread");
        // Nobody reads into its memory any more.
        writeNow(writer, bytes("mine"));
        await sleep(5);
        assertEquals(readNow(reader, 8), bytes("mine"));
      }
      await using uring = new Uring(kind.options);
      assertEquals(await uring.submit(nop()), 0);
    },
  });
}

eachKind("a message to oneself", { when: canPost }, async (uring) => {
  const got: number[] = [];
  uring.onMessage = (value) => got.push(value);
  await uring.post(uring.ring.fd, 7);
  await until(() => got.length === 1, "the message");
  assertEquals(got, [7]);
  // Nobody listens: dropped, and counted, when the ring is looked at for something else.
  uring.onMessage = undefined;
  await uring.post(uring.ring.fd, 8);
  while (uring.stats.strays === 0) await uring.submit(timeout(1));
  assertEquals(got, [7]);
});

eachKind(
  "messages come while nothing is in flight",
  { when: canPost },
  async (uring) => {
    await using other = new Uring();
    const got: number[] = [];
    uring.onMessage = (value) => got.push(value);
    assertEquals(uring.onMessage !== undefined, true);
    for (let round = 0; round < 5; round++) {
      await sleep(3);
      await other.post(uring.ring.fd, round);
    }
    await until(() => got.length === 5, "five messages");
    uring.onMessage = undefined;
    await other.post(uring.ring.fd, 9);
    await sleep(3);
    assertEquals(got, [0, 1, 2, 3, 4]);
  },
);

eachKind("a listener that throws is the program's business, not the ring's", {
  when: canPost,
}, async (uring) => {
  const uncaught: unknown[] = [];
  const listen = (event: ErrorEvent) => {
    event.preventDefault();
    uncaught.push(event.error);
  };
  addEventListener("error", listen);
  const mistake = new Error("the listener's own");
  uring.onMessage = () => {
    throw mistake;
  };
  await uring.post(uring.ring.fd, 1);
  await until(() => uncaught.length === 1, "the error");
  removeEventListener("error", listen);
  uring.onMessage = undefined;
  assertEquals(uncaught, [mistake]);
  assertEquals(await uring.submit(nop()), 0);
});

eachKind("wrong messages", { when: canPost }, async (uring) => {
  const wrong: [unknown[], string][] = [
    [["3", 1], "target must be a ring's descriptor"],
    [[-1, 1], "target must be a ring's descriptor"],
    [[uring.ring.fd, 1.5], "value must be a signed 32-bit integer; got 1.5"],
    [[uring.ring.fd, 2 ** 31], "value must be a signed 32-bit integer"],
    [[uring.ring.fd, 1, -1], "data must be an unsigned 32-bit integer; got -1"],
    [[uring.ring.fd, 1, 2 ** 32], "data must be an unsigned 32-bit integer"],
  ];
  for (const [values, message] of wrong) {
    const post = uring.post as (...values: unknown[]) => Promise<void>;
    await assertRejects(() => post.apply(uring, values), Error, message);
  }
  const noRing = await uring.post(0, 1).catch((error) => error);
  assertInstanceOf(noRing, Error);
  assert(isSystemError(noRing));
  assertEquals([noRing.code, noRing.op], ["EBADFD", "msg_ring"]);
  const noFile = await uring.post(999_999, 1).catch((error) => error);
  assert(isSystemError(noFile));
  assertEquals(noFile.code, "EBADF");
  assertEquals(uring.stats.strays, 0);
});
