/** Assertions about one value: its truth, type, size or contents. @module */
import { AssertionError, suffix } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/**
 * Asserts that a value is truthy.
 *
 * @param expr the value to check
 * @param msg the error's message
 * @throws {AssertionError} when it is falsy
 */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** The values that count as false. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/**
 * Asserts that a value is falsy.
 *
 * @param expr the value to check
 * @param msg the error's message
 * @throws {AssertionError} when it is truthy
 */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

/**
 * Asserts that a value is neither null nor undefined.
 *
 * @param actual the value to check
 * @param msg words to add to the error
 * @throws {AssertionError} when it is null or undefined
 */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not be null or undefined${suffix(msg)}`,
  );
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === "object"
    ? value.constructor?.name ?? "Object"
    : typeof value;
}

/**
 * Asserts that a value is an instance of a class.
 *
 * @param actual the value to check
 * @param expectedType the class
 * @param msg words to add to the error
 * @throws {AssertionError} when it is not
 */
export function assertInstanceOf<
  // deno-lint-ignore no-explicit-any -- only `any` accepts every constructor
  T extends abstract new (...args: any[]) => any,
>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  const found = typeName(actual);
  const but = found === expectedType.name
    ? ""
    : found === "function"
    ? " but was not an instanced object"
    : ` but was "${found}"`;
  throw new AssertionError(
    `Expected object to be an instance of "${expectedType.name}"${but}${
      suffix(msg)
    }`,
  );
}

function assertOrder(
  holds: boolean,
  actual: unknown,
  relation: string,
  expected: unknown,
  msg: string | undefined,
): void {
  if (holds) return;
  const claim = `${Deno.inspect(actual)} ${relation} ${Deno.inspect(expected)}`;
  throw new AssertionError(msg ?? `Expect ${claim}`);
}

/**
 * Asserts that `actual > expected`.
 *
 * @param actual the value to check
 * @param expected what it must exceed
 * @param msg the error's message
 * @throws {AssertionError} when it does not
 */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  assertOrder(actual > expected, actual, ">", expected, msg);
}

/**
 * Asserts that `actual >= expected`.
 *
 * @param actual the value to check
 * @param expected the least it may be
 * @param msg the error's message
 * @throws {AssertionError} when it is less
 */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  assertOrder(actual >= expected, actual, ">=", expected, msg);
}

/**
 * Asserts that `actual < expected`.
 *
 * @param actual the value to check
 * @param expected what it must stay below
 * @param msg the error's message
 * @throws {AssertionError} when it does not
 */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  assertOrder(actual < expected, actual, "<", expected, msg);
}

/**
 * Asserts that `actual <= expected`.
 *
 * @param actual the value to check
 * @param expected the most it may be
 * @param msg the error's message
 * @throws {AssertionError} when it is more
 */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  assertOrder(actual <= expected, actual, "<=", expected, msg);
}

/**
 * Asserts that two numbers differ by no more than a tolerance.
 *
 * @param actual the number to check
 * @param expected the number it must be near
 * @param tolerance the largest difference allowed; by default 1e-7 of `expected`
 * @param msg words to add to the error
 * @throws {AssertionError} when they are further apart
 */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ??
    (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const delta = Math.abs(expected - actual);
  if (delta <= allowed) return;
  const show = (value: number) =>
    Number.isInteger(value) ? String(value) : value.toExponential();
  throw new AssertionError(
    `Expected actual: "${show(actual)}" to be close to "${
      show(expected)
    }": delta "${show(delta)}" is greater than "${show(allowed)}"${
      suffix(msg)
    }`,
  );
}

/**
 * Asserts that a string contains another.
 *
 * @param actual the string to search
 * @param expected the string to find
 * @param msg words to add to the error
 * @throws {AssertionError} when it is not there
 */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to contain: "${expected}"${suffix(msg)}`,
  );
}

/**
 * Asserts that a string matches a regular expression.
 *
 * @param actual the string to check
 * @param expected the regular expression
 * @param msg words to add to the error
 * @throws {AssertionError} when it does not match
 */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to match: "${expected}"${suffix(msg)}`,
  );
}

/**
 * Asserts that a string does not match a regular expression.
 *
 * @param actual the string to check
 * @param expected the regular expression
 * @param msg words to add to the error
 * @throws {AssertionError} when it matches
 */
export function assertNotMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (!expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not match: "${expected}"${suffix(msg)}`,
  );
}

/** An array, a typed array, or anything else with a length and numbered members. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/**
 * Asserts that an array contains every member of another, in any order, compared deeply.
 *
 * @param actual the array to search
 * @param expected the members to find
 * @param msg words to add to the error
 * @throws {AssertionError} when some are missing
 */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const members = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) =>
    !members.some((member) => equal(wanted, member))
  );
  if (missing.length === 0) return;
  throw new AssertionError(
    `Expected actual: "${Deno.inspect(actual)}" to include: "${
      Deno.inspect(expected)
    }"${suffix(msg)}\nmissing: ${Deno.inspect(missing)}`,
  );
}
