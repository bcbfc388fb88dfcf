/**
 * What a simulated kernel likes to do, of all that a kernel may.
 */

import {
  IORING_OP_CLOSE,
  IORING_OP_NOP,
  IORING_OP_NOP128,
  IORING_OP_RECV,
  IOSQE_ASYNC,
  IOSQE_CQE_SKIP_SUCCESS,
} from "../../ffi/abi.ts";
import { ECONNRESET, EIO, ENOBUFS, EPIPE } from "../../ffi/linux.ts";
import type { Random } from "./random.ts";
import type { Fate, Request } from "./request.ts";

/** Probabilities, 0 to 1. */
export interface Whims {
  /** `enter` answers EINTR: at once, or while it waits. */
  interrupt: number;
  /** `enter` answers EAGAIN. */
  exhaust: number;
  /** `enter` answers EBUSY. */
  busy: number;
  /** `enter` takes no more after an entry. */
  short: number;
  /** ... even in the middle of a chain: then the kernel itself breaks it in two. */
  split: number;
  /** A request is done within the call that submits it. */
  now: number;
  /** A request is never done, unless it is cancelled. */
  never: number;
  /** A request fails. */
  fail: number;
  /** A transfer is shorter than asked for. */
  shorten: number;
  /** A multishot ends without need. */
  drop: number;
  /** A multishot finds no buffers. */
  dry: number;
  /** A cancelled request has to be interrupted first. */
  worker: number;
  /** A request that is to be interrupted goes on: its worker was just leaving it to a poll. */
  shrug: number;
  /** Something happens between two looks. */
  look: number;
  /** Task work is left over for the next call. */
  leave: number;
  /** The thread of an SQPOLL ring goes to sleep when it has nothing to do. */
  doze: number;
  /** A completion of a mixed ring takes 32 bytes. */
  wide: number;
  /** A completion comes that belongs to a request long over. */
  ghost: number;
}

/** Nothing but the ordinary. */
export const tame: Readonly<Whims> = {
  interrupt: 0,
  exhaust: 0,
  busy: 0,
  short: 0,
  split: 0,
  now: 0,
  never: 0,
  fail: 0,
  shorten: 0,
  drop: 0,
  dry: 0,
  worker: 0,
  shrug: 0,
  look: 0,
  leave: 0,
  doze: 0,
  wide: 0,
  ghost: 0,
};

/** How far each whim may go at most. */
const most: Readonly<Whims> = {
  interrupt: 0.3,
  exhaust: 0.3,
  busy: 0.2,
  short: 0.3,
  split: 0.3,
  now: 1,
  never: 0.4,
  fail: 0.5,
  shorten: 0.5,
  drop: 0.3,
  dry: 0.3,
  worker: 0.7,
  shrug: 0.5,
  look: 0.5,
  leave: 0.5,
  doze: 1,
  wide: 1,
  ghost: 0.05,
};

/** Draws a kernel's character: half of the whims it has not, the others more or less. */
export function drawWhims(random: Random): Whims {
  const drawn: Whims = { ...tame };
  for (const name of Object.keys(most) as (keyof Whims)[]) {
    if (random.chance(0.5)) drawn[name] = random.fraction() * most[name];
  }
  return drawn;
}

const failures = [-EIO, -EPIPE, -ECONNRESET];

/** Ops that always end, and well. */
const CERTAIN = new Set([IORING_OP_CLOSE, IORING_OP_NOP, IORING_OP_NOP128]);

/** Draws what becomes of a request, or of the next shot of a multishot. */
export class Fates {
  readonly #random: Random;
  readonly #whims: Whims;
  #unique = 1_000_000;

  /** Fates to a kernel's liking. */
  constructor(random: Random, whims: Whims) {
    this.#random = random;
    this.#whims = whims;
  }

  /** A result that no other request gets. */
  unique(): number {
    return this.#unique++;
  }

  /** What becomes of it. */
  decide(request: Request): Fate {
    const { opcode, treatment } = request;
    if (request.flags & IOSQE_CQE_SKIP_SUCCESS) {
      return { when: "now", res: 0, last: true };
    }
    if (CERTAIN.has(opcode)) {
      return { when: this.#soon(request), res: 0, last: true };
    }
    if (this.#random.chance(this.#whims.never)) {
      return { when: "never", res: 0, last: true };
    }
    const when = this.#soon(request);
    if (treatment === "multishot") return this.#shot(request, when);
    const random = this.#random;
    if (random.chance(this.#whims.fail)) {
      return { when, res: random.pick(failures), last: true };
    }
    const { len } = request;
    const res = treatment === "plain"
      ? this.unique()
      : random.chance(this.#whims.shorten)
      ? random.below(len + 1)
      : len;
    return { when, res, last: true };
  }

  #soon({ flags }: Request): "now" | "later" {
    const now = this.#random.chance(this.#whims.now);
    return now && !(flags & IOSQE_ASYNC) ? "now" : "later";
  }

  #shot({ opcode, posted }: Request, soon: "now" | "later"): Fate {
    // Data does not come without end at once.
    const when = posted.length % 8 === 7 ? "later" : soon;
    const random = this.#random;
    const { dry, fail, drop } = this.#whims;
    if (random.chance(dry)) return { when, res: -ENOBUFS, last: true };
    if (random.chance(fail * 0.3)) {
      return { when, res: random.pick(failures), last: true };
    }
    // Nothing more to receive, ever.
    if (opcode === IORING_OP_RECV && random.chance(0.05)) {
      return { when, res: 0, last: true };
    }
    return { when, res: this.unique(), last: random.chance(drop) };
  }
}
