/** `FixedFiles`: files without descriptors; slots, closing, the end of the table. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import { EINVAL } from "../../ffi/linux.ts";
import {
  AF_UNIX,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  SOCK_STREAM,
  systemError,
} from "../../ffi/mod.ts";
import {
  acceptDirect,
  acceptMultishotDirect,
  close,
  closeDirect,
  fixedFile,
  fsync,
  nop,
  opcodes,
  openatDirect,
  read,
  recv,
  send,
  splice,
  write,
} from "../../ops/mod.ts";
import {
  DirectFile,
  FixedFiles,
  type FixedFilesOptions,
  type OpenFixedOptions,
  type Uring,
} from "../../proactor/mod.ts";
import { linux } from "../kernel/registration/support.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { Fds, readNow, writeNow } from "../support/sockets.ts";
import { bytes, eachKind, stateOf, turn, until } from "./support.ts";

// Allocation by the kernel, and sparse tables.
const when = linux("5.19");
const ranges = linux("6.0");
const install = opcodes.fixedFdInstall.supported();

async function textOf(
  uring: Uring,
  file: Parameters<typeof read>[0],
): Promise<string> {
  const buffer = new Uint8Array(64);
  const count = await uring.submit(read(file, buffer, { offset: 0 }));
  return new TextDecoder().decode(buffer.subarray(0, count));
}

/** Whether the process has a descriptor of a file. */
function isOpen(path: string): boolean {
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`) === path) return true;
    } catch (error) {
      // The descriptor that the directory itself was read with.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return false;
}

// --- files

eachKind("files are opened, used and closed without a descriptor", {
  when,
}, async (uring) => {
  using directory = new TemporaryDirectory();
  await using files = new FixedFiles(uring, { slots: 4 });
  const path = directory.join("file");
  const file = await files.open(path, O_RDWR | O_CREAT, { mode: 0o640 });
  assert(file instanceof DirectFile);
  assertEquals([files.size, file.closed, isOpen(path)], [1, false, false]);
  assertEquals(await uring.submit(write(file, bytes("content"))), 7);
  await uring.submit(fsync(file));
  assertEquals(await textOf(uring, file), "content");
  await file.close();
  assertEquals([files.size, file.closed], [0, true]);
  assertEquals(Deno.readTextFileSync(path), "content");
  assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o640);
});

eachKind("slots are used again, and run out", { when }, async (uring) => {
  using directory = new TemporaryDirectory();
  const paths = ["a", "b", "c"].map((name) => directory.file(name, name));
  await using files = new FixedFiles(uring, { slots: 3 });
  for (let round = 0; round < 5; round++) {
    const open = await Promise.all(
      paths.map((path) => files.open(path, O_RDONLY)),
    );
    assertEquals(open.map(({ index }) => index).sort(), [0, 1, 2]);
    const texts = open.map((file) => textOf(uring, file));
    assertEquals(await Promise.all(texts), ["a", "b", "c"]);
    const error = await assertRejects(
      () => files.open(paths[0] ?? "", O_RDONLY),
      Error,
      "ENFILE",
    );
    assert(error.message.includes("close a file"));
    await Promise.all(open.map((file) => file.close()));
  }
  assertEquals(files.size, 0);
});

eachKind("what cannot be opened takes no slot", { when }, async (uring) => {
  using directory = new TemporaryDirectory();
  await using files = new FixedFiles(uring, { slots: 1 });
  for (let round = 0; round < 3; round++) {
    await assertRejects(
      () => files.open(directory.join("nothing"), O_RDONLY),
      Deno.errors.NotFound,
      directory.join("nothing"),
    );
  }
  const signal = AbortSignal.abort(new Error("never mind"));
  await assertRejects(
    () => files.open("/proc/version", O_RDONLY, { signal }),
    Error,
    "never mind",
  );
  await using file = await files.open("/proc/version", O_RDONLY);
  assertEquals((await textOf(uring, file)).slice(0, 5), "Linux");
});

eachKind("a file is installed as a descriptor", { when: install }, async (
  uring,
) => {
  using directory = new TemporaryDirectory();
  await using files = new FixedFiles(uring, { slots: 1 });
  const path = directory.file("file", "content");
  const file = await files.open(path, O_RDONLY);
  const fd = await file.install();
  const inherited = await file.install({ cloexec: false });
  assertEquals(Deno.readLinkSync(`/proc/self/fd/${fd}`), path);
  const flags = (fd: number) =>
    Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`).match(/flags:\s*0*(\d+)/);
  assertEquals(Number.parseInt(flags(fd)?.[1] ?? "", 8) & 0o2000000, 0o2000000);
  assertEquals(Number.parseInt(flags(inherited)?.[1] ?? "", 8) & 0o2000000, 0);
  await file.close();
  // The descriptor is a file of its own.
  assertEquals(await textOf(uring, fd), "content");
  await uring.submit(close(fd));
  await uring.submit(close(inherited));
  await assertRejects(() => file.install(), TypeError, "is closed");
});

