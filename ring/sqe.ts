/**
 * The submission queue entry: `struct io_uring_sqe`, 64 or 128 bytes.
 *
 * @module
 */

import { check64, notInteger } from "../ffi/check.ts";

/** What takes the high half of a 64-bit integer down to where the low half was: exact. */
const HIGH_HALF = 2 ** -32;

/** An index in this range cannot overflow when it is added to, so V8 need not check each time. */
const IN_RANGE = 0x0fff_ffff;

/**
 * One submission queue entry, laid over memory. An `Sqe` is a flyweight: a ring has one,
 * which {@linkcode Ring.sqe} moves from entry to entry; what it was moved away from is not
 * lost, only no longer in view. Fill it, then take the next.
 *
 * The properties are the fields of `struct io_uring_sqe`, see io_uring_enter(2): `opcode`, `flags`,
 * `ioprio`, `fd`, `off`, `addr`, `len`, `opFlags`, `userData` (or `tag`, its low 32 bits, which clears
 * the others), `bufIndex`, `personality`, `fileIndex`, `addr3`, `cmd`. Most bytes are unions: `opFlags`
 * is `rw_flags`, `fsync_flags`, `open_flags` and twenty more, `bufIndex` is the group of provided
 * buffers too. The `prepX` functions of `@uring/uring/ops` know which op wants what where.
 *
 * Every setter checks what it is given: TypeError for what is no number, RangeError for a
 * number that the field cannot hold.
 *
 * @example
 * ```ts
 * import { Sqe } from "@uring/uring/ring";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = new Uint8Array(64);
 * const sqe = new Sqe(bytes.buffer);
 * sqe.opcode = 22; // IORING_OP_READ
 * sqe.fd = 3;
 * sqe.userData = 0x1234n;
 * assertEquals([bytes[0], bytes[4], bytes[32], bytes[33]], [22, 3, 0x34, 0x12]);
 * ```
 */
export class Sqe {
  /** The memory that holds the entry, as 32-bit words. The entry begins at {@linkcode base}. */
  declare words: Int32Array<ArrayBufferLike>;
  /** The index in {@linkcode words} of the entry's first word. */
  declare base: number;
  /** The entry's size in bytes: 64, or 128 (`IORING_SETUP_SQE128`). */
  declare readonly byteLength: 64 | 128;

  /**
   * Lays an entry over any memory.
   *
   * @param buffer the memory.
   * @param byteOffset where in it the entry begins; a multiple of 4.
   * @param byteLength 64, or 128 for the entries of `IORING_SETUP_SQE128`.
   * @throws {RangeError} if the entry does not lie within the memory.
   */
  constructor(
    buffer: ArrayBufferLike,
    byteOffset = 0,
    byteLength: 64 | 128 = 64,
  ) {
    if (byteLength !== 64 && byteLength !== 128) {
      throw new RangeError(
        `Sqe: byteLength must be 64 or 128; got ${byteLength}.`,
      );
    }
    if (
      !Number.isInteger(byteOffset) || byteOffset < 0 || byteOffset % 4 !== 0 ||
      byteOffset + byteLength > buffer.byteLength
    ) {
      throw new RangeError(
        `Sqe: an entry of ${byteLength} bytes at byteOffset ${byteOffset} must lie, ` +
          `4-byte aligned, within the buffer of ${buffer.byteLength} bytes.`,
      );
    }
    this.words = new Int32Array(buffer, 0, buffer.byteLength >> 2);
    this.base = byteOffset >> 2;
    this.byteLength = byteLength;
  }

  /** The opcode, `IORING_OP_*`. */
  get opcode(): number {
    return (this.words[this.base] as number) & 0xff;
  }
  set opcode(value: number) {
    if ((value & 0xff) !== value) throw notInteger("sqe.opcode", value, 0, 255);
    const { words, base } = this;
    words[base] = ((words[base] as number) & ~0xff) | value;
  }

