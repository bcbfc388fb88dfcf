/** A thread that is blocked in recv(2), and sends back what it receives. */

import { readNow, writeNow } from "../support/sockets.ts";

declare const self: {
  onmessage: (event: { data: number }) => void;
  postMessage(message: string): void;
};

self.onmessage = ({ data: fd }) => {
  for (;;) {
    const received = readNow(fd, 64);
    if (received.length === 0) break;
    writeNow(fd, Uint8Array.from(received));
  }
  self.postMessage("ended");
};
