import { assertEquals } from "@std/assert";
import * as abi from "../../ffi/abi.ts";
import * as layout from "../../ffi/layout.ts";
import { epollEventLayout, statLayout } from "../../ffi/layout/arch.ts";
import * as linux from "../../ffi/linux.ts";
import { openFlags } from "../../ffi/linux/arch.ts";
import * as errnos from "../../ffi/linux/errnos.ts";
import golden from "./abi.json" with { type: "json" };

type Struct = { size: number; fields: Record<string, number> };
type Table = Readonly<Record<string, number>>;

/** The golden data writes what a double cannot hold as a decimal string. */
function values(
  constants: Record<string, number | string>,
): Record<string, number | bigint> {
  return Object.fromEntries(
    Object.entries(constants).map(([name, value]) => [
      name,
      typeof value === "string" ? BigInt(value) : value,
    ]),
  );
}

/** A struct of the golden data in the form of `ffi/layout.ts`. */
function table({ size, fields }: Struct): Table {
  const result: Record<string, number> = { size };
  for (const [name, offset] of Object.entries(fields)) {
    result[name === "size" ? "size_" : name.replaceAll(".", "_")] = offset;
  }
  return result;
}

const structs: Record<string, Struct> = golden.structs;
const { aarch64 } = golden;
const here = Deno.build.arch === "aarch64"
  ? {
    linux: { ...golden.linux, ...aarch64.linux },
    structs: { ...structs, ...aarch64.structs },
  }
  : { linux: golden.linux, structs };

Deno.test("abi: every constant of io_uring, and no other", () => {
  assertEquals({ ...abi }, values(golden.constants));
});

Deno.test("linux: every constant for this architecture, and no other", () => {
  // errnos have a test of their own, beside those who know them.
  assertEquals({ ...linux }, values({ ...here.linux, ...errnos }));
});

Deno.test("linux: no name is in abi as well", () => {
  assertEquals(Object.keys(linux).filter((name) => name in abi), []);
});

Deno.test("linux: the flags of open on both architectures", () => {
  const { O_DIRECT, O_DIRECTORY, O_NOFOLLOW, O_TMPFILE } = golden.linux;
  assertEquals(
    { ...openFlags("x86_64") },
    { O_DIRECT, O_DIRECTORY, O_NOFOLLOW, O_TMPFILE },
  );
  assertEquals({ ...openFlags("aarch64") }, aarch64.linux);
});

Deno.test("layout: every struct of the golden data, and no other", () => {
  assertEquals(Object.keys(layout).sort(), Object.keys(structs).sort());
});

const tables: Record<string, Table> = layout;
for (const [name, struct] of Object.entries(here.structs)) {
  Deno.test(`layout: ${name}`, () => {
    assertEquals({ ...tables[name] }, table(struct));
  });
}

Deno.test("layout: stat and epoll_event on both architectures", () => {
  const { stat, epoll_event } = golden.structs;
  assertEquals({ ...statLayout("x86_64") }, table(stat));
  assertEquals({ ...statLayout("aarch64") }, table(aarch64.structs.stat));
  assertEquals({ ...epollEventLayout("x86_64") }, table(epoll_event));
  assertEquals(
    { ...epollEventLayout("aarch64") },
    table(aarch64.structs.epoll_event),
  );
});