eachKind("descriptors are put into the table", { when }, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  await using files = new FixedFiles(uring, { slots: 1 });
  const file = await files.add(writer);
  fds.close(writer);
  await uring.submit(write(file, bytes("through")));
  assertEquals(readNow(reader, 64), bytes("through"));
  await assertRejects(() => files.add(reader), Error, "ENFILE");
  await assertRejects(() => files.add(-1), RangeError);
  await file.close();
  assertEquals(readNow(reader, 64).length, 0, "the pipe is still open");
});

eachKind("files of other ops are looked after", { when }, async (uring) => {
  using fds = new Fds();
  const listener = fds.listener(1, { path: `\0uring-fixed-${Deno.pid}` });
  await using files = new FixedFiles(uring, { slots: 2 });
  const accepting = uring.submit(acceptDirect(listener, 0xffff_ffff));
  const client = fds.connected(1, 1, { path: `\0uring-fixed-${Deno.pid}` });
  const socket = files.adopt((await accepting).file);
  assertThrows(() => files.adopt(fixedFile(socket.index)), RangeError);
  await uring.submit(send(socket, bytes("hello")));
  assertEquals(readNow(client, 64), bytes("hello"));
  await socket.close();
  assertEquals(readNow(client, 64).length, 0, "the socket is still open");
});

eachKind("what a stream has of a table that is gone is nothing in the next", {
  when,
}, async (uring) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("file", "content");
  using fds = new Fds();
  const address = { path: `\0uring-gone-${Deno.pid}` };
  const listener = fds.listener(AF_UNIX, address);
  const old = new FixedFiles(uring, { slots: 4 });
  const connections = uring.stream(acceptMultishotDirect(listener));
  const next = connections.next();
  for (let i = 0; i < 3; i++) fds.connected(AF_UNIX, SOCK_STREAM, address);
  assertEquals((await next).value, fixedFile(0));
  await old.close();
  await using files = new FixedFiles(uring, { slots: 4 });
  const open = await Promise.all(
    Array.from({ length: 4 }, () => files.open(path, O_RDONLY)),
  );
  await connections.return?.();
  for (const file of open) assertEquals(await textOf(uring, file), "content");
});

eachKind("some slots are the caller's to choose", { when: ranges }, async (
  uring,
) => {
  using directory = new TemporaryDirectory();
  const path = directory.file("file", "content");
  const range = { offset: 2, length: 2 };
  await using files = new FixedFiles(uring, { slots: 5, range });
  const open = (slot?: number) =>
    files.open(path, O_RDONLY, slot === undefined ? {} : { slot });
  const chosen = await open(1);
  assertEquals(chosen.index, 1);
  assertEquals([(await open()).index, (await open()).index], [2, 3]);
  await assertRejects(() => open(), Error, "ENFILE");
  await assertRejects(() => open(1), RangeError, "slot 1 has a file");
  await assertRejects(() => open(2), RangeError, "the kernel chooses from");
  assertEquals((await open(4)).index, 4);
  await assertRejects(() => open(5), RangeError, "0 to 4");
  const [first, second] = await Promise.allSettled([open(0), open(0)]);
  assertEquals(first?.status, "fulfilled");
  assertEquals(second?.status, "rejected");
  await assertRejects(
    () => files.open("/nothing/here", O_RDONLY, { slot: 1 }),
    RangeError,
  );
  const closing = chosen.close();
  await assertRejects(() => open(1), RangeError, "slot 1 has a file");
  await closing;
  await assertRejects(
    () => files.open("/nothing/here", O_RDONLY, { slot: 1 }),
    Deno.errors.NotFound,
  );
  assertEquals((await open(1)).index, 1);
});

