/**
 * A request: what the simulated kernel makes of a submission.
 */

import {
  IORING_ACCEPT_MULTISHOT,
  IORING_OP_ACCEPT,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_CLOSE,
  IORING_OP_FSYNC,
  IORING_OP_LINK_TIMEOUT,
  IORING_OP_MSG_RING,
  IORING_OP_NOP,
  IORING_OP_NOP128,
  IORING_OP_POLL_ADD,
  IORING_OP_READ,
  IORING_OP_READ_MULTISHOT,
  IORING_OP_RECV,
  IORING_OP_SEND_ZC,
  IORING_OP_TIMEOUT,
  IORING_OP_WRITE,
  IORING_POLL_ADD_MULTI,
  IORING_RECV_MULTISHOT,
  IORING_TIMEOUT_MULTISHOT,
  IOSQE_IO_HARDLINK,
  IOSQE_IO_LINK,
} from "../../ffi/abi.ts";
import type { Block } from "../../ffi/block.ts";
import { Sqe } from "../../ring/sqe.ts";
import type { Posted } from "./queues.ts";

/** How the kernel treats a request. */
export type Treatment =
  | "cancel"
  | "limit"
  | "message"
  | "multishot"
  | "plain"
  | "send"
  | "timeout"
  | "transfer"
  | "unknown";

/**
 * Where a request is. `"waiting"`: behind a link or a drain. `"running"`: it may be cancelled.
 * `"interrupted"`: it was, and will come to an end. `"ending"`: its completion is on its way.
 * `"notifying"`: of a zero-copy send, the result is posted, the notification not.
 */
export type State =
  | "waiting"
  | "running"
  | "interrupted"
  | "ending"
  | "notifying"
  | "done";

/** Why a request was cancelled: asked for by `user_data`, by its time, by a link that broke. */
export type Cause = "asked" | "time" | "link" | "close";

/** What is to become of a request; of a multishot, its next shot. */
export interface Fate {
  /** Within the call that submits it, some time, or not until it is cancelled. */
  when: "now" | "later" | "never";
  res: number;
  /** Of a multishot: whether it ends with this shot. */
  last: boolean;
}

const ONCE: Fate = { when: "later", res: 0, last: true };

/** A submission that the kernel has taken. */
export class Request {
  /** The words of the entry. */
  readonly words: Int32Array;
  /** Counts the requests of the kernel, in the order it took them. */
  readonly order: number;
  /** Counts the calls that took some: a link chain does not reach across two. */
  readonly batch: number;
  readonly opcode: number;
  readonly flags: number;
  readonly fd: number;
  readonly addr: number;
  readonly len: number;
  readonly off: number;
  readonly opFlags: number;
  /** The halves of `user_data`, unsigned. */
  readonly low: number;
  readonly high: number;
  readonly treatment: Treatment;
  /** The block that it reads from or writes to. */
  block: Block | undefined;
  state: State = "waiting";
  fate: Fate = ONCE;
  /** The next of its chain, and the one before. */
  next: Request | null = null;
  previous: Request | null = null;
  /** The timeout linked behind it; of such a timeout, what it limits. */
  limit: Request | null = null;
  limited: Request | null = null;
  /** When its time is over, and how often it will be. */
  due = Infinity;
  interval = 0;
  repeats = 1;
  cause: Cause | undefined;
  /** The errno, negated, with which it is refused before it begins; 0 if it is not. */
  refusal = 0;
  /** Every completion that it was given, in order. */
  readonly posted: Posted[] = [];

  /** Reads an entry. */
  constructor(words: Int32Array, order: number, batch: number) {
    const sqe = new Sqe(words.buffer as ArrayBuffer);
    this.words = words;
    this.order = order;
    this.batch = batch;
    this.opcode = sqe.opcode;
    this.flags = sqe.flags;
    this.fd = sqe.fd;
    this.addr = wide(words, 4);
    this.off = wide(words, 2);
    this.len = sqe.len;
    this.opFlags = sqe.opFlags;
    this.low = (words[8] as number) >>> 0;
    this.high = (words[9] as number) >>> 0;
    this.treatment = treatmentOf(sqe);
  }

  /** Whether the next entry belongs to the same chain. */
  get linked(): boolean {
    return (this.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK)) !== 0;
  }

  /** Whether the kernel is done with it. */
  get done(): boolean {
    return this.state === "done";
  }

  /** The last completion; undefined before it is done, or if it was to post none. */
  get final(): Posted | undefined {
    return this.done ? this.posted.at(-1) : undefined;
  }
}

/** Integers of 64 bits, as far as doubles go: addresses and counts do. */
function wide(words: Int32Array, index: number): number {
  return ((words[index + 1] as number) >>> 0) * 0x1_0000_0000 +
    ((words[index] as number) >>> 0);
}

function treatmentOf(sqe: Sqe): Treatment {
  const { ioprio, len, opFlags } = sqe;
  switch (sqe.opcode) {
    case IORING_OP_NOP:
    case IORING_OP_NOP128:
    case IORING_OP_CLOSE:
    case IORING_OP_FSYNC:
      return "plain";
    case IORING_OP_READ:
    case IORING_OP_WRITE:
      return "transfer";
    case IORING_OP_SEND_ZC:
      return "send";
    case IORING_OP_ACCEPT:
      return ioprio & IORING_ACCEPT_MULTISHOT ? "multishot" : "plain";
    case IORING_OP_RECV:
      return ioprio & IORING_RECV_MULTISHOT ? "multishot" : "transfer";
    case IORING_OP_READ_MULTISHOT:
      return "multishot";
    case IORING_OP_POLL_ADD:
      return len & IORING_POLL_ADD_MULTI ? "multishot" : "plain";
    case IORING_OP_TIMEOUT:
      return (opFlags & ~IORING_TIMEOUT_MULTISHOT) === 0
        ? "timeout"
        : "unknown";
    case IORING_OP_LINK_TIMEOUT:
      return "limit";
    case IORING_OP_ASYNC_CANCEL:
      return opFlags === 0 ? "cancel" : "unknown";
    case IORING_OP_MSG_RING:
      return "message";
    default:
      return "unknown";
  }
}

/** What byte `index` of a buffer holds that belongs to the file `fd`. */
export function pattern(fd: number, index: number): number {
  return (fd * 31 + index * 7 + 1) & 0xff;
}
