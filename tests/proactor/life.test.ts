/** How a `Uring` ends, and whether it keeps the process alive. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { isSystemError } from "../../ffi/mod.ts";
import {
  nop,
  type Op,
  opcodes,
  pollMultishot,
  read,
  statx,
  timeout,
  write,
} from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { pattern, TemporaryDirectory } from "../support/files.ts";
import { Fds, kernelSince, openFiles, writeNow } from "../support/sockets.ts";
import { bytes, eachKind, kinds, sleep, turn, until } from "./support.ts";

const NEVER = 1e9;
const byte = () => new Uint8Array(1);

/** What an op rejects with when its `Uring` is closed. */
async function assertClosed(promise: Promise<unknown>, op: string) {
  const error: unknown = await promise.then(
    (value) => `It gave ${value}.`,
    (error) => error,
  );
  assert(isSystemError(error), String(error));
  assertEquals([error.code, error.op], ["ECANCELED", op]);
  assert(error.message.endsWith("The Uring was closed."), error.message);
}

// --- close

eachKind("close twice, at once and afterwards", {}, async (uring) => {
  const first = uring.close();
  assertStrictEquals(uring.close(), first);
  await first;
  await uring.close();
  await uring[Symbol.asyncDispose]();
  assert(uring.ring.closed);
});

eachKind(
  "who closes listens no more, and keeps what cancelled an op before",
  {},
  async (
    uring,
  ) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const controller = new AbortController();
    const { signal } = controller;
    uring.onMessage = () => {};
    const reading = uring.submit(read(reader, byte()), { signal });
    await turn();
    controller.abort("mine");
    const closing = uring.close();
    assertEquals(uring.onMessage, undefined);
    uring.onMessage = () => {};
    assertEquals(uring.onMessage, undefined, "it listens again");
    assertEquals(await reading.catch((reason) => reason), "mine");
    await closing;
  },
);

eachKind(
  "close cancels what is in flight, and waits for it",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const ops: Op<unknown>[] = [
      read(reader, byte()),
      timeout(NEVER),
      timeout(NEVER),
    ];
    const promises = ops.map((op) => assertClosed(uring.submit(op), op.name));
    await turn();
    const before = uring.stats.completed;
    await uring.close();
    assertEquals(uring.stats.inFlight, 0);
    assertEquals(uring.stats.completed - before, 3);
    await Promise.all(promises);
  },
);

eachKind("close in the turn of the submission", {}, async (uring) => {
  const [first, second, third] = await Promise.allSettled([
    uring.submit(nop()),
    uring.submit(timeout(NEVER)),
    uring.close(),
  ]);
  // It was on its way, so it happened.
  assertEquals(first, { status: "fulfilled", value: 0 });
  assertEquals(second?.status, "rejected");
  assertEquals(third?.status, "fulfilled");
});

eachKind("close with queued ops, chains and signals", {
  entries: 4,
  cqEntries: 4,
}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const controller = new AbortController();
  const { signal } = controller;
  const promises = [
    ...Array.from(
      { length: 10 },
      () => assertClosed(uring.submit(read(reader, byte())), "read"),
    ),
    assertClosed(uring.submit(timeout(NEVER), { signal }), "timeout"),
    assertClosed(uring.submit(nop(), { timeout: 1000 }), "nop"),
    assertClosed(uring.chain(nop(), nop()), "nop"),
  ];
  await turn();
  assertGreater(uring.stats.queued, 0);
  await uring.close();
  assertEquals([uring.stats.queued, uring.stats.inFlight], [0, 0]);
  await Promise.all(promises);
  controller.abort();
});

eachKind("close with a chain on its way", {}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const chains = [false, true].map((hard) =>
    assertClosed(
      uring.link([read(reader, byte()), nop(), timeout(NEVER)], { hard }),
      "read",
    )
  );
  await turn();
  await uring.close();
  await Promise.all(chains);
});

