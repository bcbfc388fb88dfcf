// What the builders of socket, send, receive, poll and epoll ops refuse, and what they
// write beyond their prepX.

import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import {
  AF_INET,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  IORING_CQE_F_BUF_MORE,
  IORING_CQE_F_BUFFER,
  IORING_CQE_F_MORE,
  IORING_CQE_F_NOTIF,
  IORING_CQE_F_SOCK_NONEMPTY,
  IORING_FILE_INDEX_ALLOC,
  IOSQE_BUFFER_SELECT,
  IOSQE_FIXED_FILE,
  MSG_WAITALL,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  takeBlock,
} from "../../../ffi/mod.ts";
import * as abi from "../../../ffi/abi.ts";
import { Block } from "../../../ffi/block.ts";
import * as ops from "../../../ops/mod.ts";
import type { Op } from "../../../ops/op.ts";
import { Sqe } from "../../../ring/mod.ts";
import { encode as entry } from "../../support/entry.ts";

takeBlock(1).release(); // loads the C library, for good: before tests that look for leaks

const buffer = new Uint8Array(64);
const loopback = { hostname: "127.0.0.1", port: 80 };
const file = ops.fixedFile(7);

/** Encodes an op into 64 bytes. */
function encode(op: ops.Op<unknown>): Sqe {
  const sqe = new Sqe(new ArrayBuffer(64));
  ops.release(op.encode(sqe));
  return sqe;
}

type Refusal = [
  what: string,
  make: () => unknown,
  type: typeof TypeError | typeof RangeError,
  words: string,
];

/** What no caller in TypeScript could pass. */
const wrong = "x" as never;

const fds: Record<string, (fd: ops.Fd) => ops.Op<unknown>> = {
  accept: (fd) => ops.accept(fd),
  acceptDirect: (fd) => ops.acceptDirect(fd, 0),
  acceptMultishot: (fd) => ops.acceptMultishot(fd),
  acceptMultishotDirect: (fd) => ops.acceptMultishotDirect(fd),
  bind: (fd) => ops.bind(fd, loopback),
  cmdGetsockname: (fd) => ops.cmdGetsockname(fd),
  cmdGetsockopt: (fd) => ops.cmdGetsockopt(fd, 1, 3),
  cmdGetsockoptInto: (fd) => ops.cmdGetsockoptInto(fd, 1, 3, buffer),
  cmdSetsockopt: (fd) => ops.cmdSetsockopt(fd, 1, 3, 1),
  cmdSiocinq: (fd) => ops.cmdSiocinq(fd),
  cmdSiocoutq: (fd) => ops.cmdSiocoutq(fd),
  cmdTxTimestamp: (fd) => ops.cmdTxTimestamp(fd),
  connect: (fd) => ops.connect(fd, loopback),
  epollWait: (fd) => ops.epollWait(fd),
  listen: (fd) => ops.listen(fd),
  pollAdd: (fd) => ops.pollAdd(fd, 1),
  pollMultishot: (fd) => ops.pollMultishot(fd, 1),
  recv: (fd) => ops.recv(fd, buffer),
  recvMultishot: (fd) => ops.recvMultishot(fd, { bufferGroup: 1 }),
  recvZc: (fd) => ops.recvZc(fd, { interfaceQueue: 0 }),
  recvmsg: (fd) => ops.recvmsg(fd, buffer),
  recvmsgMultishot: (fd) => ops.recvmsgMultishot(fd, { bufferGroup: 1 }),
  send: (fd) => ops.send(fd, buffer),
  sendBundle: (fd) => ops.sendBundle(fd, { bufferGroup: 1 }),
  sendVectored: (fd) => ops.sendVectored(fd, [buffer]),
  sendZc: (fd) => ops.sendZc(fd, buffer),
  sendZcFixed: (fd) => ops.sendZcFixed(fd, buffer, 0),
  sendmsg: (fd) => ops.sendmsg(fd, { buffers: buffer }),
  sendmsgZc: (fd) => ops.sendmsgZc(fd, { buffers: buffer }),
  sendmsgZcFixed: (fd) => ops.sendmsgZcFixed(fd, { buffers: buffer }, 0),
  sendto: (fd) => ops.sendto(fd, buffer, loopback),
  shutdown: (fd) => ops.shutdown(fd, SHUT_WR),
};

