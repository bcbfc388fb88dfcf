/** The structs of files: `iovec`, `open_how`, `statx`. */

import { assertEquals } from "@std/assert";
import { iovec, open_how, statx } from "../../../ffi/layout.ts";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  STATX_ATIME,
  STATX_BTIME,
  STATX_CTIME,
  STATX_MTIME,
} from "../../../ffi/linux.ts";
import { writeIovec } from "../../../ffi/structs/iovec.ts";
import { writeOpenHow } from "../../../ffi/structs/open_how.ts";
import { readStatx } from "../../../ffi/structs/statx.ts";

/** A view in the middle of memory, filled with what must not be touched. */
function filledView(size: number): [DataView, Uint8Array] {
  const bytes = new Uint8Array(size + 32).fill(0xa5);
  return [new DataView(bytes.buffer, 8), bytes];
}

Deno.test("iovec: address and length, each in 64 bits", () => {
  const [view, bytes] = filledView(iovec.size);
  writeIovec(view, 8, 0x7fff_ffff_f000, 0x1_2345_6789);
  assertEquals(view.getBigUint64(8 + iovec.iov_base, true), 0x7fff_ffff_f000n);
  assertEquals(view.getBigUint64(8 + iovec.iov_len, true), 0x1_2345_6789n);
  assertEquals(bytes.subarray(0, 16), new Uint8Array(16).fill(0xa5));
  assertEquals(bytes.subarray(32), new Uint8Array(16).fill(0xa5));
});

Deno.test("open_how: three words of 64 bits, numbers or bigints", () => {
  const [view, bytes] = filledView(open_how.size);
  writeOpenHow(view, 8, { flags: 2n ** 63n - 1n, mode: 0o644, resolve: 0x3fn });
  assertEquals(view.getBigUint64(8 + open_how.flags, true), 2n ** 63n - 1n);
  assertEquals(view.getBigUint64(8 + open_how.mode, true), 0o644n);
  assertEquals(view.getBigUint64(8 + open_how.resolve, true), 0x3fn);
  assertEquals(bytes.subarray(40), new Uint8Array(16).fill(0xa5));
});

/** A `struct statx` in which every byte of a field is another. */
function statxView(): DataView {
  const view = new DataView(new ArrayBuffer(statx.size + 8), 8);
  for (let i = 0; i < statx.size; i++) view.setUint8(i, (i * 7 + 1) & 0x7f);
  return view;
}

Deno.test("statx: every field is where the layout has it", () => {
  const view = statxView();
  const u32 = (field: number) => view.getUint32(field, true);
  const u64 = (field: number) => view.getBigUint64(field, true);
  const stat = readStatx(view, 0);
  assertEquals(
    [stat.mask, stat.blksize, stat.nlink, stat.uid, stat.gid],
    [
      statx.stx_mask,
      statx.stx_blksize,
      statx.stx_nlink,
      statx.stx_uid,
      statx.stx_gid,
    ].map(u32),
  );
  assertEquals(stat.mode, view.getUint16(statx.stx_mode, true));
  assertEquals(
    [stat.sizeBigInt, stat.inoBigInt, stat.blocksBigInt],
    [statx.stx_size, statx.stx_ino, statx.stx_blocks].map(u64),
  );
  assertEquals(
    [stat.attributes, stat.attributesMask, stat.mountId, stat.subvolume],
    [
      statx.stx_attributes,
      statx.stx_attributes_mask,
      statx.stx_mnt_id,
      statx.stx_subvol,
    ].map(u64),
  );
  assertEquals(
    [stat.devMajor, stat.devMinor, stat.rdevMajor, stat.rdevMinor],
    [
      statx.stx_dev_major,
      statx.stx_dev_minor,
      statx.stx_rdev_major,
      statx.stx_rdev_minor,
    ].map(u32),
  );
  assertEquals(
    [stat.dioMemAlign, stat.dioOffsetAlign, stat.dioReadOffsetAlign],
    [
      statx.stx_dio_mem_align,
      statx.stx_dio_offset_align,
      statx.stx_dio_read_offset_align,
    ].map(u32),
  );
  assertEquals(
    [
      stat.atomicWriteUnitMin,
      stat.atomicWriteUnitMax,
      stat.atomicWriteUnitMaxOpt,
      stat.atomicWriteSegmentsMax,
    ],
    [
      statx.stx_atomic_write_unit_min,
      statx.stx_atomic_write_unit_max,
      statx.stx_atomic_write_unit_max_opt,
      statx.stx_atomic_write_segments_max,
    ].map(u32),
  );
});

