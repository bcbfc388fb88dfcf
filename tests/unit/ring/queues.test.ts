/** The two queues over plain memory: counters that wrap, slots that go round. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import type { RingMapping } from "../../../ffi/kernel.ts";
import { RWF_NOWAIT } from "../../../ffi/linux.ts";
import { CompletionQueue } from "../../../ring/completion_queue.ts";
import type { Sqe } from "../../../ring/sqe.ts";
import { SubmissionQueue } from "../../../ring/submission_queue.ts";

const { IORING_SETUP_SQE_MIXED: MIXED, IORING_SETUP_SQPOLL: SQPOLL } = abi;

/** Where in a ring's memory its words are, in bytes. */
const SQ = { head: 0, tail: 4, flags: 8, dropped: 12, array: -1 };
const CQ = { head: 16, tail: 20, overflow: 24, flags: 28, cqes: 64 };

/** A ring of 8 and 16 entries, both counters at `start`; the kernel is the test. */
function newRing(flags: number, start = 0, sqEntries = 8) {
  const wide = flags & abi.IORING_SETUP_SQE128 ? 128 : 64;
  const buffer = new ArrayBuffer(64 + 16 * 32);
  const mapping: RingMapping = {
    fd: -1,
    flags,
    features: 0,
    sqEntries,
    cqEntries: 16,
    sq: { buffer, ...SQ },
    cq: { buffer, ...CQ },
    sqes: new ArrayBuffer(sqEntries * wide),
  };
  const words = new Int32Array(buffer);
  const entries = new Int32Array(mapping.sqes);
  for (const { head, tail } of [SQ, CQ]) {
    words[head >> 2] = words[tail >> 2] = start;
  }
  const at = (offset: number) => words[offset >> 2] as number;
  const set = (offset: number, value: number) => words[offset >> 2] = value;
  return { mapping, entries, words, at, set };
}

/** Fills all of an entry, which is zero until then, so that it tells which one it is. */
function fill(sqe: Sqe | null, tag: number, flags = 0): void {
  assert(sqe !== null, `no entry for ${tag}`);
  const end = sqe.base + (sqe.byteLength >> 2);
  assert(sqe.words.subarray(sqe.base, end).every((word) => word === 0));
  sqe.words.fill(-1, sqe.base + 9, end);
  sqe.opcode = abi.IORING_OP_NOP;
  sqe.flags = flags;
  sqe.tag = tag;
}

/** Counters that are about to wrap: as signed 32 bits, as unsigned ones, and some that are not. */
const starts = [0, 5, 30, 0x7fff_fffd, -0x8000_0000, -3];

