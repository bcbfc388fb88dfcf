/** examples/cp.ts when something goes wrong: full disks, signals, no io_uring, no reader. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { cp } from "../../examples/cp.ts";
import { forbidden, hasCompiler } from "../support/forbid.ts";
import {
  canMount,
  mountSmall,
  pattern,
  remove,
  scratch,
} from "../support/utilities.ts";
import { CP, shell, tree } from "./cp_support.ts";

function start(args: string[], cwd: string): Deno.ChildProcess {
  const [command = "", ...rest] = [...CP, ...args];
  return new Deno.Command(command, {
    args: rest,
    cwd,
    stdout: "null",
    stderr: "piped",
    env: { LC_ALL: "C", NO_COLOR: "1" },
  }).spawn();
}

function names(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name).sort();
}

async function inScratch(
  body: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = scratch();
  try {
    await body(directory);
  } finally {
    remove(directory);
  }
}

Deno.test({
  name: "cp: a full disk leaves no file, or the old one",
  ignore: !canMount,
  fn: () =>
    inScratch(async (directory) => {
      Deno.writeFileSync(`${directory}/large`, pattern(3_000_000));
      Deno.mkdirSync(`${directory}/disk`);
      using _mount = mountSmall(`${directory}/disk`, "2m");
      const outcome = await shell(
        "echo old > disk/old; cp large disk/new; echo $?; cp large disk/old; " +
          "cat large | cp /dev/stdin disk/streamed; truncate -s 9M sparse; " +
          "cat large >> sparse; cp sparse disk; cat disk/old; ls -A disk",
        true,
        directory,
      );
      const full = (name: string) =>
        `cp: error writing 'disk/${name}': No space left on device\n`;
      assertEquals(outcome, {
        code: 0,
        stdout: "1\nold\nold\n",
        stderr: full("new") + full("old") + full("streamed") + full("sparse"),
      });
      const script = "cp large disk/new";
      const expected = await shell(script, false, directory);
      assertEquals(expected.stderr, full("new"));
    }),
});

Deno.test({
  name: "cp: a disk that fills up at any byte of a tree",
  ignore: !canMount,
  fn: () =>
    inScratch(async (directory) => {
      const sizes = [0, 1, 4096, 70_000, 600_000, 1_300_000];
      Deno.mkdirSync(`${directory}/t`);
      for (const size of sizes) {
        Deno.writeFileSync(`${directory}/t/${size}`, pattern(size));
      }
      Deno.mkdirSync(`${directory}/disk`);
      for (const room of ["64k", "300k", "1m", "1900k"]) {
        using _mount = mountSmall(`${directory}/disk`, room);
        const script = "cp -r t disk; cp -r t disk; echo $?";
        const { stdout, stderr } = await shell(script, true, directory);
        assertEquals(stdout, "1\n");
        assertMatch(stderr, /cp: .*: No space left on device\n/);
        const whole = tree(`${directory}/t`);
        for (
          const [name, what] of Object.entries(tree(`${directory}/disk/t`))
        ) {
          assertEquals(what, whole[name], `${name} is there, but not whole`);
        }
      }
    }),
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`cp: ${signal} in the middle leaves the old file, and says so`, () =>
    inScratch(async (directory) => {
      Deno.writeTextFileSync(`${directory}/old`, "old");
      await shell("mkfifo for-old for-new", false, directory);
      for (const to of ["old", "new"]) {
        const child = start([`for-${to}`, to], directory);
        using pipe = await Deno.open(`${directory}/for-${to}`, { write: true });
        // A pipe holds 64 KiB: the rest has been read when this is done.
        await pipe.writable.getWriter().write(pattern(2 ** 20));
        child.kill(signal);
        const output = await child.output();
        assertEquals(
          new TextDecoder().decode(output.stderr),
          `cp: interrupted: removed the unfinished copy '${to}'\n`,
        );
        assertEquals(output.code, code);
      }
      assertEquals(Deno.readTextFileSync(`${directory}/old`), "old");
      assertEquals(names(directory), ["for-new", "for-old", "old"]);
    }));
}

Deno.test("cp: SIGINT while a FIFO has no writer, and in the middle of a tree", () =>
  inScratch(async (directory) => {
    await shell(
      "mkfifo p t-fifo; mkdir t; for i in $(seq 200); do seq 9999 > t/$i; done; " +
        "truncate -s 60M t/large; head -c 60M /dev/urandom > t/large",
      false,
      directory,
    );
    const waiting = start(["p", "x"], directory);
    await new Promise((resolve) => setTimeout(resolve, 500));
    waiting.kill("SIGINT");
    assertEquals((await waiting.output()).code, 130);
    const whole = tree(`${directory}/t`);
    for (const delay of [0.1, 0.13, 0.16, 0.2, 0.25]) {
      // It may be quicker than that.
      const { code } = await new Deno.Command("timeout", {
        args: [
          ...["--foreground", "--preserve-status", "-s", "INT", `${delay}`],
          ...[...CP, "-r", "t", "new"],
        ],
        cwd: directory,
        stderr: "null",
      }).output();
      assert([0, 130].includes(code), `exit status ${code}`);
      if (!names(directory).includes("new")) continue;
      for (const [name, what] of Object.entries(tree(`${directory}/new`))) {
        assertEquals(what, whole[name]);
      }
      remove(`${directory}/new`);
    }
  }));

Deno.test("cp: SIGKILL in the middle leaves the old file, or none", () =>
  inScratch(async (directory) => {
    Deno.writeTextFileSync(`${directory}/old`, "old");
    await shell("mkfifo for-old for-new", false, directory);
    for (const to of ["old", "new"]) {
      const child = start([`for-${to}`, to], directory);
      using pipe = await Deno.open(`${directory}/for-${to}`, { write: true });
      await pipe.writable.getWriter().write(pattern(2 ** 20));
      child.kill("SIGKILL");
      assertEquals((await child.output()).signal, "SIGKILL");
    }
    assertEquals(Deno.readTextFileSync(`${directory}/old`), "old");
    assertEquals(names(directory), ["for-new", "for-old", "old"]);
  }));

Deno.test("cp: SIGKILL at any time leaves the old file, or the new one", () =>
  inScratch(async (directory) => {
    Deno.writeFileSync(`${directory}/old`, pattern(1000));
    Deno.writeFileSync(`${directory}/new`, pattern(2 ** 26));
    const seen = [];
    for (let delay = 60; delay <= 360; delay += 25) {
      Deno.copyFileSync(`${directory}/old`, `${directory}/f`);
      const args = ["-s", "KILL", `${delay / 1000}`, ...CP, "new", "f"];
      await new Deno.Command("timeout", { args, cwd: directory }).output();
      const { stdout } = await shell(
        "if cmp -s f old; then echo old; else cmp f new && echo new; fi; ls -A",
        false,
        directory,
      );
      const [state = "", ...there] = stdout.trim().split("\n");
      // Between the link and the rename a hidden name may be left.
      const visible = there.filter((name) => !name.startsWith("."));
      assertEquals(visible, ["f", "new", "old"]);
      seen.push(state);
      for (const name of there) {
        if (name.startsWith(".")) Deno.removeSync(`${directory}/${name}`);
      }
    }
    assert(seen.includes("old"), "it was never killed in time");
    assertEquals(seen.filter((state) => !/^(old|new)$/.test(state)), []);
  }));

Deno.test("cp: the other names of a file keep their contents in common", () =>
  inScratch(async (directory) => {
    const script = "echo old > b; ln b c; echo new > a; cp a b; cat b c";
    const { stdout } = await shell(script, true, directory);
    assertEquals(stdout, "new\nnew\n");
  }));

Deno.test("cp: nobody reads what -v prints, or it cannot be written", () =>
  inScratch(async (directory) => {
    const script = "mkdir d; seq 300 | (cd d; while read i; do : > " +
      "some-rather-long-name-that-makes-the-output-large-$i; done); " +
      "cp -rv d e > /dev/full; echo $?; (cp -rv d f; echo $? >&2) | true; " +
      "ls e | wc -l";
    const { stdout, stderr } = await shell(script, true, directory);
    assertEquals(stdout, "1\n300\n");
    assertEquals(
      stderr,
      "cp: write error: No space left on device\n141\n",
    );
  }));

Deno.test("cp: a full disk, or nobody, where help goes", () =>
  inScratch(async (directory) => {
    const script =
      "cp --help > /dev/full; echo $?; cp --version > /dev/full; " +
      "(sleep 0.3; cp --help; echo $? >&2) | true";
    assertEquals(
      await shell(script, true, directory),
      await shell(script, false, directory),
    );
  }));

Deno.test("cp: names that are no UTF-8 are refused, and the others copied", () =>
  inScratch(async (directory) => {
    // Deno cannot tell what is in a directory, and would write to other names.
    const script =
      "b=$(printf 'b\\377'); mkdir t to; echo a > a; echo b > $b; " +
      "echo c > t/c; echo d > t/$b; ln -s $b t/l; cp a $b; echo $?; " +
      "cp $b to; cp a $b to; echo $?; cp -r t to; echo $?; find to | sort";
    const { stdout, stderr } = await shell(script, true, directory);
    assertEquals(stdout, "1\n1\n1\nto\nto/a\nto/t\nto/t/c\n");
    const no = "the name is no UTF-8, and Deno has no other";
    const own = `cp: 'b'$'\\377': ${no}\n`;
    assertEquals(
      stderr.split("\n").sort().join("\n").trimStart(),
      [
        ...[own, own, own],
        `cp: 't/b\u00ef\u00bf\u00bd': ${no}\n`,
        "cp: cannot read symbolic link 't/l': " +
        "Invalid or incomplete multibyte or wide character\n",
      ].join("").split("\n").sort().join("\n").trimStart(),
    );
  }));

Deno.test("cp: --direct and --queue-depth", () =>
  inScratch(async (directory) => {
    for (const size of [0, 1, 4096, 1_000_001, 5_000_000]) {
      Deno.writeFileSync(`${directory}/${size}`, pattern(size));
    }
    const script = "for f in *; do for o in --direct --queue-depth=1 " +
      "--queue-depth=64 '--direct --sparse=always'; do rm -f ../x; " +
      "cp $o $f ./copy && cmp $f copy; rm copy; done; done; " +
      "cp --queue-depth=0 1 2; cp --queue-depth=65 1 2; cp --queue-depth=x";
    const { stdout, stderr } = await shell(script, true, directory);
    assertEquals(stdout, "");
    assertMatch(
      stderr,
      /^(cp: invalid argument '\w+' for '--queue-depth': it takes a number from 1 to 64\nTry [^\n]*\n){3}$/,
    );
  }));

Deno.test("cp: --help and --version", async () => {
  const { code, stdout, stderr } = await shell(
    "cp --help; cp --version; cp --help x; cp --he; cp --vers",
    true,
    ".",
  );
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.match(/^Usage: cp /gm)?.length, 3);
  assertStringIncludes(stdout, "\ncp (uring) ");
});

Deno.test({
  name: "cp: as a function",
  // The libraries stay open on purpose: one handle for each isolate.
  sanitizeResources: false,
  fn: () =>
    inScratch(async (directory) => {
      Deno.writeFileSync(`${directory}/f`, pattern(1_000_000));
      assertEquals(await cp([`${directory}/f`, `${directory}/g`]), 0);
      assertEquals(
        Deno.readFileSync(`${directory}/g`),
        Deno.readFileSync(`${directory}/f`),
      );
    }),
});

Deno.test({
  name: "cp: io_uring forbidden",
  ignore: !hasCompiler,
  async fn() {
    const to = Deno.makeTempFileSync();
    for (const errno of [1, 38]) {
      const args = [...CP.slice(1), "/dev/null", to];
      const { code, stdout, stderr } = await forbidden(errno, args);
      assertEquals([code, stdout], [1, ""]);
      assertMatch(stderr, /^cp: io_uring_setup: .*\n$/);
    }
    Deno.removeSync(to);
  },
});
