/** Runs our `cp` beside coreutils', on the same files, and compares all that came of it. @module */

import { createHash } from "node:crypto";
import { assertEquals } from "@std/assert";
import { remove, scratch } from "../support/utilities.ts";

/** Our `cp`. */
export const PROGRAM = new URL("../../examples/cp.ts", import.meta.url)
  .pathname;

/** How it is started without a shell. */
export const CP: readonly string[] = [
  Deno.execPath(),
  "run",
  "-A",
  "--quiet",
  "--no-check",
  PROGRAM,
];

/** What came of a shell command. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** How a shell command is run. */
export interface ShellOptions {
  /** As a user without privileges. */
  nobody?: boolean;
  /** Ends it after so many milliseconds. Default: 60 000. */
  timeout?: number;
}

/** A test of something that both programs do. */
export interface Comparison extends ShellOptions {
  /** The shell command, in which `cp` is one or the other. */
  script: string;
  /** Makes the files that it works on. */
  files?: (path: (name: string) => string) => void;
  /** Changes what was printed before it is compared. */
  normalize?: (text: string) => string;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

let cache: string | undefined;

/** A cache directory for whom the usual one is closed. */
function cacheOfNobody(): string {
  if (cache !== undefined) return cache;
  const directory = scratch();
  Deno.chmodSync(directory, 0o777);
  globalThis.addEventListener("unload", () => remove(directory));
  return cache = directory;
}

/** Runs a shell command, in which `cp` is `ours` or coreutils'. */
export async function shell(
  script: string,
  ours: boolean,
  cwd: string,
  { nobody = false, timeout = 60_000 }: ShellOptions = {},
): Promise<Outcome> {
  const define = `cp() { ${CP.map(quoted).join(" ")} "$@"; }\n`;
  const words = ["sh", "-c", (ours ? define : "") + script];
  const [command = "", ...args] = nobody ? [...NOBODY, ...words] : words;
  const env: Record<string, string> = { LC_ALL: "C", NO_COLOR: "1" };
  if (nobody) env.DENO_DIR = cacheOfNobody();
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env,
    stdin: "null",
    signal: AbortSignal.timeout(timeout),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/**
 * Runs a shell command with coreutils and with our program, each in a directory of its own, and
 * asserts that output, complaints, status and files are the same.
 *
 * @returns what came of ours.
 */
export async function compare(
  { script, files, normalize = (it) => it, ...options }: Comparison,
): Promise<Outcome> {
  const [theirs, mine] = [scratch(), scratch()];
  try {
    for (const directory of [theirs, mine]) {
      files?.((name) => `${directory}/${name}`);
      if (options.nobody) Deno.chmodSync(directory, 0o777);
    }
    const [expected, actual] = await Promise.all([
      shell(script, false, theirs, options),
      shell(script, true, mine, options),
    ]);
    for (const outcome of [expected, actual]) {
      outcome.stdout = normalize(outcome.stdout);
      outcome.stderr = normalize(outcome.stderr);
    }
    assertEquals(lines(actual), lines(expected));
    const [made, wanted] = [tree(mine), tree(theirs)];
    // What is alike tells nothing.
    for (const name of Object.keys(wanted)) {
      if (made[name] !== wanted[name]) continue;
      delete made[name];
      delete wanted[name];
    }
    assertEquals(made, wanted);
    return actual;
  } finally {
    for (const directory of [theirs, mine]) remove(directory);
  }
}

/** Registers a test. */
export function test(
  name: string,
  comparison: Comparison,
  ignore = false,
): void {
  Deno.test({
    name: `cp: ${name}`,
    ignore,
    async fn() {
      await compare(comparison);
    },
  });
}

/** Of what is in a directory the order is that of the inodes, which differs from one to the next. */
export function inAnyOrder(text: string): string {
  return text.split("\n").sort().join("\n");
}

/** An outcome of which every line is compared by itself: the first that differs is shown. */
function lines({ code, stdout, stderr }: Outcome): unknown {
  return {
    stderr: stderr.split("\n"),
    stdout: stdout.split("\n"),
    code,
  };
}

/**
 * Each file under a directory: kind, mode, owner, size, storage, contents, the other names that it has, and when it was changed if the script has set that.
 */
export function tree(root: string): Record<string, string> {
  const entries: Record<string, string> = {};
  const names = new Map<number, string>();
  const visit = (directory: string) => {
    const found = [...Deno.readDirSync(`${root}/${directory}`)];
    for (const { name } of found.sort((a, b) => a.name < b.name ? -1 : 1)) {
      const path = directory + name;
      const info = Deno.lstatSync(`${root}/${path}`);
      const other = names.get(info.ino ?? 0);
      names.set(info.ino ?? 0, path);
      entries[path] = describe(`${root}/${path}`, info) +
        (other === undefined ? "" : ` = ${other}`);
      if (info.isDirectory) visit(`${path}/`);
    }
  };
  visit("");
  return entries;
}

function describe(path: string, info: Deno.FileInfo): string {
  const mode = ((info.mode ?? 0) & 0o7777).toString(8);
  const parts = [mode, `${info.uid}:${info.gid}`];
  if (info.isSymlink) parts.push(`-> ${Deno.readLinkSync(path)}`);
  else if (info.isDirectory) parts.push("directory");
  else if (info.isFifo) parts.push("fifo");
  else if (!info.isFile) parts.push(`device ${info.rdev}`);
  else {
    parts.push(`${info.size} bytes in ${info.blocks}`);
    if (info.size > 0) parts.push(sum(path));
  }
  parts.push(stamp(path, info));
  return parts.join(" ");
}

function output(command: string, ...args: string[]): string {
  const { stdout } = new Deno.Command(command, { args }).outputSync();
  return new TextDecoder("latin1").decode(stdout);
}

function sum(path: string): string {
  const hash = createHash("md5");
  using file = Deno.openSync(path);
  const block = new Uint8Array(1 << 20);
  for (;;) {
    const count = file.readSync(block);
    if (count === null) return hash.digest("hex");
    hash.update(block.subarray(0, count));
  }
}

/** When a file was changed, to the nanosecond if that is long ago, as the scripts make it. */
function stamp(path: string, { mtime }: Deno.FileInfo): string {
  const old = mtime !== null && mtime.getFullYear() < 2020;
  return old ? output("stat", "-c", "%y", path).trim() : "now";
}

function tryNobody(): boolean {
  if (Deno.uid() !== 0) return false;
  const script = `test -r ${quoted(PROGRAM)} && ` +
    `${quoted(Deno.execPath())} --version`;
  const [command = "", ...args] = [...NOBODY, "sh", "-c", script];
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether a test can run as a user whom permissions apply to. */
export const canBeNobody: boolean = tryNobody();
