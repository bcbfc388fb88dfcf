/**
 * `struct sockaddr` and its kin: socket addresses of IPv4, IPv6 and Unix sockets, as Deno
 * writes them, and of any other family as bytes.
 *
 * @module
 */

import { checkInteger, show } from "../check.ts";
import {
  sockaddr,
  sockaddr_in,
  sockaddr_in6,
  sockaddr_storage,
  sockaddr_un,
} from "../layout.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../linux.ts";
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from "./ip.ts";

/** Room for a socket address of any family, in bytes: `struct sockaddr_storage`. */
export const SOCKADDR_SIZE: number = sockaddr_storage.size;

/** The longest path of a Unix socket: `sun_path` without the NUL at its end. */
const UNIX_PATH_MAX = sockaddr_un.size - sockaddr_un.sun_path - 1;

/** A socket address of a family that has no type of its own here, as its bytes. */
export interface RawAddress {
  /** The address family, `AF_*`. */
  family: number;
  /** What follows the family in the `struct sockaddr`. */
  data: Uint8Array;
}

/**
 * A socket address, as the kernel tells it: Deno's own types for IP and Unix sockets, the
 * bytes for others, and for Unix paths that are no UTF-8. A socket without a name has the
 * path `""`; an abstract name begins with a NUL.
 */
export type SocketAddress = Deno.NetAddr | Deno.UnixAddr | RawAddress;

/** An IP address and a port. A {@linkcode Deno.NetAddr} is one. */
export interface IpAddress {
  /** Says what the socket is; no part of the address. */
  transport?: "tcp" | "udp";
  /**
   * The IPv4 or IPv6 address, `"127.0.0.1"` or `"::1"`, a link-local one with its interface:
   * `"fe80::1%eth0"`. No name: resolve it first, with `Deno.resolveDns`.
   */
  hostname: string;
  /** The port, from 0 to 65535. 0 lets bind choose. */
  port: number;
}

/** The path or the name of a Unix socket. A {@linkcode Deno.UnixAddr} is one. */
export interface UnixAddress {
  /** Says what the socket is; no part of the address. */
  transport?: "unix" | "unixpacket";
  /**
   * The path, up to 107 bytes; or, after a NUL, a name in the abstract namespace, which is no
   * file. Empty lets bind choose an abstract name.
   */
  path: string | Uint8Array;
}

/** A socket address, as ops take it. Whatever the kernel told can be given back to it. */
export type SocketAddressLike = IpAddress | UnixAddress | RawAddress;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", {
  fatal: true,
  ignoreBOM: true,
});

/**
 * A socket address as the bytes that the kernel takes; their number is the address's length.
 *
 * @param what how errors call it: "connect: address".
 * @throws {TypeError} if it has neither `hostname` nor `path` nor `family`, or one of the
 * wrong type.
 * @throws {RangeError} if the hostname is no IP address, the port none, the path too long.
 *
 * @example
 * ```ts
 * import { encodeSockaddr } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeSockaddr("address", { hostname: "127.0.0.1", port: 80 });
 * assertEquals(bytes.subarray(0, 8), Uint8Array.of(2, 0, 0, 80, 127, 0, 0, 1));
 * assertEquals(encodeSockaddr("address", { path: "/run/x" }).length, 2 + 7);
 * ```
 */
export function encodeSockaddr(
  what: string,
  address: SocketAddressLike,
): Uint8Array<ArrayBuffer> {
  if (typeof address === "object" && address !== null) {
    if ("hostname" in address) return encodeIp(what, address);
    if ("path" in address) return encodeUnix(what, address);
    if ("family" in address) return encodeRaw(what, address);
  }
  throw new TypeError(
    `${what} must be { hostname, port }, { path } or { family, data }; got ${
      show(address)
    }.`,
  );
}

function encodeIp(
  what: string,
  { hostname, port }: IpAddress,
): Uint8Array<ArrayBuffer> {
  checkInteger(`${what}.port`, port, 0, 0xffff);
  if (typeof hostname !== "string") {
    throw new TypeError(
      `${what}.hostname must be a string; got ${show(hostname)}.`,
    );
  }
  const four = parseIpv4(hostname);
  if (four !== undefined) {
    const bytes = withFamily(sockaddr_in.size, AF_INET);
    writePort(bytes, sockaddr_in.sin_port, port);
    viewOf(bytes).setUint32(sockaddr_in.sin_addr, four);
    return bytes;
  }
  const six = parseIpv6(hostname);
  if (six === undefined) {
    throw new RangeError(
      `${what}.hostname must be an IPv4 or IPv6 address; got ${
        show(hostname)
      }. Resolve names first, with Deno.resolveDns.`,
    );
  }
  const bytes = withFamily(sockaddr_in6.size, AF_INET6);
  writePort(bytes, sockaddr_in6.sin6_port, port);
  bytes.set(six.bytes, sockaddr_in6.sin6_addr);
  viewOf(bytes).setUint32(sockaddr_in6.sin6_scope_id, six.scope, true);
  return bytes;
}

