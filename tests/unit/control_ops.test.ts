/** What the builders of nop, timeouts, cancellation, rings, processes and commands encode and refuse. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import { Block } from "../../ffi/block.ts";
import { libc } from "../../ffi/libc.ts";
import { FUTEX2_PRIVATE, FUTEX2_SIZE_U32, P_PID } from "../../ffi/linux.ts";
import { addressOf } from "../../ffi/memory.ts";
import {
  cancel,
  cancelAny,
  cancelFd,
  cancelMatching,
  cancelOp,
} from "../../ops/cancel.ts";
import { cmdDiscard, uringCmd, uringCmd128 } from "../../ops/command.ts";
import { FixedFile, fixedFile } from "../../ops/fd.ts";
import { nop, nop128 } from "../../ops/nop.ts";
import { type Held, type Op, release } from "../../ops/op.ts";
import { futexWait, futexWaitv, futexWake, waitid } from "../../ops/process.ts";
import {
  filesUpdate,
  filesUpdateAlloc,
  fixedFdInstall,
  msgRing,
  msgRingFd,
  msgRingFdAlloc,
  prepFilesUpdate,
  prepProvideBuffers,
  prepRemoveBuffers,
  provideBuffers,
  removeBuffers,
} from "../../ops/ring.ts";
import {
  linkTimeout,
  timeout,
  timeoutMultishot,
  timeoutRemove,
  timeoutUpdate,
} from "../../ops/timeout.ts";
import { Sqe } from "../../ring/sqe.ts";

// Loaded for good, before a test's sanitizers look.
libc();

/** An op, encoded into an entry of its own. */
function encode(op: Op<unknown>, size: 64 | 128 = 64): [Sqe, Held] {
  const sqe = new Sqe(new ArrayBuffer(size), 0, size);
  return [sqe, op.encode(sqe)];
}

function blockOf(held: Held): Block {
  assert(held instanceof Block);
  return held;
}

/** A call that TypeScript would not allow. */
type Loose = (...args: unknown[]) => unknown;

/** Checks that a call is refused with an error of that class whose message has these words. */
function refuses(
  kind: typeof TypeError | typeof RangeError,
  words: string,
  builder: unknown,
  ...args: unknown[]
): void {
  assertThrows(() => (builder as Loose)(...args), kind, words);
}

Deno.test("nop: options become flags, result and words", () => {
  const [plain] = encode(nop());
  assertEquals([plain.opcode, plain.fd, plain.opFlags], [
    abi.IORING_OP_NOP,
    -1,
    0,
  ]);
  const [injected] = encode(nop({ result: -5 }));
  assertEquals([injected.opFlags, injected.len], [1, 0xffff_fffb]);
  const [big] = encode(
    nop128({ result: 0, bigCqe: [1n, 2n ** 64n - 1n] }),
    128,
  );
  assertEquals(big.opcode, abi.IORING_OP_NOP128);
  assertEquals(
    big.opFlags,
    abi.IORING_NOP_INJECT_RESULT | abi.IORING_NOP_CQE32,
  );
  assertEquals([big.len, big.off, big.addr], [0, 1n, 2n ** 64n - 1n]);
});

Deno.test("nop: bad options are refused", () => {
  refuses(RangeError, "nop: result must", nop, { result: 2 ** 31 });
  refuses(RangeError, "nop: result must", nop, { result: 0.5 });
  refuses(TypeError, "nop128: result must", nop128, { result: "1" });
  refuses(TypeError, "nop: bigCqe[1] must", nop, { bigCqe: [1] });
  refuses(RangeError, "nop: bigCqe[0] must", nop, { bigCqe: [2n ** 64n, 0] });
});

