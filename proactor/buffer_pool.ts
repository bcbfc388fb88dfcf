/**
 * Buffers to lend: memory that the kernel knows already, handed out and taken back.
 *
 * @module
 */

import { checkInteger, show } from "../ffi/check.ts";
import { isSystemError, type SystemError } from "../ffi/errors.ts";
import { Memory } from "../ffi/memory.ts";
import type { Fd } from "../ops/fd.ts";
import type { Op } from "../ops/op.ts";
import { read, readFixed, write, writeFixed } from "../ops/rw.ts";
import type { ReadWriteOptions } from "../ops/transfer.ts";
import type { Engine } from "./engine.ts";
import {
  buffersInUse,
  usesBuffer,
  whenTablesRest,
  whenUnused,
} from "./in_use.ts";
import { checkBoolean, checkCommon, checkOptions } from "./options.ts";
import { whenAborted } from "./signal.ts";
import { engineOf, Uring } from "./uring.ts";

/** The kernel's `IORING_MAX_REG_BUFFERS`. */
const MOST = 1 << 14;
const LARGEST = 2 ** 30;
/** The index of a buffer that is not registered. */
const UNREGISTERED = -1;

/** Options of a {@linkcode BufferPool}. */
export interface BufferPoolOptions {
  /** How many buffers, 1 to 16384. */
  count: number;
  /** How large each is, in bytes: 1 byte to 1 GiB. */
  size: number;
  /**
   * Whether to register them with the ring, so that the kernel need not look up and pin their
   * pages for each op. Default: true.
   */
  register?: boolean;
}

/** Options of {@linkcode BufferPool.lease}. */
export interface LeaseOptions {
  /** Gives up waiting when it aborts. */
  signal?: AbortSignal | undefined;
}

/** Options of {@linkcode BufferLease.read} and {@linkcode BufferLease.write}. */
export interface LeaseTransferOptions extends ReadWriteOptions {
  /** Where in the buffer the bytes begin. Default: 0. */
  start?: number;
  /** How many bytes. Default: all from `start` on. */
  length?: number;
}

/** A buffer of the pool, lent out or not. */
interface Room {
  memory: Memory;
  /** Its index among the ring's registered buffers. */
  index: number;
}

/** Somebody who waits for a buffer. */
interface Waiter {
  resolve(lease: BufferLease): void;
  reject(error: unknown): void;
}

/**
 * A pool of buffers of one size, for a {@linkcode Uring}: page-aligned memory of the library's
 * own, as O_DIRECT wants it, registered with the ring where RLIMIT_MEMLOCK allows. A buffer is
 * leased, and goes back when the lease is disposed of. If none is free, {@linkcode lease}
 * waits, in order.
 *
 * A lease may be disposed of while an op still uses its memory: nobody else gets that before
 * the op's last completion.
 *
 * A ring has one table of registered buffers: one pool, or `ring.buffers`, has it. See
 * {@linkcode refusal}.
 *
 * @example
 * ```ts
 * import { BufferPool, Uring } from "@uring/uring";
 * import { close, openat } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * await using uring = new Uring();
 * using pool = new BufferPool(uring, { count: 8, size: 65536 });
 * const fd = await uring.submit(openat("/proc/version", 0)); // O_RDONLY
 * {
 *   using lease = await pool.lease();
 *   const count = await uring.submit(lease.read(fd, { offset: 0 }));
 *   const text = new TextDecoder().decode(lease.bytes.subarray(0, count));
 *   assertEquals(text.slice(0, 5), "Linux");
 * }
 * assertEquals(pool.available, 8);
 * await uring.submit(close(fd));
 * ```
 */
export class BufferPool implements Disposable {
  /** How many buffers there are. */
  readonly count: number;
  /** How large each is, in bytes. */
  readonly size: number;
  /**
   * Why the buffers are not registered: ENOMEM over RLIMIT_MEMLOCK, EBUSY if the ring has
   * registered buffers already. Undefined if they are, or were not meant to be.
   */
  readonly refusal: SystemError | undefined;
  readonly #engine: Engine;
  readonly #free: Room[] = [];
  /** Given back, perhaps with ops still using them. */
  readonly #returned: Room[] = [];
  readonly #waiting = new Set<Waiter>();
  readonly #giveBack = (room: Room): void => this.#takeBack(room);
  #registered: boolean;
  #closed = false;

