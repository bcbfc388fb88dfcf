/**
 * Files to test on: temporary directories, descriptors, pipes.
 */

import { O_CLOEXEC, type SystemError } from "../../ffi/mod.ts";
import { libc } from "../../ffi/libc.ts";
import { openat } from "../../ops/open.ts";
import { run } from "../../ops/run.ts";
import type { Ring } from "../../ring/mod.ts";

/** A directory for one test, gone with everything in it at the end of the scope. */
export class TemporaryDirectory implements Disposable {
  /** Its absolute path. */
  readonly path: string = Deno.makeTempDirSync({ prefix: "uring-test-" });

  /** The path of a name in it. */
  join(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Makes a file in it, and returns its path. */
  file(name: string, content: string | Uint8Array = ""): string {
    const path = this.join(name);
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    return path;
  }

  /** Removes it. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A file descriptor, closed at the end of the scope. */
export class Descriptor implements Disposable {
  /** Takes a descriptor over. */
  constructor(readonly fd: number) {}

  /** Closes it. */
  [Symbol.dispose](): void {
    libc().close(this.fd);
  }
}

/** Opens a file on a ring. */
export function open(ring: Ring, path: string, flags: number): Descriptor {
  return new Descriptor(run(ring, openat(path, flags | O_CLOEXEC)));
}

/**
 * Both ends of a pipe, closed at the end of the scope: made by pipe2(2), as the kernel's op is
 * newer than most kernels that the tests run on.
 */
export class Pipe implements Disposable {
  /** The end to read from. */
  readonly reader: number;
  /** The end to write to. */
  readonly writer: number;
  #writerOpen = true;
  #readerOpen = true;

  /** Makes a pipe. `flags` are those of pipe2(2). */
  constructor(flags: number = O_CLOEXEC) {
    const fds = new Int32Array(2);
    if (libc().pipe2(fds, flags) !== 0) throw new Error("pipe2 failed.");
    [this.reader = -1, this.writer = -1] = fds;
  }

  /** Closes the end to write to: what reads gets to the end. */
  closeWriter(): void {
    if (this.#writerOpen) libc().close(this.writer);
    this.#writerOpen = false;
  }

  /** Closes the end to read from: what writes gets EPIPE. */
  closeReader(): void {
    if (this.#readerOpen) libc().close(this.reader);
    this.#readerOpen = false;
  }

  /** Closes both. */
  [Symbol.dispose](): void {
    this.closeReader();
    this.closeWriter();
  }
}

/** Bytes that differ from place to place, so that a block in the wrong place shows. */
export function pattern(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed | 0;
  for (let i = 0; i < words.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** The error that an action throws; it must be one of the kernel's, with this errno's name. */
export function failure(code: string, action: () => unknown): SystemError {
  try {
    action();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === code) {
      return error as SystemError;
    }
    throw error;
  }
  throw new Error(`No error came; ${code} was expected.`);
}