Deno.test("timeout: time, count and flags are encoded", () => {
  const [sqe, held] = encode(
    timeout(2500, { count: 0xffff_ffff, absolute: true, clock: "boottime" }),
  );
  const block = blockOf(held);
  assertEquals([sqe.opcode, sqe.fd, sqe.len], [abi.IORING_OP_TIMEOUT, -1, 1]);
  assertEquals([sqe.addr, sqe.off], [BigInt(block.address), 0xffff_ffffn]);
  const flags = abi.IORING_TIMEOUT_ABS | abi.IORING_TIMEOUT_BOOTTIME;
  assertEquals(sqe.opFlags, flags);
  assertEquals(block.view.getBigInt64(0, true), 2n);
  assertEquals(block.view.getBigInt64(8, true), 500_000_000n);
  release(held);

  const [repeated, again] = encode(timeoutMultishot(1, { count: 3 }));
  assertEquals([repeated.opFlags, repeated.off], [
    abi.IORING_TIMEOUT_MULTISHOT,
    3n,
  ]);
  release(again);
  assert(timeoutMultishot(1).multishot);
});

Deno.test("timeout: -ETIME is a result, other errnos are errors", () => {
  const op = timeout(1);
  const give = (res: number) => op.finish({ res, flags: 0 }, undefined);
  assertEquals(give(-62), true);
  assertEquals(give(0), false);
  assertThrows(() => give(-125), Error, "timeout: ");
  assertEquals(op.failed({ res: -62, flags: 0 }), false);
  assertEquals(op.failed({ res: -22, flags: 0 }), true);
});

Deno.test("linkTimeout: whether the time ran out, from four errnos and a quirk", () => {
  const op = linkTimeout(1, { expiryIsSuccess: true, clock: "realtime" });
  const give = (res: number) => op.finish({ res, flags: 0 }, undefined);
  assertEquals([-62, -114, -2, 1].map(give), [true, true, true, true]);
  assertEquals(give(-125), false);
  assertThrows(() => give(-22), Error, "link_timeout: ");
  const [sqe, held] = encode(op);
  assertEquals(
    sqe.opFlags,
    abi.IORING_TIMEOUT_ETIME_SUCCESS | abi.IORING_TIMEOUT_REALTIME,
  );
  release(held);
});

Deno.test("timeoutUpdate and timeoutRemove name their timeout", () => {
  const [update, held] = encode(
    timeoutUpdate(2n ** 63n, 3, { absolute: true, link: true }),
  );
  assertEquals(update.opcode, abi.IORING_OP_TIMEOUT_REMOVE);
  assertEquals([update.addr, update.len], [2n ** 63n, 0]);
  assertEquals(update.off, BigInt(blockOf(held).address));
  assertEquals(update.opFlags, 1 | abi.IORING_TIMEOUT_UPDATE_MASK);
  release(held);
  const op = timeoutRemove(7);
  assertEquals(encode(op)[0].addr, 7n);
  assertThrows(
    () => op.finish({ res: -2, flags: 0 }, undefined),
    Deno.errors.NotFound,
    "No timeout in flight has user_data 7.",
  );
});

Deno.test("timeouts: bad arguments are refused", () => {
  refuses(TypeError, "timeout: milliseconds must", timeout, "5");
  refuses(RangeError, "timeout: milliseconds must", timeout, -1);
  refuses(RangeError, "timeout: milliseconds must", timeout, Infinity);
  refuses(RangeError, "timeout: count must", timeout, 1, { count: -1 });
  refuses(TypeError, "timeout: clock must be", timeout, 1, { clock: "wall" });
  refuses(TypeError, "timeout: clock must be", timeout, 1, {
    clock: "toString",
  });
  refuses(RangeError, "timeoutMultishot: milliseconds", timeoutMultishot, NaN);
  refuses(RangeError, "timeoutMultishot: count", timeoutMultishot, 1, {
    count: 1.5,
  });
  refuses(TypeError, "timeoutRemove: userData", timeoutRemove, undefined);
  refuses(RangeError, "timeoutUpdate: userData", timeoutUpdate, 2n ** 64n, 1);
  refuses(TypeError, "timeoutUpdate: milliseconds", timeoutUpdate, 1, null);
  refuses(RangeError, "linkTimeout: milliseconds", linkTimeout, -5);
});

