/**
 * The contestants of `fs.ts` that run in Deno: `fs` itself, and Deno's own functions.
 *
 *     fs_contestant.ts fs|Deno large|tree|read|stat|remove FROM
 */
import { readFiles, statMany } from "../fs/batch.ts";
import { copyFile } from "../fs/copy_file.ts";
import { copyTree } from "../fs/copy_tree.ts";
import { remove } from "../fs/remove.ts";
import { inFlight, pathsBelow, serve } from "./fs_jobs.mjs";

const [who, job, from = ""] = Deno.args;

/** Each path five times: 100 000. */
const ROUNDS = 5;

async function ours(to: string): Promise<void> {
  switch (job) {
    case "large":
      return await copyFile(from, to);
    case "tree":
      await copyTree(from, to);
      return;
    case "remove":
      return await remove(to, { recursive: true });
    case "read": {
      let bytes = 0;
      for await (const { data } of readFiles(paths)) bytes += data.length;
      return check(bytes);
    }
    default: {
      let bytes = 0;
      for (let round = 0; round < ROUNDS; round++) {
        for await (const { info } of statMany(paths)) bytes += info.size;
      }
      return check(bytes);
    }
  }
}

async function theirs(to: string): Promise<void> {
  if (job === "large") return await Deno.copyFile(from, to);
  if (job === "remove") return await Deno.remove(to, { recursive: true });
  let bytes = 0;
  if (job === "read") {
    await inFlight(paths, async (path: string) => {
      const { length } = await Deno.readFile(path);
      bytes += length;
    });
  } else {
    for (let round = 0; round < ROUNDS; round++) {
      await inFlight(paths, async (path: string) => {
        const { size } = await Deno.stat(path);
        bytes += size;
      });
    }
  }
  check(bytes);
}

function check(bytes: number): void {
  if (bytes < 20e6) throw new Error(`only ${bytes} bytes were seen`);
}

const paths: string[] = await pathsBelow(from);
await serve(who === "fs" ? ours : theirs);
