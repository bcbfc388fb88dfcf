import { assertEquals } from "@std/assert";
import { MSGHDR_SIZE, readMsghdr, writeMsghdr } from "../../../ffi/mod.ts";
import abi from "../../golden/abi.json" with { type: "json" };

const { size, fields } = abi.structs.msghdr;

Deno.test("msghdr: every field where C has it, over what was there before", () => {
  assertEquals(MSGHDR_SIZE, size);
  const bytes = new Uint8Array(8 + size + 8).fill(0xff);
  const view = new DataView(bytes.buffer);
  writeMsghdr(view, 8, {
    name: 0x7f00_1234_5678,
    nameLength: 28,
    iov: 0x7f00_0000_1000,
    iovLength: 3,
    control: 0x7f00_0000_2000,
    controlLength: 48,
  });
  const at = (field: keyof typeof fields) =>
    view.getBigUint64(8 + fields[field], true);
  assertEquals(at("msg_name"), 0x7f00_1234_5678n);
  assertEquals(at("msg_namelen"), 28n); // with the padding behind it
  assertEquals(at("msg_iov"), 0x7f00_0000_1000n);
  assertEquals(at("msg_iovlen"), 3n);
  assertEquals(at("msg_control"), 0x7f00_0000_2000n);
  assertEquals(at("msg_controllen"), 48n);
  assertEquals(at("msg_flags"), 0n);
  assertEquals([bytes[7], bytes[8 + size]], [0xff, 0xff]);
});

Deno.test("msghdr: what the kernel writes is read back", () => {
  const view = new DataView(new ArrayBuffer(4 + size));
  view.setUint32(4 + fields.msg_namelen, 16, true);
  view.setBigUint64(4 + fields.msg_controllen, 24n, true);
  view.setUint32(4 + fields.msg_flags, 0x8000_0020, true);
  assertEquals(readMsghdr(view, 4), {
    nameLength: 16,
    controlLength: 24,
    flags: 0x8000_0020,
  });
});