for (const [name, make] of Object.entries(fds)) {
  Deno.test(`${name}: its file is a descriptor or a registered one, or refused`, () => {
    assertThrows(() => make(-1), RangeError, `${name}: fd`);
    assertThrows(() => make(1.5), RangeError, `${name}: fd`);
    assertThrows(() => make(2 ** 31), RangeError, `${name}: fd`);
    assertThrows(() => make(wrong), TypeError, `${name}: fd`);
    const plain = encode(make(5));
    assertEquals([plain.fd, plain.flags & IOSQE_FIXED_FILE], [5, 0]);
    const fixed = encode(make(file));
    assertEquals([fixed.fd, fixed.flags & IOSQE_FIXED_FILE], [7, 1]);
    assertEquals(plain.opcode, make(5).opcode);
  });
}

const detached = new Uint8Array(8);
detached.buffer.transfer();
const resizable = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }));

const buffers: Record<string, (buffer: Uint8Array) => unknown> = {
  "cmdGetsockoptInto: value": (b) => ops.cmdGetsockoptInto(3, 1, 3, b),
  "recv: buffer": (b) => ops.recv(3, b),
  "recvmsg: buffers": (b) => ops.recvmsg(3, b),
  "recvmsg: buffers[1]": (b) => ops.recvmsg(3, [buffer, b]),
  "send: buffer": (b) => ops.send(3, b),
  "sendVectored: buffers[1]": (b) => ops.sendVectored(3, [buffer, b]),
  "sendZc: buffer": (b) => ops.sendZc(3, b),
  "sendZcFixed: buffer": (b) => ops.sendZcFixed(3, b, 0),
  "sendmsg: buffers": (b) => ops.sendmsg(3, { buffers: b }),
  "sendmsgZc: buffers[0]": (b) => ops.sendmsgZc(3, { buffers: [b] }),
  "sendto: buffer": (b) => ops.sendto(3, b, loopback),
};

