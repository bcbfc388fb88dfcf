/** How a ring is asked whether anything is in flight: by a NOP behind everything else. */

import { assert, assertEquals } from "@std/assert";
import { EAGAIN } from "../../ffi/linux.ts";
import {
  IORING_FEAT_REG_REG_RING,
  IORING_NOP_CQE32,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQPOLL,
  IOSQE_IO_LINK,
  type Kernel,
  Memory,
  openKernel,
  POLLIN,
  type RingMapping,
} from "../../ffi/mod.ts";
import { prepNop } from "../../ops/nop.ts";
import { prepPollAdd } from "../../ops/poll.ts";
import { prepRead } from "../../ops/rw.ts";
import { drain } from "../../ring/drain.ts";
import { Ring } from "../../ring/mod.ts";
import { canMake } from "../support/setup.ts";
import { Fds, writeNow } from "../support/sockets.ts";
import { queue } from "./registration/support.ts";

/** Longer than anything here takes. */
const PATIENCE = 20_000;
/** The halves of the NOP's `user_data`. */
const LOW = 0x6e69_7275n;
const HIGH = 0x646e_652en << 32n;

/** By this feature a kernel is known to be one that is asked so when a ring is closed. */
const ignore = (() => {
  using ring = new Ring(1);
  return (ring.features & IORING_FEAT_REG_REG_RING) === 0;
})();

/** A ring, its mapping, and the kernel that it stands on. */
class Subject implements Disposable {
  readonly ring: Ring;
  readonly kernel: Kernel;
  /** How many calls of `enter` answer EAGAIN from now on, and are not made. */
  refusals = 0;
  /** What went on while the ring was drained. */
  readonly seen = { again: 0, late: 0 };
  #mapping: RingMapping | undefined;

  constructor(flags: number) {
    const real = openKernel("syscall");
    this.kernel = {
      backend: real.backend,
      version: real.version,
      setup: (request) => this.#mapping = real.setup(request),
      enter: (...call) => this.refusals-- > 0 ? -EAGAIN : real.enter(...call),
      enter2: (...call) => real.enter2(...call),
      register: (...call) => real.register(...call),
      resize: (...call) => real.resize(...call),
      close: (mapping) => real.close(mapping),
    };
    const polled = (flags & IORING_SETUP_SQPOLL) !== 0;
    this.ring = new Ring({
      entries: 4,
      cqEntries: 16,
      flags,
      backend: this.kernel,
      ...(polled ? { sqThreadIdle: 20 } : {}),
    });
  }

  /** Drains; `again` is called each time that it waited in vain, with how often that was. */
  drain(
    again: (times: number) => void = () => {},
    patience = PATIENCE,
    more = 0,
  ): void {
    const mapping = this.#mapping;
    assert(mapping !== undefined);
    const { seen, kernel } = this;
    const wait = () => again(++seen.again);
    const late = () => {
      seen.late++;
      return more;
    };
    drain(kernel, mapping, wait, patience, late);
  }

  [Symbol.dispose](): void {
    this.ring.close();
  }
}

function test(name: string, flags: number, body: (subject: Subject) => void) {
  Deno.test({
    name: `drain: ${name}`,
    ignore: ignore || !canMake(flags),
    fn() {
      using subject = new Subject(flags);
      body(subject);
    },
  });
}

/** A pipe to read from, and memory to read to. */
class Source implements Disposable {
  readonly #fds = new Fds();
  readonly #memory = new Memory(4096);
  readonly #pipe = this.#fds.pipe();

