import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import {
  addressOf,
  IOSQE_ASYNC,
  IOSQE_IO_LINK,
  isSystemError,
  Memory,
  O_APPEND,
  O_DIRECT,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  RWF_APPEND,
  RWF_DSYNC,
  RWF_NOWAIT,
  STATX_DIOALIGN,
} from "../../ffi/mod.ts";
import { fixedFile } from "../../ops/fd.ts";
import { release } from "../../ops/op.ts";
import { prepRead } from "../../ops/rw.ts";
import {
  provideBuffers,
  read,
  readFixed,
  readMultishot,
  readv,
  readvFixed,
  run,
  statx,
  write,
  writeFixed,
  writev,
  writevFixed,
} from "../../ops/mod.ts";
import type { Ring } from "../../ring/mod.ts";
import {
  failure,
  open,
  pattern,
  Pipe,
  TemporaryDirectory,
} from "../support/files.ts";
import { canReserve } from "../support/memory.ts";
import { collect, queue, runAll } from "../support/queue.ts";
import { eachRing } from "../support/rings.ts";
import { kernelSince } from "../support/sockets.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytesOf = (text: string) => new TextEncoder().encode(text);

eachRing("read, write: at offsets, the position stays", {
  needs: ["read", "write"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  const data = pattern(10_000);
  for (const flags of [0, IOSQE_ASYNC]) {
    const written = run(ring, write(file.fd, data, { offset: 5 }), { flags });
    assertEquals(written, 10_000);
    const back = new Uint8Array(10_000);
    const half = read(file.fd, back.subarray(0, 5000), { offset: 5n });
    assertEquals(run(ring, half, { flags }), 5000);
    const rest = read(file.fd, back.subarray(5000), { offset: 5005 });
    assertEquals(run(ring, rest, { flags }), 5000);
    assertEquals(back, data);
  }
  const start = new Uint8Array(6);
  assertEquals(run(ring, read(file.fd, start)), 6);
  assertEquals([...start], [0, 0, 0, 0, 0, data[0]]);
});

eachRing("read, write: without an offset at the position, which moves", {
  needs: ["read", "write"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  for (const flags of [0, IOSQE_ASYNC]) {
    assertEquals(run(ring, write(file.fd, bytesOf("abc")), { flags }), 3);
    assertEquals(run(ring, write(file.fd, bytesOf("def")), { flags }), 3);
  }
  using other = open(ring, directory.join("f"), O_RDONLY);
  const buffer = new Uint8Array(4);
  const op = read(other.fd, buffer);
  const seen = [];
  for (let n = run(ring, op); n > 0; n = run(ring, op)) {
    seen.push(text(buffer.subarray(0, n)));
  }
  assertEquals(seen, ["abcd", "efab", "cdef"]);
});

eachRing("read: a chain of reads goes on where the last one ended", {
  needs: ["read"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "0123456789"), O_RDONLY);
  const parts = [1, 2, 3].map((length) => new Uint8Array(length));
  const entries = parts.map((part, i) =>
    [read(file.fd, part), i < 2 ? IOSQE_IO_LINK : 0] as const
  );
  const results = runAll(ring, ...entries);
  assertEquals([...results.values()], [1, 2, 3]);
  assertEquals(parts.map(text), ["0", "12", "345"]);
});

eachRing("read: short at the end of the file, then nothing", {
  needs: ["read"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "short"), O_RDONLY);
  const buffer = new Uint8Array(100).fill(7);
  assertEquals(run(ring, read(file.fd, buffer, { offset: 1 })), 4);
  assertEquals(text(buffer.subarray(0, 4)), "hort");
  assertEquals(buffer[4], 7);
  assertEquals(run(ring, read(file.fd, buffer, { offset: 5 })), 0);
  assertEquals(run(ring, read(file.fd, buffer, { offset: 1e15 })), 0);
  assertEquals(run(ring, read(file.fd, new Uint8Array(0))), 0);
});

