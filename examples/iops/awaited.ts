/**
 * The same I/O through `Uring`: a promise for each.
 *
 * @module
 */

import { isSystemError, systemError } from "../../ffi/errors.ts";
import { Memory } from "../../ffi/memory.ts";
import { fixedFile } from "../../ops/fd.ts";
import { nop } from "../../ops/nop.ts";
import type { CachedRead } from "../../ops/cached.ts";
import type { Op } from "../../ops/op.ts";
import { read, readFixed, write, writeFixed } from "../../ops/rw.ts";
import { Uring } from "../../proactor/uring.ts";
import type { Ring } from "../../ring/ring.ts";
import type { Counters } from "./counters.ts";
import { hint, ioError } from "./failure.ts";
import { bucketOf } from "./histogram.ts";
import { ringOptions } from "./rings.ts";
import { asksCache, type Settings } from "./settings.ts";
import { closeAll, openAll, type Target } from "./targets.ts";
import { Work, WRITE } from "./work.ts";

/**
 * One thread's I/O: `depth` loops, each awaiting one I/O after the other. There is no batch: what
 * the loops submit in one turn goes to the kernel together.
 *
 * The clock is read once for all I/Os whose promises settled together: the first loop that goes
 * on reads it, and the reading counts until a microtask behind the last of them.
 */
export class AwaitedLoad {
  declare private readonly uring: Uring;
  declare private readonly settings: Settings;
  declare private readonly counters: Counters;
  declare private readonly work: Work;
  declare private readonly memory: Memory;
  declare private readonly fds: readonly number[];
  declare private readonly moved: number;
  declare private readonly asks: boolean;
  declare private reading: number;
  declare private exhausted: boolean;
  declare private readonly forget: () => void;

  /** Makes the ring, opens the files, and registers what is to be fixed. */
  constructor(
    settings: Settings,
    targets: readonly Target[],
    counters: Counters,
    thread: number,
    attachTo?: number,
  ) {
    const { depth, block, operation, fixedBuffers, fixedFiles } = settings;
    this.settings = settings;
    this.counters = counters;
    this.work = new Work(settings, targets, thread);
    this.memory = new Memory(depth * block, { populate: true });
    this.uring = new Uring(ringOptions(settings, attachTo));
    this.fds = openAll(targets, settings);
    const { buffers, files } = this.uring.ring;
    if (fixedBuffers) buffers.register([this.memory.bytes]);
    if (fixedFiles && this.fds.length > 0) files.register(this.fds);
    this.moved = operation === "nop" ? 0 : block;
    this.asks = asksCache(settings);
    this.reading = 0;
    this.exhausted = false;
    this.forget = () => {
      this.reading = 0;
      this.counters.note(this.uring.ring.enters, this.settings.depth);
    };
  }

  /** The ring underneath. */
  get ring(): Ring {
    return this.uring.ring;
  }

  /** Does I/O until the thread is to pause, or nothing is left to do. */
  async run(): Promise<void> {
    const { depth } = this.settings;
    const loops = Array.from({ length: depth }, (_, slot) => this.#loop(slot));
    const results = await Promise.allSettled(loops);
    this.counters.note(this.uring.ring.enters, 0);
    for (const result of results) {
      if (result.status === "rejected") throw this.#explain(result.reason);
    }
    if (this.exhausted) this.counters.finish();
  }

  /** Awaited here and nowhere else: a function that awaits would be a promise more. */
  async #loop(slot: number): Promise<void> {
    const { counters, uring, work, moved, asks } = this;
    let began = this.#now();
    while (counters.running) {
      if (!work.choose(slot)) {
        this.exhausted = true;
        return;
      }
      let bytes = 0;
      if (asks) {
        const asked = await uring.submit(this.#ask(slot));
        bytes = asked.bytes;
        // A part of the block that is in the page cache is no hit.
        const hit = asked.hit && bytes === moved;
        counters.addHits(hit ? 1 : 0, hit ? 0 : 1);
      }
      if (bytes < moved || !asks) bytes = await uring.submit(this.#op(slot));
      if (bytes !== moved) {
        throw ioError(bytes, work.kinds[slot] === WRITE, this.settings);
      }
      const now = this.#now();
      counters.record(bucketOf(now - began));
      counters.add(1, moved);
      began = now;
    }
  }

  #now(): number {
    if (this.reading === 0) {
      this.reading = performance.now();
      queueMicrotask(this.forget);
    }
    return this.reading;
  }

  #op(slot: number): Op<number> {
    if (this.moved === 0) return nop();
    const { buffer, fd, options } = this.#arguments(slot);
    const { fixedBuffers } = this.settings;
    if (this.work.kinds[slot] === WRITE) {
      return fixedBuffers
        ? writeFixed(fd, buffer, 0, options)
        : write(fd, buffer, options);
    }
    return fixedBuffers
      ? readFixed(fd, buffer, 0, options)
      : read(fd, buffer, options);
  }

  #ask(slot: number): Op<CachedRead> {
    const { buffer, fd, options: { offset } } = this.#arguments(slot);
    const options = { offset, cached: "report" } as const;
    return this.settings.fixedBuffers
      ? readFixed(fd, buffer, 0, options)
      : read(fd, buffer, options);
  }

  #arguments(slot: number) {
    const { work, moved, fds } = this;
    const file = work.files[slot] as number;
    return {
      buffer: this.memory.bytes.subarray(slot * moved, (slot + 1) * moved),
      fd: this.settings.fixedFiles ? fixedFile(file) : fds[file] as number,
      options: { offset: work.offsets[slot] as number },
    };
  }

  #explain(error: unknown): unknown {
    if (!isSystemError(error)) return error;
    const advice = hint(error.errno, this.settings);
    if (advice === undefined) return error;
    return systemError(error.errno, error.op, { hint: advice });
  }

  /** Closes the files and the ring. */
  async close(): Promise<void> {
    await this.uring.close();
    closeAll(this.fds);
    this.memory.close();
  }
}
