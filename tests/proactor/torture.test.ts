/**
 * Torture: buffers that nobody holds, transfers in flight, cancels, closes, rings by the hundred,
 * with the garbage collector running all the while. Whoever writes where they should not kills a
 * canary; what leaks shows in a census; a promise that never settles is a failure.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
} from "@std/assert";
import { IOSQE_ASYNC, O_RDONLY, SOCK_DGRAM } from "../../ffi/mod.ts";
import {
  nop,
  type Op,
  openat,
  read,
  readv,
  recv,
  recvmsg,
  recvMultishot,
  statx,
  timeout,
} from "../../ops/mod.ts";
import {
  BufferPool,
  BufferRing,
  FixedFiles,
  Uring,
} from "../../proactor/mod.ts";
import { Ring } from "../../ring/mod.ts";
import { linux } from "../kernel/registration/support.ts";
import type { Random } from "../simulated/random.ts";
import { Canaries } from "../support/canaries.ts";
import { Descriptor, TemporaryDirectory } from "../support/files.ts";
import { Fds, readNow, sendNow, writeNow } from "../support/sockets.ts";
import { sleep, turn } from "./support.ts";

import { anyUring, gc, idle, Ledger, torture } from "./torture.ts";

/** A file whose every byte is 0xEE, a value that no canary has. */
const INK = 0xee;
const inked = (length: number) => new Uint8Array(length).fill(INK);

// --- buffers that nobody holds

/** Receives that hold the only reference to their buffers. */
function* receives(socket: number, random: Random): Generator<Op<unknown>> {
  const size = Canaries.size(random);
  yield recv(socket, new Uint8Array(size));
  yield read(socket, new Uint8Array(size));
  yield readv(socket, [new Uint8Array(size), new Uint8Array(64)]);
  yield recvmsg(socket, new Uint8Array(size));
}

async function dropBuffers(random: Random): Promise<void> {
  await using uring = anyUring(random);
  using fds = new Fds();
  using directory = new TemporaryDirectory();
  const path = directory.file("ink", inked(65_536));
  using file = new Descriptor(await uring.submit(openat(path, O_RDONLY)));
  const canaries = new Canaries(random);
  const ledger = new Ledger();
  const flags = random.pick([0, IOSQE_ASYNC]);
  const writers: number[] = [];
  for (let count = 0; count < 12; count++) {
    const [here, there] = fds.pair(SOCK_DGRAM);
    writers.push(there);
    const op = random.pick([...receives(here, random)]);
    ledger.watch(uring.submit(op, { flags }));
    const size = Canaries.size(random);
    const reading = read(file.fd, new Uint8Array(size), { offset: 0 });
    ledger.watch(uring.submit(reading, { flags }));
    ledger.watch(uring.submit(statx(path), { flags }));
  }
  if (random.chance(0.5)) await turn();
  gc();
  canaries.add(6);
  await turn();
  gc();
  for (const there of writers) sendNow(there, inked(Canaries.size(random)));
  canaries.add(2);
  await ledger.balance();
  assertEquals(ledger.reasons, []);
  gc();
  canaries.check();
  await idle(uring);
}

torture("buffers that nobody holds", true, dropBuffers);

// --- transfers in flight

/** Gives a buffer to another owner, in one of the ways there are. */
async function transfer(
  buffer: ArrayBuffer,
  random: Random,
): Promise<ArrayBuffer> {
  switch (random.below(3)) {
    case 0:
      return buffer.transfer();
    case 1:
      return structuredClone(buffer, { transfer: [buffer] });
    default: {
      const { port1, port2 } = new MessageChannel();
      const arrived = new Promise<ArrayBuffer>((resolve) => {
        port2.onmessage = ({ data }) => resolve(data);
      });
      port1.postMessage(buffer, [buffer]);
      const owner = await arrived;
      port1.close();
      port2.close();
      return owner;
    }
  }
}

/** Of the caller's own buffer: the new owner gets the data, and the op tells of it. */
async function transferOwn(uring: Uring, random: Random): Promise<void> {
  using fds = new Fds();
  const [here, there] = fds.pair();
  const buffer = new Uint8Array(Canaries.size(random));
  const ledger = new Ledger();
  ledger.watch(uring.submit(recv(here, buffer)));
  await turn();
  const owner = await transfer(buffer.buffer, random);
  gc();
  sendNow(there, inked(64));
  await ledger.balance();
  assertEquals(ledger.fulfilled, []);
  assertInstanceOf(ledger.reasons[0], TypeError);
  assertEquals(new Uint8Array(owner, 0, 64), inked(64));
}

