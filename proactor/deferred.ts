/**
 * Whether a kernel rings for deferred work. Stable updates of Linux 6.12 (6.12.115, not
 * 6.12.113) brought a mistake: the first signal of an eventfd for work that is deferred
 * (`IORING_SETUP_DEFER_TASKRUN`) comes late, and later ones never. Who sleeps until the bell
 * rings would sleep for ever.
 *
 * @module
 */

import {
  IORING_FEAT_NO_IOWAIT,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
} from "../ffi/abi.ts";
import { closeDescriptor, eventfd, pipePair } from "../ffi/descriptors.ts";
import { isSystemError } from "../ffi/errors.ts";
import { POLLIN, RWF_NOWAIT } from "../ffi/linux.ts";
import { prepPollAdd } from "../ops/poll.ts";
import { run } from "../ops/run.ts";
import { read, write } from "../ops/rw.ts";
import { Ring } from "../ring/ring.ts";

let rings: boolean | undefined;

/**
 * Whether completions of a ring with deferred work ring its bell on this kernel. Tried once, and
 * only where the kernel is so old that it may not.
 *
 * @param features of a ring, `IORING_FEAT_*`.
 */
export function deferredWorkRings(features: number): boolean {
  // Linux 6.15 and later: not that old.
  if (features & IORING_FEAT_NO_IOWAIT) return true;
  return rings ??= tryBell();
}

/** Defers work, and looks whether the bell has rung by then; twice, as the first time it may. */
function tryBell(): boolean {
  using parts = new DisposableStack();
  const bell = parts.adopt(eventfd(), closeDescriptor);
  // No eventfd: a bell that rings within the ringing of another is late on every kernel.
  const [reader, writer] = pipePair();
  parts.adopt(reader, closeDescriptor);
  parts.adopt(writer, closeDescriptor);
  const plain = parts.use(new Ring(2));
  const flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const deferred = parts.use(new Ring({ entries: 2, flags }));
  deferred.eventfd.register(bell);
  for (let time = 0; time < 2; time++) {
    const sqe = deferred.sqe();
    if (sqe === null) throw new Error("unreachable: the ring has room");
    prepPollAdd(sqe, reader, POLLIN);
    deferred.submit();
    deferred.cq.eventfdEnabled = true;
    run(plain, write(writer, Uint8Array.of(1)));
    if (!rang(plain, bell)) return false;
    // Taking the completion rings too, on every kernel.
    deferred.cq.eventfdEnabled = false;
    deferred.wait(1);
    deferred.forEachCqe(() => {});
    run(plain, read(reader, new Uint8Array(1)));
  }
  return true;
}

/** Whether an eventfd was signalled; it is at 0 afterwards. */
function rang(ring: Ring, bell: number): boolean {
  try {
    run(ring, read(bell, new Uint8Array(8), { flags: RWF_NOWAIT }));
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EAGAIN") return false;
    throw error;
  }
}
