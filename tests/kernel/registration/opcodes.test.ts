/** What the register opcodes' errors say, and how an answer and a request read in memory. */

import { assertEquals } from "@std/assert";
import { EBADFD, EBUSY, EINVAL } from "../../../ffi/linux.ts";
import {
  IO_URING_OP_SUPPORTED,
  IORING_ASYNC_CANCEL_ALL,
  IORING_ASYNC_CANCEL_ANY,
  IORING_ASYNC_CANCEL_FD,
  IORING_ASYNC_CANCEL_FD_FIXED,
  IORING_ASYNC_CANCEL_OP,
  IORING_ASYNC_CANCEL_USERDATA,
  IORING_OP_READ,
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_CLOCK,
  IORING_REGISTER_PROBE,
  layout,
  takeBlock,
} from "../../../ffi/mod.ts";
import { Ring } from "../../../ring/mod.ts";
import {
  type CancelRequest,
  encodeCancel,
} from "../../../ring/registration/cancel.ts";
import { registerError } from "../../../ring/registration/opcodes.ts";
import { answering } from "./support.ts";

Deno.test("register errors: the kernel's age is told where it may be the reason", () => {
  const told = (errno: number, opcode: number, own?: string) => {
    const { message } = registerError(errno, "call", opcode, () => own);
    return message.replace(/^call: [^(]* \((\w+)\)/, "$1");
  };
  const young = "IORING_REGISTER_CLOCK needs Linux 6.12 or later.";
  assertEquals(told(EINVAL, IORING_REGISTER_CLOCK), `EINVAL. ${young}`);
  assertEquals(
    told(EINVAL, IORING_REGISTER_CLOCK, "Mend it."),
    `EINVAL. Mend it. ${young}`,
  );
  assertEquals(told(EBUSY, IORING_REGISTER_CLOCK, "Wait."), "EBUSY. Wait.");
  assertEquals(told(EBUSY, IORING_REGISTER_CLOCK), "EBUSY");
  // Every kernel that this library runs on has these.
  assertEquals(told(EINVAL, IORING_REGISTER_BUFFERS), "EINVAL");
  assertEquals(told(EINVAL, 1000), "EINVAL");
  assertEquals(
    told(EBADFD, IORING_REGISTER_BUFFERS).includes("ring.enable()"),
    true,
  );
});

Deno.test("probe: has what the kernel marks as supported, to the last", () => {
  const { io_uring_probe: probe, io_uring_probe_op: op } = layout;
  const backend = answering((opcode, bytes) => {
    if (opcode !== IORING_REGISTER_PROBE) return undefined;
    const view = bytes(probe.size + 4 * op.size);
    view.setUint8(probe.last_op, 9);
    view.setUint8(probe.ops_len, 3);
    for (const [index, code] of [2, 5, 9, 11].entries()) {
      const at = probe.size + index * op.size;
      view.setUint8(at + op.op, code);
      const flags = code === 5 ? 0 : IO_URING_OP_SUPPORTED;
      view.setUint16(at + op.flags, flags, true);
    }
    return 0;
  });
  using ring = new Ring({ entries: 1, backend });
  const answer = ring.probe();
  assertEquals(answer.lastOpcode, 9);
  const has = [2, 5, 9, 11].map((opcode) => answer.supports(opcode));
  assertEquals(has, [true, false, true, false]);
});

Deno.test("cancel: each key has its flag, user_data only beside another", () => {
  const { io_uring_sync_cancel_reg: cancel } = layout;
  const flagsOf = (request: CancelRequest) => {
    const block = takeBlock(cancel.size);
    const flags = encodeCancel(block, request);
    assertEquals(block.view.getUint32(cancel.flags, true), flags);
    block.release();
    return flags;
  };
  const [fd, opcode, userData] = [3, IORING_OP_READ, 7];
  const ALL = IORING_ASYNC_CANCEL_ALL;
  const FD = IORING_ASYNC_CANCEL_FD;
  const OP = IORING_ASYNC_CANCEL_OP;
  const USERDATA = IORING_ASYNC_CANCEL_USERDATA;
  assertEquals(flagsOf({ userData }), 0);
  assertEquals(flagsOf({ userData, all: true }), ALL);
  assertEquals(flagsOf({ fd }), FD);
  const fixed = FD | IORING_ASYNC_CANCEL_FD_FIXED;
  assertEquals(flagsOf({ fd: { index: 3 } }), fixed);
  assertEquals(flagsOf({ opcode }), OP);
  assertEquals(flagsOf({ userData, fd }), FD | USERDATA);
  assertEquals(flagsOf({ userData, opcode }), OP | USERDATA);
  assertEquals(flagsOf({ fd, opcode }), FD | OP);
  assertEquals(
    flagsOf({ any: true, all: true }),
    ALL | IORING_ASYNC_CANCEL_ANY,
  );
});

Deno.test("cancel: waits as long as it is told to, by default for ever", () => {
  const { io_uring_sync_cancel_reg: cancel } = layout;
  const block = takeBlock(cancel.size);
  const { view } = block;
  encodeCancel(block, { any: true, timeout: 1500 });
  const time = () => [
    view.getBigInt64(cancel.timeout_tv_sec, true),
    view.getBigInt64(cancel.timeout_tv_nsec, true),
  ];
  assertEquals(time(), [1n, 500_000_000n]);
  encodeCancel(block, { any: true });
  assertEquals(time(), [-1n, -1n]);
  block.release();
});
