/**
 * Ops about rings themselves: messages to another ring, the tables of files, and the older
 * kind of provided buffers.
 *
 * @module
 */

import {
  IORING_FILE_INDEX_ALLOC,
  IORING_FIXED_FD_NO_CLOEXEC,
  IORING_MSG_RING_CQE_SKIP,
  IORING_MSG_RING_FLAGS_PASS,
  IORING_MSG_SEND_FD,
  IORING_OP_FILES_UPDATE,
  IORING_OP_FIXED_FD_INSTALL,
  IORING_OP_MSG_RING,
  IORING_OP_PROVIDE_BUFFERS,
  IORING_OP_REMOVE_BUFFERS,
  IOSQE_FIXED_FILE,
} from "../ffi/abi.ts";
import { type Block, takeBlock } from "../ffi/block.ts";
import { check64, checkInteger, show } from "../ffi/check.ts";
import { addressOf, type View } from "../ffi/memory.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkBuffer, checkUnsigned, checkWord } from "./arguments.ts";
import { checkSlot, encodeSlot, FixedFile, slotResult } from "./fd.ts";
import { count, nothing, Op } from "./op.ts";
import { close } from "./open.ts";

/**
 * Queues a message to the ring `fd`: a completion with `len` as result and `data` as
 * user_data. `io_uring_prep_msg_ring(3)`, since 5.18.
 */
export function prepMsgRing(
  sqe: Sqe,
  fd: number,
  len: number,
  data: number | bigint,
  flags: number,
): void {
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_MSG_RING, fd, 0, len, data);
}

/**
 * Queues a message whose completion has flags of the sender's choice.
 * `io_uring_prep_msg_ring_cqe_flags(3)`, since 6.3.
 */
export function prepMsgRingCqeFlags(
  sqe: Sqe,
  fd: number,
  len: number,
  data: number | bigint,
  flags: number,
  cqeFlags: number,
): void {
  sqe.opFlags = checkWord("prepMsgRingCqeFlags: flags", flags) |
    IORING_MSG_RING_FLAGS_PASS;
  sqe.fileIndex = cqeFlags;
  sqe.prep(IORING_OP_MSG_RING, fd, 0, len, data);
}

/**
 * Queues the passing of the registered file `sourceFd` to the ring `fd`, which registers it
 * at `targetFd`. `io_uring_prep_msg_ring_fd(3)`, since 6.0.
 */
export function prepMsgRingFd(
  sqe: Sqe,
  fd: number,
  sourceFd: number,
  targetFd: number,
  data: number | bigint,
  flags: number,
): void {
  const what = "prepMsgRingFd: targetFd";
  encodeSlot(sqe, what, checkWord(what, targetFd));
  // An int in C, which the assignment to a 64-bit field extends by its sign.
  sqe.addr3 = checkWord("prepMsgRingFd: sourceFd", sourceFd) | 0;
  sqe.opFlags = flags;
  sqe.prep(IORING_OP_MSG_RING, fd, IORING_MSG_SEND_FD, 0, data);
}

/**
 * Queues the passing of a registered file to the ring `fd`, which registers it where there is
 * room. `io_uring_prep_msg_ring_fd_alloc(3)`, since 6.0.
 */
export function prepMsgRingFdAlloc(
  sqe: Sqe,
  fd: number,
  sourceFd: number,
  data: number | bigint,
  flags: number,
): void {
  prepMsgRingFd(sqe, fd, sourceFd, IORING_FILE_INDEX_ALLOC, data, flags);
}

/**
 * Queues an update of the table of registered files: `fds` is the address of `nrFds` 32-bit
 * descriptors. `io_uring_prep_files_update(3)`, since 5.6.
 */
export function prepFilesUpdate(
  sqe: Sqe,
  fds: number | bigint,
  nrFds: number,
  offset: number,
): void {
  // An int in C, which the assignment to a 64-bit field extends by its sign.
  const signed = checkWord("prepFilesUpdate: offset", offset) | 0;
  sqe.prep(IORING_OP_FILES_UPDATE, -1, fds, nrFds, signed);
}

/**
 * Queues the handing over of `nr` buffers of `len` bytes, one behind the other from `addr`,
 * as group `bgid` with ids from `bid`. `io_uring_prep_provide_buffers(3)`, since 5.7.
 */