// --- closing

eachKind("a file is closed once, and is nobody's afterwards", { when }, async (
  uring,
) => {
  using directory = new TemporaryDirectory();
  await using files = new FixedFiles(uring, { slots: 1 });
  const first = await files.open(directory.file("1", "first"), O_RDONLY);
  const stale = read(first, new Uint8Array(8));
  await Promise.all([first.close(), first.close()]);
  const second = await files.open(directory.file("2", "second"), O_RDONLY);
  await first.close();
  await first[Symbol.asyncDispose]();
  assertEquals(await textOf(uring, second), "second");
  await assertRejects(() => uring.submit(stale), TypeError, "0 is closed");
  await assertRejects(
    () => uring.chain(nop(), stale),
    TypeError,
    "0 is closed",
  );
  assertThrows(() => first.index, TypeError, "0 is closed");
});

eachKind("a slot is the next file's as soon as it is free", {
  when,
  only: ["best"],
}, async (uring) => {
  await using files = new FixedFiles(uring, { slots: 1 });
  const first = await files.open("/proc/version", O_RDONLY);
  const closing = first.close();
  const second = await files.open("/proc/version", O_RDONLY);
  await closing;
  assertEquals([files.size, second.index], [1, 0]);
  assertThrows(() => files.adopt(fixedFile(0)), RangeError, "already");
});

eachKind("a file is closed when no op on it is in flight", { when }, async (
  uring,
) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const [silent] = fds.pipe();
  await using files = new FixedFiles(uring, { slots: 2 });
  const file = await files.add(reader);
  const other = await files.add(silent);
  const buffer = new Uint8Array(8);
  const reading = uring.submit(read(file, buffer));
  const elsewhere = uring.submit(read(other, new Uint8Array(1)), {
    signal: AbortSignal.timeout(60_000),
  });
  await turn();
  const closing = file.close();
  await turn();
  assertEquals([await stateOf(closing), file.closed], ["waiting", true]);
  writeNow(writer, bytes("late"));
  assertEquals(await reading, 4);
  await closing;
  assertEquals(await stateOf(elsewhere), "waiting");
  await files.close();
  await assertRejects(() => elsewhere, Error, "FixedFiles");
});

eachKind("ops that wait for their turn, and chains, count too", {
  when,
  entries: 2,
  cqEntries: 4,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  const [slow, push] = fds.pipe();
  const [third, feed] = fds.pipe();
  await using files = new FixedFiles(uring, { slots: 3 });
  const file = await files.add(reader);
  const before = await files.add(slow);
  const late = await files.add(third);
  const first = new Uint8Array(4);
  const second = new Uint8Array(4);
  // The second read of the chain finds its file only when the first one is done.
  const chain = uring.chain(read(before, first), read(file, second));
  const more = Array.from(
    { length: 3 },
    () => uring.submit(read(slow, new Uint8Array(4))),
  );
  const rest = new Uint8Array(4);
  const last = uring.submit(read(file, rest));
  const queued = uring.submit(read(late, new Uint8Array(4)));
  const closing = file.close();
  const closingLate = late.close();
  writeNow(writer, bytes("12345678"));
  writeNow(feed, bytes("late"));
  await turn();
  assertEquals(await stateOf(closing), "waiting");
  assertEquals(await stateOf(closingLate), "waiting");
  writeNow(push, bytes("abcd".repeat(4)));
  assertEquals(await chain, [4, 4]);
  await Promise.all(more);
  assertEquals(await last, 4);
  const texts = [second, rest].map((four) => new TextDecoder().decode(four));
  assertEquals(texts.sort(), ["1234", "5678"]);
  await closing;
  assertEquals(await queued, 4);
  await closingLate;
});

