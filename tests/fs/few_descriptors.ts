/**
 * Copies a tree, and reads the copy, with few descriptors left:
 *
 *     few_descriptors.ts FROM TO
 */

import { readFiles } from "../../fs/batch.ts";
import { copyTree } from "../../fs/copy_tree.ts";

const [from = "", to = ""] = Deno.args;
const SPARE = 40;

// What is opened once, such as the ring, is open now; so is what Deno has to have for signals, half
// a second later at the latest: it does not survive if that cannot be opened.
await copyTree("/proc/version", `${to}.first`);
Deno.addSignalListener("SIGUSR2", () => {});

/** The limit that leaves so many descriptors, wherever those are that are open. */
function limitFor(spare: number): number {
  const used = new Set(
    Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => Number(name)),
  );
  let limit = 0;
  for (let free = 0; free < spare; limit++) if (!used.has(limit)) free++;
  return limit;
}

const limit = limitFor(SPARE);
await new Deno.Command("prlimit", {
  args: [`--pid=${Deno.pid}`, `--nofile=${limit}:${limit}`],
}).output();

const options = { concurrency: 200 };
const { files } = await copyTree(from, to, options);
const again = await copyTree(from, to, { ...options, inPlace: true });
const paths: string[] = [];
for (const folder of Deno.readDirSync(to)) {
  for (const file of Deno.readDirSync(`${to}/${folder.name}`)) {
    paths.push(`${to}/${folder.name}/${file.name}`);
  }
}
let read = 0;
for await (const { data } of readFiles(paths, options)) {
  if (data.length === 3000) read++;
}
console.log(files, again.files, read);
