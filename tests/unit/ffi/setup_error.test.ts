/** Why a ring cannot be made, as errors tell it. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { strerror } from "../../../ffi/errno.ts";
import { EINVAL, ENOMEM, EPERM } from "../../../ffi/linux.ts";
import { memoryLockLimit, setupError } from "../../../ffi/setup_error.ts";

// Loads the C library for good, before a test's sanitizers look.
strerror(1);

const plain = {
  entries: 8,
  flags: 0,
  cqEntries: 16,
  sqThreadIdle: 0,
  sqThreadCpu: 3,
  wqFd: 0,
};

/** What an error says besides which it is. */
function reason(errno: number, request: Partial<typeof plain> = {}): string {
  const { message, op } = setupError(errno, { ...plain, ...request });
  assertEquals(op, "io_uring_setup");
  return message.replace(/^.*?\)\. /, "");
}

Deno.test("setup errors: EINVAL names what may be wrong, and nothing else", () => {
  const together = "The kernel does not take these flags together.";
  assertEquals(reason(EINVAL), together);
  const clamp = abi.IORING_SETUP_CLAMP;
  assertEquals(reason(EINVAL, { entries: 40_000, flags: clamp }), together);
  const old = abi.IORING_SETUP_R_DISABLED;
  assertEquals(reason(EINVAL, { flags: old }), together);
  assertEquals(
    reason(EINVAL, { entries: 40_000 }),
    "It may be that entries is 40000; the kernel's limit is 32768.",
  );
  const cases: [flags: number, words: string][] = [
    [abi.IORING_SETUP_CQSIZE, "cqEntries is 16"],
    [abi.IORING_SETUP_SQ_AFF, "sqThreadCpu is 3"],
    [abi.IORING_SETUP_ATTACH_WQ, "attachTo must be a ring"],
    [
      abi.IORING_SETUP_DEFER_TASKRUN | abi.IORING_SETUP_SINGLE_ISSUER,
      "IORING_SETUP_DEFER_TASKRUN needs Linux 6.1",
    ],
  ];
  for (const [flags, words] of cases) {
    const told = reason(EINVAL, { flags });
    assert(told.startsWith(`It may be that ${words}`), told);
    assert(!told.includes("or that"), told);
  }
});

Deno.test("setup errors: EPERM tells of SQPOLL where it was asked for", () => {
  // Where the machine's setting forbids it, that is the reason.
  const all = [0, abi.IORING_SETUP_SQPOLL].map((flags) =>
    reason(EPERM, { flags })
  );
  const set = all.some((told) => /io_uring_disabled is [12]/.test(told));
  const tells = all.map((told) => told.includes("SQPOLL needs CAP_SYS_ADMIN"));
  assertEquals(tells, [false, !set]);
});

Deno.test("setup errors: ENOMEM has the limit's value", () => {
  const { stdout } = new Deno.Command("sh", { args: ["-c", "ulimit -l"] })
    .outputSync();
  const limit = new TextDecoder().decode(stdout).trim();
  const shown = limit === "unlimited" ? limit : `${limit} KiB`;
  assertEquals(memoryLockLimit(), shown);
  assertStringIncludes(reason(ENOMEM), `RLIMIT_MEMLOCK (${shown})`);
});
