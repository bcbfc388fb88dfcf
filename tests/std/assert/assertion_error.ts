/** What every failed assertion throws. @module */

/** Thrown when an assertion fails. */
export class AssertionError extends Error {
  /**
   * Makes the error.
   *
   * @param message what was expected, and what was found
   * @param options the cause, if there is one
   */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

/** How std ends each message: with the caller's own words, or a full stop. */
export function suffix(message: string | undefined): string {
  return message ? `: ${message}` : ".";
}
