/** The end of a ring: after it the kernel writes to nobody's memory. */

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { EAGAIN } from "../../ffi/linux.ts";
import {
  IORING_FEAT_REG_REG_RING,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SQE128,
  IOSQE_ASYNC,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_DRAIN,
  IOSQE_IO_LINK,
  type Kernel,
  Memory,
  O_DIRECT,
  openKernel,
  POLLIN,
  POLLPRI,
  takeBlock,
} from "../../ffi/mod.ts";
import { writeTimespec } from "../../ffi/structs/timespec.ts";
import { prepNop } from "../../ops/nop.ts";
import { prepPollAdd } from "../../ops/poll.ts";
import { run } from "../../ops/run.ts";
import { prepRead, prepWrite } from "../../ops/rw.ts";
import { sendZc } from "../../ops/send_zc.ts";
import { prepLinkTimeout } from "../../ops/timeout.ts";
import { RingEnd } from "../../ring/end.ts";
import { Ring } from "../../ring/mod.ts";
import { type Descriptor, open, TemporaryDirectory } from "../support/files.ts";
import { type RingKind, ringKinds } from "../support/rings.ts";
import { Fds } from "../support/sockets.ts";
import { linux, queue } from "./registration/support.ts";

const MIB = 1 << 20;

/** Whether a closed ring can have cancelled: Linux 6.0; by this feature a kernel is known to. */
const cancels = (() => {
  using ring = new Ring(1);
  return (ring.features & IORING_FEAT_REG_REG_RING) !== 0;
})();

function eachKind(name: string, body: (kind: RingKind) => void): void {
  for (const kind of ringKinds) {
    Deno.test({
      name: `close: ${name} [${kind.name}]`,
      ignore: !kind.supported || !cancels,
      fn: () => body(kind),
    });
  }
}

/** Opens a file past the page cache, if its file system can do that. */
function openDirect(path: string): Descriptor | undefined {
  using ring = new Ring(2);
  try {
    return open(ring, path, O_DIRECT);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EINVAL") {
      return undefined;
    }
    throw error;
  }
}

function elapsed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

const direct = (() => {
  using directory = new TemporaryDirectory();
  using file = openDirect(directory.file("direct"));
  return file !== undefined;
})();

for (const kind of ringKinds) {
  Deno.test({
    name: `close: waits for the disk [${kind.name}]`,
    ignore: !kind.supported || !cancels || !direct,
    fn() {
      using directory = new TemporaryDirectory();
      const path = directory.file("data", new Uint8Array(32 * MIB).fill(7));
      using file = openDirect(path);
      using memory = new Memory(32 * MIB);
      const ring = kind.make({ entries: 64 });
      for (let part = 0; part < 32; part++) {
        queue(ring, (sqe) => {
          const at = part * MIB;
          prepRead(sqe, file?.fd ?? -1, memory.address + at, MIB, at);
        });
      }
      ring.submit();
      ring.close();
      const first = memory.bytes.slice();
      const nap = new Int32Array(new SharedArrayBuffer(4));
      Atomics.wait(nap, 0, 0, 50);
      assertEquals(indexOfDifference(first, memory.bytes), -1);
    },
  });
}

function indexOfDifference(one: Uint8Array, other: Uint8Array): number {
  const [a, b] = [one, other].map((bytes) => new Float64Array(bytes.buffer));
  return (a as Float64Array).findIndex((word, index) =>
    !Object.is(word, (b as Float64Array)[index])
  );
}

eachKind("does not wait for what never ends", (kind) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const bell = fds.eventfd();
  const memory = new Memory(4096);
  const ring = kind.make();
  for (let count = 0; count < 5; count++) {
    queue(ring, (sqe) => prepPollAdd(sqe, reader, POLLIN));
  }
  for (const flags of [0, IOSQE_ASYNC, IOSQE_IO_LINK, 0]) {
    queue(ring, (sqe) => {
      prepRead(sqe, bell, memory.address, 8, 0);
      sqe.flags = flags;
    });
  }
  ring.submit();
  assertLess(elapsed(() => ring.close()), 2000);
});

eachKind("cancels what waits for its turn, too", (kind) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const ring = kind.make();
  queue(ring, (sqe) => prepPollAdd(sqe, reader, POLLIN));
  for (let count = 0; count < 3; count++) {
    queue(ring, (sqe) => {
      prepPollAdd(sqe, reader, POLLIN);
      sqe.flags = IOSQE_IO_DRAIN;
    });
  }
  ring.submit();
  assertLess(elapsed(() => ring.close()), 2000);
});