for (const start of starts) {
  for (const flags of [0, SQPOLL, abi.IORING_SETUP_SQE128]) {
    Deno.test(`submissions: go round, counted from ${start} [${flags}]`, () => {
      const [size, bite] = [32, 20];
      const ring = newRing(flags, start, size);
      const { mapping, entries, at, set } = ring;
      const queue = new SubmissionQueue(mapping, abi.IOSQE_ASYNC);
      const words = entries.length / size;
      assertEquals([queue.ready, queue.space], [0, size]);
      let taken = 0;
      for (let tag = 0; tag < 4 * size;) {
        while (queue.space > 0) fill(queue.next(), ++tag);
        assertEquals([queue.next(), queue.ready], [null, size]);
        // A thread is told what is new, a call what there is.
        const fresh = flags === SQPOLL && tag > size ? bite : size;
        assertEquals([queue.publish(), at(SQ.tail)], [
          fresh,
          (start + tag) | 0,
        ]);
        for (let count = 0; count < bite; count++) {
          const first = ((start + taken) & (size - 1)) * words;
          assertEquals(entries[first + 8], ++taken);
          const bits = ((entries[first] as number) >>> 8) & 0xff;
          assertEquals(bits, abi.IOSQE_ASYNC);
        }
        set(SQ.head, (start + taken) | 0);
        if (flags !== SQPOLL) {
          queue.took(3);
          fill(queue.next(), ++tag);
          assertEquals(queue.refresh(), size - bite, "of what it was shown");
        }
        assertEquals(queue.ready, tag - taken);
      }
    });
  }

  Deno.test(`submissions: an entry over two slots, counted from ${start}`, () => {
    const { mapping, entries, set } = newRing(MIXED, start);
    const queue = new SubmissionQueue(mapping);
    const flagsAt = (slot: number) =>
      ((entries[((start + slot) & 7) * 16] as number) >>> 8) & 0xff;
    const toEnd = 7 - (start & 7);
    for (let slot = 0; slot < toEnd; slot++) {
      fill(queue.next(), slot, abi.IOSQE_IO_HARDLINK);
    }
    // What is over the end is padding, and part of the chain.
    if (8 - toEnd < 3) {
      assertEquals(queue.next128(), null);
    } else {
      const links = toEnd === 0 ? 0 : abi.IOSQE_IO_HARDLINK;
      const wide = queue.next128();
      assert(wide !== null);
      assertEquals([wide.base, wide.byteLength], [0, 128]);
      assertEquals(flagsAt(toEnd), abi.IOSQE_CQE_SKIP_SUCCESS | links);
      assertEquals(queue.ready, toEnd + 3);
    }
    const { ready } = queue;
    queue.publish();
    set(SQ.head, (start + ready) | 0);
    queue.took(ready);
    assertEquals([queue.ready, queue.space], [0, 8]);
    assert(entries.every((word) => word === 0));
  });

  Deno.test(`completions: go round, counted from ${start}`, () => {
    const { mapping, words, at, set } = newRing(0, start);
    const queue = new CompletionQueue(mapping);
    let tag = 0;
    const complete = (count: number) => {
      for (let more = 0; more < count; more++) {
        const index = at(CQ.tail) & 15;
        words[(CQ.cqes >> 2) + index * 4] = ++tag;
        set(CQ.tail, (at(CQ.tail) + 1) | 0);
      }
    };
    const seen: number[] = [];
    for (let round = 0; round < 4; round++) {
      complete(7);
      assertEquals([queue.ready, queue.has(7), queue.has(8)], [7, true, false]);
      const visited = queue.drain((cqe) => {
        seen.push(cqe.tag);
        const left = tag - cqe.tag;
        assertEquals([queue.ready, queue.has(left)], [left, true]);
        assertEquals(queue.has(left + 1), false);
      });
      assertEquals([visited, at(CQ.head)], [7, at(CQ.tail)]);
    }
    assertEquals(seen, Array.from({ length: 28 }, (_, index) => index + 1));

    // What a visit saw is taken though it throws, and given back while it waits.
    complete(5);
    const head = at(CQ.head);
    const visit = () =>
      queue.drain((cqe) => {
        if (cqe.tag !== 31) return;
        assertEquals(queue.giveBack(), 1);
        assertEquals(at(CQ.head), (head + 2) | 0);
        const copy = queue.save();
        assertEquals([copy[0], copy[4], copy.length], [32, 33, 8]);
        throw new Error("enough");
      });
    assertThrows(visit, Error, "enough");
    assertEquals([at(CQ.head), queue.ready], [(head + 3) | 0, 2]);
    assertEquals(queue.giveBack(), 0);
  });

  Deno.test(`resizing: what is in the queues moves, counted from ${start}`, () => {
    for (const flags of [0, abi.IORING_SETUP_SQE128]) {
      const old = newRing(flags, start);
      const [sq, cq] = [
        new SubmissionQueue(old.mapping),
        new CompletionQueue(old.mapping),
      ];
      for (let tag = 1; tag <= 6; tag++) fill(sq.next(), tag);
      sq.publish();
      old.set(SQ.head, (start + 2) | 0);
      for (let index = 0; index < 3; index++) {
        const slot = (start + index) & 15;
        old.words[(CQ.cqes >> 2) + slot * 4] = 10 + index;
      }
      old.set(CQ.tail, (start + 3) | 0);
      const [submissions, completions] = [sq.save(), cq.save()];

      const made = newRing(flags, start + 3);
      made.set(SQ.tail, (start + 7) | 0);
      made.set(CQ.tail, (start + 6) | 0);
      const queue = new SubmissionQueue(made.mapping);
      queue.restore(submissions);
      assertEquals(queue.ready, 4);
      const size = made.entries.length / 8;
      for (let index = 0; index < 4; index++) {
        const slot = (start + 3 + index) & 7;
        assertEquals(made.entries[slot * size + 8], 3 + index);
      }
      const done = new CompletionQueue(made.mapping);
      done.restore(completions);
      const tags: number[] = [];
      done.drain((cqe) => tags.push(cqe.tag));
      assertEquals(tags, [10, 11, 12]);
    }
  });
}

