/** examples/cat.ts beside coreutils' cat. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cat } from "../../examples/cat.ts";
import { forbidden, hasCompiler } from "../support/forbid.ts";
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
  sparse,
} from "../support/utilities.ts";

function test(name: string, comparison: Comparison): void {
  Deno.test(`cat: ${name}`, async () => {
    await compare(comparison);
  });
}

/** Two files with everything in them that an option is about. */
const texts: Comparison["files"] = (path) => {
  Deno.writeTextFileSync(
    path("f"),
    "one\ttwo\n\n\n\nthree\r\n\u0001é\x7f\nlast, without an end",
  );
  Deno.writeTextFileSync(path("g"), "\n\n\nfour\r\n\r\n\tfive\r");
  Deno.writeFileSync(
    path("bytes"),
    Uint8Array.from({ length: 700_000 }, (_, i) => i * i + (i >> 8)),
  );
};

/** Every option, alone and with others. */
const OPTIONS = [
  "-n",
  "-b",
  "-nb",
  "-s",
  "-sn",
  "-sb",
  "-E",
  "-T",
  "-v",
  "-A",
  "-e",
  "-t",
  "-u",
  "-vn -sET",
  "-nAs",
];

for (const option of OPTIONS) {
  test(`${option}`, {
    files: texts,
    script: `cat ${option} f; cat ${option} f g bytes f > out; ` +
      `cat g - ${option} f < bytes; cat ${option} < g`,
  });
}

test("every option by its other names", {
  files: texts,
  script: "for o in --number --number-nonblank --squeeze-blank --show-ends " +
    "--show-tabs --show-nonprinting --show-all -un '--show-a --sq' " +
    "'--numb --number-'; do cat $o f g; done",
});

test("what is no option", {
  files: texts,
  script:
    "cat -x f; cat -nx f; cat --nope f; cat --nope=3; cat --number=3 f; " +
    "cat --s f; cat --show; cat --n f; cat -- -n; cat f -- g; cat --help=3; " +
    "cat f -x --help; cat -n --nope --help",
});

Deno.test("cat: --help and --version come first", async () => {
  const script = "cat --help; cat --vers -x; cat nope --hel";
  const { code, stdout, stderr } = await shell(script, true, ".");
  assertEquals([code, stderr], [0, ""]);
  const [usage = ""] = stdout.split("\n");
  assertEquals(usage, "Usage: cat [OPTION]... [FILE]...");
  assertEquals(stdout.split(usage).length, 3);
  assertStringIncludes(stdout, "cat (uring) 0.1.0\n");
  // Every option of coreutils is told of.
  const theirs = await shell("cat --help", false, ".");
  for (const [option] of theirs.stdout.matchAll(/ --?[a-zA-Z-]+\b/g)) {
    assertStringIncludes(stdout, option);
  }
});

for (const size of [0, 1, 4095, 4096, 4097, 2 ** 18 - 1, 2 ** 20 + 1]) {
  test(`${size} bytes: pipe, file, standard input, with -E and without`, {
    files: (path) => Deno.writeFileSync(path("f"), pattern(size)),
    script: "cat f; cat f > out; cat < f >> out; cat f | cat - >> out; " +
      "cat -E f; cat f | cat -E - > out2",
  });
}

test("64 MiB: pipe and file, with -v and without", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(2 ** 26)),
  script: "cat f | md5sum; cat f > out; cmp f out; cat - < f | cmp - out; " +
    "rm out; cat -v f | md5sum",
  timeout: 120_000,
});

test("a sparse file", {
  files: (path) => sparse(path("f"), 2 ** 27),
  script: "cat f | md5sum; cat f > out; rm f; cat -s out | md5sum",
});

test("/proc, whose files have no size, and /sys, whose have too much", {
  script: "cat /proc/version /proc/filesystems > out; cat /proc/version; " +
    "cat /proc/kallsyms | md5sum; cat -n /proc/filesystems; " +
    "cat /sys/kernel/mm/transparent_hugepage/enabled | cat -A; " +
    "cat /proc/kallsyms | (sleep 0.5; md5sum)",
});

test("a FIFO whose writer comes late, and pauses", {
  script: "mkfifo p; (sleep 0.4; echo a; sleep 0.2; echo b) > p & cat p; " +
    "(sleep 0.4; echo c; sleep 0.2; echo d) > p & cat -n p > out; wait; " +
    "(sleep 0.2; : > p) & cat p; wait; (echo e > p) & cat p p > twice & " +
    "until test -s twice; do sleep 0.1; done; sleep 0.5; echo f > p; wait",
});

Deno.test("cat: what comes from a stream goes out at once", async () => {
  const path = new URL("../../examples/cat.ts", import.meta.url).pathname;
  for (const option of ["-u", "-n"]) {
    await using child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", path, option],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    const reader = child.stdout.getReader();
    for (const line of ["one\n", "two\n"]) {
      await writer.write(new TextEncoder().encode(line));
      const { value } = await reader.read();
      // The next line has not been written yet.
      assert(new TextDecoder().decode(value).endsWith(line));
    }
    await writer.close();
    assertEquals((await reader.read()).done, true);
    assertEquals((await child.status).code, 0);
  }
});

