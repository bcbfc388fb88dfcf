/** What cannot be cancelled yet is cancelled some time. */
import { assertEquals } from "@std/assert";
import { IORING_SETUP_SQPOLL } from "../../../ffi/mod.ts";
import { Insistence } from "../../../proactor/insistence.ts";
import type { Ring } from "../../../ring/mod.ts";

/** Asks for one op to be cancelled, on a ring that finds it or not; tells which ways were tried. */
async function attempts(
  flags: number,
  found: number,
  draining = false,
): Promise<string[]> {
  const tried: string[] = [];
  const ring = {
    flags,
    closed: false,
    cancel() {
      tried.push("call");
      return found;
    },
  };
  const insistence = new Insistence({
    ring: ring as unknown as Ring,
    draining,
    isCancellable: () => !tried.includes("entry") && tried.length < 4,
    cancelByEntry: () => tried.push("entry"),
  });
  insistence.add(7);
  insistence.tryAll();
  while (insistence.size > 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return tried;
}

Deno.test("insistence: a call is repeated for what has yet to begin", async () => {
  assertEquals(await attempts(0, 0), ["call", "call", "call", "call"]);
});

Deno.test("insistence: an entry reaches the workers of the kernel's thread, where a call finds none", async () => {
  assertEquals(await attempts(IORING_SETUP_SQPOLL, 0), [
    "call",
    "call",
    "entry",
  ]);
  const calls = ["call", "call", "call", "call"];
  assertEquals(await attempts(IORING_SETUP_SQPOLL, 1), calls);
  // Behind a drain the entry would wait for what it is to cancel.
  assertEquals(await attempts(IORING_SETUP_SQPOLL, 0, true), calls);
});
