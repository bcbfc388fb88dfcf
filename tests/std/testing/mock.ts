/**
 * Spies and stubs: the part of `@std/testing/mock` that this project's tests may use, under the
 * same names and with the same behaviour.
 *
 * @module
 */
import { assertEquals, AssertionError, assertIsError } from "@std/assert";

/** Thrown when something cannot be spied on, or was restored already. */
export class MockError extends Error {
  /**
   * Makes the error.
   *
   * @param message what went wrong
   */
  constructor(message: string) {
    super(message);
    this.name = "MockError";
  }
}

/** One call of a spy. */
export interface SpyCall<Self, Args extends unknown[], Return> {
  /** What it was called with. */
  args: Args;
  /** What it returned; absent when it threw. */
  returned?: Return;
  /** What it threw; absent when it returned. */
  error?: unknown;
  /** The object that it was called on, if any. */
  self?: Self;
}

/** A function that records its calls. */
export interface Spy<Self, Args extends unknown[], Return> {
  (this: Self, ...args: Args): Return;
  /** The function that it stands for. */
  original: (this: Self, ...args: Args) => Return;
  /** Every call so far, oldest first. */
  calls: SpyCall<Self, Args, Return>[];
  /** Whether the method that it replaced is back in its place. */
  readonly restored: boolean;
  /** Puts the method that it replaced back in its place. */
  restore(): void;
}

/** A spy in a method's place, put back by `using`. */
export interface MethodSpy<Self, Args extends unknown[], Return>
  extends Spy<Self, Args, Return>, Disposable {}

type Method<Self, Args extends unknown[], Return> = (
  this: Self,
  ...args: Args
) => Return;

/** The names of an object's methods. */
export type MethodNames<Self> = {
  [Name in keyof Self]: Self[Name] extends (...args: never[]) => unknown ? Name
    : never;
}[keyof Self];

/** The arguments of a method. */
export type MethodArgs<Self, Name extends keyof Self> = Self[Name] extends
  (...args: infer Args) => unknown ? Args : never;

/** The result of a method. */
export type MethodReturn<Self, Name extends keyof Self> = Self[Name] extends
  (...args: never[]) => infer Return ? Return : never;

function recorder<Self, Args extends unknown[], Return>(
  original: Method<Self, Args, Return>,
  run: Method<Self, Args, Return>,
  state: { restored: boolean; restore(): void },
): MethodSpy<Self, Args, Return> {
  const calls: SpyCall<Self, Args, Return>[] = [];
  const record = function (this: Self, ...args: Args): Return {
    const call: SpyCall<Self, Args, Return> = { args };
    if (this) call.self = this;
    try {
      return call.returned = run.apply(this, args);
    } catch (error) {
      call.error = error;
      throw error;
    } finally {
      calls.push(call);
    }
  };
  return Object.defineProperties(record, {
    original: { enumerable: true, value: original },
    calls: { enumerable: true, value: calls },
    restored: { enumerable: true, get: () => state.restored },
    restore: { enumerable: true, value: () => state.restore() },
    [Symbol.dispose]: { value: () => state.restore() },
  }) as MethodSpy<Self, Args, Return>;
}

/** Replaces a method by a recorder that runs `replacement`, or else the method itself. */
function replace<Self extends object, Name extends MethodNames<Self>>(
  self: Self,
  name: Name,
  replacement?: Method<Self, MethodArgs<Self, Name>, MethodReturn<Self, Name>>,
): MethodSpy<Self, MethodArgs<Self, Name>, MethodReturn<Self, Name>> {
  const original = self[name] as unknown;
  if (typeof original !== "function") {
    throw new MockError(`Cannot spy: "${String(name)}" is not a method`);
  }
  if ("original" in original && "calls" in original) {
    throw new MockError(`Cannot spy: "${String(name)}" is a spy already`);
  }
  const own = Object.getOwnPropertyDescriptor(self, name);
  if (own && !own.configurable) {
    throw new MockError(`Cannot spy: "${String(name)}" is not configurable`);
  }
  const method = original as Method<
    Self,
    MethodArgs<Self, Name>,
    MethodReturn<Self, Name>
  >;
  const state = {
    restored: false,
    restore() {
      if (state.restored) {
        throw new MockError(`"${String(name)}" was restored already`);
      }
      if (own) Object.defineProperty(self, name, own);
      else delete self[name];
      state.restored = true;
    },
  };
  const spy = recorder(method, replacement ?? method, state);
  Object.defineProperty(self, name, {
    configurable: true,
    enumerable: own?.enumerable ?? false,
    writable: own?.writable ?? false,
    value: spy,
  });
  return spy;
}

