/** What the builders of ops on open files encode and refuse. */

import {
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import * as linux from "../../../ffi/linux.ts";
import { addressOf } from "../../../ffi/memory.ts";
import { fixedFile } from "../../../ops/fd.ts";
import * as ops from "../../../ops/mod.ts";
import type { Op } from "../../../ops/op.ts";
import type { Sqe } from "../../../ring/sqe.ts";
import { encode, refuses } from "../../support/entry.ts";

const buffer = new Uint8Array(100);

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
  for (const bad of [{ offset: -1 }, { length: -1 }, { length: 2 ** 32 }]) {
    const words = `syncFileRange: ${Object.keys(bad)[0]}`;
    refuses(RangeError, words, ops.syncFileRange, 1, 0, bad);
  }
  refuses(RangeError, "fallocate: offset", ops.fallocate, 1, 0, -1, 1);
  refuses(RangeError, "fallocate: length", ops.fallocate, 1, 0, 0, 2n ** 63n);
  refuses(
    RangeError,
    "length must be an integer from 1",
    ops.fallocate,
    1,
    0,
    0,
    0,
  );
  refuses(RangeError, "fallocate: length", ops.fallocate, 1, 0, 0, 0n);
  refuses(TypeError, "fallocate: mode", ops.fallocate, 1, "0", 0, 1);
  refuses(RangeError, "fadvise: offset", ops.fadvise, 1, -1, 0, 0);
  refuses(RangeError, "fadvise: length", ops.fadvise, 1, 0, -1, 0);
  refuses(TypeError, "fadvise: advice", ops.fadvise, 1, 0, 0);
  refuses(TypeError, "madvise: memory", ops.madvise, 5, 0);
  refuses(RangeError, "madvise: advice", ops.madvise, buffer, -1);
  refuses(RangeError, "ftruncate: fd", ops.ftruncate, -1, 0);
  refuses(RangeError, "ftruncate: length", ops.ftruncate, 1, -1);
  refuses(TypeError, "ftruncate: length", ops.ftruncate, 1, null);
});

Deno.test("fallocate: EINVAL is the mode's, a length of 0 never gets there", () => {
  const { message } = ops.fallocate(3, 0, 0, 1).errorOf(22);
  assertStringIncludes(message, "see fallocate(2)");
});
