/** Registered files: `ring.files`. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { EBADF, ENFILE } from "../../../ffi/linux.ts";
import {
  AT_FDCWD,
  IORING_FILE_INDEX_ALLOC,
  IORING_OP_CLOSE,
  IORING_OP_OPENAT,
  IORING_REGISTER_FILE_ALLOC_RANGE,
  IORING_REGISTER_FILES2,
  IORING_REGISTER_FILES_SKIP,
  IOSQE_FIXED_FILE,
  takeBlock,
} from "../../../ffi/mod.ts";
import { prepRead } from "../../../ops/rw.ts";
import { Ring } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { Fds, writeNow } from "../../support/sockets.ts";
import {
  hasRegister,
  linux,
  notNumbers,
  runOne,
  take,
  takeNow,
  wrongly,
} from "./support.ts";

const tagged = hasRegister(IORING_REGISTER_FILES2);
const sparse = linux("5.19");
const ranged = hasRegister(IORING_REGISTER_FILE_ALLOC_RANGE);
const NOT_OPEN = 0x7fff_0000;

/** A pipe with one letter in it, to read from. */
function letter(fds: Fds, text: string): number {
  const [reader, writer] = fds.pipe();
  writeNow(writer, new TextEncoder().encode(text));
  return reader;
}

/** Reads one letter from a registered file; or gives the errno, negated. */
function read(ring: Ring, index: number): string | number {
  const block = takeBlock(64);
  const res = runOne(ring, (sqe) => {
    prepRead(sqe, index, block.address, 1, 0);
    sqe.flags = IOSQE_FIXED_FILE;
  });
  const text = String.fromCharCode(block.bytes[0] as number);
  block.release();
  return res === 1 ? text : res;
}

/** Opens a file into a slot that the kernel picks. */
function openSomewhere(ring: Ring): number {
  const path = takeBlock(64);
  path.bytes.set(new TextEncoder().encode("/dev/null\0"));
  const slot = runOne(ring, (sqe) => {
    sqe.prep(IORING_OP_OPENAT, AT_FDCWD, path.address, 0, 0);
    sqe.fileIndex = IORING_FILE_INDEX_ALLOC;
  });
  path.release();
  return slot;
}

eachRing("files: an op finds its file by index", {}, (ring) => {
  using fds = new Fds();
  ring.files.register([letter(fds, "ab"), -1, letter(fds, "c")]);
  assertEquals(ring.files.length, 3);
  assertEquals(read(ring, 0), "a");
  assertEquals(read(ring, 2), "c");
  assertEquals(read(ring, 1), -EBADF, "an empty slot");
  assertEquals(read(ring, 3), -EBADF, "no slot");
  ring.files.unregister();
  assertEquals(ring.files.length, 0);
  assertEquals(read(ring, 0), -EBADF);
});

eachRing("files: stay open when their descriptors are closed", {}, (ring) => {
  using fds = new Fds();
  const reader = letter(fds, "x");
  ring.files.register([reader]);
  fds.close(reader);
  assertEquals(read(ring, 0), "x");
});

eachRing("files: twice, or not at all", {}, (ring) => {
  using fds = new Fds();
  const reader = letter(fds, "x");
  const none = failure("ENXIO", () => ring.files.unregister());
  assertEquals(none.op, "io_uring_unregister_files");
  assertStringIncludes(none.message, "No files are registered.");
  ring.files.register([reader]);
  const twice = failure("EBUSY", () => ring.files.register([reader]));
  assertEquals(twice.op, "io_uring_register_files");
  assertStringIncludes(twice.message, "call unregister() first");
  ring.files.unregister();
  ring.files.register([reader, reader]);
  assertEquals(ring.files.length, 2);
});

eachRing(
  "files: what is not open, and rings, are refused",
  {},
  (ring, kind) => {
    using fds = new Fds();
    using other = kind.make();
    const reader = letter(fds, "x");
    for (const fd of [NOT_OPEN, ring.fd, other.fd]) {
      const error = failure("EBADF", () => ring.files.register([reader, fd]));
      assertEquals(error.op, "io_uring_register_files");
      assertEquals(ring.files.length, 0);
    }
    ring.files.register([reader]);
  },
);

eachRing("files: update replaces, empties and skips", {
  when: linux("5.12"),
}, (ring) => {
  using fds = new Fds();
  ring.files.register([letter(fds, "a"), letter(fds, "b"), letter(fds, "c")]);
  const skip = IORING_REGISTER_FILES_SKIP;
  ring.files.update(0, [letter(fds, "d"), skip, -1]);
  assertEquals(read(ring, 0), "d");
  assertEquals(read(ring, 1), "b");
  assertEquals(read(ring, 2), -EBADF);
  ring.files.update(2, [letter(fds, "e")]);
  assertEquals(read(ring, 2), "e");
});

eachRing("files: a refused descriptor is told, and how many came before", {}, (
  ring,
) => {
  using fds = new Fds();
  const [one, two, three] = ["a", "b", "c"].map((text) => letter(fds, text));
  ring.files.register([-1, one as number, -1]);
  const error = failure(
    "EBADF",
    () => ring.files.update(0, [two as number, NOT_OPEN, three as number]),
  );
  assertEquals(error.op, "io_uring_register_files_update");
  assertStringIncludes(error.message, "1 of 3 slots were replaced.");
  assertEquals(read(ring, 0), "b");
  assertEquals(read(ring, 1), -EBADF, "its slot is empty then");
  assertEquals(read(ring, 2), -EBADF);
});