export function prepProvideBuffers(
  sqe: Sqe,
  addr: number | bigint,
  len: number,
  nr: number,
  bgid: number,
  bid: number,
): void {
  const size = checkWord("prepProvideBuffers: len", len);
  const firstId = checkWord("prepProvideBuffers: bid", bid) | 0;
  sqe.bufIndex = bgid;
  sqe.prep(IORING_OP_PROVIDE_BUFFERS, nr, addr, size, firstId);
}

/** Queues the taking back of `nr` buffers of group `bgid`. `io_uring_prep_remove_buffers(3)`, since 5.7. */
export function prepRemoveBuffers(sqe: Sqe, nr: number, bgid: number): void {
  sqe.bufIndex = bgid;
  sqe.prep(IORING_OP_REMOVE_BUFFERS, nr, 0, 0, 0);
}

/**
 * Queues the making of a plain descriptor of the registered file `fd`. Replaces the entry's
 * flags by `IOSQE_FIXED_FILE`. `io_uring_prep_fixed_fd_install(3)`, since 6.8.
 */
export function prepFixedFdInstall(sqe: Sqe, fd: number, flags: number): void {
  sqe.opFlags = flags;
  sqe.flags = IOSQE_FIXED_FILE;
  sqe.prep(IORING_OP_FIXED_FD_INSTALL, fd, 0, 0, 0);
}

/** Options of {@linkcode msgRing}. */
export interface MsgRingOptions {
  /** The flags of the target's completion. Since kernel 6.3. Default: 0. */
  cqeFlags?: number;
}

/** Options of {@linkcode msgRingFd} and {@linkcode msgRingFdAlloc}. */
export interface MsgRingFdOptions {
  /** The `user_data` of the target's completion. Default: 0. */
  userData?: number | bigint;
  /** Whether the target gets no completion. Default: false. */
  skipCompletion?: boolean;
}

/**
 * Sends a message to another ring of this process or of another: a completion there, with a
 * result and a `user_data` of choice. It wakes who waits on that ring.
 *
 * EBADFD: the file is no ring, or one that is not enabled yet. EOVERFLOW: its completion
 * queue is full.
 *
 * Since kernel 5.18; see io_uring_prep_msg_ring(3).
 *
 * @param ring the target's descriptor: `other.fd`.
 * @param result what the target's completion has as `res`.
 * @param userData what it has as `user_data`.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { msgRing, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.msgRing.supported()) {
 *   using here = new Ring(4);
 *   using there = new Ring(4);
 *   run(here, msgRing(there.fd, 42, 7));
 *   there.wait(1);
 *   there.forEachCqe((cqe) => assertEquals([cqe.res, cqe.userData], [42, 7n]));
 * }
 * ```
 */
export function msgRing(
  ring: number,
  result: number,
  userData: number | bigint,
  { cqeFlags }: MsgRingOptions = {},
): Op<void> {
  checkRingFd("msgRing: ring", ring);
  checkInteger("msgRing: result", result, -0x8000_0000, 0x7fff_ffff);
  check64("msgRing: userData", userData);
  if (cqeFlags !== undefined) checkUnsigned("msgRing: cqeFlags", cqeFlags);
  const len = result >>> 0;
  return Op.of({
    opcode: IORING_OP_MSG_RING,
    name: "msg_ring",
    encode: (sqe) => {
      if (cqeFlags === undefined) prepMsgRing(sqe, ring, len, userData, 0);
      else prepMsgRingCqeFlags(sqe, ring, len, userData, 0, cqeFlags);
      return undefined;
    },
    decode: nothing,
  });
}

/**
 * Passes a registered file to another ring, which registers it at an index of its own table.
 *
 * Gives the file as the target has it. EBADF: no file is registered at source. ENXIO: the
 * target has no table of files. EINVAL: its table is too small. EOVERFLOW: its completion
 * queue is full; the file was passed nevertheless.
 *
 * Since kernel 6.0; see io_uring_prep_msg_ring_fd(3).
 *
 * @param ring the target's descriptor: `other.fd`.
 * @param source the registered file of the ring that sends.
 * @param target the index in the target's table.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { fixedFile, msgRingFd, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.sendZc.supported()) { // which is as old
 *   using here = new Ring(4);
 *   using there = new Ring(4);
 *   here.files.register([0]);
 *   there.files.registerSparse(8);
 *   const passed = run(here, msgRingFd(there.fd, fixedFile(0), 5));
 *   assertEquals(passed.index, 5);
 * }
 * ```
 */
