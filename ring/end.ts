/**
 * How to learn that the kernel is done with a ring that is closed: it lets go of the ring's
 * registered files last, once nothing is in flight any more. So one end of a pipe is registered,
 * and when the other end hangs up that has happened.
 *
 * @module
 */

import {
  IORING_REGISTER_FILES,
  IORING_REGISTER_FILES_UPDATE,
} from "../ffi/abi.ts";
import { closeDescriptor, hangsUp, pipePair } from "../ffi/descriptors.ts";
import { isSystemError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { io_uring_rsrc_update as update } from "../ffi/layout.ts";
import { EBUSY } from "../ffi/linux.ts";
import { withBlock, writeAddress } from "./registration/argument.ts";

/** The end of a ring, watched from before it is closed. */
export class RingEnd {
  readonly #reader: number;

  private constructor(reader: number) {
    this.#reader = reader;
  }

  /**
   * Watches for the end of a ring; undefined if that cannot be done: its restrictions forbid it,
   * or the process is out of descriptors.
   */
  static watch(kernel: Kernel, fd: number): RingEnd | undefined {
    let pipe: [reader: number, writer: number];
    try {
      pipe = pipePair();
    } catch (error) {
      if (isSystemError(error)) return undefined;
      throw error;
    }
    const [reader, writer] = pipe;
    const registered = register(kernel, fd, writer);
    closeDescriptor(writer);
    if (registered) return new RingEnd(reader);
    closeDescriptor(reader);
    return undefined;
  }

  /**
   * Waits until the kernel is done with the ring. Only once that is closed, as it would not end.
   *
   * @param patience how long at most, in milliseconds.
   * @returns whether it is.
   */
  wait(patience: number): boolean {
    const ended = hangsUp(this.#reader, patience);
    closeDescriptor(this.#reader);
    return ended;
  }
}

/** Puts a descriptor into the ring's table of files; in place of the first, if there is one. */
function register(kernel: Kernel, fd: number, file: number): boolean {
  return withBlock(4, (files) => {
    files.view.setInt32(0, file, true);
    const opcode = IORING_REGISTER_FILES;
    const result = kernel.register(fd, opcode, files.address, 1);
    return result === -EBUSY ? replace(kernel, fd, files.address) : result >= 0;
  });
}

function replace(kernel: Kernel, fd: number, files: number): boolean {
  return withBlock(update.size, ({ address, view }) => {
    writeAddress(view, update.data, files);
    const opcode = IORING_REGISTER_FILES_UPDATE;
    return kernel.register(fd, opcode, address, 1) === 1;
  });
}
