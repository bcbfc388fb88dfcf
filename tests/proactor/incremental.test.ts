/** Buffers that are used up piece by piece. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  AF_UNIX,
  IOSQE_ASYNC,
  isSystemError,
  O_RDONLY,
  readRecvmsgOut,
  SOCK_DGRAM,
} from "../../ffi/mod.ts";
import { close, openat, read, recvmsgMultishot } from "../../ops/mod.ts";
import { BufferRing, Uring } from "../../proactor/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import {
  Fds,
  kernelSince,
  sendNow,
  uniqueName,
  writeNow,
} from "../support/sockets.ts";
import { canLeaveRoom } from "../kernel/registration/support.ts";
import { eachKind } from "./support.ts";

const incremental = kernelSince(6, 12);

/** A message of 40 bytes takes 56: what the kernel tells of it takes 16. */
const MESSAGE = "0123456789".repeat(4);

/** Receives messages into buffers with room for two of them, and a little more. */
async function receive(
  uring: Uring,
  minLeft: number,
  count: number,
): Promise<string[]> {
  using buffers = new BufferRing(uring, {
    entries: 4,
    bufferSize: 120,
    incremental: true,
    minLeft,
  });
  using fds = new Fds();
  const name = uniqueName();
  const server = fds.bound(AF_UNIX, SOCK_DGRAM, name);
  const client = fds.connected(AF_UNIX, SOCK_DGRAM, name);
  const op = recvmsgMultishot(server, { bufferGroup: buffers.group });
  await using stream = uring.stream(buffers.leasing(op));
  const texts: string[] = [];
  for (let at = 0; at < count; at++) {
    sendNow(client, MESSAGE);
    const { value } = await stream.next();
    using lease = value;
    const { payload } = readRecvmsgOut(lease.bytes);
    texts.push(new TextDecoder().decode(payload));
  }
  assertEquals(buffers.leased, 0);
  return texts;
}

eachKind("a message is not put where it does not fit", {
  when: canLeaveRoom(),
}, async (uring) => {
  // More than the buffers hold at once: what was left goes back with the rest.
  const texts = await receive(uring, MESSAGE.length + 16, 20);
  assertEquals(texts, Array(20).fill(MESSAGE));
});

eachKind("where nothing fits any more, that is told", {
  when: incremental,
}, async (uring) => {
  const error = await assertRejects(() => receive(uring, 0, 3));
  assertEquals(isSystemError(error) && error.code, "EFAULT");
});

for (const where of ["inline", "in a worker"]) {
  eachKind(`short reads lie in their places: ${where}`, {
    when: incremental,
  }, async (uring) => {
    const options = { entries: 2, bufferSize: 64, incremental: true };
    using buffers = new BufferRing(uring, options);
    using directory = new TemporaryDirectory();
    const path = directory.file("digits", "0123456789");
    const fd = await uring.submit(openat(path, O_RDONLY));
    const flags = where === "inline" ? 0 : IOSQE_ASYNC;
    const bufferGroup = buffers.group;
    const taken = async (offset: number, length: number) => {
      const op = read(fd, { bufferGroup, offset, length });
      using lease = buffers.take(await uring.submit(op, { flags }));
      return new TextDecoder().decode(lease.bytes);
    };
    const leased = async (offset: number, length: number) => {
      const op = buffers.leasing(read(fd, { bufferGroup, offset, length }));
      using lease = await uring.submit(op, { flags });
      return new TextDecoder().decode(lease.bytes);
    };
    // Of each the kernel takes what was asked for as used.
    assertEquals(await leased(0, 13), "0123456789");
    assertEquals(await taken(8, 9), "89");
    assertEquals(await leased(10, 5), "");
    assertEquals(await taken(10, 7), "");
    assertEquals(await leased(3, 2), "34");
    assertEquals(await taken(0, 64), "0123456789");
    assertEquals(buffers.leased, 0);
    await uring.submit(close(fd));
  });
}

eachKind("a read that is cancelled leaves the others in their places", {
  when: incremental,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const options = { entries: 2, bufferSize: 64, incremental: true };
  using buffers = new BufferRing(uring, options);
  const bufferGroup = buffers.group;
  const op = buffers.leasing(read(reader, { bufferGroup, length: 20 }));
  for (let round = 0; round < 5; round++) {
    // It takes 20 bytes of a buffer, and gives none.
    await assertRejects(
      () => uring.submit(op, { flags: IOSQE_ASYNC, timeout: 2 }),
      Error,
      "not done after 2 ms",
    );
    writeNow(writer, new TextEncoder().encode(`round ${round}`));
    using lease = await uring.submit(op);
    assertEquals(new TextDecoder().decode(lease.bytes), `round ${round}`);
  }
  assertEquals(buffers.leased, 0);
});

Deno.test({
  name: "what may be left of a buffer is checked",
  ignore: !incremental,
  async fn() {
    await using uring = new Uring();
    const make = (minLeft: number, incremental = true) => () =>
      new BufferRing(uring, {
        entries: 2,
        bufferSize: 16,
        incremental,
        minLeft,
      });
    assertThrows(make(-1), RangeError, "BufferRing: minLeft");
    assertThrows(make(17), RangeError, "BufferRing: minLeft");
    assertThrows(make(4, false), RangeError, "minLeft is for incremental");
  },
});
