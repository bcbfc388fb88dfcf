/** Restrictions: `ring.restrict`, `restrictTask`. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { EACCES } from "../../../ffi/linux.ts";
import {
  IORING_FEAT_REG_REG_RING,
  IORING_OP_NOP,
  IORING_OP_READ,
  IORING_OP_WRITE,
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_SYNC_CANCEL,
  IORING_SETUP_R_DISABLED,
  IORING_UNREGISTER_RING_FDS,
  IOSQE_ASYNC,
  IOSQE_FIXED_FILE,
  IOSQE_IO_LINK,
  isSystemError,
  Memory,
} from "../../../ffi/mod.ts";
import { prepNop } from "../../../ops/nop.ts";
import { prepRead } from "../../../ops/rw.ts";
import { restrictTask, Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing, type RingKind, ringKinds } from "../../support/rings.ts";
import { Fds } from "../../support/sockets.ts";
import {
  backends,
  hasRegister,
  linux,
  queue,
  runOne,
  wrongly,
} from "./support.ts";

const options = { flags: IORING_SETUP_R_DISABLED };

/** Runs a NOP with flags; gives its result. */
function nop(ring: Ring, flags = 0): number {
  return runOne(ring, (sqe) => {
    prepNop(sqe);
    sqe.flags = flags;
  });
}

function read(ring: Ring): number {
  return runOne(ring, (sqe) => prepRead(sqe, 0, 0, 0, 0));
}

eachRing("restrictions: ops that are not named are refused", { options }, (
  ring,
) => {
  ring.restrict({ opcodes: [IORING_OP_NOP, IORING_OP_WRITE, IORING_OP_NOP] });
  ring.enable();
  assertEquals(nop(ring), 0);
  assertEquals(read(ring), -EACCES);
});

eachRing("restrictions: register opcodes that are not named are refused", {
  options,
}, (ring) => {
  const { bytes } = new Memory(4096);
  ring.restrict({ registerOpcodes: [IORING_REGISTER_BUFFERS] });
  ring.files.register([0]);
  ring.enable();
  ring.buffers.register([bytes]);
  const refused = failure("EACCES", () => ring.buffers.unregister());
  assertEquals(refused.op, "io_uring_unregister_buffers");
  assertStringIncludes(refused.message, "restrictions do not allow it");
  failure("EACCES", () => ring.files.unregister());
  failure("EACCES", () => ring.probe());
  // Since 7.0 ops are restricted only if restrictions name some, or flags.
  assertEquals(nop(ring), linux("7.0") ? 0 : -EACCES);
});

eachRing(
  "restrictions: flags are allowed and required",
  { options },
  (ring) => {
    ring.files.register([0]);
    ring.restrict({
      opcodes: [IORING_OP_NOP],
      flagsAllowed: IOSQE_ASYNC | IOSQE_FIXED_FILE,
      flagsRequired: IOSQE_FIXED_FILE,
    });
    ring.enable();
    assertEquals(nop(ring), -EACCES);
    assertEquals(nop(ring, IOSQE_ASYNC), -EACCES);
    assertEquals(nop(ring, IOSQE_FIXED_FILE), 0);
    assertEquals(nop(ring, IOSQE_FIXED_FILE | IOSQE_ASYNC), 0);
    assertEquals(nop(ring, IOSQE_FIXED_FILE | IOSQE_IO_LINK), -EACCES);
  },
);

eachRing("restrictions: come once, before the ring is enabled", { options }, (
  ring,
  kind,
) => {
  ring.restrict({ opcodes: [IORING_OP_NOP] });
  const twice = failure(
    "EBUSY",
    () => ring.restrict({ opcodes: [IORING_OP_READ] }),
  );
  assertEquals(twice.op, "io_uring_register_restrictions");
  assertStringIncludes(twice.message, "restricted already");
  ring.enable();
  using enabled = kind.make();
  const late = failure("EBADFD", () => enabled.enable());
  assertEquals(late.op, "io_uring_enable_rings");
  const error = failure(
    "EBADFD",
    () => enabled.restrict({ opcodes: [IORING_OP_NOP] }),
  );
  assertStringIncludes(error.message, "IORING_SETUP_R_DISABLED");
});

eachRing("restrictions: opcodes that the kernel does not know", { options }, (
  ring,
) => {
  const error = failure("EINVAL", () => ring.restrict({ opcodes: [255] }));
  assertStringIncludes(error.message, "must know every opcode");
  ring.restrict({ opcodes: [IORING_OP_NOP] });
  ring.enable();
  assertEquals(nop(ring), 0);
});

