/**
 * The doorbell of an engine: put up when it first sleeps, and taken down with it.
 *
 * @module
 */

import { IORING_SQ_CQ_OVERFLOW, IORING_SQ_TASKRUN } from "../ffi/abi.ts";
import type { Ring } from "../ring/ring.ts";
import type { Settings } from "./options.ts";
import { makeWake, type Wake } from "./wake.ts";

/** Whom the bell wakes. */
interface Sleeper {
  onRing(): void;
}

/** Those that sleep with ops in flight: nothing else holds them meanwhile. */
const asleep = new Set<Sleeper>();

/** Takes the bell of a forgotten engine down; its ring closes by a finalizer of its own. */
const forgotten = new FinalizationRegistry<Wake>((wake) => wake.close());

/** What wakes an engine. */
export class Bell {
  readonly #sleeper: Sleeper;
  readonly #ring: Ring;
  readonly #choice: Settings["wake"];
  #wake: Wake | undefined;
  #armed = false;

  /** A bell that is not put up yet. */
  constructor(sleeper: Sleeper, { ring, wake }: Settings) {
    this.#sleeper = sleeper;
    this.#ring = ring;
    this.#choice = wake;
  }

  /** How it rings; undefined before it is put up. */
  get kind(): string | undefined {
    return this.#wake?.kind;
  }

  /** Whether the engine sleeps until it rings. */
  get armed(): boolean {
    return this.#armed;
  }

  /** Puts it up, if it is not; throws if there is none to be had. */
  putUp(): void {
    this.#wake ??= this.#make();
  }

  #make(): Wake {
    // Weak: the bell is held by the event loop, and must not hold a forgotten engine.
    const sleeper = new WeakRef(this.#sleeper);
    const onRing = () => sleeper.deref()?.onRing();
    const choice = this.#choice;
    const made = typeof choice === "function"
      ? choice(this.#ring, onRing)
      : makeWake(this.#ring, onRing, choice);
    forgotten.register(this.#sleeper, made, this);
    return made;
  }

  /**
   * From now on it rings; false if there is something to do already, and it does not.
   *
   * @param alive whether it keeps the process alive.
   */
  arm(alive: boolean): boolean {
    const wake = this.#wake;
    if (wake === undefined) return false;
    wake.arm();
    // What came before the bell was armed does not ring it.
    const pending = IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW;
    if (this.#ring.cq.ready > 0 || (this.#ring.sq.flags & pending) !== 0) {
      wake.disarm();
      return false;
    }
    this.#armed = true;
    asleep.add(this.#sleeper);
    wake.keepAlive(alive);
    return true;
  }

  /** The engine is awake: it does not ring. */
  disarm(): void {
    if (!this.#armed) return;
    this.#armed = false;
    asleep.delete(this.#sleeper);
    this.#wake?.disarm();
  }

  /** Whether it keeps the process alive while it is armed. */
  keepAlive(yes: boolean): void {
    if (this.#armed) this.#wake?.keepAlive(yes);
  }

  /** Nothing is in flight: it keeps nobody. It is not armed then. */
  rest(): void {
    this.#wake?.keepAlive(false);
  }

  /** Takes it down. */
  close(): void {
    forgotten.unregister(this);
    this.#wake?.close();
  }
}
