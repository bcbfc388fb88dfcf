/**
 * What turns a ring's doorbell on and off.
 *
 * @module
 */

import type { Ring } from "../ring/ring.ts";

/**
 * The switch of a ring's doorbell: whether completions signal its eventfd.
 *
 * Weak: the bell of a forgotten ring is held until a finalizer takes it down, and the ring must not
 * have to wait for that, as it is the next collection that would close it.
 */
export class BellSwitch {
  readonly #ring: WeakRef<Ring>;

  /** A switch that is off, for an eventfd that rings from now on. */
  constructor(ring: Ring, eventfd: number) {
    this.#ring = new WeakRef(ring);
    ring.cq.eventfdEnabled = false;
    ring.eventfd.register(eventfd);
  }

  /** Turns it on or off. */
  turn(on: boolean): void {
    const ring = this.#ring.deref();
    if (ring !== undefined) ring.cq.eventfdEnabled = on;
  }
}
