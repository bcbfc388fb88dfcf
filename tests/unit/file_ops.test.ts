/** What the builders of reads, writes, files, paths, attributes and pipes encode and refuse. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { assertThrows } from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import { Block } from "../../ffi/block.ts";
import { iovec, open_how, statx as statxLayout } from "../../ffi/layout.ts";
import { libc } from "../../ffi/libc.ts";
import * as linux from "../../ffi/linux.ts";
import { addressOf, Memory, type View } from "../../ffi/memory.ts";
import { FixedFile, fixedFile } from "../../ops/fd.ts";
import * as ops from "../../ops/mod.ts";
import { type Held, type Op, release } from "../../ops/op.ts";
import { Sqe } from "../../ring/sqe.ts";

// Loaded for good, before a test's sanitizers look.
libc();

/** An op, encoded into an entry of its own. */
function encode(op: Op<unknown>): [Sqe, Held] {
  const sqe = new Sqe(new ArrayBuffer(64));
  return [sqe, op.encode(sqe)];
}

/** An op, encoded, with the block that it holds. */
function encodeBlock(op: Op<unknown>): [Sqe, Block] {
  const [sqe, held] = encode(op);
  assert(held instanceof Block);
  return [sqe, held];
}

/** The C string at an address within a block. */
function textAt(block: Block, address: bigint): string {
  const from = Number(address) - block.address;
  const end = block.bytes.indexOf(0, from);
  return new TextDecoder().decode(block.bytes.subarray(from, end));
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

Deno.test("file ops: what stands where", () => {
  const cases: [Op<void>, number, Partial<Record<keyof Sqe, unknown>>][] = [
    [
      ops.fsync(3, { flags: 1, offset: 4096, length: 8192 }),
      abi.IORING_OP_FSYNC,
      { fd: 3, opFlags: 1, off: 4096n, len: 8192 },
    ],
    [
      ops.syncFileRange(3, 2, { offset: 2n ** 33n, length: 5 }),
      abi.IORING_OP_SYNC_FILE_RANGE,
      { fd: 3, opFlags: 2, off: 2n ** 33n, len: 5 },
    ],
    [
      ops.fallocate(3, linux.FALLOC_FL_KEEP_SIZE, 1n, 2n ** 33n),
      abi.IORING_OP_FALLOCATE,
      { fd: 3, len: 1, off: 1n, addr: 2n ** 33n, opFlags: 0 },
    ],
    [
      ops.fadvise(3, 5, 2 ** 32 - 1, linux.POSIX_FADV_RANDOM),
      abi.IORING_OP_FADVISE,
      { fd: 3, off: 5n, len: 2 ** 32 - 1, addr: 0n, opFlags: 1 },
    ],
    [
      ops.fadvise(3, 5, 2n ** 32n, linux.POSIX_FADV_RANDOM),
      abi.IORING_OP_FADVISE,
      { fd: 3, off: 5n, len: 0, addr: 2n ** 32n, opFlags: 1 },
    ],
    [
      ops.ftruncate(3, 2 ** 40),
      abi.IORING_OP_FTRUNCATE,
      { fd: 3, off: 2n ** 40n, len: 0, addr: 0n },
    ],
  ];
  for (const [op, opcode, fields] of cases) {
    const [sqe, held] = encode(op);
    assertEquals(sqe.opcode, opcode);
    assertEquals(held, undefined);
    for (const [field, value] of Object.entries(fields)) {
      assertEquals(sqe[field as keyof Sqe], value, `${op.name}: ${field}`);
    }
  }
});

Deno.test("file ops: registered files", () => {
  const file = fixedFile(4);
  for (
    const op of [
      ops.fsync(file),
      ops.syncFileRange(file, 0),
      ops.fallocate(file, 0, 0, 1),
      ops.fadvise(file, 0, 0, 0),
      ops.ftruncate(file, 0),
    ]
  ) {
    const [sqe] = encode(op);
    assertEquals([sqe.fd, sqe.flags], [4, abi.IOSQE_FIXED_FILE], op.name);
  }
});

Deno.test("madvise: the memory's address and length", () => {
  const [sqe, held] = encode(ops.madvise(buffer, linux.MADV_COLD));
  assertEquals([sqe.fd, sqe.len, sqe.off], [-1, 100, 0n]);
  assertEquals(sqe.addr, BigInt(addressOf(buffer)));
  assertEquals(sqe.opFlags, linux.MADV_COLD);
  assertStrictEquals(held as Uint8Array, buffer);
});

Deno.test("file ops: bad arguments are refused", () => {
  refuses(TypeError, "fsync: fd", ops.fsync, {});
  refuses(RangeError, "fsync: length", ops.fsync, 1, { length: 2 ** 32 });
  refuses(RangeError, "fsync: offset", ops.fsync, 1, { offset: -1 });
  refuses(RangeError, "fsync: flags", ops.fsync, 1, { flags: 0.5 });
  refuses(TypeError, "syncFileRange: flags", ops.syncFileRange, 1);
  refuses(RangeError, "fallocate: offset", ops.fallocate, 1, 0, -1, 1);
  refuses(RangeError, "fallocate: length", ops.fallocate, 1, 0, 0, 2n ** 63n);
  refuses(TypeError, "fallocate: mode", ops.fallocate, 1, "0", 0, 1);
  refuses(RangeError, "fadvise: length", ops.fadvise, 1, 0, -1, 0);
  refuses(TypeError, "fadvise: advice", ops.fadvise, 1, 0, 0);
  refuses(TypeError, "madvise: memory", ops.madvise, 5, 0);
  refuses(RangeError, "madvise: advice", ops.madvise, buffer, -1);
  refuses(RangeError, "ftruncate: length", ops.ftruncate, 1, -1);
  refuses(TypeError, "ftruncate: length", ops.ftruncate, 1, null);
});

Deno.test("openat: path, flags, mode, directory", () => {
  const [sqe, block] = encodeBlock(ops.openat("Grüße.txt", linux.O_RDWR));
  assertEquals(
    [sqe.opcode, sqe.fd, sqe.len, sqe.opFlags],
    [abi.IORING_OP_OPENAT, linux.AT_FDCWD, 0o666, linux.O_RDWR],
  );
  assertEquals([sqe.off, sqe.fileIndex], [0n, 0]);
  assertEquals(textAt(block, sqe.addr), "Grüße.txt");
  release(block);
  const [other, held] = encode(ops.openat("x", 0, { dirfd: 9, mode: 0o1600 }));
  assertEquals([other.fd, other.len], [9, 0o1600]);
  release(held);
});

Deno.test("paths: URLs, and bytes that are no UTF-8", () => {
  const [sqe, block] = encodeBlock(
    ops.openat(new URL("file:///a%20b/c"), 0),
  );
  assertEquals(textAt(block, sqe.addr), "/a b/c");
  release(block);
  const bytes = Uint8Array.of(0x2f, 0xff, 0x61);
  const op = ops.unlinkat(bytes);
  bytes[2] = 0x62; // too late: it was copied
  const [raw, held] = encodeBlock(op);
  const from = Number(raw.addr) - held.address;
  assertEquals([...held.bytes.subarray(from, from + 4)], [0x2f, 0xff, 0x61, 0]);
  release(held);
});

Deno.test("opening: what nobody took is closed again", () => {
  const opened: [Op<unknown> | undefined, number, number][] = [
    [ops.openat("p", 0).undo(5), 5, 0],
    [ops.openat2("p", { flags: 0 }).undo(5), 5, 0],
    [ops.openatDirect("p", 0, 3).undo(fixedFile(3)), 0, 4],
    [ops.openat2Direct("p", { flags: 0 }, 3).undo(fixedFile(3)), 0, 4],
  ];
  for (const [undo, fd, fileIndex] of opened) {
    assert(undo !== undefined);
    const [sqe] = encode(undo);
    assertEquals(
      [sqe.opcode, sqe.fd, sqe.fileIndex],
      [abi.IORING_OP_CLOSE, fd, fileIndex],
    );
  }
});

Deno.test("openatDirect, openat2Direct: the slot, plus one", () => {
  const how = { flags: 0 };
  for (
    const [slot, index] of [
      [0, 1],
      [41, 42],
      [abi.IORING_FILE_INDEX_ALLOC, abi.IORING_FILE_INDEX_ALLOC],
    ] as const
  ) {
    for (
      const op of [
        ops.openatDirect("p", 0, slot),
        ops.openat2Direct("p", how, slot),
      ]
    ) {
      const [sqe, held] = encode(op);
      assertEquals(sqe.fileIndex, index);
      const file = op.finish({ res: slot === 41 ? 0 : 6, flags: 0 }, held);
      assert(file instanceof FixedFile);
      assertEquals(file.index, slot === abi.IORING_FILE_INDEX_ALLOC ? 6 : slot);
      release(held);
    }
  }
});

Deno.test("openat2: the struct, with a mode only where a file may be made", () => {
  const cases: [ops.OpenHow, bigint, bigint, bigint][] = [
    [{ flags: 0 }, 0n, 0n, 0n],
    [{ flags: linux.O_CREAT }, 0o100n, 0o666n, 0n],
    [{ flags: BigInt(linux.O_TMPFILE) }, BigInt(linux.O_TMPFILE), 0o666n, 0n],
    [{ flags: linux.O_DIRECTORY }, BigInt(linux.O_DIRECTORY), 0n, 0n],
    [{ flags: 0o100, mode: 0o600, resolve: 8n }, 0o100n, 0o600n, 8n],
  ];
  for (const [how, ...words] of cases) {
    const [sqe, block] = encodeBlock(ops.openat2("p", how, { dirfd: 3 }));
    assertEquals([sqe.fd, sqe.len], [3, open_how.size]);
    assertEquals(sqe.off, BigInt(block.address));
    assertEquals(textAt(block, sqe.addr), "p");
    assertEquals(
      [0, 8, 16].map((field) => block.view.getBigUint64(field, true)),
      words,
    );
    release(block);
  }
});

Deno.test("close: a descriptor or a registered file", () => {
  const [plain] = encode(ops.close(5));
  assertEquals([plain.opcode, plain.fd, plain.fileIndex], [19, 5, 0]);
  for (const op of [ops.close(fixedFile(5)), ops.closeDirect(5)]) {
    const [sqe] = encode(op);
    assertEquals(
      [sqe.opcode, sqe.flags, sqe.fd, sqe.fileIndex],
      [abi.IORING_OP_CLOSE, 0, 0, 6],
    );
  }
});

Deno.test("opening and closing: bad arguments are refused", () => {
  refuses(TypeError, "openat: path must", ops.openat, 5, 0);
  refuses(TypeError, "openat: path contains a NUL", ops.openat, "a\0b", 0);
  refuses(TypeError, "file: URL", ops.openat, new URL("https://a.b/"), 0);
  refuses(TypeError, "openat: flags must", ops.openat, "p");
  refuses(RangeError, "openat: mode", ops.openat, "p", 0, { mode: 0o10000 });
  refuses(RangeError, "AT_FDCWD", ops.openat, "p", 0, { dirfd: -1 });
  refuses(TypeError, "openat: dirfd", ops.openat, "p", 0, { dirfd: "." });
  const direct = "openatDirect: slot must";
  refuses(TypeError, direct, ops.openatDirect, "p", 0);
  refuses(RangeError, direct, ops.openatDirect, "p", 0, 0xffff_fffe);
  const { O_CLOEXEC } = linux;
  refuses(RangeError, "without O_CLOEXEC", ops.openatDirect, "p", O_CLOEXEC, 0);
  const how = { flags: BigInt(O_CLOEXEC) };
  refuses(RangeError, "without O_CLOEXEC", ops.openat2Direct, "p", how, 0);
  refuses(TypeError, "openat2: how must be", ops.openat2, "p", 0);
  refuses(TypeError, "openat2: how must be", ops.openat2, "p", null);
  refuses(TypeError, "openat2: how.flags", ops.openat2, "p", {});
  refuses(RangeError, "openat2: how.flags", ops.openat2, "p", { flags: 0.5 });
  refuses(RangeError, "openat2: how.resolve", ops.openat2, "p", {
    flags: 0,
    resolve: -1,
  });
  refuses(RangeError, "close: fd", ops.close, -1);
  refuses(TypeError, "close: fd", ops.close, undefined);
  refuses(RangeError, "closeDirect: slot", ops.closeDirect, 2 ** 31);
});

Deno.test("direct descriptors: hints for what to do", () => {
  const op = ops.openatDirect("p", 0, 900);
  assert(op.errorOf(6).message.includes("Register a table of files"));
  assert(op.errorOf(23).message.includes("No slot"));
  assert(op.errorOf(22).message.includes("beyond"));
  assertEquals(op.errorOf(2).path, "p");
});

Deno.test("statx: room for the struct, then the path", () => {
  const op = ops.statx("/a/b", { dirfd: 8, flags: 0x100, mask: 0xfff });
  const [sqe, block] = encodeBlock(op);
  assertEquals(
    [sqe.opcode, sqe.fd, sqe.opFlags, sqe.len],
    [abi.IORING_OP_STATX, 8, 0x100, 0xfff],
  );
  assertEquals(sqe.off, BigInt(block.address));
  assertEquals(textAt(block, sqe.addr), "/a/b");
  block.view.setBigUint64(statxLayout.stx_size, 99n, true);
  assertEquals(op.finish({ res: 0, flags: 0 }, block).size, 99);
  release(block);
});

Deno.test("renameat, linkat, symlinkat: two paths", () => {
  const options = { oldDirfd: 3, newDirfd: 4, flags: 1 };
  for (
    const [op, opcode] of [
      [ops.renameat("old", "new", options), abi.IORING_OP_RENAMEAT],
      [ops.linkat("old", "new", options), abi.IORING_OP_LINKAT],
    ] as const
  ) {
    const [sqe, block] = encodeBlock(op);
    assertEquals(
      [sqe.opcode, sqe.fd, sqe.len, sqe.opFlags],
      [opcode, 3, 4, 1],
    );
    assertEquals(textAt(block, sqe.addr), "old");
    assertEquals(textAt(block, sqe.off), "new");
    const { path, message } = op.errorOf(2);
    assertEquals(path, "old");
    assert(message.includes("'old'") && message.includes("'new'"), message);
    release(block);
  }
  const [sqe, block] = encodeBlock(ops.symlinkat("to", "at", { dirfd: 6 }));
  assertEquals([sqe.opcode, sqe.fd], [abi.IORING_OP_SYMLINKAT, 6]);
  assertEquals(textAt(block, sqe.addr), "to");
  assertEquals(textAt(block, sqe.off), "at");
  release(block);
});

Deno.test("renameat: directories that are the current one", () => {
  const [sqe, held] = encode(ops.renameat("a", "b"));
  assertEquals([sqe.fd, sqe.len], [linux.AT_FDCWD, linux.AT_FDCWD >>> 0]);
  release(held);
});

Deno.test("mkdirat, unlinkat: mode and flags", () => {
  const [made, first] = encode(ops.mkdirat("d"));
  assertEquals([made.opcode, made.len], [abi.IORING_OP_MKDIRAT, 0o777]);
  release(first);
  const [gone, second] = encode(
    ops.unlinkat("d", { flags: linux.AT_REMOVEDIR, dirfd: 5 }),
  );
  assertEquals(
    [gone.opcode, gone.fd, gone.opFlags],
    [abi.IORING_OP_UNLINKAT, 5, linux.AT_REMOVEDIR],
  );
  release(second);
});

Deno.test("path ops: bad arguments are refused", () => {
  refuses(TypeError, "statx: path", ops.statx, undefined);
  refuses(RangeError, "statx: mask", ops.statx, "p", { mask: -1 });
  refuses(TypeError, "statx: flags", ops.statx, "p", { flags: "0" });
  refuses(RangeError, "statx: dirfd", ops.statx, "p", { dirfd: -2 });
  refuses(TypeError, "unlinkat: path contains", ops.unlinkat, "\0");
  refuses(RangeError, "unlinkat: flags", ops.unlinkat, "p", { flags: 1.5 });
  refuses(TypeError, "renameat: newPath", ops.renameat, "p");
  refuses(RangeError, "renameat: oldDirfd", ops.renameat, "p", "q", {
    oldDirfd: -5,
  });
  refuses(TypeError, "linkat: oldPath", ops.linkat, {}, "q");
  refuses(RangeError, "linkat: newDirfd", ops.linkat, "p", "q", {
    newDirfd: 0.1,
  });
  refuses(RangeError, "mkdirat: mode", ops.mkdirat, "p", { mode: 0o20000 });
  refuses(TypeError, "symlinkat: target", ops.symlinkat, 1, "q");
  refuses(TypeError, "symlinkat: linkPath", ops.symlinkat, "p", null);
});

Deno.test("xattrs: value, name and path in one block", () => {
  const [get, block] = encodeBlock(ops.getxattr("/p", "user.a", { size: 10 }));
  assertEquals([get.opcode, get.fd, get.len], [abi.IORING_OP_GETXATTR, 0, 10]);
  assertEquals(get.off, BigInt(block.address));
  assertEquals(textAt(block, get.addr), "user.a");
  assertEquals(textAt(block, get.addr3), "/p");
  release(block);

  const flags = linux.XATTR_CREATE;
  const set = ops.setxattr("/p", "user.a", "grün", { flags });
  const [sqe, held] = encodeBlock(set);
  assertEquals([sqe.opcode, sqe.opFlags], [abi.IORING_OP_SETXATTR, flags]);
  assertEquals(sqe.len, 5);
  const value = held.bytes.subarray(0, 5);
  assertEquals(new TextDecoder().decode(value), "grün");
  assertEquals(textAt(held, sqe.addr), "user.a");
  assertEquals(textAt(held, sqe.addr3), "/p");
  release(held);
});

Deno.test("xattrs of an open file: no path, a registered file", () => {
  const file = fixedFile(3);
  for (
    const [op, opcode] of [
      [ops.fgetxattr(file, "user.a"), abi.IORING_OP_FGETXATTR],
      [ops.fsetxattr(file, "user.a", "v"), abi.IORING_OP_FSETXATTR],
    ] as const
  ) {
    const [sqe, block] = encodeBlock(op);
    assertEquals(
      [sqe.opcode, sqe.fd, sqe.flags, sqe.addr3],
      [opcode, 3, abi.IOSQE_FIXED_FILE, 0n],
    );
    assertEquals(textAt(block, sqe.addr), "user.a");
    release(block);
  }
});

Deno.test("xattrs: the value is copied, in and out", () => {
  const value = Uint8Array.of(1, 2, 3);
  const set = ops.setxattr("p", "user.a", value);
  value.fill(9);
  const [sqe, held] = encodeBlock(set);
  assertEquals([...held.bytes.subarray(0, sqe.len)], [1, 2, 3]);
  release(held);

  const get = ops.getxattr("p", "user.a");
  const [, block] = encodeBlock(get);
  block.bytes.set([4, 5, 6]);
  const result = get.finish({ res: 2, flags: 0 }, block);
  block.bytes.fill(0);
  assertEquals(result, Uint8Array.of(4, 5));
  release(block);
});

Deno.test("xattrs: bad arguments are refused, ERANGE says what to do", () => {
  refuses(TypeError, "getxattr: path", ops.getxattr, 1, "user.a");
  refuses(TypeError, "getxattr: name must", ops.getxattr, "p", 1);
  refuses(TypeError, "getxattr: name contains", ops.getxattr, "p", "a\0");
  refuses(RangeError, "getxattr: size", ops.getxattr, "p", "a", { size: 0 });
  refuses(RangeError, "fgetxattr: size", ops.fgetxattr, 1, "a", {
    size: 65537,
  });
  refuses(TypeError, "setxattr: value must", ops.setxattr, "p", "a", 5);
  refuses(TypeError, "setxattr: flags", ops.setxattr, "p", "a", "v", {
    flags: "1",
  });
  refuses(TypeError, "fsetxattr: fd", ops.fsetxattr, "p", "a", "v");
  const gone = new Uint8Array(3);
  gone.buffer.transfer();
  refuses(TypeError, "setxattr: value", ops.setxattr, "p", "a", gone);
  const { message } = ops.getxattr("p", "user.a", { size: 8 }).errorOf(34);
  assert(message.includes("more than 8 bytes"), message);
});

Deno.test("splice, tee: files, offsets, registered input and output", () => {
  const [plain] = encode(ops.splice(3, 4, 100));
  assertEquals(
    [plain.opcode, plain.fd, plain.fileIndex, plain.len, plain.opFlags],
    [abi.IORING_OP_SPLICE, 4, 3, 100, 0],
  );
  assertEquals([plain.off, plain.addr], [2n ** 64n - 1n, 2n ** 64n - 1n]);
  const options = { offsetIn: 5, offsetOut: 2n ** 40n, flags: 1 };
  const [sqe] = encode(ops.splice(fixedFile(7), fixedFile(8), 1, options));
  assertEquals([sqe.addr, sqe.off], [5n, 2n ** 40n]);
  assertEquals([sqe.fileIndex, sqe.fd], [7, 8]);
  assertEquals(sqe.flags, abi.IOSQE_FIXED_FILE);
  assertEquals(sqe.opFlags, abi.SPLICE_F_FD_IN_FIXED + 1);
  const [twin] = encode(ops.tee(fixedFile(7), 8, 9, { flags: 2 }));
  assertEquals(
    [twin.opcode, twin.fileIndex, twin.fd, twin.flags, twin.len],
    [abi.IORING_OP_TEE, 7, 8, 0, 9],
  );
  assertEquals(twin.opFlags, abi.SPLICE_F_FD_IN_FIXED + 2);
});

Deno.test("pipe, pipeDirect: where the kernel writes the two files", () => {
  const made = ops.pipe({ flags: linux.O_CLOEXEC });
  const [sqe, block] = encodeBlock(made);
  assertEquals([sqe.opcode, sqe.fd], [abi.IORING_OP_PIPE, 0]);
  assertEquals(sqe.addr, BigInt(block.address));
  assertEquals([sqe.opFlags, sqe.fileIndex], [linux.O_CLOEXEC, 0]);
  block.view.setInt32(0, 11, true);
  block.view.setInt32(4, 12, true);
  const done = { res: 0, flags: 0 };
  assertEquals(made.finish(done, block), [11, 12]);

  const indexes = (slot: number) => {
    const op = ops.pipeDirect(slot);
    const [direct] = encode(op);
    const files = op.finish(done, block).map(({ index }) => index);
    return [direct.fileIndex, ...files];
  };
  assertEquals(indexes(4), [5, 4, 5]);
  const { IORING_FILE_INDEX_ALLOC } = abi;
  assertEquals(indexes(IORING_FILE_INDEX_ALLOC), [2 ** 32 - 1, 11, 12]);
  release(block);
});

Deno.test("pipes: bad arguments are refused", () => {
  refuses(RangeError, "splice: fdIn", ops.splice, -1, 4, 1);
  refuses(TypeError, "splice: fdOut", ops.splice, 1, null, 1);
  refuses(RangeError, "splice: length", ops.splice, 1, 2, 2 ** 32);
  refuses(RangeError, "splice: offsetIn", ops.splice, 1, 2, 1, {
    offsetIn: -2,
  });
  refuses(TypeError, "splice: offsetOut", ops.splice, 1, 2, 1, {
    offsetOut: "0",
  });
  refuses(RangeError, "tee: length", ops.tee, 1, 2, -1);
  refuses(TypeError, "tee: flags", ops.tee, 1, 2, 1, { flags: null });
  refuses(RangeError, "pipe: flags", ops.pipe, { flags: -0.5 });
  refuses(TypeError, "pipeDirect: slot", ops.pipeDirect);
});
