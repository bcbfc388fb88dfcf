/** How long promises may go on without a turn of the event loop. */

import { assertEquals } from "@std/assert";
import { stub } from "@std/testing/mock";
import { Budget } from "../../../proactor/budget.ts";

/** More than any budget. */
const MUCH = 1e6;

Deno.test("budget: what is spent is there anew in a slice of time that has just begun, not later", () => {
  let now = 1000;
  using _clock = stub(performance, "now", () => now);
  const budget = new Budget();
  assertEquals(budget.left, true);
  budget.spent = MUCH;
  assertEquals(
    budget.left,
    false,
    "the event loop has not had its turn for long",
  );
  assertEquals([budget.left, budget.spent], [true, 0], "it has just had one");
  now += 0.2;
  budget.spent = MUCH;
  assertEquals(budget.left, true);
  now += 0.1;
  assertEquals(budget.left, true, "nothing is spent");
  budget.spent = MUCH;
  assertEquals(budget.left, false);
});

Deno.test("budget: exhausted, nothing is left however much time there is", () => {
  using _clock = stub(performance, "now", () => 1000);
  const budget = new Budget();
  budget.spent = MUCH;
  assertEquals(budget.left, false);
  budget.exhaust();
  assertEquals([budget.left, budget.left], [false, false]);
  budget.spent = 0;
  assertEquals(budget.left, true);
});
