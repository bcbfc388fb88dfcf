/**
 * Messages of sendmsg and recvmsg: header, iovecs, address and control messages in one block.
 *
 * @module
 */

import { type Block, takeBlock } from "../ffi/block.ts";
import { notInteger } from "../ffi/check.ts";
import { iovec } from "../ffi/layout.ts";
import type { View } from "../ffi/memory.ts";
import { MSGHDR_SIZE, writeMsghdr } from "../ffi/structs/msghdr.ts";
import { checkBuffer, checkIntact } from "./arguments.ts";
import { checkBuffers, writeIovecs } from "./vectored.ts";

/** Everything in the block begins at a multiple of this. */
const ALIGNMENT = 8;

/** Checks one buffer or several, and returns a list that nobody else changes. */
export function messageBuffers(
  what: string,
  buffers: View | readonly View[],
): readonly View[] {
  return ArrayBuffer.isView(buffers)
    ? [checkBuffer(what, buffers)]
    : checkBuffers(what, buffers);
}

/** What a message is made of, and where in its block each part lies. */
export class MessageLayout {
  /** The buffers, in their order. */
  readonly buffers: readonly View[];
  /** How long the socket address is, or how much room it has. */
  readonly nameLength: number;
  /** How long the control messages are, or how much room they have. */
  readonly controlLength: number;
  /** Where the socket address begins, in bytes. */
  readonly name: number;
  /** Where the control messages begin, in bytes. */
  readonly control: number;
  readonly #iovecs: number;
  readonly #lengths: readonly number[];

  /**
   * Lays a message out.
   *
   * @param iovecs how many iovecs to leave room for. Default: one for each buffer.
   */
  constructor(
    buffers: readonly View[],
    nameLength: number,
    controlLength: number,
    iovecs: number = buffers.length,
  ) {
    this.buffers = buffers;
    this.nameLength = nameLength;
    this.controlLength = controlLength;
    this.name = MSGHDR_SIZE + iovecs * iovec.size;
    this.control = this.name + Math.ceil(nameLength / ALIGNMENT) * ALIGNMENT;
    this.#iovecs = iovecs;
    this.#lengths = buffers.map((buffer) => buffer.byteLength);
  }

  /** Takes a block, with header and iovecs written; the other parts are the caller's to fill. */
  take(): Block {
    const block = takeBlock(this.control + this.controlLength);
    try {
      writeIovecs(block.view, MSGHDR_SIZE, this.buffers);
    } catch (error) {
      block.release();
      throw error;
    }
    block.keep = this.buffers;
    const { address } = block;
    writeMsghdr(block.view, 0, {
      name: this.nameLength === 0 ? 0 : address + this.name,
      nameLength: this.nameLength,
      iov: address + MSGHDR_SIZE,
      iovLength: this.#iovecs,
      control: this.controlLength === 0 ? 0 : address + this.control,
      controlLength: this.controlLength,
    });
    return block;
  }

  /** Notices buffers that were transferred away while the kernel used them. */
  checkIntact(op: string): void {
    this.buffers.forEach((buffer, i) =>
      checkIntact(op, buffer, this.#lengths[i] as number)
    );
  }
}

/** A block with the header of a multishot receive: of the parts, it has only how much room they get. */
export function roomBlock(nameLength: number, controlLength: number): Block {
  const block = takeBlock(MSGHDR_SIZE);
  const parts = { name: 0, iov: 0, iovLength: 0, control: 0 };
  writeMsghdr(block.view, 0, { ...parts, nameLength, controlLength });
  return block;
}

/**
 * The 32 bits that an entry has for a C `size_t`.
 *
 * @throws {RangeError} if it needs more, which C would cut off.
 */
export function length32(what: string, length: number | bigint): number {
  const number = typeof length === "bigint" ? Number(length) : length;
  if ((number >>> 0) !== number) {
    throw notInteger(what, length, 0, 0xffff_ffff);
  }
  return number;
}
