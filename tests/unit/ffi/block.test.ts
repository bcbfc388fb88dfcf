/** Blocks of memory: how large, whose, and taken by one at a time. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Block, takeBlock } from "../../../ffi/block.ts";

const KIB = 1024;

/** Takes and gives back, for what a test takes first: the C library, and memory to cut from. */
for (let size = 64; size <= 32 * KIB; size *= 2) takeBlock(size).release();

Deno.test("blocks: the least power of two that will do, to 16 KiB", () => {
  for (let power = 64; power <= 16 * KIB; power *= 2) {
    const least = power === 64 ? 1 : power / 2 + 1;
    for (const size of [least, power - 1, power]) {
      const block = takeBlock(size);
      const { address, bytes, view } = block;
      assertEquals([bytes.length, view.byteLength], [power, power], `${size}`);
      assertEquals([address % 64, view.byteOffset], [0, bytes.byteOffset]);
      block.release();
    }
  }
  const large = takeBlock(16 * KIB + 1);
  assertEquals(large.bytes.length, 16 * KIB + 1);
  large.release();
  for (const size of [0, -1, 1.5, NaN, 2 ** 32 + 1]) {
    assertThrows(() => takeBlock(size), RangeError, "takeBlock: byteLength");
  }
});

Deno.test("blocks: no two in use share a byte, however many", () => {
  for (const size of [64, 16 * KIB]) {
    // More than one slab of 256 KiB.
    const blocks = Array.from(
      { length: 600 * KIB / size },
      () => takeBlock(size),
    );
    blocks.forEach(({ bytes }, index) => bytes.fill(index % 251));
    for (const [index, { bytes }] of blocks.entries()) {
      assert(bytes.every((byte) => byte === index % 251), `${size}: ${index}`);
    }
    const addresses = blocks.map(({ address }) => address).sort((a, b) =>
      a - b
    );
    addresses.reduce((last, address) => {
      assert(address - last >= size);
      return address;
    });
    for (const block of blocks) block.release();
  }
});

Deno.test("blocks: what is given back is taken again, and not by two", () => {
  const block = takeBlock(1000);
  block.keep = "held";
  block.release();
  assertEquals(block.keep, undefined, "nothing is held any more");
  block.release();
  const [again, other] = [takeBlock(1000), takeBlock(1000)];
  assertEquals(again.address, block.address);
  assert(other.address !== again.address);
  // One that was taken again can be given back again.
  again.release();
  const third = takeBlock(1000);
  assertEquals(third.address, block.address);
  assert(third instanceof Block);
  third.release();
  other.release();
});
