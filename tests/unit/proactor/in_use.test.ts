/** What ops in flight use, told by what they encode; and when nobody uses it any more. */

import { assertEquals } from "@std/assert";
import {
  AF_INET,
  IORING_FEAT_RW_ATTR,
  IORING_FILE_INDEX_ALLOC,
  IOSQE_FIXED_FILE,
  SOCK_STREAM,
} from "../../../ffi/mod.ts";
import * as ops from "../../../ops/mod.ts";
import { fixedFile, type Op } from "../../../ops/mod.ts";
import type { Engine } from "../../../proactor/engine.ts";
import {
  entryOf,
  usesFile,
  usesGroup,
  whenTablesRest,
  whenUnused,
} from "../../../proactor/in_use.ts";
import { plainExtra, type Slot } from "../../../proactor/slots.ts";
import { Ledger } from "../../simulated/ledger.ts";

const bytes = new Uint8Array(8);

/** An op in flight. */
function slotOf(op: Op<unknown>, flags = 0): Slot {
  const extra = { ...plainExtra(), flags };
  return { op, tag: 1, extra: flags === 0 ? null : extra } as Slot;
}

const message = { buffers: bytes };

/** Ops by what they use of the table of files. -2 is a slot that the kernel chooses. */
const FILES: [Op<unknown>, number[]][] = [
  [ops.read(3, bytes), []],
  [ops.read(fixedFile(3), bytes), [3]],
  [ops.splice(fixedFile(3), 4, 1), [3]],
  [ops.splice(3, fixedFile(4), 1), [4]],
  [ops.splice(3, 4, 1), []],
  [ops.tee(fixedFile(3), fixedFile(4), 1), [3, 4]],
  [ops.openat("/", 0), []],
  [ops.openatDirect("/", 0, 3), [3]],
  [ops.openat2Direct("/", { flags: 0 }, 3), [3]],
  [ops.acceptDirect(4, 3), [3]],
  [ops.socketDirect(AF_INET, SOCK_STREAM, 3), [3]],
  [ops.socketDirectAlloc(AF_INET, SOCK_STREAM), [-2]],
  [ops.pipe(), []],
  [ops.pipeDirect(3), [3, 4]],
  [ops.pipeDirect(IORING_FILE_INDEX_ALLOC), [-2]],
  [ops.close(3), []],
  [ops.closeDirect(3), [3]],
  [ops.msgRingFd(4, fixedFile(3), 5), [3]],
  [ops.msgRing(4, 3, 3), []],
  [ops.filesUpdate([0, -1], 3), [3, 4]],
  [ops.filesUpdateAlloc([0]), [-2]],
];

Deno.test("in use: the registered files of an op", () => {
  for (const [op, files] of FILES) {
    const slot = slotOf(op);
    const used = [-2, 0, 1, 2, 3, 4, 5].filter((at) => usesFile(slot, at));
    assertEquals(used, files, op.name);
    assertEquals(usesFile(slot), files.length > 0, op.name);
  }
  // The flag may be the caller's.
  assertEquals(usesFile(slotOf(ops.fsync(3), IOSQE_FIXED_FILE), 3), true);
});

Deno.test("in use: the group of buffers of an op", () => {
  const op = ops.recv(3, { bufferGroup: 7 });
  const groups = [0, 7, 8].map((group) => usesGroup(slotOf(op), group));
  assertEquals(groups, [false, true, false]);
  const fixed = slotOf(ops.readFixed(3, bytes, 7));
  assertEquals(usesGroup(fixed, 7), false, "the index of a buffer");
});

Deno.test("in use: of an op whose buffer was transferred away nobody can tell", () => {
  const gone = new Uint8Array(8);
  const slot = slotOf(ops.read(3, gone));
  gone.buffer.transfer();
  assertEquals([usesFile(slot, 3), usesGroup(slot, 7)], [true, true]);
});

Deno.test("in use: to ask an op what it uses leaves nothing behind", () => {
  using ledger = new Ledger();
  entryOf(ops.openat("/", 0));
  assertEquals(ledger.taken.size, 0);
});

Deno.test("in use: on a ring that broke nobody is waited for", () => {
  const reason = new Error("broken");
  const engine = {
    ring: { features: 0 },
    broken: reason,
    queued: 0,
    slots: () => [slotOf(ops.read(fixedFile(3), bytes))],
  };
  const told: unknown[] = [];
  whenTablesRest(engine as unknown as Engine, (broken) => told.push(broken));
  assertEquals(told, [reason]);
});

Deno.test("in use: who is waited for is named once, unless it ended meanwhile", () => {
  const [first, second, other] = [1, 2, 3].map((tag) => {
    const slot = slotOf(ops.read(fixedFile(3), bytes));
    return Object.assign(slot, { tag });
  }) as [Slot, Slot, Slot];
  const engine = { queued: 0, slots: () => [first, second, other] };
  const named: Slot[] = [];
  whenUnused(engine as unknown as Engine, (slot) => slot !== other, () => {}, (
    slot,
  ) => {
    named.push(slot);
    // To cancel the first ends the second, whose slot is another op's then.
    second.tag++;
  });
  assertEquals(named, [first]);
});

/** Whether the tables can be given up while an op is in flight. */
function rests(op: Op<unknown>, features: number): boolean {
  const engine = {
    ring: { features },
    broken: undefined,
    queued: 0,
    slots: () => [slotOf(op)],
  };
  let done = false;
  whenTablesRest(engine as unknown as Engine, () => done = true);
  return done;
}

Deno.test("in use: what uses a table is waited for, where the kernel would wait for it", () => {
  const users = [
    ops.read(fixedFile(3), bytes),
    ops.readFixed(3, bytes, 0),
    ops.writeFixed(3, bytes, 0),
    ops.sendZcFixed(3, bytes, 0),
    ops.sendmsgZcFixed(3, message, 0),
    ops.uringCmd(3, 1, { bufIndex: 0 }),
  ];
  const others = [
    ops.read(3, bytes),
    ops.sendZc(3, bytes),
    ops.sendmsgZc(3, message),
    ops.uringCmd(3, 1),
  ];
  for (const op of users) {
    assertEquals(rests(op, 0), false, op.name);
    assertEquals(rests(op, IORING_FEAT_RW_ATTR), true, op.name);
  }
  for (const op of others) assertEquals(rests(op, 0), true, op.name);
});
