/**
 * Whether a kernel rings for deferred work. Stable updates of Linux 6.12 (seen in 6.12.117, not in
 * 6.12.105) brought a mistake: the first signal of an eventfd for work that is deferred
 * (`IORING_SETUP_DEFER_TASKRUN`) comes late, and the later ones never. Who sleeps until the bell
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
import { POLLIN } from "../ffi/linux.ts";
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

/** Defers a poll, ends it, and looks whether the bell has rung by then. */
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
  const sqe = deferred.sqe();
  if (sqe === null) throw new Error("unreachable: a new ring has room");
  prepPollAdd(sqe, reader, POLLIN);
  deferred.submit();
  run(plain, write(writer, Uint8Array.of(1)));
  try {
    run(plain, read(bell, new Uint8Array(8)));
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EAGAIN") return false;
    throw error;
  }
}
