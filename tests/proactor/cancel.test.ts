/** Cancelling: signals, timeouts, both; completed or cancelled, never both, never neither. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  IOSQE_ASYNC,
  IOSQE_IO_DRAIN,
  isSystemError,
  POLLIN,
  UringError,
} from "../../ffi/mod.ts";
import {
  accept,
  cancelFd,
  cancelOp,
  futexWait,
  nop,
  Op,
  opcodes,
  openat,
  pollAdd,
  read,
  recv,
  splice,
  statx,
  timeout,
} from "../../ops/mod.ts";
import { TimeoutError } from "../../proactor/mod.ts";
import { Abort } from "../simulated/abort.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { Fds, kernelSince, readNow, writeNow } from "../support/sockets.ts";
import {
  bytes,
  eachKind,
  idle,
  sleep,
  stateOf,
  turn,
  until,
} from "./support.ts";

/** Milliseconds that no test waits for. */
const NEVER = 1e9;

const byte = () => new Uint8Array(1);

/** What a promise rejects with. */
async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (reason) {
    return reason;
  }
  throw new Error("It was not rejected.");
}

// --- signals

eachKind(
  "a signal that is aborted already: the kernel never hears of the op",
  {},
  async (uring) => {
    const reason = new Error("before");
    const signal = AbortSignal.abort(reason);
    assertStrictEquals(
      await reasonOf(uring.submit(nop(), { signal })),
      reason,
    );
    assertEquals([uring.stats.submitted, uring.stats.enters], [0, 0]);
  },
);

eachKind(
  "a signal cancels what is in flight, with its reason",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const [socket] = fds.pair();
    const listener = fds.listener();
    const ops: Op<unknown>[] = [
      read(reader, byte()),
      recv(socket, byte()),
      accept(listener),
      pollAdd(reader, POLLIN),
      timeout(1e9),
    ];
    if (opcodes.futexWait.supported()) {
      ops.push(
        futexWait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
      );
    }
    for (const op of ops) {
      const controller = new AbortController();
      const promise = uring.submit(op, { signal: controller.signal });
      await sleep(1);
      assertEquals(await stateOf(promise), "waiting", op.name);
      const reason = new Error(op.name);
      controller.abort(reason);
      assertStrictEquals(await reasonOf(promise), reason, op.name);
    }
    await idle(uring);
  },
);

eachKind(
  "reasons are what the caller gave: an Error, a string, the default",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    for (const reason of [new RangeError("mine"), "enough", 0, null]) {
      const controller = new AbortController();
      const { signal } = controller;
      const promise = uring.submit(read(reader, byte()), { signal });
      await turn();
      controller.abort(reason);
      assertStrictEquals(await reasonOf(promise), reason);
    }
    const controller = new AbortController();
    const promise = uring.submit(read(reader, byte()), {
      signal: controller.signal,
    });
    controller.abort();
    const error = await reasonOf(promise);
    assertInstanceOf(error, DOMException);
    assertEquals(error.name, "AbortError");
  },
);

eachKind(
  "AbortSignal.timeout gives its own TimeoutError",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const signal = AbortSignal.timeout(5);
    const error = await reasonOf(
      uring.submit(read(reader, byte()), { signal }),
    );
    assertInstanceOf(error, DOMException);
    assertEquals(error.name, "TimeoutError");
  },
);

eachKind(
  "a signal aborted in the turn of the submission",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const controller = new AbortController();
    const { signal } = controller;
    const promise = uring.submit(read(reader, byte()), { signal });
    controller.abort("at once");
    assertEquals(await reasonOf(promise), "at once");
  },
);

eachKind("cancelling a queued op never reaches the kernel", {
  entries: 2,
  cqEntries: 2,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const blockers = [1, 2].map(() => uring.submit(read(reader, byte())));
  const controller = new AbortController();
  const { signal } = controller;
  const first = uring.submit(nop(), { signal });
  const kept = uring.submit(nop());
  const second = uring.submit(nop(), { signal, timeout: 1e6 });
  await sleep(2);
  assertEquals([uring.stats.submitted, uring.stats.queued], [2, 3]);
  controller.abort("not needed");
  assertEquals(await reasonOf(first), "not needed");
  assertEquals(await reasonOf(second), "not needed");
  assertEquals([uring.stats.submitted, uring.stats.queued], [2, 1]);
  writeNow(writer, bytes("ab"));
  await Promise.all(blockers);
  assertEquals(await kept, 0);
  assertEquals([uring.stats.submitted, uring.stats.completed], [3, 3]);
});

