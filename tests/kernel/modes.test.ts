import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import { Memory, O_RDONLY } from "../../ffi/mod.ts";
import {
  fixedFile,
  nop,
  opcodes,
  prepNop,
  prepPollAdd,
  prepRead,
  read,
  readFixed,
  run,
} from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { isSilent } from "../../ring/options.ts";
import { Ring, type RingOptions } from "../../ring/mod.ts";
import { drop, onDisk } from "../support/disk.ts";
import { open, pattern, TemporaryDirectory } from "../support/files.ts";
import { canMake } from "../support/setup.ts";
import { openFiles } from "../support/sockets.ts";

const noDisk = !onDisk();
// Before Linux 5.12 they belong to the kernel, and are not among the threads of a process.
const noThreads = !hasFeature(abi.IORING_FEAT_NATIVE_WORKERS);
const noSqPoll = !canMake(abi.IORING_SETUP_SQPOLL);
const noResize = !opcodes.readvFixed.supported();
const noLimits = !hasFeature(abi.IORING_FEAT_CQE_SKIP);
const noIoPoll = !canMake(abi.IORING_SETUP_IOPOLL);
const noHybrid = !canMake(
  abi.IORING_SETUP_IOPOLL | abi.IORING_SETUP_HYBRID_IOPOLL,
);

function hasFeature(feature: number): boolean {
  using ring = new Ring(2);
  return (ring.features & feature) !== 0;
}

/** The threads that the kernel made for rings of this process, by id, with their kinds. */
function kernelThreads(): Map<string, string> {
  const threads = [...Deno.readDirSync("/proc/self/task")].map(({ name }) => {
    try {
      const comm = Deno.readTextFileSync(`/proc/self/task/${name}/comm`);
      return [name, comm.slice(0, 7)] as const;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [name, ""] as const; // it ended
      throw error;
    }
  });
  return new Map(threads.filter(([, kind]) => kind.startsWith("iou-")));
}

/** The kinds of those that came since: threads of rings that were closed may go only now. */
function threadsSince(before: Map<string, string>): string[] {
  const threads = [...kernelThreads()];
  return threads.filter(([id]) => !before.has(id)).map(([, kind]) => kind);
}

/** How many of those poll a submission queue. */
function polling(before: Map<string, string>): number {
  return threadsSince(before).filter((kind) => kind === "iou-sqp").length;
}

function nops(ring: Ring, count: number): void {
  for (let i = 0; i < count; i++) {
    const sqe = ring.sqe();
    assert(sqe !== null);
    prepNop(sqe);
  }
  ring.submitAndWait(count);
  assertEquals(ring.forEachCqe(({ res }) => assertEquals(res, 0)), count);
}

Deno.test("modes: a plain ring has no thread of the kernel", () => {
  const before = kernelThreads();
  using ring = new Ring({ entries: 8 });
  nops(ring, 8);
  assertEquals(threadsSince(before), []);
});

Deno.test({
  name: "modes: sqpoll makes a thread, with its time and its CPU",
  ignore: noSqPoll || noThreads,
  fn() {
    const before = kernelThreads();
    const options = { sqpoll: true, sqThreadIdle: 20, sqThreadCpu: 0 };
    using ring = new Ring({ entries: 8, ...options });
    nops(ring, 8);
    assertEquals(polling(before), 1);
    const flags = abi.IORING_SETUP_SQPOLL | abi.IORING_SETUP_SQ_AFF;
    assertEquals(ring.flags & flags, flags);
    using second = new Ring({ entries: 8, sqpoll: true, attachTo: ring });
    nops(second, 8);
    assertEquals(polling(before), 1);
  },
});

Deno.test("modes: workers do every op, in the end of a wrapped queue too", () => {
  using ring = new Ring({ entries: 8, workers: true });
  for (let round = 0; round < 20; round++) nops(ring, 3 + round % 6);
  assert(noThreads || [...kernelThreads().values()].includes("iou-wrk"));
});

Deno.test("modes: workers, what only waits is left alone", () => {
  using ring = new Ring({ entries: 8, workers: true });
  const sqe = ring.sqe();
  assert(sqe !== null);
  prepPollAdd(sqe, ring.fd, 0);
  sqe.tag = 7;
  const entry = sqe.words;
  const { base } = sqe;
  ring.sq.publish();
  assertEquals((entry[base] as number) >>> 8 & abi.IOSQE_ASYNC, 0);
  const second = ring.sqe();
  assert(second !== null);
  prepNop(second);
  ring.sq.publish();
  assertEquals(second.flags, abi.IOSQE_ASYNC);
  ring.submitAndWait(1);
  ring.forEachCqe(({ tag, res }) => assertEquals([tag, res], [0, 0]));
});

