/**
 * The local stand-ins of `@std/assert` and `@std/testing` do what std's own do: but for the one test
 * of our own words, these pass with `@std/assert` 1.0.19 and `@std/testing` 1.0.20 in their place.
 */
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertIsError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "@std/assert";
import {
  assertSpyCall,
  assertSpyCalls,
  MockError,
  spy,
  stub,
} from "@std/testing/mock";
import { FakeTime, TimeError } from "@std/testing/time";

/** Without the assertions under test, which might be the ones that are broken. */
function fails(run: () => unknown, message: RegExp): void {
  try {
    run();
  } catch (error) {
    if (error instanceof AssertionError && message.test(error.message)) return;
    throw error;
  }
  throw new Error(`nothing was thrown, but expected ${message}`);
}

function raise(value: unknown): never {
  throw value;
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

const NOT_EQUAL = /^Values are not equal/;

class Point {
  #hidden: number;
  constructor(public x: number, hidden = 0) {
    this.#hidden = hidden;
  }
  get hidden() {
    return this.#hidden;
  }
}

class Moment extends Date {}

const key = {};

const circular = () => {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
};

Deno.test("equal: pairs that are", () => {
  const pairs: [unknown, unknown][] = [
    [NaN, NaN],
    [0, -0],
    [1n, 1n],
    [{ a: [1, { b: "c" }] }, { a: [1, { b: "c" }] }],
    [Object.create(null), {}],
    [new Date(5), new Date(5)],
    [new Date(NaN), new Date(NaN)],
    [new Moment(5), new Date(5)],
    [/a/g, /a/g],
    [new URL("file:///a"), new URL("file:///a")],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    [new BigInt64Array([1n]), new BigInt64Array([1n])],
    [new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2]).buffer],
    [new Set([1, { a: 1 }]), new Set([1, { a: 1 }])],
    [new Set([0, NaN]), new Set([-0, NaN])],
    // One of the other's will do for both.
    [new Set([{ a: 1 }, { a: 1 }]), new Set([{ a: 1 }, { a: 2 }])],
    [new Map([[key, 1], [{}, 2]]), new Map([[key, 2], [{}, 1]])],
    [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 1 }, 1]])],
    [new Map([[1, { v: 1 }]]), new Map([[1, { v: 1 }]])],
    [new Float64Array([NaN, 0]), new Float64Array([NaN, -0])],
    [new Uint8Array([9, 1]).subarray(1), new Uint8Array([1])],
    [new Point(1, 2), new Point(1, 2)],
    [circular(), circular()],
    [{ [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 1 }],
  ];
  for (const [a, b] of pairs) check(equal(a, b), Deno.inspect([a, b]));
});

Deno.test("equal: pairs that are not", () => {
  const pairs: [unknown, unknown][] = [
    [1, 1n],
    [1, "1"],
    [null, undefined],
    [{ a: 1 }, { a: 2 }],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [[1, 2], [1, 2, 3]],
    [[], {}],
    // deno-lint-ignore no-sparse-arrays -- a hole is no undefined
    [[, 1], [undefined, 1]],
    [new Date(5), new Date(6)],
    [/a/g, /a/i],
    [/a/, Object.assign(/a/, { b: 1 })],
    [new Map(), Object.assign(new Map(), { a: 1 })],
    [new Uint8Array([1]), new Int8Array([1])],
    [new Uint8Array([1, 2]), new Uint8Array([1, 3])],
    [new Uint8Array(2).buffer, new Uint8Array(3).buffer],
    [new ArrayBuffer(2), new SharedArrayBuffer(2)],
    [new Set([{ a: 1 }]), new Set([{ a: 2 }])],
    [new Set([1, 2]), new Set([1, 3])],
    [new Map([["k", 1]]), new Map([["k", 2]])],
    [new Map([["k", undefined]]), new Map([["l", undefined]])],
    [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 1 }, 2]])],
    [new Point(1), { x: 1 }],
    [new Point(1, 2), new Point(1, 3)],
    [new Error("a"), new Error("b")],
    [new Error("a"), new TypeError("a")],
    [new Error("a", { cause: 1 }), new Error("a", { cause: 2 })],
    [{ [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 2 }],
  ];
  for (const [a, b] of pairs) {
    check(!equal(a, b), Deno.inspect([a, b]));
    check(!equal(b, a), Deno.inspect([b, a]));
  }
});

