/** A Worker with a `Uring` of its own, that does what it is told. */

import { nop, read, timeout } from "../../ops/mod.ts";
import { Uring, type UringOptions } from "../../proactor/mod.ts";

/** What to do. */
export type Task =
  | { what: "open"; options: UringOptions }
  | { what: "work"; rounds: number }
  | { what: "echo"; fd: number }
  | { what: "read"; fd: number }
  | { what: "close" };

/** What was done. */
export interface Report {
  /** The ring's descriptor. */
  fd: number;
  /** How many ops were submitted, and completed, so far. */
  submitted: number;
  completed: number;
}

declare const self: {
  onmessage: (event: { data: Task }) => void;
  postMessage(report: Report): void;
};

let uring: Uring | undefined;

async function carryOut(uring: Uring, task: Task): Promise<void> {
  switch (task.what) {
    case "work":
      for (let round = 0; round < task.rounds; round++) {
        await uring.submit(nop());
      }
      await uring.submit(timeout(2));
      return;
    case "echo":
      uring.onMessage = (value, data) => {
        // Whoever asked may be gone by now.
        uring.post(task.fd, value, data).catch(() => {});
      };
      return;
    case "read":
      // It will be terminated first.
      for (let index = 0; index < 3; index++) {
        uring.submit(read(task.fd, new Uint8Array(64))).catch(() => {});
      }
      return;
    case "close":
      await uring.close();
  }
}

self.onmessage = async ({ data: task }) => {
  if (task.what === "open") uring = new Uring(task.options);
  if (uring === undefined) throw new Error("It has no Uring yet.");
  await carryOut(uring, task);
  const { submitted, completed } = uring.stats;
  self.postMessage({ fd: uring.ring.fd, submitted, completed });
};
