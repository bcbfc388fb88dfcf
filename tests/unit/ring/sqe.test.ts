/** Entries and completions over plain memory: where each field lies, and what it cannot hold. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { IORING_CQE_F_BUFFER, IORING_CQE_F_MORE } from "../../../ffi/abi.ts";
import { Cqe, Sqe } from "../../../ring/mod.ts";
import abi from "../../golden/abi.json" with { type: "json" };
import { refuses } from "../../support/entry.ts";

const { fields } = abi.structs.io_uring_sqe;

interface Field {
  /** Its name in C. */
  c: keyof typeof fields;
  /** Its width in bits. */
  bits: 8 | 16 | 32 | 64;
  /** The least number that it takes. */
  least: bigint;
}

const INT32_MIN = -(2n ** 31n);

/** The properties that are a field each. */
const properties: Partial<Record<keyof Sqe, Field>> = {
  opcode: { c: "opcode", bits: 8, least: 0n },
  flags: { c: "flags", bits: 8, least: 0n },
  ioprio: { c: "ioprio", bits: 16, least: 0n },
  fd: { c: "fd", bits: 32, least: INT32_MIN },
  off: { c: "off", bits: 64, least: -(2n ** 63n) },
  addr: { c: "addr", bits: 64, least: -(2n ** 63n) },
  len: { c: "len", bits: 32, least: 0n },
  opFlags: { c: "rw_flags", bits: 32, least: INT32_MIN },
  userData: { c: "user_data", bits: 64, least: -(2n ** 63n) },
  bufIndex: { c: "buf_index", bits: 16, least: 0n },
  personality: { c: "personality", bits: 16, least: 0n },
  fileIndex: { c: "file_index", bits: 32, least: INT32_MIN },
  addr3: { c: "addr3", bits: 64, least: -(2n ** 63n) },
};

/** The second of three entries, with bytes around it and in it that are not zero. */
function second(): { bytes: Uint8Array<ArrayBuffer>; sqe: Sqe } {
  const bytes = new Uint8Array(3 * 64).fill(0xa5);
  return { bytes, sqe: new Sqe(bytes.buffer, 64) };
}

function littleEndian(value: bigint, bits: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt.asIntN(64, value), true);
  return bytes.subarray(0, bits / 8);
}

for (const [property, { c, bits, least }] of Object.entries(properties)) {
  Deno.test(`Sqe.${property}: its own bytes, and no others`, () => {
    const most = property === "fd" ? 2n ** 31n - 1n : 2n ** BigInt(bits) - 1n;
    const values = [least, 0n, 1n, most >> 1n, most];
    // A number that is exact, but wider than 32 bits.
    if (bits === 64) values.push(0x1_2345_6789n, -0x1_2345_6789n);
    for (const value of values) {
      const { bytes, sqe } = second();
      const expected = bytes.slice();
      expected.set(littleEndian(value, bits), 64 + fields[c]);
      const exact = Number.isSafeInteger(Number(value));
      Reflect.set(sqe, property, exact ? Number(value) : value);
      assertEquals(bytes, expected, `${property} = ${value}`);
      const read = BigInt(Reflect.get(sqe, property));
      assertEquals(BigInt.asUintN(bits, read), BigInt.asUintN(bits, value));
    }
    for (const value of [least - 1n, most + 1n, "1", 0.5, null]) {
      const { bytes, sqe } = second();
      const given = bits < 64 && typeof value === "bigint"
        ? Number(value)
        : value;
      const kind = typeof given === "number" || typeof given === "bigint"
        ? RangeError
        : TypeError;
      assertThrows(() => Reflect.set(sqe, property, given), kind, "sqe.");
      assertEquals(bytes, second().bytes, `${property} = ${value}`);
    }
  });
}

