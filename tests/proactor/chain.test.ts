/** `Uring.chain` and `Uring.link`: order, failures, hard links, signals, timeouts, backpressure. */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { isSystemError } from "../../ffi/mod.ts";
import {
  close,
  fsync,
  nop,
  Op,
  openat,
  read,
  timeout,
  write,
} from "../../ops/mod.ts";
import {
  type ChainError,
  type LinkOptions,
  TimeoutError,
} from "../../proactor/mod.ts";
import { pattern, TemporaryDirectory } from "../support/files.ts";
import { Fds, readNow, writeNow } from "../support/sockets.ts";
import { bytes, eachKind, idle, sleep, stateOf, turn } from "./support.ts";

const NEVER = 1e9;
/** What a chain rejects with. */
async function failureOf(promise: Promise<unknown>): Promise<ChainError> {
  const reason: unknown = await promise.then(
    () => new Error("It was not rejected."),
    (error) => error,
  );
  assertInstanceOf(reason, Error);
  return reason as ChainError;
}

/** What became of each op of a chain: its value, or the code of its error. */
function outcomes({ results }: ChainError): unknown[] {
  return results.map((result) => {
    if (result.status === "fulfilled") return result.value;
    return isSystemError(result.reason) ? result.reason.code : result.reason;
  });
}

eachKind(
  "a chain gives the results, in order, of their own types",
  {},
  async (uring) => {
    using directory = new TemporaryDirectory();
    const fd = await uring.submit(openat(directory.file("file"), 2));
    const back = new Uint8Array(5);
    const results: [number, void, number, void] = await uring.chain(
      write(fd, bytes("hello"), { offset: 0 }),
      fsync(fd),
      read(fd, back, { offset: 0 }),
      close(fd),
    );
    assertEquals(results, [5, undefined, 5, undefined]);
    assertEquals(back, bytes("hello"));
  },
);

eachKind("a chain is one submission", {
  // Where work is deferred, each link takes an enter of its own.
  only: ["cooperative", "plain"],
}, async (uring) => {
  assertEquals(await uring.chain(nop(), nop(), nop()), [0, 0, 0]);
  assertEquals([uring.stats.enters, uring.stats.submitted], [1, 3]);
  assertEquals(await uring.chain(), []);
  assertEquals(await uring.chain(nop()), [0]);
  assertEquals([uring.stats.enters, uring.stats.submitted], [2, 4]);
});

eachKind("each op waits for the one before", {}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const [otherReader, otherWriter] = fds.pipe();
  const chain = uring.chain(
    read(reader, new Uint8Array(2)),
    write(otherWriter, bytes("after")),
  );
  await sleep(3);
  assertEquals(await stateOf(chain), "waiting");
  writeNow(writer, bytes("go"));
  assertEquals(await chain, [2, 5]);
  assertEquals(readNow(otherReader, 8), bytes("after"));
});

// --- failures

eachKind(
  "the first failure rejects, with its position and all results",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const error = await failureOf(uring.chain(
      write(writer, bytes("one")),
      openat("/nope/nope", 0),
      write(writer, bytes("two")),
      nop(),
    ));
    assertInstanceOf(error, Deno.errors.NotFound);
    assert(isSystemError(error));
    assertEquals([error.op, error.path], ["openat", "/nope/nope"]);
    assertEquals(error.position, 1);
    assertEquals(outcomes(error), [3, "ENOENT", "ECANCELED", "ECANCELED"]);
    assertEquals(readNow(reader, 10), bytes("one"));
  },
);

eachKind("a failure at either end", {}, async (uring) => {
  const first = await failureOf(uring.chain(close(999_999), nop()));
  assertEquals([first.position, outcomes(first)], [0, ["EBADF", "ECANCELED"]]);
  const last = await failureOf(uring.chain(nop(), close(999_999)));
  assertEquals([last.position, outcomes(last)], [1, [0, "EBADF"]]);
});

eachKind(
  "a transfer shorter than asked breaks the chain",
  {},
  async (uring) => {
    using directory = new TemporaryDirectory();
    const fd = await uring.submit(openat(directory.file("short", "12345"), 0));
    const error = await failureOf(
      uring.chain(read(fd, new Uint8Array(10), { offset: 0 }), nop(), nop()),
    );
    assert(isSystemError(error));
    assertEquals([error.code, error.position], ["ECANCELED", 1]);
    assertEquals(outcomes(error), [5, "ECANCELED", "ECANCELED"]);
    await uring.submit(close(fd));
  },
);

