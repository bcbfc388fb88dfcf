/** `stat` and `lstat` beside Deno's. */

import { assertEquals, assertRejects } from "@std/assert";
import { lstat, stat } from "../../fs/stat.ts";
import { Uring } from "../../proactor/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import {
  agree,
  type Api,
  LONGEST,
  ODD_NAMES,
  ours,
  padded,
  type Program,
  TOO_LONG,
  usual,
} from "./agreement.ts";

const PATHS = [
  "file",
  "empty",
  "full",
  "toFile",
  "toFolder",
  "toFolder/",
  "toFolder/other",
  "file/",
  "dangling",
  "dangling/x",
  "loop",
  "loop/x",
  "missing",
  "missing/x",
  "file/x",
  "full/../file",
  TOO_LONG,
  "not\0a path",
];

/** A file is another one each time: its times and its number differ. */
function lasting(info: Deno.FileInfo): Partial<Deno.FileInfo> {
  const { ino: _ino, ...rest } = info;
  const times = ["mtime", "atime", "birthtime", "ctime"] as const;
  for (const time of times) {
    const value = rest[time];
    if (value !== null && Math.abs(Date.now() - value.getTime()) < 60_000) {
      rest[time] = null;
    }
  }
  return rest;
}

function programs(api: "stat" | "lstat"): Record<string, Program> {
  const all: Record<string, Program> = {};
  for (const name of PATHS) {
    all[JSON.stringify(name.slice(0, 20))] = async (deno, path) =>
      lasting(await deno[api](path(name)));
  }
  return all;
}

agree("stat", usual, programs("stat"));
agree("lstat", usual, programs("lstat"));

const both = async (
  path: string | URL,
  api: (deno: Api) => Api["stat"],
) => [await api(ours)(path), await api(Deno)(path)] as const;

/** Where stat looks the same at one time: nothing is read meanwhile. */
const UNCHANGING = [
  "/",
  "/proc",
  "/proc/version",
  "/proc/self/exe",
  "/sys/kernel",
  "/dev/null",
  "/dev/pts/ptmx",
  "/etc/passwd",
  "/usr",
  ".",
  "/dev/stdin",
];

for (const path of UNCHANGING) {
  const missing = !existsNow(path);
  Deno.test({
    name: `stat: ${path}: every field, in the same order`,
    ignore: missing,
    async fn() {
      for (const api of ["stat", "lstat"] as const) {
        const [actual, expected] = await both(path, (deno) => deno[api]);
        // A file of /proc is made anew each time that nobody has it open.
        if (path.startsWith("/proc")) {
          for (const info of [actual, expected]) {
            Object.assign(info, { ino: 0, atime: 0, mtime: 0, ctime: 0 });
          }
        }
        assertEquals(Object.entries(actual), Object.entries(expected));
      }
    },
  });
}

