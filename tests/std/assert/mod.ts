/**
 * The part of `@std/assert` that this project's tests use, under the same names and with the same
 * behaviour, so that the tests run where JSR cannot be reached. `deno.json` links it in.
 *
 * @module
 */
export { AssertionError } from "./assertion_error.ts";
export { equal } from "./equal.ts";
export * from "./equality.ts";
export * from "./values.ts";
export * from "./errors.ts";
