// Every prepX and setX against the bytes that liburing 2.15 itself writes.

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import * as ops from "@uring/uring/ops";
import { Sqe } from "@uring/uring/ring";
import abi from "./abi.json" with { type: "json" };
import golden from "./sqe-vectors.json" with { type: "json" };

interface Parameter {
  name: string;
  bits: number;
}

interface Vector {
  fn: string;
  args: Record<string, number | string>;
  base?: { fn: string; args: Record<string, number | string> };
  set?: Record<string, number | string>;
  cmd?: string;
  user_data?: string;
  tags?: string[];
  sqe: string;
}

type Value = number | bigint;
type Twin = (sqe: Sqe, ...args: Value[]) => void;

const functions: Record<string, { params: Parameter[] }> = golden.functions;
const vectors = golden.vectors as unknown as Vector[];
const exported: Record<string, unknown> = ops;
const offsets: Record<string, number> = abi.structs.io_uring_sqe.fields;

/** How many bytes a field has that vectors set. */
const sizes: Record<string, number> = {
  flags: 1,
  ioprio: 2,
  buf_index: 2,
  buf_group: 2,
  personality: 2,
  len: 4,
  nop_flags: 4,
  rw_flags: 4,
  uring_cmd_flags: 4,
  zcrx_ifq_idx: 4,
  addr: 8,
  attr_ptr: 8,
  attr_type_mask: 8,
  off: 8,
};

/** io_uring_prep_send_zc is prepSendZc, io_uring_sqe_set_data64 is setData64. */
function twinName(fn: string): string {
  return fn.replace(/^io_uring_(sqe_)?/, "")
    .replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

function twin(fn: string): Twin {
  const found = exported[twinName(fn)];
  assert(typeof found === "function", `${fn} has no twin ${twinName(fn)}`);
  return found as Twin;
}

function hexBytes(hex: string): Uint8Array<ArrayBuffer> {
  const pairs = hex.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

/** 64-bit arguments as bigints, or as numbers wherever a number is exact. */
type Style = "bigints" | "numbers";

function argument(
  { bits }: Parameter,
  value: string | number,
  style: Style,
): Value {
  if (bits !== 64) return Number(value);
  const wide = BigInt(value);
  const exact = Number.isSafeInteger(Number(wide));
  return style === "numbers" && exact ? Number(wide) : wide;
}

function call(
  sqe: Sqe,
  fn: string,
  args: Record<string, number | string>,
  style: Style,
): void {
  const params = functions[fn]?.params;
  assert(params !== undefined, fn);
  assertEquals(params.map(({ name }) => name), Object.keys(args));
  const values = params.map((parameter) => {
    const value = args[parameter.name];
    assert(value !== undefined);
    return argument(parameter, value, style);
  });
  twin(fn)(sqe, ...values);
}

function setField(bytes: Uint8Array, name: string, value: bigint): void {
  const [offset, size] = [offsets[name], sizes[name]];
  assert(offset !== undefined && size !== undefined, name);
  for (let i = 0; i < size; i++) {
    bytes[offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
}

/** What our functions write for a vector. */
function encode(vector: Vector, style: Style): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(vector.sqe.length / 2);
  const sqe = new Sqe(bytes.buffer, 0, bytes.length === 128 ? 128 : 64);
  if (vector.base !== undefined) {
    call(sqe, vector.base.fn, vector.base.args, style);
  }
  call(sqe, vector.fn, vector.args, style);
  for (const [name, value] of Object.entries(vector.set ?? {})) {
    setField(bytes, name, BigInt(value));
  }
  bytes.set(hexBytes(vector.cmd ?? ""), 48);
  if (!vector.fn.startsWith("io_uring_sqe_set_data")) {
    sqe.userData = BigInt(vector.user_data ?? golden.meta.user_data);
  }
  return bytes;
}

/** Where C cuts a value off in silence or takes a negative one, refusing is as good. */
function mayThrow({ tags = [] }: Vector): boolean {
  return tags.some((tag) => /^(lossy|neg):/.test(tag));
}

function check(vector: Vector, style: Style): void {
  const what = `${vector.fn} ${JSON.stringify(vector.args)}, ${style}`;
  let encoded: Uint8Array;
  try {
    encoded = encode(vector, style);
  } catch (error) {
    assert(mayThrow(vector), `${what}: ${error}`);
    assertInstanceOf(error, RangeError, what);
    return;
  }
  assertEquals(encoded, hexBytes(vector.sqe), what);
}

let checked = 0;

for (const fn of Object.keys(functions)) {
  Deno.test(`${fn} is ${twinName(fn)}`, () => {
    const own = vectors.filter((vector) => vector.fn === fn);
    assert(own.length > 0);
    for (const vector of own) {
      check(vector, "bigints");
      check(vector, "numbers");
      checked++;
    }
  });
}

Deno.test("all 538 vectors of 107 functions were checked", () => {
  assertEquals(golden.meta.count, 538);
  assertEquals(vectors.length, 538);
  assertEquals(Object.keys(functions).length, 107);
  assertEquals(checked, 538);
});

Deno.test("every exported prepX and setX is a twin of a C function", () => {
  const names = new Set(Object.keys(functions).map(twinName));
  const ours = Object.keys(exported).filter((name) =>
    /^(prep|set)[A-Z]/.test(name)
  );
  assertEquals(ours.filter((name) => !names.has(name)), []);
  assertEquals(ours.length, 107);
});

Deno.test("what fits is encoded, negative or not", () => {
  for (const vector of vectors) {
    if ((vector.tags ?? []).some((tag) => tag.startsWith("lossy:"))) continue;
    assertEquals(
      encode(vector, "bigints"),
      hexBytes(vector.sqe),
      `${vector.fn} ${JSON.stringify(vector.args)}`,
    );
  }
});

/** What no C integer is, of 32 bits or less, and of 64. */
const never: unknown[] = [0.5, NaN, Infinity, "1", null, undefined, {}, true];
const neverNarrow: unknown[] = [...never, 1n, 2 ** 32, -(2 ** 31) - 1];
const neverWide: unknown[] = [...never, 2 ** 53, 2n ** 64n, -(2n ** 63n) - 1n];

Deno.test("what is no integer of the right width is refused, and leaves a NOP", () => {
  let refused = 0;
  for (const [fn, { params }] of Object.entries(functions)) {
    params.forEach(({ name, bits }, at) => {
      for (const value of bits === 64 ? neverWide : neverNarrow) {
        const args: unknown[] = params.map(() => 1);
        args[at] = value;
        const sqe = new Sqe(new ArrayBuffer(128), 0, 128);
        const what = `${fn}: ${name} = ${String(value)}`;
        try {
          twin(fn)(sqe, ...args as Value[]);
        } catch (error) {
          assert(
            error instanceof TypeError || error instanceof RangeError,
            `${what}: ${error}`,
          );
          assertEquals(sqe.opcode, 0, what);
          refused++;
          continue;
        }
        throw new Error(`${what} was taken`);
      }
    });
  }
  assertEquals(
    refused,
    11 * Object.values(functions).flatMap((f) => f.params).length,
  );
});
