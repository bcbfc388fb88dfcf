/**
 * Polled completion on a drive that polls: `tools/vm.sh --nvme` has one, with
 * nvme.poll_queues=2. The proof is the interrupts that do not come.
 */

import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import {
  errnoName,
  IORING_SETUP_HYBRID_IOPOLL,
  IORING_SETUP_IOPOLL,
  IORING_SETUP_SQPOLL,
  IOSQE_FIXED_FILE,
  isSystemError,
  Memory,
  O_DIRECT,
  O_RDONLY,
} from "../../ffi/mod.ts";
import { prepRead, prepReadFixed, read, run } from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { Ring, type Sqe } from "../../ring/mod.ts";
import { type Descriptor, open } from "../support/files.ts";
import { canMake } from "../support/setup.ts";

// Loaded once for all tests: what stays open as long as the isolate is no test's leak.
errnoName(1);

const BLOCK = 4096;
const DEPTH = 16;
const READS = 2000;

/** A drive that polls and that this program may read; undefined if there is none. */
function findDrive(): string | undefined {
  for (const { name } of Deno.readDirSync("/sys/block")) {
    if (!name.startsWith("nvme")) continue;
    const polls = Deno.readTextFileSync(`/sys/block/${name}/queue/io_poll`);
    if (polls.trim() === "1" && canOpen(`/dev/${name}`)) return `/dev/${name}`;
  }
  return undefined;
}