  /** The entry's flags, `IOSQE_*`. */
  get flags(): number {
    return ((this.words[this.base] as number) >>> 8) & 0xff;
  }
  set flags(value: number) {
    if ((value & 0xff) !== value) throw notInteger("sqe.flags", value, 0, 255);
    const { words, base } = this;
    words[base] = ((words[base] as number) & ~0xff00) | (value << 8);
  }

  /** The I/O priority, see ioprio_set(2); for sockets the op's own flags. */
  get ioprio(): number {
    return (this.words[this.base] as number) >>> 16;
  }
  set ioprio(value: number) {
    if ((value & 0xffff) !== value) {
      throw notInteger("sqe.ioprio", value, 0, 0xffff);
    }
    const { words, base } = this;
    words[base] = ((words[base] as number) & 0xffff) | (value << 16);
  }

  /** The file descriptor; with `IOSQE_FIXED_FILE` an index in the table of registered files. */
  get fd(): number {
    return this.words[this.base + 1] as number;
  }
  set fd(value: number) {
    if ((value | 0) !== value) {
      throw notInteger("sqe.fd", value, -0x8000_0000, 0x7fff_ffff);
    }
    this.words[this.base + 1] = value;
  }

  /** The offset (`off`, `addr2`, and `cmd_op` in its low half). */
  get off(): bigint {
    return this.get64(2);
  }
  set off(value: number | bigint) {
    this.set64(2, value, "sqe.off");
  }

  /** The address (`addr`, `splice_off_in`, and `level` and `optname` as its halves). */
  get addr(): bigint {
    return this.get64(4);
  }
  set addr(value: number | bigint) {
    this.set64(4, value, "sqe.addr");
  }

  /** The length in bytes, or a number of things: iovecs, buffers, CQEs. */
  get len(): number {
    return (this.words[this.base + 6] as number) >>> 0;
  }
  set len(value: number) {
    if ((value >>> 0) !== value) {
      throw notInteger("sqe.len", value, 0, 0xffff_ffff);
    }
    this.words[this.base + 6] = value;
  }

  /** The op's flags: the union of `rw_flags`, `open_flags`, `msg_flags` and the others. */
  get opFlags(): number {
    return (this.words[this.base + 7] as number) >>> 0;
  }
  set opFlags(value: number) {
    this.setWord(7, value, "sqe.opFlags");
  }

  /** What comes back in the completion's `user_data`. Reads as a bigint. */
  get userData(): bigint {
    return this.get64(8);
  }
  set userData(value: number | bigint) {
    this.set64(8, value, "sqe.userData");
  }

  /** The low 32 bits of {@linkcode userData}, unsigned: what hot loops use. Setting it clears the high ones. */
  get tag(): number {
    return (this.words[this.base + 8] as number) >>> 0;
  }
  set tag(value: number) {
    if ((value >>> 0) !== value) {
      throw notInteger("sqe.tag", value, 0, 0xffff_ffff);
    }
    const { words } = this;
    const base = this.base & IN_RANGE;
    words[base + 8] = value;
    words[base + 9] = 0;
  }

  /** The index of a registered buffer, or the group of provided ones (`buf_index`, `buf_group`). */
  get bufIndex(): number {
    return (this.words[this.base + 10] as number) & 0xffff;
  }
  set bufIndex(value: number) {
    if ((value & 0xffff) !== value) {
      throw notInteger("sqe.bufIndex", value, 0, 0xffff);
    }
    const { words, base } = this;
    words[base + 10] = ((words[base + 10] as number) & ~0xffff) | value;
  }

  /** The personality to run as, from `IORING_REGISTER_PERSONALITY`; 0 for the ring's own. */
  get personality(): number {
    return (this.words[this.base + 10] as number) >>> 16;
  }
  set personality(value: number) {
    if ((value & 0xffff) !== value) {
      throw notInteger("sqe.personality", value, 0, 0xffff);
    }
    const { words, base } = this;
    words[base + 10] = ((words[base + 10] as number) & 0xffff) | (value << 16);
  }

