/**
 * An event loop whose time and order the simulation decides. Microtasks are the real ones.
 */

import type { Wake } from "../../proactor/mod.ts";
import type { Ring } from "../../ring/mod.ts";
import type { SimulatedKernel } from "./kernel.ts";
import type { Random } from "./random.ts";

type Task = () => void;

interface Timer {
  readonly id: number;
  readonly due: number;
  readonly task: Task;
  alive: boolean;
  /** Whether it is the program's, not the library's. */
  readonly own: boolean;
}

interface Immediate {
  readonly task: Task;
  alive: boolean;
  ref(): Immediate;
  unref(): Immediate;
}

/** The program cannot go on: nothing will ever happen. */
export class Stuck extends Error {
  override readonly name = "Stuck";
}

const realImmediate = setImmediate;
const realMicrotask = queueMicrotask;
const REPLACED = [
  "queueMicrotask",
  "setTimeout",
  "clearTimeout",
  "setImmediate",
  "clearImmediate",
];

/** After so many turns in which nothing happened, and nothing was to come, the loop runs idle. */
const FRUITLESS = 3000;

/** Programs take a few hundred turns, seldom thousands. */
const ENDLESS = 100_000;

/** A loop for one program; the timers of this thread are its own until it is disposed of. */
export class VirtualLoop implements Disposable {
  /** Called when the loop would block: for a look at what should not be so. */
  onBlock: Task = () => {};
  /** Called when a bell is about to be armed: what happens then it does not tell of. */
  beforeArming: Task = () => {};
  readonly #random: Random;
  readonly #kernel: SimulatedKernel;
  readonly #timers = new Map<number, Timer>();
  readonly #immediates: Immediate[] = [];
  readonly #bells: SimulatedWake[] = [];
  readonly #crashes: unknown[] = [];
  readonly #onRejection = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    this.#crashes.push(event.reason);
  };
  readonly #replaced: [object, string, PropertyDescriptor][] = [];
  #nextTimer = 1;
  #fruitless = 0;

  /** Takes the timers over. */
  constructor(kernel: SimulatedKernel) {
    this.#random = kernel.random;
    this.#kernel = kernel;
    for (const name of REPLACED) {
      this.#replace(globalThis, name, this.#of(name));
    }
    globalThis.addEventListener("unhandledrejection", this.#onRejection);
    this.#replace(Deno, "unrefTimer", (id: number) => {
      const timer = this.#timers.get(id);
      if (timer !== undefined) timer.alive = false;
    });
  }

  /** Gives them back. */
  [Symbol.dispose](): void {
    globalThis.removeEventListener("unhandledrejection", this.#onRejection);
    for (const [object, name, descriptor] of this.#replaced) {
      Object.defineProperty(object, name, descriptor);
    }
  }

  #replace(object: object, name: string, value: unknown): void {
    const descriptor = Object.getOwnPropertyDescriptor(object, name);
    if (descriptor === undefined) throw new Error(`There is no ${name}.`);
    this.#replaced.push([object, name, descriptor]);
    Object.defineProperty(object, name, { configurable: true, value });
  }

  #of(name: string): unknown {
    switch (name) {
      case "queueMicrotask":
        return (task: Task) => realMicrotask(() => this.#attempt(task));
      case "setTimeout":
        return (task: Task, milliseconds = 0) =>
          this.#after(milliseconds, task);
      case "clearTimeout":
        return (id?: number) =>
          void (id !== undefined && this.#timers.delete(id));
      case "setImmediate":
        return (task: Task) => this.#immediate(task);
      default:
        return (immediate: Immediate) => this.#forget(immediate);
    }
  }

  /** What a task throws would end the process. */
  #attempt(task: Task): void {
    try {
      task();
    } catch (error) {
      this.#crashes.push(error);
    }
  }

  /** Lets the program wait. */
  pass(milliseconds: number): Promise<void> {
    return new Promise((resolve) =>
      void this.#after(milliseconds, resolve, true)
    );
  }

  /** Whether the library waits for a time. */
  get timed(): boolean {
    return this.#timers.values().some(({ own }) => !own);
  }

  #after(milliseconds: number, task: Task, own = false): number {
    const id = this.#nextTimer++;
    // Real ones take a millisecond at least.
    const due = this.#kernel.now + Math.max(milliseconds, 1);
    this.#timers.set(id, { id, due, task, alive: true, own });
    return id;
  }

  #immediate(task: Task): Immediate {
    const immediate: Immediate = {
      task,
      alive: true,
      ref: () => (immediate.alive = true, immediate),
      unref: () => (immediate.alive = false, immediate),
    };
    this.#immediates.push(immediate);
    return immediate;
  }

  #forget(immediate: Immediate): void {
    const at = this.#immediates.indexOf(immediate);
    if (at >= 0) this.#immediates.splice(at, 1);
  }

  /** A bell of this loop for a ring. */
  wake(ring: Ring, onRing: Task): SimulatedWake {
    const bell = new SimulatedWake(ring, onRing, () => this.beforeArming());
    this.#bells.push(bell);
    this.#kernel.ringOf(ring.fd).bell = () => {
      this.#kernel.note(() => "rings");
      bell.pending = true;
    };
    return bell;
  }

  /** Whether anything is to come that keeps a process alive. */
  get alive(): boolean {
    return this.#immediates.some(({ alive }) => alive) ||
      [...this.#timers.values()].some(({ alive }) => alive) ||
      this.#bells.some(({ alive, closed }) => alive && !closed);
  }

  /** Turns until `main` has come to its end. */
  async run(main: () => Promise<void>): Promise<void> {
    let over = false;
    const done = main().finally(() => over = true);
    // Whoever awaits it below hears of its failure.
    done.catch(() => {});
    for (let turns = 0; turns < ENDLESS; turns++) {
      await drainMicrotasks();
      this.#check();
      if (over) return await done;
      this.#turn();
    }
    throw new Stuck("The program does not come to its end.");
  }

  #check(): void {
    const [violation] = this.#kernel.violations;
    if (violation !== undefined) throw violation;
    if (this.#crashes.length > 0) {
      throw new Error(`The process crashed: ${this.#crashes[0]}`, {
        cause: this.#crashes[0],
      });
    }
  }

  get #agenda(): string {
    const tasks = [
      ...this.#immediates.map(({ task }) => `now ${task}`),
      ...this.#timers.values().map(({ due, task }) => `at ${due} ${task}`),
    ];
    return tasks.map((text) => text.slice(0, 80)).join(", ");
  }

  /** Turns until nothing is left to do; throws if that takes too long. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < 200; turns++) {
      await drainMicrotasks();
      this.#check();
      const task = this.#choose();
      if (task !== undefined) this.#attempt(task);
      else if (this.#timers.size > 0) this.#jump();
      else return;
    }
    throw new Stuck(
      `Something goes on for ever though all is over: ${this.#agenda}.`,
    );
  }

  #turn(): void {
    const random = this.#random;
    this.#kernel.pass(random.fraction() * random.pick([0.001, 0.05]));
    // The loop makes system calls of its own.
    if (random.chance(0.3)) this.#kernel.settle();
    const happened = random.chance(0.5) && this.#kernel.step();
    const task = this.#choose();
    if (task === undefined) {
      this.#block();
      return;
    }
    if (happened) this.#fruitless = 0;
    else if (++this.#fruitless % 8 === 0) this.#hurry();
    this.#attempt(task);
  }

  /** The next thing to do; undefined if there is nothing. Categories come in any order. */
  #choose(): Task | undefined {
    const bells = this.#bells.filter(({ pending, closed }) =>
      pending && !closed
    );
    const timer = this.#dueTimer();
    const choices: Task[] = [];
    const [immediate] = this.#immediates;
    if (immediate !== undefined) {
      choices.push(() => {
        this.#immediates.shift();
        immediate.task();
      });
    }
    if (timer !== undefined) {
      choices.push(() => {
        this.#timers.delete(timer.id);
        this.#fruitless = 0;
        timer.task();
      });
    }
    if (bells.length > 0) {
      choices.push(() => {
        this.#kernel.note(() => "the loop hears the bell");
        this.#random.pick(bells).strike();
      });
    }
    return choices.length === 0 ? undefined : this.#random.pick(choices);
  }

  #dueTimer(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (timer.due > this.#kernel.now) continue;
      if (next === undefined || timer.due < next.due) next = timer;
    }
    return next;
  }

  get #nextDue(): number {
    let next = this.#kernel.nextDue;
    for (const { due } of this.#timers.values()) next = Math.min(next, due);
    return next;
  }

  /** The loop goes round without anything happening: time may pass faster. */
  #hurry(): void {
    if (this.#kernel.step()) return;
    if (this.#nextDue < Infinity) this.#jump();
    else if (this.#fruitless > FRUITLESS) {
      throw new Stuck(
        "The loop goes round and round, and nothing will ever come.",
      );
    }
  }

  #jump(): void {
    const due = this.#nextDue;
    if (due < Infinity) this.#kernel.reach(due);
  }

  /** There is nothing to do: the thread sleeps until the kernel, or a timer, wakes it. */
  #block(): void {
    this.#kernel.note(() => "the loop sleeps");
    this.#kernel.settle();
    if (this.#bells.some(({ pending, closed }) => pending && !closed)) return;
    this.onBlock();
    if (this.#kernel.step()) return;
    if (this.#nextDue === Infinity) {
      throw new Stuck("Everything waits, and nothing will ever come.");
    }
    this.#jump();
  }
}

