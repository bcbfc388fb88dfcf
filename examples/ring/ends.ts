/**
 * Both ends of what `cp` does: what is copied, and where it goes.
 *
 * @module
 */

import type { SystemError } from "../../ffi/errors.ts";
import { setLength } from "../../ffi/file.ts";
import { AT_SYMLINK_NOFOLLOW, O_RDONLY, O_WRONLY } from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import type { Ring } from "../../ring/ring.ts";
import { attempt, type Command, complain, Complaint } from "./command.ts";
import { quote } from "../quote.ts";
import { misuse, operands, reason } from "./command.ts";
import { Draft } from "./draft.ts";
import { close, fstat, lookUp, open, sameFile, stat } from "./files.ts";

const [STDOUT, STDERR] = [1, 2];

/** An open file to copy to. */
interface Destination extends Disposable {
  /** Its descriptor. */
  readonly fd: number;
  /** Whether it takes bytes one after the other, as devices and FIFOs do. */
  readonly inPlace: boolean;
  /** Lets the world see what was written. */
  publish(): void;
}

/**
 * A file to copy from, and a file to copy to.
 *
 * What is written is a {@linkcode Draft}: it is there under its name when it is whole. So a
 * file that was there before is not written to, as cp(1) does, but replaced: its other hard
 * links keep the old contents, its extended attributes go, its owner and mode stay. Of a
 * symbolic link the target is replaced. A file that may not be written, that is in a directory
 * that may not, or that would change its owner is left alone, with cp's message for what
 * cannot be created. Devices and FIFOs are written in place.
 */
export class Ends implements Disposable {
  /** What is known of the source. */
  readonly input: Statx;
  /** The source, open for reading. */
  readonly from: number;
  readonly #ring: Ring;
  readonly #creating: string;
  readonly #reading: string;
  readonly #writing: string;
  readonly #to: Destination;

  /**
   * Opens both.
   *
   * @throws {Complaint} if one cannot be opened, or must not, in cp's words.
   */
  constructor(ring: Ring, source: string, path: string) {
    const [from, to] = [quote(source), quote(path)];
    this.#ring = ring;
    this.#creating = `cannot create regular file ${to}`;
    this.#reading = `error reading ${from}`;
    this.#writing = `error writing ${to}`;
    this.input = attempt(`cannot stat ${from}`, () => stat(ring, source));
    if (this.input.isDirectory) {
      throw new Complaint(`-r not specified; omitting directory ${from}`);
    }
    const old = attempt(`cannot stat ${to}`, () => lookUp(ring, path));
    if (old !== null && sameFile(old, this.input)) {
      throw new Complaint(`${from} and ${to} are the same file`);
    }
    if (old?.isDirectory) {
      const what = `cannot overwrite directory ${to}`;
      throw new Complaint(`${what} with non-directory`);
    }
    if (old === null && path.endsWith("/")) {
      throw new Complaint(`${this.#creating}: Not a directory`);
    }
    if (old === null && lookUp(ring, path, AT_SYMLINK_NOFOLLOW) !== null) {
      throw new Complaint(`not writing through dangling symlink ${to}`);
    }
    const opening = `cannot open ${from} for reading`;
    this.from = attempt(opening, () => open(ring, source, O_RDONLY));
    try {
      this.#to = attempt(this.#creating, () => this.#openTo(path, old));
    } catch (error) {
      close(ring, this.from);
      throw error;
    }
  }

  #openTo(path: string, old: Statx | null): Destination {
    const ring = this.#ring;
    if (old === null) {
      return new Draft(ring, path, this.input.mode & 0o777, null);
    }
    // Whether it may be written, the kernel knows best.
    const fd = open(ring, path, O_WRONLY);
    // Whoever has our output open would go on writing to what is no longer there.
    const streams = [STDOUT, STDERR].map((stream) => fstat(ring, stream));
    const isStream = streams.some((stream) => sameFile(stream, old));
    if (isStream && old.isFile) setLength(fd, 0);
    if (isStream || !old.isFile) {
      const dispose = () => close(ring, fd);
      return { fd, inPlace: true, publish() {}, [Symbol.dispose]: dispose };
    }
    close(ring, fd);
    return new Draft(ring, Deno.realPathSync(path), 0o600, old);
  }

  /** The destination, open for writing. */
  get to(): number {
    return this.#to.fd;
  }

  /** Whether both have places that can be read and written in any order. */
  get seekable(): boolean {
    return this.input.isFile && !this.#to.inPlace;
  }

  /** Copies; what goes wrong becomes a {@linkcode Complaint} about the end where it did. */
  explain(copy: () => void): void {
    try {
      copy();
    } catch (error) {
      const reading = (error as Partial<SystemError>).op === "read";
      const what = reading ? this.#reading : this.#writing;
      throw new Complaint(`${what}: ${reason(error)}`, { cause: error });
    }
  }

  /** Gives the copy its name. */
  publish(): void {
    attempt(this.#creating, () => this.#to.publish());
  }

  /** Closes both. What was not published is gone. */
  [Symbol.dispose](): void {
    close(this.#ring, this.from);
    this.#to[Symbol.dispose]();
  }
}

/** What is copied where, from the command line; or the exit status of a mistake there. */
export function pairs(
  command: Command,
  args: string[],
): [source: string, path: string][] | number {
  const sources = operands(command, args);
  if (typeof sources === "number") return sources;
  const path = sources.pop();
  if (path === undefined) return misuse(command, "missing file operand");
  if (sources.length === 0) {
    const where = `after ${quote(path)}`;
    return misuse(command, `missing destination file operand ${where}`);
  }
  let isDirectory = false;
  let problem = "Not a directory";
  try {
    ({ isDirectory } = Deno.statSync(path));
  } catch (error) {
    problem = reason(error);
  }
  if (!isDirectory && sources.length > 1) {
    return complain(command, `target ${quote(path)}: ${problem}`);
  }
  const directory = path.replace(/\/*$/, "/");
  const once = sources.filter((source, i) => {
    const repeated = sources.indexOf(source) < i;
    const what = `warning: source file ${quote(source)}`;
    if (repeated) complain(command, `${what} specified more than once`);
    return !repeated;
  });
  return once.map((source) => {
    const [, name = ""] = /([^/]*)\/*$/.exec(source) ?? [];
    return [source, isDirectory ? directory + name : path];
  });
}

/** What is said of a second file that would go where the first one just went. */
export function justMade(source: string, path: string): string {
  const to = quote(path);
  return `will not overwrite just-created ${to} with ${quote(source)}`;
}
