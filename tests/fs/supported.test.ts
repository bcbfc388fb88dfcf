/** Whether a program is told that it can run here. */

import { assertEquals } from "@std/assert";
import { isSupported } from "../../fs/supported.ts";
import { Uring } from "../../proactor/mod.ts";
import { forbidden, hasCompiler } from "../support/forbid.ts";
import { TemporaryDirectory } from "../support/files.ts";
import "./both.ts";

Deno.test("isSupported: says so where a ring can be had", async () => {
  await using _ring = new Uring();
  assertEquals(isSupported(), true);
});

Deno.test("isSupported: without --allow-ffi a program goes on with Deno, unasked", async () => {
  using home = new TemporaryDirectory();
  const module = JSON.stringify(import.meta.resolve("../../fs/mod.ts"));
  const program = home.file(
    "program.ts",
    `import * as uring from ${module};
    const fs = uring.isSupported() ? uring : Deno;
    console.log(uring.isSupported(), await fs.readTextFile(Deno.args[0]));`,
  );
  const file = home.file("file", "text");
  for (const ffi of [[], ["--deny-ffi"], ["--allow-ffi=/nowhere"]]) {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-read", ...ffi, program, file],
    }).output();
    const [out, err] = [stdout, stderr].map((part) =>
      new TextDecoder().decode(part)
    );
    assertEquals([out, err], ["false text\n", ""]);
  }
});

Deno.test({
  name: "isSupported: where io_uring is forbidden a program goes on with Deno",
  ignore: !hasCompiler,
  fn: async () => {
    using home = new TemporaryDirectory();
    const module = JSON.stringify(import.meta.resolve("../../fs/mod.ts"));
    const program = home.file(
      "program.ts",
      `import * as uring from ${module};
      const fs = uring.isSupported() ? uring : Deno;
      console.log(uring.isSupported(), await fs.readTextFile(Deno.args[0]));`,
    );
    const args = [
      "run",
      "-A",
      "--no-check",
      program,
      home.file("file", "text"),
    ];
    for (const errno of [1, 38, 12]) {
      const { stdout, stderr } = await forbidden(errno, args);
      assertEquals(stdout, "false text\n", stderr);
    }
  },
});
