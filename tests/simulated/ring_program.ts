/**
 * Random programs for a `Ring`. The model is short: the kernel takes exactly what was filled, in
 * order, and the program sees exactly what the kernel posted, in order, each completion once.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import { isSystemError } from "../../ffi/errors.ts";
import type { Cqe } from "../../ring/cqe.ts";
import { Ring, type RingOptions } from "../../ring/mod.ts";
import type { Sqe } from "../../ring/sqe.ts";
import { SimulatedKernel } from "./kernel.ts";
import type { Start } from "./queues.ts";
import { Random } from "./random.ts";
import type { SimulatedRing } from "./ring.ts";
import type { Note } from "./seeds.ts";
import { drawWhims } from "./whims.ts";

const RUNNING = [
  0,
  abi.IORING_SETUP_COOP_TASKRUN,
  abi.IORING_SETUP_COOP_TASKRUN | abi.IORING_SETUP_TASKRUN_FLAG,
  abi.IORING_SETUP_SINGLE_ISSUER | abi.IORING_SETUP_DEFER_TASKRUN,
  abi.IORING_SETUP_SINGLE_ISSUER | abi.IORING_SETUP_DEFER_TASKRUN |
  abi.IORING_SETUP_TASKRUN_FLAG,
  abi.IORING_SETUP_SQPOLL,
  abi.IORING_SETUP_IOPOLL,
];

const FLAGS = [
  0,
  0,
  0,
  abi.IOSQE_IO_LINK,
  abi.IOSQE_IO_HARDLINK,
  abi.IOSQE_IO_DRAIN,
  abi.IOSQE_ASYNC,
  abi.IOSQE_IO_LINK | abi.IOSQE_IO_DRAIN,
];

/**
 * Counters that wrap soon: as unsigned integers, or as signed ones. Not both are 0 at once in mid
 * program, as real ones are never unless the ring is fresh.
 */
export function drawStart(random: Random): Start {
  const [sq, cq] = random.pick<[number, number]>([[0, 0], [UNSIGNED, SIGNED], [
    SIGNED,
    UNSIGNED,
  ]]);
  const back = sq === 0 ? 0 : random.below(24);
  return { sq: (sq - back) | 0, cq: (cq - back) | 0 };
}

const UNSIGNED = 0xffff_ffff;
const SIGNED = 0x7fff_ffff;

class Thrown extends Error {}

class RingProgram {
  readonly #random: Random;
  readonly #kernel: SimulatedKernel;
  readonly #ring: Ring;
  readonly #simulated: SimulatedRing;
  readonly #filled: Int32Array[] = [];
  #visited = 0;
  #taken = 0;

  constructor(random: Random, kernel: SimulatedKernel) {
    this.#random = random;
    this.#kernel = kernel;
    this.#ring = new Ring(this.#options());
    this.#simulated = kernel.rings[0] as SimulatedRing;
    if (random.chance(0.2)) this.#ring.registerRingFd();
  }

  #options(): RingOptions {
    const random = this.#random;
    const entries = random.between(1, 12);
    let flags = random.pick(RUNNING);
    const polled = (flags & abi.IORING_SETUP_SQPOLL) !== 0;
    flags |= random.pick([0, 0, abi.IORING_SETUP_CQE32, MIXED_CQES]);
    flags |= random.pick([0, 0, abi.IORING_SETUP_SQE128, MIXED_SQES]);
    if (random.chance(0.3)) flags |= abi.IORING_SETUP_SUBMIT_ALL;
    if (random.chance(0.3)) flags |= abi.IORING_SETUP_NO_SQARRAY;
    const bare = (flags & abi.IORING_SETUP_NO_SQARRAY) !== 0;
    if (bare && !polled && random.chance(0.5)) {
      flags |= abi.IORING_SETUP_SQ_REWIND;
    }
    const options: RingOptions = { entries, flags, backend: this.#kernel };
    // Small queues overflow.
    if (random.chance(0.6)) {
      options.cqEntries = entries + random.below(4) +
        (flags & MIXED_CQES ? 4 : 0);
    }
    return options;
  }

