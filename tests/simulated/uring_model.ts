/**
 * What may come back of a `Uring`: judged by what the simulated kernel did, and by what was asked
 * for. An outcome that neither explains fails the program.
 */

import { assert, assertEquals } from "@std/assert";
import { IORING_OP_CLOSE } from "../../ffi/abi.ts";
import { isSystemError } from "../../ffi/errors.ts";
import { ECANCELED, EINTR, ETIME } from "../../ffi/linux.ts";
import { TimeoutError } from "../../proactor/mod.ts";
import type { Abort } from "./abort.ts";
import type { SimulatedKernel } from "./kernel.ts";
import type { Request } from "./request.ts";
import type { SimulatedRing } from "./ring.ts";
import {
  AGAIN,
  type Kind,
  Mistake,
  type StreamKind,
  type Tally,
  TICKS,
} from "./works.ts";

/** What was asked for beside an op. */
export interface Asked {
  abort: Abort | undefined;
  /** In milliseconds. */
  timeout: number | undefined;
}

/** An op that was given to a `Uring`. */
export interface OpRecord extends Asked {
  readonly id: number;
  readonly kind: Kind;
  readonly tally: Tally;
  /** Whether the `Uring` was closed already. */
  readonly refused: boolean;
  /** When that was. */
  readonly at: number;
  outcome: PromiseSettledResult<unknown> | undefined;
}

/** A chain that was. */
export interface ChainRecord extends Asked {
  readonly ops: readonly OpRecord[];
  readonly hard: boolean;
  readonly refused: boolean;
  outcome: PromiseSettledResult<unknown> | undefined;
}

/** A stream. */
export interface StreamRecord {
  readonly id: number;
  readonly kind: StreamKind;
  readonly abort: Abort | undefined;
  readonly delivered: number[];
  /** Calls of `next()` that have not been answered. */
  waiting: number;
  /** Whether the consumer was told of the end. */
  told: boolean;
  /** Whether the consumer left. */
  left: boolean;
}

/** The judge of one `Uring`. */
export class Model {
  /** Whether it was told to close. */
  closing = false;
  readonly #kernel: SimulatedKernel;
  readonly #ring: SimulatedRing;
  readonly #byId = new Map<number, Request[]>();
  #indexed = 0;

  /** A judge that believes the kernel. */
  constructor(kernel: SimulatedKernel, ring: SimulatedRing) {
    this.#kernel = kernel;
    this.#ring = ring;
  }

  /** What the kernel took for an op, in order: several times for a stream. */
  requests(id: number): readonly Request[] {
    const { journal } = this.#ring;
    for (; this.#indexed < journal.length; this.#indexed++) {
      const request = journal[this.#indexed] as Request;
      if (request.high !== 0 || request.opcode === IORING_OP_CLOSE) continue;
      const known = this.#byId.get(request.fd);
      if (known === undefined) this.#byId.set(request.fd, [request]);
      else known.push(request);
    }
    return this.#byId.get(id) ?? [];
  }

  /** Whether an error is that of a ring that cannot be entered any more. */
  #isBroken(reason: unknown): boolean {
    return this.#ring.dead !== undefined && isSystemError(reason) &&
      reason.errno === this.#ring.dead;
  }

