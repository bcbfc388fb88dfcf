/**
 * The blocks of one large file, copied by a thread that has nothing else to do.
 *
 * A promise for each op takes little time once V8 has compiled all that there is to it. A program
 * that copies one file and ends never gets so far. So here is a loop without any. And what is in
 * the page cache is copied by this very thread, in the call that submits: the kernel's workers
 * would hold up each other, as only one at a time may write to a file.
 *
 * @module
 */

import { systemError } from "../ffi/errors.ts";
import { EINTR } from "../ffi/linux.ts";
import { Memory } from "../ffi/memory.ts";
import { prepRead, prepWrite } from "../ops/rw.ts";
import type { Cqe } from "../ring/cqe.ts";
import { writeZero } from "./failure.ts";
import { SliceRing } from "./slice_ring.ts";

/** How long the event loop waits for its turn, in milliseconds. */
const SLICE = 20;
/** How many bytes are in a block: what is written should still be in the CPU's cache. */
export const WAITING_BLOCK: number = 256 * 1024;
const DEPTH = 8;

/** What is to be copied. */
export interface WaitingCopy {
  /** The descriptor to be read. */
  readonly from: number;
  /** The descriptor to be written. */
  readonly to: number;
  /** How many bytes there are, as far as that is known. */
  readonly size: number;
  /** Where they are, in pieces of a block at most. */
  readonly pieces: Iterator<[at: number, length: number], undefined>;
  /** How many blocks are in flight. Default: 8. */
  readonly queueDepth?: number | undefined;
  /** Stops it. */
  readonly signal?: AbortSignal | undefined;
  /** Called with how many more bytes were copied. */
  readonly progress?: ((bytes: number) => void) | undefined;
}

/** Memory on its way from file to file. */
interface Block {
  readonly address: number;
  /** The tag of its reads; that of its writes is one more. */
  readonly tag: number;
  /** Where in the files it is, and how many bytes from there on are to be copied. */
  at: number;
  left: number;
  /** How many bytes have been read, and how many of these written. */
  full: number;
  done: number;
}

/**
 * Copies blocks side by side; gives the length, which is less than expected if the source shrank.
 *
 * @throws {SystemError} (as a rejection) what a read or write ended with; none is in flight then.
 */
export async function copyWaiting(copy: WaitingCopy): Promise<number> {
  const { size, queueDepth = DEPTH, signal, progress } = copy;
  const depth = Math.min(queueDepth, Math.ceil(size / WAITING_BLOCK));
  using memory = new Memory(depth * WAITING_BLOCK);
  await using ring = new SliceRing(depth);
  const blocks = Array.from({ length: depth }, (_, i): Block => {
    const address = memory.address + i * WAITING_BLOCK;
    return { address, tag: 2 * i, at: 0, left: 0, full: 0, done: 0 };
  });
  const state = { end: size, told: 0, failure: undefined as unknown };
  const isOver = () => state.failure !== undefined || signal?.aborted === true;
  const go = (block: Block) => {
    if (block.left === 0) {
      if (isOver()) return;
      [block.at, block.left] = copy.pieces.next().value ?? [0, 0];
    }
    if (block.left > 0) queue(ring, copy, block);
  };
  const visit = ({ tag, res }: Cqe) => {
    const block = blocks[tag >> 1] as Block;
    if ((tag & 1) === 0) hasRead(block, res, state);
    else hasWritten(block, res, state);
    go(block);
  };
  blocks.forEach(go);
  let turn = performance.now();
  let told = 0;
  while (ring.inFlight > 0) {
    ring.collect(1, visit);
    if (state.told > told) progress?.(state.told - told);
    told = state.told;
    if (performance.now() - turn < SLICE) continue;
    await new Promise((resolve) => setImmediate(resolve));
    turn = performance.now();
  }
  if (state.failure !== undefined) throw state.failure;
  signal?.throwIfAborted();
  if (state.end > told) progress?.(state.end - told);
  return state.end;
}

/** Queues what a block needs next. */
function queue(ring: SliceRing, { from, to }: WaitingCopy, block: Block): void {
  const { address, tag, at, left, full, done } = block;
  const isRead = full > 0;
  const sqe = ring.entry(isRead ? tag + 1 : tag);
  if (isRead) prepWrite(sqe, to, address + done, full - done, at + done);
  else prepRead(sqe, from, address, left, at);
}

/** What has come of a copy so far. */
interface State {
  /** Where the source ends. */
  end: number;
  /** How many bytes are copied. */
  told: number;
  failure: unknown;
}

function hasRead(block: Block, res: number, state: State): void {
  if (res > 0) {
    block.full = res;
    block.done = 0;
  } else if (res === 0) {
    state.end = Math.min(state.end, block.at);
    block.left = 0;
  } else fail(block, res, state, "read");
}

function hasWritten(block: Block, res: number, state: State): void {
  if (res <= 0) {
    fail(block, res, state, "write");
    return;
  }
  block.done += res;
  const { full, done } = block;
  if (done < full) return;
  block.at += full;
  block.left -= full;
  block.full = 0;
  state.told += full;
}

/** A signal to the process interrupts what is then done again. */
function fail(
  block: Block,
  res: number,
  state: State,
  op: "read" | "write",
): void {
  if (res === -EINTR) return;
  block.left = 0;
  state.failure ??= res === 0 ? writeZero() : systemError(-res, op);
}
