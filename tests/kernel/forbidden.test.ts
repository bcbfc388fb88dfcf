/** io_uring forbidden, missing, or short of memory: what every entry point says then. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { forbidden, hasCompiler } from "../support/forbid.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Tries each entry point and prints what it threw, one JSON line each. */
const PROGRAM = `
import { Ring } from "${root}ring/mod.ts";
import { SqPoll } from "${root}sqpoll/mod.ts";
import { Uring } from "${root}proactor/mod.ts";
import { opcodes } from "${root}ops/mod.ts";
const entryPoints = {
  liburing: () => new Ring({ backend: Deno.args[0] === "syscall" ? "syscall" : undefined }),
  syscall: () => new Ring({ backend: "syscall" }),
  sqpoll: () => new SqPoll(),
  uring: () => new Uring(),
  probe: () => opcodes.read.supported(),
};
for (const [name, enter] of Object.entries(entryPoints)) {
  try {
    enter();
    console.log(JSON.stringify({ name, message: "nothing was thrown" }));
  } catch (error) {
    const { message, code, errno, op } = error;
    console.log(JSON.stringify({ name, message, code, errno, op, class: error.constructor.name }));
  }
}
`;

async function refusals(errno: number): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await forbidden(errno, [
    "eval",
    "--no-check",
    PROGRAM,
  ]);
  assertEquals(code, 0, stderr);
  return stdout.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test({
  name: "forbidden: ENOSYS says that there is no io_uring, and what allows it",
  ignore: !hasCompiler,
  async fn() {
    for (const { message, code, errno, op } of await refusals(38)) {
      assertEquals([code, errno, op], ["ENOSYS", 38, "io_uring_setup"]);
      assertMatch(
        String(message),
        /no io_uring.*seccomp.*5\.10.*io_uring_enter/s,
      );
    }
  },
});

Deno.test({
  name:
    "forbidden: EPERM is PermissionDenied, and names the setting and the profile",
  ignore: !hasCompiler,
  async fn() {
    for (const { message, code, class: name } of await refusals(1)) {
      assertEquals([code, name], ["EPERM", "PermissionDenied"]);
      assertMatch(String(message), /forbidden|kernel\.io_uring_disabled/);
      assertStringIncludes(String(message), "seccomp");
    }
  },
});

Deno.test({
  name: "forbidden: ENOMEM names RLIMIT_MEMLOCK with its value",
  ignore: !hasCompiler,
  async fn() {
    for (const { message, code } of await refusals(12)) {
      assertEquals(code, "ENOMEM");
      assertMatch(String(message), /RLIMIT_MEMLOCK \((unlimited|\d+ KiB)\)/);
    }
  },
});

Deno.test("forbidden: without --allow-ffi Deno's own error comes through", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--no-prompt",
      `${root}tests/support/make_ring.ts`,
    ],
    stderr: "piped",
  }).output();
  assertEquals(code, 1);
  assertMatch(new TextDecoder().decode(stderr), /NotCapable.*ffi/);
});

Deno.test("a library that cannot be loaded is named, with its cause", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", `${root}tests/support/make_ring.ts`],
    env: { URING_LIBRARY: "/nowhere/liburing.so.2" },
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 1);
  assertStringIncludes(text, "URING_LIBRARY names /nowhere/liburing.so.2");
  assertStringIncludes(text, "(ELIBACC)");
  assertStringIncludes(text, "apt-get install liburing2");
});
