/** `run`: one op on a ring, and nothing lost meanwhile. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { closeSync, openSync } from "node:fs";
import {
  EBADF,
  EBADFD,
  ECANCELED,
  ENOENT,
  ETIMEDOUT,
} from "../../ffi/linux.ts";
import {
  AF_INET,
  type Block,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_FSYNC,
  IORING_OP_NOP,
  IORING_OP_POLL_ADD,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_IOPOLL,
  IORING_SETUP_R_DISABLED,
  IOSQE_ASYNC,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
  isSystemError,
  type Kernel,
  O_RDONLY,
  openKernel,
  POLLIN,
  SOCK_STREAM,
  takeBlock,
} from "../../ffi/mod.ts";
import { cancel, cancelAny } from "../../ops/cancel.ts";
import { uringCmd128 } from "../../ops/command.ts";
import { fixedFile } from "../../ops/fd.ts";
import { fsync, prepFsync } from "../../ops/file.ts";
import { nop, nop128, prepNop } from "../../ops/nop.ts";
import { count, type Held, nothing, Op, release } from "../../ops/op.ts";
import { close, openat } from "../../ops/open.ts";
import { pollMultishot, prepPollMultishot } from "../../ops/poll.ts";
import { run, StrayCompletions } from "../../ops/run.ts";
import { read } from "../../ops/rw.ts";
import { sendZc } from "../../ops/send_zc.ts";
import { connect, socket } from "../../ops/socket.ts";
import { timeout, timeoutRemove } from "../../ops/timeout.ts";
import { Cqe, Ring, type Sqe } from "../../ring/mod.ts";
import { errnoOf } from "../support/errno.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { queue } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";
import { canMake } from "../support/setup.ts";
import { Fds, kernelSince, writeNow } from "../support/sockets.ts";

const HOUR = 3_600_000;
const NO_FILE = 0x7fff_ffff;

/** A NOP that holds a block, to see when that is given back. */
function holding(block: Block, fail = false): Op<void> {
  return Op.of({
    opcode: IORING_OP_NOP,
    name: "holding",
    encode: (sqe) => {
      prepNop(sqe);
      return block;
    },
    decode: (completion) => {
      if (fail) throw new Error("cannot be decoded");
      nothing(completion);
    },
  });
}

/** Whether a block went back to the pool: its `keep` is dropped then. */
function released(block: Block): boolean {
  return block.keep === undefined;
}

eachRing(
  "run: hundreds, around the queues",
  { options: { entries: 4 } },
  (ring) => {
    for (let round = 0; round < 300; round++) assertEquals(run(ring, nop()), 0);
    assertEquals([ring.sq.space, ring.cq.ready], [4, 0]);
  },
);

eachRing("run: flags that one op can have", {}, (ring) => {
  assertEquals(run(ring, nop(), { flags: IOSQE_ASYNC | IOSQE_IO_DRAIN }), 0);
  for (
    const flags of [
      IOSQE_IO_LINK,
      IOSQE_IO_HARDLINK,
      IOSQE_CQE_SKIP_SUCCESS,
      256,
    ]
  ) {
    assertThrows(
      () => run(ring, nop(), { flags }),
      RangeError,
      `got ${flags}.`,
    );
  }
});

eachRing("run: bad arguments are refused", {}, (ring) => {
  const loose = run as (...args: unknown[]) => unknown;
  assertThrows(() => loose({}, nop()), TypeError, "ring must be a Ring");
  assertThrows(() => loose(ring, {}), TypeError, "op must be an Op");
  assertThrows(
    () => loose(ring, nop(), { flags: "1" }),
    TypeError,
    "run: flags",
  );
  assertThrows(
    () => loose(ring, nop(), { timeout: -1 }),
    RangeError,
    "run: timeout",
  );
  assertThrows(() => loose(ring, pollMultishot(0, 1)), TypeError, "multishot");
  for (const op of [nop128(), uringCmd128(0, 0)]) {
    assertThrows(() => loose(ring, op), TypeError, "of 64 bytes only");
  }
  assertEquals(ring.sq.ready, 0);
});

eachRing("run: refuses a ring that is closed", {}, (ring) => {
  ring.close();
  assertThrows(() => run(ring, nop()), TypeError, "closed");
});

