/** Messages from a thread without a ring: `sendMessage`. */

import {
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  IORING_REGISTER_SEND_MSG_RING,
  IORING_SETUP_R_DISABLED,
  takeBlock,
} from "../../../ffi/mod.ts";
import { Ring, sendMessage } from "../../../ring/mod.ts";
import { failure } from "../../support/files.ts";
import { eachRing } from "../../support/rings.ts";
import { Fds } from "../../support/sockets.ts";
import { backends, hasRegister, notNumbers, take, wrongly } from "./support.ts";

const when = hasRegister(IORING_REGISTER_SEND_MSG_RING);

eachRing("message: comes as a completion", { when }, (ring) => {
  // Memory in use by others lies before the message's own.
  const others = [takeBlock(64), takeBlock(64)];
  for (const backend of backends) {
    sendMessage(ring, { result: 42, userData: 1n << 63n }, { backend });
    sendMessage(ring.fd, { result: -7 }, { backend });
    const [first, second] = take(ring, 2);
    assertEquals([first?.res, first?.userData], [42, 1n << 63n]);
    assertEquals([second?.res, second?.userData], [-7, 0n]);
  }
  sendMessage(ring);
  sendMessage(ring, { cqeFlags: 0x1230, userData: 5 });
  const seen = take(ring, 2).map(({ flags, userData }) => [flags, userData]);
  assertEquals(seen, [[0, 0n], [0x1230, 5n]]);
  others.forEach((block) => block.release());
});

Deno.test({
  name: "message: from a Worker, to a ring that waits",
  ignore: !when,
  async fn() {
    using ring = new Ring(2);
    const module = import.meta.resolve("../../../ring/mod.ts");
    const source = `
      import { sendMessage } from "${module}";
      setTimeout(() => {
        sendMessage(${ring.fd}, { result: 99 });
        close();
      }, 20);
    `;
    const url = `data:application/typescript,${encodeURIComponent(source)}`;
    const worker = new Worker(url, { type: "module" });
    try {
      assertEquals(ring.wait(1, { timeout: 20_000 }), 1);
      assertEquals(take(ring, 1)[0]?.res, 99);
    } finally {
      worker.terminate();
    }
    // The Worker's end is news that the event loop must hear of.
    await new Promise((done) => setTimeout(done, 10));
  },
});

Deno.test({
  name: "message: to what takes none",
  ignore: !when,
  fn() {
    using fds = new Fds();
    const [reader] = fds.pipe();
    for (const backend of backends) {
      const send = (target: number) => () =>
        sendMessage(target, {}, { backend });
      const closed = failure("EBADF", send(0x7fff_0000));
      assertEquals(closed.op, "io_uring_register_sync_msg");
      assertStringIncludes(closed.message, "not open");
      const pipe = failure("EBADFD", send(reader));
      assertStringIncludes(pipe.message, "no ring");
      using disabled = new Ring({ entries: 2, flags: IORING_SETUP_R_DISABLED });
      failure("EBADFD", send(disabled.fd));
    }
  },
});

Deno.test({
  name: "message: is named where the kernel lacks it",
  ignore: when,
  fn() {
    using ring = new Ring(2);
    // EINVAL: the opcode is unknown. EBADF: so is the place where it is looked for.
    const error = assertThrows(() => sendMessage(ring), Error);
    assertMatch(error.message, /EBADF|EINVAL/);
    assertMatch(error.message, /older than Linux 6\.13|needs Linux 6\.13/);
  },
});

Deno.test("message: what is none is refused before the kernel sees it", () => {
  using ring = new Ring(2);
  for (const target of notNumbers) {
    assertThrows(
      () => sendMessage(wrongly(target)),
      target === 1n ? RangeError : TypeError,
      "sendMessage: target",
    );
  }
  for (const target of [-1, 1.5, 2 ** 31]) {
    assertThrows(() => sendMessage(target), RangeError, "target");
  }
  for (const result of [1.5, 2 ** 31, -(2 ** 31) - 1]) {
    assertThrows(() => sendMessage(ring, { result }), RangeError, "result");
  }
  for (const userData of [1.5, 1n << 64n]) {
    assertThrows(() => sendMessage(ring, { userData }), RangeError, "userData");
  }
  assertThrows(
    () => sendMessage(ring, { userData: wrongly("1") }),
    TypeError,
    "userData",
  );
  assertThrows(
    () => sendMessage(ring, { cqeFlags: -1 }),
    RangeError,
    "cqeFlags",
  );
});
