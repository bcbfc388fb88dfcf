/**
 * The system calls of a ring: with which descriptor they are made, and with which flags.
 *
 * @module
 */

import {
  IORING_ENTER_NO_IOWAIT,
  IORING_ENTER_REGISTERED_RING,
  IORING_FEAT_REG_REG_RING,
  IORING_REGISTER_USE_REGISTERED_RING,
} from "../ffi/abi.ts";
import { type SystemError, systemError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import type { Remains } from "./close.ts";
import { enterHint, passes } from "./enter_error.ts";
import type { Registrar } from "./registrar.ts";
import {
  registerRingFd,
  tryRingFd,
  unregisterRingFd,
} from "./registration/ring_fd.ts";

/** A ring that entered the kernel this often is busy enough to take one of its thread's places. */
const BUSY_ENTERS = 64;

/** The calls of one ring. */
export class Calls {
  // Constants to V8, unlike #fields, see submission_queue.ts.
  declare private readonly kernel: Kernel;
  declare private enterFd: number;
  declare private enterFlags: number;
  /** How many times io_uring_enter(2) was called. */
  declare enters: number;
  readonly #remains: Remains;
  readonly #features: number;
  /** What io_uring_register(2) is called with: the descriptor, or its registered index and a flag. */
  #registerFd: number;
  #registerFlag = 0;
  /** Who wanted the descriptor registered: nobody so far, the ring itself, its user; or not to be. */
  #ringFdUse: "none" | "busy" | "asked" | "never" = "none";

  /** The calls of a ring that was just made. */
  constructor(remains: Remains) {
    const { fd, features } = remains.mapping;
    this.kernel = remains.kernel;
    this.enterFd = fd;
    this.enterFlags = 0;
    this.enters = 0;
    this.#remains = remains;
    this.#features = features;
    this.#registerFd = fd;
  }

  /** io_uring_enter(2); what it answers. */
  enter(toSubmit: number, minComplete: number, flags: number): number {
    if (++this.enters === BUSY_ENTERS) this.#registerBusy();
    return this.kernel.enter(
      this.enterFd,
      toSubmit,
      minComplete,
      flags | this.enterFlags,
    );
  }

  /** For calls that hand over nothing: an interrupted one is made again by whoever looks next. */
  enterRetrying(toSubmit: number, minComplete: number, flags: number): void {
    const answer = this.enter(toSubmit, minComplete, flags);
    if (!passes(answer)) throw enterError(-answer);
  }

  /** {@linkcode enter} with an argument of so many bytes, `IORING_ENTER_EXT_ARG`. */
  enterWith(
    toSubmit: number,
    minComplete: number,
    flags: number,
    argument: number,
    size: number,
  ): number {
    if (++this.enters === BUSY_ENTERS) this.#registerBusy();
    return this.kernel.enter2(
      this.enterFd,
      toSubmit,
      minComplete,
      flags | this.enterFlags,
      BigInt(argument),
      BigInt(size),
    );
  }

  /** io_uring_register(2); what it answers. */
  register(opcode: number, argument: number, count: number): number {
    return this.kernel.register(
      this.#registerFd,
      (opcode | this.#registerFlag) >>> 0,
      argument,
      count,
    );
  }

  /** Whether waits count as waits for I/O. */
  setIowait(enabled: boolean): void {
    if (enabled) this.enterFlags &= ~IORING_ENTER_NO_IOWAIT;
    else this.enterFlags |= IORING_ENTER_NO_IOWAIT;
  }

  /** Registers the ring's descriptor, see `Ring.registerRingFd`. */
  registerRingFd(ring: Registrar): void {
    if (this.#ringFdUse !== "busy") {
      this.#useRingFd(registerRingFd(ring, this.#remains.ringFd));
    }
    this.#ringFdUse = "asked";
  }

  /** The descriptor is not to be registered unless somebody asks for it. */
  keepPlain(): void {
    this.#ringFdUse = "never";
  }

  /**
   * Deno has many threads, so that each enter on a plain descriptor counts a reference up and
   * down: 80 ns. A ring that is busy gets a place while there are any; where there are none,
   * before Linux 5.18, or if restrictions forbid it, the descriptor does.
   */
  #registerBusy(): void {
    if (this.#ringFdUse !== "none") return;
    const index = tryRingFd(this.kernel, this.enterFd);
    if (index < 0) return;
    this.#useRingFd(index);
    this.#ringFdUse = "busy";
  }

  #useRingFd(index: number): void {
    this.#remains.ringFd = index;
    this.enterFd = index;
    this.enterFlags |= IORING_ENTER_REGISTERED_RING;
    if (this.#features & IORING_FEAT_REG_REG_RING) {
      this.#registerFd = index;
      this.#registerFlag = IORING_REGISTER_USE_REGISTERED_RING;
    }
  }

  /** Gives the descriptor's place with its thread back, see `Ring.unregisterRingFd`. */
  unregisterRingFd(ring: Registrar): void {
    const asked = this.#ringFdUse === "asked";
    const index = asked ? this.#remains.ringFd : -1;
    unregisterRingFd(ring.register.bind(ring), index);
    this.#remains.ringFd = -1;
    this.#ringFdUse = "never";
    this.enterFd = ring.fd;
    this.enterFlags &= ~IORING_ENTER_REGISTERED_RING;
    this.#registerFd = ring.fd;
    this.#registerFlag = 0;
  }
}

/** The error for an errno of io_uring_enter(2). */
export function enterError(errno: number): SystemError {
  return systemError(errno, "io_uring_enter", { hint: enterHint(errno) });
}