  run(): void {
    const random = this.#random;
    for (let steps = random.between(5, 40); steps > 0; steps--) this.#step();
    if (random.chance(0.8)) this.#drain();
    this.#check();
    this.#close();
  }

  #step(): void {
    const action = this.#random.weighted({
      fill: 6,
      submit: 4,
      submitAndWait: 3,
      wait: 2,
      waitLimited: 1,
      reap: 5,
      resize: 1,
      waitForSpace: 1,
      inspect: 1,
    });
    switch (action) {
      case "fill":
        return this.#fill();
      case "submit":
        return this.#submit(() => this.#ring.submit());
      case "submitAndWait":
        return this.#submitAndWait();
      case "wait":
        return this.#wait();
      case "waitLimited":
        return this.#waitLimited();
      case "reap":
        return this.#reap();
      case "resize":
        return this.#resize();
      case "waitForSpace":
        return this.#waitForSpace();
      case "inspect":
        return this.#inspect();
    }
  }

  // --- submissions

  #fill(): void {
    for (let count = this.#random.between(1, 6); count > 0; count--) {
      const { space, entries } = this.#ring.sq;
      const wide = this.#random.chance(0.5) &&
        this.#ring.flags & (entries > 1 ? WIDE : abi.IORING_SETUP_SQE128);
      const sqe = wide ? this.#ring.sqe128() : this.#ring.sqe();
      if (sqe === null) {
        // An entry over two slots may need a third, for padding.
        assert(space < (wide ? 3 : 1), `no entry, but space for ${space}`);
        return;
      }
      const { words, base } = sqe;
      const size = sqe.byteLength >> 2;
      const fresh = words.subarray(base, base + size);
      assert(fresh.every((word) => word === 0), "an entry is not zeroed");
      this.#write(sqe);
      this.#filled.push(fresh.slice());
    }
  }

  #write(sqe: Sqe): void {
    const random = this.#random;
    const { words, base } = sqe;
    for (let index = 1; index < sqe.byteLength >> 2; index++) {
      words[base + index] = random.word();
    }
    sqe.len = random.below(100);
    sqe.flags = random.pick(FLAGS);
    // Unique, though only the two halves together are.
    words[base + 8] = this.#filled.length % 3;
    words[base + 9] = this.#filled.length;
    const mixed = this.#ring.flags & MIXED_SQES;
    if (sqe.byteLength === 128 && mixed) {
      sqe.opcode = abi.IORING_OP_NOP128;
      return;
    }
    switch (random.below(12)) {
      case 0:
        sqe.opcode = abi.IORING_OP_ASYNC_CANCEL;
        sqe.opFlags = 0;
        words[base + 5] = random.below(this.#filled.length + 1);
        words[base + 4] = (words[base + 5] as number) % 3;
        return;
      case 1:
        sqe.opcode = abi.IORING_OP_RECV;
        sqe.ioprio = abi.IORING_RECV_MULTISHOT;
        return;
      case 2:
        sqe.opcode = abi.IORING_OP_SEND_ZC;
        return;
      case 3:
        sqe.opcode = 250; // refused
        return;
      case 4:
      case 5:
      case 6:
        sqe.opcode = abi.IORING_OP_READ;
        return;
      case 7:
        sqe.opcode = abi.IORING_OP_NOP;
        return;
      default:
        sqe.opcode = abi.IORING_OP_FSYNC;
    }
  }

  #submit(call: () => number): void {
    const { sq } = this.#ring;
    this.#taken += call();
    if (!this.#polled) return;
    // Whatever is published, the thread sees it, or was woken to.
    const { thread, queues } = this.#simulated;
    assert(
      thread !== "asleep" || queues.published === 0,
      "the thread sleeps, and nobody told it of the submissions",
    );
    assert(sq.ready >= 0 && sq.ready <= sq.entries, "sq.ready");
  }

  get #polled(): boolean {
    return (this.#ring.flags & abi.IORING_SETUP_SQPOLL) !== 0;
  }

  /** How many requests in flight will tell of their end. */
  get #expected(): number {
    return [...this.#simulated.requests.inFlight].filter(({ flags }) =>
      !(flags & abi.IOSQE_CQE_SKIP_SUCCESS)
    ).length;
  }

  /** How many completions will certainly come, at most as many as fit. */
  #certain(submitting: boolean): number {
    const { queues } = this.#simulated;
    const queued = submitting
      ? this.#filled.length - this.#journal.length
      : this.#polled
      ? queues.published
      : 0;
    // Where some take two slots, one may stay empty for ever.
    const { cqEntries, flags } = queues.mapping;
    const fit = flags & MIXED_CQES ? cqEntries - 1 : cqEntries;
    const mixed = flags & MIXED_SQES && this.#polled ? 0 : queued;
    return Math.min(fit, queues.ready + this.#expected + mixed);
  }

  #submitAndWait(): void {
    const count = this.#random.below(this.#certain(true) + 1);
    this.#submit(() => this.#ring.submitAndWait(count));
    // A kernel short of memory takes no more, and then there is nothing to wait for.
    if (this.#ring.sq.ready > 0 && !this.#polled) return;
    this.#checkWaited(count, this.#ring.cq.ready);
  }

  // --- completions

  #wait(): void {
    const count = this.#random.below(this.#certain(false) + 1);
    this.#checkWaited(count, this.#ring.wait(count));
  }

  #checkWaited(count: number, there: number): void {
    const least = this.#least(count);
    assert(there >= least, `waited for ${count} completions, got ${there}`);
  }

  /** How many there are at least when a wait for so many ends. */
  #least(count: number): number {
    const { flags } = this.#ring;
    const asksDevice = !this.#polled && flags & abi.IORING_SETUP_IOPOLL;
    return asksDevice ? Math.min(count, 1) : count;
  }

  #waitLimited(): void {
    const { now } = this.#kernel;
    const count = this.#random.below(this.#ring.cq.entries + 1);
    const timeout = this.#random.pick([0, 0.5, 3]);
    const there = this.#ring.wait(count, { timeout });
    assert(
      there >= this.#least(count) || this.#kernel.now >= now + timeout,
      `got ${there} of ${count} completions before the time was over`,
    );
  }

  #reap(): void {
    const random = this.#random;
    const throwAt = random.chance(0.1) ? random.below(4) : -1;
    const submitAt = random.chance(0.1) ? random.below(4) : -1;
    const { mustBeAsked, enters } = this.#simulated;
    let visits = 0;
    try {
      const visited = this.#ring.forEachCqe((cqe) => {
        this.#visit(cqe);
        if (visits === submitAt) this.#submit(() => this.#ring.submit());
        if (visits++ === throwAt) throw new Thrown();
      });
      assertEquals(visited, visits);
      const asked = visited > 0 || this.#simulated.enters > enters;
      assert(asked || !mustBeAsked, "the kernel holds some back");
    } catch (error) {
      if (!(error instanceof Thrown)) throw error;
    }
  }

  #visit(cqe: Cqe): void {
    const expected = this.#simulated.queues.log[this.#visited++];
    assert(expected !== undefined, "a completion that the kernel never posted");
    const { low, high, res, flags, big } = expected;
    const seen = [cqe.tag, cqe.tagHigh, cqe.res, cqe.flags];
    if (big !== undefined) seen.push(Number(cqe.bigCqe(0) ^ cqe.bigCqe(1)));
    const wanted = [low, high, res, flags >>> 0];
    if (big !== undefined) wanted.push(Number(big[0] ^ big[1]));
    if (seen.join() !== wanted.join()) {
      assertEquals(seen, wanted, `completion ${this.#visited - 1}`);
    }
    assertEquals(cqe.userData, (BigInt(high) << 32n) | BigInt(low));
  }

  // --- the rest

  #resize(): void {
    const ring = this.#ring;
    if (!(ring.flags & abi.IORING_SETUP_DEFER_TASKRUN)) return;
    if (ring.flags & abi.IORING_SETUP_SQ_REWIND) return;
    const { sq, cq } = ring;
    if (ring.flags & MIXED_SQES && sq.ready > 0) return;
    if (ring.flags & MIXED_CQES && cq.ready > 0) return;
    const entries = this.#random.between(1, 24);
    const more = ring.flags & MIXED_CQES ? 4 : this.#random.below(3);
    try {
      ring.resize({ entries, cqEntries: entries + more });
      assert(ring.sq.entries >= entries && ring.sq !== sq && ring.cq !== cq);
    } catch (error) {
      assert(isSystemError(error) && error.code === "EOVERFLOW", String(error));
      assert(ring.sq === sq && ring.cq === cq);
    }
  }

  #waitForSpace(): void {
    if (!this.#polled) {
      assertThrows(() => this.#ring.waitForSpace(), TypeError);
      return;
    }
    const { ready } = this.#ring.sq;
    const before = this.#simulated.queues.published;
    this.#ring.waitForSpace();
    this.#taken += ready - before < 0 ? 0 : this.#filled.length - this.#taken;
    assert(this.#ring.sq.space > 0);
  }

  #inspect(): void {
    const { sq, cq } = this.#ring;
    assert(sq.ready >= 0 && sq.space >= 0);
    assert(cq.ready >= 0 && cq.ready <= cq.entries);
    assertEquals([sq.dropped, cq.overflow], [0, 0]);
    assertEquals(this.#ring.enters, this.#simulated.enters);
  }

  /** What was submitted and is not padding of the library's. */
  get #journal(): Int32Array[] {
    return this.#simulated.journal
      .filter(({ flags }) => !(flags & abi.IOSQE_CQE_SKIP_SUCCESS))
      .map(({ words }) => words);
  }

  /** Submits and takes everything. */
  #drain(): void {
    const { requests, queues } = this.#simulated;
    for (let round = 0; round < 10_000; round++) {
      this.#submit(() => this.#ring.submit());
      if (this.#expected > 0) this.#ring.wait(1);
      this.#reap();
      const left = requests.inFlight.size + this.#ring.sq.ready +
        (this.#simulated.undelivered ? 1 : 0);
      if (left === 0) {
        assertEquals(this.#visited, queues.log.length, "visited and posted");
        assertEquals(this.#journal.length, this.#filled.length);
        return;
      }
    }
    throw new Error("The ring does not come to rest.");
  }

  #check(): void {
    const journal = this.#journal;
    assert(journal.length <= this.#filled.length);
    for (const [index, words] of journal.entries()) {
      const filled = this.#filled[index] as Int32Array;
      if (words.join() !== filled.join()) {
        assertEquals(words, filled, `submission ${index}`);
      }
    }
    if (!(this.#ring.flags & MIXED_SQES)) {
      const least = this.#polled ? 0 : journal.length;
      assert(this.#taken >= least && this.#taken <= this.#filled.length);
    }
  }

  #close(): void {
    const ring = this.#ring;
    if (this.#random.chance(0.3)) {
      ring.forEachCqe((cqe) => {
        this.#visit(cqe);
        ring.close();
      });
    }
    ring.close();
    ring.close();
    assert(ring.closed);
    assertThrows(() => ring.sqe(), TypeError, "closed");
    assertThrows(() => ring.submit(), TypeError, "closed");
    assertThrows(() => ring.forEachCqe(() => {}), TypeError, "closed");
    assertEquals(this.#kernel.ledger.taken.size, 0, "blocks were leaked");
    assertEquals(this.#kernel.violations, []);
  }
}

const MIXED_CQES = abi.IORING_SETUP_CQE_MIXED;
const MIXED_SQES = abi.IORING_SETUP_SQE_MIXED;
const WIDE = MIXED_SQES | abi.IORING_SETUP_SQE128;

/** Runs the program of a seed on a ring of its own kernel. */
export function runRingProgram(seed: number, note?: Note): void {
  const random = new Random(seed);
  const whims = { ...drawWhims(random), never: 0, ghost: 0 };
  using kernel = new SimulatedKernel({
    random,
    whims,
    stubborn: random.chance(0.2),
    limitedWaits: random.chance(0.8),
    syncCancel: random.chance(0.8),
    start: () => drawStart(random),
    ...(note === undefined ? {} : { note }),
  });
  new RingProgram(random, kernel).run();
}