eachKind("close waits for what cannot be cancelled", {}, async (uring) => {
  using directory = new TemporaryDirectory();
  const path = directory.join("big");
  using file = Deno.openSync(path, { create: true, write: true });
  file.truncateSync(0);
  const fd = Number(
    [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name).find(
      (name) => {
        try {
          return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) return false;
          throw error;
        }
      },
    ),
  );
  const data = pattern(1 << 20);
  const writes = Promise.allSettled(
    Array.from(
      { length: 8 },
      (_, index) => uring.submit(write(fd, data, { offset: index << 20 })),
    ),
  );
  await uring.close();
  for (const [index, result] of (await writes).entries()) {
    // Done or cancelled, each of them is over.
    if (result.status === "rejected") continue;
    assertEquals(result.value, 1 << 20);
    const back = Deno.readFileSync(path).subarray(
      index << 20,
      (index + 1) << 20,
    );
    assertEquals(back, data);
  }
});

eachKind("close from the callbacks of an op", {}, async (uring) => {
  const other = uring.submit(timeout(NEVER));
  const closing = uring.submit(timeout(1)).then(() => uring.close());
  await assertClosed(other, "timeout");
  await closing;
});

eachKind("close from a message, and from a signal's listener", {
  when: opcodes.msgRing.supported(),
}, async (uring) => {
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = uring.submit(timeout(NEVER), { signal });
  let closed: Promise<void> | undefined;
  signal.addEventListener("abort", () => closed = uring.close());
  uring.onMessage = () => controller.abort("by a message");
  await uring.post(uring.ring.fd, 1);
  assertEquals(await waiting.catch((reason) => reason), "by a message");
  await closed;
});

eachKind("close while others fail and close as well", {}, async (uring) => {
  const all = Array.from({ length: 20 }, async (_, index) => {
    try {
      if (index % 2 === 0) await uring.submit(statx("/nope"));
      else await uring.submit(timeout(index));
    } finally {
      await uring.close();
    }
  });
  for (const result of await Promise.allSettled(all)) {
    if (result.status === "rejected") assert(isSystemError(result.reason));
  }
});

eachKind("a signal aborted after close changes nothing", {}, async (uring) => {
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = uring.submit(timeout(NEVER), { signal });
  await turn();
  const closing = uring.close();
  controller.abort("late");
  const error: unknown = await waiting.catch((error) => error);
  assert(error === "late" || isSystemError(error));
  await closing;
  controller.abort("later");
});

for (const kind of kinds) {
  Deno.test({
    name: `hundreds are made and closed, no file stays open [${kind.name}]`,
    ignore: !kind.supported,
    async fn() {
      using fds = new Fds();
      const [reader] = fds.pipe();
      const before = openFiles();
      const rounds = kind.name === "sqpoll" ? 20 : 200;
      for (let round = 0; round < rounds; round++) {
        const uring = new Uring({ ...kind.options, spin: 0 });
        const waiting = uring.submit(read(reader, byte()));
        if (round % 2 === 0) await turn();
        if (round % 4 === 0) await sleep(1);
        const settled = assertClosed(waiting, "read");
        await uring.close();
        await settled;
      }
      await until(() => openFiles() === before, "closed files");
    },
  });
}

Deno.test({
  name: "a forgotten Uring is closed by a finalizer",
  ignore: typeof (globalThis as { gc?: unknown }).gc !== "function",
  async fn() {
    const { gc } = globalThis as unknown as { gc(): void };
    const before = openFiles();
    const use = async (options = {}) => {
      const uring = new Uring(options);
      await uring.submit(timeout(1));
      await uring.submit(nop());
    };
    for (let round = 0; round < 5; round++) {
      await use();
      await use({ spin: 0 });
      await use({ spin: 0, wake: "ring" });
    }
    assertGreater(openFiles(), before);
    await until(() => {
      gc();
      return openFiles() <= before;
    }, "all collected and closed");
  },
});

Deno.test({
  name: "a Uring with an op in flight is not collected",
  ignore: typeof (globalThis as { gc?: unknown }).gc !== "function",
  async fn() {
    const { gc } = globalThis as unknown as { gc(): void };
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const begin = () => new Uring({ spin: 0 }).submit(read(reader, byte()));
    const reading = begin();
    for (let round = 0; round < 10; round++) {
      gc();
      await sleep(1);
    }
    writeNow(writer, bytes("x"));
    assertEquals(await reading, 1);
    const left = openFiles();
    await until(() => {
      gc();
      return openFiles() < left;
    }, "closed by its finalizer");
  },
});

