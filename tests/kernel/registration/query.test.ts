/** Questions to the kernel: `queryOpcodes` and its kin; and the table of register opcodes. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import * as abi from "../../../ffi/mod.ts";
import {
  queryOpcodes,
  queryScq,
  queryZcrx,
  registerOpcodes,
  Ring,
} from "../../../ring/mod.ts";
import { available, hasRegister, linux } from "./support.ts";

const asks = hasRegister(abi.IORING_REGISTER_QUERY);
const asksMore = linux("6.19");

for (const backend of ["liburing", "syscall"] as const) {
  const here = available(backend);

  Deno.test({
    name: `query: what the kernel has [${backend}]`,
    ignore: !asks || !here,
    fn() {
      const answer = queryOpcodes({ backend });
      using ring = new Ring(1);
      assertEquals(answer.opcodes, ring.probe().lastOpcode + 1);
      assert(answer.registerOpcodes > abi.IORING_REGISTER_QUERY);
      assertEquals(answer.features, ring.features);
      const old = abi.IORING_SETUP_SQPOLL | abi.IORING_SETUP_CQE_MIXED;
      assertEquals(answer.setupFlags & old, old);
      assert(answer.enterFlags & abi.IORING_ENTER_GETEVENTS);
      assert(answer.sqeFlags & abi.IOSQE_CQE_SKIP_SUCCESS);
      // The first kernels that answer do not say.
      if (asksMore) assert(answer.queries >= 2);
    },
  });

  Deno.test({
    name: `query: more, where the kernel knows more [${backend}]`,
    ignore: !asksMore || !here,
    fn() {
      const { headerSize, headerAlignment } = queryScq({ backend });
      assert(headerSize > 0 && headerAlignment > 0);
      try {
        assert(queryZcrx({ backend }).headerSize > 0);
      } catch (error) {
        // A kernel built without CONFIG_IO_URING_ZCRX.
        if (!abi.isSystemError(error) || error.errno !== 95) throw error;
      }
    },
  });

  Deno.test({
    name: `query: what the kernel does not know is named [${backend}]`,
    ignore: !asks || asksMore || !here,
    fn() {
      for (const query of [queryZcrx, queryScq]) {
        const error = assertThrows(() => query({ backend }));
        assert(abi.isSystemError(error) && error.errno === 95, String(error));
        assertEquals(error.op, "io_uring_register_query");
        assertStringIncludes(error.message, "needs Linux 6.19 or later");
      }
    },
  });

  Deno.test({
    name: `query: a kernel that is too old is named [${backend}]`,
    ignore: asks || !here,
    fn() {
      for (const query of [queryOpcodes, queryZcrx, queryScq]) {
        const error = assertThrows(() => query({ backend }));
        assert(abi.isSystemError(error), String(error));
        assertStringIncludes(error.message, "needs Linux 6.18 or later");
      }
    },
  });
}

Deno.test("register opcodes: every one has its place", () => {
  const named = Object.entries(abi).filter(([name, value]) =>
    typeof value === "number" && /^IORING_(UN)?REGISTER_/.test(name) &&
    registerOpcodes[value]?.name === name
  );
  assertEquals(named.length, abi.IORING_REGISTER_LAST);
  assertEquals(registerOpcodes.length, abi.IORING_REGISTER_LAST);
  for (const [index, { opcode, since }] of registerOpcodes.entries()) {
    assertEquals(opcode, index);
    assert(/^[5-7]\.\d+$/.test(since), since);
  }
});

Deno.test("register: an opcode that no kernel has", () => {
  using ring = new Ring(1);
  const error = assertThrows(() =>
    ring.register("io_uring_frobnicate", 200, 0, 0)
  );
  assert(abi.isSystemError(error));
  assertEquals([error.code, error.op], ["EINVAL", "io_uring_frobnicate"]);
  ring.close();
  assertThrows(
    () => ring.register("io_uring_register", 0, 0, 0),
    TypeError,
    "closed",
  );
});
