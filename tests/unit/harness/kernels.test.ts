/** tests/kernels.ts counts what the machines say, whatever they say. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { failedFiles, readOutput, reconsider } from "../../kernels.ts";

Deno.test("readOutput: a run in which all passes", () => {
  const output = "6.1.0-56-cloud-amd64\nsome test ... ok\n\n" +
    "12 passed, 0 failed, 3 skipped\n";
  assertEquals(readOutput(output, 0), {
    release: "6.1.0-56-cloud-amd64",
    ended: true,
    complete: true,
    passed: 12,
    failed: 0,
    skipped: 3,
    trouble: "",
  });
});

Deno.test("readOutput: what failed, and what there was no time for", () => {
  const output = "7.2.12+deb13\na ... FAILED\n\nno time for: b, c\n\n" +
    "failed:\n  ./a.test.ts:1 a: Error: no\n\n1 passed, 1 failed, 0 skipped";
  const { release, ended, complete, failed, trouble } = readOutput(output, 1);
  assertEquals([release, failed], ["7.2.12+deb13", 1]);
  assertEquals([ended, complete], [true, false]);
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

const FIRST = `6.1.0
running 2 tests from ./tests/kernel/a.test.ts
a: one [sqpoll] ... FAILED (12ms)
b ... FAILED (due to 1 failed step) (2ms)

failed the first time, and passed the second:
  tests/kernel/d.test.ts: d

failed:
  tests/kernel/a.test.ts: a: one [sqpoll]
    AssertionError: no
      tests/kernel/e.test.ts: is a line of the message

  tests/kernel/a.test.ts: a: two [sqpoll]
    AssertionError: no

  tests/kernel/c.test.ts: still running after 240 s, killed
    b ... FAILED (2ms)

  ./ops/rw.ts$12-20.ts
    Error: no

1 passed, 4 failed, 0 skipped
`;

Deno.test("failedFiles: each once, with or without a report", () => {
  assertEquals(
    failedFiles(FIRST),
    ["tests/kernel/a.test.ts", "tests/kernel/c.test.ts", "ops/rw.ts"],
  );
  assertEquals(failedFiles("6.1.0\n1 passed, 0 failed, 0 skipped"), []);
  const types = FIRST.replace("./ops/rw.ts$12-20.ts", "types: status 1");
  assertEquals(failedFiles(types), []);
});

/** What counts after a first run with 1 passed and 4 failed. */
function counted(second: string): [number, number, number, string] {
  const { passed, failed, skipped, trouble } = reconsider(
    readOutput(FIRST, 1),
    readOutput(second, 1),
  );
  return [passed, failed, skipped, trouble.split("once more: ")[1] ?? ""];
}

Deno.test("reconsider: the second time counts", () => {
  const none = counted("6.1.0\n9 passed, 0 failed, 0 skipped");
  assertEquals(none, [5, 0, 0, "all passed"]);
  const one = "  tests/kernel/a.test.ts: a: one [sqpoll]\n    no";
  assertEquals(
    counted(`6.1.0\n\nfailed:\n${one}\n\n9 passed, 1 failed, 0 skipped`),
    [4, 1, 0, one],
  );
});

Deno.test("reconsider: what had no second time is skipped", () => {
  const [passed, failed, skipped] = counted("6.1.0\nrunning 2 tests from a");
  assertEquals([passed, failed, skipped], [1, 0, 4]);
  const late = "no time for: tests/kernel/c.test.ts";
  assertEquals(
    counted(`6.1.0\n${late}\n\n9 passed, 1 failed, 0 skipped`),
    [1, 1, 3, late],
  );
  assertEquals(
    counted("6.1.0\nno test ran\n\n0 passed, 0 failed, 0 skipped"),
    [1, 0, 4, "nothing ran"],
  );
});
