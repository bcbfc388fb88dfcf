/**
 * IP addresses as text and as bytes.
 *
 * @module
 */

import { libc } from "../libc.ts";

/** `IF_NAMESIZE` of net/if.h: an interface's name with its NUL. */
const IF_NAMESIZE = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An IPv6 address, and the interface that a link-local one is on. */
export interface Ipv6 {
  /** Its 16 bytes. */
  bytes: Uint8Array;
  /** The index of the interface, 0 for none. */
  scope: number;
}

/** Four decimal numbers. No leading zeros: some readers take them for octal. */
const IPV4 =
  /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/;

/** Only what may stand in an address: the URL parser must not see a host's end. */
const IPV6 = /^([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?:%(.+))?$/s;

/**
 * An IPv4 address as a number, its first byte the highest; undefined for text that is none.
 *
 * @example
 * ```ts
 * import { parseIpv4 } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseIpv4("127.0.0.1"), 0x7f00_0001);
 * assertEquals(parseIpv4("127.1"), undefined);
 * ```
 */
export function parseIpv4(text: string): number | undefined {
  const match = IPV4.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (let i = 1; i <= 4; i++) {
    const byte = Number(match[i]);
    if (byte > 255) return undefined;
    address = address * 256 + byte;
  }
  return address;
}

/**
 * An IPv4 address as text.
 *
 * @param address the address as a number, its first byte the highest.
 *
 * @example
 * ```ts
 * import { formatIpv4 } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatIpv4(0x0a00_0001), "10.0.0.1");
 * ```
 */
export function formatIpv4(address: number): string {
  const [b, c, d] = [address >>> 16, address >>> 8, address];
  return `${address >>> 24}.${b & 0xff}.${c & 0xff}.${d & 0xff}`;
}

/**
 * An IPv6 address, undefined for text that is none. A zone may follow, by the interface's
 * name or number: `"fe80::1%eth0"`.
 *
 * @throws {RangeError} if the machine has no interface of that name.
 *
 * @example
 * ```ts
 * import { parseIpv6 } from "@uring/uring/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseIpv6("fe80::1%2")?.scope, 2);
 * assertEquals(parseIpv6("::1")?.bytes[15], 1);
 * assertEquals(parseIpv6("127.0.0.1"), undefined);
 * ```
 */
export function parseIpv6(text: string): Ipv6 | undefined {
  const [, address, zone] = IPV6.exec(text) ?? [];
  if (address === undefined) return undefined;
  // The URL parser reads every form of RFC 4291 and is there at once; loading node:net for
  // isIP and SocketAddress would take as long as starting a program.
  const canonical = URL.parse(`http://[${address}]`)?.hostname;
  if (canonical === undefined) return undefined;
  const [head = "", tail = ""] = canonical.slice(1, -1).split("::");
  const bytes = new Uint8Array(16);
  writeGroups(bytes, 0, splitGroups(head));
  const last = splitGroups(tail);
  writeGroups(bytes, 16 - 2 * last.length, last);
  return { bytes, scope: zone === undefined ? 0 : scopeOf(zone) };
}

function splitGroups(text: string): string[] {
  return text === "" ? [] : text.split(":");
}

function writeGroups(bytes: Uint8Array, start: number, groups: string[]): void {
  groups.forEach((group, i) => {
    const value = parseInt(group, 16);
    bytes[start + 2 * i] = value >> 8;
    bytes[start + 2 * i + 1] = value & 0xff;
  });
}

/**
 * An IPv6 address as text, in the form of RFC 5952, with the interface's name after a `%`
 * if it has a scope.
 *
 * @example
 * ```ts
 * import { formatIpv6, parseIpv6 } from "@uring/uring/ffi";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const ip = parseIpv6("2001:DB8:0:0:0:0:0:1");
 * assert(ip !== undefined);
 * assertEquals(formatIpv6(ip), "2001:db8::1");
 * ```
 */
export function formatIpv6({ bytes, scope }: Ipv6): string {
  const zone = scope === 0 ? "" : `%${scopeName(scope)}`;
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join(".")}${zone}`;
  const words = Array.from(
    { length: 8 },
    (_, i) =>
      (((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number))
        .toString(16),
  );
  const host = new URL(`http://[${words.join(":")}]`).hostname;
  return host.slice(1, -1) + zone;
}

/** Whether it is an IPv4 address in IPv6's clothes: RFC 5952 wants those dotted. */
function isMapped(bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff &&
    bytes.subarray(0, 10).every((byte) => byte === 0);
}

function scopeOf(zone: string): number {
  const number = /^\d{1,10}$/.test(zone) ? Number(zone) : 0;
  if (number > 0 && number <= 0xffff_ffff) return number;
  const name = encoder.encode(`${zone}\0`);
  const index = libc().if_nametoindex(name);
  if (index === 0 || name.indexOf(0) !== name.length - 1) {
    throw new RangeError(
      `IPv6 zone ${JSON.stringify(zone)}: there is no such network interface.`,
    );
  }
  return index;
}

function scopeName(scope: number): string {
  const name = new Uint8Array(IF_NAMESIZE);
  if (libc().if_indextoname(scope, name) === null) return String(scope);
  return decoder.decode(name.subarray(0, name.indexOf(0)));
}
