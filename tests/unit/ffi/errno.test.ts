/**
 * errno's names and messages, beside those of Node and of the C library.
 */

import { EOPNOTSUPP } from "../../../ffi/linux.ts";
import * as numbers from "../../../ffi/linux/errnos.ts";
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { assertEquals, assertGreater } from "@std/assert";
import {
  errnoMessage,
  errnoName,
  errnoNumber,
  strerror,
} from "../../../ffi/errno.ts";

/** The kernel's errnos end here; those above are libuv's own. */
const LARGEST = 133;

// Loaded once for all tests: what stays open as long as the isolate is no test's leak.
strerror(1);

const errnos = Array.from({ length: LARGEST }, (_, i) => i + 1);
const symbols = {
  /** const char *strerrorname_np(int errnum), since glibc 2.32 */
  strerrorname_np: { parameters: ["i32"], result: "pointer", optional: true },
  strerror: { parameters: ["i32"], result: "pointer" },
} as const;

function textAt(pointer: Deno.PointerValue): string | null {
  return pointer && Deno.UnsafePointerView.getCString(pointer);
}

Deno.test("errno: names and messages are those of node:util", () => {
  let compared = 0;
  for (const [negative, [name, message]] of getSystemErrorMap()) {
    const errno = -negative;
    if (errno > LARGEST || errno === EOPNOTSUPP) continue;
    assertEquals([errno, errnoName(errno)], [errno, name]);
    assertEquals(errnoMessage(errno), message);
    compared++;
  }
  assertGreater(compared, 60);
});

Deno.test("errno: names are those of node:os", () => {
  // Other names of 95 and 11.
  const others = ["ENOTSUP", "EWOULDBLOCK"];
  for (const [name, errno] of Object.entries(constants.errno)) {
    if (!others.includes(name)) {
      assertEquals([errno, errnoName(errno)], [errno, name]);
    }
  }
});

Deno.test("errno: each has a constant of its name", () => {
  const known = errnos.filter((errno) => errnoName(errno) !== `E${errno}`);
  const others = { EWOULDBLOCK: 11, EDEADLOCK: 35, ENOTSUP: 95 };
  const named = known.map((errno) => [errnoName(errno), errno]);
  assertEquals({ ...numbers }, { ...Object.fromEntries(named), ...others });
});

Deno.test("errno: names and messages are those of the C library", () => {
  const library = Deno.dlopen("libc.so.6", symbols);
  const { strerrorname_np: nameOf, strerror: textOf } = library.symbols;
  try {
    for (const errno of errnos) {
      if (nameOf !== null) {
        const name = textAt(nameOf(errno));
        const known = name === "ENOTSUP" ? "EOPNOTSUPP" : name;
        assertEquals(errnoName(errno), known ?? `E${errno}`);
      }
      assertEquals(strerror(errno), textAt(textOf(errno)));
    }
    assertEquals(strerror(LARGEST + 1), textAt(textOf(LARGEST + 1)));
  } finally {
    library.close();
  }
});

Deno.test("errno: a message that node:util has not is the C library's", () => {
  assertEquals(errnoMessage(EOPNOTSUPP), "Operation not supported");
  assertEquals(errnoMessage(62), "Timer expired");
  assertEquals(errnoMessage(41), "Unknown error 41");
});

Deno.test("errno: each name has its number, and no other", () => {
  for (const errno of errnos) {
    const name = errnoName(errno);
    const isName = name !== `E${errno}`;
    assertEquals(errnoNumber(name), isName ? errno : undefined);
  }
  assertEquals(errnoName(0), "E0");
  assertEquals(errnoName(LARGEST + 1), `E${LARGEST + 1}`);
  assertEquals(errnoNumber("ENOSUCH"), undefined);
  assertEquals(errnoNumber("toString"), undefined);
});
