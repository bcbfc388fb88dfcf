/**
 * What cat's options do to bytes: number lines, squeeze empty ones, show what cannot be seen.
 *
 * @module
 */

import { LineNumber } from "./line_number.ts";

/** What is to be done. */
export interface Format {
  /** Which lines get a number: `-n`, `-b`. */
  readonly number: "none" | "all" | "nonblank";
  /** Of several empty lines one is left: `-s`. */
  readonly squeeze: boolean;
  /** A `$` at each line's end: `-E`. */
  readonly ends: boolean;
  /** Tabs as `^I`: `-T`. */
  readonly tabs: boolean;
  /** Other control characters as `^X`, bytes from 128 on as `M-X`: `-v`. */
  readonly nonprinting: boolean;
}

const [TAB, NEWLINE, CR, SPACE, DOLLAR, CARET] = [9, 10, 13, 32, 36, 94];
const DELETE = 127;
const META = [77, 45]; // M-
const SHOWN_CR = CARET | 77 << 8; // ^M

/** A byte in all four places of a word. */
const ONES = 0x0101_0101;
const NEWLINES = NEWLINE * ONES;
const HIGH_BITS = 0x8080_8080 | 0;

/**
 * The longest that a byte can become: a line end, with `^M$` before it and a number of 16 digits.
 * A word more, as bytes are written by words.
 */
const LONGEST = 32;

/** How many bytes so many bytes may become. */
export function formattedSize(byteLength: number): number {
  return byteLength * LONGEST + LONGEST;
}

/**
 * Formats bytes, block by block, in one piece of memory; lines go on from one block, and one
 * file, to the next.
 *
 * Four bytes are looked at together, as most have nothing in them that is to be changed. What is
 * to be is replaced by a word from a table, of which as much counts as another table says.
 */
export class Formatter {
  // Constants to V8, unlike #fields.
  declare private readonly bytes: Uint8Array<ArrayBuffer>;
  declare private readonly view: DataView<ArrayBuffer>;
  declare private readonly format: Format;
  declare private readonly words: Int32Array;
  declare private readonly lengths: Uint8Array;
  declare private readonly number: LineNumber;
  /** Line ends since the last other byte, less one; 2 stands for more, -1 for within a line. */
  declare private newlines: number;
  /** A carriage return, which is shown if a line end follows. */
  declare private heldCr: boolean;

  /** A formatter of bytes in `memory`. */
  constructor(format: Format, memory: Uint8Array<ArrayBuffer>) {
    const shown = Array.from({ length: 256 }, (_, byte) => show(byte, format));
    this.bytes = memory;
    this.view = new DataView(
      memory.buffer,
      memory.byteOffset,
      memory.byteLength,
    );
    this.format = format;
    this.words = Int32Array.from(shown, wordOf);
    this.lengths = Uint8Array.from(shown, (bytes) => bytes.length);
    this.number = new LineNumber();
    this.newlines = 0;
    this.heldCr = false;
  }

  /**
   * Formats the bytes from `start` to `end`, writes what becomes of them from `to` on, and gives its
   * end.
   */
  run(start: number, end: number, to: number): number {
    const { bytes, view, words, lengths, format, number } = this;
    const { nonprinting } = format;
    const watchCr = format.ends && !nonprinting;
    // Special are line ends and one more; or, where these are several, what is below a bound.
    const isBounded = nonprinting || watchCr && format.tabs;
    const like = ONES * (watchCr ? CR : format.tabs ? TAB : NEWLINE);
    const bound = ONES * (nonprinting ? SPACE : CR + 1);
    const high = nonprinting ? HIGH_BITS : 0;
    const isNumbered = format.number !== "none";
    const last = end - 4;
    let [at, out] = [start, to];
    while (at < end) {
      if (this.newlines >= 0) {
        if (bytes[at] === NEWLINE) {
          at++;
          out = this.emptyLine(out);
          continue;
        }
        this.newlines = -1;
        if (isNumbered) out = number.put(view, out);
      }
      if (this.heldCr && bytes[at] !== NEWLINE) out = this.flush(out);
      let marks = 0;
      // Two loops, as the test for a bound takes fewer steps. A byte borrows from its highest bit
      // if it is less than what is taken away.
      if (isBounded) {
        for (; at <= last; at += 4, out += 4) {
          const word = view.getInt32(at, true);
          marks = (word - bound & ~word & HIGH_BITS) |
            ((word | word + ONES) & high);
          view.setInt32(out, word, true);
          if (marks !== 0) break;
        }
      } else {
        for (; at <= last; at += 4, out += 4) {
          const word = view.getInt32(at, true);
          const newline = word ^ NEWLINES;
          const other = word ^ like;
          marks = ((newline - ONES & ~newline) | (other - ONES & ~other)) &
            HIGH_BITS;
          view.setInt32(out, word, true);
          if (marks !== 0) break;
        }
      }
      if (marks !== 0) {
        // Of the marks only the lowest is sure.
        const before = 31 - Math.clz32(marks & -marks) >> 3;
        at += before;
        out += before;
      } else if (at >= end) break;
      const byte = bytes[at++] as number;
      if (byte === NEWLINE) out = this.endLine(out);
      else if (watchCr && byte === CR) this.heldCr = true;
      else {
        view.setInt32(out, words[byte] as number, true);
        out += lengths[byte] as number;
      }
    }
    return out;
  }

  /** Writes what was held back. For the end of all input. */
  flush(to: number): number {
    if (!this.heldCr) return to;
    this.heldCr = false;
    this.bytes[to] = CR;
    return to + 1;
  }

  private emptyLine(to: number): number {
    const { squeeze, number } = this.format;
    if (this.newlines < 2) this.newlines++;
    if (squeeze && this.newlines === 2) return to;
    const isNumbered = number === "all";
    return this.lineEnd(isNumbered ? this.number.put(this.view, to) : to);
  }

  private endLine(to: number): number {
    this.newlines = 0;
    return this.lineEnd(to);
  }

  private lineEnd(to: number): number {
    const { bytes, view } = this;
    let out = to;
    if (this.format.ends) {
      if (this.heldCr) {
        this.heldCr = false;
        view.setUint16(out, SHOWN_CR, true);
        out += 2;
      }
      bytes[out++] = DOLLAR;
    }
    bytes[out++] = NEWLINE;
    return out;
  }
}

/** What becomes of a byte. */
function show(byte: number, { tabs, nonprinting }: Format): number[] {
  if (byte === TAB && tabs) return [CARET, TAB + 64];
  if (!nonprinting || byte === TAB || byte === NEWLINE) return [byte];
  const meta = byte < 128 ? [] : META;
  const rest = byte & 127;
  if (rest === DELETE) return [...meta, CARET, 63]; // ?
  return rest < 32 ? [...meta, CARET, rest + 64] : [...meta, rest];
}

function wordOf(bytes: number[]): number {
  return bytes.reduceRight((word, byte) => word << 8 | byte, 0);
}
