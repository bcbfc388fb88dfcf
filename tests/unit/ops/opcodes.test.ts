import { assert, assertEquals } from "@std/assert";
import * as abi from "../../../ffi/abi.ts";
import { type Opcode, opcodeOf, opcodes } from "../../../ops/opcodes.ts";

const all: Opcode[] = Object.values(opcodes);

Deno.test("the table has every opcode of the ABI once, in the order of the numbers", () => {
  const constants = Object.entries(abi)
    .filter(([name]) => name.startsWith("IORING_OP_"))
    .filter(([name]) => name !== "IORING_OP_LAST")
    .map(([constant, code]) => ({ constant, code: Number(code) }))
    .sort((a, b) => a.code - b.code);
  assertEquals(
    all.map(({ constant, code }) => ({ constant, code })),
    constants,
  );
  assertEquals(all.length, abi.IORING_OP_LAST);
});

Deno.test("keys are the names in camel case", () => {
  for (const [key, { name, constant }] of Object.entries(opcodes)) {
    const camel = name.replace(
      /_([a-z])/g,
      (_, letter) => letter.toUpperCase(),
    );
    assertEquals(key, camel);
    assertEquals(constant, `IORING_OP_${name.toUpperCase()}`);
  }
});

Deno.test("opcodes came in the order of kernels, each with a man page", () => {
  const versions = all.map(({ since }) => {
    const [major = NaN, minor = NaN] = since.split(".").map(Number);
    return 100 * major + minor;
  });
  assertEquals(versions, versions.toSorted((a, b) => a - b));
  for (const { man } of all) assert(/^io_uring_\w+\([23]\)$/.test(man), man);
});

Deno.test("first kernels and man pages of some opcodes", () => {
  const sinces = {
    fsync: "5.1",
    recvmsg: "5.3",
    connect: "5.5",
    openat2: "5.6",
    tee: "5.8",
    linkat: "5.15",
    getxattr: "5.19",
    sendmsgZc: "6.1",
    waitid: "6.7",
    writevFixed: "6.15",
    pipe: "6.16",
  } as const;
  for (const [key, since] of Object.entries(sinces)) {
    assertEquals(opcodes[key as keyof typeof sinces].since, since, key);
  }
  assertEquals(opcodes.asyncCancel.man, "io_uring_prep_cancel(3)");
  assertEquals(opcodes.openat.man, "io_uring_prep_openat(3)");
});

Deno.test("an opcode is found by its number", () => {
  for (const opcode of all) assertEquals(opcodeOf(opcode.code), opcode);
  assertEquals(opcodeOf(abi.IORING_OP_LAST), undefined);
  assertEquals(opcodeOf(-1), undefined);
});

Deno.test("the table cannot be changed", () => {
  assert(Object.isFrozen(opcodes));
  for (const opcode of all) assert(Object.isFrozen(opcode));
});
