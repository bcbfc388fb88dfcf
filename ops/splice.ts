/**
 * Pipes: made by the kernel, and bytes moved through them without passing through memory of
 * the program.
 *
 * @module
 */

import {
  IORING_FILE_INDEX_ALLOC,
  IORING_OP_PIPE,
  IORING_OP_SPLICE,
  IORING_OP_TEE,
  SPLICE_F_FD_IN_FIXED,
} from "../ffi/abi.ts";
import { takeBlock } from "../ffi/block.ts";
import { errnoName } from "../ffi/errno.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkFlags, checkOffset, checkUnsigned } from "./arguments.ts";
import {
  checkFd,
  encodeSlot,
  type Fd,
  fdNumber,
  FixedFile,
  markFixed,
} from "./fd.ts";
import { count, Op } from "./op.ts";
import { checkDirect } from "./open.ts";

/**
 * Queues a splice(2). Offsets of -1 are the files' own positions, and what pipes need.
 * `io_uring_prep_splice(3)`, since 5.7.
 */
export function prepSplice(
  sqe: Sqe,
  fdIn: number,
  offIn: number | bigint,
  fdOut: number,
  offOut: number | bigint,
  nbytes: number,
  spliceFlags: number,
): void {
  sqe.opFlags = spliceFlags;
  sqe.fileIndex = fdIn;
  sqe.prep(IORING_OP_SPLICE, fdOut, offIn, nbytes, offOut);
}

/** Queues a tee(2). `io_uring_prep_tee(3)`, since 5.8. */
export function prepTee(
  sqe: Sqe,
  fdIn: number,
  fdOut: number,
  nbytes: number,
  spliceFlags: number,
): void {
  sqe.opFlags = spliceFlags;
  sqe.fileIndex = fdIn;
  sqe.prep(IORING_OP_TEE, fdOut, 0, nbytes, 0);
}

/**
 * Queues a pipe2(2), `fds` being the address of the two ints that it fills.
 * `io_uring_prep_pipe(3)`, since 6.16.
 */
export function prepPipe(
  sqe: Sqe,
  fds: number | bigint,
  pipeFlags: number,
): void {
  sqe.opFlags = pipeFlags;
  sqe.prep(IORING_OP_PIPE, 0, fds, 0, 0);
}

/**
 * Queues a pipe2(2) into the table of registered files: the reading end goes to
 * `file_index`, the writing end to the next, or both to free slots with
 * `IORING_FILE_INDEX_ALLOC`. `io_uring_prep_pipe_direct(3)`, since 6.16.
 */
export function prepPipeDirect(
  sqe: Sqe,
  fds: number | bigint,
  pipeFlags: number,
  fileIndex: number,
): void {
  encodeSlot(sqe, "prepPipeDirect: file_index", fileIndex);
  sqe.opFlags = pipeFlags;
  sqe.prep(IORING_OP_PIPE, 0, fds, 0, 0);
}

/** Options of {@linkcode splice}. */
export interface SpliceOptions {
  /** Where in `fdIn`, in bytes; -1 is the file's own position, or a pipe. Default: -1. */
  offsetIn?: number | bigint;
  /** Where in `fdOut`, in bytes; -1 is the file's own position, or a pipe. Default: -1. */
  offsetOut?: number | bigint;
  /** `SPLICE_F_*`. Default: 0. */
  flags?: number;
}

/**
 * Moves bytes from one file to another, as splice(2). At least one of them must be a pipe.
 *
 * Gives the number of bytes moved, which may be fewer than asked for; 0 at the end of the
 * input. EINVAL: neither is a pipe, a file does not take part in this, or an offset was
 * given for a pipe.
 *
 * Since kernel 5.7; see io_uring_prep_splice(3).
 *
 * @param fdIn where from.
 * @param fdOut where to.
 * @param length how many bytes at most.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { O_RDONLY } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, openat, opcodes, pipe, run, splice } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.pipe.supported()) {
 *   using ring = new Ring(4);
 *   const [reader, writer] = run(ring, pipe());
 *   const path = Deno.makeTempFileSync();
 *   Deno.writeTextFileSync(path, "through");
 *   const fd = run(ring, openat(path, O_RDONLY));
 *   assertEquals(run(ring, splice(fd, writer, 100)), 7);
 *   for (const file of [fd, reader, writer]) run(ring, close(file));
 *   Deno.removeSync(path);
 * }
 * ```
 */
export function splice(
  fdIn: Fd,
  fdOut: Fd,
  length: number,
  { offsetIn = -1, offsetOut = -1, flags = 0 }: SpliceOptions = {},
): Op<number> {
  checkFd("splice: fdIn", fdIn);
  checkFd("splice: fdOut", fdOut);
  checkUnsigned("splice: length", length);
  checkOffset("splice: offsetIn", offsetIn);
  checkOffset("splice: offsetOut", offsetOut);
  checkFlags("splice: flags", flags);
  return Op.of({
    opcode: IORING_OP_SPLICE,
    name: "splice",
    encode: (sqe) => {
      prepSplice(
        sqe,
        fdNumber(fdIn),
        offsetIn,
        fdNumber(fdOut),
        offsetOut,
        length,
        flags | fixedInput(fdIn),
      );
      markFixed(sqe, fdOut);
      return undefined;
    },
    decode: count,
    hint: (errno) =>
      errnoName(errno) === "EINVAL"
        ? "One of the two files must be a pipe, and a pipe has no offset."
        : undefined,
  });
}

function fixedInput(fd: Fd): number {
  return typeof fd === "number" ? 0 : SPLICE_F_FD_IN_FIXED;
}

