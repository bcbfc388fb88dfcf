/** What nobody closes, and nobody holds any more. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { O_RDONLY } from "../../ffi/mod.ts";
import {
  nop,
  Op,
  opcodes,
  read,
  timeout,
  timeoutMultishot,
  write,
} from "../../ops/mod.ts";
import {
  BufferPool,
  BufferRing,
  FixedFiles,
  Uring,
  type Wake,
} from "../../proactor/mod.ts";
import { Ring } from "../../ring/mod.ts";
import { linux } from "../kernel/registration/support.ts";
import { assertNoLeak, census } from "../support/census.ts";
import { Fds, writeNow } from "../support/sockets.ts";
import { turn, until } from "./support.ts";
import {
  collect,
  collected,
  gc,
  noRings,
  PATIENCE,
  ringsOpen,
} from "./torture.ts";

/** Whoever listens to it for longer than needed is held by it. */
const { signal: NEVER } = new AbortController();

/** Makes something that nobody closes. */
async function forget(what: "ring" | "uring" | "all", wake: "handle" | "ring") {
  if (what === "ring") {
    new Ring({ entries: 8 }).sqe();
    return;
  }
  const uring = new Uring({ wake });
  await uring.submit(nop(), { signal: NEVER, timeout: 60_000 });
  if (what === "uring") return;
  // Until it has slept, so that it has a doorbell.
  while (uring.stats.sleeps === 0) await uring.submit(timeout(2));
  const pool = new BufferPool(uring, { count: 2, size: 4096 });
  const lease = await pool.lease();
  await uring.submit(write(1, lease.bytes.subarray(0, 0)));
  if (linux("5.19")) {
    new BufferRing(uring, { entries: 2, bufferSize: 64 });
    await new FixedFiles(uring, { slots: 2 }).open("/proc/version", O_RDONLY);
  }
  if (linux("6.4")) {
    const ticks = uring.stream(timeoutMultishot(1), { signal: NEVER });
    await ticks.next();
    await ticks.return?.();
  }
  await uring.link([nop(), nop()], { signal: NEVER, timeout: 60_000 });
}

for (const what of ["ring", "uring", "all"] as const) {
  for (const wake of ["handle", "ring"] as const) {
    if (what !== "all" && wake === "ring") continue;
    Deno.test({
      name: `what is forgotten is closed by its finalizer: ${what}, ${wake}`,
      ignore: collect === undefined,
      async fn() {
        // What is loaded once, and stays, is loaded now.
        await forget(what, wake);
        await collected(noRings);
        const before = census();
        for (let count = 0; count < 20; count++) await forget(what, wake);
        assertGreater(ringsOpen(), 0, "nothing was left to be closed");
        await collected(() => assertNoLeak(before));
      },
    });

    Deno.test({
      name: `one collection is enough for it: ${what}, ${wake}`,
      ignore: collect === undefined,
      async fn() {
        for (let count = 0; count < 20; count++) await forget(what, wake);
        await turn();
        gc();
        // A stale register may hold the last one.
        await until(() => ringsOpen() <= 2, "the rings are closed");
        await collected(noRings);
      },
    });
  }
}

Deno.test({
  name: "what an op was given, and what it gave, is nobody's when it is over",
  ignore: collect === undefined,
  async fn() {
    await using uring = new Uring();
    const alive: WeakRef<object>[] = [];
    const held = Op.of<object, Uint8Array>({
      opcode: opcodes.nop.code,
      name: "held",
      encode: () => {
        const bytes = new Uint8Array(8);
        alive.push(new WeakRef(bytes));
        return bytes;
      },
      decode: () => {
        const result = {};
        alive.push(new WeakRef(result));
        return result;
      },
    });
    await uring.submit(held);
    await Promise.all([uring.submit(held, {}), uring.submit(held, {})]);
    assertEquals(alive.length, 6);
    await collected(() => {
      const left = alive.filter((reference) => reference.deref()).length;
      assertEquals(left, 0, "something is held on to");
    });
  },
});

Deno.test({
  name: "a bell is taken down once, by who closes or by the finalizer",
  ignore: collect === undefined,
  async fn() {
    let closed = 0;
    const wake = (): Wake => ({
      kind: "ring",
      arm() {},
      disarm() {},
      keepAlive() {},
      close: () => void closed++,
    });
    const made: WeakRef<Uring>[] = [];
    const work = async (closes: boolean) => {
      using fds = new Fds();
      const [reader, writer] = fds.pipe();
      const uring = new Uring({ wake, spin: 0 });
      made.push(new WeakRef(uring));
      let over = false;
      uring.submit(read(reader, new Uint8Array(1))).then(() => over = true);
      await until(() => uring.stats.sleeps > 0, "it sleeps");
      writeNow(writer, new Uint8Array(1));
      // This bell wakes nobody.
      while (!over) await uring.submit(nop()).then(turn);
      if (closes) await uring.close();
    };
    await work(true);
    await work(false);
    await collected(() => {
      assertEquals(made.map((uring) => uring.deref()), [undefined, undefined]);
      assertEquals(closed, 2);
    });
    for (let more = 0; more < 5; more++) {
      await turn();
      gc();
    }
    assertEquals(closed, 2);
    await collected(noRings);
  },
});

/** Runs a script to its end, in a process of its own; gives what it prints. */
async function run(script: string): Promise<string> {
  const module = new URL("../../mod.ts", import.meta.url).href;
  const text = `import { ops, Uring } from ${JSON.stringify(module)};
    ${script}`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--no-check",
      "--v8-flags=--expose-gc",
      `data:application/typescript,${encodeURIComponent(text)}`,
    ],
    cwd: new URL("../../", import.meta.url),
    stdout: "piped",
    stderr: "piped",
    // A process that is kept alive ends by this, and fails the test.
    signal: AbortSignal.timeout(1000 * PATIENCE),
  }).spawn();
  const { success, stdout, stderr } = await child.output();
  assert(success, `it was kept alive, or failed: ${decode(stderr)}`);
  return decode(stdout);
}

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

for (const wake of ["handle", "ring"]) {
  Deno.test(`a forgotten Uring lets the process end: ${wake}`, async () => {
    const printed = await run(`
      const work = async () => {
        const uring = new Uring({ wake: "${wake}" });
        await uring.submit(ops.nop());
        // Until it has slept: to load what wakes it takes a while, the first time.
        while (uring.stats.sleeps === 0) await uring.submit(ops.timeout(20));
      };
      await work();
      gc();
      setTimeout(() => { gc(); console.log("end"); }, 10);
    `);
    assertEquals(printed, "end\n");
  });

  Deno.test(`so does one that was told to, with ops in flight: ${wake}`, async () => {
    const printed = await run(`
      const uring = new Uring({ wake: "${wake}" });
      uring.submit(ops.timeout(3_600_000)).catch(() => {});
      setTimeout(() => { uring.unref(); console.log("end"); }, 20);
    `);
    assertEquals(printed, "end\n");
  });
}
