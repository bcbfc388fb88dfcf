import { assertEquals, assertThrows } from "@std/assert";
import {
  checkControl,
  type ControlMessage,
  controlSpace,
  readControl,
  receivedFds,
  rights,
  writeControl,
} from "../../../ffi/mod.ts";
import abi from "../../golden/abi.json" with { type: "json" };

const { cmsghdr } = abi.structs;

function message(length: number, level = 1, type = 2): ControlMessage {
  return { level, type, data: new Uint8Array(length).fill(0xaa) };
}

Deno.test("cmsghdr: CMSG_SPACE for every remainder", () => {
  assertEquals(
    [0, 1, 4, 8, 9].map(controlSpace),
    [16, 24, 24, 24, 32],
  );
});

Deno.test("cmsghdr: fields and padding, over what was there before", () => {
  const bytes = new Uint8Array(64).fill(0xff);
  assertEquals(writeControl(bytes, [message(3, -1, 7)]), 24);
  const view = new DataView(bytes.buffer);
  const { cmsg_len, cmsg_level, cmsg_type } = cmsghdr.fields;
  assertEquals(view.getBigUint64(cmsg_len, true), BigInt(cmsghdr.size + 3));
  assertEquals(view.getInt32(cmsg_level, true), -1);
  assertEquals(view.getInt32(cmsg_type, true), 7);
  assertEquals(
    bytes.slice(cmsghdr.size, 25),
    Uint8Array.of(0xaa, 0xaa, 0xaa, 0, 0, 0, 0, 0, 0xff),
  );
});

Deno.test("cmsghdr: several messages come back, as copies", () => {
  const messages = [message(0), message(5), message(8, 41, 50), message(1)];
  const bytes = new Uint8Array(checkControl("op: control", messages));
  assertEquals(writeControl(bytes, messages), bytes.length);
  const read = readControl(bytes);
  bytes.fill(0);
  assertEquals(read, messages);
});

Deno.test("cmsghdr: the last message may lack its padding", () => {
  const bytes = new Uint8Array(24);
  writeControl(bytes, [message(3)]);
  assertEquals(readControl(bytes.subarray(0, 19)), [message(3)]);
});

Deno.test("cmsghdr: lengths that lie end the reading", () => {
  for (const length of [0n, 15n, 41n, 1n << 40n, (1n << 64n) - 1n]) {
    const bytes = new Uint8Array(40);
    writeControl(bytes, [message(4), message(0)]);
    new DataView(bytes.buffer).setBigUint64(24, length, true);
    assertEquals(readControl(bytes), [message(4)], `${length}`);
  }
  assertEquals(readControl(new Uint8Array(15)), []);
});

Deno.test("cmsghdr: a view that is not aligned is read too", () => {
  const bytes = new Uint8Array(32);
  writeControl(bytes.subarray(3), [rights(1, 2)]);
  assertEquals(receivedFds(readControl(bytes.subarray(3, 27))), [1, 2]);
});

Deno.test("cmsghdr: only SCM_RIGHTS has file descriptors", () => {
  const control = [rights(3), message(4, 1, 2), message(4, 6, 1), rights(9, 8)];
  assertEquals(receivedFds(control), [3, 9, 8]);
});

Deno.test("cmsghdr: what is no message is refused by its place", () => {
  const refuses = (
    control: unknown,
    type: typeof TypeError | typeof RangeError,
    words: string,
  ) =>
    assertThrows(
      () => checkControl("op: control", control as ControlMessage[]),
      type,
      words,
    );
  refuses("x", TypeError, 'op: control must be an array; got "x"');
  refuses([message(1), { level: 1, type: 1 }], TypeError, "[1].data");
  refuses([message(1, 2 ** 31)], RangeError, "[0].level");
  refuses([message(1, 1, 0.5)], RangeError, "[0].type");
  assertThrows(() => rights(-1), RangeError, "rights: fds[0]");
  assertThrows(() => rights(0, 1.5), RangeError, "rights: fds[1]");
});