function existsNow(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("stat: every kind of file", async () => {
  using home = new TemporaryDirectory();
  const script = "mkfifo fifo; mkdir folder; touch file; ln -s file link; " +
    "mknod char c 5 300 2>&-; mknod block b 4090 70000 2>&-; chmod 7751 folder";
  new Deno.Command("sh", { args: ["-c", script], cwd: home.path }).outputSync();
  const listener = Deno.listen({
    transport: "unix",
    path: home.join("socket"),
  });
  listener.close();
  for (const { name } of [...Deno.readDirSync(home.path)]) {
    for (const api of ["stat", "lstat"] as const) {
      const [actual, expected] = await both(
        home.join(name),
        (deno) => deno[api],
      );
      assertEquals(Object.entries(actual), Object.entries(expected), name);
    }
  }
});

Deno.test("stat: fresh times are those of now", async () => {
  using home = new TemporaryDirectory();
  const { atime, mtime, birthtime, ctime } = await stat(home.file("new"));
  for (const time of [atime, mtime, birthtime, ctime]) {
    const age = Date.now() - (time?.getTime() ?? 0);
    assertEquals(Math.abs(age) < 2000, true, `${age} ms`);
  }
});

// Some file systems have no such times; then Deno tells of others, and so do we.
Deno.test("stat: times long ago, far ahead, and fractions of a millisecond", async () => {
  const folder = existsNow("/dev/shm") ? { dir: "/dev/shm" } : {};
  const path = Deno.makeTempFileSync(folder);
  const times = [
    "@-0.0005",
    "@-1.9995",
    "@-1.5",
    "@-1",
    "@0",
    "@0.0009999",
    "@1.9999",
    "@4.000999999",
    "@2147483648.5",
    "@4294967296.999999999",
    "@99999999999.25",
    "@-99999999999.75",
  ];
  for (const time of times) {
    const args = ["-d", time, path];
    new Deno.Command("touch", { args }).outputSync();
    const [actual, expected] = await both(path, (deno) => deno.stat);
    assertEquals(Object.entries(actual), Object.entries(expected), time);
    // assertEquals tells 0 from -0 in numbers, not in dates.
    assertEquals(actual.mtime?.getTime(), expected.mtime?.getTime());
  }
  Deno.removeSync(path);
});

Deno.test("stat: sizes beyond 2^32 and holes", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("large");
  for (const size of [2 ** 32 - 1, 2 ** 32 + 1, 2 ** 40]) {
    Deno.truncateSync(path, size);
    const { size: actual, blocks } = await stat(path);
    assertEquals([actual, blocks], [size, 0]);
  }
});

Deno.test("stat: odd names, by path and by URL", async () => {
  using home = new TemporaryDirectory();
  for (const name of ODD_NAMES) {
    const path = home.file(name, name);
    const size = new TextEncoder().encode(name).length;
    assertEquals((await stat(path)).size, size, name);
    const url = new URL(`file://${home.path}/${
      encodeURIComponent(
        path.slice(
          home.path.length + 1,
        ).toWellFormed(),
      )
    }`);
    assertEquals((await lstat(url)).size, size, name);
    Deno.removeSync(path);
  }
});

Deno.test("stat: PATH_MAX", async () => {
  using home = new TemporaryDirectory();
  home.file(LONGEST, "12345");
  // 4096 bytes with the NUL.
  const longest = padded(home.path, `/${LONGEST}`, 4095);
  assertEquals(longest.length, 4095);
  assertEquals((await stat(longest)).size, 5);
  await assertRejects(() => Deno.stat(`/${longest}`), Error, "os error 36");
  const error = await assertRejects(
    () => stat(`/${longest}`),
    Error,
    `File name too long (os error 36): stat '/${home.path}`,
  );
  assertEquals((error as { code?: string }).code, "ENAMETOOLONG");
});

Deno.test("stat: what is no path", async () => {
  for (const path of [undefined, null, 5, {}, new Uint8Array(2)]) {
    await assertRejects(
      () => stat(path as unknown as string),
      TypeError,
      "stat: path must be a string or a file: URL",
    );
  }
  await assertRejects(() => stat(new URL("http://localhost/")), TypeError);
});

Deno.test("stat: the error's fields", async () => {
  const error: unknown = await lstat("/no/where").catch((error) => error);
  assertEquals({ ...error as Error }, {
    code: "ENOENT",
    errno: 2,
    name: "NotFound",
    op: "statx",
    path: "/no/where",
  } as unknown as Error);
});

Deno.test("stat: on a ring of one's own", async () => {
  await using ring = new Uring({ entries: 4 });
  const submitted = ring.stats.submitted;
  assertEquals((await stat("/", { ring })).isDirectory, true);
  assertEquals(ring.stats.submitted, submitted + 1);
  await assertRejects(
    () => stat("/", { ring: 5 as unknown as Uring }),
    TypeError,
    "ring must be a Uring; got 5",
  );
});
