import { assertEquals, assertThrows } from "@std/assert";
import {
  IORING_CQE_F_32,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_SQE128,
  isSystemError,
} from "../../ffi/mod.ts";
import { nop, nop128 } from "../../ops/nop.ts";
import { opcodes } from "../../ops/opcodes.ts";
import { run } from "../../ops/run.ts";
import { collect, queue } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";
import { canMake } from "../support/setup.ts";

const sizes = [
  ["64-byte SQEs, 16-byte CQEs", 0],
  ["128-byte SQEs", IORING_SETUP_SQE128],
  ["32-byte CQEs", IORING_SETUP_CQE32],
  ["128-byte SQEs, 32-byte CQEs", IORING_SETUP_SQE128 | IORING_SETUP_CQE32],
  ["CQEs of both sizes", IORING_SETUP_CQE_MIXED],
] as const;

for (const [name, flags] of sizes) {
  eachRing(
    `nop: around the queues, ${name}`,
    { when: canMake(flags), options: { entries: 8, flags } },
    (ring) => {
      for (let round = 0; round < 20; round++) {
        const first = 1000 * round;
        for (let index = 0; index < 7; index++) {
          queue(ring, nop(), first + index);
        }
        const tags = collect(ring, 7).map(({ tag }) => tag);
        assertEquals(tags, [0, 1, 2, 3, 4, 5, 6].map((index) => first + index));
      }
    },
  );
}

// Injected results came with 6.10, bind with 6.11.
eachRing("nop: an injected result", { needs: ["bind"] }, (ring) => {
  assertEquals(run(ring, nop({ result: 0x7fff_ffff })), 0x7fff_ffff);
  assertEquals(run(ring, nop({ result: 0 })), 0);
  const error = assertThrows(
    () => run(ring, nop({ result: -28 })),
    Error,
    "nop: no space left on device (ENOSPC)",
  );
  assertEquals(isSystemError(error) && error.errno, 28);
});

for (const [name, flags] of sizes.slice(2)) {
  // IORING_NOP_CQE32 is as old as the rings with CQEs of both sizes.
  const when = canMake(flags) && canMake(IORING_SETUP_CQE_MIXED);
  eachRing(
    `nop: the words of a big completion, ${name}`,
    { when, options: { entries: 4, flags } },
    (ring) => {
      for (let round = 0n; round < 20n; round++) {
        const words = [round, 2n ** 64n - 1n - round] as const;
        const sqe = ring.sqe();
        if (sqe === null) throw new Error("no entry");
        nop({ bigCqe: words }).encode(sqe);
        ring.submitAndWait(1);
        const visited = ring.forEachCqe((cqe) => {
          assertEquals([cqe.bigCqe(0), cqe.bigCqe(1)], [...words]);
          const mixed = (flags & IORING_SETUP_CQE_MIXED) !== 0;
          assertEquals((cqe.flags & IORING_CQE_F_32) !== 0, mixed);
        });
        assertEquals(visited, 1);
      }
    },
  );
}

eachRing(
  "nop: a big completion needs a ring with room for it",
  { when: canMake(IORING_SETUP_CQE_MIXED) },
  (ring) => {
    const big = nop({ bigCqe: [1, 2] });
    assertThrows(() => run(ring, big), Error, "EINVAL");
  },
);

eachRing(
  "nop128: completes",
  { needs: ["nop128"], options: { flags: IORING_SETUP_SQE128 } },
  (ring) => assertEquals(run(ring, nop128({ result: 3 })), 3),
);

eachRing(
  "nop128: EINVAL from a kernel without it",
  {
    when: !opcodes.nop128.supported() && canMake(IORING_SETUP_SQE128),
    options: { flags: IORING_SETUP_SQE128 },
  },
  (ring) => {
    assertThrows(() => run(ring, nop128()), Error, "nop128: ");
    assertEquals(run(ring, nop()), 0);
  },
);