/** Options of {@linkcode tee}. */
export interface TeeOptions {
  /** `SPLICE_F_*`. Default: 0. */
  flags?: number;
}

/**
 * Copies bytes from one pipe to another, as tee(2): they stay to be read in the first.
 *
 * Gives the number of bytes copied; 0 if the first pipe is empty and nobody writes to it.
 *
 * Since kernel 5.8; see io_uring_prep_tee(3).
 *
 * @param fdIn the pipe to copy from.
 * @param fdOut the pipe to copy to, not the same one.
 * @param length how many bytes at most.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range.
 *
 * @example
 * ```ts
 * import { Ring } from "@uring/uring/ring";
 * import { close, opcodes, pipe, run, tee, write } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.pipe.supported()) {
 *   using ring = new Ring(4);
 *   const [first, second] = [run(ring, pipe()), run(ring, pipe())];
 *   run(ring, write(first[1], new TextEncoder().encode("both")));
 *   assertEquals(run(ring, tee(first[0], second[1], 100)), 4);
 *   for (const file of [...first, ...second]) run(ring, close(file));
 * }
 * ```
 */
export function tee(
  fdIn: Fd,
  fdOut: Fd,
  length: number,
  { flags = 0 }: TeeOptions = {},
): Op<number> {
  checkFd("tee: fdIn", fdIn);
  checkFd("tee: fdOut", fdOut);
  checkUnsigned("tee: length", length);
  checkFlags("tee: flags", flags);
  return Op.of({
    opcode: IORING_OP_TEE,
    name: "tee",
    encode: (sqe) => {
      prepTee(
        sqe,
        fdNumber(fdIn),
        fdNumber(fdOut),
        length,
        flags | fixedInput(fdIn),
      );
      markFixed(sqe, fdOut);
      return undefined;
    },
    decode: count,
    hint: (errno) =>
      errnoName(errno) === "EINVAL"
        ? "Both files must be pipes, and not the same one."
        : undefined,
  });
}

/** Options of {@linkcode pipe} and {@linkcode pipeDirect}. */
export interface PipeOptions {
  /** `O_CLOEXEC`, `O_NONBLOCK`, `O_DIRECT`, see pipe2(2). Default: 0. */
  flags?: number;
}

/** Two `int`s. */
const PIPE_FDS = 8;

/**
 * Makes a pipe, as pipe2(2).
 *
 * Gives the descriptors of the reading and of the writing end.
 *
 * Since kernel 6.16; see io_uring_prep_pipe(3).
 *
 * @throws {TypeError} if an option has the wrong type.
 * @throws {RangeError} if an option is out of range.
 *
 * @example
 * ```ts
 * import { O_CLOEXEC } from "@uring/uring/ffi";
 * import { Ring } from "@uring/uring/ring";
 * import { close, opcodes, pipe, run, write } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * if (opcodes.pipe.supported()) {
 *   using ring = new Ring(4);
 *   const [reader, writer] = run(ring, pipe({ flags: O_CLOEXEC }));
 *   assertEquals(run(ring, write(writer, new Uint8Array(100))), 100);
 *   run(ring, close(reader));
 *   run(ring, close(writer));
 * }
 * ```
 */
export function pipe(
  { flags = 0 }: PipeOptions = {},
): Op<[reader: number, writer: number]> {
  checkFlags("pipe: flags", flags);
  return Op.of({
    opcode: IORING_OP_PIPE,
    name: "pipe",
    encode: (sqe) => {
      const block = takeBlock(PIPE_FDS);
      prepPipe(sqe, block.address, flags);
      return block;
    },
    decode: (_completion, { view }): [number, number] => [
      view.getInt32(0, true),
      view.getInt32(4, true),
    ],
  });
}

/**
 * Makes a pipe, as pipe2(2), in the ring's table of registered files: the process gets no
 * descriptors.
 *
 * Gives the reading and the writing end. ENFILE: no slot is free. EINVAL: a slot is beyond the
 * table. ENXIO: the ring has no table of files.
 *
 * Since kernel 6.16; see io_uring_prep_pipe_direct(3).
 *
 * @param slot the index in the table for the reading end, the writing end goes to the next;
 * what is there is closed. `IORING_FILE_INDEX_ALLOC` lets the kernel choose two free ones.
 * @throws {TypeError} if an argument has the wrong type.
 * @throws {RangeError} if an argument is out of range, or flags have `O_CLOEXEC`.
 *
 * @example
 * ```ts
 * import { pipeDirect } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * const op = pipeDirect(4); // reads at 4, writes at 5
 * assertEquals(op.name, "pipe");
 * ```
 */
export function pipeDirect(
  slot: number,
  { flags = 0 }: PipeOptions = {},
): Op<[reader: FixedFile, writer: FixedFile]> {
  checkFlags("pipeDirect: flags", flags);
  checkDirect("pipeDirect", flags, slot);
  return Op.of({
    opcode: IORING_OP_PIPE,
    name: "pipe",
    encode: (sqe) => {
      const block = takeBlock(PIPE_FDS);
      prepPipeDirect(sqe, block.address, flags, slot);
      return block;
    },
    decode: (_completion, { view }): [FixedFile, FixedFile] => {
      // Only slots that it chose itself does the kernel write down.
      const chosen = slot === IORING_FILE_INDEX_ALLOC;
      return [
        new FixedFile(chosen ? view.getInt32(0, true) : slot),
        new FixedFile(chosen ? view.getInt32(4, true) : slot + 1),
      ];
    },
  });
}