eachRing("run: memory is given back, after success and failure", {}, (ring) => {
  for (const fail of [false, true]) {
    const block = takeBlock(64);
    block.keep = "something";
    const op = holding(block, fail);
    if (fail) assertThrows(() => run(ring, op), Error, "cannot be decoded");
    else run(ring, op);
    assert(released(block));
  }
});

/** An op in whose place another one is run. */
class Replaced extends Op<void> {
  readonly #first: Op<void>;
  readonly #second: Op<void>;

  constructor(first: Op<void>, second: Op<void>) {
    super(first.opcode, first.name);
    this.#first = first;
    this.#second = second;
  }

  override encode(sqe: Sqe): Held {
    return this.#first.encode(sqe);
  }

  override decode(): void {}

  override retry(): Op<void> {
    return this.#second;
  }
}

eachRing("run: an op in the place of another, and its result", {}, (ring) => {
  const [first, second] = [takeBlock(64), takeBlock(64)];
  first.keep = second.keep = "something";
  const failing = Op.of({
    opcode: IORING_OP_FSYNC,
    name: "failing",
    encode: (sqe) => {
      prepFsync(sqe, NO_FILE, 0);
      return second;
    },
    decode: nothing,
  });
  const op = new Replaced(holding(first), failing);
  assertEquals(errnoOf(() => run(ring, op)), EBADF);
  assert(released(first));
  assert(released(second));
});

eachRing("run: is over with the last completion, not the first", {
  when: kernelSince(5, 19), // cancelAny
}, (ring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const many = Op.of({
    opcode: IORING_OP_POLL_ADD,
    name: "many",
    encode: (sqe): undefined => {
      prepPollMultishot(sqe, reader, POLLIN);
    },
    decode: count,
  });
  writeNow(writer, Uint8Array.of(1));
  assertEquals(run(ring, many, { timeout: 20 }) & POLLIN, POLLIN);
  assertEquals(run(ring, cancelAny()), 0, "nothing is in flight");
});

eachRing("run: the op's own flags stay", {}, (ring) => {
  const fd = openSync("/dev/zero", "r");
  ring.files.register([fd]);
  closeSync(fd);
  const buffer = new Uint8Array(8).fill(1);
  const op = read(fixedFile(0), buffer);
  assertEquals(run(ring, op, { flags: IOSQE_ASYNC }), 8);
  assertEquals(buffer, new Uint8Array(8));
});

eachRing("run: EBADF is what it says, where any file will do", {}, (ring) => {
  if (ring.needsFixedFiles) return;
  const error = assertThrows(() => run(ring, fsync(NO_FILE)));
  assert(isSystemError(error) && error.code === "EBADF");
  assert(!error.message.includes("5.11"), error.message);
});

eachRing(
  "run: an op that cannot be encoded leaves the ring as it was",
  {},
  (ring) => {
    const broken = Op.of({
      opcode: IORING_OP_NOP,
      name: "broken",
      encode: (sqe): undefined => {
        // A NOP with these would be linked to the next op, and never tell.
        sqe.flags = IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
        sqe.fd = 12345;
        throw new RangeError("this one not");
      },
      decode: nothing,
    });
    assertThrows(() => run(ring, broken), RangeError, "this one not");
    assertEquals([ring.sq.ready, ring.cq.ready], [0, 0]);
    assertEquals(run(ring, nop()), 0);
  },
);

eachRing("run: a ring with completions to take is refused", {}, (ring) => {
  queue(ring, nop(), 1);
  ring.submitAndWait(1);
  assertThrows(() => run(ring, nop()), Error, "1 completions of other ops");
  const seen: number[] = [];
  ring.forEachCqe((cqe) => seen.push(cqe.tag));
  assertEquals(seen, [1]);
  assertEquals(run(ring, nop()), 0);
});

eachRing("run: a ring with submissions in its queue is refused", {
  only: ["liburing", "syscall", "deferred"],
}, (ring) => {
  queue(ring, nop(), 1);
  assertThrows(() => run(ring, nop()), Error, "1 submissions");
  ring.submitAndWait(1);
  assertEquals(ring.forEachCqe((cqe) => assertEquals(cqe.tag, 1)), 1);
});

