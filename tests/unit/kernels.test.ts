/** tests/kernels.ts counts what the machines say, whatever they say. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { readFailures, readOutput, reconcile } from "../kernels.ts";

Deno.test("readOutput: a run in which all passes", () => {
  const output = "6.1.0-56-cloud-amd64\nsome test ... ok\n\n" +
    "12 passed, 0 failed, 3 skipped\n";
  assertEquals(readOutput(output, 0), {
    release: "6.1.0-56-cloud-amd64",
    ended: true,
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

const TWICE = `6.1.0
running 2 tests from ./tests/kernel/a.test.ts
a: one [sqpoll] ... FAILED (12ms)
a: two ... ok (1ms)
running 2 tests from ./tests/kernel/b.test.ts
b ...
  step ... FAILED (1ms)
b ... FAILED (due to 1 failed step) (2ms)
c ...

failed:
  ./tests/support/rings.ts:85 a: one [sqpoll]
    AssertionError: no

  tests/kernel/c.test.ts: still running after 240 s, killed
    b ... FAILED (2ms)

1 passed, 4 failed, 0 skipped
`;

Deno.test("readFailures: tests by their files, and files without a report", () => {
  assertEquals(
    readFailures(TWICE),
    new Map([
      ["tests/kernel/a.test.ts", new Set(["a: one [sqpoll]"])],
      ["tests/kernel/b.test.ts", new Set(["step", "b"])],
      ["tests/kernel/c.test.ts", new Set()],
    ]),
  );
  assertEquals(readFailures("6.1.0\n1 passed, 0 failed, 0 skipped"), new Map());
});

function readBoth(output: string) {
  return [readOutput(output, 1), readFailures(output)] as const;
}

Deno.test("reconcile: what fails both times has failed", () => {
  const again = TWICE.replace("b ... FAILED", "b ... ok")
    .replace("  step ... FAILED", "  step ... ok")
    .replace("1 passed, 4 failed", "3 passed, 2 failed");
  const { passed, failed, skipped, trouble } = reconcile(
    ...readBoth(TWICE),
    ...readBoth(again),
  );
  assertEquals([passed, failed, skipped], [3, 2, 0]);
  assertStringIncludes(trouble, "once more:");
});

Deno.test("reconcile: what passes the second time has passed", () => {
  const again = "6.1.0\n5 passed, 0 failed, 0 skipped";
  const { passed, failed, skipped, trouble } = reconcile(
    ...readBoth(TWICE),
    ...readBoth(again),
  );
  assertEquals([passed, failed, skipped], [5, 0, 0]);
  assertStringIncludes(trouble, "once more: all passed");
});

Deno.test("reconcile: a second run without an end tells nothing", () => {
  const { passed, failed, skipped } = reconcile(
    ...readBoth(TWICE),
    ...readBoth("6.1.0\nrunning 2 tests from ./tests/kernel/a.test.ts"),
  );
  assertEquals([passed, failed, skipped], [1, 0, 4]);
});
