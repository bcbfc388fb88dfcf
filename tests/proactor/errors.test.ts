/** What `Uring` rejects with: classes, fields, stacks; and what wrong use says. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { constants } from "node:os";
import {
  errnoName,
  IORING_OP_NOP128,
  IOSQE_IO_LINK,
  isSystemError,
  UringError,
} from "../../ffi/mod.ts";
import {
  close,
  nop,
  nop128,
  Op,
  opcodes,
  openat,
  pollMultishot,
  prepRead,
  read,
  renameat,
  timeout,
  unlinkat,
  write,
} from "../../ops/mod.ts";
import {
  type SubmitOptions,
  TimeoutError,
  Uring,
  type UringOptions,
} from "../../proactor/mod.ts";
import type { Sqe } from "../../ring/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { Fds, kernelSince, writeNow } from "../support/sockets.ts";
import { eachKind, idle, stateOf, turn } from "./support.ts";

/** What a promise rejects with. */
async function errorOf(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    (value) => new Error(`It gave ${value}.`),
    (error) => error,
  );
  assertInstanceOf(error, Error);
  return error;
}

// --- classes and fields

const classes: Record<string, new () => Error> = {
  ENOENT: Deno.errors.NotFound,
  EACCES: Deno.errors.PermissionDenied,
  EPERM: Deno.errors.PermissionDenied,
  EEXIST: Deno.errors.AlreadyExists,
  ECONNREFUSED: Deno.errors.ConnectionRefused,
  ECONNRESET: Deno.errors.ConnectionReset,
  ECONNABORTED: Deno.errors.ConnectionAborted,
  ENOTCONN: Deno.errors.NotConnected,
  EADDRINUSE: Deno.errors.AddrInUse,
  EADDRNOTAVAIL: Deno.errors.AddrNotAvailable,
  EPIPE: Deno.errors.BrokenPipe,
  ETIMEDOUT: Deno.errors.TimedOut,
  EINTR: Deno.errors.Interrupted,
  EAGAIN: Deno.errors.WouldBlock,
  ELOOP: Deno.errors.FilesystemLoop,
  EISDIR: Deno.errors.IsADirectory,
  ENOTDIR: Deno.errors.NotADirectory,
  ENETUNREACH: Deno.errors.NetworkUnreachable,
  EBUSY: Deno.errors.Busy,
};

eachKind(
  "every errno is an error of Deno's class, or a UringError, with its fields",
  {
    when: kernelSince(6, 10),
  },
  async (uring) => {
    for (let errno = 1; errno <= 133; errno++) {
      const error = await errorOf(uring.submit(nop({ result: -errno })));
      const code = errnoName(errno);
      assertInstanceOf(error, classes[code] ?? UringError, code);
      assert(isSystemError(error), code);
      assertEquals([error.code, error.errno, error.op], [code, errno, "nop"]);
      assertStringIncludes(error.message, `(${code})`);
      assertFalse("path" in error);
    }
    for (const [code, errno] of Object.entries(constants.errno)) {
      const error = await errorOf(uring.submit(nop({ result: -errno })));
      assert(isSystemError(error));
      assertEquals(error.errno, errno, code);
    }
  },
);

eachKind("errors of files are Deno's, and name the path", {}, async (uring) => {
  using directory = new TemporaryDirectory();
  const file = directory.file("file");
  const nope = directory.join("nope");
  const O_CREAT_EXCL = 0o301;
  const cases: [Op<unknown>, string, new () => Error, string][] = [
    [openat(nope, 0), "ENOENT", Deno.errors.NotFound, nope],
    [openat(file, O_CREAT_EXCL), "EEXIST", Deno.errors.AlreadyExists, file],
    [openat(`${file}/x`, 0), "ENOTDIR", Deno.errors.NotADirectory, `${file}/x`],
    [
      openat(directory.path, 1),
      "EISDIR",
      Deno.errors.IsADirectory,
      directory.path,
    ],
  ];
  for (const [op, code, type, path] of cases) {
    const error = await errorOf(uring.submit(op));
    assertInstanceOf(error, type);
    assert(isSystemError(error));
    assertEquals([error.code, error.op, error.path], [code, "openat", path]);
    assertStringIncludes(error.message, `openat '${path}'`);
  }
  if (opcodes.unlinkat.supported()) {
    assertInstanceOf(
      await errorOf(uring.submit(unlinkat(nope))),
      Deno.errors.NotFound,
    );
    const renamed = await errorOf(uring.submit(renameat(nope, file)));
    assertInstanceOf(renamed, Deno.errors.NotFound);
    assertStringIncludes(renamed.message, nope);
  }
});