eachKind("both files of a splice count", {
  when: when && opcodes.splice.supported(),
}, async (uring) => {
  using fds = new Fds();
  const [from, writer] = fds.pipe();
  const [reader, to] = fds.pipe();
  await using files = new FixedFiles(uring, { slots: 2 });
  const input = await files.add(from);
  const output = await files.add(to);
  const splicing = uring.submit(splice(input, output, 8));
  await until(() => uring.stats.inFlight === 1, "it is in flight");
  const closing = [input.close(), output.close()];
  await turn();
  for (const close of closing) assertEquals(await stateOf(close), "waiting");
  writeNow(writer, bytes("spliced!"));
  assertEquals(await splicing, 8);
  await Promise.all(closing);
  assertEquals(readNow(reader, 8), bytes("spliced!"));
});

eachKind("a file whose buffer was transferred away is waited for", {
  when,
}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();
  await using files = new FixedFiles(uring, { slots: 1 });
  const file = await files.add(reader);
  const buffer = new Uint8Array(8);
  const reading = uring.submit(read(file, buffer));
  await turn();
  const kept = buffer.buffer.transfer();
  const closing = file.close();
  await turn();
  assertEquals(await stateOf(closing), "waiting");
  writeNow(writer, bytes("late"));
  await assertRejects(() => reading, TypeError, "transferred away");
  await closing;
  assertEquals(new Uint8Array(kept, 0, 4), bytes("late"));
});

// --- the table

eachKind("a table that closes cancels what is in flight on its files", {
  when: when && linux("6.0"),
}, async (uring) => {
  using fds = new Fds();
  const [here, there] = fds.pair();
  const [reader] = fds.pipe();
  const files = new FixedFiles(uring, { slots: 4 });
  const socket = await files.add(here);
  fds.close(here);
  const receiving = uring.submit(recv(socket, new Uint8Array(8)));
  const elsewhere = uring.submit(read(reader, new Uint8Array(8)), {
    signal: AbortSignal.timeout(60_000),
  });
  await turn();
  const closing = files.close();
  const closingFile = socket.close();
  assertEquals(files.close(), closing);
  await assertRejects(
    () => receiving,
    Error,
    "The FixedFiles that its file is in was closed.",
  );
  await closing;
  await closingFile;
  assertEquals(readNow(there, 1).length, 0, "the socket is still open");
  assertEquals(await stateOf(elsewhere), "waiting");
  await assertRejects(() => files.open("/", 0), TypeError, "is closed");
  await assertRejects(() => files.add(0), TypeError, "is closed");
  assertThrows(() => files.adopt(fixedFile(0)), TypeError, "is closed");
  assertThrows(() => socket.index, TypeError, "is closed");
  // There is room for another table.
  await using again = new FixedFiles(uring, { slots: 1 });
  await using file = await again.open("/proc/version", O_RDONLY);
  assertEquals(file.index, 0);
  void elsewhere.catch(() => {});
});

eachKind("a file on its way into a table that closes is let go of", {
  when,
}, async (uring) => {
  for (let round = 0; round < 10; round++) {
    const files = new FixedFiles(uring, { slots: 4 });
    const opening = files.open("/proc/version", O_RDONLY);
    const closing = round % 2 === 0
      ? files.close()
      : Promise.resolve().then(() => files.close());
    await assertRejects(() => opening, Error, "closed");
    await closing;
  }
});

eachKind("a file that is added while the table is closed goes with it", {
  when,
}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  for (let round = 0; round < 20; round++) {
    const files = new FixedFiles(uring, { slots: 4 });
    const adding = files.add(reader);
    const closing = files.close();
    await assertRejects(() => adding, Error, "closed");
    await closing;
  }
});

eachKind("files of a table that is closed are closed", { when }, async (
  uring,
) => {
  const files = new FixedFiles(uring, { slots: 2 });
  const file = await files.open("/proc/version", O_RDONLY);
  assertEquals([files.size, file.closed], [1, false]);
  await files.close();
  assertEquals([files.size, file.closed], [0, true]);
  assertThrows(() => file.index, TypeError, "0 is closed");
  await file.close();
});

eachKind("a range that the kernel refuses leaves no table behind", {
  when: ranges,
  only: ["best"],
}, async (uring) => {
  {
    using _range = stub(uring.ring.files, "allocRange", () => {
      throw systemError(EINVAL, "io_uring_register_file_alloc_range");
    });
    const range = { offset: 0, length: 1 };
    assertThrows(
      () => new FixedFiles(uring, { slots: 2, range }),
      Error,
      "EINVAL",
    );
  }
  await using files = new FixedFiles(uring, { slots: 2 });
  assertEquals(files.size, 0);
});