Deno.test("statx: read at an offset, nothing of the memory is kept", () => {
  const view = new DataView(new ArrayBuffer(statx.size + 64));
  view.setBigUint64(64 + statx.stx_size, 5n, true);
  const stat = readStatx(view, 64);
  view.setBigUint64(64 + statx.stx_size, 6n, true);
  assertEquals([stat.size, stat.sizeBigInt], [5, 5n]);
});

Deno.test("statx: large numbers are rounded as numbers, exact as bigints", () => {
  const view = new DataView(new ArrayBuffer(statx.size));
  view.setBigUint64(statx.stx_ino, 2n ** 64n - 1n, true);
  view.setBigUint64(statx.stx_size, 2n ** 53n + 1n, true);
  const stat = readStatx(view, 0);
  assertEquals(stat.ino, 2 ** 64);
  assertEquals(stat.inoBigInt, 2n ** 64n - 1n);
  assertEquals(stat.size, 2 ** 53);
  assertEquals(stat.sizeBigInt, 2n ** 53n + 1n);
});

Deno.test("statx: each kind of file is one kind only", () => {
  const kinds: [number, string][] = [
    [S_IFREG, "isFile"],
    [S_IFDIR, "isDirectory"],
    [S_IFLNK, "isSymlink"],
    [S_IFBLK, "isBlockDevice"],
    [S_IFCHR, "isCharDevice"],
    [S_IFIFO, "isFifo"],
    [S_IFSOCK, "isSocket"],
  ];
  for (const [format, name] of kinds) {
    const view = new DataView(new ArrayBuffer(statx.size));
    view.setUint16(statx.stx_mode, format | 0o755, true);
    const stat = readStatx(view, 0);
    const told = Object.entries(stat).filter(([key, value]) =>
      key.startsWith("is") && value === true
    ).map(([key]) => key);
    assertEquals(told, [name]);
    assertEquals(stat.mode, format | 0o755);
  }
});

function setTime(view: DataView, field: number, s: bigint, ns: number): void {
  view.setBigInt64(field, s, true);
  view.setUint32(field + 8, ns, true);
}

Deno.test("statx: times as Dates and in nanoseconds, before 1970 too", () => {
  const view = new DataView(new ArrayBuffer(statx.size));
  const mask = STATX_MTIME | STATX_ATIME | STATX_CTIME | STATX_BTIME;
  view.setUint32(statx.stx_mask, mask, true);
  setTime(view, statx.stx_mtime, 1_700_000_000n, 123_456_789);
  setTime(view, statx.stx_atime, -2n, 500_000_000); // 1.5 s before 1970
  setTime(view, statx.stx_ctime, 0n, 999_999);
  setTime(view, statx.stx_btime, 2n ** 33n, 1_000_000);
  const stat = readStatx(view, 0);
  assertEquals(stat.mtime, new Date(1_700_000_000_123));
  assertEquals(stat.mtimeNanoseconds, 1_700_000_000_123_456_789n);
  assertEquals(stat.atime, new Date(-1500));
  assertEquals(stat.atimeNanoseconds, -1_500_000_000n);
  assertEquals(stat.ctime, new Date(0));
  assertEquals(stat.ctimeNanoseconds, 999_999n);
  assertEquals(stat.birthtime, new Date(2 ** 33 * 1000 + 1));
  assertEquals(stat.birthtimeNanoseconds, 2n ** 33n * 10n ** 9n + 1_000_000n);
});

Deno.test("statx: a time that the file system does not tell is null", () => {
  const view = new DataView(new ArrayBuffer(statx.size));
  view.setUint32(statx.stx_mask, STATX_MTIME, true);
  const { mtime, atime, ctime, birthtime } = readStatx(view, 0);
  assertEquals([mtime, atime, ctime, birthtime], [
    new Date(0),
    null,
    null,
    null,
  ]);
});

Deno.test("statx: device numbers as makedev(3) puts them together", () => {
  const view = new DataView(new ArrayBuffer(statx.size));
  view.setUint32(statx.stx_dev_major, 0xfff, true);
  view.setUint32(statx.stx_dev_minor, 0xf_ffff, true);
  view.setUint32(statx.stx_rdev_major, 8, true);
  view.setUint32(statx.stx_rdev_minor, 0x101, true);
  const stat = readStatx(view, 0);
  assertEquals(stat.dev, 0xffff_ffff);
  assertEquals(stat.rdev, 0x10_0801);
});
