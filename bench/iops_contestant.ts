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
import { contend, serve } from "./serve.ts";

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
  await serve(
    (seconds) => run(team, seconds),
    `ready ${team.ringFlags} ${team.backend}`,
  );
}

if (import.meta.main) await contend(main);
