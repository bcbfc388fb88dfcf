/** What few permissions allow, beside Deno: each function of names and attributes. */

import { assertEquals } from "@std/assert";
import { TemporaryDirectory } from "../support/files.ts";

const PROGRAM = new URL("names_program.ts", import.meta.url).pathname;

const SETS: string[][] = [
  [],
  ["--allow-read"],
  ["--allow-write"],
  ["--allow-read", "--allow-write"],
  ["--allow-read=HOME/in", "--allow-write=HOME/in"],
  ["--allow-read", "--allow-write", "--deny-read=HOME/out"],
  ["--allow-read", "--allow-write", "--deny-write=HOME/out"],
  ["--allow-write", "--deny-write=HOME/out"],
  ["--allow-read=HOME", "--allow-write=HOME"],
  ["--allow-read=HOME/in", "--allow-write=HOME/out", "--deny-read=HOME/in/x"],
];

const LINKS = {
  "in/to in": ".",
  "in/to out": "../out",
  "in/to proc": "/proc",
  "in/dangling": "nothing",
  "in/dangling out": "../out/nothing",
  "in/loop": "loop",
};

async function outcomes(
  which: string,
  permissions: string[],
): Promise<string[]> {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("in"));
  Deno.mkdirSync(home.join("out"));
  for (const [name, target] of Object.entries(LINKS)) {
    Deno.symlinkSync(target, home.join(name));
  }
  const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--allow-ffi",
      ...permissions.map((flag) => flag.replace("HOME", home.path)),
      PROGRAM,
      which,
      home.path,
    ],
    cwd: home.path,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals([code, text(stderr)], [0, ""]);
  const lines = text(stdout).replaceAll(home.path, "HOME").trim().split("\n");
  return [...lines, ...tree(home.path)];
}

/** What is there then. */
function tree(folder: string): string[] {
  const entries = Array.from(Deno.readDirSync(folder)).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isSymlink) return [`${entry.name} -> ${Deno.readLinkSync(path)}`];
    const inside = entry.isDirectory ? tree(path) : [];
    return [entry.name, ...inside.map((name) => `${entry.name}/${name}`)];
  });
  return entries.sort();
}

for (const permissions of SETS) {
  Deno.test(`fs, permissions ${permissions.join(" ") || "none"}: as Deno`, async () => {
    const [expected, actual] = await Promise.all([
      outcomes("Deno", permissions),
      outcomes("fs", permissions),
    ]);
    assertEquals(actual, expected);
  });
}