eachRing("run: others takes what came, and what was queued", {}, (ring) => {
  queue(ring, nop(), 1);
  ring.submitAndWait(1);
  queue(ring, nop(), 2);
  const others: [number, number][] = [];
  const take = (completions: Cqe[]) => {
    for (const { tag, res } of completions) others.push([tag, res]);
  };
  assertEquals(run(ring, nop(), { others: take }), 0);
  while (others.length < 2) run(ring, nop(), { others: take });
  assertEquals(others, [[1, 0], [2, 0]]);
});

eachRing("run: others is not called for nothing", {}, (ring) => {
  const others = () => {
    throw new Error("called");
  };
  assertEquals(run(ring, nop(), { others }), 0);
});

eachRing(
  "run: a full submission queue is flushed",
  { options: { entries: 4 } },
  (ring) => {
    for (let tag = 1; tag <= 4; tag++) queue(ring, nop(), tag);
    const seen: number[] = [];
    const others = (completions: Cqe[]) => {
      seen.push(...completions.map(({ tag }) => tag));
    };
    assertEquals(run(ring, nop(), { others }), 0);
    while (seen.length < 4) run(ring, nop(), { others });
    assertEquals(seen, [1, 2, 3, 4]);
  },
);

eachRing("run: completions that nobody takes come in an error", {}, (ring) => {
  const held = queue(ring, timeout(HOUR), 7);
  ring.submit();
  const error = assertThrows(
    () => run(ring, cancel(7)),
    StrayCompletions,
    "async_cancel",
  );
  assertEquals(error.result, 1);
  assertEquals(error.cause, undefined);
  const [stray, ...more] = error.completions;
  assert(stray instanceof Cqe && more.length === 0);
  assertEquals([stray.tag, stray.res, stray.userData], [7, -ECANCELED, 7n]);
  release(held);
  assertEquals(run(ring, nop()), 0);
});

eachRing(
  "run: the op's own failure is the cause of such an error",
  {},
  (ring) => {
    const held = queue(ring, timeout(100), 7);
    ring.submit();
    // Drained: it starts when the timeout is over.
    const flags = IOSQE_IO_DRAIN;
    const failing = () => run(ring, timeoutRemove(0xdead), { flags });
    const error = assertThrows(failing, StrayCompletions);
    assert(isSystemError(error.cause));
    assertEquals([error.cause.errno, error.result], [ENOENT, undefined]);
    assertEquals(error.completions.map(({ tag }) => tag), [7]);
    release(held);
  },
);

// IORING_NOP_CQE32 is as old as the rings with completions of both sizes.
eachRing(
  "run: others gets big completions whole",
  {
    when: canMake(IORING_SETUP_CQE_MIXED),
    options: { flags: IORING_SETUP_CQE32 },
  },
  (ring) => {
    queue(ring, nop({ bigCqe: [11n, 2n ** 63n] }), 1);
    ring.submitAndWait(1);
    let words: bigint[] = [];
    const others = ([cqe]: Cqe[]) => {
      if (cqe !== undefined) words = [cqe.bigCqe(0), cqe.bigCqe(1)];
    };
    run(ring, nop(), { others });
    assertEquals(words, [11n, 2n ** 63n]);
  },
);

eachRing("run: not from within a visit, where nothing can be taken", {}, (
  ring,
) => {
  const held = queue(ring, timeout(0), 7);
  ring.submitAndWait(1);
  const others = () => {};
  ring.forEachCqe(() => {
    const within = () => run(ring, nop(), { others });
    assertThrows(within, Error, "from within a visit");
  });
  assertEquals(ring.cq.ready, 0);
  assertEquals(run(ring, nop()), 0);
  release(held);
});

eachRing("run: what takes too long is cancelled", {}, (ring) => {
  const error = assertThrows(
    () => run(ring, timeout(HOUR), { timeout: 5 }),
    Deno.errors.TimedOut,
    "timeout: ",
  );
  assert(isSystemError(error) && error.errno === ETIMEDOUT);
  assertEquals([ring.sq.ready, ring.cq.ready], [0, 0]);
  assertEquals(run(ring, nop()), 0);
});

/** A kernel in which so many cancellations come too early, and find nothing. */
function slippery(missed: number): Kernel {
  const real = openKernel("syscall");
  let sqes = new Int32Array();
  return {
    backend: real.backend,
    version: real.version,
    setup(request) {
      const mapping = real.setup(request);
      sqes = new Int32Array(mapping.sqes);
      return mapping;
    },
    enter(...call) {
      for (let base = 0; base < sqes.length; base += 16) {
        const opcode = (sqes[base] as number) & 0xff;
        if (opcode !== IORING_OP_ASYNC_CANCEL || missed-- <= 0) continue;
        sqes[base + 4] = 1; // nobody's user_data
      }
      return real.enter(...call);
    },
    enter2: (...call) => real.enter2(...call),
    register: (...call) => real.register(...call),
    resize: (...call) => real.resize(...call),
    close: (mapping) => real.close(mapping),
  };
}

