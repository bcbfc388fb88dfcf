/** The test runner counts what it should, whatever its children do. */
import { assertEquals, assertMatch } from "@std/assert";
import { parseJunit } from "../../support/junit.ts";
import {
  inLanes,
  type Job,
  type Outcome,
  reconsider,
  run,
  summary,
  total,
} from "../../support/suite.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="5" failures="1" errors="1" time="2.0">
    <testsuite name="./a.test.ts" tests="5" disabled="1" errors="1" failures="1">
        <testcase name="fine" classname="./a.test.ts" time="1.250" line="1" col="6">
        </testcase>
        <testcase name="bad &lt;&amp;&quot;&gt; &#x41;" classname="./a.test.ts" time="0.015" line="2" col="6">
            <failure message="Uncaught Error: x &gt; y">Error: x &gt; y
\x1b[32mactual:   &lt;skipped/&gt;\x1b[0m
    at file:///a.test.ts:2:6</failure>
        </testcase>
        <testcase name="ignored" classname="./a.test.ts" time="0.000" line="3" col="6">
            <skipped/>
        </testcase>
        <testcase name="cancelled" classname="./a.test.ts" time="0.000" line="4" col="6">
            <error message="Cancelled"/>
        </testcase>
        <testcase name="left out" classname="./a.test.ts" line="5" col="6">
            <skipped/>
        </testcase>
    </testsuite>
</testsuites>`;

Deno.test("parseJunit reads every outcome", () => {
  const cases = parseJunit(REPORT);
  assertEquals(
    cases.map(({ name, outcome }) => [name, outcome]),
    [
      ["fine", "passed"],
      ['bad <&"> A', "failed"],
      ["ignored", "skipped"],
      ["cancelled", "failed"],
    ],
  );
  assertEquals(cases[0]?.seconds, 1.25);
  assertEquals(cases[1], {
    file: "./a.test.ts",
    name: 'bad <&"> A',
    seconds: 0.015,
    outcome: "failed",
    message: "Error: x > y\nactual:   <skipped/>\n    at file:///a.test.ts:2:6",
  });
  assertEquals(cases[3]?.message, "Cancelled");
});

Deno.test("total counts trouble as a failure", () => {
  const cases = parseJunit(REPORT);
  const totals = total([
    { label: "a", cases, trouble: "", output: "" },
    { label: "b", cases: [], trouble: "killed by SIGSEGV", output: "" },
  ]);
  assertEquals(summary(totals), "1 passed, 3 failed, 1 skipped");
});

Deno.test("reconsider: the second run counts, and what only then went well is known", () => {
  const outcome = (label: string, trouble: string): Outcome => (
    { label, cases: [], trouble, output: "" }
  );
  const good = outcome("good", "");
  const bad = outcome("bad", "hung");
  const worse = outcome("worse", "hung");
  const better = outcome("bad", "");
  const first = [good, bad, worse];
  assertEquals(
    reconsider(first, [better, outcome("worse", "crashed")]),
    { counted: [good, better, outcome("worse", "crashed")], mended: [bad] },
  );
  // There was no time for a second run.
  assertEquals(reconsider(first, []), { counted: first, mended: [] });
});

interface Case {
  name: string;
  source: string;
  expected: string;
  trouble: RegExp;
  limit?: number;
}

const CASES: Case[] = [
  {
    name: "passed, failed and skipped tests, and steps",
    source: `Deno.test("a", async (t) => { await t.step("b", () => {}); });
      Deno.test("c", () => { throw new Error("bad"); });
      Deno.test.ignore("d", () => {});`,
    expected: "2 passed, 1 failed, 1 skipped",
    trouble: /^$/,
  },
  {
    name: "an error while the module loads",
    source: `Deno.test("a", () => {}); throw new Error("bad");`,
    expected: "0 passed, 1 failed, 0 skipped",
    trouble: /^status 1, see above$/,
  },
  {
    name: "an error of no test's, which cancels those that were to come",
    source: `Deno.test("a", () => { Promise.reject(new Error("bad")); });
      Deno.test("b", () => {});`,
    expected: "0 passed, 3 failed, 0 skipped",
    trouble: /^status 1, see above$/,
  },
  {
    name: "a leak",
    source: `Deno.test({ name: "a", sanitizeResources: true, fn() {
        Deno.openSync("/dev/null");
      } });`,
    expected: "0 passed, 1 failed, 0 skipped",
    trouble: /^$/,
  },
  {
    name: "a forgotten only",
    source: `Deno.test.only("a", () => {}); Deno.test("b", () => {});`,
    expected: "1 passed, 1 failed, 0 skipped",
    trouble: /^status 1, see above$/,
  },
  {
    name: "a crash",
    source: `Deno.test("a", () => {});
      Deno.test("b", () => Deno.kill(Deno.pid, "SIGABRT"));`,
    expected: "0 passed, 1 failed, 0 skipped",
    trouble: /^killed by SIGABRT$/,
  },
  {
    name: "an early exit that claims success",
    source:
      `Deno.test({ name: "a", sanitizeExit: false, fn: () => Deno.exit(0) });`,
    expected: "0 passed, 1 failed, 0 skipped",
    // Deno 2.8 leaves no report then, 2.9 one in which the test was cancelled.
    trouble: /^(ended with status 0 and without a report)?$/,
  },
  {
    name: "an early exit behind deno's back",
    source: `const libc = Deno.dlopen("libc.so.6", {
        _exit: { parameters: ["i32"], result: "void" },
      });
      Deno.test("a", () => libc.symbols._exit(0));`,
    expected: "0 passed, 1 failed, 0 skipped",
    trouble: /^ended with status 0 and without a report$/,
  },
  {
    name: "a hang",
    source: `Deno.test("a", () => { while (true); });`,
    expected: "0 passed, 1 failed, 0 skipped",
    trouble: /^still running after 1 s, killed$/,
    limit: 1,
  },
];

/** Runs a test file, alone in a directory. */
async function runSource(source: string, limit = 60): Promise<Outcome> {
  const scratch = await Deno.makeTempDir({ prefix: "uring-runner-" });
  try {
    const path = `${scratch}/inner.test.ts`;
    await Deno.writeTextFile(path, source);
    const args = ["test", "--allow-all", "--no-config", "--no-check", path];
    const job = { label: path, args, reports: true, alone: false };
    return await run(job, scratch, limit);
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

for (const { name, source, expected, trouble, limit } of CASES) {
  Deno.test(`run: ${name}`, async () => {
    const outcome = await runSource(source, limit);
    assertMatch(outcome.trouble, trouble);
    assertEquals(summary(total([outcome])), expected);
  });
}

async function isAlive(pid: string): Promise<boolean> {
  try {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    // Nobody may have waited for it yet.
    return !/\) [ZX]/.test(stat);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

for (const [how, rest] of [["passes", ""], ["hangs", "while (true);"]]) {
  Deno.test(`run: a child that ${how} leaves no process behind`, async () => {
    const source = `Deno.test({ name: "a", sanitizeResources: false, fn() {
      const { pid } = new Deno.Command("sleep", { args: ["1000"] }).spawn();
      console.log(\`pid \${pid}.\`);
      ${rest}
    }, sanitizeOps: false });`;
    const { output } = await runSource(source, how === "hangs" ? 1 : 60);
    const pid = /pid (\d+)\./.exec(output)?.[1] ?? "";
    assertMatch(pid, /^\d+$/, output);
    while (await isAlive(pid)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
}

Deno.test("run: what is printed is kept in its order, on both outputs", async () => {
  const scratch = await Deno.makeTempDir({ prefix: "uring-runner-" });
  try {
    const source =
      `for (let i = 0; i < 3; i++) { console.log(i); console.error(i); }`;
    const args = ["eval", source];
    const { output } = await run(
      { label: "eval", args, reports: false, alone: false },
      scratch,
      60,
    );
    assertEquals(output, "0\n0\n1\n1\n2\n2\n");
    assertEquals([...Deno.readDirSync(scratch)], []);
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
});

Deno.test("inLanes: several at a time, the others alone, none without time", async () => {
  const jobs = ["a", "B", "c", "d", "E", "F"].map((label): Job => (
    { label, args: [], reports: false, alone: label < "a" }
  ));
  const begun: string[] = [];
  let running = 0;
  await inLanes(jobs, 2, async ({ label }) => {
    begun.push(label);
    running++;
    await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(running, "ac".includes(label) ? 2 : 1, label);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return label !== "c" && label !== "E";
  });
  assertEquals(begun, ["a", "c", "d", "B", "E"]);
});
