/** Busy polling of network cards: `ring.napi`. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  IORING_REGISTER_NAPI,
  IORING_SETUP_IOPOLL,
  isSystemError,
} from "../../../ffi/mod.ts";
import { prepNop } from "../../../ops/nop.ts";
import { Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { hasRegister, runOne, wrongly } from "./support.ts";

const known = hasRegister(IORING_REGISTER_NAPI);

/** Kernels built without CONFIG_NET_RX_BUSY_POLL know the opcode and refuse it. */
const polls = (() => {
  if (!known) return false;
  using ring = new Ring(1);
  try {
    ring.napi.unregister();
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EINVAL") return false;
    throw error;
  }
})();

eachRing("napi: settings are set, and the former ones returned", {
  when: polls,
}, (ring) => {
  const none = { busyPollTimeout: 0, preferBusyPoll: false };
  const some = { busyPollTimeout: 50, preferBusyPoll: true };
  assertEquals(ring.napi.register(some), none);
  assertEquals(ring.napi.register({ busyPollTimeout: 7 }), some);
  assertEquals(runOne(ring, prepNop), 0);
  assertEquals(ring.wait(1, { timeout: 1 }), 0);
  assertEquals(ring.napi.unregister(), {
    busyPollTimeout: 7,
    preferBusyPoll: false,
  });
  assertEquals(ring.napi.unregister(), none);
  ring.napi.register();
});

Deno.test({
  name: "napi: not on a ring that polls a disk",
  ignore: !polls,
  fn() {
    using ring = new Ring({ entries: 2, flags: IORING_SETUP_IOPOLL });
    const error = failure("EINVAL", () => ring.napi.register());
    assertEquals(error.op, "io_uring_register_napi");
    assertStringIncludes(error.message, "without IORING_SETUP_IOPOLL");
  },
});

Deno.test({
  name: "napi: is named where the kernel lacks it",
  ignore: known,
  fn() {
    using ring = new Ring(2);
    const error = failure("EINVAL", () => ring.napi.register());
    assertStringIncludes(
      error.message,
      "IORING_REGISTER_NAPI needs Linux 6.9 or later",
    );
  },
});

Deno.test("napi: what is no time is refused before the kernel sees it", () => {
  const ring = new Ring(2);
  for (const busyPollTimeout of [-1, 1.5, 2 ** 32, NaN]) {
    assertThrows(
      () => ring.napi.register({ busyPollTimeout }),
      RangeError,
      "ring.napi.register: busyPollTimeout",
    );
  }
  assertThrows(
    () => ring.napi.register({ busyPollTimeout: wrongly("1") }),
    TypeError,
    "busyPollTimeout",
  );
  ring.close();
  assertThrows(() => ring.napi.register(), TypeError, "closed");
  assertThrows(() => ring.napi.unregister(), TypeError, "closed");
});