Deno.test("run: what slips through a cancellation is cancelled again", () => {
  for (const missed of [0, 1, 3]) {
    using ring = new Ring({ entries: 4, backend: slippery(missed) });
    assertThrows(
      () => run(ring, timeout(HOUR), { timeout: 1 }),
      Deno.errors.TimedOut,
    );
    assertEquals([ring.sq.ready, ring.cq.ready], [0, 0]);
    assertEquals(run(ring, nop()), 0);
  }
});

eachRing("run: what a worker sleeps in takes too long, too", {}, (ring) => {
  using directory = new TemporaryDirectory();
  const path = directory.join("fifo");
  assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
  // Until somebody writes: the kernel's worker is interrupted.
  const op = openat(path, O_RDONLY);
  const late = () => run(ring, op, { flags: IOSQE_ASYNC, timeout: 20 });
  const error = assertThrows(late, Deno.errors.TimedOut);
  assert(error.message.includes("cancelled after 20 ms"), error.message);
});

eachRing("run: what was interrupted is EINTR, in the kernel's own words too", {
  when: kernelSince(6, 10),
}, (ring) => {
  for (const result of [-4, -512, -513, -514, -516]) {
    const interrupted = () => run(ring, nop({ result }));
    assertThrows(interrupted, Deno.errors.Interrupted, "(EINTR)");
  }
});

eachRing("run: what another cancelled did not take too long", {
  when: kernelSince(6, 10),
}, (ring) => {
  for (const options of [{}, { timeout: HOUR }]) {
    const cancelled = () => run(ring, nop({ result: -ECANCELED }), options);
    assertEquals(errnoOf(cancelled), ECANCELED);
  }
});

eachRing("run: what is done in time is not cancelled", {}, (ring) => {
  assertEquals(run(ring, nop(), { timeout: 10_000 }), 0);
  assertEquals(run(ring, timeout(1), { timeout: 10_000 }), true);
  const failing = timeoutRemove(1);
  assertThrows(
    () => run(ring, failing, { timeout: 10_000 }),
    Deno.errors.NotFound,
  );
});

eachRing("run: others get theirs when the time runs out", {}, (ring) => {
  const held = queue(ring, timeout(1), 7);
  const seen: number[] = [];
  const others = (completions: Cqe[]) => {
    seen.push(...completions.map(({ tag }) => tag));
  };
  const late = () => run(ring, timeout(HOUR), { timeout: 30, others });
  assertThrows(late, Deno.errors.TimedOut);
  assertEquals(seen, [7]);
  release(held);
});

eachRing("run: a zero-copy send is done when its buffer is free", {
  needs: ["sendZc"],
}, (ring) => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const fd = run(ring, socket(AF_INET, SOCK_STREAM));
  run(ring, connect(fd, { hostname: "127.0.0.1", port }));
  for (let round = 0; round < 20; round++) {
    assertEquals(run(ring, sendZc(fd, new Uint8Array(1000))), 1000);
    assertEquals(ring.cq.ready, 0);
    assertEquals(run(ring, nop()), 0);
  }
  run(ring, close(fd));
  listener.close();
});

Deno.test("run: a ring that refuses to be entered keeps the op's memory", () => {
  using ring = new Ring({ entries: 4, flags: IORING_SETUP_R_DISABLED });
  const block = takeBlock(64);
  block.keep = "something";
  assertEquals(errnoOf(() => run(ring, holding(block))), EBADFD);
  assert(!released(block));
});

Deno.test({
  name: "run: on a ring that polls for completions",
  // Before that, reads and writes alone.
  ignore: !kernelSince(5, 19),
  fn() {
    using ring = new Ring({ entries: 4, flags: IORING_SETUP_IOPOLL });
    assertEquals(run(ring, nop()), 0);
    assertEquals(run(ring, nop(), { timeout: 1000 }), 0);
    assertEquals(ring.cq.ready, 0);
  },
});
