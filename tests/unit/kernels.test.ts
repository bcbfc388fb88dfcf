/** tests/kernels.ts counts what the machines say, whatever they say. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readOutput } from "../kernels.ts";

Deno.test("readOutput: a run in which all passes", () => {
  const output = "6.1.0-56-cloud-amd64\nsome test ... ok\n\n" +
    "12 passed, 0 failed, 3 skipped\n";
  assertEquals(readOutput(output, 0), {
    release: "6.1.0-56-cloud-amd64",
    passed: 12,
    failed: 0,
    skipped: 3,
    trouble: "",
  });
});

Deno.test("readOutput: what failed, and what there was no time for", () => {
  const output = "7.2.12+deb13\na ... FAILED\n\nno time for: b, c\n\n" +
    "failed:\n  ./a.test.ts:1 a: Error: no\n\n1 passed, 1 failed, 0 skipped";
  const { release, failed, trouble } = readOutput(output, 1);
  assertEquals([release, failed], ["7.2.12+deb13", 1]);
  assertEquals(trouble, "no time for: b, c\n  ./a.test.ts:1 a: Error: no");
});

Deno.test("readOutput: a machine that died is a failure", () => {
  const output = "6.12.117\na test ...\n";
  const { passed, failed, trouble } = readOutput(output, 125);
  assertEquals([passed, failed], [0, 1]);
  assertStringIncludes(trouble, "status 125");
  assertStringIncludes(trouble, "a test ...");
});

Deno.test("readOutput: one that did not boot has no release", () => {
  const output = "vm.sh: qemu-system-x86_64 is missing\n";
  const { release, failed, trouble } = readOutput(output, 126);
  assertEquals([release, failed], ["", 1]);
  assertStringIncludes(trouble, "qemu-system-x86_64 is missing");
});
