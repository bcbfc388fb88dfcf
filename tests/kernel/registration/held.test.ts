/** What the kernel may write to at any time, though no op names it: how long it is held. */

import { assertEquals } from "@std/assert";
import {
  IORING_REGISTER_BUFFERS2,
  IORING_REGISTER_CLONE_BUFFERS,
  IORING_REGISTER_PBUF_RING,
} from "../../../ffi/mod.ts";
import { child, hasRegister } from "./support.ts";

interface Case {
  /** What is registered. */
  name: string;
  /** Gives memory to the kernel, and says what memory. */
  source: string;
  /** A register opcode that the kernel must have. */
  needs?: number;
}

const cases: Case[] = [
  { name: "a registered buffer", source: "ring.buffers.register([bytes]);" },
  {
    name: "one whose list was changed since",
    source: "const list = [bytes]; ring.buffers.register(list); list.pop();",
  },
  {
    name: "one in the place of another",
    source: `const other = new Uint8Array(8);
      ring.buffers.register([other, other, other]);
      ring.buffers.update(1, [bytes]);
      ring.buffers.update(2, [other]);`,
    needs: IORING_REGISTER_BUFFERS2,
  },
  {
    name: "one of another ring, which is closed",
    source: `using other = new r.Ring(4);
      other.buffers.register([new Uint8Array(8), bytes]);
      ring.buffers.cloneFrom(other);
      other.buffers.unregister();`,
    needs: IORING_REGISTER_CLONE_BUFFERS,
  },
  {
    name: "a provided buffer",
    source: "ring.setupBufRing({ entries: 1, group: 1 }).add(0, bytes);",
    needs: IORING_REGISTER_PBUF_RING,
  },
  {
    name: "a ring's own provided buffers",
    source: `const options = { entries: 1, group: 1, bufferSize: 8 };
      bytes = ring.setupBufRing(options).bytes(0);`,
    needs: IORING_REGISTER_PBUF_RING,
  },
];

for (const { name, source, needs = 0 } of cases) {
  Deno.test({
    name: `${name} is held as long as the ring, and not longer`,
    ignore: !hasRegister(needs),
    async fn() {
      const output = await child(
        `
        let ring: r.Ring | undefined = new r.Ring(4);
        const memory = ((ring: r.Ring) => {
          let bytes = new Uint8Array(4096);
          ${source}
          return new WeakRef(bytes.buffer);
        })(ring);
        // A WeakRef holds its target until the end of the turn in which it was looked at.
        const turn = () => new Promise((done) => setTimeout(done));
        for (let i = 0; i < 3; i++) { await turn(); gc(); }
        const whileOpen = memory.deref() !== undefined;
        await turn();
        ring = undefined;
        await turn();
        gc(); // The ring is garbage; its finalizer has yet to run.
        const beforeClosed = memory.deref() !== undefined;
        for (let i = 0; i < 10; i++) { await turn(); gc(); }
        console.log(whileOpen, beforeClosed, memory.deref() !== undefined);
        `,
        { flags: ["--v8-flags=--expose-gc"] },
      );
      assertEquals(output, "true true false");
    },
  });
}

Deno.test("a ring that was closed is not closed once more when it is forgotten", async () => {
  const output = await child(
    `
    const forgotten = (() => {
      const ring = new r.Ring(4);
      ring.sqe(); // a zeroed entry is a NOP
      ring.submitAndWait(1);
      ring.close();
      return new WeakRef(ring);
    })();
    // Has the descriptor's number now.
    using other = new r.Ring(4);
    const turn = () => new Promise((done) => setTimeout(done));
    for (let i = 0; i < 5; i++) { await turn(); gc(); }
    other.sqe();
    console.log(forgotten.deref() === undefined, other.submitAndWait(1));
    `,
    { flags: ["--v8-flags=--expose-gc"] },
  );
  assertEquals(output, "true 1");
});