  /** Queues a read that waits for {@linkcode Source.give}. */
  read(ring: Ring, flags = 0): void {
    const [reader] = this.#pipe;
    queue(ring, (sqe) => {
      prepRead(sqe, reader, this.#memory.address, 1, 0);
      sqe.flags = flags;
    });
  }

  give(): void {
    writeNow(this.#pipe[1], Uint8Array.of(1));
  }

  get arrived(): boolean {
    return this.#memory.bytes[0] === 1;
  }

  [Symbol.dispose](): void {
    this.#fds[Symbol.dispose]();
    this.#memory.close();
  }
}

const kinds: [name: string, flags: number][] = [
  ["plain", 0],
  ["wide entries", IORING_SETUP_SQE128],
  ["wide completions", IORING_SETUP_CQE32],
  ["all wide", IORING_SETUP_SQE128 | IORING_SETUP_CQE32],
  ["mixed completions", IORING_SETUP_CQE_MIXED],
  ["SQPOLL", IORING_SETUP_SQPOLL],
];

for (const [name, flags] of kinds) {
  test(`finds its NOP behind what nobody took [${name}]`, flags, (subject) => {
    const { ring, seen } = subject;
    const wide = flags & (IORING_SETUP_CQE32 | IORING_SETUP_CQE_MIXED);
    // Around the submission queue, and not to where it begins.
    for (let round = 0; round < 5; round++) {
      queue(ring, (sqe) => {
        prepNop(sqe);
        if (wide !== 0) sqe.opFlags = IORING_NOP_CQE32;
      });
      ring.submitAndWait(round + 1);
    }
    // Dropped: it would never be done.
    using fds = new Fds();
    const [reader] = fds.pipe();
    queue(ring, (sqe) => prepPollAdd(sqe, reader, POLLIN));
    subject.drain();
    assertEquals(seen.late, 0);
    assertEquals(ring.cq.overflow, 0);
  });

  test(`waits for what is in flight [${name}]`, flags, (subject) => {
    const { ring, seen } = subject;
    using source = new Source();
    source.read(ring);
    // Nearly the NOP's own.
    for (const userData of [LOW, HIGH, LOW | HIGH << 1n]) {
      queue(ring, (sqe) => {
        prepNop(sqe);
        sqe.userData = BigInt.asUintN(64, userData);
      });
    }
    ring.submitAndWait(3);
    // Of what was not submitted nothing is left in the NOP.
    queue(ring, (sqe) => {
      sqe.words.fill(-1, sqe.base, sqe.base + (sqe.byteLength >> 2));
    });
    subject.drain((times) => {
      if (times === 3) source.give();
    });
    assert(source.arrived);
    assertEquals(seen.late, 0);
  });
}

test("an open chain is not all there is", IORING_SETUP_SQPOLL, (subject) => {
  const { ring, seen } = subject;
  using other = new Source();
  using chained = new Source();
  other.read(ring);
  chained.read(ring, IOSQE_IO_LINK);
  ring.submit();
  subject.drain((times) => {
    if (times === 2) chained.give();
    if (times === 5) other.give();
  });
  assert(other.arrived);
  assertEquals(seen.late, 0);
});

function awaitSleep(ring: Ring): void {
  queue(ring, prepNop);
  ring.submitAndWait(1);
  const end = performance.now() + PATIENCE;
  while (!ring.sq.needsWakeup && performance.now() < end);
  assert(ring.sq.needsWakeup);
}

test("wakes a thread that sleeps", IORING_SETUP_SQPOLL, (subject) => {
  awaitSleep(subject.ring);
  subject.drain();
  assertEquals(subject.seen.late, 0);
});

test("finds room in a full queue", IORING_SETUP_SQPOLL, (subject) => {
  const { ring, seen } = subject;
  awaitSleep(ring);
  using source = new Source();
  source.give();
  source.read(ring);
  while (ring.sq.space > 0) queue(ring, prepNop);
  subject.refusals = 1; // The thread sleeps on.
  ring.submit();
  subject.drain();
  assert(source.arrived, "no entry was written over");
  assertEquals(seen.late, 0);
});

test("asks again where the kernel takes nothing", 0, (subject) => {
  queue(subject.ring, prepNop);
  subject.ring.submitAndWait(1);
  subject.refusals = 3;
  subject.drain();
  assertEquals(subject.seen.late, 0);
  assertEquals(subject.seen.again > 0, true);
});

test("gives up where it may not ask", IORING_SETUP_R_DISABLED, (subject) => {
  subject.drain();
  assertEquals(subject.seen, { again: 0, late: 0 });
});

test("what takes too long is waited for once more, or not", 0, (subject) => {
  const { ring, seen } = subject;
  using source = new Source();
  source.read(ring);
  ring.submit();
  subject.drain(() => {}, 5);
  assertEquals(seen.late, 1);
  assert(!source.arrived);
  seen.late = 0;
  subject.drain(() => {}, 5, 20);
  assertEquals(seen.late, 1, "asked once");
  let since = 0;
  const again = () => {
    if (seen.late === 2 && ++since === 3) source.give();
  };
  subject.drain(again, 5, PATIENCE);
  assert(source.arrived);
});
