/** `ProvidedBuffers` without a kernel: where results lie, and which buffers go back. */

import { assertEquals } from "@std/assert";
import { libc } from "../../../ffi/libc.ts";
import type { Selection } from "../../../ops/provided.ts";
import { ProvidedBuffers } from "../../../proactor/provided.ts";
import type { BufRing } from "../../../ring/registration/buf_ring.ts";

// Loaded once: no leak of the first test.
libc();

const SIZE = 8;

/** Buffers of {@linkcode SIZE} bytes, and the ids of those that the kernel was given. */
function provide(entries: number) {
  const given: number[] = [];
  const ring = {
    entries,
    incremental: true,
    add: (id: number) => void given.push(id),
    advance: () => {},
  };
  const buffers = new ProvidedBuffers(ring as unknown as BufRing, SIZE);
  return { buffers, given };
}

/** A result after which the kernel goes on in the same buffer. */
function partial(bufferId: number, length: number): Selection {
  return { bufferId, length, more: true, partial: true };
}

Deno.test("provided: a bundle begins where the last result ended, and ends where the next begins", () => {
  const { buffers, given } = provide(4);
  given.length = 0;
  const first = buffers.place(partial(0, 5));
  assertEquals(first, [{ id: 0, start: 0, length: 5 }]);
  const bundle = buffers.place(partial(0, 10));
  assertEquals(bundle, [
    { id: 0, start: 5, length: 3 },
    { id: 1, start: 0, length: 7 },
  ]);
  assertEquals(buffers.giveBack(first), 0);
  // The kernel is done with the one that is full, and goes on in the other.
  assertEquals(buffers.giveBack(bundle), 1);
  assertEquals([given, buffers.out], [[0], 0]);
  assertEquals(buffers.place(partial(1, 1)), [{ id: 1, start: 7, length: 1 }]);
  buffers.free();
});

Deno.test("provided: a result lies in each buffer once, however long it says it is", () => {
  const { buffers } = provide(2);
  buffers.place(partial(0, 3));
  assertEquals(buffers.place(partial(0, 2 * SIZE)), [
    { id: 0, start: 3, length: 5 },
    { id: 1, start: 0, length: 8 },
  ]);
  buffers.free();
});
