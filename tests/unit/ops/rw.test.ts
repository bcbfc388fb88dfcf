/** What the builders of reads and writes encode, hold and refuse. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { iovec } from "../../../ffi/layout.ts";
import { addressOf, Memory, type View } from "../../../ffi/memory.ts";
import { fixedFile } from "../../../ops/fd.ts";
import * as ops from "../../../ops/mod.ts";
import { type Op, release } from "../../../ops/op.ts";
import { Sqe } from "../../../ring/sqe.ts";
import { encode, encodeBlock, refuses } from "../../support/entry.ts";

const buffer = new Uint8Array(100);

Deno.test("read, write: file, buffer, offset, flags and priority", () => {
  const options = { offset: 2n ** 40n, flags: 8, ioprio: 0x4005 };
  for (
    const [op, opcode] of [
      [ops.read(5, buffer, options), abi.IORING_OP_READ],
      [ops.write(5, buffer, options), abi.IORING_OP_WRITE],
    ] as const
  ) {
    const [sqe, held] = encode(op);
    assertEquals(
      [sqe.opcode, sqe.flags, sqe.fd, sqe.len, sqe.off],
      [opcode, 0, 5, 100, 2n ** 40n],
    );
    assertEquals(sqe.addr, BigInt(addressOf(buffer)));
    assertEquals([sqe.opFlags, sqe.ioprio, sqe.bufIndex], [8, 0x4005, 0]);
    assertStrictEquals(held as Uint8Array, buffer);
  }
});

Deno.test("read: without options at the file's position; of a registered file", () => {
  const [sqe] = encode(ops.read(fixedFile(7), buffer.subarray(10)));
  assertEquals([sqe.fd, sqe.flags], [7, abi.IOSQE_FIXED_FILE]);
  assertEquals([sqe.off, sqe.len], [2n ** 64n - 1n, 90]);
  assertEquals(sqe.addr, BigInt(addressOf(buffer) + 10));
});

Deno.test("readFixed, writeFixed: the registered buffer's index", () => {
  const [input] = encode(ops.readFixed(1, buffer, 0xffff, { offset: 3 }));
  assertEquals(
    [input.opcode, input.bufIndex, input.off],
    [abi.IORING_OP_READ_FIXED, 0xffff, 3n],
  );
  const [output] = encode(ops.writeFixed(1, buffer, 2));
  assertEquals(
    [output.opcode, output.bufIndex],
    [abi.IORING_OP_WRITE_FIXED, 2],
  );
});

Deno.test("readv and its relatives: one iovec for each buffer", () => {
  const views: View[] = [
    buffer.subarray(0, 10),
    new DataView(buffer.buffer, 50, 20),
    new Uint8Array(0),
  ];
  for (
    const [op, opcode, index] of [
      [ops.readv(1, views), abi.IORING_OP_READV, 0],
      [ops.writev(1, views), abi.IORING_OP_WRITEV, 0],
      [ops.readvFixed(1, views, 9), abi.IORING_OP_READV_FIXED, 9],
      [ops.writevFixed(1, views, 9), abi.IORING_OP_WRITEV_FIXED, 9],
    ] as const
  ) {
    const [sqe, block] = encodeBlock(op);
    assertEquals([sqe.opcode, sqe.len, sqe.bufIndex], [opcode, 3, index]);
    assertEquals(sqe.addr, BigInt(block.address));
    assertEquals(block.keep, views);
    const words = new BigUint64Array(6).map((_word, i) =>
      block.view.getBigUint64(i * 8, true)
    );
    const base = BigInt(addressOf(buffer));
    assertEquals([...words].slice(0, 4), [base, 10n, base + 50n, 20n]);
    assertEquals(words[5], 0n);
    release(block);
  }
});

Deno.test("readv: no buffers, and the most", () => {
  const [none, held] = encodeBlock(ops.readv(1, []));
  assertEquals(none.len, 0);
  release(held);
  const [most, many] = encodeBlock(ops.readv(1, Array(1024).fill(buffer)));
  assertEquals(most.len, 1024);
  assert(many.bytes.length >= 1024 * iovec.size);
  release(many);
  const words = "readv: buffers must be at most 1024 buffers; got 1025";
  refuses(RangeError, words, ops.readv, 1, Array(1025).fill(buffer));
});

Deno.test("readv: the caller's array may change afterwards", () => {
  const views = [buffer];
  const op = ops.readv(1, views);
  views.push(new Uint8Array(5));
  const [sqe, block] = encodeBlock(op);
  assertEquals(sqe.len, 1);
  release(block);
});

Deno.test("readMultishot: group and no length", () => {
  const op = ops.readMultishot(fixedFile(2), { bufferGroup: 77 });
  assert(op.multishot);
  const [sqe] = encode(op);
  const flags = abi.IOSQE_BUFFER_SELECT | abi.IOSQE_FIXED_FILE;
  assertEquals(
    [sqe.opcode, sqe.flags, sqe.fd, sqe.bufIndex, sqe.len, sqe.addr],
    [abi.IORING_OP_READ_MULTISHOT, flags, 2, 77, 0, 0n],
  );
  const waiting = ops.readMultishot(2, { bufferGroup: 0, flags: 8 });
  assertEquals(encode(waiting)[0].opFlags, 8);
  const options = { bufferGroup: 77 };
  refuses(RangeError, "readMultishot: fd", ops.readMultishot, -1, options);
  refuses(RangeError, "readMultishot: flags", ops.readMultishot, 1, {
    bufferGroup: 77,
    flags: 0.5,
  });
  const completion = { res: 6, flags: (5 << 16) | 3 };
  const { length, bufferId, more } = op.finish(completion, undefined);
  assertEquals([length, bufferId, more], [6, 5, true]);
});

Deno.test("read: from a group of provided buffers", () => {
  const op = ops.read(fixedFile(2), { bufferGroup: 65535, length: 9 });
  const [sqe] = encode(op);
  const flags = abi.IOSQE_BUFFER_SELECT | abi.IOSQE_FIXED_FILE;
  assertEquals(
    [sqe.opcode, sqe.flags, sqe.fd, sqe.bufIndex, sqe.len, sqe.addr],
    [abi.IORING_OP_READ, flags, 2, 65535, 9, 0n],
  );
  const { length, bufferId } = op.finish({ res: 4, flags: 1 }, undefined);
  assertEquals([length, bufferId], [4, 0]);
});

Deno.test("reads and writes: bad arguments are refused", () => {
  for (const name of ["read", "write"] as const) {
    const build = ops[name];
    refuses(TypeError, `${name}: fd must`, build, "1", buffer);
    refuses(RangeError, `${name}: fd must`, build, -1, buffer);
    refuses(RangeError, `${name}: fd must`, build, 1.5, buffer);
    refuses(TypeError, `${name}: buffer must`, build, 1, "text");
    refuses(TypeError, `${name}: buffer must`, build, 1, new ArrayBuffer(5));
    refuses(TypeError, `${name}: buffer must`, build, 1, undefined);
    for (const offset of [-2, 0.5, NaN, 2 ** 53, 2n ** 63n, -2n]) {
      const words = `${name}: offset must be an integer from 0 to 2^63 - 1`;
      refuses(RangeError, words, build, 1, buffer, { offset });
    }
    const options: [unknown, string][] = [
      [{ offset: "0" }, "offset"],
      [{ flags: "1" }, "flags"],
      [{ ioprio: null }, "ioprio"],
    ];
    for (const [wrong, field] of options) {
      refuses(TypeError, `${name}: ${field} must`, build, 1, buffer, wrong);
    }
    const ioprio = 0x1_0000;
    refuses(RangeError, `${name}: ioprio`, build, 1, buffer, { ioprio });
    refuses(RangeError, `${name}: flags`, build, 1, buffer, { flags: 2 ** 32 });
  }
  for (const name of ["readFixed", "writeFixed"] as const) {
    const words = `${name}: bufIndex must`;
    refuses(RangeError, words, ops[name], 1, buffer, 0x1_0000);
    refuses(RangeError, words, ops[name], 1, buffer, -1);
    refuses(TypeError, words, ops[name], 1, buffer, undefined);
  }
  for (const name of ["readv", "writev"] as const) {
    refuses(TypeError, `${name}: buffers must`, ops[name], 1, buffer);
    refuses(TypeError, `${name}: buffers[1] must`, ops[name], 1, [buffer, 5]);
  }
  for (const name of ["readvFixed", "writevFixed"] as const) {
    const words = `${name}: bufIndex must`;
    refuses(RangeError, words, ops[name], 1, [buffer], 0x1_0000);
  }
  for (const name of ["readMultishot", "read"] as const) {
    const words = `${name}: bufferGroup must`;
    refuses(RangeError, words, ops[name], 1, { bufferGroup: 0x1_0000 });
    refuses(TypeError, words, ops[name], 1, { bufferGroup: "0" });
  }
  refuses(TypeError, "readMultishot: bufferGroup", ops.readMultishot, 1, {});
  const length = 2 ** 31;
  refuses(RangeError, "read: length", ops.read, 1, { bufferGroup: 1, length });
});

Deno.test("reads and writes: a buffer that can move or shrink is refused", () => {
  const resizable = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }));
  refuses(TypeError, "resizable", ops.read, 1, resizable);
  refuses(TypeError, "writev: buffers[0]", ops.writev, 1, [resizable]);
  const gone = new Uint8Array(8);
  const op = ops.readv(1, [buffer, gone]);
  gone.buffer.transfer();
  refuses(TypeError, "detached", ops.write, 1, gone);
  const sqe = new Sqe(new ArrayBuffer(64));
  assertThrows(() => op.encode(sqe), TypeError, "detached");
  assertEquals(sqe.opcode, abi.IORING_OP_NOP);
});

Deno.test("reads and writes: a buffer transferred in flight is noticed", () => {
  const taken = new Uint8Array(8);
  for (const op of [ops.read(1, taken), ops.readv(1, [buffer, taken])]) {
    const [, held] = encode(op);
    assertEquals(op.finish({ res: 8, flags: 0 }, held), 8);
    release(held);
  }
  const one = ops.read(1, taken);
  const many = ops.readv(1, [buffer, taken]);
  const [, held] = encode(many);
  taken.buffer.transfer();
  const done = { res: 8, flags: 0 };
  assertThrows(() => one.finish(done, taken), TypeError, "transferred away");
  assertThrows(() => many.finish(done, held), TypeError, "transferred away");
  release(held);
});

Deno.test("reads and writes: memory of the library's, whose address is known", () => {
  using memory = new Memory(10_000);
  const { bytes } = memory;
  const views = [
    bytes,
    bytes.subarray(100, 200),
    new Uint32Array(bytes.buffer, 4096, 8),
    new DataView(bytes.buffer, 5, 6),
  ];
  for (const view of views) {
    const [sqe, held] = encode(ops.read(1, view));
    assertEquals(Number(sqe.addr), addressOf(view));
    assertEquals(sqe.addr, BigInt(memory.address + view.byteOffset));
    assertEquals(sqe.len, view.byteLength);
    assertStrictEquals(held, view);
  }
  assertEquals(encode(ops.write(1, bytes.subarray(7, 7)))[0].len, 0);
  const op = ops.read(1, bytes.subarray(100, 200));
  bytes.buffer.transfer();
  for (const view of views) {
    refuses(TypeError, "detached", ops.read, 1, view);
  }
  assertThrows(() => encode(op), TypeError, "transferred away");
});

Deno.test("reads and writes: hints for what to do", () => {
  const message = (op: Op<unknown>, errno: number) => op.errorOf(errno).message;
  assert(message(ops.read(1, buffer), 22).includes("O_DIRECT"));
  assert(message(ops.readFixed(1, buffer, 6), 14).includes("buffer 6"));
  assert(!message(ops.read(1, buffer), 14).includes("registered"));
  assert(message(ops.write(1, buffer, { flags: 0x40 }), 95).includes("RWF_"));
  assert(
    message(ops.readMultishot(1, { bufferGroup: 3 }), 105).includes("Group 3"),
  );
  assert(
    message(ops.readMultishot(1, { bufferGroup: 3 }), 77).includes("polled"),
  );
});
