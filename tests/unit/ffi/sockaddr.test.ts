import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  decodeSockaddr,
  encodeSockaddr,
  formatIpv4,
  formatIpv6,
  parseIpv4,
  parseIpv6,
  showAddress,
  SOCKADDR_SIZE,
  type SocketAddressLike,
} from "../../../ffi/mod.ts";
import abi from "../../golden/abi.json" with { type: "json" };

// The C library is loaded once and for good: before the tests that look for leaks.
parseIpv6("::1%lo");

const { sockaddr_in, sockaddr_in6, sockaddr_un, sockaddr_storage } =
  abi.structs;

function encode(address: unknown): Uint8Array<ArrayBuffer> {
  return encodeSockaddr("op: address", address as SocketAddressLike);
}

function refuses(
  address: unknown,
  type: typeof TypeError | typeof RangeError,
  words: string,
): void {
  assertThrows(() => encode(address), type, words);
}

Deno.test("sockaddr: an IPv4 address is what struct sockaddr_in has", () => {
  const bytes = encode({ transport: "tcp", hostname: "192.0.2.7", port: 8080 });
  assertEquals(bytes.length, sockaddr_in.size);
  const view = new DataView(bytes.buffer);
  const { sin_family, sin_port, sin_addr } = sockaddr_in.fields;
  assertEquals(view.getUint16(sin_family, true), 2);
  assertEquals(view.getUint16(sin_port, false), 8080);
  assertEquals(view.getUint32(sin_addr, false), 0xc0000207);
  assertEquals(view.getBigUint64(8, true), 0n);
});

Deno.test("sockaddr: an IPv6 address is what struct sockaddr_in6 has", () => {
  const bytes = encode({ hostname: "2001:db8::ff01%3", port: 443 });
  assertEquals(bytes.length, sockaddr_in6.size);
  const view = new DataView(bytes.buffer);
  const { fields } = sockaddr_in6;
  assertEquals(view.getUint16(fields.sin6_family, true), 10);
  assertEquals(view.getUint16(fields.sin6_port, false), 443);
  assertEquals(view.getUint32(fields.sin6_flowinfo, true), 0);
  assertEquals(
    bytes.slice(fields.sin6_addr, fields.sin6_addr + 16),
    Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 1),
  );
  assertEquals(view.getUint32(fields.sin6_scope_id, true), 3);
});

Deno.test("sockaddr: a Unix path ends in a NUL, an abstract name does not", () => {
  const path = encode({ path: "/run/é" });
  assertEquals(path.length, sockaddr_un.fields.sun_path + 7 + 1);
  assertEquals(path[0], 1);
  assertEquals(path.at(-1), 0);
  assertEquals(encode({ path: "\0bus" }).length, 2 + 4);
  assertEquals(encode({ path: "" }), Uint8Array.of(1, 0));
  assertEquals(encode({ path: "x".repeat(107) }).length, sockaddr_un.size);
});

const roundTrips: Record<string, SocketAddressLike> = {
  "IPv4": { transport: "tcp", hostname: "127.0.0.1", port: 0 },
  "IPv4, the last of all": {
    transport: "tcp",
    hostname: "255.255.255.255",
    port: 65535,
  },
  "IPv6": { transport: "tcp", hostname: "2001:db8::1", port: 80 },
  "IPv6, any": { transport: "tcp", hostname: "::", port: 80 },
  "IPv6, no zeros": { transport: "tcp", hostname: "1:2:3:4:5:6:7:8", port: 1 },
  "IPv6, IPv4-mapped": {
    transport: "tcp",
    hostname: "::ffff:192.0.2.1",
    port: 1,
  },
  "IPv6, a zone by name": {
    transport: "tcp",
    hostname: "fe80::1%lo",
    port: 1,
  },
  "IPv6, a zone that has no name": {
    transport: "tcp",
    hostname: "fe80::1%4000000000",
    port: 1,
  },
  "Unix": { transport: "unix", path: "/tmp/ünïx.sock" },
  "Unix, abstract, NULs": { transport: "unix", path: "\0a\0b" },
  "Unix, unnamed": { transport: "unix", path: "" },
  "raw": { family: 40, data: Uint8Array.of(1, 2, 3) },
};

for (const [name, address] of Object.entries(roundTrips)) {
  Deno.test(`sockaddr: round trip: ${name}`, () => {
    const decoded = decodeSockaddr(encode(address));
    assertEquals<unknown>(decoded, address);
  });
}

Deno.test("sockaddr: the kind of socket decides the transport", () => {
  const ip = encode({ hostname: "::1", port: 1 });
  const unix = encode({ path: "/x" });
  assertEquals(decodeSockaddr(ip, "datagram"), {
    transport: "udp",
    hostname: "::1",
    port: 1,
  });
  assertEquals(decodeSockaddr(unix, "datagram"), {
    transport: "unixpacket",
    path: "/x",
  });
});

