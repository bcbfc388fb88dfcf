/** examples/ring/cp.ts beside coreutils' cp. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cp } from "../../../examples/ring/cp.ts";
import { Draft } from "../../../examples/ring/draft.ts";
import { lookUp, writeAll } from "../../../examples/ring/files.ts";
import { IORING_OP_LINKAT } from "../../../ffi/abi.ts";
import { type Probe, Ring } from "../../../ring/mod.ts";
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

const SIZES = [0, 1, 4095, 4096, 4097, 2 ** 20 + 1, 2 ** 23 + 4095];

function test(name: string, comparison: Comparison): void {
  Deno.test(`cp: ${name}`, async () => {
    await compare(comparison);
  });
}

/** Files `a` and `b`, and a directory `d`. */
const some: Comparison["files"] = (path) => {
  Deno.writeTextFileSync(path("a"), "one\ntwo\n");
  Deno.writeTextFileSync(path("b"), "three\n");
  Deno.mkdirSync(path("d"));
};

for (const size of SIZES) {
  test(`${size} bytes to a new file, over a longer and a shorter one`, {
    files: (path) => {
      Deno.writeFileSync(path("f"), pattern(size));
      Deno.writeFileSync(path("longer"), pattern(size + 10_000));
      Deno.writeFileSync(path("shorter"), pattern(size >> 1));
    },
    script: "cp f new; cp f longer; cp f shorter; cp new ./new2",
  });
}

test("64 MiB", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(2 ** 26)),
  script: "cp f g; cmp f g",
});

test("1 GiB with holes in some places", {
  files: (path) => sparse(path("f"), 2 ** 30),
  script: "cp f g && du -k g && cmp -n 700000 f g; " +
    "cmp -i 536870000 -n 2000000 f g; stat -c '%s' g; rm f g",
});

test("holes at the end, at the beginning, and nothing else", {
  files: (path) => sparse(path("f"), 2 ** 22),
  script: "cp f g; du -k g; truncate -s 5M h; cp h i; du -k i; stat -c %s i; " +
    "truncate -s 3000001 a; printf x >> a; cp a b; du -k b; " +
    "printf x > c; truncate -s 2M c; cp c d; du -k d",
});

test("a file whose storage was reserved has no holes", {
  script: "fallocate -l 1M f; printf x > g; cat g >> f; cp f h; du -k h",
});

Deno.test({
  name: "cp: 1 GiB, and a sparse file of 10 GiB",
  ignore: !slow,
  async fn() {
    await compare({
      files: (path) => sparse(path("f"), 10 * 2 ** 30),
      script: "cp f g; du -k g; cmp f g; rm f g; " +
        "head -c 1G /dev/urandom > f; cp f g; cmp f g; rm f g",
      timeout: 300_000,
    });
  },
});

Deno.test("cp: a sparse file of 10 GiB is copied at once", async () => {
  const directory = scratch();
  try {
    sparse(`${directory}/f`, 10 * 2 ** 30);
    const script = "cp f g; stat -c '%s %b' f g; cmp -n 400000 f g; " +
      "cmp -i 5368709120 -n 3000000 f g";
    const { stdout, stderr } = await shell(script, true, directory);
    const [from, to] = stdout.split("\n");
    assertEquals([stderr, to], ["", from]);
  } finally {
    remove(directory);
  }
});

test("/proc and /sys, whose sizes are not to be trusted", {
  script: "cp /proc/version /proc/filesystems .; cp /proc/cpuinfo c; " +
    "grep -v MHz c; rm c; cp /sys/kernel/mm/transparent_hugepage/enabled .; " +
    "cp /proc/kallsyms k",
});

test("a FIFO to a file", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(2 ** 20)),
  script: "mkfifo p; (sleep 0.3; cat f; sleep 0.2; echo end) > p & " +
    "cp p g; wait",
});

test("a file to a FIFO", {
  files: (path) => Deno.writeFileSync(path("f"), pattern(2 ** 20)),
  script: "mkfifo p; md5sum < p & cp f p; wait",
});

test("devices, in place", {
  files: some,
  script: "cp a /dev/null; cp a /dev/full; echo $?; cp /dev/null n; " +
    "cp /dev/null a; cp b /dev/stdout | od -c",
});

test("a file that is standard output, in place", {
  files: some,
  script: "(echo first; cp a /dev/stdout; echo last) >> o1; " +
    "(echo first; cp a /dev/fd/1; echo last) > o2; ln -s /dev/stdout so; " +
    "(cp a so; echo more) >> o3; (cp a /dev/stderr; echo more >&2) 2>> o4",
});

