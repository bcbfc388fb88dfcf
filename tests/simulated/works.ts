/**
 * Ops for random programs. Each carries a number in the place of its file, by which the model
 * finds what the kernel did with it; what it is given and gives is checked on the way.
 */

import {
  IORING_ACCEPT_MULTISHOT,
  IORING_OP_ACCEPT,
  IORING_OP_CLOSE,
  IORING_OP_FSYNC,
  IORING_OP_POLL_ADD,
  IORING_OP_READ,
  IORING_OP_RECV,
  IORING_OP_SEND_ZC,
  IORING_OP_TIMEOUT,
  IORING_OP_WRITE,
  IORING_POLL_ADD_MULTI,
  IORING_RECV_MULTISHOT,
  IORING_TIMEOUT_MULTISHOT,
} from "../../ffi/abi.ts";
import { type Block, takeBlock } from "../../ffi/block.ts";
import { ETIME } from "../../ffi/linux.ts";
import { writeTimespec } from "../../ffi/structs/mod.ts";
import { type Completion, type Held, Op } from "../../ops/op.ts";
import type { Sqe } from "../../ring/sqe.ts";
import { pattern } from "./request.ts";

/** The kinds of ops with one result. */
export type Kind =
  | "accept"
  | "again"
  | "fsync"
  | "read"
  | "write"
  | "send"
  | "timer"
  | "unencodable"
  | "undecodable";

/** The kinds of ops with many. */
export type StreamKind = "accept" | "poll" | "receive" | "ticks";

/** Thrown by ops that are to fail on this side of the kernel. */
export class Mistake extends Error {}

/** How often an op was decoded: once for each result, never more. */
export interface Tally {
  decoded: number;
}

/** An op with one result, which is the kernel's `res`. */
export function work(
  kind: Kind,
  id: number,
  length: number,
  tally: Tally,
): Op<number> {
  const counted = (res: number): number => {
    tally.decoded++;
    return res;
  };
  switch (kind) {
    case "accept":
    case "fsync":
    case "unencodable":
    case "undecodable":
      return bare(kind, id, counted);
    case "again":
      return new Again(id, bare("accept", id, counted));
    case "timer":
      return Op.of({
        opcode: IORING_OP_TIMEOUT,
        name: kind,
        benign: -ETIME,
        encode: (sqe) => {
          const block = takeBlock(16);
          writeTimespec(block.view, 0, length);
          sqe.prep(IORING_OP_TIMEOUT, id, block.address, 1, 0);
          return block;
        },
        decode: ({ res }) => counted(res),
      });
    default:
      return transfer(kind, id, length, counted);
  }
}

/** The failure after which {@linkcode Again} is tried again. */
export const AGAIN = -5; // EIO

/** An op whose place another takes if it fails in one way. */
class Again extends Op<number> {
  readonly #other: Op<number>;

  constructor(id: number, other: Op<number>) {
    super(other.opcode, `again ${id}`);
    this.#other = other;
  }

  override encode(sqe: Sqe): Held {
    return this.#other.encode(sqe);
  }

  override decode(completion: Completion, held: Held): number {
    return this.#other.decode(completion, held);
  }

  override get retries(): boolean {
    return true;
  }

  override retry({ res }: Completion): Op<number> | undefined {
    return res === AGAIN ? this.#other : undefined;
  }
}

function bare(
  kind: "accept" | "fsync" | "unencodable" | "undecodable",
  id: number,
  counted: (res: number) => number,
): Op<number> {
  const opcode = kind === "fsync" ? IORING_OP_FSYNC : IORING_OP_ACCEPT;
  return Op.of({
    opcode,
    name: kind,
    encode: (sqe) => {
      sqe.prep(opcode, id, 0, 0, 0);
      if (kind === "unencodable") throw new Mistake(`encode ${id}`);
      return undefined;
    },
    decode: ({ res }) => {
      if (kind === "undecodable") throw new Mistake(`decode ${id}`);
      return counted(res);
    },
  });
}

const TRANSFERS = {
  read: IORING_OP_READ,
  write: IORING_OP_WRITE,
  send: IORING_OP_SEND_ZC,
};

/** The block is the op's from its encoding to its last completion: nobody else's bytes get in. */
function transfer(
  kind: "read" | "write" | "send",
  id: number,
  length: number,
  counted: (res: number) => number,
): Op<number> {
  const opcode = TRANSFERS[kind];
  return Op.of<number, Block>({
    opcode,
    name: kind,
    encode: (sqe) => {
      const block = takeBlock(Math.max(length, 1));
      for (let index = 0; index < length; index++) {
        block.bytes[index] = kind === "read" ? 0 : pattern(id, index);
      }
      sqe.prep(opcode, id, block.address, length, 0);
      return block;
    },
    decode: ({ res }, { bytes }) => {
      for (let index = 0; index < res; index++) {
        if (bytes[index] === pattern(id, index)) continue;
        throw new Error(`Byte ${index} of ${kind} ${id} is somebody else's.`);
      }
      return counted(res);
    },
  });
}

/** An op with many results; those of `"accept"` must be closed if nobody takes them. */
export function streamWork(kind: StreamKind, id: number): Op<number> {
  switch (kind) {
    case "accept":
      return Op.of({
        opcode: IORING_OP_ACCEPT,
        name: "accept_multishot",
        multishot: true,
        encode: (sqe) => {
          sqe.prep(IORING_OP_ACCEPT, id, 0, 0, 0);
          sqe.ioprio = IORING_ACCEPT_MULTISHOT;
          return undefined;
        },
        decode: ({ res }) => res,
        undo: closing,
      });
    case "poll":
      return Op.of({
        opcode: IORING_OP_POLL_ADD,
        name: "poll_multishot",
        multishot: true,
        encode: (sqe) => {
          sqe.prep(IORING_OP_POLL_ADD, id, 0, IORING_POLL_ADD_MULTI, 0);
          return undefined;
        },
        decode: ({ res }) => res,
      });
    case "receive":
      return Op.of({
        opcode: IORING_OP_RECV,
        name: "recv_multishot",
        multishot: true,
        encode: (sqe) => {
          sqe.prep(IORING_OP_RECV, id, 0, 0, 0);
          sqe.ioprio = IORING_RECV_MULTISHOT;
          return undefined;
        },
        decode: ({ res }) => res,
        ends: ({ res }) => res === 0,
      });
    case "ticks":
      return ticking(id);
  }
}

/** How many ticks a stream of them gives, however often the kernel stops before. */
export const TICKS = 3;

function ticking(id: number): Op<number> {
  return Op.of({
    opcode: IORING_OP_TIMEOUT,
    name: "timeout_multishot",
    multishot: true,
    benign: -ETIME,
    encode: (sqe) => {
      const block = takeBlock(16);
      writeTimespec(block.view, 0, 0.5);
      sqe.prep(IORING_OP_TIMEOUT, id, block.address, 1, TICKS);
      sqe.opFlags = IORING_TIMEOUT_MULTISHOT;
      return block;
    },
    decode: ({ res }) => res,
    results: TICKS,
  });
}

/** Closes what an accept gave. */
function closing(fd: number): Op<void> {
  return Op.of({
    opcode: IORING_OP_CLOSE,
    name: "close",
    encode: (sqe) => {
      sqe.prep(IORING_OP_CLOSE, fd, 0, 0, 0);
      return undefined;
    },
    decode: () => {},
  });
}
