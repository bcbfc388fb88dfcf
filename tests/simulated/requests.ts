/**
 * What becomes of requests between submission and completion: links, drains, timeouts,
 * cancellation, multishots, zero-copy sends.
 */

import {
  IORING_CQE_F_MORE,
  IORING_CQE_F_NOTIF,
  IORING_OP_FSYNC,
  IORING_OP_READ,
  IORING_OP_WRITE,
  IORING_TIMEOUT_MULTISHOT,
  IOSQE_ASYNC,
  IOSQE_CQE_SKIP_SUCCESS,
  IOSQE_IO_DRAIN,
  IOSQE_IO_HARDLINK,
} from "../../ffi/abi.ts";
import {
  EALREADY,
  ECANCELED,
  EINTR,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  ETIME,
} from "../../ffi/linux.ts";
import type { Random } from "./random.ts";
import type { Cause, Fate, Request } from "./request.ts";
import type { Whims } from "./whims.ts";

/** What requests need of their ring. */
export interface Port {
  readonly random: Random;
  readonly whims: Whims;
  /** The time, in milliseconds. */
  readonly now: number;
  /** What is to become of a request. */
  decide(request: Request): Fate;
  /** Posts a completion. With `more`, only if there is room for it: false if there is none. */
  post(request: Request, res: number, flags: number, more?: boolean): boolean;
  /** Runs something where completions are finished: at once, or when the ring next does. */
  work(action: () => void): void;
  /** Moves the bytes of a transfer. */
  transfer(request: Request, count: number): void;
  /** Delivers a message to another ring. */
  send(request: Request): number;
}

/** The requests in flight of a ring. */
export class Requests {
  /** Every request whose last completion has not been posted, oldest first. */
  readonly inFlight: Set<Request> = new Set();
  /** Whether `IOSQE_IO_DRAIN` works: not after an entry without a completion. */
  drainable = true;
  readonly #port: Port;
  /** Those that may come to an end at any time. */
  readonly #ready: Request[] = [];
  readonly #timed = new Set<Request>();
  /** Heads of chains that wait for those before them. */
  readonly #drained: Request[] = [];
  #undraining = false;
  /** The chain that is being put together. */
  #head: Request | null = null;
  #tail: Request | null = null;
  #broken = false;

  /** No requests yet. */
  constructor(port: Port) {
    this.#port = port;
  }

  /** Whether a chain is being put together. */
  get linking(): boolean {
    return this.#head !== null;
  }

  /** Takes a request in; a chain starts when its last request is in. */
  add(request: Request): void {
    this.inFlight.add(request);
    const tail = this.#tail;
    request.refusal = this.#refusal(request);
    if (request.refusal !== 0) this.#broken = true;
    else if (request.treatment === "limit" && tail !== null) {
      tail.limit = request;
      request.limited = tail;
    }
    if (request.limited === null) {
      if (tail !== null) {
        tail.next = request;
        request.previous = tail;
      }
      this.#head ??= request;
      this.#tail = request;
    }
    if (!request.linked) this.endChain();
  }

  /** The call is over: what would be linked further is not. */
  endChain(): void {
    const head = this.#head;
    const broken = this.#broken;
    this.#head = this.#tail = null;
    this.#broken = false;
    if (head === null) return;
    if (broken) this.#fail(head);
    else if (this.#mustWait(head)) this.#drained.push(head);
    else this.#issue(head);
  }

  #refusal({ treatment, flags }: Request): number {
    if (flags & IOSQE_CQE_SKIP_SUCCESS) this.drainable = false;
    if (flags & IOSQE_IO_DRAIN && !this.drainable) return -EOPNOTSUPP;
    const alone = this.#tail === null || this.#tail.limit !== null;
    const refused = treatment === "unknown" ||
      (treatment === "limit" && alone);
    return refused ? -EINVAL : 0;
  }

  // --- drains