Deno.test("cancel: keys become flags", () => {
  const { IORING_OP_ASYNC_CANCEL: opcode } = abi;
  const fields = ({ opcode, fd, addr, len, opFlags }: Sqe) => [
    opcode,
    fd,
    addr,
    len,
    opFlags,
  ];
  const encoded = (op: Op<number>) => fields(encode(op)[0]);
  assertEquals(encoded(cancel(9n)), [opcode, -1, 9n, 0, 0]);
  assertEquals(encoded(cancel(9n, { all: true })), [opcode, -1, 9n, 0, 1]);
  assertEquals(encoded(cancelFd(4)), [opcode, 4, 0n, 0, 2]);
  assertEquals(encoded(cancelFd(fixedFile(4))), [opcode, 4, 0n, 0, 2 | 8]);
  assertEquals(encoded(cancelOp(22, { all: true })), [
    opcode,
    -1,
    0n,
    22,
    1 | 32,
  ]);
  assertEquals(encoded(cancelAny()), [opcode, -1, 0n, 0, 4]);
  const match = { userData: 1, fd: 2, opcode: 3, all: true };
  assertEquals(encoded(cancelMatching(match)), [
    opcode,
    2,
    1n,
    3,
    1 | 2 | 16 | 32,
  ]);
  assertEquals(encoded(cancelMatching({ userData: 5 })), [
    opcode,
    -1,
    5n,
    0,
    0,
  ]);
});

Deno.test("cancel: one found is 1, all found is their number", () => {
  const give = (op: Op<number>, res: number) =>
    op.finish({ res, flags: 0 }, undefined);
  assertEquals(give(cancel(1), 0), 1);
  assertEquals(give(cancel(1, { all: true }), 0), 0);
  assertEquals(give(cancelAny(), 3), 3);
  assertThrows(() => give(cancel(1), -114), Error, "EALREADY");
});

Deno.test("cancel: bad arguments are refused", () => {
  refuses(TypeError, "cancel: userData must", cancel, "1");
  refuses(RangeError, "cancel: userData must", cancel, 1.5);
  refuses(RangeError, "cancelFd: fd must", cancelFd, -1);
  refuses(TypeError, "cancelFd: fd must", cancelFd, "3");
  refuses(RangeError, "cancelOp: opcode must", cancelOp, 256);
  refuses(TypeError, "cancelOp: opcode must", cancelOp, "read");
  refuses(TypeError, "name at least one", cancelMatching, { all: true });
});

Deno.test("msgRing: result, user_data and flags are encoded", () => {
  const [sqe] = encode(msgRing(5, -3, 2n ** 40n));
  assertEquals([sqe.opcode, sqe.fd, sqe.addr], [abi.IORING_OP_MSG_RING, 5, 0n]);
  assertEquals([sqe.len, sqe.off, sqe.opFlags], [0xffff_fffd, 2n ** 40n, 0]);
  const [flagged] = encode(msgRing(5, 0, 0, { cqeFlags: 0xffff_0000 }));
  assertEquals([flagged.opFlags, flagged.fileIndex], [2, 0xffff_0000]);
});

Deno.test("msgRingFd: slots are one more than indices", () => {
  const [sqe] = encode(msgRingFd(5, fixedFile(2), 8, { userData: 4 }));
  assertEquals([sqe.addr, sqe.addr3, sqe.fileIndex], [1n, 2n, 9]);
  assertEquals([sqe.off, sqe.opFlags], [4n, 0]);
  const alloc = msgRingFdAlloc(5, fixedFile(2), { skipCompletion: true });
  const [anywhere] = encode(alloc);
  assertEquals([anywhere.fileIndex, anywhere.opFlags], [0xffff_ffff, 1]);
  assertEquals(alloc.finish({ res: 6, flags: 0 }, undefined).index, 6);
  const exact = msgRingFd(5, fixedFile(2), 8);
  assertEquals(exact.finish({ res: 0, flags: 0 }, undefined).index, 8);
});