eachKind("an op that waits for room in vain is timed too", {
  entries: 2,
  cqEntries: 2,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const reads = [1, 2].map(() => uring.submit(read(reader, byte())));
  await turn();
  const abort = new Abort();
  const { signal } = abort;
  const error = await reasonOf(uring.submit(nop(), { timeout: 5, signal }));
  assertInstanceOf(error, TimeoutError);
  assertEquals([error.op, error.code], ["nop", "ETIME"]);
  assertEquals([uring.stats.submitted, uring.stats.queued], [2, 0]);
  assertEquals(abort.listeners, 0, "a listener left behind");
  // One that gets there has what is left of its time, and its result.
  const patient = uring.submit(nop(), { timeout: 60_000 });
  const late = reasonOf(uring.submit(read(reader, byte()), { timeout: 50 }));
  writeNow(writer, bytes("ab"));
  assertEquals(await Promise.all(reads), [1, 1]);
  assertEquals(await patient, 0);
  assertInstanceOf(await late, TimeoutError);
});

eachKind("one signal cancels thousands, queued and in flight", {
  entries: 64,
  cqEntries: 64,
}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const abort = new Abort();
  const { signal } = abort;
  const all = Array.from(
    { length: 5000 },
    () => uring.submit(read(reader, byte()), { signal }),
  );
  await turn();
  // The runtime's own listeners cost the more the more there are.
  assertEquals(abort.listeners, 1);
  abort.abort("all");
  const results = await Promise.allSettled(all);
  assertEquals(
    results.filter((result) =>
      result.status === "rejected" && result.reason === "all"
    ).length,
    5000,
  );
  assertEquals(uring.stats.submitted, 64);
  assertEquals(abort.listeners, 0);
});

eachKind(
  "an op that completed is not cancelled any more",
  {},
  async (uring) => {
    const abort = new Abort();
    const { signal } = abort;
    assertEquals(await uring.submit(nop(), { signal }), 0);
    assertEquals(abort.listeners, 0, "listeners left behind");
    const { submitted, enters } = uring.stats;
    abort.abort();
    await sleep(2);
    assertEquals([uring.stats.submitted, uring.stats.enters], [
      submitted,
      enters,
    ]);
    assertEquals(uring.stats.strays, 0);
  },
);

eachKind(
  "however it ends, no listener stays",
  { entries: 2, cqEntries: 2 },
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const abort = new Abort();
    const { signal } = abort;
    const broken = Op.of({
      opcode: 0,
      name: "broken",
      encode: () => {
        throw new Error("broken");
      },
      decode: () => undefined,
    });
    await reasonOf(uring.submit(broken, { signal }));
    assertEquals(abort.listeners, 0, "after an op that could not be encoded");
    await reasonOf(uring.submit(openat("/nope", 0), { signal }));
    assertEquals(abort.listeners, 0, "after a failure");
    await reasonOf(uring.submit(read(reader, byte()), { signal, timeout: 1 }));
    assertEquals(abort.listeners, 0, "after a timeout");
    const all = [1, 2, 3].map(() =>
      uring.submit(read(reader, byte()), { signal })
    );
    await turn();
    abort.abort();
    await Promise.allSettled(all);
    assertEquals(abort.listeners, 0, "after an abort");
  },
);

eachKind(
  "completed or cancelled: what was read is never lost",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    let completed = 0;
    for (let round = 0; round < 300; round++) {
      const controller = new AbortController();
      const { signal } = controller;
      const buffer = byte();
      // Now and then it is there before anybody asks, and even read before anybody cancels: or every
      // cancellation may win.
      const early = round % 10 === 0;
      if (early) writeNow(writer, Uint8Array.of(round));
      const { completed: before } = uring.stats;
      const promise = uring.submit(read(reader, buffer), { signal });
      if (round % 50 === 0) {
        await until(() => uring.stats.completed > before, "it is read");
      }
      if (round % 3 !== 0) await turn();
      if (round % 2 === 0 && !early) writeNow(writer, Uint8Array.of(round));
      controller.abort("stop");
      if (round % 2 !== 0) writeNow(writer, Uint8Array.of(round));
      try {
        assertEquals(await promise, 1);
        assertEquals(buffer[0], round & 0xff);
        completed++;
      } catch (reason) {
        if (reason !== "stop") throw reason;
        // Not read by the op, so it is still there.
        assertEquals(readNow(reader, 2), Uint8Array.of(round));
        assertEquals(buffer[0], 0);
      }
    }
    assertGreater(completed, 0);
    await idle(uring);
    assertEquals(uring.stats.strays, 0);
  },
);