eachRing("read, write: beyond 4 GiB", { needs: ["read", "write"] }, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  const offset = 5n * 2n ** 30n + 1n;
  assertEquals(run(ring, write(file.fd, bytesOf("far"), { offset })), 3);
  const back = new Uint8Array(5);
  const before = Number(offset) - 1;
  assertEquals(run(ring, read(file.fd, back, { offset: before })), 4);
  assertEquals(text(back), "\0far\0");
  assertEquals(run(ring, statx(directory.join("f"))).sizeBigInt, offset + 3n);
});

eachRing("read, write: any view over memory that stays", {
  needs: ["read", "write"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "0123456789abcdef"), O_RDWR);
  const shared = new Uint8Array(new SharedArrayBuffer(8));
  assertEquals(run(ring, read(file.fd, shared, { offset: 0 })), 8);
  assertEquals(shared[7], "7".charCodeAt(0));
  const words = new BigUint64Array(2);
  assertEquals(run(ring, read(file.fd, words, { offset: 0 })), 16);
  const view = new DataView(words.buffer, 10, 3);
  assertEquals(run(ring, write(file.fd, view, { offset: 0 })), 3);
  using memory = new Memory(4096);
  assertEquals(run(ring, read(file.fd, memory.bytes, { offset: 0 })), 16);
  assertEquals(text(memory.bytes.subarray(0, 4)), "abc3");
});

eachRing("read: a buffer larger than one read can fill", {
  needs: ["read"],
  when: canReserve(5 * 2 ** 30),
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "small"), O_RDONLY);
  // Reserved, not touched: no memory is spent.
  using memory = new Memory(5 * 2 ** 30);
  assertEquals(run(ring, read(file.fd, memory.bytes)), 5);
  assertEquals(text(memory.bytes.subarray(0, 5)), "small");
  assertEquals(run(ring, readv(file.fd, [memory.bytes], { offset: 1 })), 4);
});

eachRing("an op is a value: run again and again, and at the same time", {
  needs: ["read"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "again"), O_RDONLY);
  const buffer = new Uint8Array(5);
  const one = read(file.fd, buffer, { offset: 0 });
  const many = readv(file.fd, [buffer], { offset: 0 });
  for (let i = 0; i < 100; i++) assertEquals(run(ring, many), 5);
  const results = runAll(ring, [one], [many], [one], [many], [many]);
  assertEquals([...results.values()], [5, 5, 5, 5, 5]);
  assertEquals(text(buffer), "again");
});

eachRing("readv, writev: several buffers, empty ones too", {
  needs: ["readv", "writev"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  const parts = ["one", "", "two", "three"].map(bytesOf);
  for (const flags of [0, IOSQE_ASYNC]) {
    const op = writev(file.fd, parts, { offset: 0 });
    assertEquals(run(ring, op, { flags }), 11);
    const back = [4, 0, 100].map((length) => new Uint8Array(length));
    const readBack = readv(file.fd, back, { offset: 0 });
    assertEquals(run(ring, readBack, { flags }), 11);
    assertEquals(back.map(text).join("").replaceAll("\0", ""), "onetwothree");
    assertEquals(text(back[0] as Uint8Array), "onet");
  }
  assertEquals(run(ring, writev(file.fd, [])), 0);
});

eachRing("readv, writev: as many buffers as there may be", {
  needs: ["readv", "writev"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  const data = pattern(1024 * 3);
  const cut = (bytes: Uint8Array) =>
    Array.from({ length: 1024 }, (_, i) => bytes.subarray(3 * i, 3 * i + 3));
  assertEquals(run(ring, writev(file.fd, cut(data), { offset: 0 })), 3072);
  const back = new Uint8Array(3072);
  assertEquals(run(ring, readv(file.fd, cut(back), { offset: 0 })), 3072);
  assertEquals(back, data);
});

eachRing("write: RWF_APPEND goes to the end, RWF_DSYNC is taken", {
  needs: ["write"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "start"), O_RDWR);
  const end = bytesOf("end");
  run(ring, write(file.fd, end, { offset: 0, flags: RWF_APPEND | RWF_DSYNC }));
  run(ring, writev(file.fd, [end], { offset: 0, flags: RWF_APPEND }));
  assertEquals(Deno.readTextFileSync(directory.join("f")), "startendend");
});

eachRing("write: a file opened with O_APPEND grows, whatever the offset", {
  needs: ["write"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "a"), O_WRONLY | O_APPEND);
  run(ring, write(file.fd, bytesOf("b"), { offset: 0 }));
  run(ring, write(file.fd, bytesOf("c")));
  assertEquals(Deno.readTextFileSync(directory.join("f")), "abc");
});

