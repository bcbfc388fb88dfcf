/**
 * Cancelling what cannot be cancelled yet.
 *
 * @module
 */

import { IORING_SETUP_SQPOLL } from "../ffi/abi.ts";
import { isSystemError } from "../ffi/errors.ts";
import type { Ring } from "../ring/ring.ts";
import { after } from "./timer.ts";

/** How long to wait until what could not be cancelled is tried again, in milliseconds. */
const RETRY = 5;

/** Whose ops they are. */
interface Owner {
  readonly ring: Ring;
  /** Whether what is queued now waits for everything before it: there are drains. */
  readonly draining: boolean;
  isCancellable(tag: number): boolean;
  cancelByEntry(tag: number): void;
}

/** The ops to cancel as soon as they can be: held up by a drain, or by a link. */
export class Insistence {
  readonly #owner: Owner;
  readonly #tags = new Set<number>();
  /** Stops the timer that tries them again. */
  #stop: (() => void) | undefined;

  /** Nothing to cancel yet. */
  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** How many there are. */
  get size(): number {
    return this.#tags.size;
  }

  /** One more, by its tag. */
  add(tag: number): void {
    this.#tags.add(tag | 0);
  }

  /** Tries them all, and those that are left again in a while. */
  tryAll(byEntry = false): void {
    const owner = this.#owner;
    for (const tag of [...this.#tags]) {
      if (!owner.isCancellable(tag)) this.#tags.delete(tag);
      // To try an entry at every look would be all that is done, and behind a drain it would wait for
      // what it is to cancel.
      else if (!cancelNow(owner.ring, tag) && byEntry && !owner.draining) {
        this.#tags.delete(tag);
        owner.cancelByEntry(tag);
      }
    }
    if (this.#tags.size === 0) {
      this.#stop?.();
      this.#stop = undefined;
    } else {
      // What begins without a completion before it wakes nobody.
      this.#stop ??= after(RETRY, () => {
        this.#stop = undefined;
        if (!owner.ring.closed) this.tryAll(true);
      });
    }
  }
}

/**
 * Cancels an op at once, without an entry in the queue; false if only an entry may reach it: before
 * Linux 6.0, where restrictions forbid it, and where it is with a worker of the kernel's thread, as
 * Linux 6.1 looks at those of ours.
 */
function cancelNow(ring: Ring, tag: number): boolean {
  try {
    const cancelled = ring.cancel({ userData: tag >>> 0, timeout: 0 });
    return cancelled > 0 || (ring.flags & IORING_SETUP_SQPOLL) === 0;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === "EINVAL" || error.code === "EACCES") return false;
    // ETIME: it is told, and on its way to its end.
    if (error.code !== "ETIME") throw error;
    return true;
  }
}