Deno.test({
  name: "modes: the number of workers and their CPUs",
  ignore: noLimits,
  fn() {
    using ring = new Ring({
      entries: 8,
      workers: { always: false, bounded: 3, unbounded: 5, cpus: [0] },
    });
    assertEquals(ring.workers.max(), { bounded: 3, unbounded: 5 });
    assertEquals(ring.sq.entryFlags, 0);
  },
});

Deno.test({
  name: "modes: a resized ring keeps its workers",
  ignore: noResize,
  fn() {
    const flags = abi.IORING_SETUP_SINGLE_ISSUER |
      abi.IORING_SETUP_DEFER_TASKRUN;
    using ring = new Ring({ entries: 4, flags, workers: true });
    ring.resize({ entries: 16 });
    assertEquals(ring.sq.entryFlags, abi.IOSQE_ASYNC);
    nops(ring, 16);
  },
});

Deno.test("modes: fixed buffers and files, alone and together, with the registered ring", () => {
  using memory = new Memory(4096);
  using directory = new TemporaryDirectory();
  using opener = new Ring(4);
  const content = pattern(4096);
  using file = open(opener, directory.file("data", content), O_RDONLY);
  const registerRingFd = (opener.features & abi.IORING_FEAT_LINKED_FILE) !== 0;
  const buffers = { buffers: [memory.bytes] };
  const files = { files: [file.fd, -1] };
  for (
    const options of [
      buffers,
      files,
      { registerRingFd },
      { ...buffers, ...files, registerRingFd },
    ] satisfies RingOptions[]
  ) {
    using ring = new Ring({ entries: 8, ...options });
    const fd = "files" in options ? fixedFile(0) : file.fd;
    memory.bytes.fill(0);
    const op = "buffers" in options
      ? readFixed(fd, memory.bytes, 0, { offset: 0 })
      : read(fd, memory.bytes, { offset: 0 });
    assertEquals(run(ring, op), 4096);
    assertEquals(new Uint8Array(memory.bytes), content);
  }
});

Deno.test("modes: what cannot be registered leaves no ring behind", () => {
  const before = openFiles();
  assertThrows(() => new Ring({ entries: 4, files: [9999] }), Error, "EBADF");
  assertThrows(() => new Ring({ entries: 4, buffers: [] }), RangeError);
  assertEquals(openFiles(), before);
});

Deno.test("modes: wrong combinations are refused with the reason", () => {
  const { IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN } = abi;
  const deferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const wrong: [unknown, RegExp][] = [
    [{ sqThreadCpu: 0 }, /SQ_AFF.*sqpoll: true/],
    [{ sqThreadIdle: 5 }, /sqpoll: true/],
    [{ sqpoll: true, flags: deferred }, /DEFER_TASKRUN.*exclude each other/],
    [{ sqpoll: true, flags: abi.IORING_SETUP_COOP_TASKRUN }, /COOP_TASKRUN/],
    [{ flags: abi.IORING_SETUP_HYBRID_IOPOLL }, /needs IORING_SETUP_IOPOLL/],
    [{ iopoll: true, workers: true }, /exclude each other/],
    [{ workers: true, flags: abi.IORING_SETUP_SQE_MIXED }, /SQE_MIXED/],
    [{ iopoll: "maybe" }, /iopoll must be/],
    [{ sqpoll: 1 }, /sqpoll must be/],
    [{ workers: 4 }, /workers must be/],
    [{ workers: { always: 1 } }, /always must be/],
    [{ registerRingFd: "yes" }, /registerRingFd must be/],
  ];
  for (const [options, reason] of wrong) {
    const error = assertThrows(() => new Ring(options as RingOptions), Error);
    assert(error instanceof RangeError || error instanceof TypeError);
    assert(reason.test(error.message), error.message);
  }
});

Deno.test("modes: only the thread of SQPOLL asks an IOPOLL device by itself", () => {
  const { IORING_SETUP_IOPOLL: iopoll, IORING_SETUP_SQPOLL: sqpoll } = abi;
  assertEquals(isSilent(iopoll), true);
  assertEquals(isSilent(iopoll | sqpoll), false);
  assertEquals(isSilent(sqpoll), false);
});

