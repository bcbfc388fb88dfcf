/**
 * Line numbers as text.
 *
 * @module
 */

const [SPACE, ZERO, NINE, TAB] = [32, 48, 57, 9];
/** How many characters a number has at least. */
const WIDTH = 6;
/** The last digit, which stands in the second byte. */
const LAST = 0xff00;
const LAST_ONE = 0x100;
const BEHIND_NINE = 0x3a00;

/**
 * The number of a line as `cat -n` prints it: six characters, or more, and a tab. It counts in
 * its digits, within two words: to make a text of each number would take longer than all else.
 */
export class LineNumber {
  // Constants to V8, unlike #fields.
  declare private millions: number;
  /** Four characters, the first in the lowest byte; then two and the tab. */
  declare private high: number;
  declare private low: number;

  /** No line yet, or so many millions of them. */
  constructor(millions = 0) {
    const before = millions > 0 ? ZERO : SPACE;
    this.millions = millions;
    this.high = before * 0x0101_0101;
    this.low = before | ZERO << 8 | TAB << 16;
  }

  /** Counts one, writes the number and the tab, and gives their end. Writes one byte more. */
  put(view: DataView, to: number): number {
    this.low += LAST_ONE;
    if ((this.low & LAST) === BEHIND_NINE) this.carry();
    const out = this.millions === 0 ? to : this.putMillions(view, to);
    view.setInt32(out, this.high, true);
    view.setInt32(out + 4, this.low, true);
    return out + WIDTH + 1;
  }

  private putMillions(view: DataView, to: number): number {
    const text = String(this.millions);
    for (let i = 0; i < text.length; i++) {
      view.setUint8(to + i, text.charCodeAt(i));
    }
    return to + text.length;
  }

  /** The last digit is more than nine: counts on in those before it. */
  private carry(): void {
    const tens = next(this.low & 0xff);
    this.low = tens | ZERO << 8 | TAB << 16;
    if (tens !== ZERO) return;
    for (let shift = 24; shift >= 0; shift -= 8) {
      const digit = next(this.high >> shift & 0xff);
      this.high = this.high & ~(0xff << shift) | digit << shift;
      if (digit !== ZERO) return;
    }
    this.millions++;
  }
}

/** The digit after one, or after none. */
function next(digit: number): number {
  if (digit === SPACE) return ZERO + 1;
  return digit === NINE ? ZERO : digit + 1;
}
