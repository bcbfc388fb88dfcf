/**
 * Copies files, on a ring, many blocks at a time: `deno run -A examples/ring/cp.ts SOURCE DEST`
 *
 * A block is read, and when its completion comes, written. The kernel could chain the two
 * (IOSQE_IO_LINK, see `cat`), but a link passes no result on: after a short read the write is
 * cancelled, and the block must be looked after anyway. So each completion says what its block
 * needs next, and the ring is busy because there are many blocks.
 *
 * @module
 */

import { type SystemError, systemError } from "../../ffi/errors.ts";
import { position, setLength } from "../../ffi/file.ts";
import { Memory } from "../../ffi/memory.ts";
import { run } from "../../ops/run.ts";
import * as rw from "../../ops/rw.ts";
import type { Ring } from "../../ring/ring.ts";
import { complain, Complaint, main, reason } from "./command.ts";
import { Ends, justMade, pairs } from "./ends.ts";
import { dataOf, entry, further, newRing, pin } from "./files.ts";
import { reserve, writeAll } from "./files.ts";

const [BLOCK, DEPTH, BATCH] = [128 * 1024, 32, 8];

const COMMAND = {
  name: "cp",
  usage: "Usage: cp SOURCE DEST\n  or:  cp SOURCE... DIRECTORY\n" +
    "Copy SOURCE to DEST, or multiple SOURCE(s) to DIRECTORY.",
};

/** Copies what is in blocks; gives the length: the source's size, unless it shrank meanwhile. */
function copyBlocks(ring: Ring, memory: Memory, ends: Ends): number {
  const { from, to, input } = ends;
  const ranges = dataOf(from, input, BLOCK);
  // To pin the memory takes time, which a small file does not win back.
  const fixed = input.size > memory.bytes.length && pin(ring, memory);
  const queueRead = fixed ? rw.prepReadFixed : rw.prepRead;
  const queueWrite = fixed ? rw.prepWriteFixed : rw.prepWrite;
  let [length, busy] = [input.size, DEPTH];
  let failure: SystemError | undefined;
  const blocks = Array.from({ length: DEPTH }, (_, i) => {
    const address = memory.address + i * BLOCK;
    // `left` bytes from `offset` on are to be copied; `full` are read, `done` of them written.
    return { tag: 2 * i, address, offset: 0, left: 0, full: 0, done: 0 };
  });

  const advance = (block: typeof blocks[number]) => {
    if (block.left === 0) {
      [block.offset, block.left] = ranges.next().value ?? [0, 0];
    }
    const { tag, address, offset, left, full, done } = block;
    if (left === 0 || failure) busy--;
    else if (full > done) {
      const sqe = entry(ring, tag + 1);
      queueWrite(sqe, to, address + done, full - done, offset, 0);
    } else queueRead(entry(ring, tag), from, address, left, offset, 0);
  };
  blocks.forEach(advance);
  while (busy > 0) {
    // The kernel looks at the queue in this very call, on this thread: no fence is needed. To
    // wait for a few completions wakes us less often than to wait for each.
    ring.submitAndWait(Math.min(busy, BATCH));
    ring.forEachCqe(({ tag, res }) => {
      const block = blocks[tag >> 1];
      if (block === undefined) {
        throw new Error(`cp: a completion with tag ${tag}.`);
      }
      const writing = tag % 2 === 1;
      if (res < 0) failure ??= systemError(-res, writing ? "write" : "read");
      else if (writing) {
        block.offset += res;
        block.left -= res;
        block.done += res;
      } else if (res > 0) [block.full, block.done] = [res, 0];
      else [length, block.left] = [Math.min(length, block.offset), 0];
      advance(block);
    });
  }
  if (failure) throw failure;
  return length;
}

function copy(ring: Ring, memory: Memory, ends: Ends): void {
  const { from, to, input, seekable } = ends;
  let [source, target] = [position(from), position(to)];
  if (seekable && input.size > 0) {
    reserve(ring, to, input);
    source = target = copyBlocks(ring, memory, ends);
    setLength(to, target); // Nothing was written where the file ends in a hole.
  }
  // What has no size, like a pipe and /proc, or has grown, is read until nothing comes.
  const block = memory.bytes.subarray(0, BLOCK);
  for (let length = BLOCK; length > 0;) {
    length = run(ring, rw.read(from, block, { offset: source }));
    writeAll(ring, to, block.subarray(0, length), target);
    source = further(source, length);
    target = further(target, length);
  }
}

/**
 * Copies files, as cp(1), and gives the exit status: 0, or 1 if something went wrong. A copy
 * that fails or is interrupted leaves nothing under the name of the destination, or what was
 * there before.
 *
 * @param args the command line: SOURCE... DEST, or `--help`.
 * @throws {SystemError} if there is no ring to be had.
 * @example
 * ```ts
 * import { cp } from "@uring/uring/examples/ring/cp";
 * import { assertEquals } from "@std/assert";
 * const path = Deno.makeTempFileSync();
 * assertEquals(cp(["/proc/version", path]), 0);
 * assertEquals(Deno.readTextFileSync(path), Deno.readTextFileSync("/proc/version"));
 * Deno.removeSync(path);
 * ```
 */
export function cp(args: string[]): number {
  const copies = pairs(COMMAND, args);
  if (typeof copies === "number") return copies;
  using ring = newRing(DEPTH);
  using memory = new Memory(DEPTH * BLOCK);
  const made = new Set<string>();
  let status = 0;
  for (const [source, path] of copies) {
    try {
      if (made.has(path)) throw new Complaint(justMade(source, path));
      using ends = new Ends(ring, source, path);
      ends.explain(() => copy(ring, memory, ends));
      ends.publish();
      made.add(path);
    } catch (error) {
      status = complain(COMMAND, reason(error));
    }
  }
  return status;
}

if (import.meta.main) main(COMMAND, cp);
