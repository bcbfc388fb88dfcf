/** What the builders of commands to files encode and refuse. */

import { assertEquals, assertThrows } from "@std/assert";
import { IOSQE_FIXED_FILE } from "../../../ffi/abi.ts";
import { cmdDiscard, uringCmd, uringCmd128 } from "../../../ops/command.ts";
import { fixedFile } from "../../../ops/fd.ts";
import { encode, refuses } from "../../support/entry.ts";

Deno.test("uringCmd: command, argument and buffer are encoded", () => {
  const argument = Uint8Array.from({ length: 16 }, (_, index) => index + 1);
  const op = uringCmd(fixedFile(3), 0xc0de_0001, { argument, bufIndex: 7 });
  argument.fill(0);
  const [sqe] = encode(op);
  assertEquals([sqe.opcode, sqe.fd, sqe.off], [46, 3, 0xc0de_0001n]);
  assertEquals([sqe.flags, sqe.opFlags, sqe.bufIndex], [1, 1, 7]);
  assertEquals([...sqe.cmd], [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
  ]);
});

Deno.test("uringCmd: a long argument wants an entry of 128 bytes", () => {
  const argument = new Uint8Array(80).fill(0xee);
  const op = uringCmd(3, 1, { argument });
  assertThrows(() => encode(op), RangeError, "wants an entry of 128 bytes");
  assertEquals([...encode(op, 128)[0].cmd], new Array(80).fill(0xee));
  assertThrows(
    () => encode(uringCmd128(3, 1)),
    RangeError,
    "IORING_SETUP_SQE128",
  );
  assertEquals(encode(uringCmd128(3, 1), 128)[0].opcode, 64);
});

Deno.test("commands: bad arguments are refused", () => {
  refuses(RangeError, "uringCmd: fd must", uringCmd, -1, 0);
  refuses(RangeError, "uringCmd: command must", uringCmd, 1, 2 ** 32);
  refuses(TypeError, "uringCmd: argument must", uringCmd, 1, 0, {
    argument: [1],
  });
  refuses(RangeError, "80 bytes at most", uringCmd, 1, 0, {
    argument: new Uint8Array(81),
  });
  refuses(RangeError, "uringCmd: bufIndex", uringCmd, 1, 0, {
    bufIndex: 65536,
  });
  refuses(TypeError, "uringCmd128: keep[0]", uringCmd128, 1, 0, { keep: [1] });
  refuses(RangeError, "cmdDiscard: offset must", cmdDiscard, 1, -1, 1);
  refuses(TypeError, "cmdDiscard: byteLength must", cmdDiscard, 1, 0, null);
});

Deno.test("cmdDiscard: the range is in addr and addr3", () => {
  const [sqe] = encode(cmdDiscard(3, 4096n, 8192));
  assertEquals([sqe.off, sqe.addr, sqe.addr3], [0x1200n, 4096n, 8192n]);
  const [fixed] = encode(cmdDiscard(fixedFile(3), 0, 1));
  assertEquals([fixed.fd, fixed.flags], [3, IOSQE_FIXED_FILE]);
  refuses(RangeError, "cmdDiscard: fd must", cmdDiscard, -1, 0, 1);
});
