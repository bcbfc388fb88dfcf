/** `utime`, `chmod`, `chown`, `makeTempFile` and `makeTempDir` beside Deno's; xattrs. */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { makeTempDir, makeTempFile } from "../../fs/temporary.ts";
import { getXattr, listXattrs, removeXattr, setXattr } from "../../fs/xattr.ts";
import { opcodes } from "../../ops/opcodes.ts";
import { Uring } from "../../proactor/mod.ts";
import { makeNode, S_IFIFO, UringError } from "../../ffi/mod.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { agree, ours, type Program, usual } from "./agreement.ts";

const NAMES = ["file", "full", "toFile", "toFolder", "dangling", "loop"];

function each(
  act: (api: Parameters<Program>[0], path: string) => Promise<unknown>,
): Record<string, Program> {
  const all: Record<string, Program> = {};
  for (const name of [...NAMES, "missing", "file/x", "a\0b"]) {
    all[JSON.stringify(name)] = (api, path) => act(api, path(name));
  }
  return {
    ...all,
    "by URL": (api, path) => act(api, `file://${path("file")}`),
  };
}

type Times = [number | Date, number | Date];

const TIMES: Times[] = [
  [1000, 50_000],
  [new Date(1_000_000), new Date(50_000_123)],
  [0x1_0000_0001, 0x1_0000_0002],
  [-5, new Date(-1500)],
  [1.5, new Date(0.9)],
  [NaN, Infinity],
];

for (const [atime, mtime] of TIMES) {
  agree(
    `utime to ${Number(atime)} and ${Number(mtime)}`,
    usual,
    each(async (api, path) => {
      await api.utime(
        path.startsWith("file:") ? new URL(path) : path,
        atime,
        mtime,
      );
      const info = await api.stat(path.replace("file://", ""));
      return [info.atime, info.mtime];
    }),
  );
}

for (const mode of [0o644, 0o7777, 0, 0o4755]) {
  agree(
    `chmod to 0o${mode.toString(8)}`,
    usual,
    each(async (api, path) => {
      await api.chmod(path.startsWith("file:") ? new URL(path) : path, mode);
    }),
  );
}

agree("chmod", usual, {
  "what is no mode": (api, path) =>
    api.chmod(path("file"), "7" as unknown as number),
});

for (
  const [uid, gid] of [[1, 2], [1, null], [null, 2], [null, null], [0, 0]]
) {
  agree(
    `chown to ${uid} and ${gid}`,
    usual,
    each(async (api, path) => {
      await api.chown(
        path.startsWith("file:") ? new URL(path) : path,
        uid ?? null,
        gid ?? null,
      );
      const info = await api.stat(path.replace("file://", ""));
      return [info.uid, info.gid];
    }),
  );
}

Deno.test("utime, chmod, chown: the error's fields", async () => {
  for (
    const [op, action] of [
      ["utime", () => ours.utime("/no/where", 1, 1)],
      ["chmod", () => ours.chmod("/no/where", 1)],
      ["chown", () => ours.chown("/no/where", 1, 1)],
    ] as const
  ) {
    const error: unknown = await action().catch((error) => error);
    assertEquals({ ...error as Error }, {
      code: "ENOENT",
      errno: 2,
      name: "NotFound",
      op,
      path: "/no/where",
    } as unknown as Error);
  }
});