  #isClosed(reason: unknown): boolean {
    return this.closing && isSystemError(reason) &&
      reason.errno === ECANCELED && reason.message.includes("was closed");
  }

  // --- single ops

  /** Judges the outcome of an op. */
  judge(record: OpRecord, outcome: PromiseSettledResult<unknown>): void {
    const { id, kind } = record;
    const requests = this.requests(id);
    const what = `${kind} ${id}: ${describe(outcome)}`;
    const request = lastOf(kind, requests, what);
    if (outcome.status === "rejected" && this.#isBroken(outcome.reason)) return;
    if (request === undefined) {
      assert(
        this.#mayBeUnsent(record, outcome),
        `${what}, but it was not sent`,
      );
      return;
    }
    assert(request.done, `${what}, but the kernel is not done with it`);
    const res = request.posted[0]?.res;
    assert(res !== undefined, `${what}, but the kernel gave no result`);
    const good = res >= 0 || (kind === "timer" && res === -ETIME);
    const wanted = `${what}, but the kernel said ${res}`;
    if (!good) {
      assert(outcome.status === "rejected", wanted);
      assertEquals(record.tally.decoded, 0, wanted);
      this.#judgeFailure(record, request, res, outcome.reason, wanted);
    } else if (kind === "undecodable") {
      assert(isMistake(outcome), wanted);
    } else {
      assert(outcome.status === "fulfilled" && outcome.value === res, wanted);
      assertEquals(record.tally.decoded, 1, wanted);
    }
  }

  #mayBeUnsent(
    record: OpRecord,
    outcome: PromiseSettledResult<unknown>,
  ): boolean {
    if (outcome.status === "fulfilled") return false;
    const { reason } = outcome;
    if (record.refused) return reason instanceof TypeError;
    return isMistake(outcome) || this.#isClosed(reason) ||
      isReason(record, reason) || this.#timedOut(record, reason);
  }

  #timedOut({ timeout, at }: OpRecord, reason: unknown): boolean {
    return timeout !== undefined && reason instanceof TimeoutError &&
      this.#kernel.now >= at + timeout;
  }

  #judgeFailure(
    record: OpRecord,
    request: Request,
    res: number,
    reason: unknown,
    wanted: string,
  ): void {
    const plain = isSystemError(reason) && reason.errno === -res &&
      !(reason instanceof TimeoutError);
    if (res !== -ECANCELED && res !== -EINTR) {
      assert(plain, wanted);
      return;
    }
    const { cause } = request;
    assert(cause !== undefined, `${wanted}: cancelled, though nobody asked`);
    const asked = isReason(record, reason) || this.#isClosed(reason) ||
      this.#timedOut(record, reason);
    // Another op of the chain failed; or this one was told apart from a timeout that came too late.
    const alone = record.abort?.signal.aborted !== true && !this.closing &&
      cause !== "time";
    const taken = plain && cause === "link";
    assert(asked || taken, `${wanted}: cancelled for another reason`);
    assert(!alone || taken || record.timeout !== undefined, wanted);
  }

  // --- chains

  /** Judges a chain as a whole, and each of its ops. */
  judgeChain(
    { ops, refused, abort, hard }: ChainRecord,
    outcome: PromiseSettledResult<unknown>,
  ): void {
    const what = `chain of ${ops.map(({ id }) => id)}: ${describe(outcome)}`;
    if (refused) {
      const type = outcome.status === "rejected" &&
        outcome.reason instanceof TypeError;
      assert(type, what);
      return;
    }
    const sent = ops.map(({ id }) => this.requests(id)[0]);
    for (const [position, request] of sent.entries()) {
      const before = position === 0 ? null : sent[position - 1];
      assert(
        request === undefined
          ? before === undefined || position === 0
          : request.previous === before,
        `${what}: the chain was broken at ${position}`,
      );
      if (before && !hard) this.#judgeLink(before, request as Request, what);
    }
    this.#judgeResults(ops, abort, outcome, what);
  }

  #judgeLink(before: Request, request: Request, what: string): void {
    const failed = (before.posted[0]?.res ?? 0) < 0;
    const res = request.posted[0]?.res ?? 0;
    assert(!failed || res < 0, `${what}: an op ran behind one that failed`);
  }

  #judgeResults(
    ops: readonly OpRecord[],
    abort: Abort | undefined,
    outcome: PromiseSettledResult<unknown>,
    what: string,
  ): void {
    if (outcome.status === "fulfilled") {
      const values = outcome.value as unknown[];
      for (const [position, op] of ops.entries()) {
        this.judge(op, { status: "fulfilled", value: values[position] });
      }
      return;
    }
    const reason = outcome.reason as {
      position?: number;
      results?: PromiseSettledResult<unknown>[];
    };
    if (abort?.signal.aborted && abort.signal.reason === reason) return;
    if (this.#isBroken(reason)) return;
    const { position, results } = reason;
    assert(results !== undefined && position !== undefined, what);
    const named = results[position];
    assert(named?.status === "rejected" && named.reason === reason, what);
    for (const [position, op] of ops.entries()) {
      // An op that cannot be encoded keeps the others from being sent.
      this.judge(op, results[position] as PromiseSettledResult<unknown>);
    }
  }

  // --- streams

  /** What the kernel gave a stream so far, in order. */
  given({ id, kind }: StreamRecord): number[] {
    return this.requests(id).flatMap(({ posted }) =>
      posted.map(({ res }) => res)
    ).filter((res) =>
      kind === "receive"
        ? res > 0
        : kind === "ticks"
        ? res === -ETIME
        : res >= 0
    );
  }

  /** Judges what `next()` gave. */
  judgeNext(
    stream: StreamRecord,
    outcome: PromiseSettledResult<IteratorResult<number>>,
  ): void {
    const { id, kind, delivered, abort } = stream;
    const what = `${kind} stream ${id}: ${describe(outcome)}`;
    if (outcome.status === "fulfilled" && outcome.value.done !== true) {
      const { value } = outcome.value;
      const given = this.given(stream);
      assertEquals(value, given[delivered.length], `${what}, not in order`);
      delivered.push(value);
      return;
    }
    if (outcome.status === "rejected") {
      const { reason } = outcome;
      const aborted = abort?.signal.aborted && reason === abort.signal.reason;
      const failed = isSystemError(reason) &&
        this.requests(id).some(({ final }) => final?.res === -reason.errno);
      assert(
        aborted || failed || this.#isClosed(reason) || this.#isBroken(reason),
        what,
      );
    } else {
      const ended = kind === "ticks"
        ? this.given(stream).length >= TICKS
        : this.requests(id).some(({ final }) => final?.res === 0);
      assert(ended || stream.left || stream.told, `${what}, for no reason`);
    }
    stream.told = true;
  }

  // --- the whole

  /** Single ops reach the kernel in the order they were submitted in. */
  judgeOrder(records: readonly OpRecord[]): void {
    let last = -1;
    for (const { id, kind } of records) {
      const [request] = this.requests(id);
      if (request === undefined) continue;
      assert(request.order > last, `${kind} ${id} went before its turn`);
      last = request.order;
    }
  }

  /** What was accepted is taken by the consumer, or closed: once. */
  judgeAccepted(streams: readonly StreamRecord[]): void {
    const closed = new Map<number, number>();
    for (const { opcode, fd } of this.#ring.journal) {
      if (opcode === IORING_OP_CLOSE) closed.set(fd, (closed.get(fd) ?? 0) + 1);
    }
    for (const stream of streams) {
      if (stream.kind !== "accept") continue;
      const taken = new Set(stream.delivered);
      for (const fd of this.given(stream)) {
        const times = (closed.get(fd) ?? 0) + (taken.has(fd) ? 1 : 0);
        assertEquals(times, 1, `what stream ${stream.id} accepted as ${fd}`);
        closed.delete(fd);
      }
    }
    assertEquals([...closed.keys()], [], "closed, but never accepted");
  }

  /** The kernel's own count agrees. */
  get taken(): number {
    return this.#ring.journal.filter(({ high }) => high === 0).length;
  }
}

/** The request that decides; undefined if it was not sent, or was to be sent again and was not. */
function lastOf(
  kind: Kind,
  requests: readonly Request[],
  what: string,
): Request | undefined {
  const [first, second] = requests;
  const again = kind === "again" && first?.posted[0]?.res === AGAIN;
  const most = again ? 2 : 1;
  assert(requests.length <= most, `${what}, but it was submitted twice`);
  return again ? second : first;
}

function isReason({ abort }: Asked, reason: unknown): boolean {
  return abort?.signal.aborted === true && reason === abort.signal.reason;
}

function isMistake(outcome: PromiseSettledResult<unknown>): boolean {
  return outcome.status === "rejected" && outcome.reason instanceof Mistake;
}

/** An outcome in a few words. */
export function describe(
  outcome: PromiseSettledResult<unknown> | undefined,
): string {
  if (outcome === undefined) return "pending";
  return outcome.status === "fulfilled"
    ? `gave ${JSON.stringify(outcome.value)}`
    : `failed with ${outcome.reason}`;
}
