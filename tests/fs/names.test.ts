/** `rename`, `link`, `symlink`, `readLink`, `realPath` and `readDir` beside Deno's. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { link, symlink } from "../../fs/link.ts";
import { readDir } from "../../fs/read_dir.ts";
import { rename } from "../../fs/rename.ts";
import { opcodes } from "../../ops/opcodes.ts";
import { TemporaryDirectory } from "../support/files.ts";
import {
  agree,
  LONGEST,
  ODD_NAMES,
  ours,
  padded,
  type Program,
  TOO_LONG,
  usual,
} from "./agreement.ts";

/** Pairs of names, old and new. */
const PAIRS: [from: string, to: string][] = [
  ["file", "new"],
  ["file", "full/new"],
  ["file", "file"],
  ["file", "full/other"],
  ["file", "empty"],
  ["file", "full"],
  ["file", "missing/new"],
  ["file", "file/new"],
  ["file", "toFile"],
  ["file", "dangling"],
  ["file", "loop/new"],
  ["file", "toFolder/new"],
  ["full", "new"],
  ["full", "new/"],
  ["full", "empty"],
  ["empty", "full"],
  ["full", "file"],
  ["full", "toFile"],
  ["full", "toFolder"],
  ["full", "dangling"],
  ["full", "full/inside/new"],
  ["full/inside", "full"],
  ["toFolder", "dangling"],
  ["toFile", "new"],
  ["dangling", "new"],
  ["loop", "new"],
  ["missing", "new"],
  ["missing/x", "new"],
  ["file/x", "new"],
  ["file", LONGEST],
  ["file", TOO_LONG],
  [TOO_LONG, "new"],
  ["file", "a\0b"],
  ["a\0b", "file"],
];

function programs(
  api: "rename" | "link" | "symlink",
): Record<string, Program> {
  const all: Record<string, Program> = {};
  for (const [from, to] of PAIRS) {
    const what = `${from} to ${to}`.slice(0, 30);
    all[JSON.stringify(what)] = (deno, path) => deno[api](path(from), path(to));
  }
  return {
    ...all,
    "from nothing": (deno, path) => deno[api]("", path("new")),
    "to nothing": (deno, path) => deno[api](path("file"), ""),
    "to another file system": (deno, path) =>
      deno[api](path("file"), "/proc/uring"),
    "odd names": async (deno, path) => {
      let last = "file";
      for (const name of ODD_NAMES) {
        await deno[api](path(last), path(name));
        last = name;
      }
    },
    "a path of PATH_MAX": async (deno, path) => {
      const folder = path("empty");
      const longest = padded(folder, "/new", 4095);
      await deno[api](path("file"), longest);
      await deno[api](path("full/other"), `/${longest}`);
    },
  };
}

agree("rename", usual, programs("rename"));
agree("link", usual, programs("link"));
agree("symlink", usual, {
  ...programs("symlink"),
  "any text": async (api, path) => {
    await api.symlink("../so/where else\n", path("new"));
    return await api.readLink(path("new"));
  },
  "a type": async (api, path) => {
    await api.symlink("file", path("one"), { type: "file" });
    await api.symlink("empty", path("two"), { type: "dir" });
    await api.symlink("empty", path("three"), { type: "junction" });
  },
});

for (const api of ["rename", "symlink"] as const) {
  agree(api, usual, {
    "by URL": async (deno, path) => {
      const url = (name: string) => new URL(`file://${path(name)}`);
      await deno[api](url("full"), url("new%20one"));
      return (await deno.stat(path("new one"))).isDirectory;
    },
    "by a URL of its own scheme": (deno, path) =>
      deno[api](new URL("http://host/file"), path("new")),
  });
}

agree("link", usual, {
  "one file by two names": async (api, path) => {
    await api.link(path("file"), path("new"));
    Deno.writeTextFileSync(path("new"), "more than there was");
    const { size, nlink } = await api.stat(path("file"));
    await api.remove(path("file"));
    return [size, nlink, (await api.stat(path("new"))).nlink];
  },
});

Deno.test("link: by URL, which Deno.link takes for a path", async () => {
  using home = new TemporaryDirectory();
  home.file("one", "text");
  const url = (name: string) => new URL(`file://${home.join(name)}`);
  await link(url("one"), url("two"));
  assertEquals(Deno.readTextFileSync(home.join("two")), "text");
});

