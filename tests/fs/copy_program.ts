/**
 * Copies a file or a tree again and again, until it is killed.
 *
 *     copy_program.ts file|tree FROM TO...
 */

import { copyFile } from "../../fs/copy_file.ts";
import { copyTree } from "../../fs/copy_tree.ts";

const [what, from = "", ...targets] = Deno.args;
console.log("ready");
for (;;) {
  for (const to of targets) {
    if (what === "file") await copyFile(from, to, { reflink: "never" });
    else await copyTree(from, to, { reflink: "never" });
  }
}
