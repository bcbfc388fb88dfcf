/**
 * One file copied: data, then what else belongs to it, then its name.
 *
 * @module
 */

import { isSystemError, systemError } from "../ffi/errors.ts";
import {
  AT_EMPTY_PATH,
  EEXIST,
  O_CREAT,
  O_DIRECT,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
} from "../ffi/linux.ts";
import type { Statx } from "../ffi/structs/statx.ts";
import { statx } from "../ops/path.ts";
import type { Uring } from "../proactor/uring.ts";
import { copyAttributes } from "./copy_attributes.ts";
import { giveOwnerAndMode, giveTimes, succeed } from "./copy_belongings.ts";
import { lend } from "./copy_buffers.ts";
import { copyData, isSparse, share } from "./copy_data.ts";
import type { CopyOptions } from "./copy_options.ts";
import {
  type Descriptor,
  giveBack,
  openDescriptor,
  openTogether,
} from "./descriptor.ts";
import { checkWritable, Draft, type DraftOptions } from "./draft.ts";
import type { Opening } from "./permission.ts";
import type { FileInfo } from "./stat.ts";
import { readSome, writeFull } from "./transfer.ts";

/** Up to here a file is read whole, and then written: one op for each. */
const SMALL = 256 * 1024;

/** A file to be copied. */
export interface FileCopy {
  /** The ring that runs it. */
  readonly ring: Uring;
  /** Where it is read. */
  readonly from: Opening;
  /** What it is: a regular file, or what can be read like one. */
  readonly info: FileInfo;
  /** Where its copy goes: no symbolic link. */
  readonly to: Opening;
  /** What is there now. */
  readonly exists: FileInfo | undefined;
  /** Whether that may make room. */
  readonly replace: boolean;
  /** The permissions of a new file, less the umask. */
  readonly mode: number;
  /** How. */
  readonly options: Omit<CopyOptions, "progress">;
  /** Called with how many more bytes were copied. */
  readonly progress: ((bytes: number) => void) | undefined;
  /** Whether storage may be shared, of many copies: once it could not be, the others do not try. */
  readonly sharing: { possible: boolean };
}

/**
 * Copies a file; gives how many bytes. Whatever goes wrong, what was at the destination is still
 * there, unless it is written in place.
 */
export async function copyRegular(copy: FileCopy): Promise<number> {
  const { exists, options, replace, to } = copy;
  options.signal?.throwIfAborted();
  if (exists !== undefined && !replace) {
    throw systemError(EEXIST, "openat", { path: to.path });
  }
  const inPlace = exists !== undefined &&
    (options.inPlace === true || !exists.isFile);
  return inPlace ? await copyInPlace(copy) : await copyBeside(copy);
}

async function copyInPlace(copy: FileCopy): Promise<number> {
  const { ring, to, options, exists } = copy;
  const [source, target] = await openTogether(async (waits) => {
    const source = await openSource(copy, waits);
    try {
      const target = await openDescriptor(ring, to, {
        flags: O_WRONLY | O_CREAT | (exists?.isFile === false ? 0 : O_TRUNC),
        mode: copy.mode,
        stay: "passing",
        signal: options.signal,
        waits,
      });
      return [source, target];
    } catch (error) {
      giveBack(source.fd, "passing");
      throw error;
    }
  });
  try {
    const stat = await statOf(copy, source.fd);
    const seekable = target.size >= 0 && exists?.isFile !== false;
    const bytes = await copyData(source.fd, target.fd, {
      ...dataOptions(copy),
      seekable,
    });
    if (seekable) await finish(copy, source.fd, target.fd, stat);
    return bytes;
  } finally {
    giveBack(target.fd, "passing");
    giveBack(source.fd, "passing");
  }
}

async function copyBeside(copy: FileCopy): Promise<number> {
  const { ring, to, exists, options, replace } = copy;
  if (exists !== undefined) await checkWritable(ring, to, options.signal);
  const direct = options.direct === true;
  const draftOptions = {
    mode: exists === undefined ? copy.mode : 0o600,
    flags: direct ? O_DIRECT : 0,
    signal: options.signal,
  };
  const [source, draft] = await openTogether((waits) =>
    both(
      openSource(copy, waits, direct),
      makeDraft(ring, to.path, { ...draftOptions, waits }),
    )
  );
  let open = true;
  const close = () => {
    if (open) giveBack(source.fd, "passing");
    open = false;
  };
  try {
    const stat = await statOf(copy, source.fd);
    const bytes = await copyContents(copy, source, draft.fd);
    if (exists !== undefined) succeed(draft.fd, exists);
    await finish(copy, source.fd, draft.fd, stat);
    close();
    options.signal?.throwIfAborted();
    await draft.publish(replace, exists !== undefined);
    return bytes;
  } catch (error) {
    close();
    await draft.discard();
    throw error;
  }
}

