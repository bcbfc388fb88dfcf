/** The table of registered files, changed by ops in the queue. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  IORING_OP_READ,
  IORING_REGISTER_FILES_SKIP,
  IOSQE_IO_LINK,
} from "../../ffi/mod.ts";
import { addressOf } from "../../ffi/memory.ts";
import { type FixedFile, fixedFile, markFixed } from "../../ops/fd.ts";
import { count, Op } from "../../ops/op.ts";
import { filesUpdate, filesUpdateAlloc } from "../../ops/ring.ts";
import { run } from "../../ops/run.ts";
import type { Ring } from "../../ring/mod.ts";
import { runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";
import { closeSync, openSync } from "node:fs";

/** Reads from a registered file's start. */
function readFixed(file: FixedFile, buffer: Uint8Array): Op<number> {
  return Op.of({
    opcode: IORING_OP_READ,
    name: "read",
    encode: (sqe) => {
      const { length } = buffer;
      sqe.prep(IORING_OP_READ, file.index, addressOf(buffer), length, 0);
      markFixed(sqe, file);
      return buffer;
    },
    decode: count,
  });
}

function text(ring: Ring, index: number): string {
  const buffer = new Uint8Array(32);
  const length = run(ring, readFixed(fixedFile(index), buffer));
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** Two open files, "one" and "two", while the body runs. */
function withFiles(body: (one: number, two: number) => void): void {
  const paths = ["one", "two"].map((content) => {
    const path = Deno.makeTempFileSync();
    Deno.writeTextFileSync(path, content);
    return path;
  });
  const [one = -1, two = -1] = paths.map((path) => openSync(path, "r"));
  try {
    body(one, two);
  } finally {
    [one, two].forEach((fd) => closeSync(fd));
    paths.forEach((path) => Deno.removeSync(path));
  }
}

eachRing("filesUpdate: fills, replaces and empties places", {}, (ring) => {
  withFiles((one, two) => {
    ring.files.register([-1, -1, -1, -1]);
    assertEquals(run(ring, filesUpdate([one, two], 1)), 2);
    assertEquals([text(ring, 1), text(ring, 2)], ["one", "two"]);
    assertThrows(() => text(ring, 0), Error, "EBADF");
    assertEquals(run(ring, filesUpdate([two, one], 2)), 2);
    assertEquals([1, 2, 3].map((at) => text(ring, at)), ["one", "two", "one"]);
    assertEquals(run(ring, filesUpdate([-1], 2)), 1);
    assertThrows(() => text(ring, 2), Error, "EBADF");
    assertEquals(text(ring, 3), "one");
  });
});

// Places can be left as they are since 5.12; mkdirat came with 5.15.
eachRing("filesUpdate: skips places", { needs: ["mkdirat"] }, (ring) => {
  withFiles((one, two) => {
    ring.files.register([one, one, one]);
    const fds = [two, IORING_REGISTER_FILES_SKIP, two];
    assertEquals(run(ring, filesUpdate(fds, 0)), 3);
    assertEquals([0, 1, 2].map((at) => text(ring, at)), ["two", "one", "two"]);
  });
});

// A linked op finds its file when it starts since 5.18, setxattr came with 5.19.
eachRing("filesUpdate: linked with a read of the file", {
  needs: ["setxattr"],
}, (ring) => {
  withFiles((one) => {
    ring.files.register([-1]);
    const buffer = new Uint8Array(8);
    const seen = runAll(
      ring,
      [filesUpdate([one], 0), IOSQE_IO_LINK],
      [readFixed(fixedFile(0), buffer)],
    );
    assertEquals([...seen], [[1, 1], [2, 3]]);
  });
});

eachRing("filesUpdate: what the kernel refuses", {}, (ring) => {
  assertThrows(() => run(ring, filesUpdate([0], 0)), Error, "ENXIO");
  ring.files.register([-1, -1]);
  assertThrows(() => run(ring, filesUpdate([0, 0], 1)), Error, "EINVAL");
  assertThrows(() => run(ring, filesUpdate([0x7fff_ffff], 0)), Error, "EBADF");
});

// Allocating came with 5.19, send_zc with 6.0.
eachRing(
  "filesUpdateAlloc: where there is room",
  { needs: ["sendZc"] },
  (ring) => {
    withFiles((one, two) => {
      ring.files.register([-1, one, -1, -1]);
      const files = run(ring, filesUpdateAlloc([two, two]));
      assertEquals(files.map(({ index }) => index), [0, 2]);
      assertEquals([0, 1, 2].map((at) => text(ring, at)), [
        "two",
        "one",
        "two",
      ]);
      const rest = run(ring, filesUpdateAlloc([one, one]));
      assertEquals(rest.map(({ index }) => index), [3]);
      assertThrows(() => run(ring, filesUpdateAlloc([one])), Error, "ENFILE");
    });
  },
);
