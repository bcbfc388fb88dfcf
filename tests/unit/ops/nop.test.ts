/** What the builders of NOPs encode and refuse. */

import { assertEquals } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { nop, nop128 } from "../../../ops/nop.ts";
import { encode, refuses } from "../../support/entry.ts";

Deno.test("nop: options become flags, result and words", () => {
  const [plain] = encode(nop());
  assertEquals([plain.opcode, plain.fd, plain.opFlags], [
    abi.IORING_OP_NOP,
    -1,
    0,
  ]);
  const [injected] = encode(nop({ result: -5 }));
  assertEquals([injected.opFlags, injected.len], [1, 0xffff_fffb]);
  const [big] = encode(
    nop128({ result: 0, bigCqe: [1n, 2n ** 64n - 1n] }),
    128,
  );
  assertEquals(big.opcode, abi.IORING_OP_NOP128);
  assertEquals(
    big.opFlags,
    abi.IORING_NOP_INJECT_RESULT | abi.IORING_NOP_CQE32,
  );
  assertEquals([big.len, big.off, big.addr], [0, 1n, 2n ** 64n - 1n]);
});

Deno.test("nop: bad options are refused", () => {
  refuses(RangeError, "nop: result must", nop, { result: 2 ** 31 });
  refuses(RangeError, "nop: result must", nop, { result: 0.5 });
  refuses(TypeError, "nop128: result must", nop128, { result: "1" });
  refuses(TypeError, "nop: bigCqe[1] must", nop, { bigCqe: [1] });
  refuses(RangeError, "nop: bigCqe[0] must", nop, { bigCqe: [2n ** 64n, 0] });
});