Deno.test("messages: bad arguments are refused", () => {
  refuses(RangeError, "msgRing: ring must", msgRing, -1, 0, 0);
  refuses(TypeError, "msgRing: ring must", msgRing, fixedFile(1), 0, 0);
  refuses(RangeError, "msgRing: result must", msgRing, 1, 2 ** 31, 0);
  refuses(TypeError, "msgRing: userData must", msgRing, 1, 0);
  refuses(RangeError, "msgRing: cqeFlags", msgRing, 1, 0, 0, {
    cqeFlags: 2 ** 32,
  });
  refuses(TypeError, "msgRingFd: source must", msgRingFd, 1, 3, 0);
  refuses(RangeError, "msgRingFd: target", msgRingFd, 1, fixedFile(3), -1);
  refuses(
    RangeError,
    "msgRingFd: target",
    msgRingFd,
    1,
    fixedFile(3),
    0xffff_fffe,
  );
  refuses(TypeError, "msgRingFdAlloc: source must", msgRingFdAlloc, 1, {});
});

Deno.test("filesUpdate: descriptors go to memory of the library's own", () => {
  const fds = [4, -1, -2];
  const op = filesUpdate(fds, 7);
  fds[0] = 99;
  const [sqe, held] = encode(op);
  const { address, view } = blockOf(held);
  assertEquals([sqe.addr, sqe.len, sqe.off], [BigInt(address), 3, 7n]);
  assertEquals([0, 4, 8].map((at) => view.getInt32(at, true)), [4, -1, -2]);
  release(held);
});

Deno.test("filesUpdateAlloc: the kernel's indices become registered files", () => {
  const op = filesUpdateAlloc([4, 5, 6]);
  const [sqe, held] = encode(op);
  assertEquals(sqe.off, 0xffff_ffff_ffff_ffffn);
  const { view } = blockOf(held);
  view.setInt32(0, 11, true);
  view.setInt32(4, 12, true);
  assertEquals(op.finish({ res: 2, flags: 0 }, held), [
    new FixedFile(11),
    new FixedFile(12),
  ]);
  release(held);
});

Deno.test("filesUpdate: bad arguments are refused", () => {
  refuses(TypeError, "filesUpdate: fds must be an array", filesUpdate, 3, 0);
  refuses(RangeError, "filesUpdate: fds must not be empty", filesUpdate, [], 0);
  refuses(RangeError, "filesUpdate: fds[1] must", filesUpdate, [0, -3], 0);
  refuses(TypeError, "filesUpdate: fds[0] must", filesUpdate, new Array(1), 0);
  refuses(RangeError, "filesUpdate: offset must", filesUpdate, [0], -1);
  refuses(RangeError, "filesUpdateAlloc: fds[0] must", filesUpdateAlloc, [-1]);
});

Deno.test("provideBuffers: a view is cut into buffers", () => {
  const memory = new Uint8Array(1000).subarray(100);
  const op = provideBuffers(memory, 256, 65535, { firstId: 9 });
  const [sqe, held] = encode(op);
  assertEquals(held, memory);
  assertEquals([sqe.fd, sqe.len, sqe.off, sqe.bufIndex], [3, 256, 9n, 65535]);
  assertEquals(sqe.addr, BigInt(addressOf(memory)));
  const [back] = encode(removeBuffers(65535, 4));
  assertEquals([back.opcode, back.fd, back.bufIndex], [32, 65535, 4]);
});

Deno.test("buffers: bad arguments are refused", () => {
  const memory = new Uint8Array(100);
  const resizable = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }));
  refuses(TypeError, "provideBuffers: memory must", provideBuffers, 100, 1, 1);
  refuses(
    TypeError,
    "provideBuffers: memory is",
    provideBuffers,
    resizable,
    1,
    1,
  );
  refuses(
    RangeError,
    "provideBuffers: size must",
    provideBuffers,
    memory,
    0,
    1,
  );
  refuses(
    RangeError,
    "100 bytes are 0 buffers",
    provideBuffers,
    memory,
    101,
    1,
  );
  refuses(
    RangeError,
    "provideBuffers: group",
    provideBuffers,
    memory,
    1,
    65536,
  );
  refuses(RangeError, "there must be 1 to 1.", provideBuffers, memory, 1, 1, {
    firstId: 65535,
  });
  const tooMany = new Uint8Array(65536);
  refuses(RangeError, "1 to 65535.", provideBuffers, tooMany, 1, 1);
  refuses(RangeError, "removeBuffers: most must", removeBuffers, 0, 1);
  refuses(RangeError, "removeBuffers: most must", removeBuffers, 65536, 1);
  refuses(RangeError, "removeBuffers: group must", removeBuffers, 1, -1);
  refuses(TypeError, "fixedFdInstall: file must", fixedFdInstall, 3);
});