test("to a directory", {
  files: some,
  script: "cp a d; cp a b d/; cp ./b d/.; mkdir e; cp d/a ././/a e//",
});

test("the mode, less the umask; that of a file that is there", {
  files: some,
  script: "mkdir m old new masked; " +
    "for mode in 777 644 600 555 444 000 4755 2755 6711 1777; do " +
    "cat a > m/$mode; chmod $mode m/$mode; echo longer than that > old/$mode; " +
    "chmod $mode old/$mode; done; umask 022; cp m/* new; umask 027; " +
    "cp m/* masked; cp m/* old",
});

test("the owner of a file that is there", {
  files: some,
  script: "chown 12:34 b && chmod 4750 b; cp a b; stat -c '%u %g %a' b",
});

test("symbolic links are followed", {
  files: some,
  script: "ln -s b link; cp a link; ln -s d directory; cp a directory; " +
    "ln -s a source; cp source new; ln -s nowhere dangling; cp a dangling; " +
    "ln -s ../b d/up; cp new d/up; cp dangling x",
});

test("onto itself", {
  files: some,
  script: "cp a a; echo $?; cp a ./a; ln a hard; cp a hard; ln -s a soft; " +
    "cp a soft; cp soft a; cp d/../a a; cp a .",
});

test("what cannot be copied, and the others all the same", {
  files: some,
  script: "cp nope x; echo $?; cp d x; cp a nope b . d; cp '' x; cp a/ x; " +
    "cp a/b x; cp nope d",
});

test("where it cannot be copied to", {
  files: some,
  script: "cp a no/x; cp a no/; cp a b/; cp a b/x; cp a ''; mkdir -p d/a; " +
    "cp a d; cp a b x; cp a b a; cp a /proc/nope",
});

test("twice to the same place", {
  files: some,
  script: "cp a a d; echo $?; mkdir e; cp b e/a; cp a e/a d; echo $?; cat d/a",
});

test("operands and options", {
  files: some,
  script: "cp; echo $?; cp a; cp -- -a; cp --nope; cp --nope=3 a b; " +
    "cp --help=3; cp -% a b; cp -- a c",
});

test("names that need quotes", {
  files: some,
  script: `cp "a'b" x; cp 'a b' x; cp "$(printf 'a\\nb')" x; cp 'a"b' d; ` +
    `cp a '$no/x'; cp a 'new name'; cp a 'new name' 'b c'`,
});

Deno.test({
  name: "cp: what permissions do not allow",
  ignore: !canBeNobody,
  async fn() {
    const { stderr } = await compare({
      files: (path) => {
        some(path);
        Deno.chmodSync(path("a"), 0o600);
        Deno.mkdirSync(path("closed"), { mode: 0o700 });
      },
      script: "cp a x; echo $?; cp b closed/x; cp b closed; cp closed/x y; " +
        "cp b a; cp b d/x; printf x > mine; chmod 444 mine; cp b mine",
      nobody: true,
    });
    assertStringIncludes(stderr, "cp: cannot open 'a' for reading: Permission");
  },
});

Deno.test({
  name: "cp: as a user whose memory may not be locked",
  ignore: !canBeNobody,
  async fn() {
    await compare({
      files: (path) => Deno.writeFileSync(path("f"), pattern(3_000_000)),
      script: "ulimit -l 64; cp f g; cmp f g",
      nobody: true,
    });
  },
});

Deno.test({
  name: "cp: a full disk leaves no file, or the old one",
  ignore: !canMount,
  async fn() {
    const directory = scratch();
    try {
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
    } finally {
      remove(directory);
    }
  },
});

/** How `cp` is started without a shell. */
const CP = [
  Deno.execPath(),
  "run",
  "-A",
  "--quiet",
  new URL("../../../examples/ring/cp.ts", import.meta.url).pathname,
];

for (const signal of ["SIGKILL", "SIGINT", "SIGTERM"] as const) {
  Deno.test(`cp: ${signal} in the middle leaves the old file`, async () => {
    const directory = scratch();
    try {
      Deno.writeTextFileSync(`${directory}/old`, "old");
      // Two pipes: the kernel takes its time to close what a killed ring was reading from.
      await shell("mkfifo for-old for-new", false, directory);
      for (const to of ["old", "new"]) {
        const [command = "", ...args] = [...CP, `for-${to}`, to];
        const child = new Deno.Command(command, { args, cwd: directory })
          .spawn();
        using pipe = await Deno.open(`${directory}/for-${to}`, { write: true });
        // A pipe holds 64 KiB: the rest has been read when this is done.
        await pipe.writable.getWriter().write(pattern(2 ** 20));
        child.kill(signal);
        assertEquals((await child.status).signal, signal);
      }
      assertEquals(Deno.readTextFileSync(`${directory}/old`), "old");
      const names = Array.from(Deno.readDirSync(directory), (e) => e.name);
      assertEquals(names.sort(), ["for-new", "for-old", "old"]);
    } finally {
      remove(directory);
    }
  });
}