eachRing("files: update looks where there are slots", {}, (ring) => {
  failure("ENXIO", () => ring.files.update(0, [0]));
  ring.files.register([0, 0]);
  for (
    const [index, count] of [[2, 1], [1, 2], [0, 3], [0x7fff_ffff, 1]] as const
  ) {
    const fds = new Array<number>(count).fill(0);
    assertThrows(() => ring.files.update(index, fds), RangeError, "table");
  }
  for (const index of [-1, 1.5, NaN, 2 ** 31]) {
    assertThrows(() => ring.files.update(index, [0]), RangeError, "index");
  }
  for (const index of notNumbers) {
    assertThrows(
      () => ring.files.update(wrongly(index), [0]),
      index === 1n ? RangeError : TypeError,
      "index",
    );
  }
});

eachRing(
  "files: a table of empty slots is filled",
  { when: sparse },
  (ring) => {
    using fds = new Fds();
    ring.files.registerSparse(100);
    assertEquals(ring.files.length, 100);
    assertEquals(read(ring, 99), -EBADF);
    ring.files.update(99, [letter(fds, "z")]);
    assertEquals(read(ring, 99), "z");
  },
);

eachRing("files: tags come back as completions", { when: tagged }, (ring) => {
  using fds = new Fds();
  const [one, two] = ["a", "b"].map((text) => letter(fds, text));
  ring.files.register([one as number, -1, two as number], { tags: [1, 0, 3n] });
  ring.files.update(0, [two as number], { tags: [666] });
  assertEquals(take(ring, 1), [
    { userData: 1n, res: 0, flags: 0, bufferId: -1 },
  ]);
  ring.files.update(0, [-1]);
  assertEquals(take(ring, 1)[0]?.userData, 666n);
  assertEquals(takeNow(ring), []);
  ring.files.unregister();
  // Before 6.13 unregistering is silent.
  if (linux("6.13")) assertEquals(take(ring, 1)[0]?.userData, 3n);
  else assertEquals(takeNow(ring), []);
});

eachRing("files: the kernel picks slots within a range", {
  when: ranged,
}, (ring) => {
  const early = failure("EINVAL", () => ring.files.allocRange(0, 1));
  assertEquals(early.op, "io_uring_register_file_alloc_range");
  assertStringIncludes(early.message, "register files first");
  ring.files.registerSparse(10);
  ring.files.allocRange(4, 3);
  const picked = [0, 1, 2].map(() => openSomewhere(ring));
  assertEquals(picked.sort(), [4, 5, 6]);
  assertEquals(openSomewhere(ring), -ENFILE);
  const closed = runOne(ring, (sqe) => {
    sqe.prep(IORING_OP_CLOSE, 0, 0, 0, 0);
    sqe.fileIndex = 5 + 1;
  });
  assertEquals(closed, 0);
  assertEquals(openSomewhere(ring), 5);
  ring.files.allocRange(0, 10);
  assertEquals(openSomewhere(ring) < 4, true);
  failure("EINVAL", () => ring.files.allocRange(8, 3));
  failure("EOVERFLOW", () => ring.files.allocRange(0xffff_ffff, 2));
});

Deno.test("files: what is no descriptor is refused before the kernel sees it", () => {
  using ring = new Ring(4);
  const { files } = ring;
  for (const fds of [undefined, null, "1", 1, {}, new Int32Array(1)]) {
    assertThrows(() => files.register(wrongly(fds)), TypeError, "fds");
  }
  for (const fd of notNumbers.filter((value) => value !== 1n)) {
    assertThrows(
      () => files.register([wrongly(fd)]),
      TypeError,
      "ring.files.register: fds[0] must be an integer from -1 to 2147483647",
    );
  }
  for (const fd of [-2, 1.5, NaN, 2 ** 31, 2 ** 32, Infinity]) {
    assertThrows(() => files.register([0, fd]), RangeError, "fds[1]");
  }
  assertThrows(() => files.register([]), RangeError, "1 to 1048576");
  files.register([0]);
  assertThrows(() => files.update(0, [-3]), RangeError, "fds[0]");
  assertThrows(
    () => files.update(0, [-1], { tags: [5] }),
    RangeError,
    "slot 0 stays empty",
  );
  assertThrows(() => files.update(0, [0], { tags: [] }), RangeError, "tags");
  for (const [offset, length] of [[-1, 1], [0, 0], [0, 2 ** 32], [0.5, 1]]) {
    assertThrows(
      () => files.allocRange(offset as number, length as number),
      RangeError,
      "ring.files.allocRange",
    );
  }
  assertThrows(() => files.allocRange(wrongly("0"), 1), TypeError, "offset");
  for (const count of [0, -1, 1.5, 2 ** 20 + 1]) {
    assertThrows(() => files.registerSparse(count), RangeError, "count");
  }
});

Deno.test("files: a closed ring has none", () => {
  const ring = new Ring(4);
  ring.files.register([0]);
  ring.close();
  for (
    const call of [
      () => ring.files.register([0]),
      () => ring.files.registerSparse(2),
      () => ring.files.update(0, [0]),
      () => ring.files.allocRange(0, 1),
      () => ring.files.unregister(),
    ]
  ) assertThrows(call, TypeError, "closed");
});