Deno.test("submissions: room for two slots is exactly two, at the end three", () => {
  for (let filled = 0; filled <= 8; filled++) {
    for (let start = 0; start < 8; start++) {
      const { mapping } = newRing(MIXED, start);
      const queue = new SubmissionQueue(mapping);
      for (let tag = 0; tag < filled; tag++) fill(queue.next(), tag);
      const atEnd = ((start + filled) & 7) === 7;
      const fits = 8 - filled >= (atEnd ? 3 : 2);
      assertEquals(queue.next128() !== null, fits, `${filled} from ${start}`);
      assertEquals(queue.ready, fits ? filled + (atEnd ? 3 : 2) : filled);
    }
  }
});

Deno.test("submissions: padding goes on with the chain before it", () => {
  const { IOSQE_IO_LINK, IOSQE_IO_HARDLINK, IOSQE_CQE_SKIP_SUCCESS } = abi;
  for (const link of [IOSQE_IO_LINK, IOSQE_IO_HARDLINK, 0]) {
    for (const wide of [false, true]) {
      const { mapping, entries } = newRing(MIXED, 1024);
      const queue = new SubmissionQueue(mapping);
      for (let tag = 0; tag < (wide ? 5 : 7); tag++) fill(queue.next(), tag);
      if (wide) fill(queue.next128(), 5, link);
      else entries[6 * 16] = link << 8;
      set(mapping, 4);
      queue.refresh();
      assert(queue.next128() !== null);
      const padding = ((entries[7 * 16] as number) >>> 8) & 0xff;
      assertEquals(padding, IOSQE_CQE_SKIP_SUCCESS | link, `${wide}`);
    }
  }
  // The kernel takes some, so that there is room behind the end.
  function set({ sq }: RingMapping, count: number): void {
    new Int32Array(sq.buffer)[SQ.head >> 2] = 1024 + count;
  }
});

Deno.test("submissions: a ring of a single entry has none over two", () => {
  const { mapping } = newRing(MIXED, 0, 1);
  const queue = new SubmissionQueue(mapping);
  assertThrows(() => queue.next128(), TypeError, "of 64 bytes only");
  fill(queue.next(), 1);
  assertEquals(queue.next(), null);
  const wide = new SubmissionQueue(newRing(abi.IORING_SETUP_SQE128).mapping);
  for (let tag = 0; tag < 8; tag++) fill(wide.next128(), tag);
  assertEquals(wide.next128(), null);
});

Deno.test("submissions: without head and tail each begins at the first slot", () => {
  const { mapping, entries, set } = newRing(abi.IORING_SETUP_SQ_REWIND);
  const queue = new SubmissionQueue(mapping, abi.IOSQE_ASYNC);
  set(SQ.head, 1000); // Means nothing.
  for (let tag = 1; tag <= 5; tag++) fill(queue.next(), tag);
  assertEquals([queue.publish(), queue.ready, queue.space], [5, 5, 3]);
  queue.took(2);
  assertEquals([queue.refresh(), queue.ready, queue.space], [3, 3, 5]);
  for (let tag = 6; tag <= 10; tag++) fill(queue.next(), tag);
  assertEquals(queue.next(), null);
  const tags = Array.from({ length: 8 }, (_, slot) => entries[slot * 16 + 8]);
  assertEquals(tags, [3, 4, 5, 6, 7, 8, 9, 10]);
  assertEquals(queue.publish(), 8);
  queue.took(8);
  assertEquals([queue.ready, queue.refresh()], [0, 0]);
  fill(queue.next(), 11);
});

