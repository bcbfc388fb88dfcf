/** What completions mean, by their numbers. */

import { assertEquals } from "@std/assert";
import { openKernel } from "../../../ffi/backend.ts";
import { EINVAL, EIO, EOPNOTSUPP } from "../../../ffi/linux.ts";
import { nop, Op, opcodes } from "../../../ops/mod.ts";
import { wasCancelled } from "../../../ops/cancelled.ts";
import { completionError } from "../../../proactor/errors.ts";

// Loaded once, to ask it what it has: no leak of the first test.
openKernel();

Deno.test("errors: ECANCELED, EINTR and the kernel's own words for that are a cancellation", () => {
  for (const errno of [125, 4, 512, 513, 514, 516]) {
    assertEquals(wasCancelled(-errno), true, `${errno}`);
  }
  for (const res of [0, 4, -5, -22, -511, -517]) {
    assertEquals(wasCancelled(res), false, `${res}`);
  }
  for (const errno of [4, 512, 516]) {
    assertEquals(completionError(nop(), -errno).code, "EINTR");
  }
});

const lacking = Object.values(opcodes).find((opcode) => !opcode.supported());

Deno.test({
  name:
    "errors: an op is missing only if the probe says so, and the errno may mean that",
  ignore: lacking === undefined,
  fn() {
    const missing = Op.of<number, undefined>({
      opcode: lacking?.code ?? 0,
      name: "missing",
      encode: () => undefined,
      decode: ({ res }) => res,
    });
    const says = (op: Op<number>, res: number) =>
      completionError(op, res).message.includes("This kernel has no");
    assertEquals([says(missing, -EINVAL), says(missing, -EOPNOTSUPP)], [
      true,
      true,
    ]);
    assertEquals([says(missing, -EIO), says(nop(), -EINVAL)], [false, false]);
  },
});