/** Makes a function that records its calls and returns undefined. */
export function spy(): Spy<unknown, unknown[], undefined>;
/**
 * Wraps a function in one that records its calls.
 *
 * @param func the function to wrap
 */
export function spy<Self, Args extends unknown[], Return>(
  func: (this: Self, ...args: Args) => Return,
): Spy<Self, Args, Return>;
/**
 * Records the calls of an object's method, which go through, until it is restored.
 *
 * @param self the object
 * @param property the method's name
 * @throws {MockError} when that is no method, or spied on already
 */
export function spy<Self extends object, Name extends MethodNames<Self>>(
  self: Self,
  property: Name,
): MethodSpy<Self, MethodArgs<Self, Name>, MethodReturn<Self, Name>>;
export function spy<Self extends object, Name extends MethodNames<Self>>(
  target: Self | Method<unknown, unknown[], unknown> = () => undefined,
  property?: Name,
): unknown {
  if (property !== undefined) return replace(target as Self, property);
  const func = target as Method<unknown, unknown[], unknown>;
  return recorder(func, func, {
    restored: false,
    restore() {
      throw new MockError("Cannot restore: a function was wrapped, no method");
    },
  });
}

/**
 * Puts a function in a method's place, and records its calls, until it is restored.
 *
 * @param self the object
 * @param property the method's name
 * @param func what to call instead; by default nothing, and undefined is returned
 * @throws {MockError} when that is no method, or spied on already
 */
export function stub<Self extends object, Name extends MethodNames<Self>>(
  self: Self,
  property: Name,
  func?: (
    this: Self,
    ...args: MethodArgs<Self, Name>
  ) => MethodReturn<Self, Name>,
): MethodSpy<Self, MethodArgs<Self, Name>, MethodReturn<Self, Name>> {
  const nothing = () => undefined as MethodReturn<Self, Name>;
  return replace(self, property, func ?? nothing);
}

/**
 * Asserts how many times a spy was called.
 *
 * @param spy the spy
 * @param expectedCalls how many calls there must have been
 * @throws {AssertionError} when there were more, or fewer
 */
export function assertSpyCalls<Self, Args extends unknown[], Return>(
  spy: Spy<Self, Args, Return>,
  expectedCalls: number,
): void {
  assertEquals(spy.calls.length, expectedCalls, "number of calls of the spy");
}

/** What a call must have been; whatever is absent may be anything. */
export interface ExpectedSpyCall<Self, Args extends unknown[], Return> {
  /** The arguments, or the first of them. */
  args?: [...Args, ...unknown[]];
  /** The object that it was called on. */
  self?: Self;
  /** What it returned. */
  returned?: Return;
  /** What it threw. */
  error?: {
    // deno-lint-ignore no-explicit-any -- only `any` accepts every constructor
    Class?: abstract new (...args: any[]) => Error;
    msgIncludes?: string;
  };
}

/**
 * Asserts what one call of a spy was.
 *
 * @param spy the spy
 * @param callIndex which call, 0 for the first
 * @param expected what it must have been
 * @throws {AssertionError} when it was something else, or was not made
 */
export function assertSpyCall<Self, Args extends unknown[], Return>(
  spy: Spy<Self, Args, Return>,
  callIndex: number,
  expected: ExpectedSpyCall<Self, Args, Return> = {},
): void {
  const call = spy.calls[callIndex];
  if (call === undefined) {
    throw new AssertionError(
      `Spy not called as much as expected: ${spy.calls.length} calls, none of index ${callIndex}`,
    );
  }
  if (expected.args) assertEquals<unknown[]>(call.args, expected.args);
  if ("self" in expected) assertEquals<unknown>(call.self, expected.self);
  if ("returned" in expected) {
    if ("error" in call) {
      throw new AssertionError("Spy call did not return, an error was thrown");
    }
    assertEquals<unknown>(call.returned, expected.returned);
  }
  if ("error" in expected) {
    if (!("error" in call)) {
      throw new AssertionError("Spy call did not throw, a value was returned");
    }
    assertIsError(
      call.error,
      expected.error?.Class,
      expected.error?.msgIncludes,
    );
  }
}
