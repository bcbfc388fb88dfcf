import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  encodeSockaddr,
  MSG_CMSG_CLOEXEC,
  MSG_TRUNC,
  readRecvmsgOut,
  rights,
  writeControl,
} from "../../../ffi/mod.ts";
import abi from "../../golden/abi.json" with { type: "json" };

const { size, fields } = abi.structs.io_uring_recvmsg_out;

const address = { transport: "udp", hostname: "127.0.0.1", port: 9 } as const;

/** A buffer as the kernel fills it: rooms of 32 and 48 bytes before the payload. */
function filled(lengths: Partial<Record<keyof typeof fields, number>>) {
  const bytes = new Uint8Array(size + 32 + 48 + 5).fill(0xee);
  const view = new DataView(bytes.buffer);
  for (const field of Object.keys(fields) as (keyof typeof fields)[]) {
    view.setUint32(fields[field], lengths[field] ?? 0, true);
  }
  bytes.set(encodeSockaddr("address", address), size);
  writeControl(bytes.subarray(size + 32), [rights(4)]);
  bytes.set([1, 2, 3, 4, 5], size + 32 + 48);
  return bytes;
}

const layout = { nameLength: 32, controlLength: 48 };

Deno.test("recvmsg_out: address, control messages and payload", () => {
  const bytes = filled({
    namelen: 16,
    controllen: 24,
    payloadlen: 9,
    flags: MSG_TRUNC | MSG_CMSG_CLOEXEC,
  });
  const message = readRecvmsgOut(bytes, layout);
  assertEquals(message, {
    address,
    control: [rights(4)],
    payload: Uint8Array.of(1, 2, 3, 4, 5),
    payloadLength: 9,
    flags: MSG_TRUNC,
  });
  assertStrictEquals(message.payload.buffer, bytes.buffer);
});

Deno.test("recvmsg_out: a message without sender, control, payload", () => {
  const bytes = filled({}).subarray(0, size + 80);
  assertEquals(readRecvmsgOut(bytes, layout), {
    address: undefined,
    control: [],
    payload: new Uint8Array(),
    payloadLength: 0,
    flags: 0,
  });
});

Deno.test("recvmsg_out: lengths beyond their rooms are held to them", () => {
  const bytes = filled({
    namelen: 110,
    controllen: 2 ** 32 - 1,
    payloadlen: 5,
  });
  const message = readRecvmsgOut(bytes, layout);
  assertEquals(message.address, address);
  assertEquals(message.payload, Uint8Array.of(1, 2, 3, 4, 5));
  assertEquals(message.control[0], rights(4));
});

Deno.test("recvmsg_out: fewer bytes than the rooms take are refused", () => {
  const bytes = new Uint8Array(size + 79);
  assertThrows(
    () => readRecvmsgOut(bytes, layout),
    RangeError,
    "takes 96 bytes before the payload, but there are only 95",
  );
  assertThrows(() => readRecvmsgOut(new Uint8Array(15)), RangeError, "only 15");
  assertThrows(
    () => readRecvmsgOut(bytes, { nameLength: -1 }),
    RangeError,
    "nameLength",
  );
});