function canOpen(path: string): boolean {
  using ring = new Ring(2);
  try {
    open(ring, path, O_RDONLY | O_DIRECT)[Symbol.dispose]();
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

const drive = findDrive();
const path = drive ?? "";
const ignore = drive === undefined;

/** How often the drives' queues have interrupted; queue 0 is for administration, not for I/O. */
function interrupts(): number {
  let sum = 0;
  for (const line of Deno.readTextFileSync("/proc/interrupts").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (!/^nvme\d+q[1-9]\d*$/.test(fields.at(-1) ?? "")) continue;
    // One count for each CPU, between the number and the names of what interrupts.
    for (const field of fields.slice(1)) {
      if (!/^\d+$/.test(field)) break;
      sum += Number(field);
    }
  }
  return sum;
}

/** What reads with: fills an entry that reads a block to an address. */
type Fill = (sqe: Sqe, address: number, offset: number) => void;

/** Reads the first MiB of the drive over and over, so many blocks in flight. */
function readAll(ring: Ring, memory: Memory, fill: Fill): void {
  for (let done = 0; done < READS; done += DEPTH) {
    for (let index = 0; index < DEPTH; index++) {
      const sqe = ring.sqe();
      if (sqe === null) throw new Error("The queue is full.");
      const offset = (done + index) % 256 * BLOCK;
      fill(sqe, memory.address + index * BLOCK, offset);
    }
    ring.submitAndWait(DEPTH);
    const seen: number[] = [];
    while (seen.length < DEPTH) {
      ring.forEachCqe(({ res }) => seen.push(res));
      if (seen.length < DEPTH) ring.wait(1);
    }
    assertEquals(seen, Array(DEPTH).fill(BLOCK));
  }
}

/** How many interrupts the reads of a kind of ring cost. */
function cost(
  flags: number,
  prepare: (ring: Ring, file: Descriptor, memory: Memory) => Fill = (
    _ring,
    { fd },
  ) =>
  (sqe, address, offset) => prepRead(sqe, fd, address, BLOCK, offset),
): number {
  using plain = new Ring(2);
  using file = open(plain, path, O_RDONLY | O_DIRECT);
  using memory = new Memory(DEPTH * BLOCK);
  using ring = new Ring({ entries: DEPTH, flags });
  const fill = prepare(ring, file, memory);
  const before = interrupts();
  readAll(ring, memory, fill);
  return interrupts() - before;
}

Deno.test({
  name: "iopoll: without it, reads interrupt",
  ignore,
  fn: () => assertGreaterOrEqual(cost(0), READS / DEPTH / 2),
});

Deno.test({
  name: "iopoll: polled reads cost no interrupt",
  ignore,
  fn: () => assertEquals(cost(IORING_SETUP_IOPOLL), 0),
});

// The kernel does not look at the device while a completion is unread: asked for more than are
// there, enter answers 0 at once, however often it is asked. So in Linux 5.10 and in 7.2.
Deno.test({
  name: "iopoll: waiting for several ends with what is there",
  ignore,
  fn() {
    using plain = new Ring(2);
    using file = open(plain, path, O_RDONLY | O_DIRECT);
    using memory = new Memory(2 * BLOCK);
    using ring = new Ring({ entries: 2, flags: IORING_SETUP_IOPOLL });
    const queue = (index: number) => {
      const sqe = ring.sqe();
      if (sqe === null) throw new Error("The queue is full.");
      const address = memory.address + index * BLOCK;
      prepRead(sqe, file.fd, address, BLOCK, index * BLOCK);
    };
    queue(0);
    ring.submitAndWait(1);
    queue(1);
    ring.submitAndWait(2);
    assertGreaterOrEqual(ring.wait(2), 1);
    const seen: number[] = [];
    while (seen.length < 2) {
      if (ring.forEachCqe(({ res }) => seen.push(res)) === 0) ring.wait(1);
    }
    assertEquals(seen, [BLOCK, BLOCK]);
  },
});

Deno.test({
  name: "iopoll: nor do hybrid ones",
  ignore: ignore || !canMake(IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL),
  fn: () => {
    const flags = IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL;
    assertEquals(cost(flags), 0);
  },
});

Deno.test({
  name: "iopoll: nor do those of a thread of the kernel, on a registered file",
  ignore: ignore || !canMake(IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL),
  fn: () => {
    const flags = IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL;
    const spent = cost(flags, (ring, { fd }) => {
      ring.files.register([fd]);
      return (sqe, address, offset) => {
        prepRead(sqe, 0, address, BLOCK, offset);
        sqe.flags |= IOSQE_FIXED_FILE;
      };
    });
    assertEquals(spent, 0);
  },
});

Deno.test({
  name: "iopoll: nor do those to registered buffers",
  ignore,
  fn: () => {
    const spent = cost(IORING_SETUP_IOPOLL, (ring, { fd }, memory) => {
      ring.buffers.register([memory.bytes]);
      return (sqe, address, offset) =>
        prepReadFixed(sqe, fd, address, BLOCK, offset, 0);
    });
    assertEquals(spent, 0);
  },
});

Deno.test({
  name: "iopoll: Uring awaits polled reads, without an interrupt",
  ignore,
  async fn() {
    using plain = new Ring(2);
    using file = open(plain, path, O_RDONLY | O_DIRECT);
    using memory = new Memory(DEPTH * BLOCK);
    await using uring = new Uring({ flags: IORING_SETUP_IOPOLL });
    const before = interrupts();
    const one = async (index: number) => {
      const start = index * BLOCK;
      const buffer = memory.bytes.subarray(start, start + BLOCK);
      for (let turn = 0; turn < 10; turn++) {
        assertEquals(
          await uring.submit(read(file.fd, buffer, { offset: start })),
          BLOCK,
        );
      }
    };
    await Promise.all(Array.from({ length: DEPTH }, (_, index) => one(index)));
    assertEquals(interrupts() - before, 0);
  },
});

Deno.test({
  name: "iopoll: what is read is what is there",
  ignore,
  fn() {
    using plain = new Ring(2);
    using file = open(plain, path, O_RDONLY | O_DIRECT);
    using cached = open(plain, path, O_RDONLY);
    using ring = new Ring({ entries: 2, flags: IORING_SETUP_IOPOLL });
    using memory = new Memory(16 * BLOCK);
    assertEquals(run(ring, read(file.fd, memory.bytes, { offset: 0 })), 65536);
    const expected = new Uint8Array(16 * BLOCK);
    assertEquals(run(plain, read(cached.fd, expected, { offset: 0 })), 65536);
    assertEquals(memory.bytes, expected);
    // ext4's superblock; an empty drive would prove nothing.
    const magic = expected[1024 + 56];
    assert(magic === 0x53 || expected.every((byte) => byte === 0));
  },
});

Deno.test({
  name: "iopoll: a file that cannot poll says EOPNOTSUPP",
  ignore: !canMake(IORING_SETUP_IOPOLL),
  fn() {
    using plain = new Ring(2);
    using file = open(plain, "/proc/self/maps", O_RDONLY);
    using ring = new Ring({ entries: 2, flags: IORING_SETUP_IOPOLL });
    let code = "";
    try {
      run(ring, read(file.fd, new Uint8Array(16), { offset: 0 }));
    } catch (error) {
      code = isSystemError(error) ? error.code : String(error);
    }
    assertEquals(code, "EOPNOTSUPP");
  },
});