Deno.test("assertEquals and its kin", () => {
  assertEquals({ a: 1n }, { a: 1n });
  assertNotEquals([1], [2]);
  assertStrictEquals(NaN, NaN);
  assertNotStrictEquals({}, {});
  fails(() => assertEquals(1, 2, "why"), /^Values are not equal: why/);
  fails(() => assertEquals<unknown>({ a: [0] }, { a: [1] }), NOT_EQUAL);
  fails(() => assertNotEquals([1], [1]), /not to be/);
  fails(() => assertStrictEquals<unknown>({}, {}), /not reference-equal/);
  fails(() => assertStrictEquals(0, -0), /not strictly equal/);
  fails(() => assertNotStrictEquals(1, 1), /to not be strictly equal/);
});

// The one test of our own words, which std's differ from.
Deno.test("assertEquals says where two values first differ", () => {
  const bytes = new Uint8Array(64);
  const other = bytes.with(40, 7);
  fails(() => assertEquals(bytes, other), /at \[40\]\nactual: {3}0\n.*: 7/);
  fails(() => assertEquals(bytes.buffer, other.buffer), /at \[40\]\n/);
  fails(
    () => assertEquals({ a: [{ b: 1 }] }, { a: [{ b: 2 }] }),
    /at \.a\[0\]\.b\n/,
  );
  fails(() => assertArrayIncludes([1], [1, 2]), /missing: \[ 2 \]/);
});

Deno.test("assertObjectMatch", () => {
  const actual = {
    a: 1,
    b: { c: [1, { d: 2, e: 3 }], f: new Date(1) },
    m: new Map([["k", 1], ["l", 2]]),
    s: new Set([1, 2]),
    p: new Point(1, 2),
  };
  assertObjectMatch(actual, { a: 1 });
  assertObjectMatch(actual, { b: { c: [1, { d: 2 }], f: new Date(1) } });
  assertObjectMatch(actual, { m: new Map([["k", 1]]), s: new Set([2]) });
  assertObjectMatch(actual, { p: { x: 1 } });
  assertObjectMatch(actual, { b: { c: [1] } });
  assertObjectMatch(circular(), circular());
  fails(() => assertObjectMatch(actual, { a: 2 }), NOT_EQUAL);
  fails(() => assertObjectMatch(actual, { z: undefined }), NOT_EQUAL);
  fails(
    () => assertObjectMatch(actual, { b: { c: [1, { d: 2 }, 3] } }),
    NOT_EQUAL,
  );
  // What is inherited is no property.
  fails(() => assertObjectMatch(actual, { p: { hidden: 2 } }), NOT_EQUAL);
  fails(
    () => assertObjectMatch(actual, { b: { c: [1, { d: 3 }] } }),
    NOT_EQUAL,
  );
  fails(() => assertObjectMatch(actual, { m: new Map([["k", 2]]) }), NOT_EQUAL);
});

