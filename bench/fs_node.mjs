// Node's contestant of fs.ts: node fs_node.mjs Node large|tree|read|stat|remove FROM

import { copyFile, cp, readFile, rm, stat } from "node:fs/promises";
import process from "node:process";
import { inFlight, pathsBelow, serve } from "./fs_jobs.mjs";

const [, , , job, from] = process.argv;
const paths = await pathsBelow(from);

await serve(async (to) => {
  if (job === "large") await copyFile(from, to);
  else if (job === "tree") await cp(from, to, { recursive: true });
  else if (job === "remove") await rm(to, { recursive: true });
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
