/**
 * Sockets made by the C library: what ops are tested on does not depend on other ops, nor on
 * a kernel that has `IORING_OP_SOCKET`, `BIND` and `LISTEN`.
 */

import { assertEquals } from "@std/assert";
import {
  AF_INET,
  AF_UNIX,
  decodeSockaddr,
  encodeSockaddr,
  errnoName,
  type IpAddress,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOCKADDR_SIZE,
  type SocketAddress,
  type SocketAddressLike,
} from "../../ffi/mod.ts";
import { cancel } from "../../ops/cancel.ts";
import { release } from "../../ops/op.ts";
import type { OpcodeName } from "../../ops/opcodes.ts";
import type { Ring, RingOptions } from "../../ring/mod.ts";
import { collect, queue } from "./queue.ts";
import { eachRing, type Needs } from "./rings.ts";

const { symbols: c } = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  accept: { parameters: ["i32", "pointer", "pointer"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  pipe: { parameters: ["buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
});

function ok<T extends number | bigint>(call: string, answer: T): T {
  if (answer < 0) throw new Error(`The test's own ${call} failed.`);
  return answer;
}

/** The code of errors for EOPNOTSUPP, which node:util calls ENOTSUP. */
export const EOPNOTSUPP = errnoName(95);

/** Any port of the loopback device. */
export const LOOPBACK: IpAddress = { hostname: "127.0.0.1", port: 0 };

let names = 0;

/** A name in the abstract namespace that nobody else has. */
export function uniqueName(): { path: string } {
  return { path: `\0uring-test-${Deno.pid}-${names++}` };
}

/** File descriptors that are closed when the test is over. */
export class Fds implements Disposable {
  readonly #fds = new Set<number>();

  /** Takes a file descriptor into care. */
  add(fd: number): number {
    this.#fds.add(ok("call", fd));
    return fd;
  }

  /** A new socket. */
  socket(domain: number, type: number): number {
    return this.add(c.socket(domain, type | SOCK_CLOEXEC, 0));
  }

  /** Two connected Unix sockets. */
  pair(type: number = SOCK_STREAM): [number, number] {
    const pair = new Int32Array(2);
    ok("socketpair", c.socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, view(pair)));
    return [this.add(pair[0] as number), this.add(pair[1] as number)];
  }

  /** A socket bound to an address. */
  bound(domain: number, type: number, address: SocketAddressLike): number {
    const fd = this.socket(domain, type);
    const bytes = encodeSockaddr("address", address);
    ok("bind", c.bind(fd, bytes, bytes.length));
    return fd;
  }

  /** A listening stream socket. */
  listener(
    domain: number = AF_INET,
    address: SocketAddressLike = LOOPBACK,
  ): number {
    const fd = this.bound(domain, SOCK_STREAM, address);
    ok("listen", c.listen(fd, 128));
    return fd;
  }

  /** A socket connected to an address. */
  connected(domain: number, type: number, address: SocketAddressLike): number {
    const fd = this.socket(domain, type);
    const bytes = encodeSockaddr("address", address);
    ok("connect", c.connect(fd, bytes, bytes.length));
    return fd;
  }

  /** The two ends of a TCP connection. */
  tcpPair(): [number, number] {
    const listener = this.listener();
    const one = this.connected(AF_INET, SOCK_STREAM, nameOf(listener));
    return [one, this.add(c.accept(listener, null, null))];
  }

  /** A new epoll set. */
  epoll(): number {
    return this.add(c.epoll_create1(SOCK_CLOEXEC));
  }

  /** A new eventfd, with a value of 0. */
  eventfd(): number {
    return this.add(c.eventfd(0, SOCK_CLOEXEC));
  }

  /** The two ends of a pipe: where to read, where to write. */
  pipe(): [number, number] {
    const pair = new Int32Array(2);
    ok("pipe", c.pipe(view(pair)));
    return [this.add(pair[0] as number), this.add(pair[1] as number)];
  }

  /** Closes one before the test is over. */
  close(fd: number): void {
    assertEquals(this.#fds.delete(fd), true, `fd ${fd} is not this test's`);
    ok("close", c.close(fd));
  }

  /** Closes the others. */
  [Symbol.dispose](): void {
    for (const fd of [...this.#fds]) this.close(fd);
  }
}

function view(words: Int32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer);
}

/** The address that a socket is bound to. */
export function nameOf(fd: number): SocketAddress {
  const bytes = new Uint8Array(SOCKADDR_SIZE);
  const length = Int32Array.of(SOCKADDR_SIZE);
  ok("getsockname", c.getsockname(fd, bytes, view(length)));
  const address = decodeSockaddr(bytes.subarray(0, length[0]));
  if (address === undefined) throw new Error(`fd ${fd} has no address.`);
  return address;
}

/** An option of a socket that is an int. */
export function getOption(fd: number, level: number, name: number): number {
  const value = Int32Array.of(0);
  const length = Int32Array.of(4);
  ok("getsockopt", c.getsockopt(fd, level, name, view(value), view(length)));
  return value[0] as number;
}

/** Sets an option of a socket that is an int. */
export function setOption(
  fd: number,
  level: number,
  name: number,
  value: number,
): void {
  const bytes = view(Int32Array.of(value));
  ok("setsockopt", c.setsockopt(fd, level, name, bytes, 4));
}

/** Sends bytes, or text, without a ring. */
export function sendNow(fd: number, data: string | Uint8Array): void {
  const bytes = typeof data === "string"
    ? new TextEncoder().encode(data)
    : Uint8Array.from(data);
  const sent = ok("send", c.send(fd, bytes, BigInt(bytes.length), 0));
  assertEquals(Number(sent), bytes.length);
}

/** Receives what is there, as text, without a ring; waits for something if need be. */
export function recvNow(fd: number, length = 65536): string {
  const bytes = new Uint8Array(length);
  const received = ok("recv", c.recv(fd, bytes, BigInt(length), 0));
  return new TextDecoder().decode(bytes.subarray(0, Number(received)));
}

/** write(2), to a pipe or an eventfd. */
export function writeNow(fd: number, bytes: Uint8Array<ArrayBuffer>): void {
  ok("write", c.write(fd, bytes, BigInt(bytes.length)));
}

/** read(2), from a pipe or an eventfd. */
export function readNow(fd: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const read = ok("read", c.read(fd, bytes, BigInt(length)));
  return bytes.subarray(0, Number(read));
}

/** fcntl(2) with a command that takes nothing: F_GETFD, F_GETFL. */
export function fcntl(fd: number, command: number): number {
  return ok("fcntl", c.fcntl(fd, command, 0));
}

/** How many files this process has open. */
export function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** Whether the running kernel is this one or a later one: for what no probe tells. */
export function kernelSince(major: number, minor: number): boolean {
  const [x = 0, y = 0] = Deno.osRelease().split(".").map((part) =>
    Number.parseInt(part)
  );
  return x > major || (x === major && y >= minor);
}

/** Cancels a multishot op by its tag, and waits for its last completion. */
export function stop(ring: Ring, tag: number): void {
  const own = 0xffff_ffff;
  release(queue(ring, cancel(tag), own));
  const open = new Set([tag, own]);
  while (open.size > 0) {
    for (const seen of collect(ring, 1)) if (!seen.more) open.delete(seen.tag);
  }
}

/** What {@linkcode socketTest} needs. */
export interface SocketNeeds extends Omit<Needs, "needs" | "options"> {
  /** Opcodes that the kernel must have. */
  needs: OpcodeName[];
  /** Options of the ring. */
  options?: RingOptions;
}

/**
 * Registers a test for each kind of ring, with sockets that are closed after it; fails if
 * files stay open.
 */
export function socketTest(
  name: string,
  needs: SocketNeeds,
  body: (ring: Ring, fds: Fds) => void,
): void {
  eachRing(name, needs, (ring) => {
    const before = openFiles();
    {
      using fds = new Fds();
      body(ring, fds);
    }
    assertEquals(openFiles(), before, "files stayed open");
  });
}
