/**
 * Measurements: one mode second by second, or several by turns.
 *
 * @module
 */

import type { Mode, Plan } from "./arguments.ts";
import { type Line, lineOf } from "./report.ts";
import { type Target, warmPages } from "./targets.ts";
import { Team } from "./team.ts";

/** A turn that is thrown away, in seconds: the loop is compiled, memory is touched. */
const WARM_UP = 0.3;

/** What one mode came to. */
export interface Run {
  /** The mode. */
  readonly mode: Mode;
  /** The setup flags of its rings. */
  readonly ringFlags: number;
  /** How they reach the kernel. */
  readonly backend: string;
  /** Its lines: seconds, or turns. */
  readonly lines: readonly Line[];
  /** All of it. */
  readonly summary: Line;
}

/** What a mode came to beside the first one. */
export interface Comparison extends Run {
  /** I/Os a second, of all turns. */
  readonly iops: Spread;
  /** That over the first mode's, turn by turn. */
  readonly ratio: Spread;
}

/** A median and the extremes. */
export interface Spread {
  /** The value in the middle. */
  readonly median: number;
  /** The smallest. */
  readonly min: number;
  /** The largest. */
  readonly max: number;
}

/** The median and the extremes of some values. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  const half = sorted.length >> 1;
  return {
    median: (at(half) + at((sorted.length - 1) >> 1)) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/** Measures one mode; `print` gets each second as it is over. */
export async function measure(
  mode: Mode,
  { runtime }: Plan,
  targets: readonly Target[],
  stop: AbortSignal,
  print: (line: Line) => void,
): Promise<Run> {
  await using team = await Team.start(mode.settings, targets);
  const lines: Line[] = [];
  const limit = mode.settings.passes > 0 ? Infinity : runtime;
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const second = team.measure();
  const all = team.measure();
  team.resume();
  while (elapsed() < limit && !stop.aborted && !team.paused) {
    const next = Math.min(Math.floor(elapsed()) + 1, limit);
    await team.run(next - elapsed(), stop);
    const stretch = second();
    // What is left over behind the last second is part of the summary only.
    if (stretch.seconds < 0.05 && lines.length > 0) continue;
    const line = lineOf(stretch, elapsed(), mode.settings);
    lines.push(line);
    print(line);
  }
  const summary = lineOf(all(), elapsed(), mode.settings);
  await team.pause();
  const { ringFlags, backend } = team;
  return { mode, ringFlags, backend, lines, summary };
}

/** Measures several modes by turns; `print` gets each turn as it is over. */
export async function compare(
  { modes, runtime, rounds, cache }: Plan,
  targets: readonly Target[],
  stop: AbortSignal,
  print: (mode: Mode, line: Line) => void,
): Promise<Comparison[]> {
  await using stack = new AsyncDisposableStack();
  const contestants: Contestant[] = [];
  for (const mode of modes) {
    const team = stack.use(await Team.start(mode.settings, targets));
    contestants.push(new Contestant(mode, team));
  }
  const turn = runtime / rounds;
  for (let round = -1; round < rounds && !stop.aborted; round++) {
    for (const contestant of contestants) {
      if (cache === "warm") targets.forEach(warmPages);
      const seconds = round < 0 ? Math.min(turn, WARM_UP) : turn;
      const line = await contestant.takeTurn(seconds, stop);
      if (round < 0 || stop.aborted) continue;
      contestant.lines.push(line);
      print(contestant.mode, line);
    }
  }
  const [first] = contestants;
  return contestants.map((contestant) =>
    contestant.result(first ?? contestant)
  );
}

class Contestant {
  readonly lines: Line[] = [];
  readonly #began = performance.now();

  constructor(readonly mode: Mode, readonly team: Team) {}

  async takeTurn(seconds: number, stop: AbortSignal): Promise<Line> {
    const { team, mode } = this;
    const end = team.measure();
    team.resume();
    await team.run(seconds, stop);
    const stretch = end();
    await team.pause();
    const at = (performance.now() - this.#began) / 1000;
    return lineOf(stretch, at, mode.settings);
  }

  result(first: Contestant): Comparison {
    const { mode, team, lines } = this;
    const rates = lines.map(({ iops }) => iops);
    // A turn that the machine spent elsewhere, all of it, is nobody's.
    const ratios = rates
      .map((rate, i) => rate / (first.lines[i]?.iops ?? NaN))
      .filter(Number.isFinite);
    const { ringFlags, backend } = team;
    return {
      mode,
      ringFlags,
      backend,
      lines,
      summary: middle(lines),
      iops: spread(rates),
      ratio: spread(ratios),
    };
  }
}

/** The turn in the middle: medians of everything would belong to no turn at all. */
function middle(lines: readonly Line[]): Line {
  const sorted = lines.toSorted((a, b) => a.iops - b.iops);
  const line = sorted[sorted.length >> 1];
  if (line === undefined) throw new Error("interrupted before the first turn");
  return line;
}
