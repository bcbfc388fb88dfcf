/**
 * Line numbers as text.
 *
 * @module
 */

const [SPACE, ZERO, TAB] = [32, 48, 9];
/** How many characters a number has at least. */
const WIDTH = 6;
/** One more in the last digit. */
const UNIT = 0x100;
const LAST_DIGIT = 0xff00;
const BEHIND_NINE = 0x3a00;

/**
 * The number of a line as `cat -n` prints it: six characters, or more, and a tab. From one to the
 * next only the last digit counts on, within a word; every ten lines the word is made anew.
 */
export class LineNumber {
  // Constants to V8, unlike #fields.
  declare private tens: number;
  /** Whether there are digits before the last six. */
  declare private isLong: boolean;
  /** Four characters, then two and the tab: the last six of the number. */
  declare private high: number;
  declare private low: number;

  /** No line yet; or so many times ten of them. */
  constructor(tens = 0) {
    this.tens = tens;
    this.isLong = false;
    this.high = 0;
    this.low = 0;
    this.write();
  }

  /** Counts one, writes the number and the tab, and gives their end. Writes one byte more. */
  put(view: DataView, to: number): number {
    const low = this.low + UNIT;
    if ((low & LAST_DIGIT) === BEHIND_NINE) {
      this.tens++;
      this.write();
    } else this.low = low;
    const out = this.isLong ? this.putMore(view, to) : to;
    view.setInt32(out, this.high, true);
    view.setInt32(out + 4, this.low, true);
    return out + WIDTH + 1;
  }

  /** Writes the digits before the last six. */
  private putMore(view: DataView, to: number): number {
    const text = String(this.tens).slice(0, 1 - WIDTH);
    for (let i = 0; i < text.length; i++) {
      view.setUint8(to + i, text.charCodeAt(i));
    }
    return to + text.length;
  }

  private write(): void {
    let [rest, high] = [this.tens, 0];
    this.isLong = rest >= 10 ** (WIDTH - 1);
    const fifth = rest === 0 ? SPACE : ZERO + rest % 10;
    this.low = fifth | ZERO << 8 | TAB << 16;
    for (let place = 0; place < 4; place++) {
      rest = Math.floor(rest / 10);
      high = high << 8 | (rest === 0 ? SPACE : ZERO + rest % 10);
    }
    this.high = high;
  }
}
