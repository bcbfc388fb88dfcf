/**
 * What the kernel is given of small files: entries, and the memory that they are about.
 *
 * @module
 */

import { statx as layout } from "../ffi/layout.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_RDONLY,
  O_TMPFILE,
  O_WRONLY,
  STATX_BASIC_STATS,
  STATX_BTIME,
} from "../ffi/linux.ts";
import { Memory } from "../ffi/memory.ts";
import { prepOpenat, prepOpenatDirect } from "../ops/open.ts";
import { prepLinkat, prepStatx } from "../ops/path.ts";
import { prepRead, prepWrite } from "../ops/rw.ts";
import type { Sqe } from "../ring/sqe.ts";
import { PathSlots } from "./batch_paths.ts";

/** What a file that is copied here is smaller than, in bytes. */
export const SMALL_FILE: number = 64 * 1024;

/** What holds "/proc/self/fd/2147483647" and a NUL. */
const NAME = 32;
/** By slot, beside its block: a `struct statx`, and the name of a descriptor. */
const ASIDE = layout.size + NAME;
const MASK = STATX_BASIC_STATS | STATX_BTIME;

const encoder = new TextEncoder();

/** Slots for files, each with a place in the ring's table of files. */
export class CopySlots implements Disposable {
  /** Where the kernel writes what it knows of files: see {@linkcode CopySlots.statAt}. */
  readonly view: DataView<ArrayBuffer>;
  /** Whether a descriptor may be linked without a path: before Linux 6.10 root may only. */
  linksDescriptors = true;
  readonly #blocks: Memory;
  readonly #aside: Memory;
  readonly #sources: PathSlots;
  readonly #targets: PathSlots;

  /** So many. */
  constructor(count: number) {
    this.#blocks = new Memory(count * SMALL_FILE);
    this.#aside = new Memory(count * ASIDE);
    this.view = new DataView(this.#aside.bytes.buffer);
    this.#sources = new PathSlots(count);
    this.#targets = new PathSlots(count);
  }

  /** Where the `struct statx` of a slot is. */
  statAt(slot: number): number {
    return slot * ASIDE;
  }

  /** Gives a slot its source. */
  source(slot: number, path: string): void {
    this.#sources.put(slot, path);
  }

  /** Looks at the source. */
  look(sqe: Sqe, slot: number, follows: boolean): void {
    const source = this.#sources.address(slot);
    const target = this.#aside.address + this.statAt(slot);
    const flags = follows ? 0 : AT_SYMLINK_NOFOLLOW;
    prepStatx(sqe, AT_FDCWD, source, flags, MASK, target);
  }

  /** Opens the source, in the place of the slot. */
  open(sqe: Sqe, slot: number, follows: boolean): void {
    const flags = O_RDONLY | (follows ? 0 : O_NOFOLLOW);
    const source = this.#sources.address(slot);
    prepOpenatDirect(sqe, AT_FDCWD, source, flags, 0, slot);
  }

  /** Reads it: one byte more than it should have, so that its end shows. */
  read(sqe: Sqe, slot: number, size: number): void {
    prepRead(sqe, slot, this.#block(slot), size + 1, 0);
  }

  /** Makes a file without a name in a folder. */
  make(sqe: Sqe, slot: number, folder: string, mode: number): void {
    this.#targets.put(slot, folder);
    const flags = O_WRONLY | O_TMPFILE | O_CLOEXEC;
    prepOpenat(sqe, AT_FDCWD, this.#targets.address(slot), flags, mode);
  }

  /** Writes to it what was read. */
  write(sqe: Sqe, slot: number, fd: number, size: number): void {
    prepWrite(sqe, fd, this.#block(slot), size, 0);
  }

  /** Gives it its name. */
  link(sqe: Sqe, slot: number, fd: number, path: string): void {
    this.#targets.put(slot, path);
    const target = this.#targets.address(slot);
    const at = this.statAt(slot) + layout.size;
    const self = this.#aside.address + at;
    const { bytes } = this.#aside;
    if (this.linksDescriptors) {
      bytes[at] = 0;
      prepLinkat(sqe, fd, self, AT_FDCWD, target, AT_EMPTY_PATH);
      return;
    }
    const name = `/proc/self/fd/${fd}\0`;
    encoder.encodeInto(name, bytes.subarray(at, at + NAME));
    prepLinkat(sqe, AT_FDCWD, self, AT_FDCWD, target, AT_SYMLINK_FOLLOW);
  }

  #block(slot: number): number {
    return this.#blocks.address + slot * SMALL_FILE;
  }

  /** Gives the memory back. Nothing may be in flight. */
  [Symbol.dispose](): void {
    this.#sources[Symbol.dispose]();
    this.#targets[Symbol.dispose]();
    this.#blocks.close();
    this.#aside.close();
  }
}