Deno.test("assertions about one value", () => {
  assert(1);
  assertFalse("");
  assertExists(0);
  assertInstanceOf(new Point(1), Point);
  assertStringIncludes("abc", "b");
  assertMatch("abc", /b/);
  assertNotMatch("abc", /d/);
  assertArrayIncludes([1, { a: 1 }], [{ a: 1 }]);
  assertArrayIncludes(new Uint8Array([1, 2]), new Uint8Array([2]));
  fails(() => assert(0, "why"), /^why$/);
  fails(() => assertFalse(1, "why"), /^why$/);
  fails(() => assertExists(null), /"null" to not be null/);
  fails(() => assertExists(undefined, "why"), /: why$/);
  fails(() => assertInstanceOf({}, Point), /"Point" but was "Object"\.$/);
  fails(() => assertInstanceOf(null, Point), /but was "null"/);
  fails(() => assertStringIncludes("abc", "d"), /"abc" to contain: "d"\.$/);
  fails(() => assertMatch("abc", /d/), /"abc" to match: "\/d\/"\.$/);
  fails(() => assertNotMatch("abc", /b/), /to not match/);
  fails(
    () => assertArrayIncludes([1], [1, 2]),
    /^Expected actual: .* to include: /s,
  );
});

Deno.test("assertions about size", () => {
  assertGreater(2, 1);
  assertGreater(2n, 1n);
  assertGreaterOrEqual(2, 2);
  assertLess(1, 2);
  assertLessOrEqual(2, 2);
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(1, 2, 1);
  assertAlmostEquals(Infinity, Infinity);
  fails(() => assertGreater(1, 1), /1 > 1/);
  fails(() => assertGreaterOrEqual(1, 2), /1 >= 2/);
  fails(() => assertLess(NaN, 1), /NaN < 1/);
  fails(() => assertLessOrEqual(2, 1, "why"), /^why$/);
  fails(() => assertAlmostEquals(1, 1.1), /to be close to/);
  fails(() => assertAlmostEquals(NaN, 1), /to be close to/);
});

Deno.test("assertThrows and assertIsError", () => {
  const thrown = new RangeError("out of range");
  const throws = () => {
    throw thrown;
  };
  assertStrictEquals(assertThrows(throws), thrown);
  assertStrictEquals(assertThrows(throws, RangeError), thrown);
  assertStrictEquals(assertThrows(throws, Error, "of range"), thrown);
  assertIsError(thrown, RangeError, /^out/);
  fails(
    () => assertThrows(() => {}, "why"),
    /Expected function to throw: why$/,
  );
  fails(() => assertThrows(throws, TypeError), /"TypeError".*"RangeError"/);
  fails(() => assertThrows(throws, RangeError, "zzz"), /"zzz".*"out of range"/);
  fails(() => assertThrows(() => raise("text"), Error), /non-Error/);
  fails(() => assertIsError("text"), /to be an Error object/);
  assertStrictEquals(assertThrows(() => raise("text")), "text");
});

Deno.test("assertRejects", async () => {
  const error = new RangeError("out of range");
  const rejects = () => Promise.reject(error);
  assertStrictEquals(await assertRejects(rejects), error);
  assertStrictEquals(await assertRejects(rejects, RangeError, "range"), error);
  const failing: [() => Promise<unknown>, RegExp][] = [
    [() => assertRejects(() => Promise.resolve(1)), /function to reject/],
    [() => assertRejects(rejects, TypeError), /"TypeError".*"RangeError"/],
    [() => assertRejects(rejects, RangeError, "zzz"), /"zzz"/],
    [() => assertRejects(() => Promise.reject("text"), Error), /non-Error/],
    [
      () =>
        assertRejects(() => {
          throw error;
        }),
      /throws when expected to reject/,
    ],
    [
      () => assertRejects(() => 1 as unknown as Promise<number>),
      /throws when expected to reject/,
    ],
  ];
  for (const [run, message] of failing) {
    const outcome = await run().then(() => undefined, (reason) => reason);
    fails(() => {
      throw outcome;
    }, message);
  }
});

Deno.test("fail and unreachable", () => {
  fails(() => fail("why"), /^Failed assertion: why$/);
  fails(() => fail(), /^Failed assertion\.$/);
  fails(() => unreachable(), /^Unreachable\.$/);
});

