/** examples/ring/cat.ts beside coreutils' cat. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cat } from "../../../examples/ring/cat.ts";
import { forbidden, hasCompiler } from "../../support/forbid.ts";
import {
  canBeNobody,
  canMount,
  compare,
  type Comparison,
  mountSmall,
  pattern,
  remove,
  scratch,
  shell,
  slow,
  sparse,
  useTutorials,
} from "../../support/utilities.ts";

useTutorials();

const SIZES = [0, 1, 4095, 4096, 4097, 2 ** 20 + 1];

function test(name: string, comparison: Comparison): void {
  Deno.test(`cat: ${name}`, async () => {
    await compare(comparison);
  });
}

/** A file `f` with something in it. */
const some: Comparison["files"] = (path) =>
  Deno.writeTextFileSync(path("f"), "one\ntwo\nthree\n");

for (const size of SIZES) {
  test(`${size} bytes to a pipe, to a file, from standard input`, {
    files: (path) => Deno.writeFileSync(path("f"), pattern(size)),
    script: "cat f; cat f > out; cat < f >> out; cat f | cat - >> out",
  });
}

test("64 MiB to a pipe and to a file", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(2 ** 26)),
  script: "cat f | md5sum; cat f > out; cmp f out; cat - < f | cmp - out",
});

test("a sparse file", {
  files: (path) => sparse(path("f"), 2 ** 27),
  script: "cat f | md5sum; cat f > out; rm f",
});

Deno.test({
  name: "cat: 1 GiB, and a sparse file of 10 GiB",
  ignore: !slow,
  async fn() {
    await compare({
      files: (path) => sparse(path("f"), 10 * 2 ** 30),
      script: "cat f | md5sum; rm f; " +
        "head -c 1G /dev/urandom > f; cat f | cmp - f; cat f > out; cmp f out; rm f out",
      timeout: 300_000,
    });
  },
});

test("/proc, whose files have no size", {
  script: "cat /proc/cpuinfo > cpuinfo; cat /proc/cpuinfo; cat /proc/version;" +
    "cat /proc/kallsyms | md5sum; cat < /proc/filesystems; rm cpuinfo",
  normalize: (text) => text.replace(/cpu MHz.*/g, ""),
});

test("/proc to a file", {
  script: "cat /proc/version /proc/filesystems > out",
});

test("/sys, whose files are shorter than their size", {
  script: "cat /sys/kernel/mm/transparent_hugepage/enabled > out; " +
    "cat /sys/kernel/mm/transparent_hugepage/enabled",
});

test("/proc to a pipe that is read late", {
  script: "cat /proc/kallsyms | (sleep 0.5; md5sum)",
});

test("a FIFO whose writer comes late, and pauses", {
  script: "mkfifo p; (sleep 0.4; echo a; sleep 0.2; echo b) > p & cat p; " +
    "(sleep 0.4; echo c) > p & cat p > out; wait",
});

test("standard input by name, by default, and between files", {
  files: some,
  script: "echo in | cat; echo in | cat -; echo in | cat f - f; " +
    "echo in | cat - - f; cat < /dev/null",
});

test("devices", {
  script: "cat /dev/null; cat /dev/null > out; cat /dev/zero | head -c 300000" +
    " | md5sum; head -c 3 /dev/zero | cat - | od -c",
});

test("standard input goes on where others left it, and is left at its end", {
  files: some,
  script: "(read line; cat; echo end; cat) < f; " +
    "(read line; cat > out; cat >> out) < f; (read line; cat | cat; cat) < f",
});

test("standard output goes on where others left it", {
  files: some,
  script: "(echo first; cat f f; echo last) > out; (cat f; cat f) >> out; " +
    "cat f 1<> f2",
});

test("a missing file, a directory, and all the others all the same", {
  files: some,
  script: "cat f nope f . f no/where f/x > out; echo $?; cat . | cat; cat nope",
});

