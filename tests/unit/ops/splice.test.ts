/** What the builders of splices and pipes encode and refuse. */

import { assertEquals } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import * as linux from "../../../ffi/linux.ts";
import { fixedFile } from "../../../ops/fd.ts";
import * as ops from "../../../ops/mod.ts";
import { release } from "../../../ops/op.ts";
import { encode, encodeBlock, refuses } from "../../support/entry.ts";

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
  refuses(RangeError, "splice: flags", ops.splice, 1, 2, 1, { flags: 0.5 });
  refuses(RangeError, "tee: fdIn", ops.tee, -1, 2, 1);
  refuses(RangeError, "tee: fdOut", ops.tee, 1, -1, 1);
  refuses(RangeError, "tee: length", ops.tee, 1, 2, -1);
  refuses(TypeError, "tee: flags", ops.tee, 1, 2, 1, { flags: null });
  refuses(RangeError, "pipe: flags", ops.pipe, { flags: -0.5 });
  refuses(TypeError, "pipeDirect: slot", ops.pipeDirect);
  refuses(RangeError, "pipeDirect: flags", ops.pipeDirect, 0, { flags: 0.5 });
});
