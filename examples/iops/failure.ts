/**
 * Why an I/O failed, and what to do about it.
 *
 * @module
 */

import { systemError } from "../../ffi/errors.ts";
import { EINVAL, EOPNOTSUPP } from "../../ffi/linux.ts";
import { asksCache, type Settings } from "./settings.ts";

/** The error of a completion that is not what it should be. */
export function ioError(
  res: number,
  writes: boolean,
  settings: Settings,
): Error {
  const kind = writes ? "write" : "read";
  const name = settings.operation === "nop" ? "nop" : kind;
  if (res < 0) return systemError(-res, name, { hint: hint(-res, settings) });
  return new Error(
    `${name}: ${res} of ${settings.block} bytes: the file became shorter, or the disk is full.`,
  );
}

/** What to do about an errno, with these settings. */
export function hint(errno: number, settings: Settings): string | undefined {
  if (errno === EOPNOTSUPP && settings.polled) {
    return "--polled: this file cannot be polled. Its file system and its device must be able " +
      "to: an NVMe drive with polling queues (nvme.poll_queues=N on the kernel's command line; " +
      "/sys/block/*/queue/io_poll then says 1).";
  }
  if (errno === EOPNOTSUPP && asksCache(settings)) {
    return "The file system does not tell what is in the page cache: say --no-hits.";
  }
  if (errno === EINVAL && settings.direct) {
    return "--direct: the file system may want larger multiples: try --block 4096.";
  }
  return undefined;
}
