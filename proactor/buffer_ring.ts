/**
 * Provided buffers as leases: the kernel chooses a buffer when it has something to put into it,
 * the program has it for as long as it looks, and then it goes back.
 *
 * @module
 */

import { checkInteger, show } from "../ffi/check.ts";
import { isSystemError } from "../ffi/errors.ts";
import { MAX_TRANSFER } from "../ops/arguments.ts";
import type { Fd } from "../ops/fd.ts";
import { type Completion, type Held, Op } from "../ops/op.ts";
import type { Received } from "../ops/provided.ts";
import { type ReceiveMultishotOptions, recvMultishot } from "../ops/receive.ts";
import type { BufRing, BufRingOptions } from "../ring/registration/buf_ring.ts";
import type { Ring } from "../ring/ring.ts";
import type { Sqe } from "../ring/sqe.ts";
import type { Engine } from "./engine.ts";
import { addGroup, type BufferGroup, hasGroup, removeGroup } from "./groups.ts";
import { usesGroup, whenUnused } from "./in_use.ts";
import { checkBoolean, checkOptions } from "./options.ts";
import { type Part, ProvidedBuffers } from "./provided.ts";
import { engineOf, Uring } from "./uring.ts";

const GROUPS = 1 << 16;

/** Options of a {@linkcode BufferRing}. */
export interface BufferRingOptions {
  /** How many buffers: a power of two, 1 to 32768. */
  entries: number;
  /** How large each is, in bytes. */
  bufferSize: number;
  /** The group's number, 0 to 65535. Default: the first that is free. */
  group?: number;
  /**
   * Whether a buffer takes one result behind the other until it is full, so that small ones
   * do not use up a buffer each (`IOU_PBUF_RING_INC`). Since Linux 6.12. Default: false.
   *
   * For what arrives, on sockets and pipes. Of a regular file, and whatever a worker does, a read with
   * a `length` takes all of that although fewer bytes may come, and only the kernel knows: run such ones
   * one at a time.
   */
  incremental?: boolean;
  /**
   * With `incremental`: a buffer with fewer bytes left than this is used up. For messages: of one
   * that is larger than what is left only the beginning is received, and where not even the rooms of
   * `recvmsgMultishot` fit, that ends with EFAULT. Since Linux 7.1, and in late stable
   * versions of older ones. Default: 1.
   */
  minLeft?: number;
}

/**
 * A ring of provided buffers for a {@linkcode Uring}. Ops that name its {@linkcode group} take
 * a buffer when there is something to put into it, so that ten thousand idle connections hold
 * none. What they give is leased: {@linkcode receive} and {@linkcode leasing} make ops whose
 * results are leases, {@linkcode take} makes one of a {@linkcode Received}. A lease that is
 * disposed of gives its buffer back, once.
 *
 * A stream over such an op gives back what nobody took when its loop is left, and one that
 * found no buffer goes on as soon as one comes back.
 *
 * Since Linux 5.19, see io_uring_setup_buf_ring(3).
 *
 * @example
 * ```ts
 * import { BufferRing, Uring } from "@uring/uring";
 * import { opcodes, pipe, close, readMultishot, write } from "@uring/uring/ops";
 * import { assertEquals } from "@std/assert";
 *
 * await using uring = new Uring();
 * if (opcodes.pipe.supported()) { // Linux 6.16; buffer rings need 5.19, multishot reads 6.7
 *   using buffers = new BufferRing(uring, { entries: 8, bufferSize: 4096 });
 *   const [reader, writer] = await uring.submit(pipe());
 *   await uring.submit(write(writer, new TextEncoder().encode("hello")));
 *   await uring.submit(close(writer));
 *
 *   let text = "";
 *   const op = buffers.leasing(readMultishot(reader, { bufferGroup: buffers.group }));
 *   for await (using lease of uring.stream(op)) {
 *     text += new TextDecoder().decode(lease.bytes);
 *   }
 *   assertEquals(text, "hello");
 *   await uring.submit(close(reader));
 * }
 * ```
 */
export class BufferRing implements Disposable {
  /** The group's number: `bufferGroup` of the ops that take from it. */
  readonly group: number;
  /** How many buffers there are. */
  readonly entries: number;
  /** How large each is, in bytes. */
  readonly bufferSize: number;
  /** Whether a buffer takes one result behind the other. */
  readonly incremental: boolean;
  readonly #engine: Engine;
  readonly #registered: BufRing;
  readonly #leases: Leases;