eachRing("read, write: errors name the op, the errno, and what to do", {
  needs: ["read", "write"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  const buffer = new Uint8Array(10);
  const badFd = failure("EBADF", () => run(ring, read(9999, buffer)));
  assertEquals([badFd.op, badFd.errno], ["read", 9]);
  using folder = open(ring, directory.path, O_RDONLY);
  const isDirectory = failure(
    "EISDIR",
    () => run(ring, read(folder.fd, buffer)),
  );
  assertInstanceOf(isDirectory, Deno.errors.IsADirectory);
  using input = open(ring, directory.file("f"), O_RDONLY);
  failure("EBADF", () => run(ring, write(input.fd, buffer)));
  using full = open(ring, "/dev/full", O_WRONLY);
  failure("ENOSPC", () => run(ring, write(full.fd, buffer)));
  const unknown = read(input.fd, buffer, { flags: 0x4000_0000 });
  const { message } = failure("EOPNOTSUPP", () => run(ring, unknown));
  assert(message.includes("RWF_"), message);
});

eachRing("read: an address that is not mapped is EFAULT, no crash", {
  needs: ["read"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "data"), O_RDONLY);
  const sqe = ring.sqe();
  assert(sqe !== null);
  prepRead(sqe, file.fd, 4096, 4, 0);
  assertEquals(collect(ring, 1)[0]?.res, -14);
});

eachRing("write: into a pipe that nobody reads is EPIPE", {
  needs: ["write"],
}, (ring) => {
  using pipe = new Pipe();
  pipe.closeReader();
  const op = write(pipe.writer, new Uint8Array(1));
  const error = failure("EPIPE", () => run(ring, op));
  assertInstanceOf(error, Deno.errors.BrokenPipe);
});

eachRing("read: O_DIRECT, aligned and not", { needs: ["read"] }, (ring) => {
  using directory = new TemporaryDirectory();
  const data = pattern(16384);
  const path = directory.file("f", data);
  const { dioOffsetAlign } = run(ring, statx(path, { mask: STATX_DIOALIGN }));
  using memory = new Memory(16384);
  let fd: ReturnType<typeof open>;
  try {
    fd = open(ring, path, O_RDONLY | O_DIRECT);
  } catch (error) {
    // tmpfs before 6.6 and others have no O_DIRECT.
    assert(isSystemError(error) && error.code === "EINVAL");
    assertEquals(dioOffsetAlign, 0);
    return;
  }
  using file = fd;
  assertEquals(run(ring, read(file.fd, memory.bytes, { offset: 0 })), 16384);
  assertEquals(memory.bytes, data);
  if (dioOffsetAlign <= 1) return;
  const odd = read(file.fd, memory.bytes, { offset: 1 });
  const { message } = failure("EINVAL", () => run(ring, odd));
  assert(message.includes("dioMemAlign"), message);
});

eachRing("read: waits for a pipe, and gives what came", {
  needs: ["read", "write"],
}, (ring) => {
  using pipe = new Pipe();
  const buffer = new Uint8Array(100);
  const held = queue(ring, read(pipe.reader, buffer), 1);
  ring.submit();
  const other = queue(ring, write(pipe.writer, bytesOf("later")), 2);
  const results = new Map(collect(ring, 2).map(({ tag, res }) => [tag, res]));
  assertEquals([results.get(1), results.get(2)], [5, 5]);
  assertEquals(text(buffer.subarray(0, 5)), "later");
  release(held);
  release(other);
});

