/**
 * What turns a ring's doorbell on and off.
 *
 * @module
 */

import {
  IORING_FEAT_RECVSEND_BUNDLE,
  IORING_SETUP_DEFER_TASKRUN,
} from "../ffi/abi.ts";
import type { Ring } from "../ring/ring.ts";

/**
 * The switch of a ring's doorbell: whether completions signal its eventfd.
 *
 * Weak: the bell of a forgotten ring is held until a finalizer takes it down, and the ring must not
 * have to wait for that, as it is the next collection that would close it.
 */
export class BellSwitch {
  readonly #ring: WeakRef<Ring>;
  readonly #eventfd: number;
  readonly #forgetful: boolean;
  #registered = false;

  /** A switch that is off, for an eventfd that rings from now on. */
  constructor(ring: Ring, eventfd: number) {
    this.#ring = new WeakRef(ring);
    this.#eventfd = eventfd;
    this.#forgetful = isForgetful(ring);
    ring.cq.eventfdEnabled = false;
    this.#register(ring);
  }

  /** Turns it on or off. */
  turn(on: boolean): void {
    const ring = this.#ring.deref();
    if (ring === undefined) return;
    if (on && this.#forgetful) this.#register(ring);
    ring.cq.eventfdEnabled = on;
  }

  #register(ring: Ring): void {
    if (this.#registered) ring.eventfd.unregister();
    this.#registered = false;
    ring.eventfd.register(this.#eventfd);
    this.#registered = true;
  }
}

/**
 * Whether the bell must be registered anew each time, which takes a microsecond. An eventfd cannot be
 * signalled from within the signal of another, on which an op of the ring waits: the kernel puts it off
 * by some milliseconds. Linux 6.18 does so once for each registration, and then drops the signals; 6.1
 * and 7.2 do not. Only deferred work is signalled from there.
 */
function isForgetful({ flags, features }: Ring): boolean {
  // Linux 6.10 and later: the mistake came with 6.11 or 6.12.
  return (flags & IORING_SETUP_DEFER_TASKRUN) !== 0 &&
    (features & IORING_FEAT_RECVSEND_BUNDLE) !== 0;
}
