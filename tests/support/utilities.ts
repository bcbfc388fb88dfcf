/** Runs our `cat` and `cp` beside coreutils', on the same files. @module */

import { assertEquals } from "@std/assert";
import { pattern as bytes } from "./files.ts";

const examples = `${import.meta.dirname}/../../examples`;
let programs = examples;

/** From now on `cat` and `cp` are those of examples/ring, in this test file's process. */
export function useTutorials(): void {
  programs = `${examples}/ring`;
}

/** What came of a shell command. */
export interface Outcome {
  /** Its exit status, as a shell has it. */
  code: number;
  /** What it printed. */
  stdout: string;
  /** What it complained about. */
  stderr: string;
}

/** How a shell command is run. */
export interface ShellOptions {
  /** Whether as the user `nobody`; see {@linkcode canBeNobody}. */
  nobody?: boolean;
  /** Ends it after so many milliseconds. Default: 60 000. */
  timeout?: number;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Makes `cat` and `cp` of a shell command those of the examples. */
function prelude(): string {
  const define = (name: string) =>
    `${name}() { ${quoted(Deno.execPath())} run -A --quiet ` +
    `${quoted(`${programs}/${name}.ts`)} "$@"; }`;
  return `${define("cat")}\n${define("cp")}\n`;
}

function argv(script: string, nobody: boolean): string[] {
  const shell = ["sh", "-c", script];
  return nobody
    ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...shell]
    : shell;
}

/** Runs a shell command, in which `cat` and `cp` are `ours` or coreutils'. */
export async function shell(
  script: string,
  ours: boolean,
  cwd: string,
  { nobody = false, timeout = 60_000 }: ShellOptions = {},
): Promise<Outcome> {
  const [command = "sh", ...args] = argv(
    (ours ? prelude() : "") + script,
    nobody,
  );
  const env: Record<string, string> = { LC_ALL: "C", NO_COLOR: "1" };
  if (nobody) env.DENO_DIR = cacheOfNobody();
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env,
    stdin: "null",
    signal: AbortSignal.timeout(timeout),
  }).output();
  return { code, stdout: latin1(stdout), stderr: latin1(stderr) };
}

/** Every byte a character: what is compared need not be text. */
function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** A test of one thing that both commands do. */
export interface Comparison extends ShellOptions {
  /** The shell command. */
  script: string;
  /** Makes the files that it works on, in the directory that it runs in. */
  files?: (path: (name: string) => string) => void;
  /** Changes what was printed before it is compared: what varies from run to run goes. */
  normalize?: (text: string) => string;
}

/** What is compared. */
export interface Manner {
  /** Of an outcome, what shows best where it differs. Default: how much it printed, and its beginning. */
  show?: (outcome: Outcome) => unknown;
  /** Of a directory, what is in it, by path. */
  describe?: (directory: string) => Record<string, string>;
}

/**
 * Runs a shell command with coreutils and with the examples, each in a directory of its own,
 * and asserts that output, complaints, status and files are the same.
 *
 * @returns what came of ours.
 */
export async function compare(
  { script, files, normalize = (text) => text, ...options }: Comparison,
  { show = shorten, describe = tree }: Manner = {},
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
    assertEquals(show(actual), show(expected));
    assertEquals(actual.stdout === expected.stdout, true, "stdout differs");
    const [made, wanted] = [describe(mine), describe(theirs)];
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

// A megabyte of difference tells no more than where it begins.
function shorten({ code, stdout, stderr }: Outcome): Outcome {
  return { code, stdout: `${stdout.length}: ${stdout.slice(0, 200)}`, stderr };
}

/** A directory that tests work in; {@linkcode remove} it. */
export function scratch(): string {
  return Deno.makeTempDirSync({ prefix: "uring-examples-" });
}

/** Removes a directory, with what `nobody` left in it. */
export function remove(directory: string): void {
  Deno.removeSync(directory, { recursive: true });
}

/** Each file under a directory: its kind, mode, size, storage and contents. */
function tree(directory: string): Record<string, string> {
  const entries: Record<string, string> = {};
  for (const { name } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    const info = Deno.lstatSync(path);
    const mode = ((info.mode ?? 0) & 0o7777).toString(8);
    if (info.isSymlink) entries[name] = `-> ${Deno.readLinkSync(path)}`;
    else if (info.isDirectory) {
      entries[name] = `${mode} ${JSON.stringify(tree(path))}`;
    } else if (info.isFifo) entries[name] = `${mode} fifo`;
    else entries[name] = `${mode} ${info.size} ${sum(path)}`;
  }
  return Object.fromEntries(Object.entries(entries).sort());
}

function sum(path: string): string {
  const args = [path];
  const { stdout } = new Deno.Command("md5sum", { args }).outputSync();
  return latin1(stdout).slice(0, 32);
}

/** Whether this is root, who may mount file systems and become somebody else. */
export const isRoot: boolean = Deno.uid() === 0;

let cache: string | undefined;

function cacheOfNobody(): string {
  if (cache !== undefined) return cache;
  const directory = scratch();
  Deno.chmodSync(directory, 0o777);
  globalThis.addEventListener("unload", () => remove(directory));
  return cache = directory;
}

function tryNobody(): boolean {
  if (!isRoot) return false;
  const program = `${examples}/cat.ts`;
  const script = `test -r ${quoted(program)} && ` +
    `${quoted(Deno.execPath())} --version`;
  const [command = "", ...args] = argv(script, true);
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether a test can run the examples as the user `nobody`, whom permissions apply to. */
export const canBeNobody: boolean = tryNobody();

/** Mounts a small tmpfs on a directory that exists; the disposal unmounts it. */
export function mountSmall(path: string, size: string): Disposable {
  const run = (command: string, ...args: string[]) => {
    const { success, stderr } = new Deno.Command(command, { args })
      .outputSync();
    if (!success) throw new Error(`${command}: ${latin1(stderr)}`);
  };
  run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path);
  return { [Symbol.dispose]: () => run("umount", path) };
}

function tryMount(): boolean {
  if (!isRoot) return false;
  const directory = scratch();
  try {
    mountSmall(directory, "64k")[Symbol.dispose]();
    return true;
  } catch {
    // A container may forbid it, in many ways.
    return false;
  } finally {
    remove(directory);
  }
}

/** Whether a test can mount a file system. */
export const canMount: boolean = tryMount();

/** Whether tests that take minutes run: `URING_SLOW=1`. */
export const slow: boolean = Deno.env.get("URING_SLOW") === "1";

/** Makes a file that is a hole but for some bytes at its beginning and in its middle. */
export function sparse(path: string, size: number): void {
  using file = Deno.openSync(path, { write: true, create: true });
  file.truncateSync(size);
  for (const offset of [0, size / 2, size / 2 + 2 ** 20]) {
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(pattern(300_000));
  }
}

/** Bytes that differ from place to place, and from those of another length. */
export function pattern(length: number): Uint8Array {
  return bytes(length, length);
}
