/**
 * Copies a tree, and reads the copy, with few descriptors left:
 *
 *     few_descriptors.ts FROM TO
 */

import { readFiles } from "../../fs/batch.ts";
import { copyTree } from "../../fs/copy_tree.ts";

const [from = "", to = ""] = Deno.args;

/** What is opened once, such as the ring, is open now. */
await copyTree("/proc/version", `${to}.first`);
const used = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => +name);
const limit = Math.max(...used) + 40;
await new Deno.Command("prlimit", {
  args: [`--pid=${Deno.pid}`, `--nofile=${limit}:${limit}`],
}).output();

const { files } = await copyTree(from, to, { concurrency: 200 });
const paths: string[] = [];
for (const folder of Deno.readDirSync(to)) {
  for (const file of Deno.readDirSync(`${to}/${folder.name}`)) {
    paths.push(`${to}/${folder.name}/${file.name}`);
  }
}
let read = 0;
for await (const { data } of readFiles(paths, { concurrency: 200 })) {
  if (data.length === 3000) read++;
}
console.log(files, read);