eachKind(
  "errors without a class of Deno's are UringErrors",
  {},
  async (uring) => {
    const error = await errorOf(uring.submit(close(999_999)));
    assertInstanceOf(error, UringError);
    assertEquals(
      [error.name, error.code, error.errno, error.op],
      ["UringError", "EBADF", 9, "close"],
    );
  },
);

eachKind(
  "one guard recognises them all, and nothing else",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const empty = () => new Uint8Array(1);
    const late = await errorOf(
      uring.submit(read(reader, empty()), { timeout: 1 }),
    );
    const chain = await errorOf(uring.chain(nop(), close(999_999)));
    const closed = errorOf(uring.submit(read(reader, empty())));
    const signal = AbortSignal.timeout(1);
    const aborted = await errorOf(
      uring.submit(read(reader, empty()), { signal }),
    );
    await uring.close();
    for (const error of [late, chain, await closed]) {
      assert(isSystemError(error), error.message);
    }
    assertInstanceOf(late, TimeoutError);
    const refused = await errorOf(uring.submit(nop()));
    for (const error of [aborted, refused]) {
      assertFalse(isSystemError(error), error.message);
    }
  },
);

// --- stacks

eachKind("the stack is that of the caller", {}, async (uring) => {
  using fds = new Fds();
  const [reader, writer] = fds.pipe();

  async function readsTheConfiguration(): Promise<unknown> {
    return await uring.submit(openat("/nope/nope", 0));
  }
  async function waitsForTheOtherEnd(): Promise<unknown> {
    return await uring.submit(read(reader, new Uint8Array(1)), { timeout: 3 });
  }
  async function writesAJournal(): Promise<unknown> {
    return await uring.chain(nop(), close(999_999));
  }
  async function loopsOverEvents(): Promise<void> {
    for await (const _ of uring.stream(pollMultishot(999_999, 1))) {
      throw new Error("unreachable");
    }
  }
  async function isCutOff(): Promise<unknown> {
    return await uring.submit(timeout(1e9));
  }
  async function comesLater(): Promise<unknown> {
    await turn();
    return await readsTheConfiguration();
  }

  const stackOf = async (run: () => Promise<unknown>) =>
    (await errorOf(run())).stack ?? "";
  assertStringIncludes(
    await stackOf(readsTheConfiguration),
    "readsTheConfiguration",
  );
  assertStringIncludes(
    await stackOf(waitsForTheOtherEnd),
    "waitsForTheOtherEnd",
  );
  assertStringIncludes(await stackOf(writesAJournal), "writesAJournal");
  assertStringIncludes(await stackOf(loopsOverEvents), "loopsOverEvents");
  const nested = await stackOf(comesLater);
  assertStringIncludes(nested, "readsTheConfiguration");
  assertStringIncludes(nested, "comesLater");
  const cut = stackOf(isCutOff);
  await turn();
  await uring.close();
  assertStringIncludes(await cut, "isCutOff");
  writeNow(writer, new Uint8Array(1));
});

// --- wrong use

eachKind(
  "what is no op, or another kind of op, is refused by name",
  {},
  async (uring) => {
    for (const op of [undefined, null, 7, "read", {}, { opcode: 0 }]) {
      await assertRejects(
        () => uring.submit(op as unknown as Op<void>),
        TypeError,
        "op must be an Op, made by a builder",
      );
      await assertRejects(
        () => uring.chain(op as unknown as Op<void>),
        TypeError,
        "op must be an Op",
      );
      assertThrows(
        () => uring.stream(op as unknown as Op<void>),
        TypeError,
        "op must be an Op",
      );
    }
    await assertRejects(
      () => uring.submit(pollMultishot(0, 1)),
      TypeError,
      "poll_add is a multishot, with many results. Use stream()",
    );
    await assertRejects(
      () => uring.chain(nop(), pollMultishot(0, 1)),
      TypeError,
      "poll_add is a multishot",
    );
    assertThrows(
      () => uring.stream(nop()),
      TypeError,
      "nop is no multishot: it has one result. Use submit()",
    );
    assertEquals(uring.stats.submitted, 0);
  },
);

