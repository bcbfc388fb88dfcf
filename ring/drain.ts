/**
 * Waiting until nothing of a ring is in flight, whoever submitted it.
 *
 * @module
 */

import {
  IORING_CQE_F_32,
  IORING_ENTER_EXT_ARG,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_SQ_WAKEUP,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_SQ_REWIND,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQPOLL,
  IOSQE_IO_DRAIN,
} from "../ffi/abi.ts";
import type { Kernel, RingMapping } from "../ffi/kernel.ts";
import { io_uring_getevents_arg as getevents } from "../ffi/layout.ts";
import { passes } from "./enter_error.ts";
import { newWaitArgument, writeWait } from "./wait.ts";

/** The `user_data` of the last op of a ring: "uring.end". */
const MARK_LOW = 0x6e69_7275;
const MARK_HIGH = 0x646e_652e;

/** A ring's queues, as far as its end needs them. */
interface Queues {
  readonly mapping: RingMapping;
  readonly sq: Int32Array;
  readonly cq: Int32Array;
  readonly polled: boolean;
}

/**
 * Whether anything was ever submitted: tails that nobody moved say no. One alone may have come
 * back to 0, after four thousand million ops.
 */
export function wasUsed({ sq, cq, flags }: RingMapping): boolean {
  if (flags & IORING_SETUP_SQ_REWIND) return true;
  const tail = (queue: { buffer: ArrayBuffer; tail: number }) =>
    Atomics.load(new Int32Array(queue.buffer, queue.tail, 1), 0);
  return tail(sq) !== 0 || tail(cq) !== 0;
}

/**
 * Waits until nothing of a ring is in flight: submits a NOP with `IOSQE_IO_DRAIN`, which the
 * kernel does not begin before everything else is done, and waits for it. What the program
 * has not submitted is dropped, and so are all completions: for a ring at its end.
 *
 * A ring on which `IOSQE_CQE_SKIP_SUCCESS` was used cannot be drained, nor one whose
 * restrictions forbid it; there the kernel refuses the NOP and this returns.
 *
 * @param again cancels what is in flight; called from time to time, for what begins only when
 * something before it has ended.
 * @param patience how long to wait, in milliseconds.
 * @param late how much longer, asked once that time has run out: then something is in flight, or
 * the kernel miscounts. Kernels before 6.16 do, and never begin the NOP, once a completion came
 * that was not the one of a submission: the notification of a zero-copy send, or one of many that
 * overflowed the queue.
 */
export function drain(
  kernel: Kernel,
  mapping: RingMapping,
  again: () => void,
  patience: number,
  late: () => number,
): void {
  const { sq, cq, flags } = mapping;
  const queues: Queues = {
    mapping,
    sq: new Int32Array(sq.buffer, 0, sq.buffer.byteLength >> 2),
    cq: new Int32Array(cq.buffer, 0, cq.buffer.byteLength >> 2),
    polled: (flags & IORING_SETUP_SQPOLL) !== 0,
  };
  let deadline = performance.now() + patience;
  let isLate = false;
  const argument = newWaitArgument();
  let submitted: boolean | undefined = false;
  let chances = 2;
  for (let pause = 1;; pause = Math.min(2 * pause, 100)) {
    if (!submitted) submitted = submitMark(kernel, queues);
    if (submitted === undefined) break;
    if (takeMark(queues)) {
      // Behind an entry that the program linked to nothing, the thread links the NOP to that:
      // it tells of the chain's end only. The next one stands alone.
      if (!queues.polled || --chances === 0) break;
      submitted = false;
      continue;
    }
    if (performance.now() > deadline) {
      const more = isLate ? 0 : late();
      if (more === 0) break;
      isLate = true;
      deadline = performance.now() + more;
    }
    writeWait(argument, pause, undefined);
    const answer = kernel.enter2(
      mapping.fd,
      0,
      1,
      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
      BigInt(argument.address),
      BigInt(getevents.size),
    );
    if (!passes(answer)) break;
    again();
  }
  argument.release();
}

/** Submits the NOP; false if there is no room for it yet, undefined if there never will be. */
function submitMark(
  kernel: Kernel,
  { mapping, sq, polled }: Queues,
): boolean | undefined {
  const { fd, flags, sqEntries } = mapping;
  const rewind = (flags & IORING_SETUP_SQ_REWIND) !== 0;
  const head = rewind ? 0 : Atomics.load(sq, mapping.sq.head >> 2);
  // A thread may be about to take what is there already; else it is dropped.
  const at = polled ? Atomics.load(sq, mapping.sq.tail >> 2) : head;
  const wakeup = polled ? IORING_ENTER_SQ_WAKEUP : 0;
  if (((at - head) | 0) >= sqEntries) {
    return passes(kernel.enter(fd, 0, 0, wakeup)) ? false : undefined;
  }
  const size = flags & IORING_SETUP_SQE128 ? 32 : 16;
  const words = new Int32Array(mapping.sqes);
  const base = (at & (sqEntries - 1)) * size;
  words.fill(0, base, base + size);
  words[base] = IOSQE_IO_DRAIN << 8;
  words[base + 8] = MARK_LOW;
  words[base + 9] = MARK_HIGH;
  Atomics.store(sq, mapping.sq.tail >> 2, (at + 1) | 0);
  const answer = kernel.enter(fd, 1, 0, wakeup);
  if (!passes(answer)) return undefined;
  return polled || answer === 1;
}

/** Takes every completion; tells whether the NOP's is among them. */
function takeMark({ mapping, cq }: Queues): boolean {
  const { flags, cqEntries } = mapping;
  const shift = flags & IORING_SETUP_CQE32 ? 3 : 2;
  const tail = Atomics.load(cq, mapping.cq.tail >> 2);
  let found = false;
  let next = Atomics.load(cq, mapping.cq.head >> 2);
  while (((tail - next) | 0) > 0) {
    const base = (mapping.cq.cqes >> 2) + ((next & (cqEntries - 1)) << shift);
    if (cq[base] === MARK_LOW && cq[base + 1] === MARK_HIGH) found = true;
    const wide = flags & IORING_SETUP_CQE_MIXED &&
      (cq[base + 3] as number) & IORING_CQE_F_32;
    next = (next + (wide ? 2 : 1)) | 0;
  }
  Atomics.store(cq, mapping.cq.head >> 2, next);
  return found;
}