eachRing("read: RWF_NOWAIT of an empty pipe is EAGAIN; the end is 0", {
  needs: ["read"],
  // Older pipes take no RWF_NOWAIT: EOPNOTSUPP.
  when: kernelSince(6, 4),
}, (ring) => {
  using pipe = new Pipe();
  const op = read(pipe.reader, new Uint8Array(10), { flags: RWF_NOWAIT });
  const error = failure("EAGAIN", () => run(ring, op));
  assertInstanceOf(error, Deno.errors.WouldBlock);
  pipe.closeWriter();
  assertEquals(run(ring, op), 0);
});

eachRing("read: a buffer transferred away in flight is noticed", {
  needs: ["read", "write"],
}, (ring) => {
  using pipe = new Pipe();
  // The pages must stay where they are: the kernel writes to them yet.
  using memory = new Memory(4096);
  const buffer = memory.bytes.subarray(0, 8);
  const op = read(pipe.reader, buffer);
  const held = queue(ring, op, 1);
  ring.submit();
  const taken = memory.bytes.buffer.transfer();
  const other = queue(ring, write(pipe.writer, bytesOf("x")), 2);
  const seen = collect(ring, 2).find(({ tag }) => tag === 1);
  assert(seen !== undefined);
  assertThrows(() => op.finish(seen, held), TypeError, "transferred away");
  assertEquals(new Uint8Array(taken)[0], "x".charCodeAt(0));
  release(held);
  release(other);
});

/** Runs a body with a registered buffer at index 1. */
function withBuffer(
  ring: Ring,
  body: (bytes: Uint8Array<ArrayBuffer>) => void,
): void {
  using memory = new Memory(16384);
  using other = new Memory(4096);
  ring.buffers.register([other.bytes, memory.bytes]);
  try {
    body(memory.bytes);
  } finally {
    ring.buffers.unregister();
  }
}

eachRing("readFixed, writeFixed: parts of a registered buffer", {
  needs: ["readFixed", "writeFixed"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  withBuffer(ring, (bytes) => {
    const data = pattern(16384);
    bytes.set(data);
    for (const flags of [0, IOSQE_ASYNC]) {
      const whole = writeFixed(file.fd, bytes, 1, { offset: 0 });
      assertEquals(run(ring, whole, { flags }), 16384);
    }
    bytes.fill(0);
    const part = bytes.subarray(1000, 2001);
    const op = readFixed(file.fd, part, 1, { offset: 3 });
    assertEquals(run(ring, op), 1001);
    assertEquals(part, data.subarray(3, 1004));
    assertEquals([bytes[999], bytes[2001]], [0, 0]);
  });
});

eachRing("readFixed: outside of the registered buffer is EFAULT", {
  needs: ["readFixed"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "data"), O_RDONLY);
  const outside = new Uint8Array(4);
  const none = readFixed(file.fd, outside, 0);
  assert(
    failure("EFAULT", () => run(ring, none)).message.includes("buffer 0"),
  );
  withBuffer(ring, (bytes) => {
    failure("EFAULT", () => run(ring, readFixed(file.fd, outside, 1)));
    failure("EFAULT", () => run(ring, readFixed(file.fd, bytes, 0)));
    failure("EFAULT", () => run(ring, readFixed(file.fd, bytes, 2)));
  });
});