Deno.test("spy records calls, results, errors and objects", () => {
  const add = spy((a: number, b: number) => {
    if (b < 0) throw new RangeError("negative");
    return a + b;
  });
  assertSpyCalls(add, 0);
  assertEquals(add(1, 2), 3);
  assertThrows(() => add(1, -1), RangeError);
  assertSpyCall(add, 0, { args: [1, 2], returned: 3 });
  assertSpyCall(add, 1, {
    args: [1, -1],
    error: { Class: RangeError, msgIncludes: "nega" },
  });
  assertSpyCalls(add, 2);
  assertThrows(() => assertSpyCalls(add, 1), AssertionError);
  assertThrows(() => assertSpyCall(add, 2), AssertionError);
  assertThrows(
    () => assertSpyCall(add, 0, { args: [1, 3] }),
    AssertionError,
  );
  assertThrows(
    () => assertSpyCall(add, 0, { error: { Class: Error } }),
    AssertionError,
  );
  const nothing = spy();
  assertEquals(nothing("a"), undefined);
  assertSpyCall(nothing, 0, { args: ["a"] });
  assertThrows(() => nothing.restore(), MockError);
});

Deno.test("spy and stub on methods, restored by using", () => {
  class Counter {
    count = 1;
    add(by: number) {
      return this.count += by;
    }
  }
  const counter = new Counter();
  {
    using added = spy(counter, "add");
    assertEquals(counter.add(2), 3);
    assertSpyCall(added, 0, { args: [2], self: counter, returned: 3 });
    assertThrows(() => spy(counter, "add"), MockError);
  }
  assertFalse(Object.hasOwn(counter, "add"));
  {
    using added = stub(counter, "add", (by) => by * 10);
    assertEquals(counter.add(2), 20);
    assertEquals(counter.count, 3);
    assertFalse(added.restored);
    assertSpyCalls(added, 1);
  }
  assertEquals(counter.add(1), 4);
  const silent = stub(counter, "add");
  assertEquals<unknown>(counter.add(1), undefined);
  silent.restore();
  assert(silent.restored);
  assertThrows(() => silent.restore(), MockError);
});

Deno.test("FakeTime moves timers and Date", () => {
  const realNow = Date.now();
  {
    using time = new FakeTime(1000);
    const order: string[] = [];
    setTimeout((name: string) => order.push(name), 200, "late");
    setTimeout(() => order.push("early"), 100);
    const interval = setInterval(() => order.push("tick"), 90);
    const cleared = setTimeout(() => order.push("never"), 50);
    clearTimeout(cleared);
    assertEquals([Date.now(), new Date().getTime(), time.now], [
      1000,
      1000,
      1000,
    ]);
    assertEquals(new Date(5).getTime(), 5);
    assertInstanceOf(new Date(), Date);
    time.tick(100);
    assertEquals(order, ["tick", "early"]);
    time.tick(100);
    assertEquals(order, ["tick", "early", "tick", "late"]);
    clearInterval(interval);
    assertFalse(time.next());
    assertEquals(Date.now(), 1200);
    assertEquals(time.start, 1000);
    const signal = AbortSignal.timeout(50);
    time.tick(49);
    assertFalse(signal.aborted);
    time.tick(1);
    assertEquals(signal.reason.name, "TimeoutError");
    assertThrows(() => time.now = 5, RangeError);
    assertThrows(() => new FakeTime(), TimeError);
  }
  assertThrows(() => new FakeTime("no time"), TypeError);
  assertGreaterOrEqual(Date.now(), realNow);
});

Deno.test("FakeTime runs promises between timers", async () => {
  using time = new FakeTime();
  const order: number[] = [];
  const wait = (ms: number) =>
    new Promise<void>((resolve) => setTimeout(resolve, ms));
  const done = (async () => {
    await wait(1000);
    order.push(1);
    await wait(1000);
    order.push(2);
  })();
  await time.tickAsync(1000);
  await time.runMicrotasks();
  assertEquals(order, [1]);
  await time.runAllAsync();
  await done;
  assertEquals(order, [1, 2]);
});
