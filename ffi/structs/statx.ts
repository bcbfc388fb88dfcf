/**
 * `struct statx`: what statx(2) tells of a file.
 *
 * @module
 */

import { statx, statx_timestamp } from "../layout.ts";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  STATX_ATIME,
  STATX_BTIME,
  STATX_CTIME,
  STATX_MTIME,
} from "../linux.ts";

/**
 * What statx(2) tells of a file: the fields of {@linkcode Deno.FileInfo} under their names,
 * and what the kernel knows beyond them. Which fields the kernel filled {@linkcode Statx.mask}
 * says; those that it did not are 0 or null.
 */
export interface Statx {
  /** Whether it is a regular file. */
  isFile: boolean;
  /** Whether it is a directory. */
  isDirectory: boolean;
  /** Whether it is a symbolic link. */
  isSymlink: boolean;
  /** Whether it is a block device. */
  isBlockDevice: boolean;
  /** Whether it is a character device. */
  isCharDevice: boolean;
  /** Whether it is a FIFO. */
  isFifo: boolean;
  /** Whether it is a socket. */
  isSocket: boolean;
  /** The size in bytes. Beyond 2^53 - 1 rounded; {@linkcode sizeBigInt} is exact. */
  size: number;
  /** When the contents changed last, to the millisecond. */
  mtime: Date | null;
  /** When it was read last, to the millisecond. */
  atime: Date | null;
  /** When it was made, to the millisecond; null where the file system does not tell. */
  birthtime: Date | null;
  /** When its metadata changed last, to the millisecond. */
  ctime: Date | null;
  /** The device that holds the file, as stat(2) numbers it. */
  dev: number;
  /** The inode number. Beyond 2^53 - 1 rounded; {@linkcode inoBigInt} is exact. */
  ino: number;
  /** The kind of file and the permissions, as stat(2) has them. */
  mode: number;
  /** How many hard links it has. */
  nlink: number;
  /** The owner's id. */
  uid: number;
  /** The group's id. */
  gid: number;
  /** The device that a device file stands for, as stat(2) numbers it; 0 for others. */
  rdev: number;
  /** The block size that I/O likes best, in bytes. */
  blksize: number;
  /** How much storage it takes, in units of 512 bytes. */
  blocks: number;
  /** Which of the fields the kernel filled, `STATX_*`. */
  mask: number;
  /** The file's attributes, `STATX_ATTR_*`. */
  attributes: bigint;
  /** Which attributes the file system can tell, `STATX_ATTR_*`. */
  attributesMask: bigint;
  /** {@linkcode size}, exact. */
  sizeBigInt: bigint;
  /** {@linkcode ino}, exact. */
  inoBigInt: bigint;
  /** {@linkcode blocks}, exact. */
  blocksBigInt: bigint;
  /** {@linkcode mtime} in nanoseconds since 1970. */
  mtimeNanoseconds: bigint;
  /** {@linkcode atime} in nanoseconds since 1970. */
  atimeNanoseconds: bigint;
  /** {@linkcode birthtime} in nanoseconds since 1970; 0 where the file system does not tell. */
  birthtimeNanoseconds: bigint;
  /** {@linkcode ctime} in nanoseconds since 1970. */
  ctimeNanoseconds: bigint;
  /** The major number of {@linkcode dev}. */
  devMajor: number;
  /** The minor number of {@linkcode dev}. */
  devMinor: number;
  /** The major number of {@linkcode rdev}. */
  rdevMajor: number;
  /** The minor number of {@linkcode rdev}. */
  rdevMinor: number;
  /** The mount's id: `STATX_MNT_ID` (5.8), or `STATX_MNT_ID_UNIQUE` (6.8). */
  mountId: bigint;
  /** The alignment of buffers for O_DIRECT in bytes: `STATX_DIOALIGN` (6.1). 0: no O_DIRECT. */
  dioMemAlign: number;
  /** The alignment of offsets and lengths for O_DIRECT in bytes: `STATX_DIOALIGN` (6.1). */
  dioOffsetAlign: number;
  /** The same for reads alone, where it is smaller: `STATX_DIO_READ_ALIGN` (6.14). */
  dioReadOffsetAlign: number;
  /** The subvolume's id: `STATX_SUBVOL` (6.10). */
  subvolume: bigint;
  /** The smallest untorn write in bytes: `STATX_WRITE_ATOMIC` (6.11). 0: none. */
  atomicWriteUnitMin: number;
  /** The largest untorn write in bytes: `STATX_WRITE_ATOMIC` (6.11). */
  atomicWriteUnitMax: number;
  /** The largest untorn write in bytes that is not slow: `STATX_WRITE_ATOMIC` (6.16). */
  atomicWriteUnitMaxOpt: number;
  /** How many buffers an untorn write may have: `STATX_WRITE_ATOMIC` (6.11). */
  atomicWriteSegmentsMax: number;
}