eachKind("with queues that are full, on either side", (kind) => {
  const ring = kind.make({ entries: 4, cqEntries: 4 });
  for (let round = 0; round < 5; round++) {
    while (ring.sq.space > 0) queue(ring, prepNop);
    ring.submit();
  }
  while (ring.sq.space > 0) queue(ring, prepNop);
  assertLess(elapsed(() => ring.close()), 2000);
});

// Kernels before 6.16 cannot be asked to drain after these.
eachKind("after a zero-copy send, and its notification", (kind) => {
  using fds = new Fds();
  const [one] = fds.tcpPair();
  const ring = kind.make();
  assertEquals(run(ring, sendZc(one, new Uint8Array(1000))), 1000);
  assertLess(elapsed(() => ring.close()), 2000);
});

eachKind("is known to the end, with and without a table of files", (kind) => {
  for (const files of [[], [0, -1]]) {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const memory = new Memory(4096);
    const ring = kind.make();
    if (files.length > 0) ring.files.register(files);
    queue(ring, (sqe) => prepRead(sqe, reader, memory.address, 8, 0));
    ring.submit();
    const end = RingEnd.watch(openKernel("syscall"), ring.fd);
    assert(end !== undefined);
    ring.close();
    assert(end.wait(5000));
  }
});

eachKind("drops what was not submitted", (kind) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const memory = new Memory(4096);
  const ring = kind.make();
  queue(ring, prepNop);
  ring.submit();
  queue(ring, (sqe) => prepWrite(sqe, writer, memory.address, 1, 0));
  ring.close();
  using fresh = new Ring(2);
  queue(fresh, (sqe) => prepPollAdd(sqe, reader, POLLIN));
  fresh.submit();
  assertEquals(fresh.wait(1, { timeout: 20 }), 0);
});

eachKind("where the kernel cannot be asked to drain", (kind) => {
  const skipping = kind.make();
  queue(skipping, (sqe) => {
    prepNop(sqe);
    sqe.flags = IOSQE_CQE_SKIP_SUCCESS;
  });
  skipping.submit();
  assertLess(elapsed(() => skipping.close()), 2000);

  const disabled = kind.make({ flags: IORING_SETUP_R_DISABLED });
  queue(disabled, prepNop);
  assertLess(elapsed(() => disabled.close()), 2000);

  const restricted = kind.make({ flags: IORING_SETUP_R_DISABLED });
  restricted.restrict({ opcodes: [0] });
  restricted.enable();
  queue(restricted, prepNop);
  restricted.submit();
  assertLess(elapsed(() => restricted.close()), 2000);
});

eachKind("with entries and completions of every size", (kind) => {
  const sizes = [IORING_SETUP_SQE128, IORING_SETUP_CQE32];
  if (linux("6.18")) sizes.push(IORING_SETUP_CQE_MIXED);
  for (const flags of sizes) {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const ring = kind.make({ entries: 4, flags });
    for (let count = 0; count < 3; count++) {
      queue(ring, (sqe) => prepPollAdd(sqe, reader, POLLIN));
    }
    ring.submit();
    assertLess(elapsed(() => ring.close()), 2000);
  }
});

Deno.test({
  name:
    "close: waits for the kernel's own end where it cannot be asked to drain",
  ignore: !cancels,
  fn() {
    const real = openKernel("syscall");
    let takesNothing = false;
    const backend: Kernel = {
      backend: real.backend,
      version: real.version,
      setup: (request) => real.setup(request),
      enter: (...call) => takesNothing ? -EAGAIN : real.enter(...call),
      enter2: (...call) => real.enter2(...call),
      register: (...call) => real.register(...call),
      resize: (...call) => real.resize(...call),
      close: (mapping) => real.close(mapping),
    };
    const ring = new Ring({ entries: 4, backend });
    queue(ring, prepNop);
    ring.submitAndWait(1);
    // As long as another ring has an op on it, the ring is there.
    using other = new Ring(4);
    const block = takeBlock(16);
    writeTimespec(block.view, 0, 400);
    queue(other, (sqe) => {
      prepPollAdd(sqe, ring.fd, POLLPRI);
      sqe.flags = IOSQE_IO_LINK;
    });
    queue(other, (sqe) => prepLinkTimeout(sqe, block.address, 0));
    other.submit();
    takesNothing = true;
    ring.close();
    assertGreater(other.cq.ready, 0);
    assertEquals(other.wait(2), 2);
    block.release();
  },
});
