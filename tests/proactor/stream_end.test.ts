/** How streams end: the loop is left, a signal aborts, the `Uring` closes; what nobody took is undone. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { isSystemError, POLLIN } from "../../ffi/mod.ts";
import {
  acceptMultishot,
  cancelFd,
  pollMultishot,
  read,
  timeoutMultishot,
} from "../../ops/mod.ts";
import { Fds, writeNow } from "../support/sockets.ts";
import { bytes, eachKind, idle, sleep, turn } from "./support.ts";
import {
  acceptsMany,
  areClosed,
  closeAll,
  connect,
  pollsMany,
  timesMany,
} from "./multishots.ts";

// --- undone: what nobody took

eachKind("return() closes accepted sockets that nobody took", {
  when: acceptsMany,
}, async (uring) => {
  using fds = new Fds();
  const listener = fds.listener();
  const clients = connect(fds, listener, 4);
  const stream = uring.stream(acceptMultishot(listener));
  const { value } = await stream.next();
  await sleep(20);
  await stream.return?.();
  closeAll([value as number]);
  fds.close(listener);
  await areClosed(clients);
});

eachKind("a signal ends it with its reason, and closes what nobody took", {
  when: acceptsMany,
}, async (uring) => {
  using fds = new Fds();
  const listener = fds.listener();
  const clients = connect(fds, listener, 4);
  const controller = new AbortController();
  const { signal } = controller;
  const stream = uring.stream(acceptMultishot(listener), { signal });
  const { value } = await stream.next();
  await sleep(20);
  const reason = new Error("shutting down");
  controller.abort(reason);
  await idle(uring);
  assertStrictEquals(await assertRejects(() => stream.next()), reason);
  assertEquals(await stream.next(), { done: true, value: undefined });
  closeAll([value as number]);
  fds.close(listener);
  await areClosed(clients);
});

eachKind("what is accepted while it is being cancelled is closed", {
  when: acceptsMany,
}, async (uring) => {
  using fds = new Fds();
  for (let round = 0; round < 20; round++) {
    const listener = fds.listener();
    const controller = new AbortController();
    const { signal } = controller;
    const stream = uring.stream(acceptMultishot(listener), { signal });
    const next = stream.next();
    await turn();
    const [client] = connect(fds, listener, 1);
    controller.abort("now");
    let taken: number | undefined;
    try {
      taken = (await next).value;
    } catch (reason) {
      assertEquals(reason, "now");
    }
    await idle(uring);
    if (taken !== undefined) closeAll([taken]);
    // Either it was accepted and closed, or it is still in the backlog.
    fds.close(listener);
    await areClosed([client as number]);
  }
});

eachKind(
  "a signal while somebody waits",
  { when: pollsMany },
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const controller = new AbortController();
    const { signal } = controller;
    const stream = uring.stream(pollMultishot(reader, POLLIN), { signal });
    const waiting = [stream.next(), stream.next()].map((promise) =>
      promise.then(({ done }) => done, (reason) => reason)
    );
    await turn();
    controller.abort("stop");
    assertEquals(await Promise.all(waiting), ["stop", true]);
  },
);

eachKind(
  "a signal that is aborted already",
  { when: pollsMany },
  async (uring) => {
    const signal = AbortSignal.abort("before");
    const stream = uring.stream(pollMultishot(0, POLLIN), { signal });
    assertEquals(await stream.next().catch((reason) => reason), "before");
    assertEquals(await stream.next(), { done: true, value: undefined });
    assertEquals(uring.stats.submitted, 0);
  },
);

// --- queues and closing

eachKind("a stream that waits for room can be left", {
  when: pollsMany,
  entries: 2,
  cqEntries: 2,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const blockers = [1, 2].map(() =>
    uring.submit(read(reader, new Uint8Array(1)))
  );
  const stream = uring.stream(pollMultishot(reader, POLLIN));
  const next = stream.next();
  await turn();
  assertEquals(uring.stats.queued, 1);
  await stream.return?.();
  assertEquals(uring.stats.queued, 0);
  assertEquals(await next, { done: true, value: undefined });
  writeNow(writer, bytes("ab"));
  await Promise.all(blockers);
  assertEquals(uring.stats.submitted, 2);
});

eachKind(
  "close() with streams open: in flight, queued, with results, not begun",
  {
    when: acceptsMany,
    cqEntries: 4,
    entries: 4,
  },
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const listener = fds.listener();
    const clients = connect(fds, listener, 3);
    const accepting = uring.stream(acceptMultishot(listener));
    const { value } = await accepting.next();
    await sleep(20);
    const polls = Array.from(
      { length: 5 },
      () => uring.stream(pollMultishot(reader, POLLIN)),
    );
    const waiting = polls.map((stream) =>
      stream.next().catch((error) => error)
    );
    const idle = uring.stream(pollMultishot(reader, POLLIN));
    await turn();
    assertGreater(uring.stats.queued, 0);
    await uring.close();
    for (
      const error of [
        ...await Promise.all(waiting),
        await idle.next().catch((error) => error),
      ]
    ) {
      assert(isSystemError(error));
      assertEquals(error.code, "ECANCELED");
    }
    await assertRejects(() => accepting.next(), Error, "The Uring was closed");
    for (const stream of [accepting, idle, ...polls]) {
      assertEquals(await stream.next(), { done: true, value: undefined });
      assertEquals(await stream.return?.(), { done: true, value: undefined });
    }
    closeAll([value as number]);
    await areClosed(clients);
  },
);

eachKind("close() from within the loop", { when: timesMany }, async (uring) => {
  let ticks = 0;
  await assertRejects(
    async () => {
      for await (const _ of uring.stream(timeoutMultishot(1))) {
        if (++ticks === 3) await uring.close();
      }
    },
    Error,
    "The Uring was closed",
  );
  assertEquals(ticks, 3);
});

eachKind(
  "leaving the loop after close()",
  { when: acceptsMany },
  async (uring) => {
    using fds = new Fds();
    const listener = fds.listener();
    const clients = connect(fds, listener, 3);
    for await (const fd of uring.stream(acceptMultishot(listener))) {
      await sleep(20);
      await uring.close();
      closeAll([fd]);
      break;
    }
    await areClosed(clients);
  },
);

eachKind(
  "what failed before close() is undone by it",
  { when: acceptsMany },
  async (uring) => {
    using fds = new Fds();
    const listener = fds.listener();
    const clients = connect(fds, listener, 3);
    const stream = uring.stream(acceptMultishot(listener));
    closeAll([(await stream.next()).value as number]);
    await sleep(20);
    await uring.submit(cancelFd(listener));
    await sleep(20);
    await uring.close();
    await stream.return?.();
    await areClosed(clients);
  },
);
