/** `BellSwitch`: when the bell is registered, without a kernel. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  IORING_FEAT_RECVSEND_BUNDLE,
  IORING_SETUP_DEFER_TASKRUN,
} from "../../../ffi/mod.ts";
import { BellSwitch } from "../../../proactor/bell_switch.ts";
import type { Ring } from "../../../ring/mod.ts";

/** A ring that notes what is done to its bell, and refuses it if it is told to. */
function ringOf(flags: number, features: number) {
  const calls: string[] = [];
  const parts = { refuses: false };
  const ring = {
    flags,
    features,
    cq: {
      set eventfdEnabled(on: boolean) {
        calls.push(on ? "on" : "off");
      },
    },
    eventfd: {
      register: (fd: number) => {
        if (parts.refuses) throw new Error("refused");
        calls.push(`register ${fd}`);
      },
      unregister: () => calls.push("unregister"),
    },
  };
  return { ring: ring as unknown as Ring, calls, parts };
}

const FORGETFUL = [
  IORING_SETUP_DEFER_TASKRUN,
  IORING_FEAT_RECVSEND_BUNDLE,
] as const;

Deno.test("bell switch: where the kernel forgets the bell it is registered anew each time", () => {
  const { ring, calls } = ringOf(...FORGETFUL);
  const bell = new BellSwitch(ring, 7);
  assertEquals(calls.splice(0), ["off", "register 7"]);
  bell.turn(true);
  assertEquals(calls.splice(0), ["unregister", "register 7", "on"]);
  bell.turn(false);
  assertEquals(calls, ["off"]);
  const [flags, features] = FORGETFUL;
  for (const other of [ringOf(flags, 0), ringOf(0, features)]) {
    new BellSwitch(other.ring, 7).turn(true);
    assertEquals(other.calls, ["off", "register 7", "on"]);
  }
});

Deno.test("bell switch: a bell that was refused is not taken away twice", () => {
  const { ring, calls, parts } = ringOf(...FORGETFUL);
  const bell = new BellSwitch(ring, 7);
  parts.refuses = true;
  assertThrows(() => bell.turn(true), Error, "refused");
  assertThrows(() => bell.turn(true), Error, "refused");
  parts.refuses = false;
  bell.turn(true);
  assertEquals(calls, [
    "off",
    "register 7",
    "unregister",
    "register 7",
    "on",
  ]);
});
