/** Copies and batches ask Deno's permissions, path by path where not all is allowed. */

import { assertEquals, assertMatch } from "@std/assert";
import { TemporaryDirectory } from "../support/files.ts";

const PROGRAM =
  new URL("./copy_permission_program.ts", import.meta.url).pathname;

Deno.test("copies and batches touch nothing that is not allowed", async () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("allowed/tree/folder"), { recursive: true });
  Deno.mkdirSync(home.join("allowed/linked"));
  home.file("allowed/file", "text");
  home.file("allowed/tree/folder/file", "text");
  Deno.symlinkSync("/etc", home.join("allowed/linked/link"));
  const elsewhere = home.file("elsewhere", "secret");
  const folder = home.join("allowed");
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt", "--allow-ffi"],
      ...[`--allow-read=${folder}`, `--allow-write=${folder}`],
      ...[PROGRAM, folder, elsewhere],
    ],
  }).output();
  const refused = "NotCapable";
  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), {
    copy: "done",
    copyFromElsewhere: refused,
    copyToElsewhere: refused,
    copySpecial: refused,
    tree: "done",
    treeFromElsewhere: refused,
    treeToElsewhere: refused,
    // Where a link leads is found out only by who follows it, so all must be allowed, as in Deno.
    treeWithLink: refused,
    read: "done",
    readElsewhere: refused,
    stat: "done",
    statElsewhere: refused,
    yielded: [refused, "done"],
  });
  const names = [...Deno.readDirSync(home.path)].map(({ name }) => name);
  assertEquals(names.sort(), ["allowed", "elsewhere"]);
});

const TARGETS = new URL(
  "./copy_permission_target_program.ts",
  import.meta.url,
).pathname;

const LINKS = {
  "in/link": "file",
  "in/to link": "link",
  "in/to secret": "../out/secret",
  "in/to out": "../out",
  "in/to folder": "folder",
  "in/dangling": "new",
  "in/dangling out": "../out/new",
  "in/dangling up": "to out/../in/up",
  "in/dangling deep": "../out/nothing/new",
  "in/dangling folder": "nothing/",
  "in/folder/dangling": "../from folder",
  "in/chain": "second",
  "in/second": "to folder/chained",
  "in/loop": "loop",
  "in/null": "/dev/null",
  "in/to proc": "/proc/self/comm",
  "in/new in proc": "/proc/nothing",
  "out/dangling": "new too",
};

function scene(home: TemporaryDirectory): void {
  Deno.mkdirSync(home.join("in/folder"), { recursive: true });
  Deno.mkdirSync(home.join("out"));
  for (const name of ["in/file", "in/other", "out/secret"]) {
    home.file(name, `old ${name}`);
  }
  home.file("in/source", "new");
  Deno.chmodSync(home.join("in/source"), 0o640);
  for (const [name, target] of Object.entries(LINKS)) {
    Deno.symlinkSync(target, home.join(name));
  }
}

/** What is there: where links lead, what files have, and their permissions. */
function tree(folder: string): Record<string, unknown> {
  const entries: Record<string, unknown> = {};
  for (const { name } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    const { isDirectory, isSymlink, mode } = Deno.lstatSync(path);
    if (isDirectory) entries[name] = tree(path);
    else if (isSymlink) entries[name] = Deno.readLinkSync(path);
    else entries[name] = [mode, Deno.readTextFileSync(path)];
  }
  return entries;
}

/** How copies end in a program with few permissions, and what is there then. */
async function copies(
  which: "Deno" | "fs" | "in-place" | "tree",
  permissions: string[],
  names: string[],
): Promise<unknown[]> {
  using home = new TemporaryDirectory();
  scene(home);
  const ffi = permissions.includes("--allow-all") ? [] : ["--allow-ffi"];
  const granted = [...ffi, ...permissions]
    .map((flag) => flag.replaceAll("HOME", home.path));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt", ...granted],
      ...[TARGETS, which, home.path, ...names],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  const lines = new TextDecoder().decode(stdout).trim()
    .replaceAll(home.path, "HOME").split("\n");
  return [lines, tree(home.path)];
}