Deno.test("rename, link, symlink: the error's fields", async () => {
  for (
    const [api, op] of [["rename", "renameat"], ["link", "linkat"], [
      "symlink",
      "symlinkat",
    ]] as const
  ) {
    const error: unknown = await ours[api]("/no/where", "/not/here").catch((
      error,
    ) => error);
    assertEquals({ ...error as Error }, {
      code: "ENOENT",
      errno: 2,
      name: "NotFound",
      // Where there is no such op, Deno's own function ran.
      op: opcodes[op].supported() ? op : api,
      path: "/no/where",
    } as unknown as Error);
  }
});

Deno.test("symlink: a type that is none", async () => {
  const type = "nonsense" as "file";
  await assertRejects(
    () => symlink("a", "/not/here/b", { type }),
    TypeError,
    'symlink: type must be "file", "dir" or "junction"; got "nonsense"',
  );
});

Deno.test("rename: what is no path", async () => {
  const none = undefined as unknown as string;
  await assertRejects(() => rename(none, "b"), TypeError, "rename: path");
  await assertRejects(() => rename("a", none), TypeError, "rename: path");
});

/** Paths to look at. */
const LOOKS = [
  "file",
  "empty",
  "full",
  "toFile",
  "toFolder",
  "toFolder/inside/..",
  "dangling",
  "loop",
  "loop/x",
  "missing",
  "file/x",
  TOO_LONG,
  "a\0b",
];

function looks(
  look: (...[api, path]: [Parameters<Program>[0], string]) => Promise<unknown>,
): Record<string, Program> {
  const all: Record<string, Program> = {
    "nothing": (api) => look(api, ""),
    "a relative path": (api) => look(api, "tests/../tests"),
    "of root": (api) => look(api, "/"),
    "of /proc": (api) => look(api, "/proc/self/ns"),
  };
  for (const name of LOOKS) {
    const what = JSON.stringify(name.slice(0, 20));
    all[what] = (api, path) => look(api, path(name));
  }
  return all;
}

agree("realPath", usual, {
  ...looks((api, path) => api.realPath(path)),
  "by URL": (api, path) => api.realPath(new URL(`file://${path("toFile")}`)),
});
agree("readLink", usual, {
  ...looks((api, path) => api.readLink(path)),
  "by URL": (api, path) => api.readLink(new URL(`file://${path("toFile")}`)),
});
agree("readDir", usual, {
  ...looks(async (api, path) => {
    const entries = await Array.fromAsync(api.readDir(path));
    return entries.sort((a, b) => a.name < b.name ? -1 : 1);
  }),
  "by URL": (api, path) =>
    Array.fromAsync(api.readDir(new URL(`file://${path("empty")}`))),
  "odd names": async (api, path) => {
    for (const name of ODD_NAMES) Deno.writeTextFileSync(path(name), "");
    const entries = await Array.fromAsync(api.readDir(path(".")));
    return entries.map(({ name }) => name).sort();
  },
  "twice, and not to the end": async (api, path) => {
    const entries = api.readDir(path("full"));
    for await (const _ of entries) break;
    return (await Array.fromAsync(entries)).length;
  },
});

Deno.test("readLink, realPath, readDir: the error's fields", async () => {
  for (
    const [op, action] of [
      ["readlink", () => ours.readLink("/no/where")],
      ["realpath", () => ours.realPath("/no/where")],
      ["readdir", () => Array.fromAsync(ours.readDir("/no/where"))],
    ] as const
  ) {
    const error: unknown = await (action() as Promise<unknown>)
      .catch((error) => error);
    assertEquals({ ...error as Error }, {
      code: "ENOENT",
      errno: 2,
      name: "NotFound",
      op,
      path: "/no/where",
    } as unknown as Error);
  }
});

Deno.test("readDir: what is no path, at once", () => {
  assertThrows(() => readDir(new URL("http://host/")), TypeError, "file URL");
  assertThrows(() => readDir(5 as unknown as string), TypeError, "readdir");
});

Deno.test("realPath: names that are no UTF-8", async () => {
  using home = new TemporaryDirectory();
  const script = "touch x$(printf '\\377') && ln -s x$(printf '\\377') link";
  new Deno.Command("sh", { args: ["-c", script], cwd: home.path }).outputSync();
  for (const api of ["readLink", "realPath"] as const) {
    await assertRejects(
      () => ours[api](home.join("link")),
      Deno.errors.InvalidData,
      "is not valid UTF-8",
    );
  }
});