Deno.test("prep functions refuse what C would cut off, and leave a NOP", () => {
  const sqe = new Sqe(new ArrayBuffer(64));
  assertThrows(() => prepProvideBuffers(sqe, 0, 1, 1, 65536, 0), RangeError);
  assertThrows(() => prepRemoveBuffers(sqe, 1, 65536), RangeError);
  assertThrows(() => prepFilesUpdate(sqe, 0, 1, 2 ** 32), RangeError, "offset");
  assertEquals(sqe.opcode, 0);
});

Deno.test("fixedFdInstall: the file is a registered one", () => {
  const [sqe] = encode(fixedFdInstall(fixedFile(6), { cloexec: false }));
  assertEquals([sqe.fd, sqe.flags, sqe.opFlags], [6, abi.IOSQE_FIXED_FILE, 1]);
  assertEquals(encode(fixedFdInstall(fixedFile(6)))[0].opFlags, 0);
});

Deno.test("waitid: whom and what for, and a result only where there is news", () => {
  const op = waitid(P_PID, 0xffff_ffff, { options: 5 });
  const [sqe, held] = encode(op);
  const { address, view } = blockOf(held);
  assertEquals([sqe.fd, sqe.len, sqe.fileIndex], [-1, P_PID, 5]);
  assertEquals(sqe.off, BigInt(address));
  assertEquals(op.finish({ res: 0, flags: 0 }, held), undefined);
  view.setInt32(0, 17, true);
  view.setInt32(16, 42, true);
  assertEquals(op.finish({ res: 0, flags: 0 }, held)?.pid, 42);
  release(held);
  refuses(RangeError, "waitid: id must", waitid, P_PID, -1);
  refuses(TypeError, "waitid: idtype must", waitid, "pid", 1);
  refuses(RangeError, "waitid: options must", waitid, P_PID, 1, {
    options: 2 ** 32,
  });
});

Deno.test("futexes: word, value, mask and flags are encoded", () => {
  const words = new Int32Array(new SharedArrayBuffer(64), 16, 4);
  const address = BigInt(addressOf(words)) + 12n;
  const [wait, held] = encode(futexWait(words, 3, -1));
  assertEquals(held, words);
  assertEquals([wait.addr, wait.off, wait.addr3], [
    address,
    0xffff_ffffn,
    0xffff_ffffn,
  ]);
  assertEquals(wait.fd, FUTEX2_SIZE_U32 | FUTEX2_PRIVATE);
  const [wake] = encode(futexWake(words, 3, 5, { mask: 6, shared: true }));
  assertEquals([wake.addr, wake.off, wake.addr3], [address, 5n, 6n]);
  assertEquals(wake.fd, FUTEX2_SIZE_U32);
});

Deno.test("futexWaitv: an array of futexes, whose memory is held", () => {
  const words = new Uint32Array(2);
  const [sqe, held] = encode(futexWaitv([
    { words, index: 0, value: 1 },
    { words, index: 1, value: 2, shared: true },
  ]));
  const { address, view, keep } = blockOf(held);
  assertEquals([sqe.addr, sqe.len], [BigInt(address), 2]);
  assertEquals([view.getBigUint64(0, true), view.getUint32(16, true)], [
    1n,
    0x82,
  ]);
  assertEquals([view.getBigUint64(24, true), view.getUint32(40, true)], [
    2n,
    2,
  ]);
  assertEquals(view.getBigUint64(32, true), BigInt(addressOf(words)) + 4n);
  assert(Array.isArray(keep) && keep.length === 2);
  release(held);
});

