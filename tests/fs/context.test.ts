/** What every function begins with: its ring, its path. And how errors are told. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { systemError } from "../../ffi/mod.ts";
import { defaultRing, pathOf, ringOf } from "../../fs/context.ts";
import { withoutPath, withPath } from "../../fs/failure.ts";
import { readTextFile } from "../../fs/read_file.ts";
import { Uring } from "../../proactor/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import "./both.ts";

Deno.test("ringOf: one for the thread, until it is closed", async () => {
  const ring = ringOf();
  assertStrictEquals(ringOf({}), ring);
  assertStrictEquals(ringOf({ ring: undefined }), ring);
  assertStrictEquals(defaultRing(), ring);
  await using own = new Uring({ entries: 4 });
  assertStrictEquals(ringOf({ ring: own }), own);
  for (const wrong of [null, 5, "ring", {}]) {
    assertThrows(
      () => ringOf({ ring: wrong as never }),
      TypeError,
      "must be a Uring",
    );
  }
  await ring.close();
  assert(defaultRing() !== ring);
  assert((await readTextFile("/proc/version")).startsWith("Linux"));
});

Deno.test("the ring of a thread does not keep its program", async () => {
  using home = new TemporaryDirectory();
  const module = JSON.stringify(import.meta.resolve("../../fs/mod.ts"));
  const program = home.file(
    "program.ts",
    `import * as fs from ${module};
    await fs.writeTextFile(Deno.args[0], "text");
    // Not awaited: it keeps the program until it is done.
    fs.readTextFile(Deno.args[0]).then(console.log);`,
  );
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, home.join("file")],
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "text\n"]);
});

Deno.test("each Worker has a ring of its own", async () => {
  using home = new TemporaryDirectory();
  const module = JSON.stringify(import.meta.resolve("../../fs/mod.ts"));
  const program = home.file(
    "worker.ts",
    `import { defaultRing, readTextFile } from ${module};
    self.onmessage = async ({ data }) => {
      const text = await readTextFile(data);
      const { fd } = defaultRing().ring;
      await defaultRing().close();
      self.postMessage([text, fd]);
    };`,
  );
  const path = home.file("file", "text");
  const answers = await Promise.all([1, 2].map(async () => {
    const worker = new Worker(`file://${program}`, { type: "module" });
    const answer = new Promise<[string, number]>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    worker.postMessage(path);
    try {
      return await answer;
    } finally {
      worker.terminate();
    }
  }));
  for (const [text, fd] of answers) {
    assertEquals(text, "text");
    assert(fd !== defaultRing().ring.fd);
  }
});

Deno.test("pathOf: text and file URLs", () => {
  assertEquals(pathOf("a/../b"), "a/../b"); // everything is allowed: the kernel's business
  assertEquals(pathOf(""), "");
  assertEquals(
    pathOf(new URL("file:///a%20b/%25/100%/%C3%A9")),
    "/a b/%/100%/é",
  );
  assertThrows(
    () => pathOf(new URL("http://a/b")),
    TypeError,
    "Must be a file URL",
  );
  assertThrows(
    () => pathOf(new URL("file://host/b")),
    TypeError,
    "Host must be empty",
  );
  const error = assertThrows(() => pathOf("a\0b", "readfile"), TypeError);
  assertEquals(
    (error as Error).message,
    "file name contained an unexpected NUL byte: readfile 'a\0b'",
  );
  for (const wrong of [undefined, null, 5, {}, Symbol("path")]) {
    assertThrows(
      () => pathOf(wrong as never),
      TypeError,
      "path must be a string",
    );
  }
});

Deno.test("withPath: Deno's words, the kernel's fields, whatever the class", () => {
  const missing = withPath(systemError(2, "openat"), "open", "x");
  assert(missing instanceof Deno.errors.NotFound);
  assertEquals(
    missing.message,
    "No such file or directory (os error 2): open 'x'",
  );
  assertEquals({ ...missing } as unknown, {
    name: "NotFound",
    code: "ENOENT",
    errno: 2,
    op: "openat",
    path: "x",
  });
  const two = withPath(
    systemError(18, "renameat"),
    "rename",
    "a",
    "b",
  ) as Error;
  assertEquals(
    two.message,
    "Invalid cross-device link (os error 18): rename 'a' -> 'b'",
  );
  const invalid = withPath(systemError(22, "openat"), "open", "x");
  assert(invalid instanceof TypeError);
  const other = new Error("mine");
  assertStrictEquals(withPath(other, "open", "x"), other);
  assertStrictEquals(withoutPath("a reason"), "a reason");
});

Deno.test("errors: hints are those of reads and writes, and of O_DIRECT only where it was asked for", () => {
  const hint = "Do this.";
  const told = (errno: number, op: string, direct?: boolean) =>
    (withoutPath(systemError(errno, op, { hint }), direct) as Error).message;
  assertEquals(
    told(95, "read"),
    `Operation not supported (os error 95). ${hint}`,
  );
  assertEquals(told(95, "renameat"), "Operation not supported (os error 95)");
  for (const op of ["read", "write_fixed"]) {
    assertEquals(told(22, op), "Invalid argument (os error 22)");
    assertEquals(told(22, op, true), `Invalid argument (os error 22). ${hint}`);
  }
  const named = withPath(systemError(22, "write", { hint }), "writefile", "x");
  assertEquals(
    (named as Error).message,
    "Invalid argument (os error 22): writefile 'x'",
  );
});
