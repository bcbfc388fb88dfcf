/** `remove` beside Deno's. */

import { assertEquals, assertRejects } from "@std/assert";
import { remove } from "../../fs/remove.ts";
import { libc } from "../../ffi/libc.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { openFiles } from "../support/sockets.ts";
import {
  agree,
  LONGEST,
  ODD_NAMES,
  type Program,
  TOO_LONG,
  usual,
} from "./agreement.ts";

const one =
  (name: string, options?: Deno.RemoveOptions): Program => (api, path) =>
    api.remove(path(name), options);

const recursive = { recursive: true };

/** What is removed the same way whether or not a tree would be. */
const EITHER: Record<string, [name: string]> = {
  "a file": ["file"],
  "an empty directory": ["empty"],
  "an empty directory with a slash": ["empty/"],
  "a link to a file": ["toFile"],
  "a link to a directory": ["toFolder"],
  "a dangling link": ["dangling"],
  "a dangling link with a slash": ["dangling/"],
  "a loop with a slash": ["loop/"],
  "a loop": ["loop"],
  "through a link": ["toFolder/other"],
  "nothing": ["missing"],
  "below nothing": ["missing/x"],
  "below a file": ["file/x"],
  "below a loop": ["loop/x"],
  "a file with a slash": ["file/"],
  "a directory as its own .": ["empty/."],
  "a name that is too long": [TOO_LONG],
  "a NUL": ["a\0b"],
};

for (const options of [undefined, {}, { recursive: false }, recursive]) {
  const programs: Record<string, Program> = {};
  for (const [what, [name]] of Object.entries(EITHER)) {
    programs[what] = one(name, options);
  }
  agree(`remove, ${JSON.stringify(options)}`, usual, {
    ...programs,
    "the root": (api) => api.remove("/", {}),
    "a mount": (api) => api.remove("/proc", {}),
    "a file of /proc": (api) => api.remove("/proc/version", options),
    "no path": (api) => api.remove("", options),
    "a URL": (api, path) => api.remove(new URL(`file://${path("file")}`)),
    "a URL of its own scheme": (api) => api.remove(new URL("http://host/")),
    "a FIFO and a socket": async (api, path) => {
      const { signal } = new AbortController();
      new Deno.Command("mkfifo", { args: [path("fifo")], signal }).outputSync();
      const address = { transport: "unix", path: path("socket") } as const;
      Deno.listen(address).close();
      await api.remove(path("fifo"), options);
      await api.remove(path("socket"), options);
    },
  });
}

agree("remove", usual, {
  "a directory that is not empty": one("full"),
  "a directory that is not empty, by way of ..": one("full/inside/.."),
  "a link to a directory, with a slash": one("toFolder/"),
  "anything that is false": one("full", { recursive: 0 as unknown as boolean }),
});

Deno.test("remove, recursive: a link to a directory, with a slash", async () => {
  using home = new TemporaryDirectory();
  usual((name) => home.join(name));
  // Deno's fails the same way, but by then it has emptied the directory.
  await assertRejects(
    () => remove(home.join("toFolder/"), recursive),
    Deno.errors.NotADirectory,
    `Not a directory (os error 20): remove '${home.join("toFolder/")}'`,
  );
  assertEquals(Deno.statSync(home.join("full/other")).size, 6);
});

agree("remove, recursive", usual, {
  "a directory": one("full", recursive),
  "a directory with a slash": one("full/", recursive),
  "a directory as its own .": one("full/.", recursive),
  "a directory by way of ..": one("full/inside/..", recursive),
  "anything that is true": one("full", { recursive: 1 as unknown as boolean }),
  "odd names": async (api, path) => {
    Deno.mkdirSync(path("odd"));
    for (const name of ODD_NAMES) {
      Deno.mkdirSync(path(`odd/${name}`));
      Deno.writeTextFileSync(path(`odd/${name}/${name.toUpperCase()}`), "");
    }
    await api.remove(path("odd"), recursive);
  },
  "names that are no UTF-8": async (api, path) => {
    const script = "mkdir -p odd/in/$(printf 'd\\377') && cd odd/in && " +
      "touch a$(printf '\\376') b c d$(printf '\\377')/e";
    await run("sh", ["-c", script], path("."));
    await api.remove(path("odd"), recursive);
  },
  "links that lead out": async (api, path) => {
    Deno.mkdirSync(path("tree/a"), { recursive: true });
    Deno.symlinkSync("../full", path("tree/b"));
    Deno.symlinkSync(path("full"), path("tree/a/c"));
    Deno.symlinkSync("/", path("tree/a/d"));
    await api.remove(path("tree"), recursive);
  },
  "a tree of many files and folders": async (api, path) => {
    grow(path("tree"), 3, 4, 15);
    await api.remove(path("tree"), recursive);
  },
  "one of two that are the same": async (api, path) => {
    const all = [1, 2, 3].map(() => api.remove(path("full"), recursive));
    const settled = await Promise.allSettled(all);
    // Each may find it gone at once; somebody removed it.
    return settled.some(({ status }) => status === "fulfilled");
  },
});

