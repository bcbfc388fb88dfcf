/**
 * Does to each path what the functions that open files do, with Deno's functions and with those of
 * `fs`, and prints what came of it: a line of JSON for each that is not the same.
 *
 * Arguments: the paths.
 */

import { pipePair, UringError } from "../../ffi/mod.ts";
import { open } from "../../fs/open.ts";
import { readFile } from "../../fs/read_file.ts";
import { stat } from "../../fs/stat.ts";
import { truncate } from "../../fs/truncate.ts";
import { writeFile } from "../../fs/write_file.ts";

const none = new Uint8Array();

type Action = (
  fs: Pick<
    typeof Deno,
    "open" | "readFile" | "stat" | "truncate" | "writeFile"
  >,
  path: string,
) => Promise<unknown>;

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
  stat: async (fs, path) => (await fs.stat(path)).isFile,
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
    file.utimeSync(1, 1);
    await file.utime(1, 1);
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
  const deno = await outcome(() => action(Deno, path));
  const ours = await outcome(() =>
    action({ open, readFile, stat, truncate, writeFile }, path)
  );
  if (deno === ours) same++;
  else console.log(JSON.stringify({ name, path, deno, ours }));
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
console.log(same);