Deno.test("futexes: bad arguments are refused", () => {
  const words = new Int32Array(2);
  const gone = new Int32Array(2);
  gone.buffer.transfer();
  refuses(
    TypeError,
    "futexWait: words must",
    futexWait,
    new Uint8Array(8),
    0,
    0,
  );
  refuses(TypeError, "futexWait: words is over", futexWait, gone, 0, 0);
  refuses(RangeError, "futexWait: index must", futexWait, words, 2, 0);
  refuses(RangeError, "futexWait: value must", futexWait, words, 0, 2 ** 32);
  refuses(RangeError, "futexWait: mask must", futexWait, words, 0, 0, {
    mask: 0,
  });
  refuses(RangeError, "futexWake: most must", futexWake, words, 0, 0);
  refuses(RangeError, "futexWaitv: waiters.length", futexWaitv, []);
  refuses(TypeError, "futexWaitv: waiters must", futexWaitv, words);
  refuses(TypeError, "futexWaitv: waiters[0] must", futexWaitv, [null]);
  const second = [{ words, index: 0, value: 0 }, {
    words,
    index: -1,
    value: 0,
  }];
  refuses(RangeError, "futexWaitv: waiters[1]: index", futexWaitv, second);
  refuses(
    RangeError,
    "waiters.length",
    futexWaitv,
    new Array(129).fill(second[0]),
  );
});

Deno.test("a futex whose memory went before it was queued is refused", () => {
  const words = new Int32Array(2);
  const op = futexWaitv([{ words, index: 1, value: 0 }]);
  words.buffer.transfer();
  assertThrows(() => encode(op), TypeError, "detached");
});

Deno.test("uringCmd: command, argument and buffer are encoded", () => {
  const argument = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
  const op = uringCmd(fixedFile(3), 0xc0de_0001, { argument, bufIndex: 7 });
  argument.fill(0);
  const [sqe] = encode(op);
  assertEquals([sqe.opcode, sqe.fd, sqe.off], [46, 3, 0xc0de_0001n]);
  assertEquals([sqe.flags, sqe.opFlags, sqe.bufIndex], [1, 1, 7]);
  assertEquals([...sqe.cmd], [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
  ]);
});

Deno.test("uringCmd: a long argument wants an entry of 128 bytes", () => {
  const argument = new Uint8Array(80).fill(0xee);
  const op = uringCmd(3, 1, { argument });
  assertThrows(() => encode(op), RangeError, "wants an entry of 128 bytes");
  assertEquals([...encode(op, 128)[0].cmd], new Array(80).fill(0xee));
  assertThrows(
    () => encode(uringCmd128(3, 1)),
    RangeError,
    "IORING_SETUP_SQE128",
  );
  assertEquals(encode(uringCmd128(3, 1), 128)[0].opcode, 64);
});

Deno.test("commands: bad arguments are refused", () => {
  refuses(RangeError, "uringCmd: fd must", uringCmd, -1, 0);
  refuses(RangeError, "uringCmd: command must", uringCmd, 1, 2 ** 32);
  refuses(TypeError, "uringCmd: argument must", uringCmd, 1, 0, {
    argument: [1],
  });
  refuses(RangeError, "80 bytes at most", uringCmd, 1, 0, {
    argument: new Uint8Array(81),
  });
  refuses(RangeError, "uringCmd: bufIndex", uringCmd, 1, 0, {
    bufIndex: 65536,
  });
  refuses(TypeError, "uringCmd128: keep[0]", uringCmd128, 1, 0, { keep: [1] });
  refuses(RangeError, "cmdDiscard: offset must", cmdDiscard, 1, -1, 1);
  refuses(TypeError, "cmdDiscard: byteLength must", cmdDiscard, 1, 0, null);
});

Deno.test("cmdDiscard: the range is in addr and addr3", () => {
  const [sqe] = encode(cmdDiscard(3, 4096n, 8192));
  assertEquals([sqe.off, sqe.addr, sqe.addr3], [0x1200n, 4096n, 8192n]);
});

Deno.test("an op can be encoded any number of times, each with memory of its own", () => {
  const op = timeout(1);
  const [first, one] = encode(op);
  const [second, two] = encode(op);
  assert(first.addr !== second.addr);
  release(one);
  release(two);
});