eachKind(
  "an op blocked in one of the kernel's workers is interrupted",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const controller = new AbortController();
    const { signal } = controller;
    const promise = uring.submit(read(reader, byte()), {
      signal,
      flags: IOSQE_ASYNC,
    });
    await sleep(5);
    controller.abort("wake up");
    assertEquals(await reasonOf(promise), "wake up");
  },
);

eachKind(
  "the memory of a cancelled op is the kernel's until it says so",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const controller = new AbortController();
    const { signal } = controller;
    const promise = uring.submit(read(reader, byte()), { signal });
    await turn();
    controller.abort("stop");
    let settled = false;
    const reason = reasonOf(promise).then(() => settled = true);
    await Promise.resolve();
    // The kernel has not been told yet.
    assertEquals(settled, false);
    await reason;
  },
);

// --- timeouts

function assertTimeout(error: unknown, op: string, milliseconds: number) {
  assertInstanceOf(error, TimeoutError);
  assertInstanceOf(error, UringError);
  assert(isSystemError(error));
  assertEquals(
    [error.name, error.code, error.errno, error.op],
    ["TimeoutError", "ETIME", 62, op],
  );
  assertStringIncludes(error.message, `not done after ${milliseconds} ms`);
}

eachKind(
  "timeout: the kernel cancels the op, a TimeoutError says so",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const started = performance.now();
    const promise = uring.submit(read(reader, byte()), { timeout: 20 });
    assertTimeout(await reasonOf(promise), "read", 20);
    assertGreaterOrEqual(performance.now() - started, 19);
    await idle(uring);
  },
);

eachKind("timeout: the error names the path", {}, async (uring) => {
  using directory = new TemporaryDirectory();
  const path = await fifo(directory);
  const options = { timeout: 10, flags: IOSQE_ASYNC };
  const error = await reasonOf(uring.submit(openat(path, 0), options));
  assertTimeout(error, "openat", 10);
  assert(isSystemError(error));
  assertEquals(error.path, path);
  assertStringIncludes(error.message, `openat '${path}': not done after 10 ms`);
});

/** A FIFO: opening it waits for who opens the other end, in one of the kernel's workers. */
async function fifo(directory: TemporaryDirectory): Promise<string> {
  const path = directory.join("fifo");
  const { success } = await new Deno.Command("mkfifo", { args: [path] })
    .output();
  assert(success);
  return path;
}

eachKind(
  "a worker that waits in open(2) is interrupted by a signal",
  {},
  async (uring) => {
    using directory = new TemporaryDirectory();
    const path = await fifo(directory);
    const controller = new AbortController();
    const { signal } = controller;
    const promise = uring.submit(openat(path, 0), {
      signal,
      flags: IOSQE_ASYNC,
    });
    await sleep(5);
    controller.abort("stop");
    assertEquals(await reasonOf(promise), "stop");
  },
);

eachKind("an op that another op interrupts says EINTR", {
  timed: true,
  when: kernelSince(6, 6),
}, async (uring) => {
  using directory = new TemporaryDirectory();
  const path = await fifo(directory);
  let error: unknown;
  for (let patience = 5;; patience *= 2) {
    const opening = reasonOf(
      uring.submit(openat(path, 0), { flags: IOSQE_ASYNC }),
    );
    await sleep(patience);
    // EALREADY: it runs and is told to stop. On a busy machine it may not even have begun.
    await Promise.allSettled([uring.submit(cancelOp(opcodes.openat.code))]);
    error = await opening;
    if (!isSystemError(error) || error.code !== "ECANCELED") break;
  }
  assertInstanceOf(error, Deno.errors.Interrupted);
  assert(isSystemError(error));
  assertEquals([error.code, error.op, error.path], ["EINTR", "openat", path]);
});

eachKind(
  "timeout: ops that begin in a worker have one too",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const [, writer] = fds.pipe();
    const moving = uring.submit(splice(reader, writer, 10), { timeout: 10 });
    assertTimeout(await reasonOf(moving), "splice", 10);
    // Longer than setTimeout goes.
    const stat = uring.submit(statx("/"), { timeout: 2 ** 32 });
    assertEquals((await stat).isDirectory, true);
    const error = await reasonOf(
      uring.submit(statx("/nope"), { timeout: 10_000 }),
    );
    assertInstanceOf(error, Deno.errors.NotFound);
    await idle(uring);
  },
);

