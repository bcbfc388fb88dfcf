/** `Ring` against the simulated kernel. */

import { assertEquals } from "@std/assert";
import {
  IORING_OP_NOP128,
  IORING_OP_SEND_ZC,
  IORING_SETUP_SQE_MIXED,
  IORING_SETUP_SQPOLL,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../../ffi/abi.ts";
import { prepNop } from "../../ops/mod.ts";
import { Ring } from "../../ring/mod.ts";
import type { Sqe } from "../../ring/sqe.ts";
import { SimulatedKernel } from "./kernel.ts";
import { Random } from "./random.ts";
import { runRingProgram } from "./ring_program.ts";
import { eachSeed, recorded } from "./seeds.ts";

eachSeed("Ring", 10_000, runRingProgram);

Deno.test("Ring: the program of a seed does the same each time", async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    assertEquals(
      await recorded(runRingProgram, seed),
      await recorded(runRingProgram, seed),
    );
  }
});

function filled(sqe: Sqe | null, fill: (sqe: Sqe) => void): void {
  if (sqe === null) throw new Error("The test's ring is too small.");
  fill(sqe);
}

/** Of each request: its tag, and that of the one it is linked behind. */
function links(kernel: SimulatedKernel): (readonly number[])[] {
  return (kernel.rings[0]?.journal ?? []).map(({ low, previous }) =>
    previous === null ? [low] : [low, previous.low]
  );
}

// Found by the random programs, or by what they were made for.

Deno.test("Ring: padding before a wide entry does not break a chain", () => {
  for (const link of [IOSQE_IO_LINK, IOSQE_IO_HARDLINK]) {
    using kernel = new SimulatedKernel();
    const flags = IORING_SETUP_SQE_MIXED;
    using ring = new Ring({ entries: 8, flags, backend: kernel });
    for (const tag of [1, 2, 3, 4, 5]) {
      filled(ring.sqe(), (sqe) => {
        prepNop(sqe);
        sqe.tag = tag;
      });
    }
    ring.submitAndWait(5);
    ring.forEachCqe(() => {});
    for (const tag of [6, 7]) {
      filled(ring.sqe(), (sqe) => {
        prepNop(sqe);
        sqe.flags = link;
        sqe.tag = tag;
      });
    }
    // The eighth of eight places is too small.
    filled(ring.sqe128(), (sqe) => {
      sqe.opcode = IORING_OP_NOP128;
      sqe.tag = 8;
    });
    ring.submitAndWait(3);
    assertEquals(links(kernel).slice(5), [[6], [7, 6], [0, 7], [8, 0]]);
  }
});

Deno.test("Ring: padding behind a wide entry sees what that is linked to", () => {
  for (const link of [0, IOSQE_IO_LINK]) {
    using kernel = new SimulatedKernel();
    const flags = IORING_SETUP_SQE_MIXED;
    using ring = new Ring({ entries: 8, flags, backend: kernel });
    for (let count = 0; count < 5; count++) filled(ring.sqe(), prepNop);
    ring.submitAndWait(5);
    ring.forEachCqe(() => {});
    // In places 5 and 6; then in 0 and 1, with padding in 7.
    for (const tag of [1, 2]) {
      filled(ring.sqe128(), (sqe) => {
        sqe.opcode = IORING_OP_NOP128;
        sqe.flags = tag === 1 ? link : 0;
        // Where the flags would be if place 6 were an entry.
        sqe.cmd.fill(link === 0 ? 0xff : 0);
        sqe.tag = tag;
      });
    }
    ring.submitAndWait(2);
    const expected = link === 0 ? [[1], [0], [2]] : [[1], [0, 1], [2, 0]];
    assertEquals(links(kernel).slice(5), expected);
  }
});

Deno.test("Ring: closing waits for what is behind a chain without an end", () => {
  // The last NOP of a ring, linked to a send, is done before the send's buffer is free.
  const decide = () => ({ when: "now", res: 0, last: true } as const);
  // When the kernel's thread looks is its own affair.
  for (let seed = 1; seed <= 20; seed++) {
    using kernel = new SimulatedKernel({ decide, random: new Random(seed) });
    const flags = IORING_SETUP_SQPOLL;
    const ring = new Ring({ entries: 8, flags, backend: kernel });
    filled(ring.sqe(), (sqe) => {
      sqe.opcode = IORING_OP_SEND_ZC;
      sqe.flags = IOSQE_IO_LINK;
    });
    ring.submit();
    ring.close();
    assertEquals(kernel.violations, []);
  }
});

Deno.test("Ring: the whole range of seeds is used", () => {
  const firsts = new Set<number>();
  for (let seed = 0; seed < 1000; seed++) firsts.add(new Random(seed).word());
  assertEquals(firsts.size, 1000);
});