// --- the process

const prelude = `
import { Uring } from "${import.meta.resolve("../../proactor/mod.ts")}";
import * as ops from "${import.meta.resolve("../../ops/mod.ts")}";
import { pipePair } from "${import.meta.resolve("../../ffi/mod.ts")}";
const options = JSON.parse(Deno.args[0]);
const uring = new Uring(options);
const [reader, writer] = pipePair();
// Never: the end to write to is open.
const never = () => uring.submit(ops.pollAdd(reader, 1));
`;

/** Runs a script with a \`Uring\` in a process of its own, which must come to an end. */
async function runScript(script: string, options: unknown) {
  const directory = await Deno.makeTempDir({ prefix: "uring-test-" });
  try {
    const path = `${directory}/script.ts`;
    await Deno.writeTextFile(path, prelude + script);
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "--allow-all",
        path,
        JSON.stringify(options),
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const killer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const { code, signal, stdout, stderr } = await child.output();
    clearTimeout(killer);
    const decoder = new TextDecoder();
    const said = decoder.decode(stdout).trim();
    return { code, signal, said, complained: decoder.decode(stderr).trim() };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A script, what it says, and with which status it ends. */
interface Ending {
  script: string;
  says: string;
  code?: number;
  when?: boolean;
}

const endings: Record<string, Ending> = {
  "nothing in flight: it ends": {
    script: `await uring.submit(ops.nop()); console.log("end of module");`,
    says: "end of module",
  },
  "an op in flight keeps it alive": {
    script: `uring.submit(ops.timeout(100)).then(() => console.log("done"));`,
    says: "done",
  },
  "unref lets it go": {
    script: `uring.unref(); never(); console.log("end of module");`,
    says: "end of module",
  },
  "unref while it sleeps lets it go": {
    script:
      `never(); setTimeout(() => { uring.unref(); console.log("unref"); }, 50);`,
    says: "unref",
  },
  "ref takes it back": {
    script: `
      uring.unref();
      uring.submit(ops.timeout(100)).then(() => console.log("done"));
      uring.ref();`,
    says: "done",
  },
  "ref a turn later takes it back": {
    script: `
      uring.unref();
      uring.submit(ops.timeout(100)).then(() => console.log("done"));
      queueMicrotask(() => queueMicrotask(() => uring.ref()));`,
    says: "done",
  },
  "ref while it sleeps takes it back": {
    script: `
      uring.unref();
      uring.submit(ops.timeout(200)).then(() => console.log("done"));
      setTimeout(() => uring.ref(), 50);`,
    says: "done",
  },
  "unref'd, it goes on while others keep the process alive": {
    script: `
      uring.unref();
      setTimeout(() => console.log("timer"), 300);
      uring.submit(ops.timeout(20)).then(() => console.log("done"));`,
    says: "done\ntimer",
  },
  "a listener keeps it alive": {
    script: `
      uring.onMessage = () => { console.log("message"); uring.onMessage = undefined; };
      const other = new Uring();
      setTimeout(() => other.post(uring.ring.fd, 1), 50);`,
    says: "message",
    when: opcodes.msgRing.supported(),
  },
  "an unref'd listener does not": {
    script: `
      uring.unref();
      uring.onMessage = () => console.log("message");
      console.log("end of module");`,
    says: "end of module",
  },
  "a listener that is taken away lets it go": {
    script: `
      uring.onMessage = () => console.log("message");
      setTimeout(() => uring.onMessage = undefined, 50);`,
    says: "",
  },
  "a stream keeps it alive until it is left": {
    script: `
      let ticks = 0;
      for await (const _ of uring.stream(ops.timeoutMultishot(10))) {
        if (++ticks === 3) break;
      }
      console.log(ticks);`,
    says: "3",
    when: kernelSince(6, 4),
  },
  "a stream that waits for buffers keeps it alive": {
    script: `
      using buffers = uring.ring.setupBufRing({ entries: 2, group: 1, bufferSize: 4 });
      const pipes = pipePair();
      Deno.writeFileSync("/proc/self/fd/" + pipes[1], new Uint8Array(12));
      const stream = uring.stream(ops.readMultishot(pipes[0], { bufferGroup: 1 }));
      const ids = [(await stream.next()).value, (await stream.next()).value];
      // Nobody but the stream waits now.
      setTimeout(() => { buffers.add(ids[0].bufferId); buffers.advance(); }, 100);
      console.log((await stream.next()).value.length);
      await stream.return();`,
    says: "4",
    when: opcodes.readMultishot.supported(),
  },
  "an unref'd stream that waits for buffers does not": {
    script: `
      const buffers = uring.ring.setupBufRing({ entries: 1, group: 1, bufferSize: 4 });
      const pipes = pipePair();
      Deno.writeFileSync("/proc/self/fd/" + pipes[1], new Uint8Array(12));
      const stream = uring.stream(ops.readMultishot(pipes[0], { bufferGroup: 1 }));
      await stream.next();
      uring.unref();
      stream.next().then(() => console.log("more"));
      console.log("end of module");`,
    says: "end of module",
    when: opcodes.readMultishot.supported(),
  },
  "a timeout over a chain does not keep an unref'd one alive": {
    script: `
      uring.unref();
      uring.link([ops.timeout(1e9), ops.nop()], { timeout: 1e6 }).catch(() => {});
      uring.submit(ops.statx("/"), { timeout: 1e6 });
      uring.submit(ops.splice(reader, writer, 1), { timeout: 1e6 }).catch(() => {});
      console.log("end of module");`,
    says: "end of module",
  },
  "Deno.exit with ops in flight": {
    script: `
      for (let i = 0; i < 100; i++) never();
      uring.submit(ops.read(0, new Uint8Array(1)), { flags: 1 << 4 });
      setTimeout(() => { console.log("exit"); Deno.exit(7); }, 30);`,
    says: "exit",
    code: 7,
  },
  "an uncaught error with ops in flight": {
    script: `
      for (let i = 0; i < 100; i++) never();
      setTimeout(() => { throw new Error("the program's own"); }, 30);`,
    says: "",
    code: 1,
  },
  "closed, with a doorbell: it ends": {
    script: `
      const waiting = never().catch((error) => error.code);
      await uring.submit(ops.timeout(30));
      await uring.close();
      console.log(await waiting);`,
    says: "ECANCELED",
  },
};

for (
  const [name, { script, says, code = 0, when = true }] of Object.entries(
    endings,
  )
) {
  for (const wake of ["handle", "ring"]) {
    Deno.test({
      name: `process: ${name} [${wake}]`,
      ignore: !when,
      async fn() {
        const ended = await runScript(script, { wake });
        assertEquals(
          { code: ended.code, signal: ended.signal, said: ended.said },
          { code, signal: null, said: says },
          ended.complained,
        );
      },
    });
  }
}

for (const kind of kinds) {
  Deno.test({
    name:
      `process: exits with reads, polls and timers in flight [${kind.name}]`,
    ignore: !kind.supported,
    async fn() {
      const script = `
        uring.unref();
        for (let i = 0; i < 50; i++) {
          never();
          uring.submit(ops.read(reader, new Uint8Array(4096)));
          uring.submit(ops.timeout(1e9));
          uring.submit(ops.read(0, new Uint8Array(1)), { flags: 1 << 4 });
        }
        setTimeout(() => console.log("end"), 20);`;
      const started = performance.now();
      const { code, said, signal } = await runScript(script, kind.options);
      assertEquals({ code, said, signal }, {
        code: 0,
        said: "end",
        signal: null,
      });
      assertLess(performance.now() - started, 15_000);
    },
  });
}

eachKind("ref and unref change nothing for who awaits", {}, async (uring) => {
  uring.unref();
  const first = uring.submit(timeout(5));
  uring.ref();
  await first;
  uring.unref();
  // Somebody else has to keep the process alive, however long a busy machine takes.
  const alive = setInterval(() => {}, 1000);
  try {
    await uring.submit(timeout(5));
  } finally {
    clearInterval(alive);
  }
  uring.ref();
  const stream = uring.stream(pollMultishot(999_999, 1));
  await assertRejects(() => stream.next());
});