  #mustWait(head: Request): boolean {
    return this.#drained.length > 0 || this.#drains(head);
  }

  #drains(head: Request): boolean {
    let drain = false;
    for (let at: Request | null = head; at !== null; at = at.next) {
      drain ||= (at.flags & IOSQE_IO_DRAIN) !== 0;
    }
    const [oldest] = this.inFlight;
    return drain && oldest !== undefined && oldest.order < head.order;
  }

  /** Not from within itself: of thousands that wait each one's end would lead to the next. */
  #undrain(): void {
    if (this.#undraining) return;
    this.#undraining = true;
    for (;;) {
      const [head] = this.#drained;
      if (head === undefined || this.#drains(head)) break;
      this.#drained.shift();
      this.#port.work(() => this.#issue(head));
    }
    this.#undraining = false;
  }

  // --- running

  #issue(request: Request): void {
    if (request.done) return;
    const { limit } = request;
    request.state = "running";
    // Of what a worker does, Linux 6.18 limits the time only when that has done it.
    const late = beginsInWorker(request) && this.#port.random.chance(0.5);
    if (limit !== null && !late) this.#time(limit);
    switch (request.treatment) {
      case "cancel":
        return this.#end(
          request,
          this.cancelNamed(
            request.words[4] as number,
            request.words[5] as number,
          ),
        );
      case "message":
        return this.#end(request, this.#port.send(request));
      case "timeout":
        request.repeats = request.opFlags & IORING_TIMEOUT_MULTISHOT
          ? request.off || Infinity
          : 1;
        return this.#time(request);
      default:
        this.#follow(request, this.#port.decide(request));
    }
  }

  #follow(request: Request, fate: Fate): void {
    request.fate = fate;
    if (fate.when === "now") this.#deliver(request);
    else if (fate.when === "later") this.#ready.push(request);
  }

  #time(request: Request): void {
    request.state = "running";
    request.due = this.#port.now + request.interval;
    this.#timed.add(request);
  }

  /** One request goes on; false if none can by itself. */
  progress(): boolean {
    if (this.#ready.length === 0) return false;
    const request = this.#port.random.take(this.#ready);
    if (request.state !== "notifying") request.state = "ending";
    this.#port.work(() => this.#deliver(request));
    return true;
  }

  /** Ends what would never end, by hand: the requests for a file. */
  complete(fd: number, res: number): void {
    for (const request of [...this.inFlight]) {
      if (request.fd !== fd || request.state !== "running") continue;
      request.fate = { when: "later", res, last: true };
      request.state = "ending";
      this.#port.work(() => this.#deliver(request));
    }
  }

  /** When the next time is over; Infinity if none runs. */
  get nextDue(): number {
    let next = Infinity;
    for (const { due } of this.#timed) next = Math.min(next, due);
    return next;
  }

  /** Ends what has run out of time. */
  tick(): void {
    const over = [...this.#timed].filter(({ due }) => due <= this.#port.now)
      .sort((a, b) => a.due - b.due);
    for (const request of over) {
      // One that is over may have ended another.
      if (!this.#timed.delete(request)) continue;
      request.state = "ending";
      this.#port.work(() => this.#expire(request));
    }
  }

  #expire(request: Request): void {
    if (request.done) return;
    if (request.limited !== null) {
      const answer = this.#cancel(request.limited, "time");
      this.#end(request, answer === 0 ? -ETIME : answer);
      return;
    }
    request.repeats--;
    const again = request.repeats > 0 && request.cause === undefined &&
      this.#port.post(request, -ETIME, IORING_CQE_F_MORE, true);
    if (again) this.#time(request);
    else this.#end(request, -ETIME);
  }

  #deliver(request: Request): void {
    if (request.done) return;
    const { fate, treatment, state } = request;
    if (state === "notifying") {
      this.#end(request, 0, IORING_CQE_F_NOTIF);
    } else if (treatment === "multishot") {
      this.#shoot(request);
    } else {
      if (treatment !== "plain") this.#port.transfer(request, fate.res);
      this.#end(request, fate.res);
    }
  }

  #shoot(request: Request): void {
    const { res, last } = request.fate;
    // Without room for one more the kernel stops: the result is the last.
    if (last || !this.#port.post(request, res, IORING_CQE_F_MORE, true)) {
      this.#end(request, res);
    } else if (request.cause !== undefined) {
      this.#end(request, -ECANCELED);
    } else {
      request.state = "running";
      this.#follow(request, this.#port.decide(request));
    }
  }

  // --- the end

  #end(request: Request, res: number, flags = 0): void {
    const { port, failed } = { port: this.#port, failed: fails(request, res) };
    if (request.treatment === "send" && request.state !== "notifying") {
      const noted = request.state !== "waiting" && port.random.chance(0.8);
      if (noted) return this.#sent(request, res, failed);
    }
    const notified = request.state === "notifying";
    request.state = "done";
    this.inFlight.delete(request);
    this.#timed.delete(request);
    const skipped = !failed && (request.flags & IOSQE_CQE_SKIP_SUCCESS) !== 0;
    if (!skipped) port.post(request, res, flags);
    if (!notified) this.#advance(request, failed);
    this.#undrain();
  }

  /** The result of a zero-copy send: of the buffer the notification tells. */
  #sent(request: Request, res: number, failed: boolean): void {
    request.state = "notifying";
    this.#port.post(request, res, IORING_CQE_F_MORE);
    this.#ready.push(request);
    this.#advance(request, failed);
  }

  #advance({ limit, next, flags }: Request, failed: boolean): void {
    // One whose time is over already finds out by itself.
    if (limit?.state === "running" || limit?.state === "waiting") {
      this.#end(limit, -ECANCELED);
    }
    if (next === null) return;
    if (failed && !(flags & IOSQE_IO_HARDLINK)) this.#fail(next);
    else this.#port.work(() => this.#issue(next));
  }

  /** A chain that never starts, or starts no more. */
  #fail(head: Request): void {
    const chain: Request[] = [];
    for (let at: Request | null = head; at !== null; at = at.next) {
      chain.push(at);
      if (at.limit !== null) chain.push(at.limit);
    }
    for (const request of chain) {
      if (request.done) continue;
      request.cause = "link";
      request.state = "done";
      this.inFlight.delete(request);
      this.#port.post(request, request.refusal || -ECANCELED, 0);
    }
    this.#undrain();
  }

  // --- cancellation

  /**
   * Cancels the first request with this `user_data`, given by its halves.
   *
   * @returns 0, or a negated errno: ENOENT if it is not found, EALREADY if it has to end by itself.
   */
  cancelNamed(low: number, high: number): number {
    for (const target of this.inFlight) {
      const { words, treatment, state } = target;
      // What waits behind a link or a drain the kernel does not find.
      const found = words[8] === low && words[9] === high &&
        treatment !== "limit" && treatment !== "cancel" && state !== "waiting";
      if (found) return this.#cancel(target, "asked");
    }
    return -ENOENT;
  }

  #cancel(target: Request, cause: Cause): number {
    const { random, whims } = this.#port;
    const repeated = target.treatment === "multishot" || target.repeats > 1;
    if (target.state === "interrupted") return -EALREADY;
    if (target.state === "ending" && repeated) {
      target.cause = cause;
      return 0;
    }
    if (target.state !== "running") {
      return target.state === "ending" && random.chance(0.5)
        ? -EALREADY
        : -ENOENT;
    }
    const at = this.#ready.indexOf(target);
    const slips = at < 0 && target.treatment !== "timeout";
    if (slips && random.chance(whims.shrug)) return -EALREADY;
    target.cause = cause;
    this.#timed.delete(target);
    if (target.treatment !== "timeout" && random.chance(whims.worker)) {
      target.state = "interrupted";
      const given = at < 0 ? -EINTR : target.fate.res;
      const res = random.pick([-EINTR, -ECANCELED, given]);
      target.fate = { when: "later", res, last: true };
      if (at < 0) this.#ready.push(target);
      return -EALREADY;
    }
    if (at >= 0) this.#ready.splice(at, 1);
    target.state = "ending";
    this.#port.work(() => target.done || this.#end(target, -ECANCELED));
    return 0;
  }

  /** Cancels everything that can be; says how much. Nobody waits for its end. */
  cancelAll(): number {
    let count = 0;
    for (const request of [...this.inFlight]) {
      const found = request.state === "running" &&
        request.treatment !== "limit";
      if (found && this.#cancel(request, "close") === 0) count++;
    }
    return count;
  }
}

function beginsInWorker({ opcode, flags }: Request): boolean {
  return opcode === IORING_OP_FSYNC ||
    (flags & (IOSQE_ASYNC | IOSQE_IO_DRAIN)) !== 0;
}

/** Whether a result breaks a chain of links. */
function fails({ opcode, len }: Request, res: number): boolean {
  const short = (opcode === IORING_OP_READ || opcode === IORING_OP_WRITE) &&
    res !== len;
  return res < 0 || short;
}
