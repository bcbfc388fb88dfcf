import { assertEquals, assertThrows } from "@std/assert";
import { futex_waitv, siginfo_t } from "../../../ffi/layout.ts";
import { writeFutexWaitv } from "../../../ffi/structs/futex.ts";
import { readSiginfo } from "../../../ffi/structs/siginfo.ts";
import {
  checkMilliseconds,
  writeTimespec,
} from "../../../ffi/structs/timespec.ts";

/** Memory with something else in it already, as blocks of the pool have. */
function dirty(size: number): DataView {
  return new DataView(new Uint8Array(size).fill(0xa5).buffer);
}

function timespecOf(milliseconds: number): [bigint, bigint] {
  const view = dirty(24);
  writeTimespec(view, 8, milliseconds);
  assertEquals(view.getUint32(0), 0xa5a5a5a5);
  return [view.getBigInt64(8, true), view.getBigInt64(16, true)];
}

Deno.test("a timespec is milliseconds as seconds and nanoseconds", () => {
  assertEquals(timespecOf(0), [0n, 0n]);
  assertEquals(timespecOf(1), [0n, 1_000_000n]);
  assertEquals(timespecOf(0.001), [0n, 1000n]);
  assertEquals(timespecOf(999.999999), [0n, 999_999_999n]);
  assertEquals(timespecOf(1000), [1n, 0n]);
  assertEquals(timespecOf(61_234.5), [61n, 234_500_000n]);
  assertEquals(timespecOf(Number.MAX_SAFE_INTEGER), [
    9_007_199_254_740n,
    991_000_000n,
  ]);
});

Deno.test("nanoseconds that round up to a second carry over", () => {
  assertEquals(timespecOf(999.9999999), [1n, 0n]);
  assertEquals(timespecOf(1999.9999999), [2n, 0n]);
});

Deno.test("milliseconds are finite numbers from 0 on", () => {
  assertEquals(checkMilliseconds("x", 0.5), 0.5);
  for (const bad of [-1, -0.1, NaN, Infinity, 2 ** 53]) {
    const text =
      `x must be a number of milliseconds from 0 to 2^53 - 1; got ${bad}.`;
    assertThrows(() => checkMilliseconds("x", bad), RangeError, text);
  }
  for (const bad of ["1", 1n, null, undefined, {}]) {
    assertThrows(
      () => checkMilliseconds("x", bad as number),
      TypeError,
      "x must",
    );
  }
});

Deno.test("a siginfo is read field by field", () => {
  const view = dirty(8 + siginfo_t.size);
  view.setInt32(8 + siginfo_t.si_signo, 17, true);
  view.setInt32(8 + siginfo_t.si_code, 2, true);
  view.setInt32(8 + siginfo_t.si_pid, 12345, true);
  view.setUint32(8 + siginfo_t.si_uid, 4_000_000_000, true);
  view.setInt32(8 + siginfo_t.si_status, 9, true);
  assertEquals(readSiginfo(view, 8), {
    pid: 12345,
    uid: 4_000_000_000,
    signal: 17,
    status: 9,
    code: 2,
  });
});

Deno.test("a futex_waitv is written whole, its reserved word zero", () => {
  const view = dirty(futex_waitv.size);
  writeFutexWaitv(view, 0, 0xffff_ffff, 0x7fff_1234_5678, 0x82);
  assertEquals(view.getBigUint64(futex_waitv.val, true), 0xffff_ffffn);
  assertEquals(view.getBigUint64(futex_waitv.uaddr, true), 0x7fff_1234_5678n);
  assertEquals(view.getUint32(futex_waitv.flags, true), 0x82);
  assertEquals(view.getUint32(20, true), 0);
});
