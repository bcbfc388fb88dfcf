/** What the C library tells of paths and descriptors, for the permissions. */

import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import {
  closeDescriptor,
  eventfd,
  isSystemError,
  O_DIRECTORY,
  pipePair,
} from "../../ffi/mod.ts";
import { isPipe, isTerminal } from "../../ffi/kind.ts";
import { resolvePath } from "../../ffi/path.ts";
import { allowOpen } from "../../fs/permission.ts";
import { opcodes } from "../../ops/opcodes.ts";
import { close, openat } from "../../ops/open.ts";
import { renameat } from "../../ops/path.ts";
import { run } from "../../ops/run.ts";
import { Ring } from "../../ring/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import "./both.ts";

const encoder = new TextEncoder();

Deno.test("resolvePath: as Deno.realPath", () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("日本"));
  home.file("日本/file");
  Deno.symlinkSync("日本", home.join("link"));
  Deno.symlinkSync("loop", home.join("loop"));
  Deno.symlinkSync("nothing", home.join("dangling"));
  const names = [
    "日本/file",
    "link/file",
    "link/..//./link",
    "loop",
    "nothing",
  ];
  for (const name of [...names, "dangling", "日本/file/x", "n".repeat(256)]) {
    const path = home.join(name);
    const attempt = (resolve: (path: string) => string) => {
      try {
        return resolve(path);
      } catch (error) {
        return (error as { code?: string }).code ?? "ENAMETOOLONG";
      }
    };
    assertEquals(attempt(resolvePath), attempt(Deno.realPathSync), name);
  }
  assertEquals(resolvePath("."), Deno.cwd());
  assertThrows(() => resolvePath("a\0b"), TypeError, "contains a NUL");
});

Deno.test({
  name: "resolvePath: a name that is no UTF-8",
  ignore: !opcodes.renameat.supported(),
  fn() {
    using home = new TemporaryDirectory();
    const path = home.join("folder");
    Deno.mkdirSync(path);
    using ring = new Ring(4);
    const fd = run(ring, openat(path, O_DIRECTORY));
    const odd = Uint8Array.of(...encoder.encode(`${home.path}/`), 0xff);
    run(ring, renameat(path, odd));
    const error = assertThrows(() => resolvePath(`/proc/self/fd/${fd}`));
    assert(isSystemError(error));
    assertEquals([error.code, error.op], ["EILSEQ", "realpath"]);
    run(ring, close(fd));
  },
});

Deno.test("isPipe: of a pipe, and of nothing else", () => {
  const pipe = pipePair();
  for (const fd of pipe) assert(isPipe(fd) && !isTerminal(fd));
  for (const fd of pipe) closeDescriptor(fd);
  assertFalse(isPipe(pipe[0]) || isTerminal(pipe[0]));
  const other = eventfd();
  assertFalse(isPipe(other));
  closeDescriptor(other);
  assertThrows(() => isPipe(-1), RangeError, "isPipe: fd");
});

Deno.test("allowOpen: where everything is allowed, nothing is looked at", () => {
  const opening = allowOpen("/proc/../x", { read: true, write: true }, "open");
  assertEquals(opening, { path: "/proc/../x", flags: 0, resolve: 0 });
});