  /** A fixed file's index + 1, or splice's input (`file_index`, `splice_fd_in`, `optlen`, `addr_len`). */
  get fileIndex(): number {
    return (this.words[this.base + 11] as number) >>> 0;
  }
  set fileIndex(value: number) {
    this.setWord(11, value, "sqe.fileIndex");
  }

  /** The third address (`addr3`, `optval`, `attr_ptr`). */
  get addr3(): bigint {
    return this.get64(12);
  }
  set addr3(value: number | bigint) {
    this.set64(12, value, "sqe.addr3");
  }

  /**
   * The command bytes of `IORING_OP_URING_CMD`, as a view: 16 of them, or 80 in an entry of
   * 128 bytes. A view holds on to the ring's memory: fill it at once, do not keep it.
   */
  get cmd(): Uint8Array<ArrayBufferLike> {
    return new Uint8Array(
      this.words.buffer,
      (this.base + 12) * 4,
      this.byteLength - 48,
    );
  }

  /** Sets every byte of the entry to zero. */
  clear(): void {
    const { words, base } = this;
    words.fill(0, base, base + (this.byteLength >> 2));
  }

  /**
   * Writes the five fields that almost every op has, as liburing's `io_uring_prep_rw` does;
   * leaves the others alone. The opcode is written last: an entry whose arguments were
   * refused is still the NOP that {@linkcode Ring.sqe} handed out, and harms nothing.
   */
  prep(
    opcode: number,
    fd: number,
    addr: number | bigint,
    len: number,
    off: number | bigint,
  ): void {
    if (
      (opcode & 0xff) !== opcode || (fd | 0) !== fd || (len >>> 0) !== len ||
      !Number.isSafeInteger(addr) || !Number.isSafeInteger(off)
    ) {
      this.#prepWide(opcode, fd, addr, len, off);
      return;
    }
    const { words } = this;
    const base = this.base & IN_RANGE;
    words[base + 1] = fd;
    words[base + 2] = off as number;
    words[base + 3] = Math.floor((off as number) * HIGH_HALF);
    words[base + 4] = addr as number;
    words[base + 5] = Math.floor((addr as number) * HIGH_HALF);
    words[base + 6] = len;
    words[base] = ((words[base] as number) & ~0xff) | opcode;
  }

  /** {@linkcode prep} for bigints, and for what is wrong. */
  #prepWide(
    opcode: number,
    fd: number,
    addr: number | bigint,
    len: number,
    off: number | bigint,
  ): void {
    this.fd = fd;
    this.set64(2, off, "sqe.off");
    this.set64(4, addr, "sqe.addr");
    this.len = len;
    this.opcode = opcode;
  }

  /** Writes a 32-bit field, signed or unsigned, `index` words into the entry. */
  setWord(index: number, value: number, what: string): void {
    if ((value | 0) !== value && (value >>> 0) !== value) {
      throw notInteger(what, value, -0x8000_0000, 0xffff_ffff);
    }
    this.words[this.base + index] = value;
  }

  /** Writes a 64-bit field, signed or unsigned, `index` words into the entry. */
  set64(index: number, value: number | bigint, what: string): void {
    const { words, base } = this;
    // Two halves from a double cost 1 ns, a BigInt64Array store of BigInt(value) 11.
    if (typeof value === "number" && Number.isSafeInteger(value)) {
      words[base + index] = value;
      words[base + index + 1] = Math.floor(value * HIGH_HALF);
      return;
    }
    const wide = check64(what, value) as bigint;
    words[base + index] = Number(BigInt.asIntN(32, wide));
    words[base + index + 1] = Number(BigInt.asIntN(32, wide >> 32n));
  }

  /** Reads a 64-bit field, unsigned, `index` words into the entry. */
  get64(index: number): bigint {
    const { words, base } = this;
    return (BigInt((words[base + index + 1] as number) >>> 0) << 32n) |
      BigInt((words[base + index] as number) >>> 0);
  }
}
