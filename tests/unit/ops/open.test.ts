/** What the builders of opening and closing encode and refuse. */

import { assert, assertEquals } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { open_how } from "../../../ffi/layout.ts";
import * as linux from "../../../ffi/linux.ts";
import { FixedFile, fixedFile } from "../../../ops/fd.ts";
import * as ops from "../../../ops/mod.ts";
import { type Op, release } from "../../../ops/op.ts";
import { Sqe } from "../../../ring/sqe.ts";
import { encode, encodeBlock, refuses, textAt } from "../../support/entry.ts";

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
  refuses(RangeError, "openat2: how.mode", ops.openat2, "p", {
    flags: linux.O_CREAT,
    mode: -1,
  });
  refuses(RangeError, "openat2: how.resolve", ops.openat2, "p", {
    flags: 0,
    resolve: -1,
  });
  refuses(RangeError, "close: fd", ops.close, -1);
  refuses(TypeError, "close: fd", ops.close, undefined);
  refuses(RangeError, "closeDirect: slot", ops.closeDirect, 2 ** 31);
  // One more would be 0: no slot at all.
  const sqe = new Sqe(new ArrayBuffer(64));
  refuses(RangeError, "file_index", ops.prepCloseDirect, sqe, 0xffff_ffff);
});

Deno.test("direct descriptors: hints for what to do", () => {
  const op = ops.openatDirect("p", 0, 900);
  assert(op.errorOf(6).message.includes("Register a table of files"));
  assert(op.errorOf(23).message.includes("No slot"));
  assert(op.errorOf(22).message.includes("beyond"));
  assertEquals(op.errorOf(2).path, "p");
});