Deno.test("cp: SIGKILL at any time leaves the old file, or the new one", async () => {
  const directory = scratch();
  try {
    Deno.writeFileSync(`${directory}/old`, pattern(1000));
    Deno.writeFileSync(`${directory}/new`, pattern(2 ** 26));
    const seen = [];
    for (let delay = 40; delay <= 220; delay += 20) {
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
      const hidden = there.filter((name) => name.startsWith("."));
      const names = there.filter((name) => !hidden.includes(name));
      assertEquals(names, ["f", "new", "old"]);
      seen.push(state);
      for (const name of hidden) Deno.removeSync(`${directory}/${name}`);
    }
    assert(seen.includes("old"), "it was never killed in time");
    assertEquals(seen.filter((state) => !/^(old|new)$/.test(state)), []);
  } finally {
    remove(directory);
  }
});

/** A ring that cannot link a file without a name. */
class OldRing extends Ring {
  override probe(): Probe {
    const probe = super.probe();
    const supports = (opcode: number) =>
      opcode !== IORING_OP_LINKAT && probe.supports(opcode);
    return Object.assign(Object.create(probe), { supports });
  }
}

Deno.test({
  name: "cp: without O_TMPFILE a file has a hidden name meanwhile",
  sanitizeResources: false, // The libraries stay open on purpose.
  fn() {
    const directory = scratch();
    const names = () => Array.from(Deno.readDirSync(directory), (e) => e.name);
    try {
      using ring = new OldRing(4);
      const path = `${directory}/f`;
      for (const bytes of ["new", "newer"]) {
        using draft = new Draft(ring, path, 0o600, lookUp(ring, path));
        const [hidden = "", ...others] = names().filter((it) => it !== "f");
        assert(/^\.[-0-9a-f]{36}\.tmp$/.test(hidden), hidden);
        assertEquals(others, []);
        writeAll(ring, draft.fd, new TextEncoder().encode(bytes), 0);
        draft.publish();
        assertEquals(names(), ["f"]);
        assertEquals(Deno.readTextFileSync(path), bytes);
      }
      new Draft(ring, path, 0o600, null)[Symbol.dispose]();
      assertEquals(names(), ["f"]);
      assertEquals(Deno.readTextFileSync(path), "newer");
    } finally {
      remove(directory);
    }
  },
});

Deno.test("cp: the other hard links of a file that is replaced keep its contents", async () => {
  const directory = scratch();
  try {
    const script = "echo old > b; ln b c; echo new > a; cp a b; cat b c";
    const { stdout } = await shell(script, true, directory);
    assertEquals(stdout, "new\nold\n");
  } finally {
    remove(directory);
  }
});

test("a full disk, or nobody, where help goes", {
  script: "cp --help > /dev/full; echo $?; " +
    "(sleep 0.3; cp --help; echo $? >&2) | true",
});

Deno.test("cp: --help", async () => {
  const { code, stdout, stderr } = await shell("cp --help", true, ".");
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "Usage: cp SOURCE DEST\n");
});

Deno.test({
  name: "cp: as a function",
  sanitizeResources: false, // The libraries stay open on purpose.
  fn() {
    const directory = scratch();
    try {
      Deno.writeFileSync(`${directory}/f`, pattern(1_000_000));
      assertEquals(cp([`${directory}/f`, `${directory}/g`]), 0);
      assertEquals(
        Deno.readFileSync(`${directory}/g`),
        Deno.readFileSync(`${directory}/f`),
      );
    } finally {
      remove(directory);
    }
  },
});

Deno.test({
  name: "cp: io_uring forbidden",
  ignore: !hasCompiler,
  async fn() {
    const to = Deno.makeTempFileSync();
    const args = [...CP.slice(1), "/dev/null", to];
    for (const errno of [1, 38]) {
      const { code, stdout, stderr } = await forbidden(errno, args);
      assertEquals([code, stdout], [1, ""]);
      assert(/^cp: io_uring_setup: .*\n$/.test(stderr), stderr);
    }
    Deno.removeSync(to);
  },
});
