/** What all ops have in common: failures, ends and undoing; what they hold, and room for it. */

import { assert, assertEquals } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { Block, takeBlock } from "../../../ffi/block.ts";
import { ECANCELED, EINVAL, ETIME } from "../../../ffi/linux.ts";
import { Memory, type View } from "../../../ffi/memory.ts";
import { FixedFile, fixedFile } from "../../../ops/fd.ts";
import * as ops from "../../../ops/mod.ts";
import { type Op, release } from "../../../ops/op.ts";
import { Sqe } from "../../../ring/mod.ts";
import { encode, encodeBlock } from "../../support/entry.ts";
import { canReserve } from "../../support/memory.ts";

const bytes = new Uint8Array(100);
const group = { bufferGroup: 1 };

Deno.test("multishots: which completion is the end of it all", () => {
  const stream = { ...group, kind: "stream" } as const;
  const datagram = { ...group, kind: "datagram" } as const;
  const room = { nameLength: 16, controlLength: 32 };
  const cases: [Op<unknown>, [res: number, end: boolean][]][] = [
    [ops.acceptMultishot(3), [[5, false], [0, false]]],
    [ops.acceptMultishotDirect(3), [[5, false], [0, false]]],
    [ops.pollMultishot(3, 1), [[1, false]]],
    [ops.readMultishot(3, group), [[5, false], [0, true]]],
    [ops.recvMultishot(3, group), [[5, false], [0, true]]],
    [ops.recvMultishot(3, datagram), [[5, false], [0, false]]],
    // A header of 16 bytes, and the room: no bytes beyond are the end of a stream.
    [ops.recvmsgMultishot(3, { ...stream, ...room }), [[65, false], [
      64,
      true,
    ]]],
    [ops.recvmsgMultishot(3, { ...datagram, ...room }), [[64, false]]],
    [ops.recvmsgMultishot(3, { ...group, ...room }), [[64, false]]],
    [ops.sendBundle(3, group), [[5, false], [0, true]]],
    [ops.recvZc(3, { interfaceQueue: 0 }), [[5, false], [0, true]]],
    [ops.cmdTxTimestamp(3), [[5, true]]],
    [ops.timeoutMultishot(1), [[-ETIME, false]]],
  ];
  for (const [op, ends] of cases) {
    assert(op.multishot, op.name);
    for (const [res, end] of [...ends, [-ECANCELED, true] as const]) {
      const what = `${op.name}: ${res}`;
      assertEquals(op.ends({ res, flags: 0 }), end, what);
    }
  }
  for (const op of [ops.accept(3), ops.recv(3, bytes), ops.recv(3, group)]) {
    assertEquals(op.multishot, false, op.name);
  }
  const plain = ops.read(3, bytes);
  const ended = [5, 0, -5].map((res) => plain.ends({ res, flags: 0 }));
  assertEquals(ended, [false, false, true]);
});

Deno.test("what nobody took is closed, whichever op opened it", () => {
  const how = { flags: 0 };
  const undone = <T>(op: Op<T>, value: T) => {
    const undo = op.undo(value);
    if (undo === undefined) return undefined;
    const [{ opcode, fd, fileIndex }] = encode(undo);
    assertEquals(opcode, abi.IORING_OP_CLOSE, op.name);
    return fileIndex === 0 ? { fd } : { slot: fileIndex - 1 };
  };
  const fd = 7;
  const file = fixedFile(4);
  const address = undefined;
  assertEquals(undone(ops.openat("f", 0), fd), { fd });
  assertEquals(undone(ops.openat2("f", how), fd), { fd });
  assertEquals(undone(ops.socket(1, 1), fd), { fd });
  assertEquals(undone(ops.accept(3), { fd, address }), { fd });
  assertEquals(undone(ops.acceptMultishot(3), fd), { fd });
  assertEquals(undone(ops.fixedFdInstall(file), fd), { fd });
  const slot = 4;
  assertEquals(undone(ops.openatDirect("f", 0, slot), file), { slot });
  assertEquals(undone(ops.openat2Direct("f", how, slot), file), { slot });
  assertEquals(undone(ops.socketDirect(1, 1, slot), file), { slot });
  assertEquals(undone(ops.socketDirectAlloc(1, 1), file), { slot });
  assertEquals(undone(ops.acceptDirect(3, slot), { file, address }), { slot });
  assertEquals(undone(ops.acceptMultishotDirect(3), file), { slot });
  assertEquals(undone(ops.read(3, bytes), 5), undefined);
  assertEquals(undone(ops.close(3), undefined), undefined);
});