eachKind(
  "the failure is the one that failed, not those it took along",
  {},
  async (uring) => {
    const impossible = Op.of({
      opcode: 250,
      name: "impossible",
      encode: (sqe) => {
        sqe.opcode = 250;
        return undefined;
      },
      decode: () => undefined,
    });
    // What the kernel refuses at once takes those before it along.
    const error = await failureOf(uring.chain(nop(), impossible, nop()));
    assert(isSystemError(error));
    assertEquals([error.code, error.position], ["EINVAL", 1]);
  },
);

eachKind(
  "an op that cannot be encoded fails the chain, of which nothing runs",
  {},
  async (uring) => {
    using fds = new Fds();
    const [, writer] = fds.pipe();
    const broken = Op.of({
      opcode: 0,
      name: "broken",
      encode: () => {
        throw new RangeError("cannot be encoded");
      },
      decode: () => undefined,
    });
    const chain = uring.chain(write(writer, bytes("x")), broken, nop());
    await assertRejects(() => chain, RangeError, "cannot be encoded");
    assertEquals(uring.stats.submitted, 0);
    assertEquals(await uring.chain(nop(), nop()), [0, 0]);
  },
);

eachKind("hard links go on after a failure", {}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const error = await failureOf(uring.link([
    openat("/nope", 0),
    write(writer, bytes("still")),
    close(999_999),
    write(writer, bytes(" here")),
  ], { hard: true }));
  assertEquals(error.position, 0);
  assertEquals(outcomes(error), ["ENOENT", 5, "EBADF", 5]);
  assertEquals(readNow(reader, 20), bytes("still here"));
  assertEquals(await uring.link([nop(), nop()], { hard: true }), [0, 0]);
});

eachKind("hard links go on after a short read", {}, async (uring) => {
  using directory = new TemporaryDirectory();
  const fd = await uring.submit(openat(directory.file("short", "12345"), 0));
  const results = await uring.link(
    [read(fd, new Uint8Array(10), { offset: 0 }), nop(), close(fd)],
    { hard: true },
  );
  assertEquals(results, [5, 0, undefined]);
});

// --- signals

eachKind("a signal that is aborted already", {}, async (uring) => {
  const reason = new Error("before");
  const signal = AbortSignal.abort(reason);
  assertStrictEquals(
    await failureOf(uring.link([nop(), nop()], { signal })),
    reason,
  );
  assertEquals([uring.stats.submitted, uring.stats.queued], [0, 0]);
});

for (const hard of [false, true]) {
  const links = hard ? "hard links" : "links";

  eachKind(`a signal cancels what is left: ${links}`, {}, async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = () => read(reader, new Uint8Array(1));
    const chain = uring.link(
      [nop(), waiting(), waiting(), timeout(NEVER), waiting()],
      { hard, signal },
    );
    await sleep(3);
    assertEquals(await stateOf(chain), "waiting");
    const reason = Object.freeze(new Error("enough"));
    controller.abort(reason);
    assertStrictEquals(await failureOf(chain), reason);
    await idle(uring);
  });

  eachKind(
    `a timeout over a chain: ${links}`,
    { timed: true },
    async (uring) => {
      using fds = new Fds();
      const [reader, writer] = fds.pipe();
      const waiting = () => read(reader, new Uint8Array(1));
      async function callsTheChain(): Promise<unknown> {
        const ops = [
          write(writer, bytes("x")),
          waiting(),
          waiting(),
          waiting(),
        ];
        return await uring.link(ops, { hard, timeout: 15 });
      }
      const started = performance.now();
      const error = await failureOf(callsTheChain());
      assertGreaterOrEqual(performance.now() - started, 14);
      assertInstanceOf(error, TimeoutError);
      assertEquals([error.code, error.position], ["ETIME", 2]);
      assertStringIncludes(error.message, "not done after 15 ms");
      assertStringIncludes(error.stack ?? "", "callsTheChain");
      assertEquals(outcomes(error), [1, 1, "ETIME", "ETIME"]);
      await idle(uring);
    },
  );

  eachKind(`a timeout that is long enough: ${links}`, {}, async (uring) => {
    for (const timeout of [10_000, 2 ** 32, 1e15]) {
      const options: LinkOptions = { hard, timeout };
      assertEquals(await uring.link([nop(), nop()], options), [0, 0]);
    }
  });
}

eachKind("one reason for two chains stays as it is", {}, async (uring) => {
  const controller = new AbortController();
  const { signal } = controller;
  const chains = [1, 2].map(() =>
    failureOf(uring.link([timeout(NEVER), nop()], { signal }))
  );
  await turn();
  const reason = new Error("both");
  controller.abort(reason);
  for (const error of await Promise.all(chains)) {
    assertStrictEquals(error as Error, reason);
  }
  assertEquals(Object.keys(reason), []);
});

