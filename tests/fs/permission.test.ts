/** What may be done with a path is what Deno would let be done. */

import { assertEquals } from "@std/assert";
import { TemporaryDirectory } from "../support/files.ts";

const PROGRAM = new URL("permission_program.ts", import.meta.url).pathname;

/** A file that may be used, one that may not, and links between them. */
function scene(home: TemporaryDirectory): string[] {
  for (const folder of ["in", "out", "in/folder"]) {
    Deno.mkdirSync(home.join(folder));
  }
  home.file("in/file", "inside");
  home.file("out/secret", "outside");
  home.file("in/folder/inner", "deep");
  const links = {
    "in/link": "file",
    "in/to secret": "../out/secret",
    "in/to out": "../out",
    "in/dangling": "../out/new",
    "in/environment": "/proc/self/environ",
    "in/to proc": "/proc",
    "in/null": "/dev/null",
    "in/loop": "loop",
    "in/to folder": "folder",
    "in/to link": "link",
    "in/to nothing in proc": "/proc/nothing/at/all",
    "out/back": "../in/file",
  };
  for (const [name, target] of Object.entries(links)) {
    Deno.symlinkSync(target, home.join(name));
  }
  return [
    ...[
      "in/file",
      "in/folder",
      "in/nothing",
      "in/folder/../file",
      "in/file/",
      "in//./file",
      "in/file/x",
      "in/nothing/at/all",
      "out/secret",
    ],
    // A link in the middle, that leads inside, out, and back; names after it that lead up again.
    ...["in/to folder/inner", "in/to out/back", "in/to out/nothing"],
    ...["in/to folder/../file", "in/to out/../file", "in/dangling/x"],
    ...["in/to out/secret", "in/to proc/self/environ", "in/../out/secret"],
    ...["in/to proc/nothing/at/all", "in/to proc/../file", "in/loop/x"],
    ...Object.keys(links),
  ].map((name) => home.join(name));
}

const SPECIAL = [
  "/proc/self/environ",
  "/proc/self/maps",
  "/proc/version",
  "//proc/version",
  "/proc/../proc/version",
  "/sys/kernel/mm/transparent_hugepage/enabled",
  "/proc/pressure/cpu",
  "/dev/null",
  "/dev//./null",
  "/dev/nothing",
  "/dev/tty",
  "/dev/shm/../tty",
  "/etc/passwd",
];

/** What a program says that has only these permissions. */
async function say(
  home: TemporaryDirectory,
  permissions: string[],
  paths: string[],
): Promise<string> {
  const ffi = permissions.includes("--allow-all") ? [] : ["--allow-ffi"];
  const granted = [...ffi, ...permissions]
    .map((flag) => flag.replaceAll("HOME", home.path));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      ...granted,
      PROGRAM,
      ...paths,
    ],
    cwd: home.path,
  }).output();
  const [out, err] = [stdout, stderr].map((part) =>
    new TextDecoder().decode(part)
  );
  return `${out}${err}`.trim();
}

const ACTIONS = 15;

const GRANTS: string[][] = [
  [],
  ["--allow-read=HOME/in"],
  ["--allow-write=HOME/in"],
  ["--allow-write=HOME/in", "--allow-read=HOME/in"],
  ["--allow-read=HOME/in,HOME/out/secret", "--deny-read=HOME/in/folder"],
  ["--allow-read", "--deny-read=HOME/out"],
  ["--allow-read"],
  ["--allow-write"],
  ["--allow-write", "--deny-read=HOME"],
  ["--allow-read", "--allow-write"],
  ["--allow-read", "--allow-write", "--deny-write=HOME/in/file"],
  ["--allow-all"],
  ["--allow-all", "--deny-net"],
];

for (const grant of GRANTS) {
  Deno.test(`permissions: ${grant.join(" ") || "none"}: as Deno`, async () => {
    using home = new TemporaryDirectory();
    const paths = [
      ...scene(home),
      ...SPECIAL,
      "in/file",
      "out/secret",
      "in/nothing",
      "in/link",
      "in/to secret",
      "in/to out/secret",
      "in/to folder/inner",
      "in/dangling",
    ];
    // So many actions each, and eight on pipes.
    const all = ACTIONS * paths.length + 8;
    assertEquals(await say(home, grant, paths), `${all}`);
  });
}
