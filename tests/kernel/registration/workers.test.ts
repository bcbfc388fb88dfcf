/** The kernel's worker threads: `ring.workers`. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  IORING_REGISTER_IOWQ_AFF,
  IORING_REGISTER_IOWQ_MAX_WORKERS,
  IOSQE_ASYNC,
} from "../../../ffi/mod.ts";
import { configuredCpus } from "../../../ffi/system.ts";
import { prepNop } from "../../../ops/nop.ts";
import { Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { answering, hasRegister, runOne, wrongly } from "./support.ts";

const bindable = hasRegister(IORING_REGISTER_IOWQ_AFF);
const limitable = hasRegister(IORING_REGISTER_IOWQ_MAX_WORKERS);

/** The CPUs that each worker of this process may run on. */
function workerCpus(): string[] {
  const found: string[] = [];
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    const status = readStatus(name);
    if (!/^Name:\s*iou-wrk-/m.test(status)) continue;
    found.push(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? "");
  }
  return found;
}

/** Threads come and go while one looks. */
function readStatus(thread: string): string {
  try {
    return Deno.readTextFileSync(`/proc/self/task/${thread}/status`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    if (error instanceof Error && "code" in error && error.code === "ESRCH") {
      return "";
    }
    throw error;
  }
}

function offload(ring: Ring): void {
  const res = runOne(ring, (sqe) => {
    prepNop(sqe);
    sqe.flags = IOSQE_ASYNC;
  });
  assertEquals(res, 0);
}

eachRing("workers: run where they are told to", {
  when: bindable,
  // On an SQPOLL ring they are the thread's.
  only: ["liburing", "syscall", "deferred"],
}, (ring) => {
  ring.workers.setAffinity([0]);
  offload(ring);
  const bound = workerCpus();
  assert(bound.length > 0);
  assertEquals(new Set(bound), new Set(["0"]));
  ring.workers.clearAffinity();
});

Deno.test("workers: every CPU that is named is in the mask", () => {
  const cpus = Array.from({ length: configuredCpus() }, (_, cpu) => cpu);
  const masks: number[][] = [];
  const backend = answering((opcode, bytes, count) => {
    if (opcode !== IORING_REGISTER_IOWQ_AFF) return undefined;
    const { buffer } = bytes(count);
    masks.push(
      cpus.map((cpu) =>
        ((new Uint8Array(buffer)[cpu >> 3] as number) >> (cpu & 7)) & 1
      ),
    );
    return 0;
  });
  using ring = new Ring({ entries: 1, backend });
  ring.workers.setAffinity(cpus);
  for (const cpu of cpus) ring.workers.setAffinity([cpu]);
  const [all, ...each] = masks;
  assertEquals(all, cpus.map(() => 1));
  assertEquals(each, cpus.map((one) => cpus.map((cpu) => cpu === one ? 1 : 0)));
});

eachRing("workers: cannot be told to run on no CPU of the machine", {
  when: bindable,
}, (ring) => {
  for (const cpus of [[4095], [0, 100_000], [-1], [0.5], [NaN], []]) {
    assertThrows(
      () => ring.workers.setAffinity(cpus),
      RangeError,
      "ring.workers.setAffinity: cpus",
    );
  }
  for (const cpus of [undefined, null, 0, "0", ["0"], { 0: 1 }]) {
    assertThrows(() => ring.workers.setAffinity(wrongly(cpus)), TypeError);
  }
  ring.workers.clearAffinity();
});

eachRing("workers: limits are set, and the former ones returned", {
  when: limitable,
}, (ring) => {
  // The first op makes the thread's workers, without which limits are only kept.
  offload(ring);
  const first = ring.workers.max();
  assert(first.bounded > 0 && first.unbounded > 0, JSON.stringify(first));
  assertEquals(ring.workers.max({ bounded: 3 }), first);
  assertEquals(ring.workers.max({ unbounded: 5 }), { ...first, bounded: 3 });
  assertEquals(ring.workers.max(first), { bounded: 3, unbounded: 5 });
  assertEquals(ring.workers.max(), first);
});

Deno.test("workers: what is no limit is refused before the kernel sees it", () => {
  const ring = new Ring(4);
  for (const limit of [-1, 1.5, 2 ** 31, NaN]) {
    assertThrows(
      () => ring.workers.max({ bounded: limit }),
      RangeError,
      "ring.workers.max: bounded",
    );
    assertThrows(
      () => ring.workers.max({ unbounded: limit }),
      RangeError,
      "unbounded",
    );
  }
  assertThrows(
    () => ring.workers.max({ bounded: wrongly("1") }),
    TypeError,
    "bounded",
  );
  ring.close();
  for (
    const call of [
      () => ring.workers.setAffinity([0]),
      () => ring.workers.clearAffinity(),
      () => ring.workers.max(),
    ]
  ) assertThrows(call, TypeError, "closed");
});

eachRing("workers: a CPU that the process may not use is named EINVAL", {
  when: bindable,
}, (ring) => {
  const online = Deno.readTextFileSync("/sys/devices/system/cpu/online").trim();
  const possible = Deno.readTextFileSync("/sys/devices/system/cpu/possible")
    .trim();
  const last = Number(possible.split("-").at(-1));
  if (online === possible) return ring.workers.setAffinity([last]);
  const error = failure("EINVAL", () => ring.workers.setAffinity([last]));
  assertEquals(error.op, "io_uring_register_iowq_aff");
});
