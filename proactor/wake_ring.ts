/**
 * The doorbell made of documented API alone: a second ring waits for the eventfd, and writes a
 * byte into a pipe whose other end a socket of node:net reads. 6 to 10 us slower than the
 * handle.
 *
 * @module
 */

import { IOSQE_IO_HARDLINK } from "../ffi/abi.ts";
import { closeDescriptor, eventfd, pipePair } from "../ffi/descriptors.ts";
import { Memory } from "../ffi/memory.ts";
import { prepRead, prepWrite } from "../ops/rw.ts";
import { Ring } from "../ring/ring.ts";
import { BellSwitch } from "./bell_switch.ts";
import type { Wake } from "./wake.ts";

/** What this uses of node:net's Socket. */
interface Socket {
  on(event: "data", listener: () => void): void;
  ref(): void;
  unref(): void;
  destroy(): void;
}

interface Net {
  Socket: new (
    options: { fd: number; readable: boolean; writable: boolean },
  ) => Socket;
}

/** node:net costs 30 ms to load: at the first sleep, not at start-up. */
function net(): Net {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => unknown };
  };
  const loaded = process?.getBuiltinModule?.("node:net");
  if (loaded === undefined) {
    throw new Error("Uring: this runtime has no node:net to be woken by.");
  }
  return loaded as Net;
}

/** A doorbell of a second ring and a pipe. */
export function ringWake(ring: Ring, onRing: () => void): Wake {
  const { Socket } = net();
  using parts = new DisposableStack();
  const bell = parts.adopt(eventfd(true), closeDescriptor);
  const [readEnd, writeEnd] = pipePair();
  parts.adopt(writeEnd, closeDescriptor);
  const socket = new Socket({ fd: readEnd, readable: true, writable: false });
  parts.defer(() => socket.destroy());
  socket.on("data", onRing);
  socket.unref();
  // No COOP and no DEFER flag: its work must be done while the thread sleeps in the loop.
  const second = parts.use(
    new Ring({
      entries: 4,
      backend: ring.backend === "liburing" ? "liburing" : "syscall",
    }),
  );
  const bellSwitch = new BellSwitch(ring, bell);
  return new RingWake(bellSwitch, socket, bell, writeEnd, second, parts.move());
}

class RingWake implements Wake {
  readonly kind = "ring";
  readonly #switch: BellSwitch;
  readonly #socket: Socket;
  readonly #bell: number;
  readonly #writeEnd: number;
  readonly #second: Ring;
  readonly #parts: DisposableStack;
  /** 8 bytes for the eventfd's count, and the byte to write. */
  readonly #memory = new Memory(16);
  #waiting = false;
  #alive = false;

  constructor(
    bellSwitch: BellSwitch,
    socket: Socket,
    bell: number,
    writeEnd: number,
    second: Ring,
    parts: DisposableStack,
  ) {
    this.#switch = bellSwitch;
    this.#socket = socket;
    this.#bell = bell;
    this.#writeEnd = writeEnd;
    this.#second = second;
    this.#parts = parts;
  }

  arm(): void {
    this.#second.forEachCqe((cqe) => {
      if (cqe.tag === WRITE) this.#waiting = false;
    });
    if (!this.#waiting) this.#await();
    this.#switch.turn(true);
  }

  /** Read the eventfd; then, whatever the read gave, write the byte. */
  #await(): void {
    const { address } = this.#memory;
    const read = this.#second.sqe();
    if (read === null) return;
    prepRead(read, this.#bell, address, 8, 0);
    read.flags = IOSQE_IO_HARDLINK;
    read.tag = READ;
    const write = this.#second.sqe();
    if (write === null) return;
    prepWrite(write, this.#writeEnd, address + 8, 1, -1);
    write.tag = WRITE;
    this.#second.submit();
    this.#waiting = true;
  }

  disarm(): void {
    this.#switch.turn(false);
  }

  keepAlive(yes: boolean): void {
    if (yes === this.#alive) return;
    this.#alive = yes;
    if (yes) this.#socket.ref();
    else this.#socket.unref();
  }

  close(): void {
    this.#parts.dispose();
    this.#memory.close();
  }
}

const READ = 1;
const WRITE = 2;
