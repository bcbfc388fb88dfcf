import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  isSystemError,
  Memory,
  O_RDONLY,
  POSIX_FADV_RANDOM,
  RWF_NOWAIT,
} from "../../ffi/mod.ts";
import {
  type CachedRead,
  fadvise,
  nop,
  read,
  readFixed,
  readv,
  run,
} from "../../ops/mod.ts";
import { type SubmitOptions, Uring } from "../../proactor/mod.ts";
import { Ring } from "../../ring/mod.ts";
import { drop, onDisk } from "../support/disk.ts";
import { eachRing } from "../support/rings.ts";
import {
  type Descriptor,
  failure,
  open,
  pattern,
  Pipe,
  TemporaryDirectory,
} from "../support/files.ts";

const BLOCK = 4096;
const BLOCKS = 64;

/** A file on a disk, of which only what is asked for gets into the page cache. */
function diskFile(ring: Ring, directory: TemporaryDirectory): Descriptor {
  const path = directory.file("data", pattern(BLOCK * BLOCKS));
  const file = open(ring, path, O_RDONLY);
  run(ring, fadvise(file.fd, 0, 0, POSIX_FADV_RANDOM));
  return file;
}

/**
 * Reads blocks from one on until a read misses: the kernel begins to fetch a block at the first try,
 * and a fast disk now and then has it before that is over.
 *
 * @returns where that was, and what the read gave.
 */
function firstMiss<T>(
  block: number,
  readAt: (offset: number) => T,
  missed: (result: T) => boolean,
): [offset: number, result: T] {
  for (let at = block; at < block + 10; at++) {
    const result = readAt(at * BLOCK);
    if (missed(result)) return [at * BLOCK, result];
  }
  throw new Error("Ten blocks that were dropped are in the page cache.");
}

const isNull = (result: number | null) => result === null;
const noHit = ({ hit }: CachedRead) => !hit;

const when = onDisk();

/** Whether pipes take RWF_NOWAIT on this kernel: Linux 5.10 answers EOPNOTSUPP. */
function pipesTell(): boolean {
  using ring = new Ring(4);
  using pipe = new Pipe();
  try {
    run(ring, read(pipe.reader, new Uint8Array(1), { cached: "only" }));
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EOPNOTSUPP") return false;
    throw error;
  }
}

const noPipes = !pipesTell();

eachRing(
  "cached: only, a miss is null and the second time no miss",
  { when },
  (ring) => {
    using directory = new TemporaryDirectory();
    using file = diskFile(ring, directory);
    drop(ring, file.fd);
    const bytes = new Uint8Array(BLOCK);
    const only = read(file.fd, bytes, { offset: 0, cached: "only" });
    const readAt = (offset: number) =>
      run(ring, read(file.fd, bytes, { offset, cached: "only" }));
    firstMiss(10, readAt, isNull);
    run(ring, read(file.fd, bytes, { offset: 0 }));
    assertEquals(run(ring, only), BLOCK);
    assertEquals(bytes, pattern(BLOCK * BLOCKS).slice(0, BLOCK));
  },
);

eachRing("cached: report, a miss is read all the same", { when }, (ring) => {
  using directory = new TemporaryDirectory();
  using file = diskFile(ring, directory);
  drop(ring, file.fd);
  const bytes = new Uint8Array(BLOCK);
  const readAt = (offset: number) =>
    run(ring, read(file.fd, bytes, { offset, cached: "report" }));
  const [offset, miss] = firstMiss(20, readAt, noHit);
  assertEquals(miss, { bytes: BLOCK, hit: false });
  assertEquals(bytes, pattern(BLOCK * BLOCKS).slice(offset, offset + BLOCK));
  assertEquals(readAt(offset), { bytes: BLOCK, hit: true });
  const end = read(file.fd, bytes, {
    offset: BLOCK * BLOCKS,
    cached: "report",
  });
  // Linux 5.10 calls the end of a file a miss.
  assertEquals(run(ring, end).bytes, 0);
});

eachRing(
  "cached: registered buffers, and several buffers",
  { when },
  (ring) => {
    using directory = new TemporaryDirectory();
    using file = diskFile(ring, directory);
    using memory = new Memory(BLOCK);
    drop(ring, file.fd);
    ring.buffers.register([memory.bytes]);
    const cached = "report";
    const fixed = (offset: number) =>
      run(ring, readFixed(file.fd, memory.bytes, 0, { offset, cached }));
    const parts = [new Uint8Array(BLOCK / 2), new Uint8Array(BLOCK / 2)];
    const vectored = (offset: number) =>
      run(ring, readv(file.fd, parts, { offset, cached }));
    for (const [block, readAt] of [[5, fixed], [20, vectored]] as const) {
      const [offset, miss] = firstMiss(block, readAt, noHit);
      assertEquals(miss, { bytes: BLOCK, hit: false });
      assertEquals(readAt(offset), { bytes: BLOCK, hit: true });
    }
    const only = (offset: number) =>
      run(ring, readv(file.fd, parts, { offset, cached: "only" }));
    firstMiss(40, only, isNull);
  },
);

