/**
 * A simulated ring: what the kernel does with the two queues, and when.
 */

import {
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_SQ_WAIT,
  IORING_ENTER_SQ_WAKEUP,
  IORING_OP_NOP128,
  IORING_OP_READ,
  IORING_OP_RECV,
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQE_MIXED,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_IOPOLL,
  IORING_SETUP_SQE_MIXED,
  IORING_SETUP_SQPOLL,
  IORING_SETUP_SUBMIT_ALL,
  IORING_SETUP_TASKRUN_FLAG,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_NEED_WAKEUP,
  IORING_SQ_TASKRUN,
} from "../../ffi/abi.ts";
import type { Block } from "../../ffi/block.ts";
import { EAGAIN, EBUSY, EINTR, ETIME } from "../../ffi/linux.ts";
import { type Posted, type Queues, Violation } from "./queues.ts";
import type { Random } from "./random.ts";
import { type Fate, pattern, Request } from "./request.ts";
import { type Port, Requests } from "./requests.ts";
import type { Whims } from "./whims.ts";

/** What a ring needs of the kernel around it. */
export interface Host {
  readonly random: Random;
  readonly whims: Whims;
  /** The time, in milliseconds. */
  readonly now: number;
  /** Completions that do not fit make `enter` answer EBUSY, as before Linux 5.15. */
  readonly stubborn: boolean;
  decide(request: Request): Fate;
  /** The block at an address; undefined if no taken one begins there. */
  blockAt(address: number): Block | undefined;
  /** Counts the requests of all rings. */
  nextOrder(): number;
  send(request: Request): number;
  /** Has anything happen on any ring; false if nothing will by itself before `deadline`. */
  proceed(deadline: number): boolean;
  note(what: () => string): void;
}

/** Programs enter a few hundred times, seldom thousands. */
const ENDLESS = 100_000;

/** How a wait ends, beside by completions. */
export interface Patience {
  /** The time at which it ends; Infinity for never. */
  deadline: number;
}

const PATIENT: Patience = { deadline: Infinity };

/** A ring, seen from the kernel. */
export class SimulatedRing implements Port {
  readonly random: Random;
  readonly whims: Whims;
  /** The queues; others after a resize. */
  queues: Queues;
  readonly requests: Requests;
  /** Every request taken, in order. */
  readonly journal: Request[] = [];
  /** How often it was entered. */
  enters = 0;
  /** Completions posted for requests long over. */
  ghosts = 0;
  /** What the registered eventfd does. */
  bell: (() => void) | undefined;
  /** From now on the ring cannot be entered: the errno. */
  dead: number | undefined;
  /** The thread of an SQPOLL ring. Dozing, it has said that it sleeps, and looks once more. */
  thread: "none" | "awake" | "dozing" | "asleep" = "none";
  readonly #host: Host;
  readonly #flags: number;
  readonly #mode: "plain" | "cooperative" | "deferred" | "asked";
  #work: (() => void)[] = [];
  #batches = 0;

  /** A ring over fresh queues. */
  constructor(host: Host, queues: Queues) {
    const { flags } = queues.mapping;
    this.#host = host;
    this.#flags = flags;
    this.random = host.random;
    this.whims = host.whims;
    this.queues = queues;
    this.requests = new Requests(this);
    this.#mode = flags & IORING_SETUP_IOPOLL
      ? "asked"
      : flags & IORING_SETUP_DEFER_TASKRUN
      ? "deferred"
      : flags & IORING_SETUP_COOP_TASKRUN
      ? "cooperative"
      : "plain";
    if (flags & IORING_SETUP_SQPOLL) {
      this.thread = "awake";
      if (this.random.chance(this.whims.doze)) this.#doze();
    }
  }

  /** The time, in milliseconds. */
  get now(): number {
    return this.#host.now;
  }

  // --- completions

  /** What becomes of a request. */
  decide(request: Request): Fate {
    return this.#host.decide(request);
  }

  /** A message to another ring. */
  send(request: Request): number {
    return this.#host.send(request);
  }

