/**
 * Does to each path what the functions that open files do, with Deno's functions and with those of
 * `fs`, and prints what came of it: a line of JSON for each that is not the same.
 *
 * Arguments: the paths.
 */

import { closeDescriptor, pipePair, UringError } from "../../ffi/mod.ts";
import { readFiles, statMany } from "../../fs/batch.ts";
import { open } from "../../fs/open.ts";
import { readFile } from "../../fs/read_file.ts";
import { stat } from "../../fs/stat.ts";
import { truncate } from "../../fs/truncate.ts";
import { writeFile } from "../../fs/write_file.ts";

const none = new Uint8Array();

type Files =
  & Pick<typeof Deno, "open" | "readFile" | "stat" | "truncate" | "writeFile">
  & { readFiles: typeof readFiles; statMany: typeof statMany };

const ours: Files = {
  open,
  readFile,
  readFiles,
  stat,
  statMany,
  truncate,
  writeFile,
};

/** Each path by itself: what batches are beside. */
const theirs = {
  ...Deno,
  async *readFiles(paths: string[]) {
    for (const path of paths) yield { data: await Deno.readFile(path) };
  },
  async *statMany(paths: string[], { followSymlinks = true } = {}) {
    const look = followSymlinks ? Deno.stat : Deno.lstat;
    for (const path of paths) yield { info: await look(path) };
  },
} as unknown as Files;

type Action = (fs: Files, path: string) => Promise<unknown>;

/** None of them changes what is in a file. */
const actions: Record<string, Action> = {
  readFile: async (fs, path) => (await fs.readFile(path)).length > 0,
  read: async (fs, path) => (await fs.open(path)).close(),
  write: async (fs, path) => (await fs.open(path, { write: true })).close(),
  both: async (fs, path) =>
    (await fs.open(path, { read: true, write: true })).close(),
  append: (fs, path) =>
    fs.writeFile(path, none, { append: true, create: false }),
  make: async (fs, path) => {
    try {
      await fs.writeFile(`${path}.made`, none);
    } finally {
      await Deno.remove(`${path}.made`).catch(() => {});
    }
  },
  makeNew: async (fs, path) => {
    await fs.writeFile(path, none, { createNew: true });
    await Deno.remove(path);
  },
  readFiles: async (fs, path) => {
    const [file] = await Array.fromAsync(fs.readFiles([path]));
    return new TextDecoder().decode(file?.data.subarray(0, 4));
  },
  stat: async (fs, path) => (await fs.stat(path)).isFile,
  statMany: async (fs, path) => {
    const [file] = await Array.fromAsync(fs.statMany([path]));
    return file?.info.isFile;
  },
  lstatMany: async (fs, path) => {
    const options = { followSymlinks: false };
    const [file] = await Array.fromAsync(fs.statMany([path], options));
    return file?.info.isSymlink;
  },
  truncate: (fs, path) => fs.truncate(`${path}/nothing`),
  // By what the path led to, and not by its name.
  fileStat: async (fs, path) => {
    using file = await fs.open(path, { write: true });
    return [(await file.stat()).isFile, file.statSync().isFile];
  },
  fileLock: async (fs, path) => {
    using file = await fs.open(path, { write: true });
    await file.lock(true);
    return [await file.tryLock(true), file.unlockSync(), file.isTerminal()];
  },
  fileUtime: async (fs, path) => {
    using file = await fs.open(path);
    // As they are: among the paths are devices of the machine's.
    const { atime, mtime } = await file.stat();
    file.utimeSync(atime ?? 1, mtime ?? 1);
    await file.utime(atime ?? 1, mtime ?? 1);
  },
};

async function outcome(action: () => Promise<unknown>): Promise<string> {
  try {
    return `gave ${await action()}`;
  } catch (error) {
    const { constructor, message } = error as Error;
    // Deno has no class for some errnos.
    if (error instanceof UringError) return `Error: ${message}`;
    // The number of this process differs from run to run, but not within one.
    return `${constructor.name}: ${message}`;
  }
}

let same = 0;

async function compare(name: string, path: string): Promise<void> {
  const action = actions[name] as Action;
  const deno = await outcome(() => action(theirs, path));
  const fs = await outcome(() => action(ours, path));
  if (deno === fs) same++;
  else console.log(JSON.stringify({ name, path, deno, fs }));
}

for (const path of Deno.args) {
  for (const name of Object.keys(actions)) await compare(name, path);
}
// What the shell gives for >(command). To read it would take its end.
const [, writer] = pipePair();
for (const folder of ["/dev/fd", "/proc/self/fd"]) {
  for (const name of ["write", "both", "stat"]) {
    await compare(name, `${folder}/${writer}`);
  }
}
// And for <(command), once that is done.
const [reader, end] = pipePair();
closeDescriptor(end);
for (const name of ["readFile", "readFiles"]) {
  await compare(name, `/dev/fd/${reader}`);
}
console.log(same);