test("names that need quotes", {
  script: `cat 'a b' a:b "a'b" 'a"b' 'a$' '~x' 'x~' '#a' 'a=b' '' 'a\\b' ` +
    `"$(printf 'a\\nb')" "$(printf '\\001')" 'a*' '{' '{}' ']' ./x -- -n`,
});

test("options", {
  files: some,
  script: "cat -% f; cat --nope; cat --nope=3; cat --help=3; cat f -- f; " +
    "cat -% --help",
});

test("a full disk: /dev/full", {
  files: some,
  script: "cat f > /dev/full; echo $?; cat nope f f > /dev/full; echo $?; " +
    "cat /proc/version > /dev/full",
});

test("a full disk, or nobody, where help goes", {
  script: "cat --help > /dev/full; echo $?; " +
    "(sleep 0.3; cat --help; echo $? >&2) | true",
});

test("a file that is its own output", {
  files: some,
  script: "cat f >> f; echo $?; echo x | cat - f f >> f; cat < f >> f; " +
    ": > empty; cat empty >> empty",
});

// A limit, and a full disk, cut a write short in the middle of a chain. Appended to, because
// from file to file coreutils copy in a way of their own that lays the blame on the input.
test("an output that becomes too large", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(5_000_000)),
  // Deno writes to caches of its own, which the limit must not stop.
  script: "cat f > /dev/null; trap '' XFSZ; ulimit -f 9000; cat f >> out",
});

test("nobody reads the output any more", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(2 ** 21)),
  script: "(cat f; echo $? >&2) | head -c 10 > out; " +
    "(cat /dev/zero; echo $? >&2) | head -c 100000 > zeros; " +
    "(cat /proc/kallsyms; echo $? >&2) | head -c 10 > /dev/null; " +
    "(sleep 0.3; cat f f; echo $? >&2) | true",
});

Deno.test({
  name: "cat: a file that may not be read",
  ignore: !canBeNobody,
  async fn() {
    const { stderr } = await compare({
      files: (path) => {
        Deno.writeTextFileSync(path("f"), "mine");
        Deno.chmodSync(path("f"), 0o600);
        Deno.mkdirSync(path("d"), { mode: 0o700 });
      },
      script: "cat f d/x d; echo $?; cat f",
      nobody: true,
    });
    assertStringIncludes(stderr, "cat: f: Permission denied");
  },
});

Deno.test({
  name: "cat: a full disk",
  ignore: !canMount,
  async fn() {
    const directory = scratch();
    try {
      using _mount = mountSmall(directory, "2m");
      await Deno.writeFile(`${directory}/f`, pattern(700_000));
      const script = (to: string) =>
        `cat f f f f ${to} out; echo $?; cat f | cat - f >> out; echo $?; ` +
        "md5sum < out; rm out";
      const expected = await shell(script(">>"), false, directory);
      assertEquals(await shell(script(">>"), true, directory), expected);
      assertEquals(await shell(script(">"), true, directory), expected);
    } finally {
      remove(directory);
    }
  },
});

Deno.test("cat: --help", async () => {
  const { code, stdout, stderr } = await shell(
    "cat --help; cat --h",
    true,
    ".",
  );
  assertEquals([code, stderr], [0, ""]);
  const [usage = ""] = stdout.split("\n");
  assertEquals(usage, "Usage: cat [FILE]...");
  assertEquals(stdout.split(usage).length, 3);
});

Deno.test({
  name: "cat: as a function",
  // The libraries stay open on purpose: one handle for each isolate.
  sanitizeResources: false,
  fn() {
    assertEquals(cat(["/dev/null", "/dev/null"]), 0);
  },
});

Deno.test({
  name: "cat: io_uring forbidden",
  ignore: !hasCompiler,
  async fn() {
    const path =
      new URL("../../../examples/ring/cat.ts", import.meta.url).pathname;
    const args = ["run", "-A", "--quiet", path, "/dev/null"];
    for (const errno of [1, 38]) {
      const { code, stdout, stderr } = await forbidden(errno, args);
      assertEquals([code, stdout], [1, ""]);
      assert(/^cat: io_uring_setup: .*\n$/.test(stderr), stderr);
    }
  },
});