for (const api of ["makeTempFile", "makeTempDir"] as const) {
  /** Makes one, and gives what does not vary. */
  const make =
    (options?: (path: (name: string) => string) => Deno.MakeTempOptions) =>
    async (deno: typeof ours, path: (name: string) => string) => {
      const made = await deno[api](options?.(path));
      const { mode, size } = Deno.lstatSync(made);
      Deno.removeSync(made);
      const name = made.replace(/[0-9a-f]{8,16}(?=[^/]*$)/, "RANDOM");
      return [name, mode, api === "makeTempFile" ? size : 0];
    };
  agree(api, usual, {
    "by default": make(),
    "no options": make(() => ({})),
    "a prefix": make(() => ({ prefix: "hello-" })),
    "a suffix": make(() => ({ suffix: " world.txt" })),
    "a directory": make((path) => ({ dir: path("empty") })),
    "a directory with a slash": make((path) => ({ dir: path("empty/") })),
    "a directory by way of a link": make((path) => ({ dir: path("toFolder") })),
    "all of them": make((path) => ({
      dir: path("full"),
      prefix: ".x-",
      suffix: "-y.",
    })),
    "a directory that is missing": make((path) => ({ dir: path("missing") })),
    "a directory that is a file": make((path) => ({ dir: path("file") })),
    "a directory with a NUL": make(() => ({ dir: "a\0b" })),
    "a prefix in another alphabet": make((path) => ({
      dir: path("empty"),
      prefix: "日本",
    })),
    "a name that is too long": make((path) => ({
      dir: path("empty"),
      prefix: "p".repeat(250),
    })),
    ...Object.fromEntries(
      ["/", "\0", "*", "\x9f", "\\", "../", "<", "a:b", "|", '"', "?"].map(
        (text) => [
          `a part of the name with ${JSON.stringify(text)}`,
          make((path) => ({ dir: path("empty"), prefix: text })),
        ],
      ),
    ),
  });

  Deno.test(`${api}: a hundred at once, no two alike, with the umask`, async () => {
    using home = new TemporaryDirectory();
    await using ring = new Uring();
    const before = Deno.umask(0o277);
    try {
      const options = { dir: home.path, prefix: "a", ring };
      const make = api === "makeTempFile" ? makeTempFile : makeTempDir;
      const paths = await Promise.all(
        Array.from({ length: 100 }, () => make(options)),
      );
      assertEquals(new Set(paths).size, 100);
      for (const path of paths) {
        assertMatch(path, /\/a[0-9a-f]+$/);
        const mode = api === "makeTempFile" ? 0o100400 : 0o40500;
        assertEquals(Deno.lstatSync(path).mode, mode);
      }
      const onRing = api === "makeTempFile" || opcodes.mkdirat.supported();
      assertGreaterOrEqual(ring.stats.completed, onRing ? 100 : 0);
    } finally {
      Deno.umask(before);
    }
  });
}