Deno.test("Sqe.tag: the low half of user_data, and the high one zero", () => {
  const { bytes, sqe } = second();
  sqe.tag = 0xffff_fffe;
  assertEquals([sqe.tag, sqe.userData], [0xffff_fffe, 0xffff_fffen]);
  const { user_data } = fields;
  assertEquals([bytes[64 + user_data - 1], bytes[64 + user_data + 8]], [
    0xa5,
    0xa5,
  ]);
  for (const tag of [-1, 2 ** 32, 0.5]) {
    assertThrows(() => sqe.tag = tag, RangeError, "sqe.tag");
  }
});

Deno.test("Sqe.prep: what an op code cannot be is refused, and leaves a NOP", () => {
  const sqe = new Sqe(new ArrayBuffer(64));
  for (const opcode of [256, -1, 0.5]) {
    assertThrows(() => sqe.prep(opcode, 1, 2, 3, 4), RangeError, "sqe.opcode");
    assertEquals([sqe.opcode, sqe.flags], [0, 0]);
  }
});

Deno.test("Sqe: all of an entry is cleared, and nothing else; a command's bytes end it", () => {
  for (const size of [64, 128] as const) {
    const bytes = new Uint8Array(4 * 64).fill(1);
    const sqe = new Sqe(bytes.buffer, 64, size);
    assertEquals([sqe.cmd.byteOffset, sqe.cmd.length], [64 + 48, size - 48]);
    sqe.clear();
    const expected = new Uint8Array(4 * 64).fill(1).fill(0, 64, 64 + size);
    assertEquals(bytes, expected);
  }
});

Deno.test("Sqe, Cqe: lie within their memory, aligned", () => {
  const memory = new ArrayBuffer(128);
  const over = (offset: unknown, size: unknown) => [memory, offset, size];
  const sqe = (...args: ConstructorParameters<typeof Sqe>) => new Sqe(...args);
  const cqe = (...args: ConstructorParameters<typeof Cqe>) => new Cqe(...args);
  for (const offset of [-64, 68, 128, 2, 0.5]) {
    refuses(RangeError, "4-byte aligned", sqe, ...over(offset, 64));
  }
  refuses(RangeError, "4-byte aligned", sqe, ...over(4, 128));
  refuses(RangeError, "byteLength must be 64 or 128", sqe, ...over(0, 96));
  assertEquals(sqe(memory, 64).base, 16);
  for (const offset of [-16, 116, 128, 2, 0.5]) {
    refuses(RangeError, "4-byte aligned", cqe, ...over(offset, 16));
  }
  refuses(RangeError, "4-byte aligned", cqe, ...over(100, 32));
  refuses(RangeError, "byteLength must be 16 or 32", cqe, ...over(0, 24));
  assertEquals(cqe(memory, 112).base, 28);
});

Deno.test("Cqe: what is unsigned reads so, whatever its highest bit", () => {
  const flags = (0xfedc << 16) | IORING_CQE_F_BUFFER | IORING_CQE_F_MORE;
  const words = Int32Array.of(0, -2, -3, -4, flags, -5, -6, -7, -8);
  const cqe = new Cqe(words.buffer, 4, 32);
  assertEquals([cqe.tag, cqe.tagHigh], [0xffff_fffe, 0xffff_fffd]);
  assertEquals(cqe.userData, 0xffff_fffd_ffff_fffen);
  assertEquals([cqe.res, cqe.flags], [-4, flags >>> 0]);
  assertEquals([cqe.more, cqe.bufferId], [true, 0xfedc]);
  assertEquals(cqe.bigCqe(0), 0xffff_fffa_ffff_fffbn);
  assertEquals(cqe.bigCqe(1), 0xffff_fff8_ffff_fff9n);
  const beyond = assertThrows(
    () => Reflect.apply(cqe.bigCqe, cqe, [2]),
    RangeError,
  );
  assertStringIncludes(beyond.message, "words 0 and 1");
});

Deno.test("Cqe: a plain completion has no buffer, no more to come, no second half", () => {
  const cqe = new Cqe(Int32Array.of(1, 0, 2, 0xfffe << 16, 9, 9, 9, 9).buffer);
  assertEquals([cqe.more, cqe.bufferId], [false, -1]);
  assertThrows(() => cqe.bigCqe(0), RangeError, "completion of 16 bytes");
});
