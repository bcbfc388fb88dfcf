/** Filters of submissions: `ring.registerBpfFilter`, `filterTask`. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { EACCES } from "../../../ffi/linux.ts";
import {
  IORING_OP_NOP,
  IORING_OP_READ,
  IORING_REGISTER_BPF_FILTER,
  isSystemError,
  layout,
} from "../../../ffi/mod.ts";
import { prepNop } from "../../../ops/nop.ts";
import { prepRead } from "../../../ops/rw.ts";
import { type BpfInstruction, filterTask, Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import {
  answering,
  backends,
  hasRegister,
  runOne,
  wrongly,
} from "./support.ts";

const known = hasRegister(IORING_REGISTER_BPF_FILTER);

/** BPF_RET | BPF_K: ends with a constant. */
const answer = (k: number): BpfInstruction => ({ code: 0x06, k });

eachRing("bpf filter: lets ops through, or not", { when: known }, (ring) => {
  ring.registerBpfFilter({ opcode: IORING_OP_READ, program: [answer(0)] });
  ring.registerBpfFilter({ opcode: IORING_OP_NOP, program: [answer(1)] });
  assertEquals(runOne(ring, prepNop), 0);
  assertEquals(runOne(ring, (sqe) => prepRead(sqe, 0, 0, 0, 0)), -EACCES);
});

Deno.test({
  name: "bpf filter: is named where the kernel lacks it",
  ignore: known,
  fn() {
    const filter = { opcode: IORING_OP_NOP, program: [answer(1)] };
    for (const backend of backends) {
      using ring = new Ring({ entries: 2, backend });
      const ofRing = failure("EINVAL", () => ring.registerBpfFilter(filter));
      assertEquals(ofRing.op, "io_uring_register_bpf_filter");
      assertStringIncludes(
        ofRing.message,
        "IORING_REGISTER_BPF_FILTER needs Linux 7.0 or later",
      );
      const ofTask = assertThrows(() => filterTask(filter, { backend }));
      assert(isSystemError(ofTask), String(ofTask));
      assertEquals(ofTask.op, "io_uring_register_bpf_filter_task");
      assertStringIncludes(ofTask.message, "needs Linux 7.0 or later");
    }
  },
});

Deno.test("bpf filter: reaches the kernel as it is", () => {
  let seen: Uint8Array | undefined;
  const kernel = answering((opcode, bytes) => {
    if (opcode !== IORING_REGISTER_BPF_FILTER) return undefined;
    const { buffer } = bytes(layout.io_uring_bpf.size + 16);
    seen = new Uint8Array(buffer).slice();
    return 0;
  });
  using ring = new Ring({ entries: 2, backend: kernel });
  ring.registerBpfFilter({
    opcode: 45,
    program: [{ code: 0x15, jt: 1, jf: 2, k: 0xffff_fffe }, answer(1)],
    pduSize: 12,
    denyRest: true,
    strictSize: true,
  });
  assert(seen !== undefined);
  const view = new DataView(seen.buffer);
  const bpf = layout.io_uring_bpf;
  assertEquals(view.getUint16(bpf.cmd_type, true), 1);
  assertEquals(view.getUint32(bpf.filter_opcode, true), 45);
  assertEquals(view.getUint32(bpf.filter_flags, true), 3);
  assertEquals(view.getUint32(bpf.filter_filter_len, true), 2);
  assertEquals(view.getUint8(bpf.filter_pdu_size), 12);
  assertEquals(
    [...seen.subarray(bpf.size)],
    [0x15, 0, 1, 2, 0xfe, 0xff, 0xff, 0xff, 0x06, 0, 0, 0, 1, 0, 0, 0],
  );
});

Deno.test("bpf filter: what is none is refused before the kernel sees it", () => {
  const ring = new Ring(2);
  const good = { opcode: 0, program: [answer(1)] };
  for (
    const register of [
      (filter: unknown) => () => ring.registerBpfFilter(wrongly(filter)),
      (filter: unknown) => () => filterTask(wrongly(filter)),
    ]
  ) {
    for (const filter of [undefined, null, 1, "x"]) {
      assertThrows(register(filter), TypeError, "filter must be an object");
    }
    for (const opcode of [-1, 256, 1.5]) {
      assertThrows(register({ ...good, opcode }), RangeError, "opcode");
    }
    assertThrows(register({ ...good, opcode: "0" }), TypeError, "opcode");
    assertThrows(register({ ...good, pduSize: 256 }), RangeError, "pduSize");
    assertThrows(register({ ...good, program: [] }), RangeError, "program");
    assertThrows(
      register({ ...good, program: new Array(4097).fill(answer(1)) }),
      RangeError,
      "program",
    );
    for (const program of [null, "ret", answer(1), [null], [5], [{}]]) {
      assertThrows(register({ ...good, program }), TypeError, "program");
    }
    for (
      const instruction of [
        { code: 65536 },
        { code: 6, jt: 256 },
        { code: 6, jf: -1 },
        { code: 6, k: -1 },
      ]
    ) {
      const program = [answer(1), instruction];
      assertThrows(register({ ...good, program }), RangeError, "program[1]");
    }
  }
  ring.close();
  assertThrows(() => ring.registerBpfFilter(good), TypeError, "closed");
});
