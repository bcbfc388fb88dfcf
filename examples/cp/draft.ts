/**
 * A file that has no name until it is whole.
 *
 * @module
 */

import { closeDescriptor } from "../../ffi/descriptors.ts";
import { attributeNames, setMode, setOwner } from "../../ffi/inode.ts";
import * as linux from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { opcodes } from "../../ops/opcodes.ts";
import { moveTo, removeAt } from "../../fs/entries.ts";
import { linkat } from "../../ops/path.ts";
import { dropList } from "./access_list.ts";
import { open, type Session } from "./session.ts";
import { codeOf } from "./trouble.ts";

/** How a {@linkcode Draft} is made. */
export interface DraftOptions {
  /** Its permissions, which the umask applies to. */
  mode: number;
  /** Whether it takes the place of what has its name. */
  replaces: boolean;
  /** A file that it is to have the owner and the mode of. */
  like: Statx | null;
}

/**
 * A new file that takes its place in a directory all at once, or not at all.
 *
 * It begins without a name (`O_TMPFILE`): whatever ends the process, `kill -9` too, the kernel
 * throws it away. Where a file system cannot do that (NFS, FAT), or the kernel has no op to
 * link it with (before 5.15), it has a hidden name instead, which only a killed process leaves
 * behind.
 */
export class Draft implements AsyncDisposable {
  readonly #session: Session;
  readonly #path: string;
  readonly #options: DraftOptions;
  readonly #hidden: string;
  #fd = -1;
  #named = false;

  private constructor(session: Session, path: string, options: DraftOptions) {
    this.#session = session;
    this.#path = path;
    this.#options = options;
    this.#hidden = hiddenBeside(path);
  }

  /**
   * Makes a file.
   *
   * @param path what it is to become.
   * @throws {SystemError} if there can be no file there; with `like`, if it cannot be made so.
   */
  static async make(
    session: Session,
    path: string,
    options: DraftOptions,
  ): Promise<Draft> {
    const draft = new Draft(session, path, options);
    const { mode, like } = options;
    draft.#fd = await draft.#openNameless(mode) ??
      await draft.#openHidden(mode);
    try {
      if (like !== null) await imitate(session, draft.#fd, like);
    } catch (error) {
      await draft[Symbol.asyncDispose]();
      throw error;
    }
    return draft;
  }

  /** The file, open for writing. */
  get fd(): number {
    return this.#fd;
  }

  /** Null where there are no files without a name. */
  async #openNameless(mode: number): Promise<number | null> {
    if (!opcodes.linkat.supported()) return null;
    const flags = linux.O_WRONLY | linux.O_TMPFILE;
    try {
      return await open(this.#session, directoryOf(this.#path), flags, {
        mode,
      });
    } catch (error) {
      // EISDIR: a kernel, or a file system beneath it, that has never heard of the flag.
      const code = codeOf(error);
      if (code === "EOPNOTSUPP" || code === "EISDIR") return null;
      throw error;
    }
  }

  async #openHidden(mode: number): Promise<number> {
    const flags = linux.O_WRONLY | linux.O_CREAT | linux.O_EXCL;
    const fd = await open(this.#session, this.#hidden, flags, { mode });
    this.#named = true;
    return fd;
  }

  /**
   * Gives the file its name, and closes it. Where it replaces another, the name is never
   * missing.
   *
   * @throws {SystemError} EEXIST: it replaces nothing, and the name is taken.
   */
  async publish(): Promise<void> {
    const { uring } = this.#session;
    const { replaces } = this.#options;
    if (!this.#named) {
      const name = replaces ? this.#hidden : this.#path;
      const flags = linux.AT_SYMLINK_FOLLOW;
      const self = `/proc/self/fd/${this.#fd}`;
      await uring.submit(linkat(self, name, { flags }));
      this.#named = replaces;
      if (!replaces) return this.#close();
    }
    // Network file systems may say only here what they could not write.
    this.#close();
    await moveTo(uring, this.#hidden, this.#path, replaces);
    this.#named = false;
  }

  #close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    closeDescriptor(fd);
  }

  /** Closes the file, and removes it unless it was published. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    if (this.#named) await removeAt(this.#session.uring, this.#hidden);
  }
}

/** The directory that a path is in, as a path. */
export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1) || "./";
}

/** What the hidden names of this process begin with. */
const HIDDEN = `.${crypto.randomUUID()}-`;
let hidden = 0;

/** A name that nobody else has, in the same directory. */
export function hiddenBeside(path: string): string {
  return `${directoryOf(path)}${HIDDEN}${hidden++}.tmp`;
}

/** Whether a name is a hidden one of this process: it may copy a directory into itself. */
export function isHidden(name: string): boolean {
  return name.startsWith(HIDDEN);
}

async function imitate(
  session: Session,
  fd: number,
  { uid, gid, mode }: Statx,
): Promise<void> {
  await dropList(session, fd, mode);
  setOwner(fd, uid, gid);
  // A write by anybody but root would have taken set-user-ID and set-group-ID away.
  const kept = Deno.uid() === 0 ? 0o7777 : 0o1777;
  // Afterwards, because a change of owner takes them away as well.
  setMode(fd, mode & kept);
}

/**
 * Whether a file that is put in a file's place is as good as one that is written to: not if it
 * has other names, or attributes such as access control lists.
 *
 * @param fd the file, open.
 */
export function replaceable(fd: number, { nlink }: Statx): boolean {
  const label = "security.selinux"; // A new file gets one by itself.
  return nlink === 1 && attributeNames(fd).every((name) => name === label);
}
