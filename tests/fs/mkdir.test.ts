/** `mkdir` beside Deno's. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { mkdir } from "../../fs/mkdir.ts";
import { TemporaryDirectory } from "../support/files.ts";
import {
  agree,
  LONGEST,
  ODD_NAMES,
  padded,
  type Program,
  TOO_LONG,
  usual,
} from "./agreement.ts";

const make =
  (name: string, options?: Deno.MkdirOptions): Program => (api, path) =>
    api.mkdir(path(name), options);

const recursive = { recursive: true };

agree("mkdir", usual, {
  "a directory": make("new"),
  "a slash at the end": make("new/"),
  "several slashes": make("full//new///"),
  "where nothing is": make("new/inside"),
  "below a file": make("file/new"),
  "below a link to a directory": make("toFolder/new"),
  "below a loop": make("loop/new"),
  "of a directory's name": make("full"),
  "of a file's name": make("file"),
  "of the name of a link to a directory": make("toFolder"),
  "of the name of a link to a file": make("toFile"),
  "of the name of a dangling link": make("dangling"),
  "the current one": (api) => api.mkdir("."),
  "the root": (api) => api.mkdir("/"),
  "nothing": (api) => api.mkdir(""),
  "a NUL": make("a\0b"),
  "a name of 255 bytes": make(LONGEST),
  "a name of 256 bytes": make(TOO_LONG),
  "in /proc": (api) => api.mkdir("/proc/uring"),
  "options that are null": (api, path) =>
    api.mkdir(path("new"), null as unknown as Deno.MkdirOptions),
  "by URL": (api, path) => api.mkdir(new URL(`file://${path("by%20URL")}`)),
  "by a URL of its own scheme": (api) => api.mkdir(new URL("http://host/x")),
  "by a relative URL": async (api, path) => {
    await api.mkdir(path("nested"));
    await api.mkdir(new URL("../beside", `file://${path("nested")}/`));
  },
  "with a mode": make("new", { mode: 0o737 }),
  "with a mode of more than nine bits": make("new", { mode: 0o7750 }),
  "with no permissions": make("new", { mode: 0 }),
});

agree("mkdir, recursive", usual, {
  "one level": make("new", recursive),
  "three levels": make("new/one/two", recursive),
  "through . and ..": make("new/./one/../two//three/", recursive),
  "with a mode": make("new/one", { recursive: true, mode: 0o731 }),
  "that exists": make("full", recursive),
  "that exists, with a mode": make("full", { recursive: true, mode: 0o700 }),
  "a link to a directory": make("toFolder", recursive),
  "below a link to a directory": make("toFolder/one/two", recursive),
  "a file": make("file", recursive),
  "a link to a file": make("toFile", recursive),
  "a dangling link": make("dangling", recursive),
  "below a dangling link": make("dangling/one", recursive),
  "below a file": make("file/one", recursive),
  "further below a file": make("file/one/two", recursive),
  "below a loop": make("loop/one", recursive),
  "the current one": (api) => api.mkdir(".", recursive),
  "the root": (api) => api.mkdir("/", recursive),
  "nothing": (api) => api.mkdir("", recursive),
  "a name that is too long, further up": make(`${TOO_LONG}/one`, recursive),
  "in /proc": (api) => api.mkdir("/proc/uring/one", recursive),
  "anything that is true": make("new/one", {
    recursive: 1 as unknown as boolean,
  }),
  "anything that is false": make("new/one", {
    recursive: 0 as unknown as boolean,
  }),
  "odd names": async (api, path) => {
    for (const name of ODD_NAMES) {
      await api.mkdir(path(`odd/${name}/inside`), recursive);
    }
  },
  "the same by many at once": async (api, path) => {
    const names = Array.from({ length: 40 }, (_, i) => `a/b/c/d/${i % 4}`);
    await Promise.all(names.map((name) => api.mkdir(path(name), recursive)));
  },
});

Deno.test("mkdir: relative to the current directory", async () => {
  using home = new TemporaryDirectory();
  const before = Deno.cwd();
  Deno.chdir(home.path);
  try {
    await mkdir("one");
    await mkdir("two/three", recursive);
    await mkdir("./four/../five", recursive);
  } finally {
    Deno.chdir(before);
  }
  const names = [...Deno.readDirSync(home.path)].map(({ name }) => name);
  assertEquals(names.sort(), ["five", "four", "one", "two"]);
});

Deno.test("mkdir: the umask counts", async () => {
  using home = new TemporaryDirectory();
  const before = Deno.umask(0o027);
  try {
    await mkdir(home.join("a/b"), recursive);
    assertEquals(Deno.statSync(home.join("a")).mode, 0o40750);
    Deno.umask(0);
    await mkdir(home.join("c"));
    assertEquals(Deno.statSync(home.join("c")).mode, 0o40777);
  } finally {
    Deno.umask(before);
  }
});

Deno.test("mkdir: a path of PATH_MAX, and a tree of 500 levels", async () => {
  using home = new TemporaryDirectory();
  await mkdir(padded(home.path, "/long", 4095));
  assert(Deno.statSync(home.join("long")).isDirectory);
  await mkdir(home.join("d/".repeat(500)), recursive);
  assert(Deno.statSync(home.join("d/".repeat(500))).isDirectory);
});

Deno.test("mkdir: a mode that is none never gets to the kernel", async () => {
  using home = new TemporaryDirectory();
  for (const mode of ["7", {}, true]) {
    await assertRejects(
      () => mkdir(home.join("new"), { mode: mode as unknown as number }),
      TypeError,
      "mkdir: mode",
    );
  }
  for (const mode of [-1, 1.5, NaN, 2 ** 32]) {
    await assertRejects(
      () => mkdir(home.join("new"), { mode }),
      RangeError,
      "mkdir: mode",
    );
  }
  assertEquals([...Deno.readDirSync(home.path)], []);
});
