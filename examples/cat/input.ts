/**
 * Opening what is to be copied.
 *
 * @module
 */

import { lseek, position } from "../../ffi/file.ts";
import {
  O_CLOEXEC,
  O_RDONLY,
  POLLIN,
  SEEK_END,
  SEEK_SET,
} from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { openat } from "../../ops/open.ts";
import { pollAdd } from "../../ops/poll.ts";
import { run } from "../../ops/run.ts";
import type { Ring } from "../../ring/ring.ts";
import { Complaint } from "../cp/trouble.ts";
import { bytesOf } from "../names.ts";
import { close, fstat, sameFile } from "../ring/files.ts";

const STDIN = 0;

/** An open file that is to be copied. */
export class Input implements Disposable {
  /** Its descriptor. */
  readonly fd: number;
  /**
   * How many bytes it has, as far as that is known: 0 for what is no file, and in /proc, where it
   * says nothing.
   */
  readonly size: number;
  readonly #ring: Ring;

  /**
   * Opens a file, `-` being standard input.
   *
   * To ask what it is takes longer than to copy a small one. So it is asked only where that
   * matters: of streams, and of what might be the output too.
   */
  constructor(ring: Ring, name: string, output: Statx) {
    this.#ring = ring;
    const isMine = name !== "-";
    this.fd = isMine
      ? run(ring, openat(bytesOf(name), O_RDONLY | O_CLOEXEC))
      : STDIN;
    try {
      const place = position(this.fd);
      const isPlain = isMine && place >= 0 && !output.isFile;
      this.size = isPlain ? sizeOf(this.fd) : this.#examine(place, output);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  #examine(place: number, output: Statx): number {
    const stat = fstat(this.#ring, this.fd);
    const { isFile, isFifo, size } = stat;
    if (isFile && sameFile(stat, output) && place < size) {
      throw new Complaint("input file is output file");
    }
    // A ring opens a FIFO without waiting for a writer, and then there is nothing to be read.
    if (isFifo && this.fd !== STDIN) run(this.#ring, pollAdd(this.fd, POLLIN));
    return isFile ? size : 0;
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    if (this.fd !== STDIN) close(this.#ring, this.fd);
  }
}

/** The size of a file that nobody else has the position of. */
function sizeOf(fd: number): number {
  try {
    const size = lseek(fd, 0, SEEK_END);
    lseek(fd, 0, SEEK_SET);
    return size;
  } catch {
    // Much of /proc has a position, but no end.
    return 0;
  }
}
