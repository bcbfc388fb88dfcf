/**
 * Copies files to standard output, on a ring: `deno run -A examples/ring/cat.ts FILE...`
 *
 * io_uring is two queues in memory that the kernel shares with a program: entries say what to
 * do, completions what came of it. A batch costs one system call, and runs at once, unless linked.
 *
 * @module
 */

import { IOSQE_IO_HARDLINK, IOSQE_IO_LINK } from "../../ffi/abi.ts";
import { type SystemError, systemError } from "../../ffi/errors.ts";
import { growPipe, lseek, position } from "../../ffi/file.ts";
import { O_RDONLY, SEEK_SET } from "../../ffi/linux.ts";
import { addressOf, Memory } from "../../ffi/memory.ts";
import { prepRead, prepWrite } from "../../ops/rw.ts";
import { prepSplice } from "../../ops/splice.ts";
import type { Ring } from "../../ring/ring.ts";
import { quoteIfNeeded } from "../quote.ts";
import * as command from "./command.ts";
import { close, entry, fstat, newRing, open } from "./files.ts";
import { further, sameFile, writeAll } from "./files.ts";

const [STDIN, STDOUT, EINVAL, ECANCELED] = [0, 1, 22, 125];
const [BLOCK, BLOCKS, PIPE] = [128 * 1024, 8, 1024 * 1024];
const WRITE = BLOCKS; // The tag of a write; reads are 0 to BLOCKS - 1.

const COMMAND = {
  name: "cat",
  usage: "Usage: cat [FILE]...\nConcatenate FILE(s) to standard output.\n\n" +
    "With no FILE, or when FILE is -, read standard input.",
};

/** Submits what is queued, waits for `count` completions, gives their results by tag. */
function collect(ring: Ring, count: number): Int32Array {
  const results = new Int32Array(BLOCKS + 1);
  for (let left = count; left > 0;) {
    // The kernel looks at the queue in this very call, on this thread: no fence is needed.
    ring.submitAndWait(left);
    left -= ring.forEachCqe(({ tag, res }) => results[tag] = res);
  }
  return results;
}

/** Hands a file's pages to a pipe, none copied; false if the file does not take part. */
function splice(ring: Ring, fd: number, count: number): boolean {
  growPipe(STDOUT, PIPE);
  for (;;) {
    // In a chain an entry begins when the one before is done, with no call in between. Short
    // splices are normal: they break a chain of IO_LINK, one of IO_HARDLINK goes on.
    for (let i = 0; i < count; i++) {
      const sqe = entry(ring, i, i < count - 1 ? IOSQE_IO_HARDLINK : 0);
      prepSplice(sqe, fd, -1, STDOUT, -1, PIPE, 0);
    }
    for (const result of collect(ring, count).subarray(0, count)) {
      if (result === -EINVAL) return false;
      if (result < 0) throw systemError(-result, "splice");
      if (result === 0) return true;
    }
  }
}

/**
 * Reads a round of blocks, side by side, while the round before is written: one system call
 * for both. A stream gives one block a round, which is read when the write is done: the link
 * sees to it that what was read goes out before more is waited for.
 */
function pump(ring: Ring, memory: Memory, fd: number, count: number): void {
  const half = BLOCKS * BLOCK;
  let [source, target] = [position(fd), position(STDOUT)];
  let full = new Uint8Array();
  for (let start = 0;; start = half - start) {
    if (full.length > 0) {
      const sqe = entry(ring, WRITE, count === 1 ? IOSQE_IO_LINK : 0);
      prepWrite(sqe, STDOUT, addressOf(full), full.length, target);
    }
    for (let i = 0; i < count; i++) {
      const address = memory.address + start + i * BLOCK;
      const at = further(source, i * BLOCK);
      prepRead(entry(ring, i), fd, address, BLOCK, at);
    }
    const results = collect(ring, count + Math.sign(full.length));
    const done = Math.max(results[WRITE] ?? 0, 0);
    writeAll(ring, STDOUT, full.subarray(done), further(target, done));
    target = further(target, full.length);
    const [first = 0] = results;
    if (first === 0) return;
    // A short write, the rest of which has just been written, cancels the read behind it.
    if (first < 0 && first !== -ECANCELED) throw systemError(-first, "read");
    let length = 0;
    for (const result of results.subarray(0, count)) {
      length += Math.max(result, 0);
      // Behind a short read there is a gap: what lies there is read again.
      if (result < BLOCK) break;
    }
    full = memory.bytes.subarray(start, start + length);
    source = further(source, length);
    if (source >= 0) lseek(fd, source, SEEK_SET);
  }
}

function copy(ring: Ring, memory: Memory, name: string): void {
  const fd = name === "-" ? STDIN : open(ring, name, O_RDONLY);
  try {
    const [input, output] = [fstat(ring, fd), fstat(ring, STDOUT)];
    const { isFile, size } = input;
    if (isFile && sameFile(input, output) && position(fd) < size) {
      throw new command.Complaint("input file is output file");
    }
    if (output.isFifo && splice(ring, fd, isFile ? BLOCKS : 1)) return;
    // What has no size, as in /proc, may not be read at many offsets at once.
    pump(ring, memory, fd, isFile && size > 0 ? BLOCKS : 1);
  } finally {
    if (fd !== STDIN) close(ring, fd);
  }
}

/**
 * Concatenates files to standard output, as cat(1), and gives the exit status: 0, 1 if
 * something went wrong, or 141, a shell's word for SIGPIPE, if nobody reads the output.
 * @param args the command line: names of files, `-` for standard input, or `--help`.
 * @throws {SystemError} if there is no ring to be had.
 * @example
 * ```ts
 * import { cat } from "@uring/uring/examples/ring/cat";
 * import { assertEquals } from "@std/assert";
 * assertEquals(cat(["/dev/null"]), 0);
 * ```
 */
export function cat(args: string[]): number {
  const names = command.operands(COMMAND, args);
  if (typeof names === "number") return names;
  using ring = newRing(BLOCKS + 1);
  using memory = new Memory(2 * BLOCKS * BLOCK);
  let status = 0;
  for (const name of names.length > 0 ? names : ["-"]) {
    try {
      copy(ring, memory, name);
    } catch (error) {
      const { op, code } = error as Partial<SystemError>;
      if (code === "EPIPE") return 128 + 13;
      const what = op === "write" ? "write error" : quoteIfNeeded(name);
      status = command.complain(COMMAND, `${what}: ${command.reason(error)}`);
      if (op === "write") break;
    }
  }
  return status;
}

if (import.meta.main) command.main(COMMAND, cat);
