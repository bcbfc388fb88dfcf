/**
 * The data of one open file into another.
 *
 * @module
 */

import { isSystemError } from "../../ffi/errors.ts";
import { cloneFile } from "../../ffi/inode.ts";
import { libc } from "../../ffi/libc.ts";
import { F_GETFL, F_SETFL, O_DIRECT } from "../../ffi/linux.ts";
import type { Statx } from "../../ffi/structs/statx.ts";
import { copyData } from "../../fs/copy_data.ts";
import { read, write } from "../../ops/rw.ts";
import type { Session } from "./session.ts";

/** Up to here a file is read whole, and then written: one op for each. */
const SMALL = 64 * 1024;

/** Two open files, and what is known of the first. */
export interface Ends {
  /** To be read. */
  from: number;
  /** What is known of it. */
  source: Statx;
  /** To be written, empty. */
  to: number;
  /** Whether that can be written in any order. */
  seekable: boolean;
}

/** A copy that could not be made by sharing storage, though `--reflink` insists. */
export class NotCloned extends Error {}

/**
 * Copies all data.
 *
 * @throws {SystemError} whose `op` tells whether reading or writing failed.
 * @throws {NotCloned} if `--reflink=always` cannot be had.
 */
export async function transfer(session: Session, ends: Ends): Promise<void> {
  const { uring, signal, progress, settings } = session;
  const { from, to, source, seekable } = ends;
  const { sparse, reflink, queueDepth } = settings;
  if (isPlain(session, ends) && await copySmall(session, ends)) return;
  // A descriptor learns of O_DIRECT only now: whether the file system can, shows here.
  const direct = settings.direct && seekable && source.isFile &&
    source.size > 0 && setDirect(from) && setDirect(to);
  try {
    // Of what is no regular file nothing can be shared: the kernel says why.
    if (reflink === "always" && !source.isFile) cloneFile(to, from);
    await copyData(from, to, {
      ring: uring,
      signal,
      queueDepth,
      sparse,
      reflink,
      direct,
      info: source,
      seekable,
      waits: session.single,
      progress: (bytes) => progress.bytes(bytes),
    });
  } catch (error) {
    const insists = isSystemError(error) && error.op === "ficlone";
    throw insists ? new NotCloned("", { cause: error }) : error;
  }
}

/** Whether nothing has to be considered but the data. */
function isPlain({ settings }: Session, { source, seekable }: Ends): boolean {
  const { size, blocks, isFile } = source;
  return isFile && seekable && size > 0 && size <= SMALL &&
    size <= blocks * 512 && settings.sparse !== "always" &&
    settings.reflink !== "always" && !settings.direct;
}

/** Buffers of small files, for the next ones: a byte longer than they are, so that the end shows. */
const free: Uint8Array<ArrayBuffer>[] = [];

/**
 * Copies a small file by one read and one write. False, and nothing written, if it has another
 * length than was thought.
 */
async function copySmall(
  { uring, progress }: Session,
  { from, to, source }: Ends,
): Promise<boolean> {
  const { size } = source;
  const room = free.pop() ?? new Uint8Array(SMALL + 1);
  const bytes = room.subarray(0, size + 1);
  const count = await uring.submit(read(from, bytes, { offset: 0 }));
  for (let done = 0; count === size && done < size;) {
    const rest = bytes.subarray(done, size);
    done += await uring.submit(write(to, rest, { offset: done }));
  }
  free.push(room);
  if (count !== size) return false;
  progress.bytes(size);
  return true;
}

/** Turns O_DIRECT on; false where the file system has none. */
function setDirect(fd: number): boolean {
  const flags = libc().fcntl(fd, F_GETFL, 0);
  return libc().fcntl(fd, F_SETFL, flags | O_DIRECT) >= 0;
}