export function msgRingFd(
  ring: number,
  source: FixedFile,
  target: number,
  options: MsgRingFdOptions = {},
): Op<FixedFile> {
  checkSlot("msgRingFd: target", target);
  return passFile("msgRingFd", ring, source, target, options);
}

/**
 * Passes a registered file to another ring, which registers it where its table has room.
 *
 * Gives the file as the target has it. EBADF: no file is registered at source. ENFILE: the
 * target's table is full. ENXIO: it has none. EOVERFLOW: its completion queue is full; the
 * file was passed nevertheless.
 *
 * Since kernel 6.0; see io_uring_prep_msg_ring_fd_alloc(3).
 *
 * @param ring the target's descriptor: `other.fd`.
 * @param source the registered file of the ring that sends.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { fixedFile, msgRingFdAlloc, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.sendZc.supported()) { // which is as old
 *   using here = new Ring(4);
 *   using there = new Ring(4);
 *   here.files.register([0]);
 *   there.files.registerSparse(8);
 *   const passed = run(here, msgRingFdAlloc(there.fd, fixedFile(0)));
 *   assertEquals(passed.index, 0);
 * }
 * ```
 */
export function msgRingFdAlloc(
  ring: number,
  source: FixedFile,
  options: MsgRingFdOptions = {},
): Op<FixedFile> {
  const slot = IORING_FILE_INDEX_ALLOC;
  return passFile("msgRingFdAlloc", ring, source, slot, options);
}

function passFile(
  what: string,
  ring: number,
  source: FixedFile,
  target: number,
  { userData = 0, skipCompletion = false }: MsgRingFdOptions,
): Op<FixedFile> {
  checkRingFd(`${what}: ring`, ring);
  checkFixed(`${what}: source`, source);
  check64(`${what}: userData`, userData);
  const flags = skipCompletion ? IORING_MSG_RING_CQE_SKIP : 0;
  return Op.of({
    opcode: IORING_OP_MSG_RING,
    name: "msg_ring",
    encode: (sqe) => {
      const { index } = source;
      prepMsgRingFd(sqe, ring, index, target, userData, flags);
      return undefined;
    },
    decode: ({ res }) => slotResult(res, target),
  });
}

/**
 * Replaces files in the ring's table of registered files, as IORING_REGISTER_FILES_UPDATE
 * does, but in the queue: linked behind the op that opens one, for example.
 *
 * Gives how many were replaced, from the first on. EBADF: the first is no open file. ENXIO:
 * the ring has no table. EINVAL: they do not fit the table.
 *
 * Since kernel 5.6; see io_uring_prep_files_update(3).
 *
 * @param fds the descriptors; -1 empties a place, -2 (`IORING_REGISTER_FILES_SKIP`, kernel 5.12) leaves it
 * as it is.
 * @param offset the index in the table where the first goes.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if there is no descriptor, or one is below -2, or the offset is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { filesUpdate, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * ring.files.register([-1, -1, -1]); // an empty table
 * assertEquals(run(ring, filesUpdate([0, 1], 1)), 2);
 * ```
 */
export function filesUpdate(
  fds: readonly number[],
  offset: number,
): Op<number> {
  const files = checkFiles("filesUpdate: fds", fds, -2);
  checkInteger("filesUpdate: offset", offset, 0, 0x7fff_ffff);
  return Op.of({
    opcode: IORING_OP_FILES_UPDATE,
    name: "files_update",
    encode: (sqe) => withFiles(sqe, files, offset),
    decode: count,
  });
}