eachKind(
  "a chain that waits for room never reaches the kernel if it is cancelled",
  { timed: true, entries: 4, cqEntries: 4 },
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const controller = new AbortController();
    const { signal } = controller;
    const blocker = uring.submit(read(reader, new Uint8Array(1)));
    const chain = failureOf(
      uring.link([nop(), nop(), nop(), nop()], { signal }),
    );
    const late = failureOf(
      uring.link([nop(), nop(), nop(), nop()], { timeout: 5 }),
    );
    await turn();
    assertEquals(uring.stats.queued, 2);
    controller.abort(new Error("not needed"));
    assertEquals((await chain).message, "not needed");
    assertInstanceOf(await late, TimeoutError);
    assertEquals([uring.stats.queued, uring.stats.submitted], [0, 1]);
    writeNow(writer, new Uint8Array(1));
    assertEquals(await blocker, 1);
  },
);

// --- backpressure

eachKind("chains stay whole when there is little room", {
  entries: 8,
  cqEntries: 8,
}, async (uring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("log");
  const O_RDWR = 2;
  const fd = await uring.submit(openat(path, O_RDWR));
  const chains = Array.from({ length: 100 }, (_, index) => {
    const length = index % 7 + 1;
    const block = pattern(length * 8, index + 1);
    const back = new Uint8Array(length * 8);
    const offset = index * 64;
    const ops: Op<number>[] = [write(fd, block, { offset })];
    for (let at = 0; at < length; at++) ops.push(nop());
    ops.splice(length, 1, read(fd, back, { offset }));
    return uring.chain(...ops).then((results) => {
      assertEquals(results.at(-1), length * 8);
      assertEquals(back, block);
    });
  });
  const singles = Array.from({ length: 100 }, () => uring.submit(nop()));
  await Promise.all([...chains, ...singles]);
  await uring.submit(close(fd));
  assertEquals(uring.stats.queued, 0);
});

eachKind("a chain under backpressure fails as a whole", {
  entries: 4,
  cqEntries: 4,
}, async (uring) => {
  const all = await Promise.all(
    Array.from(
      { length: 50 },
      (_, index) =>
        index % 2 === 0
          ? uring.chain(nop(), nop(), nop())
          : failureOf(uring.chain(close(999_999), nop(), nop())),
    ),
  );
  for (const [index, result] of all.entries()) {
    if (index % 2 === 0) assertEquals(result, [0, 0, 0]);
    else {
      const expected = ["EBADF", "ECANCELED", "ECANCELED"];
      assertEquals(outcomes(result as ChainError), expected);
    }
  }
});

eachKind(
  "a chain as long as the queue, and one longer",
  { entries: 8 },
  async (uring) => {
    const ops = (length: number) => Array.from({ length }, () => nop());
    assertEquals(await uring.chain(...ops(8)), Array(8).fill(0));
    await assertRejects(
      () => uring.chain(...ops(9)),
      RangeError,
      "9 ops, but the submission queue holds 8, and a chain goes in one submission",
    );
    // While the queue is in use, it waits until there is room for all of it.
    const before = Array.from({ length: 5 }, () => uring.submit(nop()));
    const chain = uring.chain(...ops(8));
    await Promise.all([...before, chain]);
  },
);

eachKind("what is no Error is told as it is", { only: ["best"] }, async (
  uring,
) => {
  const strange = Op.of<number, undefined>({
    opcode: 0,
    name: "strange",
    encode: () => undefined,
    decode: () => {
      throw "strange";
    },
  });
  const chain = uring.chain(nop(), strange);
  assertEquals(await chain.catch((reason) => reason), "strange");
});

eachKind("wrong use of link", {}, async (uring) => {
  await assertRejects(
    () => uring.link(nop() as unknown as Op<number>[]),
    TypeError,
    "ops must be an array",
  );
  const wrong: [LinkOptions, string][] = [
    [{ timeout: -1 }, "Uring.link: timeout must be 0 or more milliseconds"],
    [{ signal: 1 as unknown as AbortSignal }, "Uring.link: signal must be an"],
    [7 as unknown as LinkOptions, "Uring.link: options must be an object"],
    [null as unknown as LinkOptions, "Uring.link: options must be an object"],
    [
      { hard: "yes" as unknown as boolean },
      "Uring.link: hard must be a boolean",
    ],
  ];
  for (const [options, message] of wrong) {
    await assertRejects(() => uring.link([nop()], options), Error, message);
  }
  assertEquals(uring.stats.submitted, 0);
});