eachKind("a table that closes leaves its reason to who has cancelled before", {
  when: when && linux("6.0"),
}, async (uring) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const files = new FixedFiles(uring, { slots: 1 });
  const file = await files.add(reader);
  const controller = new AbortController();
  const { signal } = controller;
  const reading = uring.submit(read(file, new Uint8Array(1)), { signal });
  await turn();
  controller.abort(new Error("mine"));
  const closing = files.close();
  await assertRejects(() => reading, Error, "mine");
  await closing;
});

eachKind("a file that waits to be closed goes with its Uring", {
  when,
  entries: 2,
  cqEntries: 4,
}, async (uring) => {
  using fds = new Fds();
  const [silent] = fds.pipe();
  const files = new FixedFiles(uring, { slots: 1 });
  const file = await files.open("/proc/version", O_RDONLY);
  const blocked = Array.from(
    { length: 4 },
    () => uring.submit(read(silent, new Uint8Array(1))),
  );
  await until(() => uring.stats.inFlight === 4, "the ring is full");
  const closing = file.close();
  assertEquals(uring.stats.queued, 1);
  const closed = uring.close();
  await Promise.allSettled(blocked);
  await closing;
  await closed;
});

eachKind("a table outlives its Uring", { when, only: ["best"] }, async (
  uring,
) => {
  using fds = new Fds();
  const [reader] = fds.pipe();
  const files = new FixedFiles(uring, { slots: 2 });
  const file = await files.add(reader);
  const reading = uring.submit(read(file, new Uint8Array(1)));
  const ended = reading.then(() => "read", () => "failed");
  const closing = file.close();
  await uring.close();
  await closing;
  assertEquals(await ended, "failed");
  const other = files.close();
  await other;
  await assertRejects(() => files.open("/", 0), TypeError, "is closed");
});

eachKind("wrong use is told", { when, only: ["best"] }, async (uring) => {
  const make = (options: unknown) => () =>
    new FixedFiles(uring, options as FixedFilesOptions);
  assertThrows(
    () => new FixedFiles({} as Uring, { slots: 1 }),
    TypeError,
    "uring must be a Uring",
  );
  assertThrows(make(null), TypeError, "options must be an object");
  assertThrows(make({}), TypeError, "slots");
  assertThrows(make({ slots: 0 }), RangeError, "slots");
  assertThrows(make({ slots: 2 ** 20 + 1 }), RangeError, "slots");
  assertThrows(make({ slots: 4, range: 3 }), TypeError, "range");
  const ranged = (offset: number, length: number) =>
    make({ slots: 4, range: { offset, length } });
  assertThrows(ranged(4, 1), RangeError, "range.offset");
  assertThrows(ranged(0, 5), RangeError, "range.length");
  assertThrows(ranged(3, 2), RangeError, "range.length");
  await using files = new FixedFiles(uring, { slots: 2 });
  assertThrows(make({ slots: 1 }), Error, "EBUSY");
  await assertRejects(
    () => files.open("/", 0o2000000),
    RangeError,
    "O_CLOEXEC",
  );
  await assertRejects(() => files.open("/\0", 0), TypeError, "NUL");
  await assertRejects(
    () => files.open("/", 0, null as unknown as OpenFixedOptions),
    TypeError,
    "options must be an object",
  );
  await assertRejects(
    () => files.open("/", 0, { slot: 0 }),
    RangeError,
    "Make the FixedFiles with a range",
  );
  assertThrows(() => files.adopt(fixedFile(2)), RangeError, "0 to 1");
  assertThrows(
    () => files.adopt(1 as unknown as ReturnType<typeof fixedFile>),
    TypeError,
    "must be a FixedFile",
  );
  // Not by this table's knowledge: a raw slot is its user's business.
  await uring.submit(openatDirect("/proc/version", O_RDONLY, 1));
  await uring.submit(closeDirect(1));
  assertEquals(files.size, 0);
  assertFalse(uring.stats.inFlight > 0);
  assertNotEquals(files.slots, 0);
});
