/**
 * Copies an open file to standard output, with reads and writes in flight together.
 *
 * @module
 */

import { IOSQE_IO_HARDLINK, IOSQE_IO_LINK } from "../../ffi/abi.ts";
import { systemError } from "../../ffi/errors.ts";
import { growPipe, lseek, position } from "../../ffi/file.ts";
import { SEEK_SET } from "../../ffi/linux.ts";
import { Memory } from "../../ffi/memory.ts";
import { prepRead, prepWrite } from "../../ops/rw.ts";
import { prepSplice } from "../../ops/splice.ts";
import type { Ring } from "../../ring/ring.ts";
import { entry, further, newRing, writeAll } from "../ring/files.ts";
import { type Format, formattedSize, Formatter } from "./format.ts";

const [STDOUT, EINVAL, ECANCELED] = [1, 22, 125];

/** How many reads of a file, or splices, are in flight at once. */
const BLOCKS = 8;
/** The tag of a write; reads are 0 to BLOCKS - 1. */
const WRITE = BLOCKS;
const PLAIN_BLOCK = 128 * 1024;
/** What is formatted should still be in the CPU's cache when it is written. */
const FORMATTED_BLOCK = 32 * 1024;
/** What a pipe is enlarged to, as far as its user may. */
const PIPE = 1024 * 1024;

/** A part of the memory. */
interface Span {
  start: number;
  end: number;
}

/** A ring, and memory for what is read and for what becomes of it. */
export class Pump implements Disposable {
  /** The ring. */
  readonly ring: Ring = newRing(BLOCKS + 1);
  readonly #block: number;
  /** Two halves, for one round of reads each; behind them what is formatted. */
  readonly #memory: Memory;
  readonly #formatter: Formatter | null;
  #isGrown = false;

  /** A pump that formats what it copies, or not. */
  constructor(format: Format | null) {
    this.#block = format === null ? PLAIN_BLOCK : FORMATTED_BLOCK;
    const half = BLOCKS * this.#block;
    const room = format === null ? 0 : formattedSize(half);
    this.#memory = new Memory(2 * half + room);
    this.#formatter = format && new Formatter(format, this.#memory.bytes);
  }

  /**
   * Hands a file's pages to a pipe, none copied, from the file's position on to its end; false if it
   * does not take part.
   *
   * @param size how large it is; 0 for what is no file.
   */
  splice(fd: number, size: number): boolean {
    if (!this.#isGrown) growPipe(STDOUT, PIPE);
    this.#isGrown = true;
    const count = roundOf(size, PIPE);
    for (;;) {
      // Each begins when the one before is done. To move less than was asked for is usual; it
      // breaks a chain of IO_LINK, one of IO_HARDLINK goes on.
      for (let i = 0; i < count; i++) {
        const sqe = entry(this.ring, i, i < count - 1 ? IOSQE_IO_HARDLINK : 0);
        prepSplice(sqe, fd, -1, STDOUT, -1, PIPE, 0);
      }
      for (const result of this.#collect(count).subarray(0, count)) {
        if (result === -EINVAL) return false;
        if (result < 0) throw systemError(-result, "splice");
        if (result === 0) return true;
      }
    }
  }

  /**
   * Copies a file from its position on to its end.
   *
   * A round of blocks is read, side by side, while that before is written: one system call for
   * both. A stream gives one block a round, which is read when the write is done: what came goes
   * out before more is waited for.
   *
   * @param size how large it is; 0 for what is no file, and for what may not be read at several
   * places at once, such as the files of /proc.
   */
  copy(fd: number, size: number): void {
    const count = roundOf(size, this.#block);
    const half = BLOCKS * this.#block;
    let [source, target] = [position(fd), position(STDOUT)];
    let full: Span = { start: 0, end: 0 };
    for (let start = 0;; start = half - start) {
      const output = this.#format(full);
      const isWriting = output.end > output.start;
      if (isWriting) this.#write(output, target, source < 0);
      this.#read(fd, source, start, count);
      const results = this.#collect(count + (isWriting ? 1 : 0));
      if (isWriting) {
        const done = Math.max(results[WRITE] ?? 0, 0);
        const rest = this.#memory.bytes.subarray(
          output.start + done,
          output.end,
        );
        writeAll(this.ring, STDOUT, rest, further(target, done));
        target = further(target, output.end - output.start);
      }
      const [first = 0] = results;
      if (first === 0) return;
      // A short write, the rest of which has just been written, cancels the read behind it.
      if (first < 0 && first !== -ECANCELED) throw systemError(-first, "read");
      full = { start, end: start + this.#together(results.subarray(0, count)) };
      source = further(source, full.end - full.start);
      if (source >= 0) lseek(fd, source, SEEK_SET);
    }
  }

  /** Writes what formatting held back. After the last file. */
  flush(): void {
    const end = this.#formatter?.flush(0) ?? 0;
    const rest = this.#memory.bytes.subarray(0, end);
    writeAll(this.ring, STDOUT, rest, position(STDOUT));
  }

  #format({ start, end }: Span): Span {
    if (this.#formatter === null) return { start, end };
    const to = 2 * BLOCKS * this.#block;
    return { start: to, end: this.#formatter.run(start, end, to) };
  }

  #write({ start, end }: Span, target: number, isLinked: boolean): void {
    const sqe = entry(this.ring, WRITE, isLinked ? IOSQE_IO_LINK : 0);
    const address = this.#memory.address + start;
    prepWrite(sqe, STDOUT, address, end - start, target);
  }

  #read(fd: number, source: number, start: number, count: number): void {
    const block = this.#block;
    for (let i = 0; i < count; i++) {
      const address = this.#memory.address + start + i * block;
      const at = further(source, i * block);
      prepRead(entry(this.ring, i), fd, address, block, at);
    }
  }

  /** How many bytes a round of reads gave: behind a short one there is a gap, which is read again. */
  #together(results: Int32Array): number {
    let length = 0;
    for (const result of results) {
      length += Math.max(result, 0);
      if (result < this.#block) break;
    }
    return length;
  }

  /** Submits what is queued, waits for `count` completions, gives their results by tag. */
  #collect(count: number): Int32Array {
    const results = new Int32Array(BLOCKS + 1);
    for (let left = count; left > 0;) {
      this.ring.submitAndWait(left);
      left -= this.ring.forEachCqe(({ tag, res }) => results[tag] = res);
    }
    return results;
  }

  /** Gives ring and memory back. */
  [Symbol.dispose](): void {
    this.ring.close();
    this.#memory.close();
  }
}

/** How many blocks a round has: as many as there are of a small file, and one for its end. */
function roundOf(size: number, block: number): number {
  return size === 0 ? 1 : Math.min(Math.floor(size / block) + 2, BLOCKS);
}