/** Of a leased buffer: the new owner may even be gone by then. */
async function transferLease(
  uring: Uring,
  pool: BufferPool,
  random: Random,
): Promise<void> {
  using fds = new Fds();
  const [here, there] = fds.pair();
  const ledger = new Ledger();
  {
    using lease = await pool.lease();
    const op = random.pick([lease.read(here), recv(here, lease.bytes)]);
    ledger.watch(uring.submit(op));
    await turn();
    await transfer(lease.bytes.buffer, random);
  }
  gc();
  const canaries = new Canaries(random);
  canaries.add(4);
  using other = await pool.lease();
  other.bytes.fill(1);
  sendNow(there, inked(random.between(1, other.bytes.length)));
  await ledger.balance();
  assertInstanceOf(ledger.reasons[0], TypeError);
  canaries.check();
  assert(other.bytes.every((byte) => byte === 1), "another's lease was hit");
}

async function transferReceived(
  uring: Uring,
  buffers: BufferRing,
  random: Random,
): Promise<void> {
  using fds = new Fds();
  const [here, there] = fds.pair();
  const op = buffers.leasing(recv(here, { bufferGroup: buffers.group }));
  for (let count = 0; count < 5; count++) {
    const data = inked(random.between(1, buffers.bufferSize)).fill(count);
    sendNow(there, data);
    using lease = await uring.submit(op);
    assertEquals(lease.bytes, data);
    if (random.chance(0.5)) await transfer(lease.bytes.buffer, random);
  }
}

torture("transfers in flight", linux("5.19"), async (random) => {
  await using uring = anyUring(random);
  using pool = new BufferPool(uring, {
    count: 2,
    size: random.pick([4096, 10_000]),
    register: random.chance(0.5),
  });
  using buffers = new BufferRing(uring, { entries: 2, bufferSize: 500 });
  await transferOwn(uring, random);
  await transferLease(uring, pool, random);
  await transferReceived(uring, buffers, random);
  assertEquals(pool.available, 2);
  await idle(uring);
});

// --- cancels

/** Reads that are cancelled at any time: every byte that was read was given, none twice. */
async function cancelReads(random: Random): Promise<void> {
  await using uring = anyUring(random);
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const ledger = new Ledger();
  const controllers: AbortController[] = [];
  let written = 0;
  const flags = random.pick([0, IOSQE_ASYNC]);
  for (let count = 0; count < 40; count++) {
    const controller = new AbortController();
    controllers.push(controller);
    const { signal } = controller;
    const buffer = new Uint8Array(Canaries.size(random));
    const time = random.pick([undefined, 0, 1, 3]);
    ledger.watch(
      uring.submit(read(reader, buffer), { signal, flags, timeout: time }),
    );
    if (random.chance(0.3)) {
      const length = random.between(1, 100);
      writeNow(writer, inked(length));
      written += length;
    }
    if (random.chance(0.3)) random.pick(controllers).abort(ABORTED);
    if (random.chance(0.2)) await random.pick([turn, () => sleep(1)])();
    if (random.chance(0.05)) gc();
  }
  for (const controller of controllers) {
    controller.abort(ABORTED);
    if (random.chance(0.1)) await turn();
  }
  await ledger.balance();
  for (const reason of ledger.reasons) {
    if (reason === ABORTED) continue;
    assertEquals((reason as { name?: string }).name, "TimeoutError");
  }
  const got = ledger.fulfilled.reduce<number>((sum, n) => sum + Number(n), 0);
  fds.close(writer);
  let left = 0;
  for (let more = 1; more > 0; left += more) {
    more = readNow(reader, 65_536).length;
  }
  assertEquals(got + left, written, "bytes were lost, or given twice");
  await idle(uring);
}
const ABORTED = new Error("aborted by the torture");

torture("cancels at any time", true, cancelReads);

// --- closes

/** Gives a `Uring` all sorts of things to do, most of which never end. */
function occupy(
  uring: Uring,
  random: Random,
  fds: Fds,
  ledger: Ledger,
): void {
  const [reader, writer] = fds.pipe();
  const [here, there] = fds.pair();
  const buffer = () => new Uint8Array(Canaries.size(random));
  for (let count = random.below(30); count > 0; count--) {
    switch (random.below(6)) {
      case 0:
        ledger.watch(uring.submit(nop()));
        break;
      case 1:
        ledger.watch(uring.submit(read(reader, buffer())));
        break;
      case 2:
        ledger.watch(uring.submit(timeout(60_000)));
        break;
      case 3:
        ledger.watch(uring.chain(recv(here, buffer()), nop()));
        break;
      case 4:
        ledger.watch(uring.submit(read(reader, buffer()), {
          flags: IOSQE_ASYNC,
          timeout: 60_000,
        }));
        break;
      default:
        writeNow(writer, inked(3));
        sendNow(there, inked(3));
    }
  }
}

