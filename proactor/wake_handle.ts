/**
 * The doorbell that Deno's event loop hears itself: an eventfd in Node's pipe handle.
 *
 * @module
 */

import { closeDescriptor, eventfd } from "../ffi/descriptors.ts";
import type { Ring } from "../ring/ring.ts";
import { BellSwitch } from "./bell_switch.ts";
import type { Wake } from "./wake.ts";

/** What this uses of Node's `Pipe` handle. It is no documented API, hence looked for, not relied on. */
interface PipeHandle {
  open(fd: number): number;
  useUserBuffer(buffer: Uint8Array): void;
  onread: (...args: unknown[]) => void;
  readStart(): number;
  ref(): void;
  unref(): void;
  close(): void;
}

interface PipeWrap {
  Pipe: new (type: number) => PipeHandle;
  constants: { SOCKET: number };
}

/** Node's pipe handle where this runtime has it. Looking costs 30 ms: `process` is loaded then. */
function pipeWrap(): PipeWrap | undefined {
  const { process } = globalThis as {
    process?: { binding?: (name: string) => Partial<PipeWrap> };
  };
  if (typeof process?.binding !== "function") return undefined;
  let found: Partial<PipeWrap>;
  try {
    found = process.binding("pipe_wrap");
  } catch (error) {
    // "No such module: pipe_wrap": this runtime hides it.
    if (error instanceof Error) return undefined;
    throw error;
  }
  const { Pipe, constants } = found;
  const methods = ["open", "useUserBuffer", "readStart", "ref", "unref"];
  const complete = typeof Pipe === "function" && constants !== undefined &&
    methods.every((name) => typeof Pipe.prototype[name] === "function");
  return complete ? { Pipe, constants } : undefined;
}

/** Whether this runtime has the handle. */
export function hasHandle(): boolean {
  return pipeWrap() !== undefined;
}

/** A doorbell in Node's pipe handle; undefined where there is none to be had. */
export function handleWake(ring: Ring, onRing: () => void): Wake | undefined {
  const wrap = pipeWrap();
  if (wrap === undefined) return undefined;
  const fd = eventfd();
  const handle = new wrap.Pipe(wrap.constants.SOCKET);
  if (handle.open(fd) !== 0) {
    closeDescriptor(fd);
    return undefined;
  }
  // The handle owns the eventfd now.
  using parts = new DisposableStack();
  parts.defer(() => handle.close());
  // 8 bytes would do; a buffer of its own keeps the handle from allocating 64 KiB each time.
  handle.useUserBuffer(new Uint8Array(16));
  handle.onread = () => onRing();
  handle.unref();
  if (handle.readStart() !== 0) return undefined;
  const wake = new HandleWake(new BellSwitch(ring, fd), handle);
  parts.move();
  return wake;
}

class HandleWake implements Wake {
  readonly kind = "handle";
  readonly #switch: BellSwitch;
  readonly #handle: PipeHandle;
  #alive = false;

  constructor(bellSwitch: BellSwitch, handle: PipeHandle) {
    this.#switch = bellSwitch;
    this.#handle = handle;
  }

  arm(): void {
    this.#switch.turn(true);
  }

  disarm(): void {
    this.#switch.turn(false);
  }

  keepAlive(yes: boolean): void {
    if (yes === this.#alive) return;
    this.#alive = yes;
    if (yes) this.#handle.ref();
    else this.#handle.unref();
  }

  close(): void {
    this.#handle.onread = () => {};
    // The handle owns the eventfd.
    this.#handle.close();
  }
}
