/**
 * The command line of `cat` and `cp`: operands, `--help`, messages in coreutils' words.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { errnoNumber, strerror } from "../../ffi/errno.ts";
import { isSystemError } from "../../ffi/errors.ts";
import { print } from "../print.ts";

/** A command: its name and what it says to `--help`. */
export interface Command {
  /** Its name, with which every message begins. */
  name: string;
  /** What `--help` prints, but for that option itself. */
  usage: string;
}

/** What went wrong, in words that the command may print as they are. */
export class Complaint extends Error {}

/**
 * What an error says after the name of the file: for an errno, of a ring's or of Deno's, the
 * words that coreutils have.
 *
 * @throws any other error as it is: a mistake of the program's, not of its user.
 */
export function reason(error: unknown): string {
  if (error instanceof Complaint) return error.message;
  const { code } = error as { code?: unknown };
  const errno = typeof code === "string" ? errnoNumber(code) : undefined;
  if (errno === undefined) throw error;
  return strerror(errno);
}

/** Does something; what an errno says about it becomes a {@linkcode Complaint}. */
export function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Complaint(`${what}: ${reason(error)}`, { cause: error });
  }
}

/** Prints a message to standard error, and gives the exit status that goes with it. */
export function complain({ name }: Command, message: string): 1 {
  console.error(`${name}: ${message}`);
  return 1;
}

/** Complains about how the command was called. */
export function misuse(command: Command, message: string): 1 {
  complain(command, message);
  console.error(`Try '${command.name} --help' for more information.`);
  return 1;
}

const HELP = "\n\n      --help        display this help and exit\n";

/** The operands of a command, or its exit status where `--help` or a mistake ends it. */
export function operands(command: Command, args: string[]): string[] | number {
  const { tokens } = parseArgs({ args, strict: false, tokens: true });
  const names: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") names.push(token.value);
    if (token.kind !== "option") continue;
    const { rawName, name, value } = token;
    if (!rawName.startsWith("--")) {
      return misuse(command, `invalid option -- '${name}'`);
    }
    // Long options may be shortened, as getopt_long(3) has it.
    if (!"help".startsWith(name)) {
      const given = value === undefined ? rawName : `${rawName}=${value}`;
      return misuse(command, `unrecognized option '${given}'`);
    }
    if (value !== undefined) {
      return misuse(command, "option '--help' doesn't allow an argument");
    }
    return print(command.name, command.usage + HELP);
  }
  return names;
}

/** Runs a command as the program, and ends the process with its status. */
export function main(
  command: Command,
  body: (args: string[]) => number,
): never {
  try {
    Deno.exit(body(Deno.args));
  } catch (error) {
    // No ring: the message says why, and what to do. A stack would hide it.
    if (!isSystemError(error)) throw error;
    Deno.exit(complain(command, error.message));
  }
}
