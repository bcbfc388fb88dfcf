/** `Uring` against the simulated kernel. */

import { assertEquals } from "@std/assert";
import { runMessageProgram } from "./message_program.ts";
import { eachSeed, recorded } from "./seeds.ts";
import { runUringProgram } from "./uring_program.ts";

eachSeed("Uring", 10_000, runUringProgram);

eachSeed("Messages", 1000, runMessageProgram);

Deno.test("Uring: the program of a seed does the same each time", async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    assertEquals(
      await recorded(runUringProgram, seed),
      await recorded(runUringProgram, seed),
    );
  }
});
