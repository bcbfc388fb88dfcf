/** Assertions that two values are equal, or alike. @module */
import { AssertionError, suffix } from "./assertion_error.ts";
import { equal } from "./equal.ts";

function format(value: unknown): string {
  return Deno.inspect(value, {
    depth: 10,
    iterableLimit: 200,
    strAbbreviateSize: 10_000,
  });
}

interface Difference {
  path: string;
  actual: unknown;
  expected: unknown;
}

/** Walks into both values for as long as exactly the parts below explain why they differ. */
function locate(actual: unknown, expected: unknown, path: string): Difference {
  const here = { path, actual, expected };
  if (!isBranch(actual) || !isBranch(expected)) return here;
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) {
    return here;
  }
  const [a, b] = [bytesOf(actual), bytesOf(expected)];
  for (const key of Object.keys({ ...a, ...b })) {
    const [below, other] = [Reflect.get(a, key), Reflect.get(b, key)];
    if (key in a !== key in b || !equal(below, other)) {
      const step = /^\d+$/.test(key) ? `[${key}]` : `.${key}`;
      return locate(below, other, path + step);
    }
  }
  return here;
}

function isBranch(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** An ArrayBuffer has no keys to walk through; its bytes have. */
function bytesOf(value: object): object {
  const buffer = value instanceof ArrayBuffer ||
    value instanceof SharedArrayBuffer;
  return buffer ? new Uint8Array(value) : value;
}

/** Where two unequal values first differ, then both of them. */
function difference(actual: unknown, expected: unknown): string {
  const first = locate(actual, expected, "");
  const whole = `actual:   ${format(actual)}\nexpected: ${format(expected)}`;
  if (first.path === "") return whole;
  return `first difference at ${first.path}\nactual:   ${
    format(first.actual)
  }\nexpected: ${format(first.expected)}\n\n${whole}`;
}

/**
 * Asserts that two values are deeply equal.
 *
 * @param actual the value to check
 * @param expected the value it must equal
 * @param msg words to add to the error
 * @throws {AssertionError} with the differing lines, when they are not equal
 */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(
    `Values are not equal${suffix(msg)}\n${difference(actual, expected)}`,
  );
}

/**
 * Asserts that two values are not deeply equal.
 *
 * @param actual the value to check
 * @param expected the value it must differ from
 * @param msg words to add to the error
 * @throws {AssertionError} when they are equal
 */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected actual: ${format(actual)} not to be: ${format(expected)}${
      suffix(msg)
    }`,
  );
}

/**
 * Asserts that two values are the same by `Object.is`.
 *
 * @param actual the value to check
 * @param expected the value it must be
 * @param msg words to add to the error
 * @throws {AssertionError} when they are not the same
 */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const shown = format(actual);
  const detail = shown === format(expected)
    ? `Values have the same structure but are not reference-equal${
      suffix(msg)
    }\n\n${shown}`
    : `Values are not strictly equal${suffix(msg)}\n${
      difference(actual, expected)
    }`;
  throw new AssertionError(detail);
}

/**
 * Asserts that two values are not the same by `Object.is`.
 *
 * @param actual the value to check
 * @param expected the value it must not be
 * @param msg words to add to the error
 * @throws {AssertionError} when they are the same
 */
export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!Object.is(actual, expected)) return;
  throw new AssertionError(
    `Expected "actual" to not be strictly equal to: ${format(actual)}${
      suffix(msg)
    }`,
  );
}

/** Pairs of objects that are being narrowed: circular ones come back to themselves. */
type Seen = Map<object, object>;

/** `actual` with only what `expected` has too: items, entries, members, or else properties. */
function narrow(actual: unknown, expected: unknown, seen: Seen): unknown {
  if (!isBranch(actual) || !isBranch(expected)) return actual;
  if (actual instanceof RegExp || actual instanceof Date) return actual;
  if (seen.get(actual) === expected) return actual;
  seen.set(actual, expected);
  if (actual instanceof Set && expected instanceof Set) {
    return actual.intersection(expected);
  }
  if (actual instanceof Map && expected instanceof Map) {
    const shared = [...actual].filter(([key]) => expected.has(key));
    return new Map(
      shared.map(([key, value]) => [
        key,
        narrow(value, expected.get(key), seen),
      ]),
    );
  }
  if (Array.isArray(actual) && Array.isArray(expected)) {
    const length = Math.min(actual.length, expected.length);
    return Array.from(
      { length },
      (_, at) => narrow(actual[at], expected[at], seen),
    );
  }
  return properties(actual, expected, seen);
}

/** The properties that both have; all of the first if they share none, so that they differ. */
function properties(actual: object, expected: object, seen: Seen): object {
  const keys = Reflect.ownKeys(actual);
  const shared = keys.filter((key) => Object.hasOwn(expected, key));
  const none = shared.length === 0 && Reflect.ownKeys(expected).length > 0;
  return Object.fromEntries(
    (none ? keys : shared).map((key) => {
      const value: unknown = Reflect.get(actual, key);
      return [
        key,
        none ? value : narrow(value, Reflect.get(expected, key), seen),
      ];
    }),
  );
}

/**
 * Asserts that an object has at least the properties of another, at every depth. Constructors do
 * not matter.
 *
 * @param actual the object to check
 * @param expected the properties it must have
 * @param msg words to add to the error
 * @throws {AssertionError} when a property is missing or differs
 */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any -- std's signature: a record of unknown would refuse interfaces
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  assertEquals(
    narrow(actual, expected, new Map()),
    narrow(expected, expected, new Map()),
    msg,
  );
}
