/** A `Uring` whose ring polls for completions: it takes neither timeouts nor cancellations. */

import { assertEquals } from "@std/assert";
import { IORING_SETUP_IOPOLL } from "../../ffi/mod.ts";
import { nop } from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { canMake } from "../support/setup.ts";
import { kernelSince } from "../support/sockets.ts";
import { sleep } from "./support.ts";

Deno.test({
  name: "an op that is done in time is none the worse for it",
  // Older kernels do not even have a nop on such a ring.
  ignore: !kernelSince(6, 1) || !canMake(IORING_SETUP_IOPOLL),
  async fn() {
    // The sanitizer takes the first timer of a runtime for a leak if it is cleared in its turn.
    await sleep(1);
    await using uring = new Uring({ iopoll: true });
    assertEquals(await uring.submit(nop(), { timeout: 60_000 }), 0);
    const { signal } = new AbortController();
    assertEquals(await uring.submit(nop(), { timeout: 60_000, signal }), 0);
    assertEquals(uring.stats.submitted, 2);
  },
});