  /**
   * Allocates the buffers, and registers them if the kernel lets it.
   *
   * @throws {TypeError | RangeError} if there can be no such pool.
   * @throws {SystemError} ENOMEM if there is no memory.
   */
  constructor(uring: Uring, options: BufferPoolOptions) {
    if (!(uring instanceof Uring)) {
      throw new TypeError(
        `BufferPool: uring must be a Uring; got ${show(uring)}.`,
      );
    }
    checkOptions("BufferPool", options);
    const { count, size, register = true } = options;
    this.count = checkInteger("BufferPool: count", count, 1, MOST);
    this.size = checkInteger("BufferPool: size", size, 1, LARGEST);
    checkBoolean("BufferPool: register", register);
    this.#engine = engineOf(uring);
    for (let at = 0; at < count; at++) {
      this.#free.push({ memory: new Memory(size), index: UNREGISTERED });
    }
    this.refusal = register ? this.#register() : undefined;
    this.#registered = register && this.refusal === undefined;
  }

  #register(): SystemError | undefined {
    const rooms = this.#free;
    try {
      this.#engine.ring.buffers.register(
        rooms.map(({ memory }) => memory.bytes),
      );
    } catch (error) {
      // Whatever the kernel has against it, the buffers are as good without.
      if (isSystemError(error)) return error;
      throw error;
    }
    for (const [index, room] of rooms.entries()) room.index = index;
    return undefined;
  }

  /** Whether the buffers are registered with the ring. */
  get registered(): boolean {
    return this.#registered;
  }

  /** How many buffers could be leased now. */
  get available(): number {
    this.#sweep();
    return this.#free.length;
  }

  /** How many callers of {@linkcode lease} wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Leases a buffer; waits for one if none is free, behind those who came before. What was in
   * it is still there.
   *
   * @returns the lease. Rejects with the signal's reason, and with a TypeError if the pool is
   * closed or the signal is none.
   */
  async lease(options: LeaseOptions = {}): Promise<BufferLease> {
    checkCommon("BufferPool.lease", options);
    const { signal } = options;
    signal?.throwIfAborted();
    const lease = this.tryLease();
    return lease ?? await this.#wait(signal);
  }

  /**
   * Leases a buffer if one is free; null if none is.
   *
   * @throws {TypeError} if the pool is closed.
   *
   * @example
   * ```ts
   * import { BufferPool, Uring } from "@uring/uring";
   * import { assertEquals } from "@std/assert";
   *
   * await using uring = new Uring();
   * using pool = new BufferPool(uring, { count: 1, size: 4096 });
   * using lease = pool.tryLease();
   * assertEquals(lease?.bytes.length, 4096);
   * assertEquals(pool.tryLease(), null);
   * ```
   */
  tryLease(): BufferLease | null {
    if (this.#closed) throw closed();
    if (this.#free.length === 0) this.#sweep();
    const room = this.#free.pop();
    return room === undefined ? null : new BufferLease(room, this.#giveBack);
  }

  async #wait(signal: AbortSignal | undefined): Promise<BufferLease> {
    if (this.#engine.broken !== undefined) throw this.#engine.broken;
    // Whoever waits is told when the last op on a returned buffer is done.
    for (const room of this.#returned.splice(0)) this.#awaitOps(room);
    const { promise, resolve, reject } = Promise.withResolvers<BufferLease>();
    const waiter: Waiter = { resolve, reject };
    const stopListening = signal === undefined ? undefined : whenAborted(
      signal,
      () => {
        if (this.#waiting.delete(waiter)) reject(signal.reason);
      },
    );
    this.#waiting.add(waiter);
    try {
      return await promise;
    } finally {
      stopListening?.();
    }
  }

  /**
   * A lease is over. Whether an op still uses the memory is looked into when somebody wants it:
   * once for all that were given back.
   */
  #takeBack(room: Room): void {
    const wanted = this.#waiting.size > 0 || this.#closed;
    if (wanted || this.#engine.queued > 0) this.#awaitOps(room);
    else this.#returned.push(room);
  }

  #awaitOps(room: Room): void {
    const { buffer } = room.memory.bytes;
    whenUnused(
      this.#engine,
      (slot) => usesBuffer(slot, buffer),
      (broken) => {
        if (broken === undefined) this.#welcome(room);
        // Nobody can tell what the kernel still writes to: the buffer is not lent again.
        else this.#refuseWaiting(broken);
      },
    );
  }

  #refuseWaiting(reason: unknown): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(reason);
  }

  /** Makes free what was given back and is not in use. */
  #sweep(): void {
    if (this.#returned.length === 0 || this.#engine.broken !== undefined) {
      return;
    }
    const inUse = buffersInUse(this.#engine);
    for (const room of this.#returned.splice(0)) {
      if (inUse.has(room.memory.bytes.buffer)) this.#returned.push(room);
      else this.#welcome(room);
    }
  }

  #welcome(room: Room): void {
    if (room.memory.bytes.buffer.detached) this.#replace(room);
    const [waiter] = this.#waiting;
    if (waiter !== undefined) {
      this.#waiting.delete(waiter);
      waiter.resolve(new BufferLease(room, this.#giveBack));
      return;
    }
    this.#free.push(room);
    if (this.#closed) this.#tearDown();
  }

  /** The memory was transferred away, and is its new owner's. */
  #replace(room: Room): void {
    room.memory = new Memory(this.size);
    const { index } = room;
    const { ring } = this.#engine;
    if (index === UNREGISTERED || ring.closed) return;
    try {
      // Emptied first, so that the limit is not exceeded by one buffer for a moment.
      ring.buffers.update(index, [null]);
      ring.buffers.update(index, [room.memory.bytes]);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      room.index = UNREGISTERED;
    }
  }

  /**
   * Refuses new leases, and frees the memory once the last lease is given back and the last op
   * on it is done. What is leased stays valid until then. Safe to call twice, and after the
   * `Uring` was closed.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#refuseWaiting(closed());
    for (const room of this.#returned.splice(0)) this.#awaitOps(room);
    this.#tearDown();
  }

  #tearDown(): void {
    if (this.#free.length < this.count) return;
    const { ring } = this.#engine;
    if (this.#registered) {
      whenTablesRest(this.#engine, (broken) => {
        if (broken === undefined && !ring.closed) ring.buffers.unregister();
      });
    }
    this.#registered = false;
    for (const { memory } of this.#free.splice(0)) memory.close();
  }

  /** {@linkcode close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function closed(): TypeError {
  return new TypeError("BufferPool.lease: the pool is closed.");
}

/**
 * A buffer of a {@linkcode BufferPool}, for as long as it is needed. It is given back once,
 * when it is disposed of; forgotten, it is lost to the pool.
 */
export class BufferLease implements Disposable {
  #room: Room | undefined;
  readonly #giveBack: (room: Room) => void;

  /** A lease of a buffer. Internal: {@linkcode BufferPool.lease} makes them. */
  constructor(room: Room, giveBack: (room: Room) => void) {
    this.#room = room;
    this.#giveBack = giveBack;
  }

  #leased(): Room {
    if (this.#room === undefined) {
      throw new TypeError(
        "BufferLease: the buffer was given back, and may be somebody else's by now.",
      );
    }
    return this.#room;
  }

  /**
   * The memory, all of it. Not to be used once the lease is over. If it was transferred away
   * it has length 0, and the pool has another one instead after the lease.
   *
   * @throws {TypeError} if the lease is over, as do the others.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#leased().memory.bytes;
  }

  /** The address of the first byte: a multiple of the page size. */
  get address(): number {
    return this.#leased().memory.address;
  }

  /**
   * The buffer's index among the ring's registered buffers, for {@linkcode readFixed} and
   * {@linkcode writeFixed}; -1 if it is not registered.
   */
  get index(): number {
    return this.#leased().index;
  }

  /** Whether the lease is over. */
  get released(): boolean {
    return this.#room === undefined;
  }

  /**
   * A read into the buffer: {@linkcode readFixed} if it is registered, else {@linkcode read}.
   *
   * @throws {TypeError | RangeError} if an argument is wrong, or the lease is over.
   */
  read(fd: Fd, options: LeaseTransferOptions = {}): Op<number> {
    const part = this.#part("read", options);
    const { index } = this;
    return index === UNREGISTERED
      ? read(fd, part, options)
      : readFixed(fd, part, index, options);
  }

  /**
   * A write from the buffer: {@linkcode writeFixed} if it is registered, else {@linkcode
   * write}.
   *
   * @throws {TypeError | RangeError} if an argument is wrong, or the lease is over.
   */
  write(fd: Fd, options: LeaseTransferOptions = {}): Op<number> {
    const part = this.#part("write", options);
    const { index } = this;
    return index === UNREGISTERED
      ? write(fd, part, options)
      : writeFixed(fd, part, index, options);
  }

  #part(
    method: string,
    options: LeaseTransferOptions,
  ): Uint8Array<ArrayBuffer> {
    const { bytes } = this;
    const what = `BufferLease.${method}`;
    checkOptions(what, options);
    const { start = 0, length } = options;
    if (start === 0 && length === undefined) return bytes;
    checkInteger(`${what}: start`, start, 0, bytes.length);
    const rest = bytes.length - start;
    if (length !== undefined) checkInteger(`${what}: length`, length, 0, rest);
    return bytes.subarray(start, start + (length ?? rest));
  }

  /**
   * Gives the buffer back. Safe to call twice. Ops on it that are in flight go on: the buffer
   * is lent again after their last completion.
   */
  release(): void {
    const room = this.#room;
    if (room === undefined) return;
    this.#room = undefined;
    this.#giveBack(room);
  }

  /** {@linkcode release}, for `using`. */
  [Symbol.dispose](): void {
    this.release();
  }
}