/**
 * Registers files where the ring's table has room.
 *
 * Gives the registered files, in the order given; fewer than asked for if the table was full
 * then. ENFILE: it has no room at all. EBADF: the first is no open file. ENXIO: the ring has
 * no table.
 *
 * Since kernel 5.19; see io_uring_prep_files_update(3).
 *
 * @param fds the descriptors.
 * @throws {TypeError} if fds is no array of numbers.
 * @throws {RangeError} if there is no descriptor, or one is negative.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { filesUpdateAlloc, opcodes, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.socket.supported()) { // which is as old
 *   using ring = new Ring(4);
 *   ring.files.registerSparse(8);
 *   const files = run(ring, filesUpdateAlloc([0, 1]));
 *   assertEquals(files.map((file) => file.index), [0, 1]);
 * }
 * ```
 */
export function filesUpdateAlloc(fds: readonly number[]): Op<FixedFile[]> {
  const files = checkFiles("filesUpdateAlloc: fds", fds, 0);
  return Op.of({
    opcode: IORING_OP_FILES_UPDATE,
    name: "files_update",
    encode: (sqe) => withFiles(sqe, files, IORING_FILE_INDEX_ALLOC),
    // The kernel writes each index over its descriptor.
    decode: ({ res }, block) =>
      Array.from(
        { length: res },
        (_, index) => new FixedFile(block.view.getInt32(4 * index, true)),
      ),
  });
}

/**
 * The memory that was provided to each ring, by the ring's own entry: the kernel writes to it
 * long after the op that provided it has completed.
 */
const provided = new WeakMap<Sqe, Set<ArrayBufferLike>>();

/**
 * Holds on to that memory for one round of garbage collection more: a ring that is forgotten
 * is closed by its finalizer, and until then the kernel may write.
 */
const outliving = new FinalizationRegistry<Set<ArrayBufferLike>>(() => {});

/** Options of {@linkcode provideBuffers}. */
export interface ProvideBuffersOptions {
  /** The id of the first buffer; the others count on from it. Default: 0. */
  firstId?: number;
}

/**
 * Gives the kernel buffers to select from, for ops with `IOSQE_BUFFER_SELECT`: the view is cut
 * into buffers of `size` bytes. What is selected is used up, until it is provided again. Buffer
 * rings (kernel 5.19) do the same faster.
 *
 * The kernel writes to this memory until every buffer was used or removed, long after this op
 * has completed: do not transfer it. It is kept from the garbage collector as long as the ring.
 *
 * EINVAL: the group is a buffer ring. EOVERFLOW: the group holds 65535 buffers already, which
 * is all it can; if only some of the new ones fit, the kernel adds those and reports nothing.
 *
 * Since kernel 5.7; see io_uring_prep_provide_buffers(3).
 *
 * @param memory the buffers, one behind the other.
 * @param size the bytes of each; what is left over at the end is not used.
 * @param group the group's number, 0 to 65535.
 * @throws {TypeError} if memory is no view that the kernel can be given.
 * @throws {RangeError} if the view holds no buffer of that size or too many, or a number is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { provideBuffers, removeBuffers, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * run(ring, provideBuffers(new Uint8Array(4 * 1024), 1024, 9));
 * assertEquals(run(ring, removeBuffers(100, 9)), 4);
 * ```
 */
export function provideBuffers(
  memory: View,
  size: number,
  group: number,
  { firstId = 0 }: ProvideBuffersOptions = {},
): Op<void> {
  checkBuffer("provideBuffers: memory", memory);
  checkInteger("provideBuffers: size", size, 1, 0x7fff_ffff);
  checkUnsigned("provideBuffers: group", group, 0xffff);
  checkUnsigned("provideBuffers: firstId", firstId, 0xffff);
  const buffers = Math.floor(memory.byteLength / size);
  const most = Math.min(0xffff, 0x1_0000 - firstId);
  if (buffers < 1 || buffers > most) {
    throw new RangeError(
      `provideBuffers: ${memory.byteLength} bytes are ${buffers} buffers of ${size} bytes; ` +
        `with ids from ${firstId} there must be 1 to ${most}.`,
    );
  }
  return Op.of({
    opcode: IORING_OP_PROVIDE_BUFFERS,
    name: "provide_buffers",
    encode: (sqe) => {
      const address = addressOf(memory);
      prepProvideBuffers(sqe, address, size, buffers, group, firstId);
      keepForRing(sqe, memory.buffer);
      return memory;
    },
    decode: nothing,
  });
}

