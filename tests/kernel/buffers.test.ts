/** Provided buffers of the older kind: those of buffer rings are tested with the rings. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  IORING_OP_READ,
  IORING_SETUP_CQE_MIXED,
  IOSQE_BUFFER_SELECT,
  IOSQE_IO_LINK,
} from "../../ffi/mod.ts";
import { Op, release } from "../../ops/op.ts";
import { type Received, received } from "../../ops/provided.ts";
import { provideBuffers, removeBuffers } from "../../ops/ring.ts";
import { run } from "../../ops/run.ts";
import { runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";
import { canMake } from "../support/setup.ts";
import { kernelSince } from "../support/sockets.ts";
import { closeSync, openSync } from "node:fs";

/** Reads from a file's start into a buffer that the kernel selects. */
function readSelected(fd: number, group: number, most: number): Op<Received> {
  return Op.of({
    opcode: IORING_OP_READ,
    name: "read",
    encode: (sqe) => {
      sqe.bufIndex = group;
      sqe.flags = IOSQE_BUFFER_SELECT;
      sqe.prep(IORING_OP_READ, fd, 0, most, 0);
      return undefined;
    },
    decode: received,
  });
}

/** A file with this text, open while the body runs. */
function withFile(text: string, body: (fd: number) => void): void {
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, text);
  const fd = openSync(path, "r");
  try {
    body(fd);
  } finally {
    closeSync(fd);
    Deno.removeSync(path);
  }
}

eachRing(
  "provideBuffers: the kernel selects, until none is left",
  {},
  (ring) => {
    withFile("provided", (fd) => {
      const memory = new Uint8Array(3 * 100 + 50);
      run(ring, provideBuffers(memory, 100, 7, { firstId: 40 }));
      const ids = new Set<number>();
      for (let round = 0; round < 3; round++) {
        const { length, bufferId } = run(ring, readSelected(fd, 7, 64));
        const start = 100 * (bufferId - 40);
        const bytes = memory.subarray(start, start + length);
        assertEquals(new TextDecoder().decode(bytes), "provided");
        ids.add(bufferId);
      }
      assertEquals(ids, new Set([40, 41, 42]));
      assertThrows(() => run(ring, readSelected(fd, 7, 64)), Error, "ENOBUFS");
      run(
        ring,
        provideBuffers(memory.subarray(100, 200), 100, 7, { firstId: 9 }),
      );
      assertEquals(run(ring, readSelected(fd, 7, 64)).bufferId, 9);
    });
  },
);

eachRing("provideBuffers: a read is no longer than its buffer", {}, (ring) => {
  withFile("0123456789", (fd) => {
    const memory = new Uint8Array(4);
    run(ring, provideBuffers(memory, 4, 1));
    assertEquals(run(ring, readSelected(fd, 1, 100)).length, 4);
    assertEquals(new TextDecoder().decode(memory), "0123");
  });
});

eachRing("provideBuffers: groups are apart", {}, (ring) => {
  withFile("x", (fd) => {
    run(ring, provideBuffers(new Uint8Array(8), 4, 1));
    run(ring, provideBuffers(new Uint8Array(4), 4, 65535, { firstId: 5 }));
    assertEquals(run(ring, readSelected(fd, 65535, 1)).bufferId, 5);
    assertThrows(() => run(ring, readSelected(fd, 65535, 1)), Error, "ENOBUFS");
    assertEquals(run(ring, removeBuffers(9, 1)), 2);
  });
});

eachRing(
  "provideBuffers: with the read that wants them in one chain",
  {},
  (ring) => {
    withFile("chain", (fd) => {
      const memory = new Uint8Array(16);
      const seen = runAll(
        ring,
        [provideBuffers(memory, 16, 3), IOSQE_IO_LINK],
        [readSelected(fd, 3, 16)],
      );
      assertEquals([...seen.keys()], [1, 2]);
      assertEquals(seen.get(2), 5);
      assertEquals(new TextDecoder().decode(memory.subarray(0, 5)), "chain");
    });
  },
);

eachRing("removeBuffers: so many, the rest, none", {}, (ring) => {
  run(ring, provideBuffers(new Uint8Array(100), 10, 2));
  assertEquals(run(ring, removeBuffers(4, 2)), 4);
  assertEquals(run(ring, removeBuffers(65535, 2)), 6);
  assertThrows(() => run(ring, removeBuffers(1, 99)), Deno.errors.NotFound);
});

eachRing("provideBuffers: 65535 of them", {}, (ring) => {
  run(ring, provideBuffers(new Uint8Array(65535 * 8), 8, 1));
  assertEquals(run(ring, removeBuffers(65535, 1)), 65535);
});

// Older kernels take one more, though its id is nobody's; 6.18 has CQE_MIXED.
// From 7.2 on there is room for 65536.
eachRing("provideBuffers: a full group takes no more", {
  when: canMake(IORING_SETUP_CQE_MIXED) && !kernelSince(7, 2),
}, (ring) => {
  const memory = new Uint8Array(65535 * 8);
  run(ring, provideBuffers(memory, 8, 1));
  const more = provideBuffers(memory.subarray(0, 8), 8, 1, { firstId: 65535 });
  assertThrows(() => run(ring, more), Error, "EOVERFLOW");
});

const collectGarbage = (globalThis as { gc?: () => void }).gc;

eachRing(
  "provideBuffers: the ring keeps their memory from the garbage collector",
  {
    when: collectGarbage !== undefined,
  },
  async (ring) => {
    const provide = () => {
      const memory = new Uint8Array(64 * 1024);
      run(ring, provideBuffers(memory, 64 * 1024, 1));
      return new WeakRef(memory.buffer);
    };
    const buffer = provide();
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setTimeout(resolve)); // or the WeakRef itself holds it
      collectGarbage?.();
    }
    assert(buffer.deref() !== undefined);
  },
);

eachRing(
  "provideBuffers: an op's memory is the caller's, released or not",
  {},
  (ring) => {
    const op = provideBuffers(new Uint8Array(8), 8, 1);
    const sqe = ring.sqe();
    if (sqe === null) throw new Error("no entry");
    const held = op.encode(sqe);
    ring.submitAndWait(1);
    assertEquals(ring.forEachCqe((cqe) => op.finish(cqe, held)), 1);
    release(held);
    assertEquals(run(ring, removeBuffers(1, 1)), 1);
  },
);