/** The memory that is kept for an op, besides its block's own. */
function kept(op: Op<unknown>): unknown[] {
  const [, held] = encode(op, 128);
  const keep = held instanceof Block ? held.keep : held;
  return [keep].flat(1).map((each) =>
    each instanceof Object && "words" in each ? each.words : each
  );
}

Deno.test("memory whose address the kernel has is kept", () => {
  const one: View = new Uint8Array(8);
  const two: View = new DataView(new ArrayBuffer(8));
  const both = [one, two];
  const address = { hostname: "127.0.0.1", port: 1 };
  const words = new Int32Array(2);
  const cases: [Op<unknown>, unknown[]][] = [
    [ops.read(3, one), [one]],
    [ops.write(3, one), [one]],
    [ops.readFixed(3, one, 0), [one]],
    [ops.writeFixed(3, one, 0), [one]],
    [ops.read(3, one, { cached: "only" }), [one]],
    [ops.read(3, one, { cached: "report" }), [one]],
    [ops.readv(3, both), both],
    [ops.writev(3, both), both],
    [ops.recv(3, one), [one]],
    [ops.recvmsg(3, both), both],
    [ops.send(3, one), [one]],
    [ops.sendto(3, one, address), [one]],
    [ops.sendVectored(3, both), both],
    [ops.sendmsg(3, { buffers: both }), both],
    [ops.sendZc(3, one), [one]],
    [ops.sendZc(3, one, { address }), [one]],
    [ops.sendZcFixed(3, one, 0), [one]],
    [ops.sendmsgZc(3, { buffers: both }), both],
    [ops.sendmsgZcFixed(3, { buffers: both }, 0), both],
    [ops.provideBuffers(one, 8, 0), [one]],
    [ops.madvise(one, 0), [one]],
    [ops.uringCmd(3, 0, { keep: both }), both],
    [ops.cmdGetsockoptInto(3, 0, 0, one), [one]],
    [ops.futexWait(words, 0, 0), [words]],
    [ops.futexWake(words, 0, 1), [words]],
    [ops.futexWaitv([{ words, index: 0, value: 0 }]), [words]],
  ];
  for (const [op, expected] of cases) {
    assertEquals(kept(op).length, expected.length, op.name);
    assert(kept(op).every((each, at) => each === expected[at]), op.name);
  }
});

Deno.test("a block has room for all that is written to it", () => {
  const text = "€".repeat(22);
  const raw = new Uint8Array(64).fill(1);
  const cases: [Op<unknown>, number][] = [
    [ops.mkdirat(text), 3 * 22 + 1],
    [ops.mkdirat(raw), 65],
    [ops.renameat(text, text), 2 * (3 * 22 + 1)],
    [ops.renameat(raw, raw), 2 * 65],
    [ops.statx(text), 256 + 3 * 22 + 1],
    [ops.openat2("€".repeat(20), { flags: 0 }), 24 + 3 * 20 + 1],
    [ops.epollCtl(3, 4, 1, { events: 1 }), 12],
    [ops.connect(3, { hostname: "127.0.0.1", port: 1 }), 16],
    [ops.bind(3, { path: "/s" }), 5],
    [ops.sendVectored(3, []), 1],
    [ops.getxattr(text, text, { size: 65 }), 65 + 2 * (3 * 22 + 1)],
    [ops.setxattr(text, text, raw), 64 + 2 * (3 * 22 + 1)],
    [ops.epollWait(3, 6), 72],
    [ops.filesUpdate(new Array<number>(17).fill(-1), 0), 68],
    [ops.accept(3), 8 + 128],
    [ops.recvmsg(3, bytes, { controlLength: 300 }), 56 + 16 + 128 + 300],
    [ops.readv(3, new Array<View>(5).fill(bytes)), 80],
  ];
  for (const [op, room] of cases) {
    const [, block] = encodeBlock(op);
    assert(block.bytes.length >= room, `${op.name}: ${block.bytes.length}`);
    block.release();
  }
  const [, empty] = encodeBlock(ops.cmdSetsockopt(3, 1, 1, new Uint8Array()));
  empty.release();
});