test("standard input by name, by default, and between files", {
  files: texts,
  script: "echo in | cat; echo in | cat -; echo in | cat f - g; " +
    "echo in | cat - - f; cat < /dev/null; echo in | cat -n f - - g",
});

test("many small files", {
  files: (path) => {
    for (let i = 0; i < 300; i++) {
      Deno.writeFileSync(path(`f${i}`), pattern(i * 7 % 500));
    }
  },
  script: "cat f*; cat f* > out; cat f* | cat; cat -nE f* >> out",
});

test("devices", {
  script: "cat /dev/null; cat -A /dev/null > out; cat /dev/zero | " +
    "head -c 300000 | md5sum; head -c 3 /dev/zero | cat -v - | od -c",
});

test("input and output go on where others left them", {
  files: texts,
  script: "(read line; cat; echo end; cat) < f; (read line; cat -n | cat; " +
    "cat) < g; (echo first; cat f -n g; echo last) > out; (cat f; cat -E g) " +
    ">> out; cat f 1<> f2; cat -n f 1<> bytes",
});

test("files that cannot be read, and all the others all the same", {
  files: texts,
  script: "cat f nope g . f no/where f/x > out; echo $?; cat . | cat; " +
    "cat nope; cat -n nope f . g; cat -A . > out2",
});

test("names that need quotes", {
  script: `cat 'a b' a:b "a'b" 'a"b' 'a$' '~x' 'x~' '#a' 'a=b' '' 'a\\b' ` +
    `"$(printf 'a\\nb')" "$(printf '\\001')" 'a*' '{' '{}' ']' ./x -- -n`,
});

test("names that are no UTF-8", {
  // Few programs could tell what was left.
  script:
    "for n in $(printf 'a\\377 \\303 \\355\\240\\200b'); do cat $n /no/$n; " +
    "echo $n > $n; cat $n; cat -n ./$n - < $n; done; rm *; " +
    "n=$(printf '\\303\\251\\360\\237\\230\\200\\200'); echo 4 > $n; cat $n; rm *",
});

test("a file that is its own output", {
  files: texts,
  script: "cat f >> f; echo $?; echo x | cat - f g >> f; cat < f >> f; " +
    ": > empty; cat empty >> empty; cat -n g g >> g; echo $?; cat f 1<> f",
});

test("a full disk: /dev/full", {
  files: texts,
  script: "cat f > /dev/full; echo $?; cat nope f f > /dev/full; echo $?; " +
    "cat /proc/version > /dev/full; cat -n nope f f > /dev/full; echo $?",
});

test("a full disk, or nobody, where help goes", {
  script: "cat --help > /dev/full; echo $?; cat --version > /dev/full; " +
    "(sleep 0.3; cat --help; echo $? >&2) | true",
});

test("an output that becomes too large", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(5_000_000)),
  // Deno writes to caches of its own, which the limit must not stop.
  script: "cat f -n > /dev/null; cat f > /dev/null; trap '' XFSZ; " +
    "ulimit -f 9000; cat f >> out; cat -s f >> out2; cat -n f >> out3",
});

test("nobody reads the output any more", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(2 ** 21)),
  script: "(cat f; echo $? >&2) | head -c 10 > out; " +
    "(cat -n f; echo $? >&2) | head -c 10 > out2; " +
    "(cat /dev/zero; echo $? >&2) | head -c 100000 > zeros; " +
    "(cat -v /dev/zero; echo $? >&2) | head -n 0; " +
    "(cat /proc/kallsyms; echo $? >&2) | head -c 10 > /dev/null; " +
    "(sleep 0.3; cat f f; echo $? >&2) | true; " +
    "(sleep 0.3; cat -A nope f; echo $? >&2) | true",
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
      script: "cat f d/x d; echo $?; cat -n f",
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
        `md5sum < out; rm out; cat -E f f f ${to} out; echo $?; md5sum < out; rm out`;
      const expected = await shell(script(">>"), false, directory);
      assertEquals(await shell(script(">>"), true, directory), expected);
      assertEquals(await shell(script(">"), true, directory), expected);
    } finally {
      remove(directory);
    }
  },
});

Deno.test("cat: a pipe whose size may not be changed", {
  ignore: !canBeNobody,
}, async () => {
  await compare({
    files: (path) => Deno.writeFileSync(path("f"), pattern(300_000)),
    script: "chmod 666 f; cat f | cat | md5sum",
    nobody: true,
  });
});

Deno.test({
  name: "cat: as a function",
  // The libraries stay open on purpose: one handle for each isolate.
  sanitizeResources: false,
  async fn() {
    assertEquals(await cat(["/dev/null", "-A", "/dev/null"]), 0);
  },
});

Deno.test({
  name: "cat: io_uring forbidden",
  ignore: !hasCompiler,
  async fn() {
    const path = new URL("../../examples/cat.ts", import.meta.url).pathname;
    const args = ["run", "-A", "--quiet", path, "/dev/null"];
    for (const errno of [1, 38]) {
      const { code, stdout, stderr } = await forbidden(errno, args);
      assertEquals([code, stdout], [1, ""]);
      assert(/^cat: io_uring_setup: .*\n$/.test(stderr), stderr);
    }
  },
});
