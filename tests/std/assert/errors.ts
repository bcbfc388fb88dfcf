/** Assertions that something throws or rejects, and the two that always fail. @module */
import { stripVTControlCharacters } from "node:util";
import { assert } from "./values.ts";
import { AssertionError, suffix } from "./assertion_error.ts";

/** A class of errors, abstract ones included. */
// deno-lint-ignore no-explicit-any -- only `any` accepts every constructor
export type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/**
 * Asserts that a value is an error, of a class and with a message.
 *
 * @param error the value to check
 * @param ErrorClass the class it must be an instance of
 * @param msgMatches a string that its message must contain, or a pattern that it must match
 * @param msg words to add to the assertion's error
 * @throws {AssertionError} when it is not
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(
      `Expected "error" to be an Error object${suffix(msg)}`,
    );
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor.name}"${
        suffix(msg)
      }\n${error.stack}`,
    );
  }
  if (!msgMatches) return;
  const text = stripVTControlCharacters(error.message);
  const matches = typeof msgMatches === "string"
    ? text.includes(stripVTControlCharacters(msgMatches))
    : msgMatches.test(text);
  if (!matches) {
    const wanted = typeof msgMatches === "string"
      ? JSON.stringify(msgMatches)
      : String(msgMatches);
    throw new AssertionError(
      `Expected error message to include ${wanted}, but got ${
        JSON.stringify(error.message)
      }${suffix(msg)}`,
    );
  }
}

/** The arguments of assertThrows and assertRejects, whichever way they were called. */
function expectation<E extends Error>(
  classOrMessage: ErrorClass<E> | string | undefined,
  included: string | undefined,
  message: string | undefined,
): (error: unknown, verb: string) => void {
  if (typeof classOrMessage === "string" || classOrMessage === undefined) {
    return () => {};
  }
  return (error, verb) => {
    assert(
      error instanceof Error,
      `A non-Error object was ${verb}${suffix(message)}`,
    );
    assertIsError(error, classOrMessage, included, message);
  };
}

/**
 * Asserts that a function throws.
 *
 * @param fn the function to call
 * @param msg words to add to the error
 * @returns what it threw
 * @throws {AssertionError} when it returns
 */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Asserts that a function throws an error of a class, whose message contains a string.
 *
 * @param fn the function to call
 * @param ErrorClass the class of the error
 * @param msgIncludes a string that its message must contain
 * @param msg words to add to the assertion's error
 * @returns the error that it threw
 * @throws {AssertionError} when it returns, or throws something else
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  classOrMessage?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const message = typeof classOrMessage === "string" ? classOrMessage : msg;
  const check = expectation(classOrMessage, msgIncludes, message);
  try {
    fn();
  } catch (error) {
    check(error, "thrown");
    return error;
  }
  throw new AssertionError(`Expected function to throw${suffix(message)}`);
}

/**
 * Asserts that a function returns a promise that rejects.
 *
 * @param fn the function to call
 * @param msg words to add to the error
 * @returns what the promise was rejected with
 * @throws {AssertionError} when it resolves, or the function itself throws
 */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/**
 * Asserts that a function returns a promise that rejects with an error of a class, whose message
 * contains a string.
 *
 * @param fn the function to call
 * @param ErrorClass the class of the error
 * @param msgIncludes a string that its message must contain
 * @param msg words to add to the assertion's error
 * @returns the error that the promise was rejected with
 * @throws {AssertionError} when it resolves, rejects with something else, or the function throws
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  classOrMessage?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const message = typeof classOrMessage === "string" ? classOrMessage : msg;
  const check = expectation(classOrMessage, msgIncludes, message);
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
  } catch (error) {
    throw new AssertionError(
      `Function throws when expected to reject${suffix(message)}`,
      { cause: error },
    );
  }
  if (typeof promise !== "object" || typeof promise?.then !== "function") {
    throw new AssertionError(
      `Function throws when expected to reject${suffix(message)}`,
    );
  }
  try {
    await promise;
  } catch (error) {
    check(error, "rejected");
    return error;
  }
  throw new AssertionError(`Expected function to reject${suffix(message)}`);
}

/**
 * Fails.
 *
 * @param msg why
 * @throws {AssertionError} always
 */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}

/**
 * Fails, where the program must never come.
 *
 * @param msg why it should not have
 * @throws {AssertionError} always
 */
export function unreachable(msg?: string): never {
  throw new AssertionError(`Unreachable${suffix(msg)}`);
}
