/** Buffer rings: `ring.setupBufRing`. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { closeSync, openSync } from "node:fs";
import { ENOBUFS } from "../../../ffi/linux.ts";
import {
  addressOf,
  IORING_CQE_F_BUF_MORE,
  IORING_CQE_F_BUFFER,
  IORING_REGISTER_PBUF_RING,
  IORING_REGISTER_PBUF_STATUS,
  IOSQE_BUFFER_SELECT,
} from "../../../ffi/mod.ts";
import { prepRead } from "../../../ops/rw.ts";
import { Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { Fds, writeNow } from "../../support/sockets.ts";
import {
  canLeaveRoom,
  hasRegister,
  linux,
  notNumbers,
  queue,
  type Seen,
  take,
  wrongly,
} from "./support.ts";

const when = hasRegister(IORING_REGISTER_PBUF_RING);
const status = hasRegister(IORING_REGISTER_PBUF_STATUS);
const mmapped = linux("6.4");
const incremental = linux("6.12");

const text = new TextDecoder();
const bytesOf = (string: string) => new TextEncoder().encode(string);

/** Reads from a pipe into the next buffer of a group. */
function read(ring: Ring, fd: number, group: number, length = 0): Seen {
  queue(ring, (sqe) => {
    prepRead(sqe, fd, 0, length, 0);
    sqe.flags = IOSQE_BUFFER_SELECT;
    sqe.bufIndex = group;
  });
  ring.submit();
  return take(ring, 1)[0] as Seen;
}

for (const mmap of [false, true]) {
  const kind = mmap ? "mmapped" : "own memory";
  const can = mmap ? mmapped : when;

  eachRing(`buf ring, ${kind}: buffers go round, down to ENOBUFS`, {
    when: can,
  }, (ring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    using buffers = ring.setupBufRing({
      entries: 4,
      group: 7,
      bufferSize: 16,
      mmap,
    });
    assertEquals([buffers.entries, buffers.group], [4, 7]);
    const taken: number[] = [];
    for (let round = 0; round < 4; round++) {
      writeNow(writer, bytesOf(`round ${round}`));
      const { res, flags, bufferId } = read(ring, reader, 7, 16);
      assertEquals(res, 7);
      assertEquals((flags & IORING_CQE_F_BUFFER) !== 0, true);
      const data = buffers.bytes(bufferId).subarray(0, res);
      assertEquals(text.decode(data), `round ${round}`);
      taken.push(bufferId);
    }
    assertEquals(taken, [0, 1, 2, 3]);
    writeNow(writer, bytesOf("more"));
    assertEquals(read(ring, reader, 7, 16).res, -ENOBUFS);
    buffers.add(2);
    assertEquals(read(ring, reader, 7, 16).res, -ENOBUFS, "not advanced over");
    buffers.advance();
    const { res, bufferId } = read(ring, reader, 7, 16);
    assertEquals([res, bufferId], [4, 2]);
  });

  eachRing(`buf ring, ${kind}: the tail wraps`, { when: can }, (ring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    // 2048 entries are more than a page; 33 rounds are more than 16 bits count.
    const entries = 2048;
    using buffers = ring.setupBufRing({
      entries,
      group: 0,
      bufferSize: 8,
      mmap,
    });
    for (let round = 0; round < 33; round++) {
      for (let id = 0; id < entries; id++) buffers.add(id);
      buffers.advance();
    }
    writeNow(writer, bytesOf("x"));
    assertEquals(read(ring, reader, 0, 8).res, 1);
  });

  eachRing(`buf ring, ${kind}: the kernel tells how far it has come`, {
    when: can && status,
  }, (ring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    using buffers = ring.setupBufRing({
      entries: 8,
      group: 3,
      bufferSize: 8,
      mmap,
    });
    assertEquals([buffers.head(), buffers.available()], [0, 8]);
    for (let count = 1; count <= 3; count++) {
      writeNow(writer, bytesOf("x"));
      assertEquals(read(ring, reader, 3, 8).res, 1);
      assertEquals([buffers.head(), buffers.available()], [count, 8 - count]);
    }
    buffers.add(0);
    assertEquals(buffers.available(), 5);
    buffers.advance();
    assertEquals(buffers.available(), 6);
  });

  eachRing(`buf ring, ${kind}: a group is taken once, and given back`, {
    when: can,
  }, (ring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const options = { entries: 2, group: 5, bufferSize: 8, mmap };
    const first = ring.setupBufRing(options);
    const error = failure("EEXIST", () => ring.setupBufRing(options));
    assertEquals(error.op, "io_uring_setup_buf_ring");
    assertStringIncludes(error.message, "take another group");
    first.unregister();
    first.unregister();
    assertEquals(ring.keep.size, 0, "nothing is held for it any more");
    writeNow(writer, bytesOf("x"));
    assertEquals(read(ring, reader, 5, 8).res, -ENOBUFS);
    for (
      const call of [
        () => first.add(0),
        () => first.advance(),
        () => first.head(),
        () => first.available(),
      ]
    ) assertThrows(call, TypeError, "unregistered");
    using second = ring.setupBufRing(options);
    assertEquals(read(ring, reader, 5, 8).res, 1);
    assertEquals(text.decode(second.bytes(0).subarray(0, 1)), "x");
  });
}

