/**
 * Copies and batches in a program that may read and write in one folder only:
 *
 *     copy_permission_program.ts FOLDER ELSEWHERE
 */

import { readFiles, statMany } from "../../fs/batch.ts";
import { copyFile } from "../../fs/copy_file.ts";
import { copyTree } from "../../fs/copy_tree.ts";

const [folder = "", elsewhere = ""] = Deno.args;
const inside = `${folder}/file`;

async function attempt(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
    return "done";
  } catch (error) {
    return (error as Error).name;
  }
}

const results = {
  copy: await attempt(() => copyFile(inside, `${folder}/copy`)),
  copyFromElsewhere: await attempt(() => copyFile(elsewhere, `${folder}/x`)),
  copyToElsewhere: await attempt(() => copyFile(inside, `${elsewhere}-copy`)),
  copySpecial: await attempt(() => copyFile("/proc/version", `${folder}/x`)),
  tree: await attempt(() => copyTree(`${folder}/tree`, `${folder}/tree2`)),
  treeFromElsewhere: await attempt(() => copyTree("/etc", `${folder}/etc`)),
  treeToElsewhere: await attempt(() =>
    copyTree(`${folder}/tree`, `${elsewhere}-tree`)
  ),
  treeWithLink: await attempt(() =>
    copyTree(`${folder}/linked`, `${folder}/linked2`)
  ),
  read: await attempt(() => Array.fromAsync(readFiles([inside]))),
  readElsewhere: await attempt(() => Array.fromAsync(readFiles([elsewhere]))),
  stat: await attempt(() => Array.fromAsync(statMany([inside]))),
  statElsewhere: await attempt(() => Array.fromAsync(statMany([elsewhere]))),
};
const both = await Array.fromAsync(
  readFiles([elsewhere, inside], { errors: "yield" }),
);
console.log(JSON.stringify({
  ...results,
  yielded: both.map(({ error }) => error?.name ?? "done"),
}));
