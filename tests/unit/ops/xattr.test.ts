/** What the builders of extended attributes encode and refuse. */

import { assert, assertEquals } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import * as linux from "../../../ffi/linux.ts";
import { fixedFile } from "../../../ops/fd.ts";
import * as ops from "../../../ops/mod.ts";
import { release } from "../../../ops/op.ts";
import { encodeBlock, refuses, textAt } from "../../support/entry.ts";

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

  for (const get of [ops.getxattr("p", "user.a"), ops.fgetxattr(3, "user.a")]) {
    const [{ len }, block] = encodeBlock(get);
    assertEquals(len, 4096);
    block.bytes.set([4, 5, 6]);
    const result = get.finish({ res: 2, flags: 0 }, block);
    block.bytes.fill(0);
    assertEquals(result, Uint8Array.of(4, 5));
    release(block);
  }
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
  const url = new URL("file:///user.a");
  refuses(TypeError, "getxattr: name must", ops.getxattr, "p", url);
  refuses(RangeError, "fgetxattr: fd", ops.fgetxattr, -1, "a");
  refuses(TypeError, "fsetxattr: fd", ops.fsetxattr, "p", "a", "v");
  refuses(RangeError, "fsetxattr: flags", ops.fsetxattr, 1, "a", "v", {
    flags: 0.5,
  });
  const gone = new Uint8Array(3);
  gone.buffer.transfer();
  refuses(TypeError, "setxattr: value", ops.setxattr, "p", "a", gone);
  const { message } = ops.getxattr("p", "user.a", { size: 8 }).errorOf(34);
  assert(message.includes("more than 8 bytes"), message);
});