eachRing("readvFixed, writevFixed: several parts of a registered buffer", {
  needs: ["readvFixed", "writevFixed"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  withBuffer(ring, (bytes) => {
    bytes.set(pattern(16384));
    const parts = [bytes.subarray(5000, 5100), bytes.subarray(0, 10)];
    const out = writevFixed(file.fd, parts, 1, { offset: 0 });
    assertEquals(run(ring, out), 110);
    const back = [bytes.subarray(8000, 8010), bytes.subarray(9000, 9100)];
    const op = readvFixed(file.fd, back, 1, { offset: 0 });
    assertEquals(run(ring, op), 110);
    assertEquals(back[0], bytes.subarray(5000, 5010));
    assertEquals(back[1]?.subarray(90), bytes.subarray(0, 10));
    const outside = [new Uint8Array(5)];
    failure("EFAULT", () => run(ring, readvFixed(file.fd, outside, 1)));
  });
});

eachRing("read, write: registered files", {
  needs: ["read", "write"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f"), O_RDWR);
  ring.files.register([-1, file.fd]);
  const there = fixedFile(1);
  assertEquals(run(ring, write(there, bytesOf("fixed"), { offset: 0 })), 5);
  const buffer = new Uint8Array(5);
  assertEquals(run(ring, readv(there, [buffer], { offset: 0 })), 5);
  assertEquals(text(buffer), "fixed");
  failure("EBADF", () => run(ring, read(fixedFile(0), buffer)));
  failure("EBADF", () => run(ring, read(fixedFile(2), buffer)));
  ring.files.unregister();
});

eachRing("read: into a provided buffer of the kernel's choice", {
  needs: ["read", "provideBuffers"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using file = open(ring, directory.file("f", "0123456789"), O_RDONLY);
  using memory = new Memory(4096);
  const bytes = memory.bytes.subarray(0, 24);
  run(ring, provideBuffers(bytes, 8, 4, { firstId: 100 }));
  const op = read(file.fd, { bufferGroup: 4, length: 6, offset: 1 });
  const seen = [run(ring, op), run(ring, op, { flags: IOSQE_ASYNC })];
  for (const { length, bufferId, more } of seen) {
    assertEquals([length, more], [6, false]);
    const from = (bufferId - 100) * 8;
    assertEquals(text(bytes.subarray(from, from + 6)), "123456");
  }
  const ids = new Set(seen.map(({ bufferId }) => bufferId));
  assertEquals(ids.size, 2);
  run(ring, op);
  const empty = failure("ENOBUFS", () => run(ring, op));
  assert(empty.message.includes("Group 4"), empty.message);
});

eachRing("readMultishot: a pipe into provided buffers, until there are none", {
  needs: ["readMultishot", "provideBuffers"],
}, (ring) => {
  using pipe = new Pipe();
  using memory = new Memory(4096);
  run(
    ring,
    provideBuffers(memory.bytes.subarray(0, 32), 16, 3, { firstId: 10 }),
  );
  const op = readMultishot(pipe.reader, { bufferGroup: 3 });
  assertThrows(() => run(ring, op), TypeError, "multishot");
  const held = queue(ring, op, 1);
  ring.submit();
  const got = [];
  for (const word of ["first", "second", "third"]) {
    const sent = queue(ring, write(pipe.writer, bytesOf(word)), 2);
    const seen = collect(ring, 2).find(({ tag }) => tag === 1);
    assert(seen !== undefined);
    release(sent);
    if (seen.res < 0) {
      const error = op.error(seen);
      assertEquals([error.code, seen.more], ["ENOBUFS", false]);
      assert(error.message.includes("Group 3"), error.message);
      break;
    }
    const { length, bufferId, more } = op.finish(seen, held);
    assert(more);
    const from = (bufferId - 10) * 16;
    got.push(text(memory.bytes.subarray(from, from + length)));
  }
  assertEquals(got, ["first", "second"]);
});

eachRing("readMultishot: ends with the pipe; a regular file is EBADFD", {
  needs: ["readMultishot", "provideBuffers"],
}, (ring) => {
  using directory = new TemporaryDirectory();
  using memory = new Memory(4096);
  run(ring, provideBuffers(memory.bytes, 1024, 5));
  using pipe = new Pipe();
  pipe.closeWriter();
  const op = readMultishot(pipe.reader, { bufferGroup: 5 });
  queue(ring, op, 1);
  const [end] = collect(ring, 1);
  assert(end !== undefined);
  const { length, more } = op.finish(end, undefined);
  assertEquals([length, more, op.ends(end)], [0, false, true]);
  using file = open(ring, directory.file("f", "data"), O_RDONLY);
  const regular = readMultishot(file.fd, { bufferGroup: 5 });
  queue(ring, regular, 2);
  const [refused] = collect(ring, 1);
  assert(refused !== undefined);
  assertEquals(refused.res, -77);
  assert(regular.error(refused).message.includes("polled"));
});

Deno.test("addressOf: what the kernel reads is where the view is", () => {
  using memory = new Memory(4096);
  assertEquals(addressOf(memory.bytes.subarray(7)), memory.address + 7);
});
