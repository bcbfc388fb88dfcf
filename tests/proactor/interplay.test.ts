/** What is done to the ring of a `Uring` while it runs, and how its ops are linked. */

import { assert, assertEquals } from "@std/assert";
import {
  IORING_REGISTER_CLONE_BUFFERS,
  IORING_REGISTER_RESIZE_RINGS,
} from "../../ffi/mod.ts";
import {
  linkTimeout,
  nop,
  opcodes,
  read,
  readFixed,
  recv,
  write,
} from "../../ops/mod.ts";
import { BufferPool, type ChainError, Uring } from "../../proactor/mod.ts";
import { hasRegister } from "../kernel/registration/support.ts";
import { Fds, sendNow, writeNow } from "../support/sockets.ts";
import { eachKind, until } from "./support.ts";

eachKind("a ring that is resized while it sleeps wakes all the same", {
  when: hasRegister(IORING_REGISTER_RESIZE_RINGS),
  only: ["best", "syscall"],
  entries: 8,
  cqEntries: 16,
}, async (uring) => {
  using fds = new Fds();
  const pairs = Array.from({ length: 6 }, () => fds.pair());
  const receives = pairs.map(([here]) =>
    uring.submit(recv(here, new Uint8Array(8)))
  );
  const sizes = [{ entries: 64, cqEntries: 256 }, { entries: 4, cqEntries: 8 }];
  for (const [half, size] of sizes.entries()) {
    await until(() => uring.stats.sleeps > half, "it sleeps");
    uring.ring.resize(size);
    for (const [, there] of pairs.slice(3 * half, 3 * half + 3)) {
      sendNow(there, "text");
    }
    const woken = receives.slice(3 * half, 3 * half + 3);
    assertEquals(await Promise.all(woken), [4, 4, 4]);
  }
  // More than either queue holds by now.
  const nops = Array.from({ length: 100 }, () => uring.submit(nop()));
  assertEquals(await Promise.all(nops), Array(100).fill(0));
});

eachKind("messages beyond the room for them come in order", {
  when: opcodes.msgRing.supported(),
  entries: 2,
  cqEntries: 2,
}, async (uring) => {
  await using other = new Uring();
  const seen: number[] = [];
  uring.onMessage = (_value, data) => seen.push(data);
  const sent = Array.from({ length: 500 }, (_, at) => at);
  await Promise.all(sent.map((at) => other.post(uring.ring.fd, 0, at)));
  await until(() => seen.length === sent.length, "all have come");
  assertEquals(seen, sent);
  assertEquals(await uring.submit(nop()), 0);
  uring.onMessage = undefined;
});

eachKind("a pool's buffers are another ring's too, and outlive it there", {
  when: hasRegister(IORING_REGISTER_CLONE_BUFFERS),
}, async (uring) => {
  await using other = new Uring();
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const pool = new BufferPool(uring, { count: 2, size: 4096 });
  other.ring.buffers.cloneFrom(uring.ring);
  const lease = await pool.lease();
  const part = lease.bytes.subarray(8, 12);
  const reading = other.submit(readFixed(reader, part, lease.index));
  await until(() => other.ring.sq.ready === 0, "it is with the kernel");
  pool.close();
  writeNow(writer, Uint8Array.of(1, 2, 3, 4));
  assertEquals(await reading, 4);
  assertEquals([...part], [1, 2, 3, 4]);
  lease.release();
});

eachKind("a time within a chain is for the op before it", {}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const never = read(reader, new Uint8Array(1));
  const short = linkTimeout(1);
  const long = linkTimeout(60_000);
  const one = nop();
  const outcome = async (...ops: Parameters<typeof uring.chain>) => {
    try {
      return await uring.chain(...ops);
    } catch (error) {
      const { position, results } = error as ChainError;
      const codes = results.map((result) =>
        result.status === "fulfilled" ? result.value : result.reason.code
      );
      return [position, ...codes];
    }
  };
  assertEquals(await outcome(one, long, one), [0, false, 0]);
  assertEquals(await outcome(one, long, one, long), [0, false, 0, false]);
  const cancelled = "ECANCELED";
  assertEquals(await outcome(never, short), [0, cancelled, true]);
  assertEquals(await outcome(never, short, one), [
    0,
    cancelled,
    true,
    cancelled,
  ]);
  assertEquals(await outcome(one, never, short), [1, 0, cancelled, true]);
  assertEquals(await outcome(short, one), [0, "EINVAL", cancelled]);
  await uring.submit(write(writer, Uint8Array.of(1)));
  assertEquals(await outcome(never, long), [1, false]);
  assert(uring.stats.strays === 0);
});
