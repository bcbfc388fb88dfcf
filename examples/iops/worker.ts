/**
 * A thread of I/O: does its turns, and sleeps in between.
 *
 * @module
 */

import { AwaitedLoad } from "./awaited.ts";
import { Counters } from "./counters.ts";
import { RingLoad } from "./load.ts";
import type { Settings } from "./settings.ts";
import type { Target } from "./targets.ts";

/** What a thread is to do. */
export interface Task {
  /** What is measured. */
  readonly settings: Settings;
  /** The files. */
  readonly targets: readonly Target[];
  /** The memory of its counters. */
  readonly counters: SharedArrayBuffer;
  /** Which thread it is, from 0 on. */
  readonly thread: number;
  /** The descriptor of a ring to attach to. */
  readonly attachTo?: number;
}

/** What a thread says: that it is ready, or why it is not or no longer. */
export type Reply =
  | {
    readonly ringFd: number;
    readonly flags: number;
    readonly backend: string;
  }
  | { readonly error: string };

declare const self: {
  onmessage: (event: { data: Task }) => void;
  postMessage(reply: Reply): void;
  close(): void;
};

async function serve(
  { settings, targets, counters: buffer, thread, attachTo }: Task,
): Promise<void> {
  const counters = new Counters(buffer);
  const Load = settings.promises ? AwaitedLoad : RingLoad;
  const load = new Load(settings, targets, counters, thread, attachTo);
  try {
    const { fd: ringFd, flags, backend } = load.ring;
    self.postMessage({ ringFd, flags, backend });
    while (counters.waitForTurn()) await load.run();
  } finally {
    await load.close();
  }
}

self.onmessage = async ({ data }) => {
  try {
    await serve(data);
    self.close();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    self.postMessage({ error: message });
    new Counters(data.counters).rest();
  }
};
