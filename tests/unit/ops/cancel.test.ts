/** What the builders of cancellations encode and refuse. */

import { assertEquals, assertThrows } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import {
  cancel,
  cancelAny,
  cancelFd,
  cancelMatching,
  cancelOp,
} from "../../../ops/cancel.ts";
import { fixedFile } from "../../../ops/fd.ts";
import type { Op } from "../../../ops/op.ts";
import type { Sqe } from "../../../ring/sqe.ts";
import { encode, refuses } from "../../support/entry.ts";

Deno.test("cancel: keys become flags", () => {
  const { IORING_OP_ASYNC_CANCEL: opcode } = abi;
  const fields = ({ opcode, fd, addr, len, opFlags }: Sqe) => [
    opcode,
    fd,
    addr,
    len,
    opFlags,
  ];
  const encoded = (op: Op<number>) => fields(encode(op)[0]);
  assertEquals(encoded(cancel(9n)), [opcode, -1, 9n, 0, 0]);
  assertEquals(encoded(cancel(9n, { all: true })), [opcode, -1, 9n, 0, 1]);
  assertEquals(encoded(cancelFd(4)), [opcode, 4, 0n, 0, 2]);
  assertEquals(encoded(cancelFd(fixedFile(4))), [opcode, 4, 0n, 0, 2 | 8]);
  assertEquals(encoded(cancelOp(22, { all: true })), [
    opcode,
    -1,
    0n,
    22,
    1 | 32,
  ]);
  assertEquals(encoded(cancelAny()), [opcode, -1, 0n, 0, 4]);
  const both = { userData: 1, opcode: 3 };
  assertEquals(encoded(cancelMatching(both)), [opcode, -1, 1n, 3, 16 | 32]);
  const file = { userData: 1, fd: 2 };
  assertEquals(encoded(cancelMatching(file)), [opcode, 2, 1n, 0, 2 | 16]);
  assertEquals(encoded(cancelMatching({ opcode: 3 })), [opcode, -1, 0n, 3, 32]);
  const match = { userData: 1, fd: 2, opcode: 3, all: true };
  assertEquals(encoded(cancelMatching(match)), [
    opcode,
    2,
    1n,
    3,
    1 | 2 | 16 | 32,
  ]);
  assertEquals(encoded(cancelMatching({ userData: 5 })), [
    opcode,
    -1,
    5n,
    0,
    0,
  ]);
});

Deno.test("cancel: one found is 1, all found is their number", () => {
  const give = (op: Op<number>, res: number) =>
    op.finish({ res, flags: 0 }, undefined);
  assertEquals(give(cancel(1), 0), 1);
  assertEquals(give(cancel(1, { all: true }), 0), 0);
  assertEquals(give(cancelAny(), 3), 3);
  assertThrows(() => give(cancel(1), -114), Error, "EALREADY");
});

Deno.test("cancel: bad arguments are refused", () => {
  refuses(TypeError, "cancel: userData must", cancel, "1");
  refuses(RangeError, "cancel: userData must", cancel, 1.5);
  refuses(RangeError, "cancelFd: fd must", cancelFd, -1);
  refuses(TypeError, "cancelFd: fd must", cancelFd, "3");
  refuses(RangeError, "cancelOp: opcode must", cancelOp, 256);
  refuses(TypeError, "cancelOp: opcode must", cancelOp, "read");
  refuses(TypeError, "name at least one", cancelMatching, { all: true });
});
