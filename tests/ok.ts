/**
 * `deno task ok`: everything that must hold before a change is taken, the quickest first. Stops at
 * the first step that fails. As the tests come last, their summary is the last line; a step that
 * fails before them prints one too. Arguments go to the tests, see `run.ts`.
 *
 * @module
 */
import { summary } from "./support/suite.ts";
import configuration from "../deno.json" with { type: "json" };

const STEPS: string[][] = [
  ["fmt", "--check"],
  ["lint"],
  ["check", "--quiet", "."],
  ["doc", "--lint", ...Object.values(configuration.exports)],
  ["publish", "--quiet", "--dry-run", "--allow-dirty"],
  ["run", "--allow-all", "tests/run.ts", "--no-types", ...Deno.args],
];

async function succeeds(args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return success;
}

async function main(): Promise<number> {
  Deno.chdir(new URL("../", import.meta.url));
  for (const step of STEPS) {
    console.log(`\n== deno ${step.slice(0, 3).join(" ")}`);
    if (await succeeds(step)) continue;
    if (step !== STEPS.at(-1)) {
      console.log(`\ndeno ${step.join(" ")} failed; no test was run`);
      console.log(summary({ passed: 0, failed: 1, skipped: 0 }));
    }
    return 1;
  }
  return 0;
}

Deno.exit(await main());
