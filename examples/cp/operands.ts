/**
 * What is copied where.
 *
 * @module
 */

import { Misuse } from "./getopt.ts";
import { quote } from "../quote.ts";
import { Failure, type Settings } from "./settings.ts";
import { codeOf, reason } from "./trouble.ts";

/** What the operands of a command line mean. */
export interface Operands {
  /** Each source, with the name of its copy. */
  pairs: [from: string, to: string][];
  /** Whether several operands go to one directory. */
  several: boolean;
}

/**
 * Finds out what is to be copied where.
 *
 * @throws {Misuse | Failure} if that makes no sense; the message is coreutils'.
 */
export function readOperands(settings: Settings): Operands {
  const { targetDirectory, noTargetDirectory } = settings;
  const operands = [...settings.operands];
  const [first] = operands;
  if (first === undefined) throw new Misuse("missing file operand");
  if (operands.length === 1 && targetDirectory === undefined) {
    const after = `after ${quote(first)}`;
    throw new Misuse(`missing destination file operand ${after}`);
  }
  if (noTargetDirectory && targetDirectory !== undefined) {
    throw new Failure(
      "cannot combine --target-directory (-t) and --no-target-directory (-T)",
    );
  }
  if (noTargetDirectory) {
    const [, , extra] = operands;
    if (extra === undefined) return single(operands);
    throw new Misuse(`extra operand ${quote(extra)}`);
  }
  if (targetDirectory !== undefined) {
    const problem = problemWith(targetDirectory);
    if (problem === null) return into(settings, targetDirectory, operands);
    const what = `target directory ${quote(targetDirectory)}`;
    throw new Failure(`${what}: ${reason(problem)}`);
  }
  const last = operands.at(-1) ?? "";
  const problem = problemWith(last);
  if (problem === null) return into(settings, last, operands.slice(0, -1));
  if (operands.length === 2) return single(operands);
  throw new Failure(`target ${quote(last)}: ${reason(problem)}`);
}

/** Why files cannot be copied into a directory: it is none; null if it is one. */
function problemWith(path: string): unknown {
  try {
    if (Deno.statSync(path).isDirectory) return null;
    return Object.assign(new Error(), { code: "ENOTDIR" });
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return error;
  }
}

function single([from = "", to = ""]: string[]): Operands {
  return { pairs: [[from, to]], several: false };
}

function into(
  { stripSlashes }: Settings,
  directory: string,
  sources: string[],
): Operands {
  const within = directory.endsWith("/") ? directory : `${directory}/`;
  const pairs = sources.map((source): [string, string] => {
    const from = stripSlashes ? stripped(source) : source;
    const [, name = ""] = /([^/]*)\/*$/.exec(from) ?? [];
    // What is in `..` goes into the directory, not out of it.
    return [from, within + (name === ".." ? "." : name)];
  });
  return { pairs, several: sources.length > 1 };
}

function stripped(path: string): string {
  return path.replace(/(?<=[^/])\/+$/, "");
}
