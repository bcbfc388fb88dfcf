/** Structural equality, as `@std/assert` defines it. @module */

type Compare = (a: unknown, b: unknown) => boolean;

const TypedArray = Object.getPrototypeOf(Uint8Array) as typeof Uint8Array;

/** NaN equals NaN, and 0 equals -0. */
function sameValueZero(a: unknown, b: unknown): boolean {
  return a === b || Object.is(a, b);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** An object without a prototype counts as a plain object. */
function prototypeOf(value: object): unknown {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

function sameElements(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (!sameValueZero(a[index], b[index])) return false;
  }
  return true;
}

/** Equality of the kinds whose contents are no properties; undefined for every other kind. */
function sameContents(a: object, b: object): boolean | undefined {
  if (a instanceof TypedArray && b instanceof TypedArray) {
    return sameElements(a, b);
  }
  if (
    (a instanceof ArrayBuffer && b instanceof ArrayBuffer) ||
    (a instanceof SharedArrayBuffer && b instanceof SharedArrayBuffer)
  ) {
    return sameElements(new Uint8Array(a), new Uint8Array(b));
  }
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`Cannot compare ${a.constructor.name} instances`);
  }
  return undefined;
}

type Collection = Set<unknown> | Map<unknown, unknown>;

function isCollection(value: object): value is Collection {
  return value instanceof Set || value instanceof Map;
}

/** Keys may be objects: then any entry with an equal key and an equal value will do. */
function sameEntries(a: Collection, b: Collection, compare: Compare): boolean {
  if (a.size !== b.size) return false;
  const entries = [...a.entries()];
  const others = [...b.entries()];
  if (entries.some(([key]) => isObject(key))) {
    return entries.every(([key, value]) =>
      others.some((other) => compare(key, other[0]) && compare(value, other[1]))
    );
  }
  const found = new Map(others);
  return entries.every(([key, value]) =>
    found.has(key) && compare(value, found.get(key))
  );
}

/** Own enumerable properties; of a class's instance also its hidden ones and its getters. */
function keysOf(value: object): Set<PropertyKey> {
  const prototype = prototypeOf(value);
  if (prototype === Object.prototype || prototype === Array.prototype) {
    return new Set(
      Reflect.ownKeys(value).filter((key) =>
        Object.prototype.propertyIsEnumerable.call(value, key)
      ),
    );
  }
  const keys = new Set<PropertyKey>();
  let holder: object | null = value;
  while (holder !== null && holder !== Object.prototype) {
    for (const key of Reflect.ownKeys(holder)) keys.add(key);
    holder = Object.getPrototypeOf(holder) as object | null;
  }
  return keys;
}

/** What their text tells all of. */
const TEXTUAL = new Set<unknown>([RegExp.prototype, URL.prototype]);

function sameProperties(a: object, b: object, compare: Compare): boolean {
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  if (isCollection(a) && isCollection(b)) return sameEntries(a, b, compare);
  if (TEXTUAL.has(prototypeOf(a))) return String(a) === String(b);
  return [...keysOf(a).union(keysOf(b))].every((key) =>
    key in a === key in b && compare(Reflect.get(a, key), Reflect.get(b, key))
  );
}

/**
 * Whether two values are deeply equal.
 *
 * Primitives compare by SameValueZero; objects by prototype and properties; dates, regular
 * expressions, URLs, buffers, maps and sets by their contents. Circular references are allowed.
 *
 * @param a one value
 * @param b the other value
 * @returns true when they are equal
 * @throws {TypeError} when asked to compare weak collections, whose contents cannot be listed
 */
export function equal(a: unknown, b: unknown): boolean {
  const seen = new Map<object, object>();
  return compare(a, b);

  function compare(a: unknown, b: unknown): boolean {
    if (sameValueZero(a, b)) return true;
    if (!isObject(a) || !isObject(b)) return false;
    if (a instanceof Date && b instanceof Date) {
      return Object.is(a.getTime(), b.getTime());
    }
    if (prototypeOf(a) !== prototypeOf(b)) return false;
    const same = sameContents(a, b);
    if (same !== undefined) return same;
    if (a instanceof WeakRef && b instanceof WeakRef) {
      return compare(a.deref(), b.deref());
    }
    if (seen.get(a) === b) return true;
    seen.set(a, b);
    return sameProperties(a, b, compare);
  }
}