for (const [what, make] of Object.entries(buffers)) {
  Deno.test(`${what} is a view that the kernel can be given, or refused`, () => {
    assertThrows(() => make(wrong), TypeError, what.replace(/\[.*/, ""));
    assertThrows(() => make(detached), TypeError, what);
    assertThrows(() => make(resizable), TypeError, what);
  });
}

const many = new Array<Uint8Array>(1025).fill(buffer);

const refusals: Refusal[] = [
  ["domain", () => ops.socket(-1, 1), RangeError, "socket: domain"],
  ["domain", () => ops.socket(wrong, 1), TypeError, "socket: domain"],
  ["type", () => ops.socket(2, 1.5), RangeError, "socket: type"],
  ["type", () => ops.socket(2, 0x1001), RangeError, "got 0x1001"],
  [
    "protocol",
    () => ops.socket(2, 1, { protocol: -1 }),
    RangeError,
    "protocol",
  ],
  [
    "SOCK_CLOEXEC",
    () => ops.socketDirect(2, SOCK_STREAM | SOCK_CLOEXEC, 0),
    RangeError,
    "socketDirect: type has SOCK_CLOEXEC",
  ],
  ["slot", () => ops.socketDirect(2, 1, -1), RangeError, "socketDirect: slot"],
  [
    "slot",
    () => ops.socketDirect(2, 1, 0xffff_fffe),
    RangeError,
    "socketDirect: slot",
  ],
  ["slot", () => ops.acceptDirect(3, wrong), TypeError, "acceptDirect: slot"],
  ["flags", () => ops.accept(3, { flags: 1 }), RangeError, "got 0x1"],
  [
    "flags",
    () => ops.acceptMultishot(3, { flags: -1 }),
    RangeError,
    "acceptMultishot: flags",
  ],
  [
    "SOCK_CLOEXEC",
    () => ops.acceptMultishotDirect(3, { flags: SOCK_CLOEXEC }),
    RangeError,
    "acceptMultishotDirect: flags has SOCK_CLOEXEC",
  ],
  ["address", () => ops.bind(3, wrong), TypeError, "bind: address"],
  [
    "hostname",
    () => ops.connect(3, { hostname: "deno.land", port: 1 }),
    RangeError,
    "connect: address.hostname",
  ],
  ["backlog", () => ops.listen(3, -1), RangeError, "listen: backlog"],
  ["how", () => ops.shutdown(3, 3), RangeError, "shutdown: how"],
  ["how", () => ops.shutdown(3, wrong), TypeError, "shutdown: how"],
  ["flags", () => ops.send(3, buffer, { flags: 2 ** 32 }), RangeError, "flags"],
  [
    "bufferGroup",
    () => ops.send(3, { bufferGroup: 65536 }),
    RangeError,
    "send: bufferGroup",
  ],
  [
    "length",
    () => ops.sendBundle(3, { bufferGroup: 1, length: -1 }),
    RangeError,
    "sendBundle: length",
  ],
  [
    "bufferGroup",
    () => ops.sendBundle(3, {} as { bufferGroup: number }),
    TypeError,
    "sendBundle: bufferGroup",
  ],
  ["address", () => ops.sendto(3, buffer, wrong), TypeError, "sendto: address"],
  ["buffers", () => ops.sendVectored(3, many), RangeError, "1024 buffers"],
  ["buffers", () => ops.sendmsg(3, { buffers: many }), RangeError, "1024"],
  [
    "control",
    () => ops.sendmsg(3, { buffers: buffer, control: wrong }),
    TypeError,
    "sendmsg: control",
  ],
  [
    "address",
    () => ops.sendmsgZc(3, { buffers: buffer, address: wrong }),
    TypeError,
    "sendmsgZc: address",
  ],
  [
    "address",
    () => ops.sendZc(3, buffer, { address: wrong }),
    TypeError,
    "sendZc: address",
  ],
  [
    "bufIndex",
    () => ops.sendZcFixed(3, buffer, 65536),
    RangeError,
    "sendZcFixed: bufIndex",
  ],
  [
    "bufIndex",
    () => ops.sendmsgZcFixed(3, { buffers: buffer }, -1),
    RangeError,
    "sendmsgZcFixed: bufIndex",
  ],
  [
    "flags",
    () => ops.recv(3, buffer, { flags: 0.5 }),
    RangeError,
    "recv: flags",
  ],
  [
    "bufferGroup",
    () => ops.recv(3, { bufferGroup: -1 }),
    RangeError,
    "recv: bufferGroup",
  ],
  [
    "MSG_WAITALL",
    () => ops.recvMultishot(3, { bufferGroup: 1, flags: MSG_WAITALL }),
    RangeError,
    "recvMultishot: flags have MSG_WAITALL",
  ],
  [
    "limit",
    () => ops.recvMultishot(3, { bufferGroup: 1, limit: -1 }),
    RangeError,
    "recvMultishot: limit",
  ],
  [
    "controlLength",
    () => ops.recvmsg(3, buffer, { controlLength: -8 }),
    RangeError,
    "recvmsg: controlLength",
  ],
  [
    "MSG_WAITALL",
    () => ops.recvmsgMultishot(3, { bufferGroup: 1, flags: MSG_WAITALL }),
    RangeError,
    "recvmsgMultishot: flags have MSG_WAITALL",
  ],
  [
    "nameLength",
    () => ops.recvmsgMultishot(3, { bufferGroup: 1, nameLength: 1.5 }),
    RangeError,
    "recvmsgMultishot: nameLength",
  ],
  [
    "interfaceQueue",
    () => ops.recvZc(3, { interfaceQueue: wrong }),
    TypeError,
    "recvZc: interfaceQueue",
  ],
  [
    "length",
    () => ops.recv(3, { bufferGroup: 1, length: 2 ** 31 }),
    RangeError,
    "recv: length",
  ],
  [
    "length",
    () => ops.recvmsg(3, { bufferGroup: 1, length: -1 }),
    RangeError,
    "recvmsg: length",
  ],
  [
    "controlLength",
    () => ops.recvmsgMultishot(3, { bufferGroup: 1, controlLength: -1 }),
    RangeError,
    "recvmsgMultishot: controlLength",
  ],
  [
    "length",
    () => ops.recvZc(3, { interfaceQueue: 0, length: -1 }),
    RangeError,
    "recvZc: length",
  ],
  ["flags", () => ops.accept(3, { flags: wrong }), TypeError, "accept: flags"],
  [
    "flags",
    () => ops.acceptDirect(3, 0, { flags: SOCK_CLOEXEC }),
    RangeError,
    "acceptDirect: flags has SOCK_CLOEXEC",
  ],
  [
    "events",
    () => ops.pollUpdate(1, { events: 2 ** 32 }),
    RangeError,
    "pollUpdate: events",
  ],
  [
    "events",
    () => ops.epollCtl(5, 3, EPOLL_CTL_ADD, { events: 2 ** 32 }),
    RangeError,
    "epollCtl: events",
  ],
  ["interest", () => ops.epollCtl(5, 3, EPOLL_CTL_ADD), TypeError, "events"],
  ["events", () => ops.pollAdd(3, 2 ** 32), RangeError, "pollAdd: events"],
  ["events", () => ops.pollMultishot(3, wrong), TypeError, "events"],
  ["userData", () => ops.pollRemove(1.5), RangeError, "pollRemove: userData"],
  ["userData", () => ops.pollRemove(wrong), TypeError, "pollRemove: userData"],
  ["change", () => ops.pollUpdate(1, {}), TypeError, "events or userData"],
  [
    "userData",
    () => ops.pollUpdate(1, { userData: 1n << 64n }),
    RangeError,
    "pollUpdate: userData of the change",
  ],
  ["epfd", () => ops.epollCtl(-1, 3, EPOLL_CTL_DEL), RangeError, "epfd"],
  [
    "fd",
    () => ops.epollCtl(5, wrong, EPOLL_CTL_DEL),
    TypeError,
    "epollCtl: fd",
  ],
  ["operation", () => ops.epollCtl(5, 3, 4), RangeError, "operation"],
  ["interest", () => ops.epollCtl(5, 3, EPOLL_CTL_MOD), TypeError, "events"],
  [
    "data",
    () => ops.epollCtl(5, 3, EPOLL_CTL_ADD, { events: 1, data: 0.5 }),
    RangeError,
    "epollCtl: data",
  ],
  ["maxEvents", () => ops.epollWait(5, 0), RangeError, "maxEvents"],
  ["level", () => ops.cmdGetsockopt(3, 0.5, 3), RangeError, "level"],
  ["optname", () => ops.cmdGetsockopt(3, 1, 0.5), RangeError, "optname"],
  [
    "value",
    () => ops.cmdSetsockopt(3, 1, 3, wrong),
    TypeError,
    "cmdSetsockopt: value",
  ],
  [
    "value's length",
    () => ops.cmdGetsockoptInto(3, 1, 3, new Uint8Array()),
    RangeError,
    "cmdGetsockoptInto: value's length",
  ],
];

refusals.forEach(([what, make, type, words], i) => {
  Deno.test(`socket ops refuse a wrong ${what} (${i}): ${words}`, () => {
    assertThrows(make, type, words);
  });
});

Deno.test("socket ops: what was given is copied when the builder is called", () => {
  const message = {
    buffers: [buffer],
    address: { path: new Uint8Array([47, 97]) },
    control: [{ level: 1, type: 1, data: new Uint8Array(4).fill(3) }],
  };
  const op = ops.sendmsg(3, message);
  message.buffers.push(detached);
  message.address.path[0] = 0;
  message.control[0]?.data.fill(9);
  const sqe = new Sqe(new ArrayBuffer(64));
  const held = op.encode(sqe);
  assert(held !== undefined && "bytes" in held);
  // After header and one iovec: family, path; at the next multiple of 8 the control message.
  assertEquals(held.bytes.slice(72, 77), Uint8Array.of(1, 0, 47, 97, 0));
  const data = held.bytes.slice(80 + 16, 80 + 20);
  assertEquals(data, new Uint8Array(4).fill(3));
  ops.release(held);
});

Deno.test("socket ops: an op can be queued many times, in blocks of its own", () => {
  const op = ops.connect(3, loopback);
  const [one, other] = [0, 0].map(() => new Sqe(new ArrayBuffer(64)));
  assert(one !== undefined && other !== undefined);
  const held = [op.encode(one), op.encode(other)];
  assert(one.addr !== other.addr);
  assertEquals(one.off, 16n);
  held.forEach(ops.release);
});

Deno.test("socket ops: errors say where to", () => {
  const refused = { res: -111, flags: 0 };
  assertThrows(
    () => ops.connect(3, loopback).finish(refused, undefined),
    Deno.errors.ConnectionRefused,
    "connect '127.0.0.1:80': connection refused (ECONNREFUSED)",
  );
  assertEquals(ops.sendto(3, buffer, { path: "\0bus" }).path, "@bus");
});

Deno.test("socket ops: direct descriptors go to the slot that was asked for", () => {
  const ask = ops.socketDirect(AF_INET, SOCK_STREAM, 3);
  assertEquals(encode(ask).fileIndex, 4);
  assertEquals(ask.finish({ res: 0, flags: 0 }, undefined).index, 3);
  const alloc = ops.socketDirectAlloc(AF_INET, SOCK_STREAM);
  assertEquals(encode(alloc).fileIndex, IORING_FILE_INDEX_ALLOC);
  assertEquals(alloc.finish({ res: 9, flags: 0 }, undefined).index, 9);
  const accept = ops.acceptDirect(3, 5, { address: false });
  assertEquals(encode(accept).fileIndex, 6);
  assertEquals(encode(accept).addr, 0n);
});

Deno.test("provided buffers: the entry selects, the completion tells which", () => {
  const op = ops.recv(3, { bufferGroup: 9, length: 100, bundle: true });
  const sqe = encode(op);
  assertEquals([sqe.bufIndex, sqe.len, sqe.addr], [9, 100, 0n]);
  assertEquals(sqe.flags, IOSQE_BUFFER_SELECT);
  assertEquals(sqe.ioprio, 0x10);
  const flags = (513 << 16) | IORING_CQE_F_BUFFER;
  const received = {
    length: 7,
    bufferId: 513,
    more: false,
    nonEmpty: false,
    partial: false,
  };
  assertEquals(op.finish({ res: 7, flags }, undefined), {
    ...received,
    bundle: true,
  });
  const single = ops.recv(3, { bufferGroup: 9 });
  assertEquals(single.finish({ res: 7, flags }, undefined), received);
  assertEquals(
    single.finish({
      res: 0,
      flags: IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY |
        IORING_CQE_F_BUF_MORE,
    }, undefined),
    { length: 0, bufferId: -1, more: true, nonEmpty: true, partial: true },
  );
  assertThrows(
    () => op.finish({ res: -105, flags: 0 }, undefined),
    Error,
    "Group 9 has no free buffer",
  );
});

Deno.test("recvMultishot: length and limit stand in len and optlen", () => {
  const op = ops.recvMultishot(3, { bufferGroup: 1, length: 5, limit: 70 });
  const sqe = encode(op);
  assertEquals([sqe.len, sqe.fileIndex, sqe.ioprio], [5, 70, 2]);
});

Deno.test("notifications: a usage report is no error", () => {
  const op = ops.sendZc(3, buffer, { reportUsage: true });
  assertEquals(encode(op).ioprio, 8);
  const copied = { res: 0x8000_0000 | 0, flags: IORING_CQE_F_NOTIF };
  assertFalse(op.failed(copied));
  assert(ops.isNotification(copied) && ops.wasCopied(copied));
  const sent = { res: 64, flags: IORING_CQE_F_MORE };
  assertFalse(ops.isNotification(sent) || ops.wasCopied(sent));
  assertFalse(ops.wasCopied({ res: 0, flags: IORING_CQE_F_NOTIF }));
  assert(op.failed({ res: 0x8000_0000 | 0, flags: 0 }));
});

Deno.test("recvZc: the second half of the completion tells where", () => {
  const op = ops.recvZc(3, { interfaceQueue: 2, length: 4096 });
  const sqe = encode(op);
  assertEquals([sqe.fileIndex, sqe.len, sqe.ioprio], [2, 4096, 2]);
  const words = [0x1_2345_6000n, 7n] as const;
  const received = op.finish({
    res: 1448,
    flags: IORING_CQE_F_MORE,
    bigCqe: (index) => words[index],
  }, undefined);
  assertEquals([received.length, received.res, received.more], [
    1448,
    1448,
    true,
  ]);
  assertEquals([received.bigCqe(0), received.bigCqe(1)], [...words]);
  assertEquals(op.finish({ res: 0, flags: 0 }, undefined).more, false);
  assertThrows(
    () => op.finish({ res: 1, flags: IORING_CQE_F_MORE }, undefined),
    TypeError,
    "32-byte completion",
  );
});

Deno.test("cmdTxTimestamp: key, station and time", () => {
  const op = ops.cmdTxTimestamp(3);
  const completion = {
    res: 77,
    flags: IORING_CQE_F_MORE | (1 << 16) | (2 << 17),
    bigCqe: (index: 0 | 1) => index === 0 ? 3n : 5n,
  };
  assertEquals(op.finish(completion, undefined), {
    key: 77,
    type: 2,
    hardware: true,
    time: 3_000_000_005n,
  });
  assertEquals(op.finish({ res: 0, flags: 0 }, undefined), undefined);
});

Deno.test("cmdSetsockopt: ints, booleans, structs", () => {
  const bytesOf = (value: number | boolean | Uint8Array) => {
    const sqe = new Sqe(new ArrayBuffer(64));
    const held = ops.cmdSetsockopt(3, SOL_SOCKET, 9, value).encode(sqe);
    assert(held !== undefined && "bytes" in held);
    const bytes = held.bytes.slice(0, sqe.fileIndex);
    ops.release(held);
    return bytes;
  };
  assertEquals(bytesOf(-2), Uint8Array.of(0xfe, 0xff, 0xff, 0xff));
  assertEquals(bytesOf(true), Uint8Array.of(1, 0, 0, 0));
  assertEquals(bytesOf(Uint8Array.of(1, 2, 3)), Uint8Array.of(1, 2, 3));
  const given = Uint8Array.of(1, 2, 3);
  const op = ops.cmdSetsockopt(3, SOL_SOCKET, 9, given);
  given.fill(9);
  const [, held] = entry(op);
  assert(held instanceof Block);
  assertEquals(held.bytes.slice(0, 3), Uint8Array.of(1, 2, 3));
  ops.release(held);
});

Deno.test("cmdGetsockopt, cmdGetsockname, listen: what is asked for", () => {
  // A shorter option leaves the rest as it is.
  const used = takeBlock(4);
  used.bytes.fill(0xff);
  used.release();
  const get = ops.cmdGetsockopt(3, SOL_SOCKET, 9);
  const [, held] = entry(get);
  assertEquals(get.finish({ res: 1, flags: 0 }, held), 0);
  ops.release(held);
  const peers = [{}, { peer: true }].map((options) =>
    encode(ops.cmdGetsockname(3, options)).fileIndex
  );
  assertEquals(peers, [0, 1]);
  assertEquals(encode(ops.listen(3)).len, 4096);
  const into = new Uint8Array(4);
  const op = ops.cmdGetsockoptInto(3, SOL_SOCKET, 9, into);
  into.buffer.transfer();
  const finish = () => op.finish({ res: 4, flags: 0 }, into);
  assertThrows(finish, TypeError, "transferred away");
});

Deno.test("a refused argument leaves the entry a NOP", () => {
  const sqe = new Sqe(new ArrayBuffer(64));
  const calls: (() => void)[] = [
    () => ops.prepSend(sqe, 3, 0, 2 ** 32, 0),
    () => ops.prepSend(sqe, 3, 0, 1n << 32n, 0),
    () => ops.prepSendto(sqe, 3, 0, 1, 0, 0, 65536),
    () => ops.prepSendZc(sqe, 3, 0, 1, 0, 65537),
    () => ops.prepSendZcFixed(sqe, 3, 0, 1, 0, 0, 65536),
    () => ops.prepSendmsgZcFixed(sqe, 3, 0, 0, 65536),
    () => ops.prepRecv(sqe, 3, 0, -1, 0),
    () => ops.prepSocket(sqe, 2, 2 ** 32, 0, 0),
    () => ops.prepConnect(sqe, 3, 0, 2 ** 32),
    () => ops.prepCmdSock(sqe, 0, 3, 2 ** 32, 0, 0, 0),
    () => ops.prepAcceptDirect(sqe, 3, 0, 0, 0, 2 ** 32),
    () => ops.prepEpollCtl(sqe, 3, 2 ** 32, 1, 0),
    () => ops.prepPollUpdate(sqe, 1, 2, 3, 2 ** 32),
  ];
  for (const call of calls) {
    assertThrows(call, RangeError);
    assertEquals(sqe.opcode, 0);
  }
});

Deno.test("socket ops: each option has its bit in ioprio, and a registered file its flag", () => {
  const group = { bufferGroup: 1 };
  const first = { pollFirst: true };
  const both = { pollFirst: true, dontWait: true };
  const message = { buffers: buffer };
  const POLL = abi.IORING_RECVSEND_POLL_FIRST;
  const MULTI = abi.IORING_RECV_MULTISHOT;
  const BUNDLE = abi.IORING_RECVSEND_BUNDLE;
  const accept = abi.IORING_ACCEPT_POLL_FIRST | abi.IORING_ACCEPT_DONTWAIT;
  const cases: [Op<unknown>, number][] = [
    [ops.accept(file, both), accept],
    [ops.acceptDirect(file, 0, both), accept],
    [ops.acceptMultishot(file, both), accept | abi.IORING_ACCEPT_MULTISHOT],
    [
      ops.acceptMultishotDirect(file, both),
      accept | abi.IORING_ACCEPT_MULTISHOT,
    ],
    [ops.recv(file, buffer, first), POLL],
    [ops.recv(file, { ...group, ...first }), POLL],
    [ops.recv(file, { ...group, ...first, bundle: true }), POLL | BUNDLE],
    [ops.recvMultishot(file, { ...group, ...first }), POLL | MULTI],
    [ops.recvmsg(file, buffer, first), POLL],
    [ops.recvmsg(file, { ...group, ...first }), POLL],
    [ops.recvmsgMultishot(file, { ...group, ...first }), POLL | MULTI],
    [ops.recvZc(file, { interfaceQueue: 0, ...first }), POLL | MULTI],
    [ops.send(file, buffer, first), POLL],
    [ops.send(file, { ...group, ...first }), POLL],
    [ops.sendBundle(file, { ...group, ...first }), POLL | BUNDLE],
    [ops.sendto(file, buffer, loopback, first), POLL],
    [
      ops.sendVectored(file, [buffer], first),
      POLL | abi.IORING_SEND_VECTORIZED,
    ],
    [ops.sendmsg(file, message, first), POLL],
    [ops.sendZc(file, buffer, first), POLL],
    [ops.sendZc(file, buffer, { ...first, reportUsage: true }), POLL | 8],
    [ops.sendZcFixed(file, buffer, 0, first), POLL | 4],
    [ops.sendmsgZc(file, message, first), POLL],
    [ops.sendmsgZcFixed(file, message, 0, first), POLL | 4],
  ];
  for (const [op, ioprio] of cases) {
    const [sqe, held] = entry(op);
    assertEquals(sqe.ioprio, ioprio, op.name);
    assert((sqe.flags & IOSQE_FIXED_FILE) !== 0, op.name);
    ops.release(held);
  }
});

Deno.test("socket ops: 0 is as long as the buffer, of a bundle as its buffers", () => {
  const group = { bufferGroup: 1 };
  const lengthOf = (op: Op<unknown>) => entry(op)[0].len;
  assertEquals(lengthOf(ops.recv(3, group)), 0x7fff_f000);
  assertEquals(lengthOf(ops.recv(3, { ...group, length: 5 })), 5);
  assertEquals(lengthOf(ops.recv(3, { ...group, bundle: true })), 0);
  assertEquals(lengthOf(ops.read(3, group)), 0x7fff_f000);
  const [, held] = entry(ops.recvmsg(3, group));
  assert(held instanceof Block);
  // The iovec's length, behind the header.
  assertEquals(held.view.getBigUint64(56 + 8, true), 0x7fff_f000n);
  ops.release(held);
});

Deno.test("provided buffers: an id may have the highest bit", () => {
  const flags = (0xfffe << 16) | IORING_CQE_F_BUFFER;
  const op = ops.recv(3, { bufferGroup: 1 });
  assertEquals(op.finish({ res: 1, flags }, undefined).bufferId, 0xfffe);
});

Deno.test("recvmsg: what did not fit its room is not read beyond it", () => {
  const op = ops.recvmsg(3, buffer, { controlLength: 24 });
  const [, held] = entry(op);
  assert(held instanceof Block);
  const { view, bytes } = held;
  const name = 56 + 16;
  const control = name + 128;
  bytes.fill(0x61, name, held.bytes.length);
  view.setUint16(name, 1, true); // AF_UNIX
  view.setUint32(8, 4096, true); // msg_namelen
  view.setBigUint64(40, 4096n, true); // msg_controllen
  // A message of 20 bytes in 24, and behind the room what others left.
  view.setBigUint64(control, 20n, true);
  view.setBigUint64(control + 24, 20n, true);
  const message = op.finish({ res: 1, flags: 0 }, held);
  assertEquals(message.control.length, 1);
  const { address } = message;
  assert(address !== undefined && "path" in address);
  assertEquals(address.path.length, 126);
  assertEquals(message.flags, 0);
  ops.release(held);
});

Deno.test("prepSendSetAddr: the other half of the length's word stays", () => {
  const sqe = new Sqe(new ArrayBuffer(64));
  sqe.fileIndex = 0xabcd_0001;
  ops.prepSendSetAddr(sqe, 4096, 16);
  assertEquals([sqe.fileIndex, sqe.off], [0xabcd_0010, 4096n]);
});

Deno.test("accept: an address is not read beyond its room", () => {
  const op = ops.accept(3);
  const [, held] = entry(op);
  assert(held instanceof Block);
  held.bytes.fill(0x61);
  held.view.setUint32(0, 4096, true);
  held.view.setUint16(8, 1, true); // AF_UNIX
  const { address } = op.finish({ res: 5, flags: 0 }, held);
  assert(address !== undefined && "path" in address);
  assertEquals(address.path.length, 126);
  ops.release(held);
});

Deno.test("a buffer that was transferred away meanwhile is noticed", () => {
  const makers: ((view: Uint8Array) => Op<unknown>)[] = [
    (view) => ops.recv(3, view),
    (view) => ops.recvmsg(3, view),
    (view) => ops.send(3, view),
    (view) => ops.sendto(3, view, loopback),
    (view) => ops.sendVectored(3, [buffer, view]),
    (view) => ops.sendmsg(3, { buffers: [buffer, view] }),
    (view) => ops.sendZc(3, view),
    (view) => ops.sendZcFixed(3, view, 0),
    (view) => ops.sendmsgZc(3, { buffers: view }),
    (view) => ops.sendmsgZcFixed(3, { buffers: view }, 0),
  ];
  for (const make of makers) {
    const view = new Uint8Array(8);
    const op = make(view);
    const [, held] = entry(op);
    assertEquals(op.finish({ res: 1, flags: 0 }, held) !== undefined, true);
    view.buffer.transfer();
    const finish = () => op.finish({ res: 1, flags: 0 }, held);
    assertThrows(finish, TypeError, "the buffer was transferred away");
    ops.release(held);
  }
});
