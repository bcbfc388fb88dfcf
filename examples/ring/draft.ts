/**
 * A file that has no name until it is whole.
 *
 * @module
 */

import { IORING_OP_LINKAT } from "../../ffi/abi.ts";
import { isSystemError } from "../../ffi/errors.ts";
import * as linux from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { linkat } from "../../ops/path.ts";
import { run } from "../../ops/run.ts";
import type { Ring } from "../../ring/ring.ts";
import { close, open } from "./files.ts";

/**
 * A new file that takes its place in a directory all at once, or not at all.
 *
 * It begins without a name (`O_TMPFILE`): whatever ends the process, `kill -9` too, the kernel
 * throws it away. Where a file system cannot do that (NFS, FAT), or the kernel has no op to
 * link it with (before 5.15), it has a hidden name instead, which only a killed process leaves
 * behind.
 */
export class Draft implements Disposable {
  /** The file, open for writing. */
  readonly fd: number;
  /** It takes bytes in any order. */
  readonly inPlace = false;
  readonly #ring: Ring;
  readonly #path: string;
  readonly #replaces: boolean;
  readonly #hidden: string;
  #named = false;
  #open = true;

  /**
   * Makes a file.
   *
   * @param path what it is to become.
   * @param mode its permissions, which the umask applies to.
   * @param old the file at that path, if there is one: the new one gets its owner and mode.
   */
  constructor(ring: Ring, path: string, mode: number, old: Statx | null) {
    const directory = path.slice(0, path.lastIndexOf("/") + 1) || "./";
    this.#ring = ring;
    this.#path = path;
    this.#replaces = old !== null;
    this.#hidden = `${directory}.${crypto.randomUUID()}.tmp`;
    this.fd = this.#openNameless(directory, mode) ?? this.#openHidden(mode);
    if (old === null) return;
    try {
      this.#imitate(old);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Null where there are no files without a name. */
  #openNameless(directory: string, mode: number): number | null {
    if (!this.#ring.probe().supports(IORING_OP_LINKAT)) return null;
    const flags = linux.O_WRONLY | linux.O_TMPFILE;
    try {
      return open(this.#ring, directory, flags, mode);
    } catch (error) {
      if (isSystemError(error) && error.code === "EOPNOTSUPP") return null;
      throw error;
    }
  }

  #openHidden(mode: number): number {
    const flags = linux.O_WRONLY | linux.O_CREAT | linux.O_EXCL;
    const fd = open(this.#ring, this.#hidden, flags, mode);
    this.#named = true;
    return fd;
  }

  #imitate({ uid, gid, mode }: Statx): void {
    Deno.chownSync(this.#self, uid, gid);
    // Afterwards, because a change of owner takes set-user-ID away.
    Deno.chmodSync(this.#self, mode & 0o7777);
  }

  /** A path to the open file, whether it has a name or not. */
  get #self(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  /** Gives the file its name. Where it replaces another, the name is never missing. */
  publish(): void {
    if (!this.#named) {
      const name = this.#replaces ? this.#hidden : this.#path;
      const flags = linux.AT_SYMLINK_FOLLOW;
      run(this.#ring, linkat(this.#self, name, { flags }));
      if (!this.#replaces) return;
      this.#named = true;
    }
    // Network file systems may say only here what they could not write.
    this.#close();
    Deno.renameSync(this.#hidden, this.#path);
    this.#named = false;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    close(this.#ring, this.fd);
  }

  /** Closes the file, and removes it unless it was published. */
  [Symbol.dispose](): void {
    this.#close();
    if (this.#named) Deno.removeSync(this.#hidden);
  }
}