function keepForRing(sqe: Sqe, buffer: ArrayBufferLike): void {
  let kept = provided.get(sqe);
  if (kept === undefined) {
    kept = new Set();
    provided.set(sqe, kept);
    outliving.register(sqe, kept);
  }
  kept.add(buffer);
}

/**
 * Takes provided buffers back from the kernel.
 *
 * Gives how many there were to take, at most `most`. ENOENT: there is no such group. EINVAL: it
 * is a buffer ring.
 *
 * Since kernel 5.7; see io_uring_prep_remove_buffers(3).
 *
 * @param most how many to take back at most, 1 to 65535.
 * @param group the group's number, 0 to 65535.
 * @throws {TypeError} if an argument is no number.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { provideBuffers, removeBuffers, run } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * using ring = new Ring(4);
 * run(ring, provideBuffers(new Uint8Array(8 * 64), 64, 3));
 * assertEquals(run(ring, removeBuffers(5, 3)), 5);
 * assertEquals(run(ring, removeBuffers(5, 3)), 3);
 * ```
 */
export function removeBuffers(most: number, group: number): Op<number> {
  checkInteger("removeBuffers: most", most, 1, 0xffff);
  checkUnsigned("removeBuffers: group", group, 0xffff);
  return Op.of({
    opcode: IORING_OP_REMOVE_BUFFERS,
    name: "remove_buffers",
    encode: (sqe) => {
      prepRemoveBuffers(sqe, most, group);
      return undefined;
    },
    decode: count,
  });
}

/** Options of {@linkcode fixedFdInstall}. */
export interface FixedFdInstallOptions {
  /** Whether the new descriptor is closed when this process runs another program. Default: true. */
  cloexec?: boolean;
}

/**
 * Makes a plain descriptor of a registered file, which stays registered.
 *
 * Gives the descriptor: the caller closes it. EBADF: no file is registered there.
 *
 * Since kernel 6.8; see io_uring_prep_fixed_fd_install(3).
 *
 * @throws {TypeError} if file is not a registered file.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { close, fixedFdInstall, fixedFile, opcodes, run } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * if (opcodes.fixedFdInstall.supported()) {
 *   using ring = new Ring(4);
 *   ring.files.register([0]);
 *   const fd = run(ring, fixedFdInstall(fixedFile(0)));
 *   assert(fd > 0);
 *   run(ring, close(fd));
 * }
 * ```
 */
export function fixedFdInstall(
  file: FixedFile,
  { cloexec = true }: FixedFdInstallOptions = {},
): Op<number> {
  checkFixed("fixedFdInstall: file", file);
  const flags = cloexec ? 0 : IORING_FIXED_FD_NO_CLOEXEC;
  return Op.of({
    opcode: IORING_OP_FIXED_FD_INSTALL,
    name: "fixed_fd_install",
    encode: (sqe) => {
      prepFixedFdInstall(sqe, file.index, flags);
      return undefined;
    },
    decode: count,
    undo: close,
  });
}

/** The kernel registers no rings as files, so that a ring is always a plain descriptor. */
function checkRingFd(what: string, fd: number): number {
  return checkInteger(what, fd, 0, 0x7fff_ffff);
}

function checkFixed(what: string, file: FixedFile): void {
  if (file instanceof FixedFile) return;
  throw new TypeError(
    `${what} must be a registered file, fixedFile(index); got ${show(file)}.`,
  );
}

/** A copy of descriptors, checked. */
function checkFiles(
  what: string,
  fds: readonly number[],
  least: number,
): readonly number[] {
  if (!Array.isArray(fds)) {
    throw new TypeError(
      `${what} must be an array of numbers; got ${show(fds)}.`,
    );
  }
  if (fds.length === 0) throw new RangeError(`${what} must not be empty.`);
  // Not map: it passes over the holes of a sparse array.
  return Array.from(
    fds,
    (fd, index) => checkInteger(`${what}[${index}]`, fd, least, 0x7fff_ffff),
  );
}

function withFiles(sqe: Sqe, files: readonly number[], offset: number): Block {
  const block = takeBlock(4 * files.length);
  files.forEach((fd, index) => block.view.setInt32(4 * index, fd, true));
  prepFilesUpdate(sqe, block.address, files.length, offset);
  return block;
}