function encodeUnix(
  what: string,
  { path }: UnixAddress,
): Uint8Array<ArrayBuffer> {
  if (typeof path !== "string" && !(path instanceof Uint8Array)) {
    throw new TypeError(
      `${what}.path must be a string or a Uint8Array; got ${show(path)}.`,
    );
  }
  const name = typeof path === "string" ? encoder.encode(path) : path;
  if (name.length > UNIX_PATH_MAX) {
    throw new RangeError(
      `${what}.path must be at most ${UNIX_PATH_MAX} bytes long, which is what a ` +
        `sockaddr_un holds; got ${name.length}.`,
    );
  }
  const abstract = name[0] === 0;
  if (!abstract && name.includes(0)) {
    throw new TypeError(`${what}.path contains a NUL.`);
  }
  // Only a path ends in a NUL: to an abstract name it would be one more byte, and with an
  // empty one the kernel chooses a name.
  const end = abstract || name.length === 0 ? 0 : 1;
  const bytes = withFamily(sockaddr_un.sun_path + name.length + end, AF_UNIX);
  bytes.set(name, sockaddr_un.sun_path);
  return bytes;
}

function encodeRaw(
  what: string,
  { family, data }: RawAddress,
): Uint8Array<ArrayBuffer> {
  checkInteger(`${what}.family`, family, 0, 0xffff);
  if (!(data instanceof Uint8Array)) {
    throw new TypeError(
      `${what}.data must be a Uint8Array; got ${show(data)}.`,
    );
  }
  const size = sockaddr.sa_data + data.length;
  if (size > SOCKADDR_SIZE) {
    throw new RangeError(
      `${what}.data must be at most ${
        SOCKADDR_SIZE - sockaddr.sa_data
      } bytes ` +
        `long; got ${data.length}.`,
    );
  }
  const bytes = withFamily(size, family);
  bytes.set(data, sockaddr.sa_data);
  return bytes;
}

function withFamily(size: number, family: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  bytes[sockaddr.sa_family] = family & 0xff;
  bytes[sockaddr.sa_family + 1] = family >> 8;
  return bytes;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Ports are big-endian, on every machine. */
function writePort(bytes: Uint8Array, offset: number, port: number): void {
  bytes[offset] = port >> 8;
  bytes[offset + 1] = port & 0xff;
}

/** What a socket is, which its address does not tell: whether it carries a stream or datagrams. */
export type SocketKind = "stream" | "datagram";

/**
 * Reads a socket address that the kernel wrote. Never throws: what it does not know it gives
 * as {@linkcode RawAddress}.
 *
 * @param bytes the address, as long as the kernel said it is.
 * @param kind decides what `transport` says: "tcp" and "unix", or "udp" and "unixpacket".
 * @returns undefined for one without so much as a family: a message on a connected socket
 * has no sender.
 *
 * @example
 * ```ts
 * import { decodeSockaddr, encodeSockaddr } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const address = { transport: "tcp", hostname: "::1", port: 8000 } as const;
 * assertEquals(decodeSockaddr(encodeSockaddr("address", address)), address);
 * ```
 */
export function decodeSockaddr(
  bytes: Uint8Array,
  kind: SocketKind = "stream",
): SocketAddress | undefined {
  if (bytes.length < sockaddr.sa_data) return undefined;
  const family = (bytes[sockaddr.sa_family] as number) |
    ((bytes[sockaddr.sa_family + 1] as number) << 8);
  const transport = kind === "stream" ? "tcp" : "udp";
  if (family === AF_INET && bytes.length >= sockaddr_in.size) {
    const { sin_addr, sin_port } = sockaddr_in;
    const hostname = formatIpv4(viewOf(bytes).getUint32(sin_addr));
    return { transport, hostname, port: readPort(bytes, sin_port) };
  }
  if (family === AF_INET6 && bytes.length >= sockaddr_in6.size) {
    const hostname = readIpv6(bytes);
    return {
      transport,
      hostname,
      port: readPort(bytes, sockaddr_in6.sin6_port),
    };
  }
  const path = family === AF_UNIX ? readPath(bytes) : undefined;
  if (path === undefined) {
    return { family, data: bytes.slice(sockaddr.sa_data) };
  }
  return { transport: kind === "stream" ? "unix" : "unixpacket", path };
}

function readPort(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

function readIpv6(bytes: Uint8Array): string {
  const { sin6_addr, sin6_scope_id } = sockaddr_in6;
  return formatIpv6({
    bytes: bytes.subarray(sin6_addr, sin6_addr + 16),
    scope: viewOf(bytes).getUint32(sin6_scope_id, true),
  });
}

function readPath(bytes: Uint8Array): string | undefined {
  let name = bytes.subarray(sockaddr_un.sun_path);
  // A path of 108 bytes leaves no room for its NUL, and the kernel then counts one beyond.
  const end = name[0] === 0 ? -1 : name.indexOf(0);
  if (end !== -1) name = name.subarray(0, end);
  try {
    return strictDecoder.decode(name);
  } catch {
    // No UTF-8: as a string it could not be given back. The caller gets the bytes.
    return undefined;
  }
}

/**
 * A socket address as one string, for messages: `"127.0.0.1:80"`, `"[::1]:80"`, a path,
 * `"@name"` for an abstract one.
 *
 * @example
 * ```ts
 * import { showAddress } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(showAddress({ hostname: "::1", port: 80 }), "[::1]:80");
 * assertEquals(showAddress({ path: "\0bus" }), "@bus");
 * ```
 */
export function showAddress(address: SocketAddressLike): string {
  if ("hostname" in address) {
    const { hostname, port } = address;
    return hostname.includes(":")
      ? `[${hostname}]:${port}`
      : `${hostname}:${port}`;
  }
  if ("family" in address) return `family ${address.family}`;
  const { path } = address;
  const text = typeof path === "string" ? path : new TextDecoder().decode(path);
  return text.startsWith("\0") ? `@${text.slice(1)}` : text;
}
