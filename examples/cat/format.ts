/**
 * What cat's options do to bytes: number lines, squeeze empty ones, show what cannot be seen.
 *
 * @module
 */

import { LineNumber } from "./line_number.ts";
import { type CopyPlain, plainCopier } from "./plain.ts";

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

const [TAB, NEWLINE, CR, DOLLAR, CARET] = [9, 10, 13, 36, 94];
const DELETE = 127;
const META = [77, 45]; // M-
const SHOWN_CR = CARET | 77 << 8; // ^M

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
  declare private readonly copyPlain: CopyPlain;
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
    this.copyPlain = plainCopier(this.view, format);
    this.number = new LineNumber();
    this.newlines = 0;
    this.heldCr = false;
  }

  /**
   * Formats the bytes from `start` to `end`, writes what becomes of them from `to` on, and gives its
   * end.
   */
  run(start: number, end: number, to: number): number {
    const { bytes, view, words, lengths, copyPlain } = this;
    const { ends, nonprinting, number, squeeze } = this.format;
    const isNumbered = number !== "none";
    const minds = squeeze || number === "nonblank";
    const watchCr = ends && !nonprinting;
    const lines = isNumbered || squeeze || watchCr;
    const last = end - 4;
    let [at, out] = [start, to];
    while (at < end) {
      if (this.newlines >= 0) {
        if (minds && bytes[at] === NEWLINE) {
          at++;
          out = this.emptyLine(out);
          continue;
        }
        this.newlines = -1;
        if (isNumbered) out = this.number.put(view, out);
      }
      if (this.heldCr && bytes[at] !== NEWLINE) out = this.flush(out);
      const next = copyPlain(at, last, out);
      out += next - at;
      at = next;
      if (at >= end) break;
      const byte = bytes[at++] as number;
      if (lines && byte === NEWLINE) out = this.endLine(out);
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
    let out = to;
    if (this.heldCr) {
      this.heldCr = false;
      this.view.setUint16(out, SHOWN_CR, true);
      out += 2;
    }
    this.view.setInt32(out, this.words[NEWLINE] as number, true);
    return out + (this.lengths[NEWLINE] as number);
  }
}

/** What becomes of a byte. */
function show(byte: number, { ends, tabs, nonprinting }: Format): number[] {
  if (byte === NEWLINE) return ends ? [DOLLAR, NEWLINE] : [NEWLINE];
  if (byte === TAB && tabs) return [CARET, TAB + 64];
  if (!nonprinting || byte === TAB) return [byte];
  const meta = byte < 128 ? [] : META;
  const rest = byte & 127;
  if (rest === DELETE) return [...meta, CARET, 63]; // ?
  return rest < 32 ? [...meta, CARET, rest + 64] : [...meta, rest];
}

function wordOf(bytes: number[]): number {
  return bytes.reduceRight((word, byte) => word << 8 | byte, 0);
}
