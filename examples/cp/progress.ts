/**
 * How far a copy is, on a terminal.
 *
 * @module
 */

import type { Session } from "./session.ts";
import type { Operands } from "./operands.ts";

/** The library that draws: loaded, and fetched, only when there is something to draw. */
const LIBRARY = "npm:cli-progress@3.12.0";
/** A copy that is done sooner shows nothing. */
const PATIENCE = 500;
const INTERVAL = 100;

/** What of the library is used. */
interface Bar {
  start(total: number, value: number, payload: Payload): void;
  update(value: number, payload: Payload): void;
  setTotal(total: number): void;
  stop(): void;
}

interface Payload {
  done: string;
  rate: string;
  left: string;
}

interface Library {
  SingleBar: new (options: Record<string, unknown>) => Bar;
}

/** What of a terminal is used. */
interface Terminal {
  write(text: string): unknown;
}

/** Counts what is copied, and draws it. */
export class Progress implements AsyncDisposable {
  #bytes = 0;
  /** How many bytes there are to copy; those of trees are not counted before somebody looks. */
  #total = 0;
  #counted = false;
  #counting: Promise<void> | undefined;
  #bar: Bar | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  readonly #begin = performance.now();

  /** So many more bytes are copied. */
  bytes(count: number): void {
    this.#bytes += count;
  }

  /**
   * Shows from now on what is going on: at once if that was asked for, else if it takes longer
   * than a moment.
   */
  async show(session: Session, operands: Operands): Promise<void> {
    if (session.settings.progress === true) {
      await this.#draw(session, operands);
      return;
    }
    const start = () => void this.#draw(session, operands);
    this.#timer = setTimeout(start, PATIENCE);
  }

  async #draw(session: Session, { pairs }: Operands): Promise<void> {
    const { transcript, settings } = session;
    let library: Library;
    let terminal: Terminal;
    try {
      library = (await import(LIBRARY)).default;
      terminal = (await import("node:process")).default.stderr;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // No registry within reach: files can be copied all the same.
      if (settings.progress === true) {
        transcript.write(`cp: no progress bar: ${error.message}\n`);
      }
      return;
    }
    if (this.#stopped) return;
    this.#start(library, terminal);
    if (Deno.stderr.isTerminal()) {
      transcript.beforePrinting = () => {
        if (!this.#stopped) terminal.write("\r\x1b[K");
      };
    }
    this.#counting = this.#count(session, pairs.map(([from]) => from));
  }

  async #count(session: Session, sources: string[]): Promise<void> {
    const { count } = await import("./count.ts");
    await count(session, sources, (bytes) => {
      this.#total += bytes;
      return !this.#stopped;
    });
    this.#counted = true;
  }

  #start({ SingleBar }: Library, stream: Terminal): void {
    const bar = new SingleBar({
      format: "{bar} {percentage}% {done} {rate}/s {left}",
      barsize: 24,
      barCompleteChar: "#",
      barIncompleteChar: ".",
      clearOnComplete: true,
      hideCursor: true,
      gracefulExit: false,
      linewrap: true,
      stream,
      noTTYOutput: true,
      notTTYSchedule: INTERVAL,
      fps: 1000 / INTERVAL,
    });
    this.#bar = bar;
    bar.start(1, 0, this.#payload());
    this.#update();
    this.#timer = setInterval(() => this.#update(), INTERVAL);
  }

  #update(): void {
    this.#bar?.setTotal(Math.max(this.#total, this.#bytes, 1));
    this.#bar?.update(this.#bytes, this.#payload());
  }

  #payload(): Payload {
    const seconds = (performance.now() - this.#begin) / 1000;
    const rate = this.#bytes / Math.max(seconds, 0.001);
    const rest = Math.max(this.#total - this.#bytes, 0);
    const left = this.#counted && rate > 0
      ? `${duration(rest / rate)} left`
      : "counting";
    const done = size(this.#bytes) +
      (this.#total > 0 ? ` of ${size(this.#total)}` : "");
    return { done, rate: size(rate), left };
  }

  /** Takes the bar away, and counts no more. Safe to call twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearInterval(this.#timer);
    if (this.#bar !== undefined) {
      this.#update();
      this.#bar.stop();
      this.#bar = undefined;
    }
    await this.#counting;
  }
}

/** Bytes as people read them: `1.5 GiB`. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let amount = bytes;
  for (; amount >= 1000 && unit < units.length - 1; unit++) amount /= 1024;
  const digits = unit > 0 && amount < 10 ? 1 : 0;
  return `${amount.toFixed(digits)} ${units[unit]}`;
}

/** Seconds as people read them: `1:05`, `2:00:00`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const parts = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => i === 0 ? part : `${part}`.padStart(2, "0"))
    .join(":");
}
