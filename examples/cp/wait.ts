/**
 * How `cp` waits for its ring: in the kernel.
 *
 * A program that has other things to do is woken by the event loop, which takes its time and has
 * Node's machinery loaded, 35 ms at the first sleep. `cp` has nothing else to do: its thread
 * waits in the ring, and looks up now and then for signals and the progress bar.
 *
 * @module
 */

import type { Wake } from "../../proactor/wake.ts";
import type { Ring } from "../../ring/ring.ts";

/** How long to wait at a time, in milliseconds: a signal has to wait as long. */
const SLICE = 20;

/**
 * Makes a bell for a `Uring` that nobody has to ring.
 *
 * @param onRing called when something is done.
 */
export function waitInKernel(ring: Ring, onRing: () => void): Wake {
  let armed = false;
  let alive = false;
  let turn: ReturnType<typeof setImmediate> | undefined;
  const listen = () => {
    if (armed && alive) turn ??= setImmediate(wait);
  };
  const wait = () => {
    turn = undefined;
    if (!armed || ring.closed) return;
    if (ring.wait(1, { timeout: SLICE }) > 0) onRing();
    listen();
  };
  const disarm = () => {
    armed = false;
    clearImmediate(turn);
    turn = undefined;
  };
  return {
    kind: "ring",
    arm() {
      armed = true;
      listen();
    },
    disarm,
    keepAlive(yes) {
      alive = yes;
      listen();
    },
    close: disarm,
  };
}