  /** Posts a completion of a request. */
  post(request: Request, res: number, flags: number, more = false): boolean {
    const { low, high } = request;
    const posted = { low, high, res, flags, big: this.#big(low) };
    if (more && !this.#fits(posted)) return false;
    request.posted.push(posted);
    this.#place(posted);
    return true;
  }

  /** Posts a completion that belongs to no request: a message. */
  receive(low: number, high: number, res: number): void {
    this.work(() => this.#place({ low, high, res, flags: 0, big: undefined }));
  }

  #big(low: number): Posted["big"] {
    const wide = this.#flags & IORING_SETUP_CQE32 ||
      (this.#flags & IORING_SETUP_CQE_MIXED &&
        this.random.chance(this.whims.wide));
    return wide ? [BigInt(low) << 32n, ~BigInt(low) & 0xffffn] : undefined;
  }

  #fits({ big }: Posted): boolean {
    const { queues } = this;
    // Conservative by the padding slot.
    const slots = big !== undefined && this.#flags & IORING_SETUP_CQE_MIXED
      ? 3
      : 1;
    return queues.overflowed.length === 0 &&
      queues.ready + slots <= queues.mapping.cqEntries;
  }

  #place(posted: Posted): void {
    this.#host.note(() =>
      `posts ${posted.high}:${posted.low} res ${posted.res} flags ${posted.flags}`
    );
    const { ready } = this.queues;
    const fits = this.queues.post(posted);
    // Padding alone rings too.
    if (this.queues.ready !== ready) this.#ring();
    if (fits) return;
    this.queues.overflowed.push(posted);
    this.queues.flag(IORING_SQ_CQ_OVERFLOW, true);
  }

  #ring(): void {
    if (this.bell !== undefined && this.queues.bellWanted) this.bell();
  }

  #flush(): void {
    const { queues } = this;
    if (queues.overflowed.length === 0) return;
    const { ready } = queues;
    if (queues.flush()) queues.flag(IORING_SQ_CQ_OVERFLOW, false);
    if (queues.ready !== ready) this.#ring();
  }

  /** Completions are finished at once, or where the ring's flags say. */
  work(action: () => void): void {
    if (this.#mode === "plain") {
      action();
      return;
    }
    this.#work.push(action);
    this.#showWork();
    // The eventfd tells of the first; for the others it has been rung.
    if (this.#mode === "deferred" && this.#work.length === 1) this.#ring();
  }

  #showWork(): void {
    if (this.#flags & IORING_SETUP_TASKRUN_FLAG) {
      this.queues.flag(IORING_SQ_TASKRUN, this.#work.length > 0);
    }
  }

  #runWork(all: boolean): void {
    while (this.#work.length > 0) {
      const leaves = !all && this.random.chance(this.whims.leave);
      const count = leaves ? 1 : this.#work.length;
      for (const action of this.#work.splice(0, count)) action();
      if (leaves) break;
    }
    this.#showWork();
  }

  /** Whether something waits that the program has to enter, or to look, for. */
  get undelivered(): boolean {
    return this.queues.ready > 0 || this.queues.overflowed.length > 0 ||
      this.#work.length > 0;
  }

  /** Whether something will never come unless the program enters. */
  get mustBeAsked(): boolean {
    const deferred = this.#mode === "deferred" || this.#mode === "asked";
    return this.queues.overflowed.length > 0 ||
      (deferred && this.#work.length > 0);
  }

  // --- what happens by itself

  /** The program looks at shared memory: what may have happened just before? */
  look(): void {
    const { random, whims } = this;
    while (this.thread !== "none" && random.chance(0.3)) this.#step();
    if (!random.chance(whims.look)) return;
    this.requests.progress();
    // Any other system call runs the work too.
    if (this.#mode === "cooperative") this.#runWork(false);
    if (random.chance(whims.ghost)) this.#haunt();
  }

  /** Nothing else happens: something does here, if it can. */
  proceed(): boolean {
    if (this.thread !== "none" && this.#step()) return true;
    return this.requests.progress();
  }

  /** The program's thread sleeps: a signal has it run its work, unless that is deferred. */
  settle(): void {
    if (this.#mode === "cooperative") this.#runWork(true);
  }

  #haunt(): void {
    const { journal } = this;
    const past = journal.length === 0 ? undefined : this.random.pick(journal);
    if (!past?.done || past.high !== 0 || this.ghosts >= 10) return;
    const reused = journal.some(({ low, high, done }) =>
      !done && low === past.low && high === 0
    );
    if (reused) return;
    this.ghosts++;
    const { low, high } = past;
    this.#place({ low, high, res: 77, flags: 0, big: this.#big(low) });
  }

  // --- the thread of an SQPOLL ring

  #doze(): void {
    this.thread = "dozing";
    this.queues.flag(IORING_SQ_NEED_WAKEUP, true);
  }

  /** The thread's next step; false if it has nothing to do, or sleeps. */
  #step(): boolean {
    if (this.thread === "asleep") return false;
    const published = this.queues.published;
    if (this.thread === "dozing") {
      // It has said so; what was published before that it must see.
      if (published === 0) this.thread = "asleep";
      else this.#wake();
      return true;
    }
    if (published > 0) {
      this.#submit(published);
      return true;
    }
    if (!this.random.chance(this.whims.doze)) return false;
    this.#doze();
    return true;
  }

  #wake(): void {
    this.thread = "awake";
    this.queues.flag(IORING_SQ_NEED_WAKEUP, false);
  }

  // --- submission

  #submit(offered: number): number {
    const { queues } = this;
    const available = Math.min(offered, queues.published);
    const batch = this.#batches++;
    let slots = 0;
    while (slots < available && !this.#runsShort()) {
      const request = this.#take(slots, available, batch);
      slots += request.words.length > 16 && this.#mixed ? 2 : 1;
      const linked = this.requests.linking || request.linked;
      this.requests.add(request);
      if (
        request.refusal !== 0 && !linked &&
        !(this.#flags & IORING_SETUP_SUBMIT_ALL)
      ) {
        break;
      }
    }
    this.requests.endChain();
    queues.commit(slots);
    return slots;
  }

  #runsShort(): boolean {
    const { short, split } = this.whims;
    return this.random.chance(this.requests.linking ? short * split : short);
  }

  get #mixed(): boolean {
    return (this.#flags & IORING_SETUP_SQE_MIXED) !== 0;
  }

  #take(index: number, available: number, batch: number): Request {
    const { queues } = this;
    let words = queues.entry(index, 1);
    const opcode = (words[0] as number) & 0xff;
    if (this.#mixed && opcode === IORING_OP_NOP128) {
      if (index + 1 >= available) {
        throw new Violation("Half an entry of 128 bytes was published.");
      }
      words = queues.entry(index, 2);
    }
    const request = new Request(words, this.#host.nextOrder(), batch);
    this.journal.push(request);
    this.#point(request);
    this.#host.note(() =>
      `takes ${request.high}:${request.low} op ${request.opcode} fd ${request.fd} ` +
      `flags ${request.flags} batch ${batch}`
    );
    return request;
  }

  /** What an entry points to is read when it is taken. */
  #point(request: Request): void {
    const { treatment, addr } = request;
    if (treatment === "cancel" || treatment === "message" || addr === 0) return;
    request.block = this.#host.blockAt(addr);
    if (treatment !== "timeout" && treatment !== "limit") return;
    if (request.block === undefined) {
      throw new Violation(`A timeout points to memory that nobody holds.`);
    }
    const { view } = request.block;
    request.interval = Number(view.getBigInt64(0, true)) * 1000 +
      Number(view.getBigInt64(8, true)) / 1e6;
  }

  /** Moves the bytes of a transfer; the block must still be the request's. */
  transfer({ block, opcode, fd, addr }: Request, count: number): void {
    if (block === undefined || count < 0) return;
    if (this.#host.blockAt(addr) !== block) {
      throw new Violation(
        `The kernel has yet to move bytes for fd ${fd}, and their block is released.`,
      );
    }
    const reads = opcode === IORING_OP_READ || opcode === IORING_OP_RECV;
    for (let index = 0; index < count; index++) {
      if (reads) block.bytes[index] = pattern(fd, index);
      else if (block.bytes[index] !== pattern(fd, index)) {
        throw new Violation(
          `What was to be sent for fd ${fd} has changed at byte ${index}.`,
        );
      }
    }
  }

  // --- io_uring_enter(2)

  /** Enters the ring. */
  enter(
    toSubmit: number,
    minComplete: number,
    flags: number,
    patience: Patience = PATIENT,
  ): number {
    if (++this.enters > ENDLESS) {
      throw new Violation("The program enters the ring again and again.");
    }
    if (this.dead !== undefined) return -this.dead;
    const answer = this.thread === "none"
      ? this.#enter(toSubmit, minComplete, flags, patience)
      : this.#enterPolled(toSubmit, minComplete, flags, patience);
    if (this.#mode === "cooperative") this.#runWork(false);
    this.#host.note(() =>
      `enter(${toSubmit}, ${minComplete}, ${flags}) = ${answer}`
    );
    return answer;
  }

  #enter(
    toSubmit: number,
    minComplete: number,
    flags: number,
    patience: Patience,
  ): number {
    const { random, whims } = this;
    let taken = 0;
    if (toSubmit > 0) {
      if (random.chance(whims.interrupt)) return -EINTR;
      if (random.chance(whims.busy)) return -EBUSY;
      if (random.chance(whims.exhaust)) return -EAGAIN;
      if (this.#host.stubborn) {
        this.#flush();
        if (this.queues.overflowed.length > 0) return -EBUSY;
      }
      taken = this.#submit(toSubmit);
      // Without having waited, too.
      if (taken !== toSubmit) return taken > 0 ? taken : -EAGAIN;
    }
    if (!(flags & IORING_ENTER_GETEVENTS)) return taken;
    const answer = this.#await(minComplete, patience);
    return taken > 0 ? taken : answer;
  }

  #enterPolled(
    toSubmit: number,
    minComplete: number,
    flags: number,
    patience: Patience,
  ): number {
    if (flags & IORING_ENTER_SQ_WAKEUP) this.#wake();
    if (flags & IORING_ENTER_SQ_WAIT) {
      const { sqEntries } = this.queues.mapping;
      while (this.queues.published === sqEntries && this.#step());
      if (this.queues.published === sqEntries) {
        throw new Violation(
          "The program waits for room that a sleeping thread is to make.",
        );
      }
    }
    if (!(flags & IORING_ENTER_GETEVENTS)) return toSubmit;
    const answer = this.#await(minComplete, patience);
    return toSubmit > 0 ? toSubmit : answer;
  }

  /** Waits for completions. */
  #await(count: number, { deadline }: Patience): number {
    const { queues, random, whims } = this;
    const least = Math.min(count, queues.mapping.cqEntries);
    if (this.#mode === "asked" && this.thread === "none") {
      // The device is not asked while a completion has not been taken.
      this.#flush();
      if (queues.ready > 0) return 0;
    }
    for (;;) {
      this.#runWork(least > 0);
      this.#flush();
      if (queues.ready >= least) return 0;
      const interrupted = random.chance(whims.interrupt);
      if (interrupted || this.now >= deadline) {
        // Some are better than none: then it is no failure.
        return queues.ready > 0 ? 0 : interrupted ? -EINTR : -ETIME;
      }
      if (!this.#host.proceed(deadline)) {
        throw new Violation(
          `The program waits for ${count} completions; ${queues.ready} are there, and ` +
            "no more will ever come.",
        );
      }
    }
  }

  /** Goes on with other queues, and what was in the old ones; false if that does not fit. */
  moveTo(queues: Queues): boolean {
    if (!this.queues.moveTo(queues)) return false;
    this.queues = queues;
    this.#showWork();
    queues.flag(IORING_SQ_CQ_OVERFLOW, queues.overflowed.length > 0);
    return true;
  }
}
