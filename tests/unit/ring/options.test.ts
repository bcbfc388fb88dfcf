/** What a ring's options ask the kernel for, which it refuses at once, and how a wait is written. */

import { assertEquals, assertThrows } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { io_uring_getevents_arg as getevents } from "../../../ffi/layout.ts";
import { checkWorkers } from "../../../ring/modes.ts";
import { isSilent, setupRequest } from "../../../ring/options.ts";
import { checkWait, newWaitArgument, writeWait } from "../../../ring/wait.ts";
import { refuses } from "../../support/entry.ts";

const plain = {
  entries: 128,
  flags: 0,
  cqEntries: 0,
  sqThreadIdle: 0,
  sqThreadCpu: 0,
  wqFd: 0,
};

Deno.test("options: what the kernel is asked for", () => {
  assertEquals(setupRequest({}), plain);
  assertEquals(setupRequest(7), { ...plain, entries: 7 });
  assertEquals(setupRequest({ cqEntries: 500 }), {
    ...plain,
    cqEntries: 500,
    flags: abi.IORING_SETUP_CQSIZE,
  });
  const polled = { sqpoll: true, sqThreadIdle: 9, sqThreadCpu: 3 };
  assertEquals(setupRequest(polled), {
    ...plain,
    sqThreadIdle: 9,
    sqThreadCpu: 3,
    flags: abi.IORING_SETUP_SQPOLL | abi.IORING_SETUP_SQ_AFF,
  });
  for (const attachTo of [5, { fd: 5 }]) {
    const flags = abi.IORING_SETUP_ATTACH_WQ;
    assertEquals(setupRequest({ attachTo }), { ...plain, flags, wqFd: 5 });
  }
  const flags = abi.IORING_SETUP_CLAMP;
  const most = 0x7fff_ffff;
  const clamped = setupRequest({ flags, entries: most, cqEntries: most });
  assertEquals([clamped.entries, clamped.cqEntries], [most, most]);
});

Deno.test("options: what goes by no name, or not together", () => {
  const cases: [flags: number, word: string][] = [
    [abi.IORING_SETUP_NO_MMAP, "NO_MMAP"],
    [abi.IORING_SETUP_REGISTERED_FD_ONLY, "REGISTERED_FD_ONLY"],
    [abi.IORING_SETUP_CQE32 | abi.IORING_SETUP_CQE_MIXED, "CQE_MIXED"],
    [abi.IORING_SETUP_SQE128 | abi.IORING_SETUP_SQE_MIXED, "SQE_MIXED"],
    [abi.IORING_SETUP_SQ_REWIND | abi.IORING_SETUP_SQPOLL, "SQ_REWIND"],
    [abi.IORING_SETUP_COOP_TASKRUN | abi.IORING_SETUP_SQPOLL, "COOP_TASKRUN"],
  ];
  for (const [flags, word] of cases) {
    refuses(RangeError, word, setupRequest, { flags });
  }
  const sqpoll = true;
  for (const value of [-1, 0.5, 2 ** 32]) {
    const idle = { sqpoll, sqThreadIdle: value };
    refuses(RangeError, "sqThreadIdle", setupRequest, idle);
    const cpu = { sqpoll, sqThreadCpu: value };
    refuses(RangeError, "sqThreadCpu", setupRequest, cpu);
  }
  for (const attachTo of [null, {}, "5", { fd: "5" }]) {
    refuses(TypeError, "attachTo must be a Ring", setupRequest, { attachTo });
  }
});

Deno.test("options: workers take every op unless told otherwise", () => {
  const always = [true, {}, { bounded: 2 }, false, undefined, { always: false }]
    .map((workers) => checkWorkers(workers).always);
  assertEquals(always, [true, true, true, false, false, false]);
});

Deno.test("options: which rings must be asked for completions", () => {
  const { IORING_SETUP_IOPOLL: IOPOLL, IORING_SETUP_SQPOLL: SQPOLL } = abi;
  const DEFER = abi.IORING_SETUP_DEFER_TASKRUN;
  const FLAG = abi.IORING_SETUP_TASKRUN_FLAG;
  const silent = [0, SQPOLL, IOPOLL, IOPOLL | SQPOLL, DEFER, DEFER | FLAG];
  assertEquals(
    silent.map(isSilent),
    [false, false, true, false, true, false],
  );
});

Deno.test("waits: what they may be, and how they are written", () => {
  refuses(
    RangeError,
    "minWait",
    checkWait,
    "Ring.wait",
    { minWait: -1 },
    0xffff_ffff,
  );
  refuses(
    RangeError,
    "minWait",
    checkWait,
    "Ring.wait",
    { minWait: 2 ** 32 },
    0xffff_ffff,
  );
  refuses(
    RangeError,
    "timeout",
    checkWait,
    "Ring.wait",
    { timeout: -1 },
    0xffff_ffff,
  );
  assertThrows(
    () => checkWait("Ring.wait", { minWait: 1 }, 0),
    Error,
    "Linux 6.12",
  );
  checkWait(
    "Ring.wait",
    { minWait: 1, timeout: 1 },
    abi.IORING_FEAT_MIN_TIMEOUT,
  );
  checkWait("Ring.wait", { timeout: 1 }, 0);

  const block = newWaitArgument();
  const { view, address } = block;
  const written = () => [
    view.getBigUint64(getevents.sigmask, true),
    view.getBigUint64(getevents.ts, true),
    view.getUint32(getevents.min_wait_usec, true),
  ];
  writeWait(block, 1500, undefined);
  assertEquals(written(), [0n, BigInt(address + getevents.size), 0]);
  assertEquals(view.getBigInt64(getevents.size, true), 1n);
  assertEquals(view.getBigInt64(getevents.size + 8, true), 500_000_000n);
  // The same block again: no time is left from before.
  writeWait(block, Infinity, 2);
  assertEquals(written(), [0n, 0n, 2000]);
  block.release();
});