Deno.test("an op that cannot be encoded gives its block back", () => {
  const gone = (make: (view: Uint8Array<ArrayBuffer>) => Op<unknown>) => {
    const view = new Uint8Array(8);
    const op = make(view);
    view.buffer.transfer();
    return op;
  };
  const words = new Int32Array(1);
  const waitv = ops.futexWaitv([{ words, index: 0, value: 0 }]);
  words.buffer.transfer();
  const cases: [Op<unknown>, number][] = [
    [gone((view) => ops.readv(3, [view])), 16],
    [gone((view) => ops.sendVectored(3, [view])), 16],
    [gone((view) => ops.sendmsg(3, { buffers: view })), 56 + 16],
    [gone((view) => ops.recvmsg(3, view, { address: false })), 56 + 16],
    [waitv, 24],
  ];
  for (const [op, size] of cases) {
    const next = takeBlock(size);
    next.release();
    let refused: unknown;
    try {
      op.encode(new Sqe(new ArrayBuffer(64)));
    } catch (error) {
      refused = error;
    }
    assert(refused instanceof TypeError, op.name);
    const again = takeBlock(size);
    assertEquals(again.address, next.address, op.name);
    again.release();
  }
});

Deno.test("a read of the page cache: an end is no miss, and only a miss is retried", () => {
  const only = ops.read(3, bytes, { cached: "only" });
  assertEquals(only.finish({ res: 0, flags: 0 }, bytes), 0);
  assertEquals(only.finish({ res: -11, flags: 0 }, bytes), null);
  assertEquals(only.failed({ res: -5, flags: 0 }), true);
  const report = ops.read(3, bytes, { cached: "report" });
  assertEquals(report.retry({ res: -5, flags: 0 }), undefined);
  assertEquals(report.retry({ res: 0, flags: 0 }), undefined);
  const again = report.retry({ res: -11, flags: 0 });
  const result = again?.finish({ res: 0, flags: 0 }, bytes);
  assertEquals(result, { bytes: 0, hit: false });
  for (const op of [only, report, ops.readv(3, [bytes])]) {
    assert(op.errorOf(EINVAL).message.includes("With O_DIRECT"));
  }
});

Deno.test("FixedFile: an index", () => {
  for (const index of [-1, 0.5, 2 ** 31]) {
    let refused: unknown;
    try {
      new FixedFile(index);
    } catch (error) {
      refused = error;
    }
    assert(refused instanceof RangeError, String(index));
  }
});

Deno.test({
  name: "of a buffer that is larger than a transfer, as much as one moves",
  ignore: !canReserve(2 ** 32 + 4096),
  fn() {
    using memory = new Memory(2 ** 32 + 4096); // Untouched, it takes none.
    const { bytes } = memory;
    const address = { hostname: "127.0.0.1", port: 1 };
    for (
      const op of [
        ops.read(3, bytes),
        ops.write(3, bytes),
        ops.recv(3, bytes),
        ops.send(3, bytes),
        ops.sendto(3, bytes, address),
        ops.sendZc(3, bytes),
      ]
    ) {
      const [sqe, held] = encode(op);
      assertEquals(sqe.len, 0x7fff_f000, op.name);
      release(held);
    }
  },
});
