/** examples/cp.ts: extended attributes, access control lists, the progress bar. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { duration, size } from "../../examples/cp/progress.ts";
import { getXattr, listXattrs, setXattr } from "../../fs/xattr.ts";
import { pattern, remove, scratch } from "../support/utilities.ts";
import { PROGRAM, shell } from "./cp_support.ts";

/** Whether the file system of the tests has extended attributes. */
async function hasAttributes(): Promise<boolean> {
  const directory = scratch();
  try {
    await setXattr(directory, "user.uring", "1");
    return true;
  } catch {
    return false;
  } finally {
    remove(directory);
  }
}

/** An access control list that lets the user 1234 read: see acl(5). */
const LIST = new Uint8Array([
  ...[2, 0, 0, 0],
  ...[1, 0, 6, 0, 255, 255, 255, 255], // ACL_USER_OBJ rw-
  ...[2, 0, 4, 0, 210, 4, 0, 0], // ACL_USER 1234 r--
  ...[4, 0, 0, 0, 255, 255, 255, 255], // ACL_GROUP_OBJ ---
  ...[16, 0, 4, 0, 255, 255, 255, 255], // ACL_MASK r--
  ...[32, 0, 0, 0, 255, 255, 255, 255], // ACL_OTHER ---
]);
const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";

async function make(directory: string): Promise<void> {
  await Deno.mkdir(`${directory}/t`);
  for (const name of ["plain", "small", "large", "listed"]) {
    const bytes = pattern(name === "large" ? 200_000 : 1000);
    await Deno.writeFile(`${directory}/t/${name}`, bytes);
  }
  await setXattr(`${directory}/t/small`, "user.colour", "green");
  await setXattr(`${directory}/t/large`, "user.colour", "blue");
  await setXattr(`${directory}/t/large`, "user.empty", "");
  await setXattr(`${directory}/t`, "user.folder", "yes");
  await setXattr(`${directory}/t/listed`, ACCESS, LIST);
  await setXattr(`${directory}/t`, DEFAULT, LIST);
}

async function attributes(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const visit = async (path: string) => {
    const info = await Deno.lstat(path);
    const mode = ((info.mode ?? 0) & 0o7777).toString(8);
    const names = (await listXattrs(path)).sort();
    const values = await Promise.all(names.map(async (name) => {
      const value = await getXattr(path, name);
      return `${name}=${[...value].join(",")}`;
    }));
    found[path.slice(root.length)] = [mode, ...values].join(" ");
    if (!info.isDirectory) return;
    for await (const { name } of Deno.readDir(path)) {
      await visit(`${path}/${name}`);
    }
  };
  await visit(root);
  return found;
}

Deno.test({
  name: "cp: extended attributes and access control lists",
  ignore: !await hasAttributes(),
  async fn() {
    const [theirs, mine] = [scratch(), scratch()];
    try {
      for (const directory of [theirs, mine]) await make(directory);
      const script = "umask 022; for o in -r -a -rp '-r --preserve=mode' " +
        "'-r --preserve=xattr' '-r --preserve=all' '-a --no-preserve=xattr' " +
        "'-a --no-preserve=mode'; do cp $o t \"new $o\"; done; echo $?; " +
        "for i in plain small large listed; do cp t/$i one-$i; " +
        "cp -p t/$i two-$i; cp -a t/$i three-$i; cp t/plain t/$i; " +
        "cp -a t/small t/$i; done; cp t/plain one-listed; cp -p t/plain two-listed";
      const expected = await shell(script, false, theirs);
      assertEquals(await shell(script, true, mine), expected);
      assertEquals(await attributes(mine), await attributes(theirs));
    } finally {
      for (const directory of [theirs, mine]) remove(directory);
    }
  },
});

Deno.test("cp: sizes and durations as people read them", () => {
  assertEquals(
    [0, 999, 1000, 1536, 10 * 2 ** 20, 3.25 * 2 ** 30].map(size),
    ["0 B", "999 B", "1.0 KiB", "1.5 KiB", "10 MiB", "3.3 GiB"],
  );
  assertEquals(
    [0, 0.2, 59, 60, 3599.5, 3725].map(duration),
    ["0:00", "0:01", "0:59", "1:00", "1:00:00", "1:02:05"],
  );
});

/** Whether the library that draws is to be had, and a terminal to draw on. */
async function canDraw(): Promise<boolean> {
  try {
    const fetched = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", "import 'npm:cli-progress@3.12.0'"],
      stderr: "null",
      signal: AbortSignal.timeout(20_000),
    }).output();
    const terminal = await new Deno.Command("script", {
      args: ["-qec", "true", "/dev/null"],
      stdout: "null",
      stderr: "null",
    }).output();
    return fetched.success && terminal.success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

Deno.test({
  name: "cp: the progress bar, on a terminal",
  ignore: !await canDraw(),
  async fn() {
    const directory = scratch();
    try {
      Deno.mkdirSync(`${directory}/t`);
      for (let i = 0; i < 40; i++) {
        Deno.writeFileSync(`${directory}/t/${i}`, pattern(100_000 + i));
      }
      Deno.writeFileSync(`${directory}/large`, pattern(2 ** 26));
      const onTerminal = async (command: string) => {
        const { stdout, code } = await new Deno.Command("script", {
          args: ["-qec", command, "/dev/null"],
          cwd: directory,
          stdin: "null",
        }).output();
        return { code, text: new TextDecoder().decode(stdout) };
      };
      const cp = `'${Deno.execPath()}' run -A --quiet '${PROGRAM}'`;
      const shown = await onTerminal(`${cp} --progress large large2`);
      assertEquals(shown.code, 0);
      assertMatch(
        shown.text,
        /#{24} 100% 64 MiB of 64 MiB \S+ [KMG]iB\/s 0:00/,
      );
      assertStringIncludes(shown.text, "\x1b[?25h", "the cursor is back");
      const tree = await onTerminal(`${cp} --progress -r t nope t2`);
      assertEquals(tree.code, 1);
      const hidden = await onTerminal(`${cp} --no-progress large large3`);
      assertEquals(hidden, { code: 0, text: "" });
      // What takes no time shows nothing, even there.
      const quick = await onTerminal(`${cp} t/1 new`);
      assertEquals(quick, { code: 0, text: "" });
    } finally {
      remove(directory);
    }
  },
});

Deno.test("cp: --progress without a registry copies all the same", async () => {
  const directory = scratch();
  try {
    Deno.writeTextFileSync(`${directory}/a`, "one");
    Deno.mkdirSync(`${directory}/cache`);
    const script = "export DENO_DIR=$PWD/cache NPM_CONFIG_REGISTRY=" +
      "http://127.0.0.1:9/; (sleep 1; cat a) | cp --progress /dev/stdin b; " +
      "echo $?; cat b";
    const { stdout, stderr } = await shell(script, true, directory);
    assertEquals(stdout, "0\none");
    assert(/^(cp: no progress bar: [^]*)?$/.test(stderr), stderr);
  } finally {
    remove(directory);
  }
});
