/** Completions of a `Uring`'s ring that none of its ops has caused. */

import { assertEquals } from "@std/assert";
import { IORING_REGISTER_SEND_MSG_RING } from "../../ffi/mod.ts";
import {
  fixedFile,
  msgRing,
  msgRingFdAlloc,
  opcodes,
  read,
  write,
} from "../../ops/mod.ts";
import { Uring } from "../../proactor/mod.ts";
import { sendMessage } from "../../ring/mod.ts";
import { hasRegister } from "../kernel/registration/support.ts";
import { Fds } from "../support/sockets.ts";
import { eachKind, until } from "./support.ts";

/** How many ops wait, and how many completions are sent at them. */
const COUNT = 8;

/**
 * Sends completions into a ring while its first ops wait, those with the smallest slots; then lets
 * them have what they wait for.
 *
 * @param send sends them, with the numbers from 0 or 1 on as their `user_data`.
 */
async function disturb(
  uring: Uring,
  send: (numbers: number[]) => Promise<void> | void,
): Promise<void> {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const settled: number[] = [];
  const reads = Array.from({ length: COUNT }, async () => {
    settled.push(await uring.submit(read(reader, new Uint8Array(1))));
  });
  await until(() => uring.ring.sq.ready === 0, "the reads are with the kernel");
  await send(Array.from({ length: COUNT }, (_, at) => at));
  await until(() => uring.stats.strays === COUNT, "all are noticed");
  assertEquals(settled, []);
  assertEquals(uring.stats.inFlight, COUNT);
  for (let at = 0; at < COUNT; at++) {
    await uring.submit(write(writer, Uint8Array.of(at)));
  }
  await Promise.all(reads);
  assertEquals(settled, Array(COUNT).fill(1));
}

eachKind("a message with a small user_data settles no op", {
  when: opcodes.msgRing.supported(),
}, async (uring) => {
  await using other = new Uring();
  const { fd } = uring.ring;
  await disturb(uring, async (numbers) => {
    for (const number of numbers) await other.submit(msgRing(fd, 5, number));
  });
});

eachKind("nor one with a kind and a number in it, as programs have them", {
  when: opcodes.msgRing.supported(),
}, async (uring) => {
  await using other = new Uring();
  const { fd } = uring.ring;
  await disturb(uring, async (numbers) => {
    for (const number of numbers) {
      // All but 2: that is a message to the listener.
      const kind = number === 2 ? 0x7fff : number;
      await other.submit(msgRing(fd, 0, kind * 2 ** 32 + number));
    }
  });
});

eachKind("nor does one without a ring of its own", {
  when: hasRegister(IORING_REGISTER_SEND_MSG_RING),
}, async (uring) => {
  await disturb(uring, (numbers) => {
    for (const userData of numbers) sendMessage(uring.ring, { userData });
  });
});

eachKind("nor a file that another ring passes", {
  when: opcodes.sendZc.supported(), // Linux 6.0
}, async (uring) => {
  await using other = new Uring();
  using fds = new Fds();
  const [file] = fds.pair();
  other.ring.files.register([file]);
  uring.ring.files.registerSparse(COUNT);
  const { fd } = uring.ring;
  await disturb(uring, async (numbers) => {
    for (const userData of numbers) {
      const op = msgRingFdAlloc(fd, fixedFile(0), { userData });
      await other.submit(op);
    }
  });
});

eachKind("nor the tag of what was registered", {
  when: opcodes.socket.supported(), // Linux 5.19
}, async (uring) => {
  using fds = new Fds();
  const [file] = fds.pair();
  const { files } = uring.ring;
  await disturb(uring, (numbers) => {
    // The tag 0 is none.
    const tags = numbers.map((number) => number + 1);
    files.register(numbers.map(() => file), { tags });
    files.update(0, numbers.map(() => -1));
  });
});
