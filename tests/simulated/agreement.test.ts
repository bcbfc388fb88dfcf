/**
 * The simulated kernel and the real one, side by side: what random programs are judged by must be
 * what a kernel does.
 */

import { assertEquals } from "@std/assert";
import {
  IORING_OP_READ,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../../ffi/abi.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { EBADF } from "../../ffi/linux.ts";
import {
  cancel,
  type Held,
  linkTimeout,
  nop,
  type Op,
  release,
  timeout,
} from "../../ops/mod.ts";
import { Ring } from "../../ring/mod.ts";
import { canMake } from "../support/setup.ts";
import { SimulatedKernel } from "./kernel.ts";
import type { Fate, Request } from "./request.ts";

/** An entry: an op, or what makes one by hand, and `IOSQE_*`. */
interface Entry {
  op: Op<unknown> | "bad descriptor" | "unknown opcode";
  flags?: number;
}

/** Entries that go to the kernel together, and then others. */
type Rounds = readonly (readonly Entry[])[];

const LONG = 10_000;
const cancelTagged = (tag: number) => cancel(tag);

const cases: Record<string, Rounds> = {
  "a link that breaks": [[
    { op: "bad descriptor", flags: IOSQE_IO_LINK },
    { op: nop(), flags: IOSQE_IO_LINK },
    { op: nop() },
    { op: nop() },
  ]],
  "a hard link that does not": [[
    { op: "bad descriptor", flags: IOSQE_IO_HARDLINK },
    { op: nop() },
  ]],
  "a chain with an entry that is refused": [[
    { op: nop(), flags: IOSQE_IO_LINK },
    { op: "unknown opcode", flags: IOSQE_IO_LINK },
    { op: nop() },
    { op: nop() },
  ]],
  "an entry that is refused": [[
    { op: nop() },
    { op: "unknown opcode" },
    { op: nop() },
  ]],
  "a chain that ends with the call": [
    [{ op: "bad descriptor", flags: IOSQE_IO_LINK }],
    [{ op: nop() }],
  ],
  "a linked timeout that runs out": [[
    { op: timeout(LONG), flags: IOSQE_IO_LINK },
    { op: linkTimeout(1) },
  ]],
  "a linked timeout that does not": [[
    { op: timeout(0), flags: IOSQE_IO_LINK },
    { op: linkTimeout(LONG) },
  ]],
  "a linked timeout within a chain": [[
    { op: timeout(LONG), flags: IOSQE_IO_LINK },
    { op: linkTimeout(1), flags: IOSQE_IO_LINK },
    { op: nop() },
  ]],
  "a linked timeout behind nothing": [[{ op: linkTimeout(1) }]],
  "a timeout breaks its chain": [[
    { op: timeout(0), flags: IOSQE_IO_LINK },
    { op: nop() },
  ]],
  "cancelling what runs": [
    [{ op: timeout(LONG) }],
    [{ op: cancelTagged(1) }],
  ],
  "cancelling what is not there": [[{ op: cancelTagged(77) }]],
  "cancelling what is over": [[{ op: nop() }], [{ op: cancelTagged(1) }]],
  "cancelling what waits behind a link": [
    [{ op: timeout(LONG), flags: IOSQE_IO_LINK }, { op: nop() }],
    [{ op: cancelTagged(2) }],
    [{ op: cancelTagged(1) }],
  ],
  "cancelling what a hard link goes on behind": [
    [{ op: timeout(LONG), flags: IOSQE_IO_HARDLINK }, { op: nop() }],
    [{ op: cancelTagged(1) }],
  ],
  "more completions than fit": [
    Array.from({ length: 8 }, () => ({ op: nop() })),
    Array.from({ length: 8 }, () => ({ op: nop() })),
  ],
};

function fill(ring: Ring, { op, flags = 0 }: Entry, tag: number): Held {
  const sqe = ring.sqe();
  if (sqe === null) throw new Error("The test's ring is too small.");
  let held: Held;
  if (op === "bad descriptor") sqe.prep(IORING_OP_READ, -1, 0, 1, 0);
  else if (op === "unknown opcode") sqe.opcode = 250;
  else held = op.encode(sqe);
  sqe.flags |= flags;
  sqe.tag = tag;
  return held;
}

/** What became of the entries, by their tags, and how often the ring was entered to submit them. */
function outcome(rounds: Rounds, backend?: Kernel): Map<string, number[]> {
  using ring = new Ring({
    entries: 8,
    cqEntries: 8,
    ...(backend === undefined ? {} : { backend }),
  });
  const held: Held[] = [];
  const results = new Map<string, number[]>();
  let submitted = 0;
  for (const entries of rounds) {
    for (const entry of entries) held.push(fill(ring, entry, ++submitted));
    ring.submit();
  }
  results.set("enters", [ring.enters]);
  for (let seen = 0; seen < submitted;) {
    ring.wait(1);
    seen += ring.forEachCqe(({ tag, res }) => {
      results.set(`${tag}`, [...(results.get(`${tag}`) ?? []), res]);
    });
  }
  held.forEach(release);
  return new Map([...results].sort());
}

/** What is done in no time, and what fails, as a real kernel has it. */
function decide({ opcode }: Request): Fate {
  const res = opcode === IORING_OP_READ ? -EBADF : 0;
  return { when: "now", res, last: true };
}

// Older kernels differ in what they refuse, and when: this is one of Linux 6.1 or later.
const supported = canMake(
  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
);

for (const [name, rounds] of Object.entries(cases)) {
  Deno.test({
    name: `both kernels agree: ${name}`,
    ignore: !supported,
    fn() {
      const real = outcome(rounds);
      using kernel = new SimulatedKernel({ decide });
      assertEquals(outcome(rounds, kernel), real);
      assertEquals(kernel.violations, []);
    },
  });
}