/** All microtasks have run when this one has: it is a turn of the real loop. */
function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => void realImmediate(() => resolve()));
}

/** The eventfd of a ring, and the loop that hears it. */
export class SimulatedWake implements Wake {
  readonly kind = "handle";
  readonly #ring: Ring;
  readonly #onRing: Task;
  readonly #beforeArming: Task;
  /** Whether it was rung, and the loop has yet to hear it. */
  pending = false;
  /** Whether it keeps the process alive. */
  alive = false;
  /** Whether it was taken down. */
  closed = false;

  /** A bell that is not armed. */
  constructor(ring: Ring, onRing: Task, beforeArming: Task) {
    this.#ring = ring;
    this.#onRing = onRing;
    this.#beforeArming = beforeArming;
    ring.cq.eventfdEnabled = false;
  }

  arm(): void {
    this.#beforeArming();
    this.#ring.cq.eventfdEnabled = true;
  }

  disarm(): void {
    this.#ring.cq.eventfdEnabled = false;
  }

  keepAlive(yes: boolean): void {
    this.alive = yes;
  }

  close(): void {
    if (this.closed) throw new Error("A bell is taken down twice.");
    this.closed = true;
  }

  /** The loop hears it. */
  strike(): void {
    this.pending = false;
    this.#onRing();
  }
}