/**
 * Reads a `struct statx`.
 *
 * @param view where from.
 * @param byteOffset where in it, in bytes.
 *
 * @example
 * ```ts
 * import { readStatx } from "@uring/uring/ffi";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const view = new DataView(new ArrayBuffer(256));
 * view.setUint16(28, 0o100644, true); // stx_mode
 * view.setBigUint64(40, 1234n, true); // stx_size
 * const stat = readStatx(view, 0);
 * assert(stat.isFile);
 * assertEquals([stat.size, stat.sizeBigInt], [1234, 1234n]);
 * ```
 */
export function readStatx(view: DataView, byteOffset: number): Statx {
  const at = byteOffset;
  const mask = u32(view, at + statx.stx_mask);
  const mode = view.getUint16(at + statx.stx_mode, true);
  const format = mode & S_IFMT;
  const sizeBigInt = u64(view, at + statx.stx_size);
  const inoBigInt = u64(view, at + statx.stx_ino);
  const blocksBigInt = u64(view, at + statx.stx_blocks);
  const mtime = at + statx.stx_mtime;
  const atime = at + statx.stx_atime;
  const btime = at + statx.stx_btime;
  const ctime = at + statx.stx_ctime;
  const devMajor = u32(view, at + statx.stx_dev_major);
  const devMinor = u32(view, at + statx.stx_dev_minor);
  const rdevMajor = u32(view, at + statx.stx_rdev_major);
  const rdevMinor = u32(view, at + statx.stx_rdev_minor);
  // One literal: put together from several, the object takes twice the time.
  return {
    isFile: format === S_IFREG,
    isDirectory: format === S_IFDIR,
    isSymlink: format === S_IFLNK,
    isBlockDevice: format === S_IFBLK,
    isCharDevice: format === S_IFCHR,
    isFifo: format === S_IFIFO,
    isSocket: format === S_IFSOCK,
    size: Number(sizeBigInt),
    mtime: (mask & STATX_MTIME) === 0 ? null : date(view, mtime),
    atime: (mask & STATX_ATIME) === 0 ? null : date(view, atime),
    birthtime: (mask & STATX_BTIME) === 0 ? null : date(view, btime),
    ctime: (mask & STATX_CTIME) === 0 ? null : date(view, ctime),
    dev: makedev(devMajor, devMinor),
    ino: Number(inoBigInt),
    mode,
    nlink: u32(view, at + statx.stx_nlink),
    uid: u32(view, at + statx.stx_uid),
    gid: u32(view, at + statx.stx_gid),
    rdev: makedev(rdevMajor, rdevMinor),
    blksize: u32(view, at + statx.stx_blksize),
    blocks: Number(blocksBigInt),
    mask,
    attributes: u64(view, at + statx.stx_attributes),
    attributesMask: u64(view, at + statx.stx_attributes_mask),
    sizeBigInt,
    inoBigInt,
    blocksBigInt,
    mtimeNanoseconds: nanoseconds(view, mtime),
    atimeNanoseconds: nanoseconds(view, atime),
    birthtimeNanoseconds: nanoseconds(view, btime),
    ctimeNanoseconds: nanoseconds(view, ctime),
    devMajor,
    devMinor,
    rdevMajor,
    rdevMinor,
    mountId: u64(view, at + statx.stx_mnt_id),
    dioMemAlign: u32(view, at + statx.stx_dio_mem_align),
    dioOffsetAlign: u32(view, at + statx.stx_dio_offset_align),
    dioReadOffsetAlign: u32(view, at + statx.stx_dio_read_offset_align),
    subvolume: u64(view, at + statx.stx_subvol),
    atomicWriteUnitMin: u32(view, at + statx.stx_atomic_write_unit_min),
    atomicWriteUnitMax: u32(view, at + statx.stx_atomic_write_unit_max),
    atomicWriteUnitMaxOpt: u32(view, at + statx.stx_atomic_write_unit_max_opt),
    atomicWriteSegmentsMax: u32(view, at + statx.stx_atomic_write_segments_max),
  };
}

function u32(view: DataView, byteOffset: number): number {
  return view.getUint32(byteOffset, true);
}

function u64(view: DataView, byteOffset: number): bigint {
  return view.getBigUint64(byteOffset, true);
}

/** The seconds of a `struct statx_timestamp` as a double: exact for 285 million years. */
function seconds(view: DataView, byteOffset: number): number {
  const field = byteOffset + statx_timestamp.tv_sec;
  return view.getInt32(field + 4, true) * 0x1_0000_0000 +
    view.getUint32(field, true);
}

function date(view: DataView, byteOffset: number): Date {
  const field = byteOffset + statx_timestamp.tv_nsec;
  const milliseconds = Math.floor(view.getUint32(field, true) / 1_000_000);
  return new Date(seconds(view, byteOffset) * 1000 + milliseconds);
}

function nanoseconds(view: DataView, byteOffset: number): bigint {
  const { tv_sec, tv_nsec } = statx_timestamp;
  return view.getBigInt64(byteOffset + tv_sec, true) * 1_000_000_000n +
    BigInt(view.getUint32(byteOffset + tv_nsec, true));
}

/** `dev_t` of a device, see makedev(3): the kernel's majors have 12 bits, its minors 20. */
function makedev(major: number, minor: number): number {
  return ((minor & 0xfff00) << 12 | (major & 0xfff) << 8 | minor & 0xff) >>> 0;
}