/** Streams, pools, provided buffers and fixed files, with a `Uring` that closes under them. */
async function occupyMore(
  uring: Uring,
  fds: Fds,
  ledger: Ledger,
): Promise<() => void> {
  const [here, there] = fds.pair();
  const pool = new BufferPool(uring, { count: 2, size: 4096 });
  const lease = await pool.lease();
  const buffers = new BufferRing(uring, { entries: 4, bufferSize: 64 });
  const files = new FixedFiles(uring, { slots: 2 });
  const file = await files.add(here);
  ledger.watch(uring.submit(lease.read(file)));
  lease.release();
  sendNow(there, "some words for whoever receives");
  const op = recvMultishot(file, { bufferGroup: buffers.group });
  const loop = async () => {
    for await (using _lease of uring.stream(buffers.leasing(op))) await turn();
  };
  ledger.watch(loop());
  ledger.watch(pool.lease().then((lease) => lease.release()));
  ledger.watch(file.close());
  return () => {
    pool.close();
    buffers.close();
    ledger.watch(files.close());
  };
}

async function closeUnderway(random: Random): Promise<void> {
  using fds = new Fds();
  const ledger = new Ledger();
  const canaries = new Canaries(random);
  for (let count = 0; count < 8; count++) {
    const uring = anyUring(random);
    let closeRest = () => {};
    if (linux("6.0") && random.chance(0.3)) {
      closeRest = await occupyMore(uring, fds, ledger);
    }
    occupy(uring, random, fds, ledger);
    await random.pick([() => {}, turn, () => Promise.resolve()])();
    if (random.chance(0.5)) closeRest();
    const closed = uring.close();
    ledger.watch(closed);
    if (random.chance(0.3)) ledger.watch(uring.close());
    if (random.chance(0.3)) gc();
    await closed;
    canaries.add(1);
    assertEquals([uring.stats.inFlight, uring.stats.queued], [0, 0]);
    closeRest();
  }
  await ledger.balance();
  gc();
  canaries.check();
}

torture("rings closed in the middle of it", true, closeUnderway);

torture("rings by the hundred", true, async (random) => {
  for (let count = 0; count < 100; count++) {
    const ring = new Ring({ entries: random.pick([1, 8, 256]) });
    if (random.chance(0.5)) {
      ring.sqe();
      ring.submitAndWait(1);
    }
    ring.close();
    const uring = new Uring({ entries: 4 });
    const result = uring.submit(nop());
    if (random.chance(0.5)) await result;
    ring.close();
    const closed = uring.close();
    await Promise.allSettled([result, closed]);
  }
  gc();
});

// --- leases

/** Sends from leased buffers that are given back before the kernel has read them. */
async function sendLeased(
  uring: Uring,
  pool: BufferPool,
  socket: number,
  random: Random,
): Promise<void> {
  const lease = await pool.lease();
  const stamp = random.between(1, 255);
  const length = random.between(1, lease.bytes.length);
  lease.bytes.fill(stamp, 0, length);
  const sending = uring.submit(lease.write(socket, { length }), {
    flags: random.pick([0, IOSQE_ASYNC]),
  });
  lease.release();
  assertEquals(await sending, length);
}

/** Each datagram is of one stamp: a buffer lent too early would mix two. */
async function receiveStamped(
  uring: Uring,
  buffers: BufferRing,
  socket: number,
  count: number,
): Promise<void> {
  const op = buffers.leasing(recv(socket, { bufferGroup: buffers.group }));
  for (let at = 0; at < count; at++) {
    using lease = await uring.submit(op);
    const { bytes } = lease;
    assertGreater(bytes.length, 0);
    assert(bytes.every((byte) => byte === bytes[0]), "two stamps are mixed");
    if (at % 7 === 0) await turn();
    assert(bytes.every((byte) => byte === bytes[0]), "the kernel wrote again");
  }
}

torture("leases that end before their ops", linux("5.19"), async (random) => {
  await using uring = anyUring(random);
  using fds = new Fds();
  using pool = new BufferPool(uring, {
    count: random.between(1, 4),
    size: 2000,
    register: random.chance(0.5),
  });
  using buffers = new BufferRing(uring, { entries: 4, bufferSize: 2048 });
  await using files = new FixedFiles(uring, { slots: 2 });
  const ledger = new Ledger();
  for (let pair = 0; pair < 2; pair++) {
    const [here, there] = fds.pair(SOCK_DGRAM);
    ledger.watch(receiveStamped(uring, buffers, here, 30));
    const sending = async () => {
      for (let count = 0; count < 5; count++) {
        const batch = Array.from(
          { length: 6 },
          () => sendLeased(uring, pool, there, random),
        );
        await Promise.all(batch);
      }
    };
    ledger.watch(sending());
  }
  for (let count = 0; count < 10; count++) {
    await using file = await files.open("/proc/version", O_RDONLY);
    ledger.watch(uring.submit(read(file, new Uint8Array(5))));
    if (random.chance(0.2)) gc();
  }
  await ledger.balance();
  assertEquals(ledger.reasons, []);
  assertEquals([pool.available, buffers.leased], [pool.count, 0]);
  await idle(uring);
});