eachRing("buf ring: buffers come in the order in which they were given back", {
  when: status,
  only: ["syscall", "deferred"],
}, (ring) => {
  const fd = openSync("/dev/zero", "r");
  using buffers = ring.setupBufRing({ entries: 8, group: 1, bufferSize: 8 });
  const order = [0, 1, 2, 3, 4, 5, 6, 7];
  let taken = 0;
  const round = () => {
    for (let count = 0; count < 4; count++) {
      queue(ring, (sqe) => {
        prepRead(sqe, fd, 0, 8, 0);
        sqe.flags = IOSQE_BUFFER_SELECT;
        sqe.bufIndex = 1;
      });
    }
    ring.submitAndWait(4);
    const ids: number[] = [];
    ring.forEachCqe((cqe) => ids.push(cqe.bufferId));
    assertEquals(ids, order.splice(0, 4));
    taken += 4;
    // The third first, and alone.
    for (const at of [2, 0, 3, 1]) {
      buffers.add(ids[at] as number);
      order.push(ids[at] as number);
      if (at === 2) buffers.advance();
    }
    buffers.advance();
  };
  // Head and tail are 16 bits wide: once the tail alone has begun anew, then both.
  while (taken < 0xfffc) round();
  assertEquals([buffers.head(), buffers.available()], [0xfffc, 8]);
  round();
  assertEquals([buffers.head(), buffers.available()], [0, 8]);
  round();
  closeSync(fd);
});

eachRing(
  "buf ring: buffers of the program's, in any order",
  { when },
  (ring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    using buffers = ring.setupBufRing({ entries: 4, group: 1 });
    assertEquals(buffers.bufferSize, 0);
    const [one, two] = [new Uint8Array(64), new Uint8Array(64)];
    buffers.add(40_000, one);
    buffers.add(9, addressOf(two) + 8, 4);
    buffers.add(10, one.subarray(32), 2);
    buffers.advance(2);
    writeNow(writer, bytesOf("abcdefghij"));
    const first = read(ring, reader, 1, 3);
    assertEquals([first.res, first.bufferId], [3, 40_000]);
    const second = read(ring, reader, 1, 64);
    assertEquals(
      [second.res, second.bufferId],
      [4, 9],
      "no more than it holds",
    );
    assertEquals(read(ring, reader, 1, 64).res, -ENOBUFS);
    buffers.advance();
    const third = read(ring, reader, 1, 64);
    assertEquals([third.res, third.bufferId], [2, 10]);
    assertEquals(text.decode(one.subarray(0, 3)), "abc");
    assertEquals(text.decode(two.subarray(8, 12)), "defg");
    assertEquals(text.decode(one.subarray(32, 34)), "hi");
  },
);

eachRing("buf ring: an incremental buffer is used up piece by piece", {
  when: incremental,
}, (ring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  using buffers = ring.setupBufRing({
    entries: 2,
    group: 2,
    bufferSize: 8,
    incremental: true,
  });
  assert(buffers.incremental);
  const pieces = ["abc", "de", "fgh", "ij"].map((piece) => {
    writeNow(writer, bytesOf(piece));
    const { res, flags, bufferId } = read(ring, reader, 2);
    return [res, bufferId, (flags & IORING_CQE_F_BUF_MORE) !== 0];
  });
  assertEquals(pieces, [
    [3, 0, true],
    [2, 0, true],
    [3, 0, false],
    [2, 1, true],
  ]);
  assertEquals(text.decode(buffers.bytes(0)), "abcdefgh");
  assertEquals(text.decode(buffers.bytes(1).subarray(0, 2)), "ij");
});

eachRing(
  "buf ring: outlives its ring without harm",
  { when: status },
  (ring) => {
    const buffers = ring.setupBufRing({ entries: 1, group: 9, bufferSize: 8 });
    ring.close();
    assertEquals(ring.keep.size, 0, "nothing is held for it any more");
    assertThrows(() => buffers.head(), TypeError, "closed");
    buffers.add(0);
    buffers.advance();
    buffers.unregister();
    assertThrows(() => buffers.head(), TypeError, "unregistered");
    assertEquals(buffers.bytes(0).length, 8);
  },
);

eachRing("buf ring: groups of mmapped rings end at 2047", {
  when: mmapped,
}, (ring) => {
  using highest = ring.setupBufRing({ entries: 1, group: 2047, mmap: true });
  assertEquals(highest.group, 2047);
  assertThrows(
    () => ring.setupBufRing({ entries: 1, group: 2048, mmap: true }),
    RangeError,
    "from 0 to 2047",
  );
  using own = ring.setupBufRing({ entries: 1, group: 65535 });
  assertEquals(own.group, 65535);
});

