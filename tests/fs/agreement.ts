/** Runs the same program with `Deno`'s functions and with those of `fs`, and compares. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { openKernel } from "../../ffi/backend.ts";
import { errnoName, isSystemError } from "../../ffi/mod.ts";
import * as attributes from "../../fs/attributes.ts";
import * as links from "../../fs/link.ts";
import { mkdir } from "../../fs/mkdir.ts";
import { readDir } from "../../fs/read_dir.ts";
import { realPath } from "../../fs/real_path.ts";
import { remove } from "../../fs/remove.ts";
import { rename } from "../../fs/rename.ts";
import { lstat, stat } from "../../fs/stat.ts";
import { makeTempDir, makeTempFile } from "../../fs/temporary.ts";
import { TemporaryDirectory } from "../support/files.ts";

// Loaded once for all tests: what stays open as long as the isolate is no test's leak.
openKernel();
errnoName(1);

/** The functions that are compared. */
export type Api = Pick<
  typeof Deno,
  | "chmod"
  | "chown"
  | "link"
  | "lstat"
  | "makeTempDir"
  | "makeTempFile"
  | "mkdir"
  | "readDir"
  | "readLink"
  | "realPath"
  | "remove"
  | "rename"
  | "stat"
  | "symlink"
  | "utime"
>;

/** Those of `fs`: that this type-checks says that the signatures are Deno's. */
export const ours: Api = {
  ...attributes,
  ...links,
  lstat,
  makeTempDir,
  makeTempFile,
  mkdir,
  readDir,
  realPath,
  remove,
  rename,
  stat,
};

/** What came of a call: what it gave, or how it failed. */
export type Outcome =
  | { value: unknown }
  | { error: string; message: string; code: unknown };

/** One program: what it does with the functions, in a directory of its own. */
export type Program = (
  api: Api,
  path: (name: string) => string,
) => Promise<unknown>;

async function outcomeOf(action: () => Promise<unknown>): Promise<unknown> {
  try {
    return { value: await action() };
  } catch (error) {
    return error;
  }
}

/** Compares how two calls failed. Deno has a class for fewer errnos. */
function assertSameError(actual: unknown, expected: Error): void {
  assertInstanceOf(actual, Error);
  assertEquals(actual.message, expected.message);
  assertInstanceOf(actual, expected.constructor as ErrorConstructor);
  if (!("code" in expected)) return;
  assert("code" in actual);
  assertEquals(actual.code, expected.code);
  if (isSystemError(actual)) assertEquals(errnoName(actual.errno), actual.code);
}

/** What is below a directory: kinds, permissions, sizes, links. */
function tree(directory: string): Record<string, unknown> {
  const entries: Record<string, unknown> = {};
  for (const { name } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    const { isDirectory, isSymlink, mode, size, nlink } = Deno.lstatSync(path);
    entries[name] = isSymlink
      ? Deno.readLinkSync(path)
      : isDirectory
      ? { mode, inside: tree(path) }
      : { mode, size, nlink };
  }
  return entries;
}

/**
 * Registers a test that runs a program twice, each time in a directory with the same files, which
 * has the same path both times. Results, errors and what is in the directory then must be the
 * same.
 *
 * @param files makes the files.
 */
export function agree(
  name: string,
  files: (path: (name: string) => string) => void,
  programs: Record<string, Program>,
): void {
  for (const [what, program] of Object.entries(programs)) {
    Deno.test(`${name}: ${what}`, async () => {
      using home = new TemporaryDirectory();
      const folder = home.join("folder");
      const run = async (api: Api) => {
        Deno.mkdirSync(folder);
        const path = (name: string) => `${folder}/${name}`;
        files(path);
        const outcome = await outcomeOf(() => program(api, path));
        const left = tree(folder);
        Deno.removeSync(folder, { recursive: true });
        return { outcome, left };
      };
      const [expected, actual] = [await run(Deno), await run(ours)];
      if (expected.outcome instanceof Error) {
        assertSameError(actual.outcome, expected.outcome);
      } else {
        assertEquals(actual.outcome, expected.outcome);
      }
      assertEquals(actual.left, expected.left);
    });
  }
}

/** Files that most programs need. */
export function usual(path: (name: string) => string): void {
  Deno.mkdirSync(path("empty"));
  Deno.mkdirSync(path("full/inside"), { recursive: true });
  Deno.writeTextFileSync(path("file"), "hello");
  Deno.writeTextFileSync(path("full/other"), "world!");
  Deno.symlinkSync("file", path("toFile"));
  Deno.symlinkSync("full", path("toFolder"));
  Deno.symlinkSync("nothing", path("dangling"));
  Deno.symlinkSync("loop", path("loop"));
}

/** The longest name that there can be, and one that is too long. */
export const [LONGEST, TOO_LONG]: [string, string] = [
  "n".repeat(255),
  "n".repeat(256),
];

/** Names that need care: of other alphabets, with quotes, spaces, line ends; half a surrogate pair. */
export const ODD_NAMES: readonly string[] = [
  LONGEST,
  "é".repeat(127),
  "日本語",
  "𝔘ring",
  " ",
  "a b'c\"d\\e",
  "line\nend\ttab\x7f\x01",
  "%41%",
  "-rf",
  "...",
  "\ud800lone",
  "\ufffd",
];

/** A path of so many bytes below a directory, through no directory but `.`. */
export function padded(folder: string, name: string, length: number): string {
  const rest = length - folder.length - name.length;
  return folder + "/".repeat(rest % 2) + "/.".repeat(rest >> 1) + name;
}
