/**
 * Emptying directories, many files at a time.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
} from "../ffi/linux.ts";
import type { Op } from "../ops/op.ts";
import { close, openat } from "../ops/open.ts";
import { unlinkat } from "../ops/path.ts";
import type { Uring } from "../proactor/uring.ts";
import { LONGEST_CHAIN, UnlinkChains } from "./remove_chains.ts";

/** For fewer files no chains are begun with: those take a ring of their own. */
const FEW = 16;
const FOLDER = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/** A directory that is being emptied. */
interface Folder {
  readonly fd: number;
  /** Its name in the folder above, by which that removes it; the topmost is left to the caller. */
  readonly name: string;
  readonly above: Folder | undefined;
  /** What of it is still to be removed, and one for the listing. */
  left: number;
}

/**
 * Removes what is in a directory: files of one folder and of the next at the same time, each
 * folder once it is empty.
 *
 * Names are removed below a descriptor of their folder, which was opened without following
 * symbolic links: whatever others do to the tree meanwhile, nothing outside of it is touched.
 */
export class Sweep {
  readonly #ring: Uring;
  #chains: UnlinkChains | undefined;
  #inFlight = 0;
  #wake: (() => void) | undefined;
  #failed = false;

  /** A sweep by a ring. */
  constructor(ring: Uring) {
    this.#ring = ring;
  }

  /** Empties a directory; false if something is in the way, of whatever kind. */
  async empty(path: string): Promise<boolean> {
    try {
      await this.#enter(path, path, undefined);
    } catch {
      // Whoever asked has another way, and that finds out what is wrong.
      this.#failed = true;
    }
    while (this.#inFlight > 0) await this.#completion();
    await this.#chains?.[Symbol.asyncDispose]();
    return !this.#failed;
  }

  async #enter(
    name: string,
    path: string,
    above: Folder | undefined,
  ): Promise<void> {
    const dirfd = above?.fd ?? AT_FDCWD;
    const opening = this.#ring.submit(openat(name, FOLDER, { dirfd }));
    // Whether or not it can be opened: the folder above must not wait for it for ever.
    const fd = await opening.catch((error) => this.#giveUp(error, above));
    const folder = { fd, name, above, left: 1 };
    try {
      await this.#list(folder, path);
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      this.#leave(folder);
    }
  }

  #giveUp(error: unknown, above: Folder | undefined): never {
    this.#failed = true;
    if (above !== undefined) this.#leave(above);
    throw error;
  }

  async #list(folder: Folder, path: string): Promise<void> {
    const folders: string[] = [];
    let files: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      if (this.#failed) return;
      if (isDirectory) folders.push(name);
      else if (files.push(name) === LONGEST_CHAIN) {
        await this.#unlink(folder, files);
        files = [];
      }
    }
    await this.#unlink(folder, files);
    for (const name of folders) {
      if (this.#failed) return;
      folder.left++;
      await this.#enter(name, `${path}/${name}`, folder);
    }
  }

  /** Begins to remove files; returns when there is room for more. */
  async #unlink(folder: Folder, names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    if (names.length < FEW && this.#chains === undefined) {
      const options = { dirfd: folder.fd };
      for (const name of names) {
        folder.left++;
        this.#run(unlinkat(name, options), () => this.#leave(folder));
      }
      return;
    }
    this.#chains ??= new UnlinkChains(this.#ring.ring.backend);
    folder.left++;
    this.#inFlight++;
    await this.#chains.begin(folder.fd, names, (isGood) => {
      this.#failed ||= !isGood;
      this.#done(() => this.#leave(folder));
    });
  }

  /** One thing of a folder is done; after the last the folder itself goes. */
  #leave(folder: Folder): void {
    if (--folder.left > 0) return;
    const { fd, name, above } = folder;
    // Nothing below uses the descriptor any more: its number may be given away.
    this.#run(close(fd), () => {
      if (above === undefined) return;
      if (this.#failed) return this.#leave(above);
      const options = { dirfd: above.fd, flags: AT_REMOVEDIR };
      this.#run(unlinkat(name, options), () => this.#leave(above));
    });
  }

  #run(op: Op<void>, then: () => void): void {
    this.#inFlight++;
    this.#ring.submit(op).then(() => this.#done(then), (error) => {
      // That it is gone is what was asked for.
      const isGone = isSystemError(error) && error.code === "ENOENT";
      this.#failed ||= !isGone;
      this.#done(then);
    });
  }

  #done(then: () => void): void {
    this.#inFlight--;
    then();
    this.#wake?.();
  }

  #completion(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }
}
