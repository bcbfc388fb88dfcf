/**
 * The options of a ring for settings.
 *
 * @module
 */

import {
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
} from "../../ffi/abi.ts";
import { isSystemError } from "../../ffi/errors.ts";
import type { RingOptions } from "../../ring/options.ts";
import { Ring } from "../../ring/ring.ts";
import type { Settings } from "./settings.ts";

/** The modes of a ring, as the library calls them. */
export function ringOptions(
  settings: Settings,
  attachTo: number | undefined,
): RingOptions {
  const { depth, sqpoll, sqpollCpu, idle, polled, hybrid } = settings;
  const options: RingOptions = { entries: depth };
  if (sqpoll) {
    // Its thread may complete a queue full of entries before it says that they are taken.
    options.entries = Math.min(2 * depth, 32768);
    options.sqpoll = true;
    options.sqThreadIdle = idle;
    if (sqpollCpu >= 0) options.sqThreadCpu = sqpollCpu;
  }
  if (polled) options.iopoll = hybrid ? "hybrid" : true;
  if (settings.workers) {
    const { workerCount: bounded } = settings;
    options.workers = bounded === 0 ? true : { bounded };
  }
  const { registeredRing } = settings;
  if (registeredRing !== null) options.registerRingFd = registeredRing;
  if (attachTo !== undefined) options.attachTo = attachTo;
  return options;
}

/** A ring that one thread drives: with deferred task work, where the kernel has it (Linux 6.1). */
export function makeRing(
  settings: Settings,
  attachTo: number | undefined,
): Ring {
  const options = ringOptions(settings, attachTo);
  if (settings.sqpoll || !settings.deferred) return new Ring(options);
  const flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  try {
    return new Ring({ ...options, flags });
  } catch (error) {
    if (!isSystemError(error) || error.code !== "EINVAL") throw error;
    return new Ring(options);
  }
}