eachKind(
  "wrong options are refused before anything happens",
  {},
  async (uring) => {
    const cases: [SubmitOptions, typeof Error, string][] = [
      [
        { timeout: -1 },
        RangeError,
        "timeout must be 0 or more milliseconds; got -1",
      ],
      [
        { timeout: NaN },
        RangeError,
        "timeout must be 0 or more milliseconds; got NaN",
      ],
      [{ timeout: Infinity }, RangeError, "Leave it out to wait for ever"],
      [
        { timeout: "5" as unknown as number },
        TypeError,
        "timeout must be a number",
      ],
      [
        { signal: {} as AbortSignal },
        TypeError,
        "signal must be an AbortSignal",
      ],
      [
        { signal: null as unknown as AbortSignal },
        TypeError,
        "signal must be an",
      ],
      [{ flags: IOSQE_IO_LINK }, RangeError, "for links there is chain()"],
      [{ flags: 1.5 }, RangeError, "flags must be an integer"],
      [
        { flags: "1" as unknown as number },
        TypeError,
        "flags must be an integer",
      ],
      [
        null as unknown as SubmitOptions,
        TypeError,
        "options must be an object",
      ],
      [5 as unknown as SubmitOptions, TypeError, "options must be an object"],
    ];
    for (const [options, type, message] of cases) {
      const error = await errorOf(uring.submit(nop(), options));
      assertInstanceOf(error, type);
      assertStringIncludes(error.message, message);
    }
    assertEquals([uring.stats.submitted, uring.stats.queued], [0, 0]);
  },
);

Deno.test("options that no Uring can have", () => {
  const cases: [UringOptions, typeof Error, string][] = [
    [{ spin: -1 }, RangeError, "spin must be 0 to 1e9 microseconds; got -1"],
    [{ spin: "1" as unknown as number }, RangeError, "spin must be"],
    [{ sleep: 1 as unknown as boolean }, TypeError, "sleep must be a boolean"],
    [{ wake: "bell" as "ring" }, TypeError, 'wake must be "auto", "handle"'],
    [{ flags: "1" as unknown as number }, TypeError, "flags must be an"],
    [{ flags: 1.5 }, RangeError, "flags must be an integer"],
    [{ flags: -1 }, RangeError, "flags must be an integer"],
    [{ entries: 0 }, RangeError, "entries"],
    [{ entries: 2 ** 20 }, RangeError, "entries"],
    [{ cqEntries: 1, entries: 4 }, RangeError, "cqEntries"],
    [null as unknown as UringOptions, TypeError, "options must be an object"],
    [7 as unknown as UringOptions, TypeError, "options must be an object"],
  ];
  for (const [options, type, message] of cases) {
    assertThrows(() => new Uring(options), type, message);
  }
});

Deno.test("more entries than completions by default bring as much room for those", async () => {
  await using uring = new Uring({ entries: 8192 });
  assertEquals([uring.ring.sq.entries, uring.ring.cq.entries], [8192, 8192]);
});

eachKind("what cannot be called for a message is refused", {
  only: ["best"],
}, (uring) => {
  for (const listener of [null, 5, "f", {}]) {
    assertThrows(
      () => uring.onMessage = listener as unknown as undefined,
      TypeError,
      "onMessage must be a function or undefined",
    );
  }
  assertEquals(uring.onMessage, undefined);
  return Promise.resolve();
});

eachKind("a Uring that is closed says so", {}, async (uring) => {
  const op = nop();
  await uring.close();
  await assertRejects(
    () => uring.submit(op),
    TypeError,
    "nop: the Uring is closed",
  );
  await assertRejects(() => uring.chain(op), TypeError, "the Uring is closed");
  await assertRejects(() => uring.post(1, 2), TypeError, "the Uring is closed");
  assertThrows(
    () => uring.stream(pollMultishot(0, 1)),
    TypeError,
    "the Uring is closed",
  );
});

Deno.test("buffers that could shrink are refused when the op is made", () => {
  const resizable = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }));
  const expected = "is over a resizable ArrayBuffer";
  assertThrows(() => read(0, resizable), TypeError, `read: buffer ${expected}`);
  assertThrows(
    () => write(0, resizable),
    TypeError,
    `write: buffer ${expected}`,
  );
});

