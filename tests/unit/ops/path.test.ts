/** What the builders of ops on paths encode and refuse. */

import { assert, assertEquals } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { statx as statxLayout } from "../../../ffi/layout.ts";
import * as linux from "../../../ffi/linux.ts";
import * as ops from "../../../ops/mod.ts";
import { release } from "../../../ops/op.ts";
import { encode, encodeBlock, refuses, textAt } from "../../support/entry.ts";

Deno.test("paths: URLs, and bytes that are no UTF-8", () => {
  const [sqe, block] = encodeBlock(
    ops.openat(new URL("file:///a%20b/c"), 0),
  );
  assertEquals(textAt(block, sqe.addr), "/a b/c");
  release(block);
  const [odd, place] = encodeBlock(ops.openat(new URL("file:///100%/%zz"), 0));
  assertEquals(textAt(place, odd.addr), "/100%/%zz");
  release(place);
  const bytes = Uint8Array.of(0x2f, 0xff, 0x61);
  const op = ops.unlinkat(bytes);
  bytes[2] = 0x62; // too late: it was copied
  const [raw, held] = encodeBlock(op);
  const from = Number(raw.addr) - held.address;
  assertEquals([...held.bytes.subarray(from, from + 4)], [0x2f, 0xff, 0x61, 0]);
  release(held);
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
  const nul = Uint8Array.of(97, 0, 98);
  refuses(TypeError, "unlinkat: path contains", ops.unlinkat, nul);
  refuses(RangeError, "unlinkat: flags", ops.unlinkat, "p", { flags: 1.5 });
  refuses(RangeError, "unlinkat: dirfd", ops.unlinkat, "p", { dirfd: -2 });
  refuses(RangeError, "renameat: flags", ops.renameat, "p", "q", {
    flags: 0.5,
  });
  refuses(TypeError, "renameat: newPath", ops.renameat, "p");
  refuses(RangeError, "renameat: oldDirfd", ops.renameat, "p", "q", {
    oldDirfd: -5,
  });
  refuses(TypeError, "linkat: oldPath", ops.linkat, {}, "q");
  refuses(RangeError, "linkat: newDirfd", ops.linkat, "p", "q", {
    newDirfd: 0.1,
  });
  refuses(RangeError, "mkdirat: mode", ops.mkdirat, "p", { mode: 0o20000 });
  refuses(RangeError, "mkdirat: dirfd", ops.mkdirat, "p", { dirfd: -2 });
  refuses(RangeError, "symlinkat: dirfd", ops.symlinkat, "p", "q", {
    dirfd: -2,
  });
  refuses(TypeError, "symlinkat: target", ops.symlinkat, 1, "q");
  refuses(TypeError, "symlinkat: linkPath", ops.symlinkat, "p", null);
});