Deno.test("sockaddr: what is cut short, or not understood, comes as bytes", () => {
  assertEquals(decodeSockaddr(new Uint8Array()), undefined);
  assertEquals(decodeSockaddr(Uint8Array.of(2)), undefined);
  assertEquals(decodeSockaddr(Uint8Array.of(2, 0, 0, 80)), {
    family: 2,
    data: Uint8Array.of(0, 80),
  });
  // No UTF-8: as a string it would name another socket.
  const odd = { path: Uint8Array.of(47, 0xff, 0x80) };
  const decoded = decodeSockaddr(encode(odd));
  assertEquals(decoded, { family: 1, data: Uint8Array.of(47, 0xff, 0x80, 0) });
  assert(decoded !== undefined);
  assertEquals(encode(decoded), encode(odd));
});

Deno.test("sockaddr: a path that fills sun_path has no NUL, and one beyond", () => {
  const bytes = new Uint8Array(SOCKADDR_SIZE);
  bytes[0] = 1;
  bytes.fill(97, 2, 110);
  assertEquals(decodeSockaddr(bytes.subarray(0, 111)), {
    transport: "unix",
    path: "a".repeat(108),
  });
  assertEquals(SOCKADDR_SIZE, sockaddr_storage.size);
});

Deno.test("sockaddr: a byte order mark belongs to the name", () => {
  const path = "\ufeff/x";
  assertEquals(decodeSockaddr(encode({ path })), { transport: "unix", path });
});

Deno.test("sockaddr: what is no address is refused", () => {
  refuses(undefined, TypeError, "op: address must be { hostname, port }");
  refuses(null, TypeError, "got null");
  refuses("127.0.0.1:80", TypeError, 'got "127.0.0.1:80"');
  refuses({}, TypeError, "{ path }");
  refuses({ hostname: 1, port: 1 }, TypeError, "op: address.hostname");
  refuses({ hostname: "::1" }, TypeError, "op: address.port");
  refuses({ hostname: "::1", port: "80" }, TypeError, "op: address.port");
  refuses({ hostname: "::1", port: 65536 }, RangeError, "0 to 65535");
  refuses({ hostname: "::1", port: -1 }, RangeError, "got -1");
  refuses({ hostname: "::1", port: 1.5 }, RangeError, "got 1.5");
  refuses({ path: 7 }, TypeError, "op: address.path");
  refuses({ path: "/a\0b" }, TypeError, "contains a NUL");
  refuses({ path: "x".repeat(108) }, RangeError, "107 bytes");
  refuses({ path: "é".repeat(54) }, RangeError, "got 108");
  refuses({ family: 70000, data: new Uint8Array() }, RangeError, "family");
  refuses({ family: 1, data: "x" }, TypeError, "op: address.data");
  refuses({ family: 1, data: new Uint8Array(127) }, RangeError, "126 bytes");
});

for (
  const hostname of [
    "localhost",
    "",
    "127.1",
    "0x7f.0.0.1",
    "127.0.0.01",
    "1.2.3.256",
    "1.2.3.4.5",
    "1.2.3.4 ",
    "[::1]",
    "::1]",
    "::1/64",
    "1::2::3",
    "12345::",
    ":",
    "1:2:3:4:5:6:7:8:9",
    "::1@x:1",
    "::ffff:1.2.3",
    "%lo",
    "::1%",
    "127.0.0.1%lo",
  ]
) {
  Deno.test(`sockaddr: ${JSON.stringify(hostname)} is no IP address`, () => {
    refuses({ hostname, port: 1 }, RangeError, "hostname");
    refuses({ hostname, port: 1 }, RangeError, "Deno.resolveDns");
  });
}

Deno.test("sockaddr: a zone that is no interface is refused by name", () => {
  for (const zone of ["no-such-interface", "0", "99999999999", "lo\0", "lo/"]) {
    const words = `zone ${JSON.stringify(zone)}`;
    assertThrows(() => parseIpv6(`fe80::1%${zone}`), RangeError, words);
  }
});

Deno.test("sockaddr: every form of RFC 4291 and 5952", () => {
  const forms: Record<string, string> = {
    "2001:0DB8:0:0:0:0:0:1": "2001:db8::1",
    "::": "::",
    "1::": "1::",
    "0:0:0:0:0:0:0:0": "::",
    "1:0:0:2:0:0:0:3": "1:0:0:2::3",
    "1:0:0:2:3:0:0:4": "1::2:3:0:0:4",
    "1:0:3:4:5:6:7:8": "1:0:3:4:5:6:7:8",
    "::ffff:c000:201": "::ffff:192.0.2.1",
    "::192.0.2.1": "::c000:201",
    "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
  };
  for (const [text, canonical] of Object.entries(forms)) {
    const parsed = parseIpv6(text);
    assert(parsed !== undefined, text);
    assertEquals(formatIpv6(parsed), canonical);
  }
  assertEquals(parseIpv4("0.0.0.0"), 0);
  assertEquals(parseIpv4("255.255.255.255"), 0xffff_ffff);
  assertEquals(formatIpv4(0xff00_80fe), "255.0.128.254");
});

Deno.test("sockaddr: addresses as text", () => {
  assertEquals(showAddress({ hostname: "127.0.0.1", port: 1 }), "127.0.0.1:1");
  assertEquals(showAddress({ path: new TextEncoder().encode("/x") }), "/x");
  assertEquals(
    showAddress({ family: 17, data: new Uint8Array() }),
    "family 17",
  );
});