Deno.test("submissions: workers get what moves data, and reads that may wait", () => {
  const { mapping, entries } = newRing(0);
  const queue = new SubmissionQueue(mapping, abi.IOSQE_ASYNC);
  const cases: [opcode: number, flags: number, marked: boolean][] = [
    [abi.IORING_OP_READ, 0, true],
    [abi.IORING_OP_READ, RWF_NOWAIT, false],
    [abi.IORING_OP_READV, RWF_NOWAIT, false],
    [abi.IORING_OP_WRITE, RWF_NOWAIT, true],
    [abi.IORING_OP_OPENAT, 0, true],
    [abi.IORING_OP_TIMEOUT, 0, false],
    [abi.IORING_OP_ASYNC_CANCEL, 0, false],
    [abi.IORING_OP_POLL_ADD, 0, false],
  ];
  for (const [opcode, flags] of cases) {
    const sqe = queue.next();
    assert(sqe !== null);
    sqe.opcode = opcode;
    sqe.flags = abi.IOSQE_IO_LINK;
    sqe.ioprio = 0x1234;
    sqe.opFlags = flags;
  }
  queue.publish();
  cases.forEach(([opcode, flags, marked], slot) => {
    const link = abi.IOSQE_IO_LINK | (marked ? abi.IOSQE_ASYNC : 0);
    const expected = 0x1234_0000 | (link << 8) | opcode;
    assertEquals(entries[slot * 16], expected, `${opcode} ${flags}`);
  });
});

for (const start of [0, 0x7fff_fffe, -2]) {
  Deno.test(`completions: of both sizes, counted from ${start}`, () => {
    const { mapping, words, at, set } = newRing(
      abi.IORING_SETUP_CQE_MIXED,
      start,
    );
    const queue = new CompletionQueue(mapping);
    const complete = (tag: number, flags: number) => {
      const slots = flags & abi.IORING_CQE_F_32 ? 2 : 1;
      const first = (CQ.cqes >> 2) + (at(CQ.tail) & 15) * 4;
      words[first] = tag;
      words[first + 3] = flags;
      if (slots === 2) words[first + 4] = tag + 100;
      set(CQ.tail, (at(CQ.tail) + slots) | 0);
    };
    for (let round = 0; round < 8; round++) {
      complete(1, 0);
      complete(9, abi.IORING_CQE_F_SKIP);
      // Only the kernel knows where the queue ends: it is never split there.
      if ((at(CQ.tail) & 15) === 15) complete(9, abi.IORING_CQE_F_SKIP);
      complete(2, abi.IORING_CQE_F_32);
      complete(3, 0);
      const seen: unknown[] = [];
      const visited = queue.drain((cqe) => {
        const wide = cqe.byteLength === 32;
        seen.push(cqe.tag, wide ? cqe.bigCqe(0) : cqe.byteLength);
        if (cqe.tag === 1) return;
        const behind = wide ? 1 : 0;
        assertEquals(queue.ready, behind);
        const head = (at(CQ.tail) - behind - (wide ? 2 : 1)) | 0;
        assertEquals([queue.giveBack(), at(CQ.head)], [wide ? 2 : 1, head]);
      });
      assertEquals([visited, queue.ready, at(CQ.head)], [3, 0, at(CQ.tail)]);
      assertEquals(seen, [1, 16, 2, 102n, 3, 16]);
    }
  });
}

Deno.test("completions: a task waits for the end of a round, a round for none", () => {
  for (const flags of [0, abi.IORING_SETUP_DEFER_TASKRUN]) {
    const { mapping, at, set } = newRing(flags);
    const queue = new CompletionQueue(mapping);
    const order: string[] = [];
    queue.whenIdle(() => order.push("at once"));
    assertEquals(queue.drain(() => order.push("nothing")), 0);
    set(CQ.tail, 2);
    queue.drain(() => {
      order.push("visit");
      queue.whenIdle(() => order.push("afterwards"));
      assertThrows(() => queue.drain(() => {}), Error, "from within a visit");
      assertThrows(() => queue.checkNoVisit("This"), Error, "This was called");
    });
    assertEquals(order, ["at once", "visit", "visit", "afterwards"]);
    assertEquals(at(CQ.head), 2);
    queue.checkNoVisit("This");
    set(CQ.tail, 3);
    assertEquals([queue.drain(() => {}), order.length], [1, 4], "only once");
    assertEquals([queue.eventfdEnabled, at(CQ.flags)], [true, 0]);
    queue.eventfdEnabled = false;
    assertEquals(at(CQ.flags), abi.IORING_CQ_EVENTFD_DISABLED);
    assertEquals(queue.eventfdEnabled, false);
  }
});