const NAMES = [
  ...["in/other", "in/link", "in/to link", "in/to secret", "in/to out/secret"],
  ...["in/dangling", "in/dangling out", "in/dangling up", "in/dangling deep"],
  ...["in/to folder/dangling", "in/chain", "in/loop", "in/loop/x", "in/null"],
  ...["in/folder", "in/to folder", "in/to folder/new", "in/to out/new file"],
  ...["in/missing/new", "in/file/x", "out/new", "out/dangling", "in/source"],
  ...["in/to out/dangling", "in/dangling folder"],
].map((name) => `in/source -> ${name}`);

/** Elsewhere Deno takes slashes away, and `copyFile` does not go into /proc. */
const UNLIMITED = [
  ...["in/file/", "in/new/", "in/dangling/", "in/missing/x/", "in/file/x/"],
  ...["in/to proc", "in/new in proc"],
].map((name) => `in/source -> ${name}`);

const SOURCES = [
  ...["in/folder -> in/folder", "in/folder -> in/file", "in/file -> in/link"],
  ...["in/null -> in/null", "in/loop -> in/file", "in/dangling -> in/x"],
  ...["in/missing -> in/x", "in/source -> ", " -> in/x"],
];

const GRANTS = [
  ["--allow-all"],
  ["--allow-read", "--allow-write"],
  ["--allow-read=HOME", "--allow-write=HOME/in"],
  ["--allow-read=HOME", "--allow-write=HOME", "--deny-write=HOME/in/link"],
  ["--allow-read", "--allow-write", "--deny-read=HOME/out/secret"],
  ["--allow-read=HOME/in"],
];

for (const grant of GRANTS) {
  Deno.test(`copyFile, permissions ${grant.join(" ")}: as Deno`, async () => {
    const names = [
      ...SOURCES,
      ...(grant[0] === "--allow-all" ? UNLIMITED : []),
      ...NAMES,
    ];
    const expected = await copies("Deno", grant, names);
    assertEquals(await copies("fs", grant, names), expected);
    assertEquals(await copies("in-place", grant, names), expected);
  });
}

Deno.test("copyTree: what a link to nothing leads to is made, as by Deno's copyFile", async () => {
  const names = NAMES.filter((name) => /dangling(?! folder)|chain/.test(name));
  for (const grant of GRANTS.slice(0, 3)) {
    const [lines, files] = await copies("Deno", grant, names);
    const [ourLines, ourFiles] = await copies("tree", grant, names);
    assertEquals([ourLines, ourFiles], [lines, files]);
  }
});

Deno.test("copyFile: a link to nothing that may not be read is not replaced", async () => {
  const grant = ["--allow-read=HOME/in/source", "--allow-write=HOME/in"];
  const names = ["in/source -> in/dangling", "in/source -> in/x"];
  for (const which of ["fs", "in-place"] as const) {
    const [lines, files] = await copies(which, grant, names);
    assertEquals(lines, [
      'in/source -> in/dangling: NotCapable: Requires read access to "HOME/in/dangling", ' +
      "run again with the --allow-read flag. It is a symbolic link to nothing: what is to be " +
      "made there, only its text tells.",
      "in/source -> in/x: done",
    ]);
    const inside = (files as { in: Record<string, unknown> }).in;
    assertEquals([inside.dangling, inside.new], ["new", undefined]);
    assertEquals(inside.x, [0o100640, "new"]);
  }
});

Deno.test("copyFile: into /proc, by way of a link, needs all permissions", async () => {
  const grant = ["--allow-read", "--allow-write"];
  // Deno's own copy goes there, which is more than its other functions do.
  const targets = ["in/to proc", "in/new in proc"];
  const names = targets.map((name) => `in/source -> ${name}`);
  const [lines, files] = await copies("fs", grant, names);
  for (const [index, line] of (lines as string[]).entries()) {
    assertMatch(line, /: NotCapable: Requires all access to "\/proc\//);
    const name = targets[index] as keyof typeof LINKS;
    const inside = (files as { in: Record<string, unknown> }).in;
    assertEquals(inside[name.slice(3)], LINKS[name]);
  }
});
