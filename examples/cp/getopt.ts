/**
 * A command line as getopt_long(3) reads it: short options in groups, long ones cut short,
 * options among the operands, `--` before the last of them.
 *
 * `parseArgs` of node:util knows neither long options cut short nor optional values, and takes
 * longer to load than all of this program.
 *
 * @module
 */

/** What an option takes: nothing, a value, or a value only if one is attached (`--name=value`). */
export type Takes = "nothing" | "value" | "optional";

/** An option. */
export interface Option<Key extends string> {
  /** What the program calls it. */
  key: Key;
  /** Its letters. */
  short?: string;
  /** Its long names. */
  long?: readonly string[];
  /** Default: nothing. */
  takes?: Takes;
  /** Whether its long names may not be cut short: they stand in nobody's way. Default: false. */
  whole?: boolean;
}

/** An option that was given. */
export interface Given<Key extends string> {
  /** Which. */
  key: Key;
  /** Its value, if it has one. */
  value: string | undefined;
  /** How it was written: `--sparse`, `-t`. */
  name: string;
}

/** A command line that cannot be understood; its message says why, as getopt_long(3) would. */
export class Misuse extends Error {}

/**
 * Takes a command line apart: gives one option after the other, and leaves the rest in `operands`.
 *
 * @throws {Misuse} if there is no such option, or a value is missing or not wanted.
 * @example
 * ```ts
 * import { getopt } from "./getopt.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const known = [{ key: "all", short: "a" }, { key: "to", long: ["to"], takes: "value" }] as const;
 * const operands: string[] = [];
 * const options = [...getopt(known, ["-a", "x", "--t=y", "--", "-z"], operands)];
 * assertEquals(options.map(({ key, value }) => [key, value]), [["all", undefined], ["to", "y"]]);
 * assertEquals(operands, ["x", "-z"]);
 * ```
 */
export function* getopt<Key extends string>(
  known: readonly Option<Key>[],
  args: readonly string[],
  operands: string[],
): Generator<Given<Key>, undefined> {
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--") operands.push(...rest.splice(0));
    else if (word.startsWith("--")) yield longOption(known, word, rest);
    else if (word.startsWith("-") && word !== "-") {
      yield* shortOptions(known, word, rest);
    } else operands.push(word);
  }
}

function longOption<Key extends string>(
  known: readonly Option<Key>[],
  word: string,
  rest: string[],
): Given<Key> {
  const equals = word.indexOf("=");
  const typed = word.slice(2, equals < 0 ? undefined : equals);
  const [option, long] = named(known, typed, word);
  const { key, takes = "nothing" } = option;
  const name = `--${long}`;
  let value = equals < 0 ? undefined : word.slice(equals + 1);
  if (takes === "nothing" && value !== undefined) {
    throw new Misuse(`option '${name}' doesn't allow an argument`);
  }
  if (takes === "value") value ??= rest.shift();
  if (takes === "value" && value === undefined) {
    throw new Misuse(`option '${name}' requires an argument`);
  }
  return { key, value, name };
}

/** The option of that name, or the only one whose name begins so. */
function named<Key extends string>(
  known: readonly Option<Key>[],
  typed: string,
  word: string,
): [Option<Key>, string] {
  const all = known.flatMap((option) =>
    (option.long ?? []).map((long): [Option<Key>, string] => [option, long])
  );
  const exact = all.find(([, long]) => long === typed);
  if (exact !== undefined) return exact;
  const begun = all.filter(([{ whole }, long]) =>
    !whole && long.startsWith(typed)
  );
  const [first] = begun;
  if (first === undefined) {
    throw new Misuse(`unrecognized option '${word}'`);
  }
  if (new Set(begun.map(([option]) => option)).size > 1) {
    const names = begun.map(([, long]) => ` '--${long}'`).join("");
    throw new Misuse(`option '${word}' is ambiguous; possibilities:${names}`);
  }
  return first;
}

function* shortOptions<Key extends string>(
  known: readonly Option<Key>[],
  word: string,
  rest: string[],
): Generator<Given<Key>> {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] as string;
    const option = known.find(({ short }) => short?.includes(letter));
    if (option === undefined) {
      throw new Misuse(`invalid option -- '${letter}'`);
    }
    const { key, takes = "nothing" } = option;
    const name = `-${letter}`;
    if (takes !== "value") {
      yield { key, value: undefined, name };
      continue;
    }
    const value = at + 1 < word.length ? word.slice(at + 1) : rest.shift();
    if (value === undefined) {
      throw new Misuse(`option requires an argument -- '${letter}'`);
    }
    yield { key, value, name };
    return;
  }
}