eachKind("timeout: a drain that waits counts its time", {
  when: kernelSince(6, 0),
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const reading = uring.submit(read(reader, byte()));
  const drained = uring.submit(timeout(NEVER), {
    flags: IOSQE_IO_DRAIN,
    timeout: 10,
  });
  await sleep(30);
  // It cannot be cancelled before it begins.
  assertEquals(await stateOf(drained), "waiting");
  writeNow(writer, byte());
  assertEquals(await reading, 1);
  assertTimeout(await reasonOf(drained), "timeout", 10);
});

eachKind("timeout: a blocked worker is interrupted", {}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const options = { timeout: 10, flags: IOSQE_ASYNC };
  const error = await reasonOf(uring.submit(read(reader, byte()), options));
  assertTimeout(error, "read", 10);
});

eachKind(
  "timeout: an op that is done in time is none the worse for it",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    assertEquals(await uring.submit(nop(), { timeout: 10_000 }), 0);
    const promise = uring.submit(read(reader, byte()), { timeout: 10_000 });
    await sleep(2);
    writeNow(writer, byte());
    assertEquals(await promise, 1);
    await assertRejects(
      () => uring.submit(openat("/nope", 0), { timeout: 10_000 }),
      Deno.errors.NotFound,
    );
    await idle(uring);
    assertEquals(uring.stats.strays, 0);
  },
);

eachKind(
  "timeout: none at all, fractions, and beyond all patience",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    for (const timeout of [0, 0.25]) {
      const error = await reasonOf(
        uring.submit(read(reader, byte()), { timeout }),
      );
      assertTimeout(error, "read", timeout);
    }
    for (const timeout of [2 ** 32, 1e15]) {
      assertEquals(await uring.submit(nop(), { timeout }), 0);
    }
  },
);

eachKind("timeout: hundreds at once, on a small ring", {
  entries: 8,
  cqEntries: 16,
}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const errors = await Promise.all(
    Array.from(
      { length: 200 },
      (_, index) =>
        reasonOf(
          uring.submit(read(reader, byte()), { timeout: 1 + index % 3 }),
        ),
    ),
  );
  for (const [index, error] of errors.entries()) {
    assertTimeout(error, "read", 1 + index % 3);
  }
});

eachKind(
  "timeout: on the smallest ring there is",
  { entries: 1, cqEntries: 1 },
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const error = await reasonOf(
      uring.submit(read(reader, byte()), { timeout: 5 }),
    );
    assertTimeout(error, "read", 5);
    const promise = uring.submit(read(reader, byte()), { timeout: 10_000 });
    writeNow(writer, byte());
    assertEquals(await promise, 1);
  },
);

eachKind("timeout: an op cancelled by another op has not timed out", {
  when: kernelSince(5, 19),
}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const promise = uring.submit(read(reader, byte()), { timeout: 60_000 });
  await turn();
  const reason = reasonOf(promise);
  await uring.submit(cancelFd(reader));
  const error = await reason;
  assert(isSystemError(error));
  assertEquals(error.code, "ECANCELED");
});

eachKind("a signal and a timeout: what comes first wins", {}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const controller = new AbortController();
  const { signal } = controller;
  const both = (timeout: number) =>
    uring.submit(read(reader, byte()), { signal, timeout });
  assertTimeout(await reasonOf(both(5)), "read", 5);
  const promise = both(60_000);
  await turn();
  controller.abort("first");
  assertEquals(await reasonOf(promise), "first");
  await idle(uring);
});

// --- drains

eachKind(
  "cancelling behind a drain",
  { when: kernelSince(6, 0) },
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const controller = new AbortController();
    const { signal } = controller;
    const reading = uring.submit(read(reader, byte()), { signal });
    const drained = uring.submit(nop(), { flags: IOSQE_IO_DRAIN });
    await turn();
    controller.abort("stop");
    assertEquals(await reasonOf(reading), "stop");
    assertEquals(await drained, 0);
  },
);

eachKind(
  "closing with a drain that waits",
  { when: kernelSince(6, 0) },
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const reading = reasonOf(uring.submit(read(reader, byte())));
    const drained = uring.submit(timeout(NEVER), { flags: IOSQE_IO_DRAIN });
    const last = reasonOf(drained);
    await turn();
    await uring.close();
    for (const error of [await reading, await last]) {
      assert(isSystemError(error));
      assertEquals(error.code, "ECANCELED");
    }
  },
);
