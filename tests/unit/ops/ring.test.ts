/** What the builders of ops on rings and their tables encode and refuse. */

import { assertEquals, assertThrows } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { addressOf } from "../../../ffi/memory.ts";
import { FixedFile, fixedFile } from "../../../ops/fd.ts";
import { release } from "../../../ops/op.ts";
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
} from "../../../ops/ring.ts";
import { Sqe } from "../../../ring/sqe.ts";
import { encode, encodeBlock, refuses } from "../../support/entry.ts";

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
  refuses(RangeError, "msgRingFd: ring must", msgRingFd, -1, fixedFile(3), 0);
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
  const [sqe, held] = encodeBlock(op);
  const { address, view } = held;
  assertEquals([sqe.addr, sqe.len, sqe.off], [BigInt(address), 3, 7n]);
  assertEquals([0, 4, 8].map((at) => view.getInt32(at, true)), [4, -1, -2]);
  release(held);
});

Deno.test("filesUpdateAlloc: the kernel's indices become registered files", () => {
  const op = filesUpdateAlloc([4, 5, 6]);
  const [sqe, held] = encodeBlock(op);
  assertEquals(sqe.off, 0xffff_ffff_ffff_ffffn);
  const { view } = held;
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
  refuses(RangeError, "provideBuffers: firstId", provideBuffers, memory, 1, 1, {
    firstId: -1,
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