eachRing(
  "cached: of a pipe, only what is there already",
  { when: !noPipes },
  (ring) => {
    using pipe = new Pipe();
    const bytes = new Uint8Array(8);
    assertEquals(run(ring, read(pipe.reader, bytes, { cached: "only" })), null);
  },
);

Deno.test({
  name: "cached: a Uring sends a miss again, with the options that it had",
  ignore: !when,
  async fn() {
    await using uring = new Uring();
    using ring = new Ring(4);
    using directory = new TemporaryDirectory();
    using file = diskFile(ring, directory);
    drop(ring, file.fd);
    const bytes = new Uint8Array(BLOCK);
    const at = (block: number) =>
      read(file.fd, bytes, { offset: block * BLOCK, cached: "report" });
    // As firstMiss does. A miss is an op more, each with its timeout if it has one.
    const missed = async (block: number, options: SubmitOptions = {}) => {
      const each = options.timeout === undefined ? 1 : 2;
      for (let tried = block; tried < block + 10; tried++) {
        const before = uring.stats.submitted;
        const { bytes, hit } = await uring.submit(at(tried), options);
        assertEquals(bytes, BLOCK);
        assertEquals(uring.stats.submitted - before, hit ? each : 2 * each);
        if (!hit) return tried;
      }
      throw new Error("Ten blocks that were dropped are in the page cache.");
    };
    await missed(1);
    const limit = { timeout: 5000, signal: new AbortController().signal };
    const block = await missed(20, limit);
    const again = await uring.submit(at(block), limit);
    assertEquals(again, { bytes: BLOCK, hit: true });
    // More than the queues hold, many of them misses.
    const blocks = Array.from({ length: BLOCKS }, (_, block) => block);
    drop(ring, file.fd);
    const results = await Promise.all(
      blocks.map((block) =>
        uring.submit(
          read(file.fd, new Uint8Array(BLOCK), {
            offset: block * BLOCK,
            cached: "report",
          }),
        )
      ),
    );
    assertEquals(results.every((result) => result.bytes === BLOCK), true);
    assert(results.some(({ hit }) => !hit));
  },
});

Deno.test({
  name: "cached: a signal and a timeout reach the read that is sent again",
  ignore: noPipes,
  async fn() {
    await using uring = new Uring();
    using pipe = new Pipe();
    const op = read(pipe.reader, new Uint8Array(8), { cached: "report" });
    const error = await assertRejects(() => uring.submit(op, { timeout: 20 }));
    assertInstanceOf(error, Error);
    assertStringIncludes(error.message, "20 ms");
    const controller = new AbortController();
    const aborted = uring.submit(op, { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await assertRejects(() => aborted, Error, "enough");
    assertEquals(uring.stats.inFlight, 0);
  },
});

Deno.test({
  name: "cached: closing a Uring ends what was sent again",
  ignore: noPipes,
  async fn() {
    const uring = new Uring();
    using pipe = new Pipe();
    const op = read(pipe.reader, new Uint8Array(8), { cached: "report" });
    const outcome = assertRejects(() => uring.submit(op), Error, "closed");
    await new Promise((resolve) => setTimeout(resolve, 10));
    await uring.close();
    await outcome;
  },
});

Deno.test("cached: no part of a chain may be sent twice", async () => {
  await using uring = new Uring();
  const op = read(0, new Uint8Array(8), { cached: "report" });
  await assertRejects(() => uring.chain(op, nop()), TypeError, "sent again");
});

Deno.test("cached: wrong options are refused", () => {
  const bytes = new Uint8Array(8);
  const wrong = { cached: "maybe" } as unknown as { cached: "only" };
  assertThrows(() => read(0, bytes, wrong), TypeError, '"only" or "report"');
  assertThrows(
    () => read(0, bytes, { cached: "only", flags: RWF_NOWAIT }),
    RangeError,
    "RWF_NOWAIT",
  );
  const flags = "x" as unknown as number;
  assertThrows(() => read(0, bytes, { cached: "only", flags }), TypeError);
});

eachRing("cached: an error that is no miss stays one", {}, (ring) => {
  const bytes = new Uint8Array(8);
  for (const cached of ["only", "report"] as const) {
    const op = cached === "only"
      ? read(9999, bytes, { cached })
      : read(9999, bytes, { cached });
    failure("EBADF", () => run<unknown>(ring, op));
  }
});
