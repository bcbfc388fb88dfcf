// Node's contestant of fs.ts: node fs_node.mjs Node large|tree|read|stat FROM TO

import { copyFile, cp, readFile, stat } from "node:fs/promises";
import process from "node:process";
import { inFlight, pathsBelow, serve } from "./fs_jobs.mjs";

const [, , , job, from, to] = process.argv;
const paths = await pathsBelow(from);

await serve(async () => {
  if (job === "large") await copyFile(from, to);
  else if (job === "tree") await cp(from, to, { recursive: true });
  else if (job === "read") {
    await inFlight(paths, async (path) => {
      await readFile(path);
    });
  } else {
    for (let round = 0; round < 5; round++) {
      await inFlight(paths, async (path) => {
        await stat(path);
      });
    }
  }
});