/** Makes folders in folders, with files in each. */
function grow(
  path: string,
  levels: number,
  folders: number,
  files: number,
): void {
  Deno.mkdirSync(path);
  for (let i = 0; i < files; i++) Deno.writeTextFileSync(`${path}/f${i}`, "");
  for (let i = 0; levels > 0 && i < folders; i++) {
    grow(`${path}/d${i}`, levels - 1, folders, files);
  }
}

async function run(command: string, args: string[], cwd: string) {
  const { success } = await new Deno.Command(command, { args, cwd }).output();
  assertEquals(success, true);
}

Deno.test("remove: a large folder, a deep tree, and no descriptor is left", async () => {
  using home = new TemporaryDirectory();
  const before = openFiles();
  grow(home.join("large"), 0, 0, 5000);
  await remove(home.join("large"), recursive);
  // Deeper than a path may be long.
  const deep = "mkdir deep && cd deep && for i in $(seq 100); do " +
    `mkdir ${LONGEST} && touch file && cd ${LONGEST}; done`;
  await run("bash", ["-c", deep], home.path);
  await remove(home.join("deep"), recursive);
  assertEquals([...Deno.readDirSync(home.path)], []);
  assertEquals(openFiles(), before);
});

/** Marks a file as one that nobody may change, or takes the mark away; false if that cannot be done. */
function mark(sign: "+" | "-", path: string): boolean {
  const command = new Deno.Command("chattr", { args: [`${sign}i`, path] });
  try {
    return command.outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function canMark(): boolean {
  using home = new TemporaryDirectory();
  const path = home.file("file");
  return mark("+", path) && mark("-", path);
}

Deno.test({
  name: "remove: what may not be removed stays, in Deno's words",
  // Root may remove anything, but for what is marked so; others may not mark.
  ignore: !canMark(),
  async fn() {
    using home = new TemporaryDirectory();
    grow(home.join("tree"), 1, 3, 10);
    mark("+", home.join("tree/d1"));
    const before = openFiles();
    try {
      const error = await assertRejects(
        () => remove(home.join("tree"), recursive),
        Deno.errors.PermissionDenied,
        `Operation not permitted (os error 1): remove '${home.join("tree")}'`,
      );
      assertEquals((error as { errno?: number }).errno, 1);
      assertEquals([...Deno.readDirSync(home.join("tree/d1"))].length, 10);
      assertEquals(openFiles(), before);
    } finally {
      mark("-", home.join("tree/d1"));
    }
  },
});

Deno.test("remove: with write permission alone", async () => {
  using home = new TemporaryDirectory();
  grow(home.join("tree"), 1, 2, 3);
  const program = new URL("remove_program.ts", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-ffi",
      `--allow-write=${home.path}`,
      program,
      home.join("tree"),
      "/nothing",
    ],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(
    [new TextDecoder().decode(stdout), new TextDecoder().decode(stderr)],
    [
      "removed\n" +
      'NotCapable: Requires write access to "/nothing", run again with the --allow-write flag\n',
      "",
    ],
  );
  assertEquals([...Deno.readDirSync(home.path)], []);
});

Deno.test("remove: no more descriptors than there are", async () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("d/".repeat(300)), { recursive: true });
  const spare: number[] = [];
  const pair = new Int32Array(2);
  // Far fewer are left than the tree is deep.
  while (libc().pipe2(pair, 0) === 0) spare.push(...pair);
  try {
    for (const fd of spare.splice(0, 100)) libc().close(fd);
    await remove(home.join("d"), recursive).catch(() => {});
  } finally {
    for (const fd of spare) libc().close(fd);
  }
  await remove(home.join("d"), recursive).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  assertEquals([...Deno.readDirSync(home.path)], []);
});
