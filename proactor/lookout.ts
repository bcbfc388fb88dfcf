/**
 * When the ring is looked at without a call of its own, and when nobody looks: from turn to turn
 * of the event loop while something comes, then asleep until the kernel rings.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";
import type { Ring } from "../ring/ring.ts";
import { Bell } from "./bell.ts";
import type { Counters } from "./counters.ts";
import type { Settings } from "./options.ts";

/** Whose ring it is. */
interface Owner {
  readonly ring: Ring;
  readonly counters: Counters;
  /** Whether there is something to look for: ops in flight, or messages. */
  readonly waiting: boolean;
  /** Whether it enters the kernel soon, and looks then. */
  readonly scheduled: boolean;
  /** A turn of the event loop has begun. */
  beginTurn(): void;
  /** Takes what is done; how much that was. */
  reap(): number;
  /** Decides what comes next, once there is nothing to look for or something to enter for. */
  next(): void;
  /** Whether there is nothing that only whoever is awake can do. */
  settleDown(): boolean;
  /** The ring cannot be used any more. */
  break(error: unknown): void;
}

/** Looks at the ring of an engine. */
export class Lookout {
  readonly #owner: Owner;
  readonly #settings: Settings;
  readonly #bell: Bell;
  #alive = true;
  #looking = false;
  #lastProgress = 0;
  /** The turn in which it looks again. */
  #turn: ReturnType<typeof setImmediate> | undefined;
  readonly #look = (): void => this.#runLook();

  /** A lookout that rests. */
  constructor(owner: Owner, settings: Settings) {
    this.#owner = owner;
    this.#settings = settings;
    this.#bell = new Bell(this, settings);
  }

  /** Whether it sleeps. */
  get sleeping(): boolean {
    return this.#bell.armed;
  }

  /** How it is woken; undefined before it first slept. */
  get wakeKind(): string | undefined {
    return this.#bell.kind;
  }

  /** Whether what it looks for keeps the process alive. */
  get alive(): boolean {
    return this.#alive;
  }

  /** Puts the bell up before it first sleeps; throws if there is none to be had. */
  prepare(): void {
    this.#bell.putUp();
  }

  /** Looks in the next turn, and on until nothing is waited for, or it sleeps. */
  start(): void {
    if (this.#looking) return;
    this.#lastProgress = performance.now();
    this.#lookNextTurn();
  }

  /**
   * Looks again in the next turn. That turn comes soon: an immediate that is unref'd would wait
   * until something else wakes the event loop. Only who never sleeps has to unref it.
   */
  #lookNextTurn(): void {
    this.#looking = true;
    this.#turn = setImmediate(this.#look);
    if (!this.#alive && !this.#settings.sleep) this.#turn.unref();
  }

  #runLook(): void {
    const owner = this.#owner;
    this.#looking = false;
    owner.beginTurn();
    if (owner.ring.closed || this.#bell.armed) return;
    const progress = owner.reap();
    if (owner.ring.closed || owner.scheduled || !owner.waiting) {
      owner.next();
      return;
    }
    const now = performance.now();
    if (progress > 0) this.#lastProgress = now;
    const quiet = now - this.#lastProgress;
    const idle = progress === 0 && quiet >= this.#settings.spin;
    // Unref'd it must not keep the event loop going round.
    if ((idle || !this.#alive) && this.#sleep()) return;
    this.#lookNextTurn();
  }

  /** Goes to sleep; false if there is something to do after all. */
  #sleep(): boolean {
    if (!this.#settings.sleep || !this.#owner.settleDown()) return false;
    if (!this.#tryBell()) return false;
    this.#owner.counters.sleeps++;
    return true;
  }

  /** Arms the doorbell, if there is one; there may be none to be had, for the moment or for ever. */
  #tryBell(): boolean {
    try {
      this.#bell.putUp();
      return this.#bell.arm(this.#alive);
    } catch (error) {
      // Out of descriptors, say: it goes on looking, and tries again.
      if (!isSystemError(error)) this.#owner.break(error);
      return false;
    }
  }

  /** The bell rang. Internal: the {@linkcode Bell} calls it. */
  onRing(): void {
    const owner = this.#owner;
    if (owner.ring.closed || !this.#bell.armed) return;
    owner.counters.wakes++;
    this.#bell.disarm();
    owner.beginTurn();
    owner.reap();
    if (!owner.ring.closed) owner.next();
  }

  /** The engine is awake: nobody has to ring. */
  wake(): void {
    this.#bell.disarm();
  }

  /** There is nothing to look for: it keeps nobody. */
  rest(): void {
    this.#bell.rest();
  }

  /** Whether what it looks for keeps the process alive. */
  keepAlive(yes: boolean): void {
    this.#alive = yes;
    // The other way round the next turn is unref'd in time.
    if (!this.#settings.sleep && yes) this.#turn?.ref();
    this.#bell.keepAlive(yes);
  }

  /** Takes the bell down. */
  close(): void {
    this.#bell.close();
  }
}
