/** What the tests of streams share: which multishots this kernel has, and something for them to do. */

import { assertEquals } from "@std/assert";
import { AF_INET, SOCK_STREAM } from "../../ffi/mod.ts";
import { read, type Received } from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import type { BufRing, Ring } from "../../ring/mod.ts";
import { libc } from "../../ffi/libc.ts";
import { type Fds, kernelSince, nameOf } from "../support/sockets.ts";

export const acceptsMany = kernelSince(5, 19);
export const pollsMany = kernelSince(5, 13);
export const receivesMany = kernelSince(6, 0);
export const timesMany = kernelSince(6, 4);

/** Provided buffers of 16 bytes, as many as said; the text of a result, whose buffer goes back. */
export function buffersOf(ring: Ring, entries: number) {
  const buffers: BufRing = ring.setupBufRing({
    entries,
    group: 3,
    bufferSize: 16,
  });
  const text = ({ bufferId, length }: Received): string => {
    const view = buffers.bytes(bufferId).subarray(0, length);
    const text = new TextDecoder().decode(view);
    giveBack(bufferId);
    return text;
  };
  const giveBack = (id: number) => {
    buffers.add(id);
    buffers.advance();
  };
  return {
    text,
    giveBack,
    [Symbol.dispose]: () => {
      if (!ring.closed) buffers.unregister();
    },
  };
}

/** Connects to a listener, any number of times. */
export function connect(fds: Fds, listener: number, count: number): number[] {
  const address = nameOf(listener);
  return Array.from(
    { length: count },
    () => fds.connected(AF_INET, SOCK_STREAM, address),
  );
}

/** Waits until the other ends of connections are closed, or gone with their listener. */
export async function areClosed(fds: number[]): Promise<void> {
  await using uring = new Uring();
  for (const fd of fds) {
    try {
      const reading = read(fd, new Uint8Array(1));
      assertEquals(await uring.submit(reading, { timeout: 10_000 }), 0);
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  }
}

/** Closes them at once. */
export function closeAll(fds: Iterable<number>): void {
  for (const fd of fds) libc().close(fd);
}
