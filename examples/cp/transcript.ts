/**
 * What `cp` prints, in the order in which coreutils would, however many files are in flight.
 *
 * @module
 */

import { quote } from "../quote.ts";
import { reason, worded } from "./trouble.ts";

const encoder = new TextEncoder();
/** So much is kept before it is written to standard output, unless somebody watches. */
const ENOUGH = 1 << 16;
/** So many sections that are over are forgotten at a time. */
const MANY = 1024;

/** Something that is printed. */
export interface Line {
  /** What, with its end. */
  text: string;
  /** Where to. */
  stream: "stdout" | "stderr";
}

/** What is printed about one thing that is done, kept back while earlier things go on. */
export class Section {
  readonly #transcript: Transcript;
  /** What was kept back. */
  readonly kept: Line[] = [];
  /** Whether nothing more comes. */
  ended = false;

  /** Internal: {@linkcode Transcript.section} makes them. */
  constructor(transcript: Transcript) {
    this.#transcript = transcript;
  }

  /** Prints a line to standard output. */
  say(line: string): void {
    this.#transcript.put(this, { text: `${line}\n`, stream: "stdout" });
  }

  /** Prints a warning to standard error. */
  warn(message: string): void {
    const text = `cp: warning: ${message}\n`;
    this.#transcript.put(this, { text, stream: "stderr" });
  }

  /** Prints a complaint to standard error; `cp` has failed. */
  complain(message: string): void {
    this.#transcript.ok = false;
    this.#transcript.put(this, { text: `cp: ${message}\n`, stream: "stderr" });
  }

  /** Complains about an error: `what: reason`. */
  fail(what: string, error: unknown): void {
    this.complain(worded(what, error));
  }

  /** Nothing more comes. */
  end(): void {
    this.ended = true;
    this.#transcript.advance();
  }
}

/** What could not be written to standard output. */
export class OutputError extends Error {}

/** All that `cp` prints. */
export class Transcript {
  /** Whether nothing went wrong. */
  ok = true;
  /** Called before something is printed, as a progress bar has to make room. */
  beforePrinting: () => void = () => {};
  readonly #enough = Deno.stdout.isTerminal() ? 0 : ENOUGH;
  readonly #sections: Section[] = [];
  #first = 0;
  #pending = "";

  /** Begins a section, behind all that were begun before. */
  section(): Section {
    const section = new Section(this);
    this.#sections.push(section);
    return section;
  }

  /** Prints a line of a section if it is its turn, or keeps it. */
  put(section: Section, line: Line): void {
    if (section === this.#sections[this.#first]) this.#print(line);
    else section.kept.push(line);
  }

  /** Goes on to the first section that has not ended. */
  advance(): void {
    for (;;) {
      const section = this.#sections[this.#first];
      if (section === undefined) break;
      for (const line of section.kept.splice(0)) this.#print(line);
      if (!section.ended) break;
      this.#first++;
    }
    if (this.#first < MANY) return;
    this.#sections.splice(0, this.#first);
    this.#first = 0;
  }

  #print({ text, stream }: Line): void {
    if (stream === "stdout") {
      this.#pending += text;
      if (this.#pending.length > this.#enough) this.flush();
      return;
    }
    this.flush();
    this.write(text);
  }

  /** Writes to standard error, at once. */
  write(text: string): void {
    this.beforePrinting();
    writeAll(Deno.stderr, text);
  }

  /**
   * Writes what has been said to standard output.
   *
   * @throws {Deno.errors.BrokenPipe} if nobody reads it.
   * @throws {OutputError} if it cannot be written.
   */
  flush(): void {
    if (this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    this.beforePrinting();
    try {
      writeAll(Deno.stdout, text);
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) throw error;
      throw new OutputError(`write error: ${reason(error)}`, { cause: error });
    }
  }
}

function writeAll(
  stream: { writeSync(bytes: Uint8Array): number },
  text: string,
): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}

/** What `-v` says of a copy. */
export function arrow(from: string, to: string): string {
  return `${quote(from)} -> ${quote(to)}`;
}