Deno.test({
  name: "modes: iopoll, and a file that cannot says what it needs",
  ignore: noIoPoll,
  fn() {
    using directory = new TemporaryDirectory();
    using opener = new Ring(4);
    using file = open(opener, directory.file("data", "x"), O_RDONLY);
    using ring = new Ring({ entries: 4, iopoll: true });
    assertEquals(ring.flags & abi.IORING_SETUP_IOPOLL, abi.IORING_SETUP_IOPOLL);
    const error = assertThrows(
      () => run(ring, read(file.fd, new Uint8Array(8), { offset: 0 })),
      Error,
      "EOPNOTSUPP",
    );
    for (const word of ["IORING_SETUP_IOPOLL", "O_DIRECT", "poll_queues"]) {
      assert(error.message.includes(word), error.message);
    }
  },
});

Deno.test({
  name: 'modes: iopoll: "hybrid" implies both flags',
  ignore: noHybrid,
  fn() {
    using ring = new Ring({ entries: 4, iopoll: "hybrid" });
    const both = abi.IORING_SETUP_IOPOLL | abi.IORING_SETUP_HYBRID_IOPOLL;
    assertEquals(ring.flags & both, both);
  },
});

Deno.test({
  name:
    "modes: Uring on SQPOLL, a million cached reads in fewer than 100 calls",
  ignore: noSqPoll,
  async fn() {
    using directory = new TemporaryDirectory();
    await using uring = new Uring({ sqpoll: true, sqThreadIdle: 1000 });
    using opener = new Ring(4);
    const path = directory.file("data", pattern(1 << 20));
    using file = open(opener, path, O_RDONLY);
    using memory = new Memory(64 * 4096);
    const loop = async (slot: number, reads: number) => {
      const buffer = memory.bytes.subarray(slot * 4096, (slot + 1) * 4096);
      for (let i = 0; i < reads / 64; i++) {
        const offset = (i * 64 + slot) % 256 * 4096;
        const count = await uring.submit(read(file.fd, buffer, { offset }));
        if (count !== 4096) throw new Error(`read ${count} bytes`);
      }
    };
    const all = (reads: number) =>
      Promise.all(Array.from({ length: 64 }, (_, slot) => loop(slot, reads)));
    const began = performance.now();
    await all(6400);
    // An emulated machine takes minutes for a million.
    const slow = performance.now() - began > 500;
    const reads = slow ? 64_000 : 1_000_000;
    const before = uring.stats.enters;
    await all(reads);
    const { completed, enters } = uring.stats;
    assertEquals(completed, 6400 + reads);
    assertLess(enters - before, 100);
  },
});

Deno.test("modes: Uring with workers, the event loop goes on meanwhile", async () => {
  await using uring = new Uring({ workers: true });
  const done = await Promise.all(
    Array.from({ length: 500 }, () => uring.submit(nop())),
  );
  assertEquals(done.length, 500);
  assert(noThreads || [...kernelThreads().values()].includes("iou-wrk"));
  const { inline } = uring.stats;
  assertLess(inline, 500);
  using directory = new TemporaryDirectory();
  using opener = new Ring(4);
  using file = open(opener, directory.file("data", "hello"), O_RDONLY);
  const bytes = new Uint8Array(8);
  const options = { timeout: 5000 };
  const reading = uring.submit(read(file.fd, bytes, { offset: 0 }), options);
  assertEquals(await reading, 5);
});

Deno.test({
  name: "modes: a miss of the page cache is one on a ring with workers, too",
  ignore: noDisk,
  async fn() {
    using directory = new TemporaryDirectory();
    using opener = new Ring(4);
    using file = open(opener, directory.file("data", pattern(8192)), O_RDONLY);
    await using uring = new Uring({ workers: true });
    const options = { offset: 4096, cached: "report" } as const;
    const op = read(file.fd, new Uint8Array(4096), options);
    let missed = false;
    // Asking makes the kernel read ahead, and a disk in memory may be as quick as an emulated CPU.
    for (let tries = 0; tries < 20 && !missed; tries++) {
      drop(opener, file.fd);
      const { bytes, hit } = await uring.submit(op);
      assertEquals(bytes, 4096);
      missed = !hit;
    }
    assert(missed);
    assertEquals(await uring.submit(op), { bytes: 4096, hit: true });
  },
});

Deno.test("modes: a read by hand on a ring with workers", () => {
  using directory = new TemporaryDirectory();
  using ring = new Ring({ entries: 4, workers: true });
  using file = open(ring, directory.file("data", "hello"), O_RDONLY);
  using memory = new Memory(8);
  const sqe = ring.sqe();
  assert(sqe !== null);
  prepRead(sqe, file.fd, memory.address, 8, 0);
  ring.submitAndWait(1);
  ring.forEachCqe(({ res }) => assertEquals(res, 5));
});
