/** What a `Uring` does where little memory may be locked. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { canLimitLockedMemory, runLocking } from "../support/locked_memory.ts";

/** What a program prints that may lock so many KiB, and has a `Uring` of these options. */
async function under(kibibytes: number, options: string): Promise<string> {
  const module = new URL("../../mod.ts", import.meta.url).href;
  const script = `
    import { ops, Uring } from ${JSON.stringify(module)};
    await using uring = new Uring(${options});
    const all = Array.from({ length: 5000 }, () => uring.submit(ops.nop()));
    const sum = (await Promise.all(all)).length;
    console.log(uring.ring.sq.entries, uring.ring.cq.entries, sum);
  `;
  const { stdout, stderr } = await runLocking(kibibytes, script);
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test({
  name: "a Uring of no size in particular is as large as may be",
  ignore: !canLimitLockedMemory,
  async fn() {
    const large = await under(64, "{ cqEntries: 4096 }");
    assertEquals(await under(256, ""), "256 4096 5000\n");
    if (large === "256 4096 5000\n") {
      // Not every kernel counts the memory of rings: 5.10 and 7.2 do not.
      assertEquals(await under(64, ""), large);
      return;
    }
    assertStringIncludes(large, "ENOMEM");
    assertStringIncludes(large, "RLIMIT_MEMLOCK (64 KiB)");
    assertEquals(await under(64, ""), "256 1024 5000\n");
    assertEquals(await under(32, ""), "256 256 5000\n");
  },
});
