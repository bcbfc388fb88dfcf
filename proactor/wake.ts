/**
 * How a ring wakes the event loop.
 *
 * @module
 */

import type { Ring } from "../ring/ring.ts";
import { handleWake, hasHandle } from "./wake_handle.ts";
import { ringWake } from "./wake_ring.ts";

/**
 * A doorbell: once armed, the kernel calls back when there is something to reap. No thread waits
 * for it.
 *
 * The bell of a forgotten `Uring` is taken down by a finalizer, and held until then. If it holds the
 * ring, other than by a WeakRef, that is not closed before the collection after.
 */
export interface Wake {
  /** How it works: `"handle"` or `"ring"`. */
  readonly kind: "handle" | "ring";
  /** From now on completions ring. Whoever arms it looks at the queue once more afterwards. */
  arm(): void;
  /** From now on they do not: while the ring is looked at anyhow, ringing costs for nothing. */
  disarm(): void;
  /** Whether an armed bell keeps the process alive. False at first. */
  keepAlive(yes: boolean): void;
  /** Takes the bell down. */
  close(): void;
}

/** Which doorbell to use: the better one that works, or the one named. */
export type WakeChoice = "auto" | "handle" | "ring";

/**
 * Puts up a doorbell: Node's pipe handle over an eventfd where this runtime lets us at it, else
 * a second ring that writes a byte into a pipe which documented API reads.
 *
 * @param ring the ring whose completions ring.
 * @param onRing called in a turn of the event loop of its own; must not throw.
 */
export function makeWake(
  ring: Ring,
  onRing: () => void,
  choice: WakeChoice,
): Wake {
  const wake = choice === "ring" ? undefined : handleWake(ring, onRing);
  return wake ?? ringWake(ring, onRing);
}

/**
 * Checks a doorbell that was asked for by name.
 *
 * @throws {Error} if this runtime does not have it.
 */
export function checkWake(choice: WakeChoice): void {
  if (choice !== "handle" || hasHandle()) return;
  throw new Error(
    'Uring: wake: "handle" needs process.binding("pipe_wrap"), which this runtime does not ' +
      'have. Leave wake out, or choose "ring".',
  );
}