function hasXattrs(): boolean {
  if (!opcodes.setxattr.supported()) return false;
  using home = new TemporaryDirectory();
  const args = ["-n", "user.a", "-v", "b", home.file("file")];
  try {
    // Nothing but the file system can tell.
    return new Deno.Command("setfattr", { args }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

const ignore = !hasXattrs();

Deno.test({
  name: "xattr: set, get, list",
  ignore,
  async fn() {
    using home = new TemporaryDirectory();
    const path = home.file("file", "text");
    const link = home.join("link");
    Deno.symlinkSync("file", link);
    const usual = new Set(await listXattrs(path));
    const large = new Uint8Array(3000).fill(7);
    await setXattr(path, "user.text", "grün");
    await setXattr(new URL(`file://${link}`), "user.large", large);
    await setXattr(path, "user.empty", new Uint8Array());
    assertEquals(
      new TextDecoder().decode(await getXattr(link, "user.text")),
      "grün",
    );
    assertEquals(await getXattr(path, "user.large"), large);
    assertEquals(await getXattr(path, "user.empty"), new Uint8Array());
    const names = await listXattrs(new URL(`file://${link}`));
    assertEquals(names.filter((name) => !usual.has(name)).sort(), [
      "user.empty",
      "user.large",
      "user.text",
    ]);
  },
});

Deno.test({
  name: "xattr: remove, by way of a link and once",
  ignore,
  async fn() {
    using home = new TemporaryDirectory();
    const path = home.file("file");
    Deno.symlinkSync("file", home.join("link"));
    const usual = await listXattrs(path);
    await setXattr(path, "user.a", "x");
    await setXattr(path, "user.grün", "y");
    await removeXattr(home.join("link"), "user.grün");
    assertEquals((await listXattrs(path)).sort(), [...usual, "user.a"].sort());
    await removeXattr(new URL(`file://${path}`), "user.a");
    assertEquals(await listXattrs(path), usual);
    await assertRejects(
      () => removeXattr(path, "user.a"),
      UringError,
      `No data available (os error 61): removexattr '${path}'`,
    );
  },
});

Deno.test({
  name: "xattr: more names than fit the first buffer",
  ignore,
  async fn() {
    using home = new TemporaryDirectory();
    const path = home.file("file");
    const usual = await listXattrs(path);
    const names = Array.from(
      { length: 12 },
      (_, index) => `user.${index}${"n".repeat(120)}`,
    );
    for (const name of names) await setXattr(path, name, "");
    assertEquals(
      (await listXattrs(path)).sort(),
      [...usual, ...names].sort(),
    );
  },
});

Deno.test("xattr: to list them opens nothing", async () => {
  using home = new TemporaryDirectory();
  const path = home.join("fifo");
  makeNode(path, S_IFIFO | 0o600);
  // Waits until somebody opens it for reading.
  let open = false;
  const writer = Deno.open(path, { write: true }).finally(() => open = true);
  const names = await listXattrs(path);
  assertEquals(names.filter((name) => name.startsWith("user.")), []);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(open, false);
  using _reader = await Deno.open(path);
  using _writer = await writer;
  assertEquals(await listXattrs("/proc/self/comm"), []);
});

Deno.test({
  name: "xattr: permissions are asked",
  permissions: { ffi: true },
  async fn() {
    for (
      const [access, action] of [
        ["read", () => getXattr("/nothing", "user.a")],
        ["read", () => listXattrs("/nothing")],
        ["write", () => setXattr("/nothing", "user.a", "b")],
        ["write", () => removeXattr("/nothing", "user.a")],
      ] as const
    ) {
      await assertRejects(
        action,
        Deno.errors.NotCapable,
        `Requires ${access} access to "/nothing"`,
      );
    }
  },
});

Deno.test({
  name: "xattr: only a new one, only an old one",
  ignore,
  async fn() {
    using home = new TemporaryDirectory();
    const path = home.file("file");
    await assertRejects(
      () => setXattr(path, "user.a", "x", { only: "replace" }),
      Error,
      `No data available (os error 61): setxattr '${path}'`,
    );
    await setXattr(path, "user.a", "x", { only: "create" });
    await setXattr(path, "user.a", "y", { only: "replace" });
    await assertRejects(
      () => setXattr(path, "user.a", "z", { only: "create" }),
      Deno.errors.AlreadyExists,
      "File exists (os error 17): setxattr",
    );
    assertEquals(await getXattr(path, "user.a"), Uint8Array.of(121));
  },
});

Deno.test({
  name: "xattr: what goes wrong",
  ignore,
  async fn() {
    using home = new TemporaryDirectory();
    const path = home.file("file");
    const missing = home.join("missing");
    await assertRejects(
      () => getXattr(path, "user.a"),
      Error,
      `No data available (os error 61): getxattr '${path}'`,
    );
    for (
      const action of [
        () => getXattr(missing, "user.a"),
        () => setXattr(missing, "user.a", "b"),
        () => listXattrs(missing),
        () => removeXattr(missing, "user.a"),
      ]
    ) {
      await assertRejects(action, Deno.errors.NotFound, `xattr '${missing}'`);
    }
    await assertRejects(
      () => setXattr(path, "user.a", "b", { only: "both" as "create" }),
      TypeError,
      'only must be "create" or "replace"; got "both"',
    );
    await assertRejects(() => getXattr(path, ""), Error);
    await assertRejects(
      () => removeXattr(path, 5 as unknown as string),
      TypeError,
      "removeXattr: name must be a string; got 5.",
    );
    await assertRejects(
      () => removeXattr(path, "user.a\0b"),
      TypeError,
      "name contains a NUL",
    );
    await assertRejects(
      () => removeXattr(path, "colour"),
      UringError,
      `(os error 95): removexattr '${path}'`,
    );
  },
});
