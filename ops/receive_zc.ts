/**
 * Receiving without copying: the network card writes to memory that the program registered.
 *
 * @module
 */

import {
  IORING_CQE_F_MORE,
  IORING_OP_RECV_ZC,
  IORING_RECV_MULTISHOT,
  IORING_RECVSEND_POLL_FIRST,
} from "../ffi/abi.ts";
import { errnoName } from "../ffi/errno.ts";
import type { ZcrxCompletion } from "../ring/registration/zcrx.ts";
import type { Sqe } from "../ring/sqe.ts";
import { checkUnsigned } from "./arguments.ts";
import { checkFd, type Fd, fdNumber, markFixed } from "./fd.ts";
import { type Completion, Op } from "./op.ts";
import { bigWord } from "./socket_command.ts";

/** Options of {@linkcode recvZc}. */
export interface ReceiveZcOptions {
  /** The queue of the network card: the `id` that `ring.registerZcrx` gave. */
  interfaceQueue: number;
  /** After how many bytes in all to end. Default: 0, never. */
  length?: number;
  /** Whether to expect that the socket is empty, and to save the first attempt. Default: false. */
  pollFirst?: boolean;
}

/**
 * A piece of the stream, in the area that was registered with the queue: `zcrx.bytes` shows it,
 * and `zcrx.refill` gives its memory back to the card.
 */
export interface ReceivedZc extends ZcrxCompletion {
  /** How many bytes: 0 at the end of the stream. */
  length: number;
  /** Whether more completions of the same submission will come. */
  more: boolean;
}

/**
 * Receives bytes again and again where the network card put them, into an area that was
 * registered with a queue of the card. The piece must be given back through the refill queue,
 * or the card runs out of memory.
 *
 * It wants a ring with `IORING_SETUP_DEFER_TASKRUN` and 32-byte completions, an interface
 * queue registered by `ring.registerZcrx`, a card that splits headers from data, and a connection that the
 * card steers to that queue: see the kernel's networking/iou-zcrx.rst.
 *
 * Each completion gives a piece. It ends at the end of the stream (length 0), with an error,
 * after `length` bytes, when it is cancelled: the last completion has `more` false. EINVAL: the
 * ring has no such queue, or the kernel is older. EFAULT: the connection does not arrive on
 * the queue. ENOMEM: no free memory in the area.
 *
 * Since kernel 6.15; see io_uring_enter(2).
 *
 * @param fd a connected TCP socket.
 * @param options `interfaceQueue` is required.
 * @throws {TypeError | RangeError} if an argument is wrong.
 *
 * @example
 * ```ts
 * import { recvZc } from "@uring/uring/ops";
 * import { assert } from "@std/assert";
 *
 * assert(recvZc(3, { interfaceQueue: 0 }).multishot);
 * ```
 */
export function recvZc(fd: Fd, options: ReceiveZcOptions): Op<ReceivedZc> {
  const { interfaceQueue, length = 0, pollFirst = false } = options;
  checkFd("recvZc: fd", fd);
  checkUnsigned("recvZc: interfaceQueue", interfaceQueue);
  checkUnsigned("recvZc: length", length);
  const ioprio = IORING_RECV_MULTISHOT |
    (pollFirst ? IORING_RECVSEND_POLL_FIRST : 0);
  return Op.of({
    opcode: IORING_OP_RECV_ZC,
    name: "recv_zc",
    multishot: true,
    encode: (sqe) => {
      encodeRecvZc(sqe, fdNumber(fd), interfaceQueue, length, ioprio);
      markFixed(sqe, fd);
      return undefined;
    },
    decode: readPiece,
    ends: ({ res }) => res === 0,
    hint: (errno) =>
      errnoName(errno) === "EINVAL"
        ? `The ring needs 32-byte completions, IORING_SETUP_DEFER_TASKRUN and interface ` +
          `queue ${interfaceQueue} registered with it; the kernel must be 6.15 or later.`
        : undefined,
  });
}

/** liburing has no function for it; its field for the queue is where others have `file_index`. */
function encodeRecvZc(
  sqe: Sqe,
  fd: number,
  interfaceQueue: number,
  length: number,
  ioprio: number,
): void {
  sqe.ioprio = ioprio;
  sqe.fileIndex = interfaceQueue;
  sqe.prep(IORING_OP_RECV_ZC, fd, 0, length, 0);
}

function readPiece(completion: Completion): ReceivedZc {
  const { res, flags } = completion;
  const more = (flags & IORING_CQE_F_MORE) !== 0;
  // The last completion carries no piece, and in a mixed ring has no second half.
  const words = more ? [bigWord(completion, 0), bigWord(completion, 1)] : [];
  return { length: res, more, res, bigCqe: (index) => words[index] ?? 0n };
}
