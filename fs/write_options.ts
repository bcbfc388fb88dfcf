/**
 * How files are written.
 *
 * @module
 */

import type { RingOption } from "./context.ts";
import type { Place } from "./transfer.ts";

/** Options of {@linkcode writeFile} and {@linkcode writeTextFile}. */
export interface WriteFileOptions extends RingOption {
  /** Writes behind what is there, instead of in its place. Default: false. */
  append?: boolean | undefined;
  /** Makes the file if there is none. Default: true. */
  create?: boolean | undefined;
  /** Makes the file, and rejects if there is one. Default: false. */
  createNew?: boolean | undefined;
  /**
   * The file's permissions, as they are to be; of a stream's file, before the umask, and only if
   * it is made. Default: 0o666 before the umask for a file that is made.
   */
  mode?: number | undefined;
  /** Stops it: the promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * The file has the old contents or the new, at any moment and whatever happens: what is
   * written goes to another file in the same folder, which takes the place of the first when it is
   * whole. Permissions are kept, owner and group too where the user may give files away;
   * extended attributes and other hard links are not. Of a symbolic link what it leads to is
   * replaced, or made; where not everything is allowed, a link to nothing must itself be one that
   * may be read. A file that may not be written is not replaced either. Default: false.
   */
  atomic?: boolean | undefined;
  /**
   * Makes it safe on the storage before the promise resolves: fsync(2), of the file and then of its
   * folder, so that it survives a power failure. Default: false.
   */
  sync?: boolean | undefined;
}

/** What a file is filled with. */
export type Fill = (place: Place, position: number) => Promise<void>;
