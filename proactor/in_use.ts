/**
 * What ops in flight use: memory, registered files, groups of provided buffers. Whoever lends
 * such a thing out asks here before it goes to the next one.
 *
 * Nothing is noted down when an op is launched, which happens a million times a second: an op
 * can be encoded any number of times, so it is asked when somebody wants to know.
 *
 * @module
 */

import {
  IORING_FEAT_RW_ATTR,
  IORING_MSG_SEND_FD,
  IORING_OP_ACCEPT,
  IORING_OP_CLOSE,
  IORING_OP_FILES_UPDATE,
  IORING_OP_MSG_RING,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
  IORING_OP_PIPE,
  IORING_OP_READ_FIXED,
  IORING_OP_SEND_ZC,
  IORING_OP_SENDMSG_ZC,
  IORING_OP_SOCKET,
  IORING_OP_SPLICE,
  IORING_OP_TEE,
  IORING_OP_URING_CMD,
  IORING_OP_WRITE_FIXED,
  IORING_RECVSEND_FIXED_BUF,
  IORING_URING_CMD_FIXED,
  IOSQE_BUFFER_SELECT,
  IOSQE_FIXED_FILE,
  SPLICE_F_FD_IN_FIXED,
} from "../ffi/abi.ts";
import { Block } from "../ffi/block.ts";
import { type Op, release } from "../ops/op.ts";
import { Sqe } from "../ring/sqe.ts";
import type { Engine } from "./engine.ts";
import { plainExtra, type Slot } from "./slots.ts";

/** Room for any entry, those of 128 bytes too. */
const LARGEST_ENTRY = 128;

/**
 * Calls `done` once no op uses something any more: neither in flight, nor waiting for its turn
 * now. At once, if that is so already.
 *
 * @param uses whether an op in flight uses it.
 * @param done called with undefined; with the reason if the ring broke and nobody can tell.
 * @param onUser called for each op that is waited for.
 */
export function whenUnused(
  engine: Engine,
  uses: (slot: Slot) => boolean,
  done: (broken: unknown) => void,
  onUser: (slot: Slot) => void = () => {},
): void {
  const look = (): void => {
    if (engine.broken !== undefined) {
      done(engine.broken);
      return;
    }
    const users = [...engine.slots()].filter(uses);
    let left = users.length;
    const over = (): void => {
      // Not at once: the op's own result is yet to be read, and the queue is being visited.
      if (--left === 0) queueMicrotask(look);
    };
    const tags = users.map((slot) => {
      const extra = slot.extra ??= plainExtra();
      const before = extra.over;
      extra.over = () => {
        before?.();
        over();
      };
      return slot.tag;
    });
    if (left === 0) done(undefined);
    // To cancel one may complete another, whose slot is a third one's then.
    for (const [at, slot] of users.entries()) {
      if (slot.tag === tags[at]) onUser(slot);
    }
  };
  if (engine.queued === 0) look();
  // What an op uses is known once it is in flight: a place in the queue behind those that wait.
  else engine.enqueue({ size: 0, launch: look, abandon: look });
}

/**
 * What an op was given to the kernel as; undefined if that can no longer be told, its buffer
 * having been transferred away.
 *
 * @param flags `IOSQE_*` that it was given beside its own.
 */