eachKind(
  "a buffer transferred away before the submission",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader] = fds.pipe();
    const buffer = new Uint8Array(8);
    const op = read(reader, buffer);
    structuredClone(buffer, { transfer: [buffer.buffer] });
    const error = await errorOf(uring.submit(op));
    assertInstanceOf(error, TypeError);
    assertMatch(error.message, /detached|transferred away/);
    await idle(uring);
  },
);

eachKind(
  "a buffer transferred away in flight is noticed at completion",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    const buffer = new Uint8Array(8);
    const reading = uring.submit(read(reader, buffer));
    await turn();
    // Held: were it collected, the kernel would write to somebody else's memory.
    const moved = structuredClone(buffer, { transfer: [buffer.buffer] });
    assertEquals(await stateOf(reading), "waiting");
    writeNow(writer, Uint8Array.of(1, 2, 3));
    const error = await errorOf(reading);
    assertInstanceOf(error, TypeError);
    assertStringIncludes(
      error.message,
      "read: the buffer was transferred away",
    );
    assertEquals(moved.byteLength, 8);
  },
);

// --- what this kernel lacks

const lacksNop128 = !opcodes.nop128.supported();

eachKind(
  "an op that this kernel lacks is named, with the version that has it",
  {
    when: lacksNop128,
  },
  async (uring) => {
    const options: SubmitOptions[] = [{}, { timeout: 1000 }];
    for (const option of options) {
      const error = await errorOf(uring.submit(nop128(), option));
      assert(isSystemError(error));
      assertEquals([error.code, error.op], ["EINVAL", "nop128"]);
      assertStringIncludes(
        error.message,
        "This kernel has no IORING_OP_NOP128: it needs Linux 6.19 or later",
      );
    }
    const chained = await errorOf(uring.chain(nop(), nop128(), nop()));
    assertStringIncludes(
      chained.message,
      "IORING_OP_NOP128: it needs Linux 6.19",
    );
    assertEquals(opcodes.nop128.code, IORING_OP_NOP128);
    assertEquals(await uring.submit(nop()), 0);
  },
);

eachKind("the same for a multishot", { when: lacksNop128 }, async (uring) => {
  const unknown = Op.of({
    opcode: IORING_OP_NOP128,
    name: "nop128",
    multishot: true,
    encode: (sqe) => {
      sqe.opcode = IORING_OP_NOP128;
      return undefined;
    },
    decode: ({ res }) => res,
  });
  const error = await errorOf(uring.stream(unknown).next());
  assertStringIncludes(error.message, "it needs Linux 6.19 or later");
});

eachKind(
  "an opcode that nobody knows is the kernel's EINVAL",
  {},
  async (uring) => {
    const unknown = Op.of({
      opcode: 250,
      name: "future",
      encode: (sqe) => {
        sqe.opcode = 250;
        return undefined;
      },
      decode: () => undefined,
    });
    const error = await errorOf(uring.submit(unknown));
    assert(isSystemError(error));
    assertEquals([error.code, error.op], ["EINVAL", "future"]);
    // The queue goes on behind it.
    const all = await Promise.allSettled(
      [nop(), unknown, nop(), unknown, nop()].map((op) => uring.submit(op)),
    );
    assertEquals(
      all.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"],
    );
  },
);

eachKind(
  "what an op of one's own throws is its own failure",
  {},
  async (uring) => {
    using fds = new Fds();
    const [reader, writer] = fds.pipe();
    class Faulty extends Op<number> {
      override encode(sqe: Sqe): undefined {
        prepRead(sqe, -1, 0, 0, 0);
      }

      override decode(): number {
        throw new RangeError("decode");
      }

      override failed(): boolean {
        throw new RangeError("failed");
      }
    }
    const byte = new Uint8Array(1);
    const other = uring.submit(read(reader, byte));
    const late = uring.submit(new Faulty(0, "faulty"), { timeout: 1000 });
    const early = uring.submit(new Faulty(0, "faulty"));
    await assertRejects(() => late, RangeError);
    await assertRejects(() => early, RangeError);
    // The ring goes on.
    writeNow(writer, byte);
    assertEquals(await other, 1);
  },
);
