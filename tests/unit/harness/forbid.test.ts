import { assertEquals, assertStringIncludes } from "@std/assert";
import { ENOSYS, EPERM } from "../../../ffi/linux.ts";
import { forbidden, hasCompiler } from "../../support/forbid.ts";

/** Prints the errno of each io_uring call, with arguments that every kernel refuses. */
const PROBE = `
const libc = Deno.dlopen("libc.so.6", {
  syscall: { parameters: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], result: "i64" },
  __errno_location: { parameters: [], result: "pointer" },
});
const errnos = [425, 426, 427].map((number) => {
  libc.symbols.syscall(BigInt(number), 1n, 0n, 0n, 0n, 0n, 0n);
  return new Deno.UnsafePointerView(libc.symbols.__errno_location()).getInt32();
});
console.log(JSON.stringify(errnos));
`;

Deno.test({
  name: "forbidden: every io_uring call fails with the errno",
  ignore: !hasCompiler,
  async fn() {
    for (const errno of [EPERM, ENOSYS]) {
      const { code, stdout } = await forbidden(errno, ["eval", PROBE]);
      assertEquals(JSON.parse(stdout), [errno, errno, errno]);
      assertEquals(code, 0);
    }
  },
});

Deno.test({
  name: "forbidden: only the calls asked for fail",
  ignore: !hasCompiler,
  async fn() {
    const { stdout } = await forbidden(99, ["eval", PROBE], {
      calls: ["io_uring_enter"],
    });
    const [setup, enter, register] = JSON.parse(stdout);
    assertEquals(enter, 99);
    assertEquals([setup, register].includes(99), false);
  },
});

Deno.test({
  name: "forbidden: passes on status, output, environment and directory",
  ignore: !hasCompiler,
  async fn() {
    const program =
      `console.log(Deno.env.get("WORD"), Deno.cwd()); console.error("bad"); Deno.exit(7);`;
    const output = await forbidden(EPERM, ["eval", program], {
      env: { WORD: "word" },
      cwd: "/",
    });
    assertEquals(output.code, 7);
    assertEquals(output.stdout, "word /\n");
    assertStringIncludes(output.stderr, "bad");
  },
});