export function entryOf(op: Op<unknown>, flags = 0): Sqe | undefined {
  const sqe = new Sqe(new ArrayBuffer(LARGEST_ENTRY), 0, LARGEST_ENTRY);
  try {
    release(op.encode(sqe));
  } catch (error) {
    // A detached buffer is a TypeError.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
  sqe.flags |= flags;
  return sqe;
}

/** The buffers that ops in flight were given. */
export function buffersInUse(engine: Engine): Set<ArrayBufferLike> {
  const buffers = new Set<ArrayBufferLike>();
  for (const { held } of engine.slots()) addBuffers(held, buffers);
  return buffers;
}

/** Whether an op in flight was given views of a buffer. */
export function usesBuffer({ held }: Slot, buffer: ArrayBufferLike): boolean {
  const buffers = new Set<ArrayBufferLike>();
  addBuffers(held, buffers);
  return buffers.has(buffer);
}

/** What an op holds is a view, a list of views, or a block that keeps either. */
function addBuffers(held: unknown, buffers: Set<ArrayBufferLike>): void {
  if (ArrayBuffer.isView(held)) buffers.add(held.buffer);
  else if (held instanceof Block) addBuffers(held.keep, buffers);
  else if (Array.isArray(held)) {
    for (const view of held) addBuffers(view, buffers);
  }
}

/** Whether an op in flight takes from a group of provided buffers. */
export function usesGroup(slot: Slot, group: number): boolean {
  const sqe = entryOfSlot(slot);
  return sqe === undefined ||
    ((sqe.flags & IOSQE_BUFFER_SELECT) !== 0 && sqe.bufIndex === group);
}

/** Whether an op in flight uses a registered file; without an index, any of them. */
export function usesFile(slot: Slot, index?: number): boolean {
  const sqe = entryOfSlot(slot);
  if (sqe === undefined) return true;
  const files = filesOf(sqe);
  return index === undefined ? files.length > 0 : files.includes(index);
}

function entryOfSlot({ op, extra }: Slot): Sqe | undefined {
  return op === null ? undefined : entryOf(op, extra?.flags);
}

/**
 * Calls `done` once tables of registered buffers and files can be given up. Before Linux 6.13 that
 * waits, within the call and for ever if need be, for all ops that use either.
 */
export function whenTablesRest(
  engine: Engine,
  done: (broken: unknown) => void,
): void {
  // Of the features 6.14 brought the next one.
  if (engine.ring.features & IORING_FEAT_RW_ATTR) done(engine.broken);
  else whenUnused(engine, usesTable, done);
}

function usesTable(slot: Slot): boolean {
  const sqe = entryOfSlot(slot);
  return sqe === undefined || usesRegisteredBuffer(sqe) ||
    filesOf(sqe).length > 0;
}

function usesRegisteredBuffer(sqe: Sqe): boolean {
  switch (sqe.opcode) {
    case IORING_OP_READ_FIXED:
    case IORING_OP_WRITE_FIXED:
      return true;
    case IORING_OP_SEND_ZC:
    case IORING_OP_SENDMSG_ZC:
      return (sqe.ioprio & IORING_RECVSEND_FIXED_BUF) !== 0;
    case IORING_OP_URING_CMD:
      return (sqe.opFlags & IORING_URING_CMD_FIXED) !== 0;
    default:
      return false;
  }
}

/** Ops that can put a new file into the table. */
const OPENING: ReadonlySet<number> = new Set([
  IORING_OP_ACCEPT,
  IORING_OP_OPENAT,
  IORING_OP_OPENAT2,
  IORING_OP_PIPE,
  IORING_OP_SOCKET,
]);

/** The slots of registered files that an entry names; one that the kernel chooses is -2. */
function filesOf(sqe: Sqe): number[] {
  const { opcode } = sqe;
  const files: number[] = [];
  if ((sqe.flags & IOSQE_FIXED_FILE) !== 0) files.push(sqe.fd);
  if (opcode === IORING_OP_SPLICE || opcode === IORING_OP_TEE) {
    // The field of splice_fd_in.
    if (sqe.opFlags & SPLICE_F_FD_IN_FIXED) files.push(sqe.fileIndex);
  } else if (opcode === IORING_OP_CLOSE || OPENING.has(opcode)) {
    // One more than the index; IORING_FILE_INDEX_ALLOC is -1 as an int.
    const index = (sqe.fileIndex | 0) - 1;
    if (index !== -1) files.push(index);
    // Its two ends lie side by side.
    if (opcode === IORING_OP_PIPE && index >= 0) files.push(index + 1);
  } else if (
    opcode === IORING_OP_MSG_RING && sqe.addr === BigInt(IORING_MSG_SEND_FD)
  ) files.push(Number(sqe.addr3));
  else if (opcode === IORING_OP_FILES_UPDATE) files.push(...updatedBy(sqe));
  return files;
}

/** The slots that an update of the table fills. */
function updatedBy({ off, len }: Sqe): number[] {
  const first = Number(BigInt.asIntN(32, off));
  // IORING_FILE_INDEX_ALLOC.
  if (first === -1) return [-2];
  return Array.from({ length: len }, (_, at) => first + at);
}
