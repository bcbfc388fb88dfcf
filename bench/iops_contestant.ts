/**
 * The tool of examples/iops.ts as a contestant, answering the commands of bench/child.ts:
 *
 *     iops_contestant.ts SETTINGS FILE
 *
 * `SETTINGS` is JSON, what differs from the tool's own defaults.
 */
import { DEFAULTS, type Settings } from "../examples/iops/settings.ts";
import { findTarget } from "../examples/iops/targets.ts";
import { Team } from "../examples/iops/team.ts";

async function run(team: Team, seconds: number): Promise<string> {
  const end = team.measure();
  team.resume();
  await team.run(seconds, new AbortController().signal);
  const stretch = end();
  await team.pause();
  return `done ${stretch.ios} ${stretch.seconds.toFixed(9)}`;
}

async function main([given = "{}", path = ""]: string[]): Promise<void> {
  const settings: Settings = { ...DEFAULTS, ...JSON.parse(given) };
  await using team = await Team.start(settings, [findTarget(path)]);
  console.log(`ready ${team.ringFlags} ${team.backend}`);
  let rest = "";
  for await (
    const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const command of lines) {
      const seconds = Number(command.match(/^run (\d+(?:\.\d+)?)$/)?.[1]);
      if (Number.isNaN(seconds)) throw new Error(`unknown command: ${command}`);
      console.log(await run(team, seconds));
    }
  }
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    console.log(`error ${sentence.replaceAll("\n", " ")}`);
    Deno.exit(1);
  }
}
