/** What the builders of ops on processes and futexes encode and refuse. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { takeBlock } from "../../../ffi/block.ts";
import { FUTEX2_PRIVATE, FUTEX2_SIZE_U32, P_PID } from "../../../ffi/linux.ts";
import { addressOf } from "../../../ffi/memory.ts";
import { release } from "../../../ops/op.ts";
import {
  futexWait,
  futexWaitv,
  futexWake,
  waitid,
} from "../../../ops/process.ts";
import { encode, encodeBlock, refuses } from "../../support/entry.ts";

Deno.test("waitid: whom and what for, and a result only where there is news", () => {
  // What others left in the memory is no news.
  const used = takeBlock(128);
  used.bytes.fill(0xff);
  release(used);
  const op = waitid(P_PID, 0xffff_ffff, { options: 5 });
  const [sqe, held] = encodeBlock(op);
  const { address, view } = held;
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
  const [sqe, held] = encodeBlock(futexWaitv([
    { words, index: 0, value: 1 },
    { words, index: 1, value: 2, shared: true },
  ]));
  const { address, view, keep } = held;
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
  refuses(RangeError, "futexWake: index must", futexWake, words, -1, 1);
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
