/** What the builders of timeouts encode and refuse. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { release } from "../../../ops/op.ts";
import {
  linkTimeout,
  timeout,
  timeoutMultishot,
  timeoutRemove,
  timeoutUpdate,
} from "../../../ops/timeout.ts";
import { encode, encodeBlock, refuses } from "../../support/entry.ts";

Deno.test("timeout: time, count and flags are encoded", () => {
  const [sqe, block] = encodeBlock(
    timeout(2500, { count: 0xffff_ffff, absolute: true, clock: "boottime" }),
  );
  assertEquals([sqe.opcode, sqe.fd, sqe.len], [abi.IORING_OP_TIMEOUT, -1, 1]);
  assertEquals([sqe.addr, sqe.off], [BigInt(block.address), 0xffff_ffffn]);
  const flags = abi.IORING_TIMEOUT_ABS | abi.IORING_TIMEOUT_BOOTTIME;
  assertEquals(sqe.opFlags, flags);
  assertEquals(block.view.getBigInt64(0, true), 2n);
  assertEquals(block.view.getBigInt64(8, true), 500_000_000n);
  release(block);

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
  const [update, held] = encodeBlock(
    timeoutUpdate(2n ** 63n, 3, { absolute: true, link: true }),
  );
  assertEquals(update.opcode, abi.IORING_OP_TIMEOUT_REMOVE);
  assertEquals([update.addr, update.len], [2n ** 63n, 0]);
  assertEquals(update.off, BigInt(held.address));
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

Deno.test("timeoutUpdate, timeoutRemove: only ENOENT says that there is none", () => {
  for (const op of [timeoutRemove(7), timeoutUpdate(7, 1)]) {
    const told = [2, 114].map((errno) =>
      op.errorOf(errno).message.includes("No timeout in flight")
    );
    assertEquals(told, [true, false]);
  }
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

Deno.test("an op can be encoded any number of times, each with memory of its own", () => {
  const op = timeout(1);
  const [first, one] = encode(op);
  const [second, two] = encode(op);
  assert(first.addr !== second.addr);
  release(one);
  release(two);
});
