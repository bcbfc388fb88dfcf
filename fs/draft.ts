/**
 * A file that has no name until it is whole.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import {
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_TMPFILE,
  O_WRONLY,
} from "../ffi/linux.ts";
import { opcodes } from "../ops/opcodes.ts";
import type { Uring } from "../proactor/uring.ts";
import { giveBack, openDescriptor } from "./descriptor.ts";
import { linkTo, moveTo, removeAt } from "./entries.ts";
import type { Opening } from "./permission.ts";

/** What a file system says that has no files without a name, or is older than they are. */
const NAMELESS_UNKNOWN = ["EOPNOTSUPP", "EISDIR", "EINVAL", "ENOSYS"];

/** How a draft is made. */
export interface DraftOptions {
  /** Its permissions, less the umask. */
  mode: number;
  /** More `O_*` to open it with: O_DIRECT. Default: none. */
  flags?: number;
  /** Gives up. */
  signal: AbortSignal | undefined;
  /** Whether to wait where no descriptor is left. Default: true. */
  waits?: boolean;
}

/**
 * A new file that takes its place in a folder all at once, or not at all.
 *
 * It begins without a name (O_TMPFILE): whatever ends the process, kill -9 too, the kernel throws
 * it away. Where a file system cannot do that (NFS, FAT), or the kernel has no op to link it with
 * (before 5.15), it has a hidden name beside its own to be, which only a killed process leaves
 * behind. The same goes for the moment in which it replaces another file.
 */
export class Draft {
  /** The file, open for writing. */
  readonly fd: number;
  readonly #ring: Uring;
  readonly #path: string;
  /** The name it has now; none at first. */
  #name: string | undefined;
  #open = true;

  private constructor(
    ring: Uring,
    path: string,
    fd: number,
    name: string | undefined,
  ) {
    this.#ring = ring;
    this.#path = path;
    this.fd = fd;
    this.#name = name;
  }

  /** Makes one that is to have a path. */
  static async make(
    ring: Uring,
    path: string,
    { mode, flags = 0, signal, waits = true }: DraftOptions,
  ): Promise<Draft> {
    const manner = { mode, stay: "passing", signal, waits } as const;
    if (opcodes.linkat.supported()) {
      try {
        const { fd } = await openDescriptor(ring, at(folderOf(path) || "."), {
          ...manner,
          flags: O_WRONLY | O_TMPFILE | flags,
        });
        return new Draft(ring, path, fd, undefined);
      } catch (error) {
        const unknown = isSystemError(error) &&
          NAMELESS_UNKNOWN.includes(error.code);
        if (!unknown) throw error;
      }
    }
    const name = hiddenBeside(path);
    const { fd } = await openDescriptor(ring, at(name), {
      ...manner,
      flags: O_WRONLY | O_CREAT | O_EXCL | flags,
    });
    return new Draft(ring, path, fd, name);
  }

  /**
   * Gives the file its name, and closes it.
   *
   * @param replace whether what has that name now makes room for it.
   * @param taken whether something is known to have it.
   * @throws {SystemError} (as a rejection) EEXIST if there is something, and it may not.
   */
  async publish(replace: boolean, taken = false): Promise<void> {
    const free = !(replace && taken);
    if (this.#name === undefined && free && await this.#link(replace)) return;
    const name = await this.#hide();
    // Network file systems may say only here what they could not write.
    this.#close();
    await moveTo(this.#ring, name, this.#path, replace);
    this.#name = undefined;
  }

  /** Links the nameless file; false if something else has its name, and is to make room. */
  async #link(replace: boolean): Promise<boolean> {
    try {
      await linkTo(this.#ring, this.#self, this.#path, true);
    } catch (error) {
      if (!replace || !isSystemError(error) || error.code !== "EEXIST") {
        throw error;
      }
      return false;
    }
    this.#close();
    return true;
  }

  /** Gives the file a hidden name, unless it has one. */
  async #hide(): Promise<string> {
    if (this.#name !== undefined) return this.#name;
    const name = hiddenBeside(this.#path);
    await linkTo(this.#ring, this.#self, name, true);
    return this.#name = name;
  }

  /** The file by way of its descriptor. */
  get #self(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    giveBack(this.fd, "passing");
  }

  /** Throws the file away, unless it was published. No op on it may be in flight. */
  async discard(): Promise<void> {
    this.#close();
    if (this.#name === undefined) return;
    const name = this.#name;
    this.#name = undefined;
    try {
      await removeAt(this.#ring, name);
    } catch (error) {
      // What led here is the error that is told.
      if (!isSystemError(error)) throw error;
    }
  }
}

/** Throws if a file may not be written: then it is not replaced either. */
export async function checkWritable(
  ring: Uring,
  where: Opening,
  signal: AbortSignal | undefined,
): Promise<void> {
  const manner = { flags: O_WRONLY, stay: "passing", signal } as const;
  try {
    const { fd } = await openDescriptor(ring, where, manner);
    giveBack(fd, "passing");
  } catch (error) {
    // A program that runs can be replaced, but not written to.
    if (!isSystemError(error) || error.code !== "ETXTBSY") throw error;
  }
}

function at(path: string) {
  return { path, flags: O_NOFOLLOW, resolve: 0 };
}

/** The folder that a path is in, with a slash at its end, or nothing for the current one. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

/** A name that nobody else has, in the folder that a path is in. */
export function hiddenBeside(path: string): string {
  return `${folderOf(path)}.uring-${crypto.randomUUID()}`;
}
