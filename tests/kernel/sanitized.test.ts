/** What the tests of a program that uses this package see of it, with Deno's sanitizers on. */

import { assertEquals } from "@std/assert";

const program = (mod: URL) => `
import { fs, ops, Ring, Uring } from ${JSON.stringify(mod.href)};

const sanitized = { sanitizeOps: true, sanitizeResources: true };
Deno.test("a ring", sanitized, () => {
  using ring = new Ring(2);
  ring.submit();
});
Deno.test("promises", sanitized, async () => {
  await using uring = new Uring();
  await uring.submit(ops.timeout(5));
});
Deno.test("files", sanitized, async () => {
  const path = await fs.makeTempFile();
  await fs.writeTextFile(path, "kept");
  if (await fs.readTextFile(path) !== "kept") throw new Error("not kept");
  await fs.remove(path);
});
`;

Deno.test("a program's tests count nothing of the package as leaked", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["a ring", "promises", "files"]) {
      const path = `${folder}/program.test.ts`;
      const mod = new URL("../../mod.ts", import.meta.url);
      await Deno.writeTextFile(path, program(mod));
      const { success, stdout, stderr } = await new Deno.Command(
        Deno.execPath(),
        {
          args: ["test", "-A", "--no-check", "--filter", `/^${name}$/`, path],
          env: { NO_COLOR: "1" },
        },
      ).output();
      const decoder = new TextDecoder();
      const output = decoder.decode(stdout) + decoder.decode(stderr);
      assertEquals(
        [success, output.includes("1 passed")],
        [true, true],
        output,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
