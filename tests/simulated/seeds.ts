/**
 * Runs one random program after the other, each determined by its seed alone.
 *
 * `URING_SEED=123 deno task test simulated` runs the program of that seed again, and only it.
 * `URING_PROGRAMS=1000000` runs that many; with both, that many from that seed on.
 */

function fromEnvironment(name: string): number | undefined {
  const text = Deno.env.get(name);
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${name} must be an integer from 0 on; got ${text}.`);
  }
  return value;
}

const chosenSeed = fromEnvironment("URING_SEED");
const chosenCount = fromEnvironment("URING_PROGRAMS");

/** Takes what happened, line by line. */
export type Note = (what: string) => void;

/** Runs the program of a seed; throws if something is wrong. */
export type Program = (seed: number, note?: Note) => void | Promise<void>;

const LINES_SHOWN = 120;

function shown(lines: string[]): string[] {
  const first = lines.slice(0, 2);
  const last = lines.slice(2).slice(-LINES_SHOWN);
  return [...first, "...", ...last];
}

/** Registers a test that runs the programs of `count` seeds. */
export function eachSeed(name: string, count: number, run: Program): void {
  const first = chosenSeed ?? 1;
  const programs = chosenCount ?? (chosenSeed === undefined ? count : 1);
  Deno.test(`${name}: ${programs} random programs`, async () => {
    for (let seed = first; seed < first + programs; seed++) {
      try {
        await run(seed);
      } catch (error) {
        throw await explain(name, seed, run, error);
      }
    }
  });
}

/** Runs the program again, for what led to the failure. */
async function explain(
  name: string,
  seed: number,
  run: Program,
  cause: unknown,
): Promise<Error> {
  const lines: string[] = [];
  let again: unknown;
  try {
    await run(seed, (what) => void lines.push(what));
  } catch (error) {
    again = error;
  }
  const same = String(again) === String(cause);
  return new Error(
    `${name}: the program of seed ${seed} failed: ${cause}\n` +
      `Run it again: URING_SEED=${seed} deno task test simulated\n` +
      (same ? "" : `It did NOT fail like this a second time: ${again}\n`) +
      `What happened, beginning and end:\n${shown(lines).join("\n")}`,
    { cause },
  );
}

/** What happens in the program of a seed, in full: to see that it is the same each time. */
export async function recorded(run: Program, seed: number): Promise<string[]> {
  const lines: string[] = [];
  await run(seed, (what) => void lines.push(what));
  return lines;
}