  /**
   * Allocates the buffers and provides them.
   *
   * @throws {TypeError | RangeError} if there can be no such ring of buffers.
   * @throws {SystemError} EEXIST if the group has buffers already, EINVAL before Linux 5.19,
   * ENOMEM if there is no memory.
   */
  constructor(uring: Uring, options: BufferRingOptions) {
    if (!(uring instanceof Uring)) {
      throw new TypeError(
        `BufferRing: uring must be a Uring; got ${show(uring)}.`,
      );
    }
    checkOptions("BufferRing", options);
    const { entries, bufferSize, group, incremental = false } = options;
    const { minLeft = 0 } = options;
    checkInteger("BufferRing: bufferSize", bufferSize, 1, MAX_TRANSFER);
    checkBoolean("BufferRing: incremental", incremental);
    checkInteger("BufferRing: minLeft", minLeft, 0, bufferSize);
    const { ring } = uring;
    const registered = group === undefined
      ? register(ring, { entries, incremental, minLeft })
      : ring.setupBufRing({ entries, incremental, minLeft, group });
    this.group = registered.group;
    this.entries = entries;
    this.bufferSize = bufferSize;
    this.incremental = incremental;
    this.#engine = engineOf(uring);
    this.#registered = registered;
    try {
      const buffers = new ProvidedBuffers(registered, bufferSize);
      this.#leases = new Leases(buffers, () => this.#used);
    } catch (error) {
      registered.unregister();
      throw error;
    }
    ring.keep.add(this.#leases.memories);
    addGroup(ring, this.group, this.#leases);
  }

  /** Whether an op in flight takes from the buffers. */
  get #used(): boolean {
    const { group } = this;
    return [...this.#engine.slots()].some((slot) => usesGroup(slot, group));
  }

  /** How many buffers are the program's just now: with results that were not given back. */
  get leased(): number {
    return this.#leases.out;
  }

  /**
   * Takes the result of an op that named the group: its bytes, until the lease is disposed of.
   *
   * Of an incremental ring take the results in the order in which they came, or use {@linkcode
   * leasing}: where they lie follows from that order. Results of a stream may be taken in any.
   *
   * @throws {TypeError | RangeError} if it was taken before, or is no result of this group.
   *
   * @example
   * ```ts
   * import { BufferRing, Uring } from "@uring/uring";
   * import { close, openat, read } from "@uring/uring/ops";
   * import { IORING_FEAT_REG_REG_RING } from "@uring/uring/ffi";
   * import { assertEquals } from "@std/assert";
   *
   * await using uring = new Uring();
   * if (uring.ring.features & IORING_FEAT_REG_REG_RING) { // Linux 6.3; buffer rings need 5.19
   *   using buffers = new BufferRing(uring, { entries: 2, bufferSize: 64 });
   *   const fd = await uring.submit(openat("/proc/version", 0)); // O_RDONLY
   *   const op = read(fd, { bufferGroup: buffers.group, length: 5 });
   *   using lease = buffers.take(await uring.submit(op));
   *   assertEquals(new TextDecoder().decode(lease.bytes), "Linux");
   *   await uring.submit(close(fd));
   * }
   * ```
   */
  take(result: Received): ReceivedLease {
    return this.#leases.take(result);
  }

  /**
   * The same op, giving leases. A failed or cancelled one, and a result that nobody took from
   * a stream, give their buffers back by themselves.
   *
   * @param op an op that names the group: `recv`, `recvMultishot`, `read`, `readMultishot`,
   * `recvmsgMultishot`.
   * @throws {TypeError} if op is none.
   */
  leasing(op: Op<Received>): Op<ReceivedLease> {
    if (!(op instanceof Op)) {
      throw new TypeError(
        `BufferRing.leasing: op must be an Op, made by a builder; got ${
          show(op)
        }.`,
      );
    }
    return new LeasingOp(op, this.#leases);
  }

  /**
   * A multishot that receives from a socket into these buffers, for `uring.stream`: {@linkcode
   * recvMultishot}, giving leases. Since Linux 6.0.
   *
   * @example
   * ```ts
   * import { BufferRing, Uring } from "@uring/uring";
   * import { AF_UNIX, SOCK_DGRAM } from "@uring/uring/ffi";
   * import { bind, close, opcodes, sendto, socket } from "@uring/uring/ops";
   * import { assertEquals } from "@std/assert";
   *
   * await using uring = new Uring();
   * if (opcodes.bind.supported()) { // Linux 6.11
   *   using buffers = new BufferRing(uring, { entries: 8, bufferSize: 2048 });
   *   const self = { path: `\0uring-buffer-ring-${Deno.pid}` };
   *   const fd = await uring.submit(socket(AF_UNIX, SOCK_DGRAM));
   *   await uring.submit(bind(fd, self));
   *   await uring.submit(sendto(fd, Uint8Array.of(1, 2, 3), self));
   *   for await (using lease of uring.stream(buffers.receive(fd, { kind: "datagram" }))) {
   *     assertEquals(lease.bytes, Uint8Array.of(1, 2, 3));
   *     break;
   *   }
   *   await uring.submit(close(fd));
   * }
   * ```
   */
  receive(
    fd: Fd,
    options: Omit<ReceiveMultishotOptions, "bufferGroup"> = {},
  ): Op<ReceivedLease> {
    return this.leasing(
      recvMultishot(fd, { ...options, bufferGroup: this.group }),
    );
  }

  /**
   * Takes the buffers away from the kernel: ops that would need one fail with ENOBUFS from now
   * on. What is leased stays valid until it is given back, and what ops in flight may still
   * write to is kept until they are done. Safe to call twice, and after the `Uring` was closed.
   */
  close(): void {
    const leases = this.#leases;
    if (leases.closed) return;
    const { ring } = this.#engine;
    removeGroup(ring, this.group);
    this.#registered.unregister();
    leases.retire();
    whenUnused(
      this.#engine,
      (slot) => usesGroup(slot, this.group),
      (broken) => {
        ring.keep.delete(leases.memories);
        // Of a ring that broke nobody can tell what the kernel still writes to.
        if (broken === undefined) leases.free();
      },
    );
  }

  /** {@linkcode close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Registers a group with the first number that is free. */
function register(ring: Ring, options: Omit<BufRingOptions, "group">): BufRing {
  for (let group = 0; group < GROUPS; group++) {
    if (hasGroup(ring, group)) continue;
    try {
      return ring.setupBufRing({ ...options, group });
    } catch (error) {
      // Somebody else's.
      if (!isSystemError(error) || error.code !== "EEXIST") throw error;
    }
  }
  throw new RangeError(
    `BufferRing: all ${GROUPS} groups of the ring are taken. Close one first.`,
  );
}

/**
 * What was received into provided buffers, for as long as it is needed. Made by a {@linkcode
 * BufferRing}.
 */
export class ReceivedLease implements Disposable {
  /** What the op told: the length, and whether more will come. */
  readonly received: Received;
  readonly #parts: readonly Uint8Array<ArrayBuffer>[];
  #giveBack: (() => void) | undefined;

  /** A lease of some parts of buffers. Internal: a {@linkcode BufferRing} makes them. */
  constructor(
    received: Received,
    parts: readonly Uint8Array<ArrayBuffer>[],
    giveBack: () => void,
  ) {
    this.received = received;
    this.#parts = parts;
    this.#giveBack = giveBack;
  }

  /** How many bytes were received: 0 at the end of a stream. */
  get length(): number {
    return this.received.length;
  }

  /**
   * The bytes that were received: a view of the buffer, as long as they are. Of a bundle, which
   * lies in several buffers, a copy; see {@linkcode parts}.
   *
   * @throws {TypeError} if the lease was given back.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    const { parts } = this;
    const [first = new Uint8Array(0)] = parts;
    if (parts.length <= 1) return first;
    const joined = new Uint8Array(this.length);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  /**
   * The bytes that were received, as views of the buffers that they lie in: one, but for a
   * bundle (`IORING_RECVSEND_BUNDLE`).
   *
   * @throws {TypeError} if the lease was given back.
   */
  get parts(): readonly Uint8Array<ArrayBuffer>[] {
    if (this.#giveBack === undefined) {
      throw new TypeError(
        "ReceivedLease: the buffer was given back, and is the kernel's again. Copy what " +
          "is needed longer.",
      );
    }
    return this.#parts;
  }

  /** Whether it was given back. */
  get released(): boolean {
    return this.#giveBack === undefined;
  }

  /** Gives the buffer back, for the kernel to fill again. Safe to call twice. */
  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }

  /** {@linkcode release}, for `using`. */
  [Symbol.dispose](): void {
    this.release();
  }
}

/** The leases of a group, and who waits for their end. */
class Leases implements BufferGroup {
  returned = 0;
  closed = false;
  readonly #buffers: ProvidedBuffers;
  /** Where results lie that were noted; null for those that were taken. */
  readonly #noted = new WeakMap<Received, Part[] | null>();
  readonly #waiting = new Set<() => boolean>();
  /** How often somebody found no buffer. */
  #refusals = 0;
  #looking = false;

  readonly #isUsed: () => boolean;

  constructor(buffers: ProvidedBuffers, isUsed: () => boolean) {
    this.#buffers = buffers;
    this.#isUsed = isUsed;
  }

  get memories(): unknown {
    return this.#buffers.memories;
  }

  get out(): number {
    return this.#buffers.out;
  }

  note(result: Received): void {
    // A lease knows where it lies.
    if (result instanceof ReceivedLease) return;
    // One that failed, or is the end, may have taken room all the same.
    this.#noted.set(result, this.#place(result, 1));
  }

  discard(result: Received): void {
    this.#giveBack(this.#noted.get(result) ?? []);
  }

  take(result: Received): ReceivedLease {
    if (result === null || typeof result !== "object") {
      throw new TypeError(
        `BufferRing.take: result must be what an op received; got ${
          show(result)
        }.`,
      );
    }
    const noted = this.#noted.get(result);
    if (noted === null) {
      throw new TypeError("BufferRing.take: this result was taken already.");
    }
    if (noted === undefined && this.closed) {
      throw new TypeError("BufferRing.take: the buffers are closed.");
    }
    const parts = noted ?? this.#place(result, Infinity);
    this.#noted.set(result, null);
    return this.#lease(result, parts);
  }

  /**
   * The lease of a result that comes straight from the kernel.
   *
   * @param asked how many bytes were to come at most; 0 if as many as there was room for.
   */
  arrive(result: Received, asked: number): ReceivedLease {
    return this.#lease(result, this.#place(result, asked));
  }

  #place(result: Received, asked: number): Part[] {
    const parts = this.#buffers.place(result);
    const { partial, length } = result;
    if (partial && length < asked && !this.#isUsed()) {
      this.#buffers.catchUp(parts);
    }
    return parts;
  }

  #lease(result: Received, parts: Part[]): ReceivedLease {
    const views = parts.map((part) => this.#buffers.bytes(part));
    if (views.some((view, at) => view.length !== parts[at]?.length)) {
      this.#giveBack(parts);
      throw new TypeError(
        "BufferRing: the buffer was transferred away while the kernel used it; what was " +
          "received is lost. Copy what is to be transferred.",
      );
    }
    return new ReceivedLease(result, views, () => this.#giveBack(parts));
  }

  #giveBack(parts: readonly Part[]): void {
    const returned = this.#buffers.giveBack(parts);
    this.returned += returned;
    if (returned > 0) this.#wake(returned);
  }

  /**
   * Wakes as many as there are buffers for, or so it seems: to begin to wait takes a buffer to
   * be there, but leaves it there. So if nobody was refused a turn later, there are more.
   */
  #wake(count: number): void {
    let woken = 0;
    for (const callback of this.#waiting) {
      if (woken === count) break;
      this.#waiting.delete(callback);
      if (callback()) woken++;
    }
    if (this.#waiting.size === 0 || this.#looking) return;
    this.#looking = true;
    const refusals = this.#refusals;
    setImmediate(() => {
      this.#looking = false;
      if (this.#refusals === refusals) this.#wake(2 * count);
    });
  }

  whenReturned(callback: () => boolean): () => void {
    this.#refusals++;
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  retire(): void {
    this.closed = true;
    this.#buffers.retire();
    for (const callback of [...this.#waiting]) callback();
  }

  free(): void {
    this.#buffers.free();
  }
}

/** An op that takes a provided buffer, giving a lease of it. */
class LeasingOp extends Op<ReceivedLease> {
  readonly #op: Op<Received>;
  readonly #leases: Leases;
  /** How many bytes a result has at most; 0 if that is up to its buffer. */
  #asked = 0;

  constructor(op: Op<Received>, leases: Leases) {
    super(op.opcode, op.name, op.path, op.multishot);
    this.#op = op;
    this.#leases = leases;
  }

  override encode(sqe: Sqe): Held {
    const held = this.#op.encode(sqe);
    this.#asked = sqe.len < MAX_TRANSFER ? sqe.len : 0;
    return held;
  }

  override decode(completion: Completion, held: Held): ReceivedLease {
    return this.#leases.arrive(
      this.#op.decode(completion, held),
      this.#asked,
    );
  }

  override failed(completion: Completion): boolean {
    return this.#op.failed(completion);
  }

  override ends(completion: Completion): boolean {
    return this.#op.ends(completion);
  }

  override undo(lease: ReceivedLease): undefined {
    lease.release();
  }

  override hint(errno: number): string | undefined {
    return this.#op.hint(errno);
  }
}