eachRing("restrictions: an opcode may be named any number of times", {
  options,
}, (ring) => {
  ring.restrict({ opcodes: new Array<number>(1000).fill(IORING_OP_NOP) });
  ring.enable();
  assertEquals(nop(ring), 0);
});

eachRing("restrictions: do not keep the place of a registered ring", {
  when: hasRegister(IORING_UNREGISTER_RING_FDS),
  only: ["liburing", "syscall"],
}, (_, kind) => {
  // A thread has 16 places.
  for (let count = 0; count < 20; count++) {
    using ring = kind.make(options);
    if ((ring.features & IORING_FEAT_REG_REG_RING) === 0) return;
    ring.registerRingFd();
    ring.restrict({ opcodes: [IORING_OP_NOP] });
    ring.enable();
  }
});

eachRing("restrictions: a disabled ring takes nothing", { options }, (ring) => {
  // An SQPOLL ring's thread takes nothing, and nobody enters.
  if (ring.flags & 2) return assertEquals(ring.flags & 64, 64);
  queue(ring, prepNop);
  const error = failure("EBADFD", () => ring.submit());
  assertStringIncludes(error.message, "call ring.enable()");
  ring.enable();
  assertEquals(ring.submitAndWait(1), 1);
});

for (const kind of ringKinds) {
  const can = kind.supported && hasRegister(IORING_REGISTER_SYNC_CANCEL) &&
    featuresOf(kind) & IORING_FEAT_REG_REG_RING;
  Deno.test({
    name: `restrictions: do not keep a ring from closing [${kind.name}]`,
    ignore: !can,
    fn() {
      using fds = new Fds();
      const [reader, writer] = fds.pipe();
      const ring = kind.make(options);
      const memory = new Memory(4096);
      ring.registerRingFd();
      ring.restrict({ opcodes: [IORING_OP_READ] });
      ring.enable();
      queue(ring, (sqe) => prepRead(sqe, reader, memory.address, 1, 0));
      ring.submit();
      const canceled = ring.cancel({ any: true, all: true });
      // The thread of an SQPOLL ring may not have taken the read yet.
      assert(canceled === 1 || kind.name === "sqpoll");
      ring.close();
      assert(ring.closed);
      fds.close(writer);
      assertEquals(memory.bytes[0], 0);
    },
  });
}

function featuresOf(kind: RingKind): number {
  using ring = kind.make();
  return ring.features;
}

Deno.test("restrictions: what is none is refused before the kernel sees it", () => {
  const ring = new Ring({ entries: 4, ...options });
  for (const bad of [undefined, null, 5, "nop"]) {
    assertThrows(() => ring.restrict(wrongly(bad)), TypeError, "restrictions");
  }
  for (const opcodes of [5, "1", {}, null]) {
    assertThrows(
      () => ring.restrict({ opcodes: wrongly(opcodes) }),
      TypeError,
      "ring.restrict: opcodes must be an array",
    );
  }
  assertThrows(() => ring.restrict({ opcodes: [256] }), RangeError, "opcodes");
  assertThrows(
    () => ring.restrict({ registerOpcodes: [-1] }),
    RangeError,
    "registerOpcodes[0]",
  );
  assertThrows(() => ring.restrict({ opcodes: wrongly(["1"]) }), TypeError);
  for (const flags of [-1, 256, 1.5]) {
    assertThrows(
      () => ring.restrict({ flagsAllowed: flags }),
      RangeError,
      "flagsAllowed",
    );
    assertThrows(
      () => ring.restrict({ flagsRequired: flags }),
      RangeError,
      "flagsRequired",
    );
  }
  ring.close();
  assertThrows(() => ring.restrict({ opcodes: [0] }), TypeError, "closed");
  assertThrows(() => ring.enable(), TypeError, "closed");
});

Deno.test({
  name: "restrictions: those of a task are named where the kernel lacks them",
  ignore: linux("7.0"),
  fn() {
    for (const backend of backends) {
      const error = assertThrows(() =>
        restrictTask({ opcodes: [IORING_OP_NOP] }, { backend })
      );
      assert(isSystemError(error), String(error));
      assertEquals(error.op, "io_uring_register_restrictions");
      assertStringIncludes(error.message, "need Linux 7.0 or later");
    }
  },
});
