/** Runs our `cp` beside coreutils', on the same files, and compares all that came of it. @module */

import { createHash } from "node:crypto";
import {
  compare as compareBoth,
  type Comparison,
  type Outcome,
} from "../support/utilities.ts";

export { canBeNobody, type Comparison, shell } from "../support/utilities.ts";

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

/** {@linkcode compareBoth}, with all that cp may keep of a file. */
export function compare(comparison: Comparison): Promise<Outcome> {
  return compareBoth(comparison, { show: lines, describe: tree });
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