eachRing("buf ring: the largest there is", { when }, (ring) => {
  using buffers = ring.setupBufRing({ entries: 32768, group: 1 });
  const buffer = new Uint8Array(1);
  for (let id = 0; id < 32768; id++) buffers.add(id, buffer);
  assertThrows(() => buffers.add(0, buffer), RangeError, "call advance()");
  buffers.advance();
  if (status) assertEquals(buffers.available(), 32768);
});

eachRing("buf ring: a buffer with too little left is used up", {
  when: canLeaveRoom(),
}, (ring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  using buffers = ring.setupBufRing({
    entries: 2,
    group: 2,
    bufferSize: 8,
    incremental: true,
    minLeft: 4,
  });
  const pieces = ["ab", "abc", "a"].map((piece) => {
    writeNow(writer, bytesOf(piece));
    const { flags, bufferId } = read(ring, reader, buffers.group);
    return [bufferId, (flags & IORING_CQE_F_BUF_MORE) !== 0];
  });
  assertEquals(pieces, [[0, true], [0, false], [1, true]]);
});

Deno.test({
  name: "buf ring: what the kernel lacks is named",
  ignore: !when || canLeaveRoom(),
  fn() {
    using ring = new Ring(4);
    const error = failure("EINVAL", () =>
      ring.setupBufRing({
        entries: 1,
        group: 1,
        incremental: true,
        minLeft: 4,
      }));
    assertStringIncludes(error.message, "minLeft 7.1");
  },
});

Deno.test({
  name: "buf ring: what is none is refused before the kernel sees it",
  ignore: !when,
  fn() {
    using ring = new Ring(4);
    const make = (options: unknown) => () =>
      ring.setupBufRing(wrongly(options));
    for (const options of [undefined, null, 4, "4"]) {
      assertThrows(make(options), TypeError, "options must be an object");
    }
    for (const entries of notNumbers) {
      const error = entries === 1n ? RangeError : TypeError;
      assertThrows(make({ entries, group: 1 }), error, "entries");
    }
    for (const entries of [0, -1, 3, 1.5, 65536, NaN]) {
      assertThrows(make({ entries, group: 1 }), RangeError, "entries");
    }
    for (const group of [-1, 65536, 0.5]) {
      assertThrows(make({ entries: 1, group }), RangeError, "group");
    }
    for (const bufferSize of [-1, 0.5, 2 ** 31]) {
      const options = { entries: 1, group: 1, bufferSize };
      assertThrows(make(options), RangeError, "bufferSize");
    }
    assertThrows(
      make({ entries: 1, group: 1, minLeft: 4 }),
      RangeError,
      "minLeft is for incremental rings",
    );
    assertThrows(
      make({ entries: 1, group: 1, incremental: true, minLeft: -4 }),
      RangeError,
      "minLeft",
    );

    using empty = ring.setupBufRing({ entries: 2, group: 1 });
    using full = ring.setupBufRing({ entries: 2, group: 2, bufferSize: 8 });
    assertThrows(() => empty.add(0), TypeError, "make it with bufferSize");
    assertThrows(() => empty.bytes(0), TypeError, "make it with bufferSize");
    for (const id of [-1, 2, 0.5]) {
      assertThrows(() => full.bytes(id), RangeError, "BufRing.bytes: id");
      assertThrows(() => full.add(id), RangeError, "BufRing.add: id");
    }
    assertThrows(() => full.bytes(wrongly("0")), TypeError, "id");
    assertThrows(() => full.add(wrongly("0")), TypeError, "id");
    assertThrows(() => full.add(0, undefined, 9), RangeError, "length");
    const buffer = new Uint8Array(8);
    assertThrows(() => empty.add(65536, buffer), RangeError, "id");
    assertThrows(() => empty.add(0, buffer, 9), RangeError, "length");
    assertThrows(() => empty.add(0, buffer, 0), RangeError, "length");
    assertThrows(() => empty.add(0, new Uint8Array(0)), TypeError, "length");
    assertThrows(() => empty.add(0, 4096), TypeError, "length");
    assertThrows(() => empty.add(0, -1, 1), RangeError, "buffer");
    assertThrows(() => empty.add(0, wrongly("x"), 1), TypeError, "buffer");
    assertThrows(() => empty.add(0, wrongly(null), 1), TypeError, "buffer");
    assertThrows(() => empty.advance(1), RangeError, "count");
    assertThrows(() => empty.advance(-1), RangeError, "count");
    assertThrows(() => empty.advance(wrongly("0")), TypeError, "count");
    empty.advance();
    buffer.buffer.transfer();
    assertThrows(() => empty.add(0, buffer), TypeError, "detached");
  },
});

Deno.test({
  name: "buf ring: a closed ring makes none",
  ignore: !when,
  fn() {
    const ring = new Ring(4);
    ring.close();
    assertThrows(
      () => ring.setupBufRing({ entries: 1, group: 1 }),
      TypeError,
      "closed",
    );
  },
});