/** Both results; if one fails the other is undone. */
async function both(
  source: Promise<Descriptor>,
  draft: Promise<Draft>,
): Promise<[Descriptor, Draft]> {
  const [opened, made] = await Promise.allSettled([source, draft]);
  if (opened.status === "fulfilled" && made.status === "fulfilled") {
    return [opened.value, made.value];
  }
  if (opened.status === "fulfilled") giveBack(opened.value.fd, "passing");
  if (made.status === "fulfilled") await made.value.discard();
  throw opened.status === "rejected"
    ? opened.reason
    : (made as PromiseRejectedResult).reason;
}

/** Opens the source, around the page cache where that is asked for and can be. */
async function openSource(
  { ring, from, options }: FileCopy,
  waits: boolean,
  direct = false,
): Promise<Descriptor> {
  const { signal } = options;
  const manner = { stay: "passing", signal, waits } as const;
  if (direct) {
    try {
      const flags = O_RDONLY | O_DIRECT;
      return await openDescriptor(ring, from, { ...manner, flags });
    } catch (error) {
      if (!isSystemError(error) || error.code !== "EINVAL") throw error;
    }
  }
  return await openDescriptor(ring, from, { ...manner, flags: O_RDONLY });
}

async function makeDraft(
  ring: Uring,
  path: string,
  options: DraftOptions,
): Promise<Draft> {
  try {
    return await Draft.make(ring, path, options);
  } catch (error) {
    const undirect = isSystemError(error) && error.code === "EINVAL" &&
      (options.flags ?? 0) !== 0;
    if (!undirect) throw error;
    return await Draft.make(ring, path, { ...options, flags: 0 });
  }
}

/** What the source tells before it is read, which changes when it was. */
function statOf(
  { ring, options }: FileCopy,
  fd: number,
): Promise<Statx> | undefined {
  if (options.preserve?.timestamps !== true) return undefined;
  return ring.submit(statx("", { dirfd: fd, flags: AT_EMPTY_PATH }));
}

function dataOptions({ ring, info, options, progress }: FileCopy) {
  const { signal, queueDepth, sparse, reflink } = options;
  return { ring, info, signal, queueDepth, sparse, reflink, progress };
}

async function copyContents(
  copy: FileCopy,
  source: Descriptor,
  target: number,
): Promise<number> {
  const { info, options, progress, sharing } = copy;
  const { sparse, reflink } = options;
  const plain = info.isFile && options.direct !== true &&
    reflink !== "always" && sparse !== "always" && !isSparse(info);
  if (!plain || info.size === 0 || info.size >= SMALL) {
    return await copyData(source.fd, target, {
      ...dataOptions(copy),
      direct: options.direct === true,
    });
  }
  if (reflink !== "never" && sharing.possible) {
    sharing.possible = share(target, source.fd, "auto");
    if (sharing.possible) {
      progress?.(info.size);
      return info.size;
    }
  }
  // It may have grown, or shrunk.
  return await copyAtOnce(copy, source.fd, target) ??
    await copyData(source.fd, target, dataOptions(copy));
}

/** Copies a small file by one read and one write; gives undefined if it has another size by now. */
async function copyAtOnce(
  { ring, info: { size }, options: { signal }, progress }: FileCopy,
  source: number,
  target: number,
): Promise<number | undefined> {
  using loan = await lend(size + 1);
  // A byte more than it has: a read that leaves that free has found the end.
  const room = loan.bytes.subarray(0, size + 1);
  const count = await readSome({ ring, fd: source, signal }, room, 0);
  if (count !== size) return undefined;
  await writeFull({ ring, fd: target, signal }, room.subarray(0, size), 0);
  progress?.(size);
  return size;
}

/** What belongs to a file beside its data. The times come last: all else changes them. */
async function finish(
  { ring, info, options }: FileCopy,
  from: number,
  to: number,
  stat: Statx | undefined,
): Promise<void> {
  const { preserve = {} } = options;
  giveOwnerAndMode(to, info, preserve);
  if (preserve.xattr === true) await copyAttributes(ring, from, to);
  if (stat !== undefined) giveTimes(to, stat);
}
