/**
 * Copies what needs no formatting, four bytes at a time, and finds what does.
 *
 * @module
 */

import type { Format } from "./format.ts";

const [TAB, NEWLINE, CR, SPACE, DELETE] = [9, 10, 13, 32, 127];

/** A byte in all four places of a word. */
const ONES = 0x0101_0101;
const NEWLINES = NEWLINE * ONES;
const SPACES = SPACE * ONES;
const BEHIND_CRS = (CR + 1) * ONES;
const LOW_BITS = 0x7f7f_7f7f;
const HIGH_BITS = 0x8080_8080 | 0;
/** What is missing of a highest bit, of a space and of what is left of DELETE without one. */
const SHORT_OF_SPACE = (128 - SPACE) * ONES;
const SHORT_OF_DELETE = (128 - (DELETE - SPACE)) * ONES;

/**
 * Copies bytes from `from` on to `to` until one is special, and gives its place: that one, and up
 * to three more, are copied too, to be overwritten. What is left where no word begins any more,
 * behind `last`, is for the caller to look at.
 */
export type CopyPlain = (from: number, last: number, to: number) => number;

/** Copies what a format does not change, within the memory of a view. */
export function plainCopier(view: DataView, format: Format): CopyPlain {
  const { nonprinting, tabs, ends, squeeze, number } = format;
  // Whether anything has to be done at the end of a line.
  const lines = ends || squeeze || number !== "none";
  if (nonprinting) return lines ? copyPrintable(view) : copyText(view);
  if (ends || tabs && lines) return copyAboveCr(view);
  return copyUntil(view, tabs ? TAB : NEWLINE);
}

/** Of the marks of a word, in the highest bits of its bytes, only the lowest is sure. */
function first(marks: number): number {
  return 31 - Math.clz32(marks & -marks) >> 3;
}

// What is special shows in the highest bit of its byte: a byte that is less than what is taken
// away borrows from it. Each is a function of its own, as a test with fewer steps is quicker; and
// made for one view, which is a constant to V8 then.

/** Special is what is no printable ASCII. */
function copyPrintable(view: DataView): CopyPlain {
  return (from, last, to) => {
    let [at, out] = [from, to];
    for (; at <= last; at += 4, out += 4) {
      const word = view.getInt32(at, true);
      view.setInt32(out, word, true);
      const above = word - SPACES;
      const marks = (above | above + SHORT_OF_DELETE) & HIGH_BITS;
      if (marks !== 0) return at + first(marks);
    }
    return at;
  };
}

/** The same, but for line ends: to stop at each is what takes most of the time. */
function copyText(view: DataView): CopyPlain {
  return (from, last, to) => {
    let [at, out] = [from, to];
    let marks = 0;
    for (; at <= last; at += 4, out += 4) {
      const word = view.getInt32(at, true);
      const control = ~(word + SHORT_OF_SPACE);
      const other = (word ^ NEWLINES) + LOW_BITS;
      marks = (word | word + ONES | control & other) & HIGH_BITS;
      view.setInt32(out, word, true);
      if (marks !== 0) break;
    }
    return marks === 0 ? at : at + first(marks);
  };
}

/** Special are CR and what is below, line ends and tabs among it. */
function copyAboveCr(view: DataView): CopyPlain {
  return (from, last, to) => {
    let [at, out] = [from, to];
    for (; at <= last; at += 4, out += 4) {
      const word = view.getInt32(at, true);
      view.setInt32(out, word, true);
      const marks = word - BEHIND_CRS & ~word & HIGH_BITS;
      if (marks !== 0) return at + first(marks);
    }
    return at;
  };
}

/** Special is one byte. */
function copyUntil(view: DataView, special: number): CopyPlain {
  const specials = special * ONES;
  return (from, last, to) => {
    let [at, out] = [from, to];
    for (; at <= last; at += 4, out += 4) {
      const word = view.getInt32(at, true);
      view.setInt32(out, word, true);
      const other = word ^ specials;
      const marks = other - ONES & ~other & HIGH_BITS;
      if (marks !== 0) return at + first(marks);
    }
    return at;
  };
}
