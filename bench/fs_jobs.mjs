// What all contestants of fs.ts share. Plain JavaScript, as Node runs it too.

import { readdir } from "node:fs/promises";
import process from "node:process";
import { createInterface } from "node:readline";

const IN_FLIGHT = 64;

/**
 * Every file in the folders of a tree; none of what is a file itself.
 *
 * @param {string} top
 * @returns {Promise<string[]>}
 */
export async function pathsBelow(top) {
  const found = [];
  for (const folder of await readdir(top).catch(() => [])) {
    for (const name of await readdir(`${top}/${folder}`)) {
      found.push(`${top}/${folder}/${name}`);
    }
  }
  return found;
}

/**
 * Does something with each path, 64 at a time.
 *
 * @param {readonly string[]} paths
 * @param {(path: string) => Promise<void>} action
 * @returns {Promise<void>}
 */
export async function inFlight(paths, action) {
  let next = 0;
  const work = async () => {
    while (next < paths.length) await action(paths[next++]);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

/**
 * Does the job for each line of standard input, and answers how long it took.
 *
 * @param {(to: string) => Promise<void>} job
 * @returns {Promise<void>}
 */
export async function serve(job) {
  for await (const to of createInterface({ input: process.stdin })) {
    const before = process.cpuUsage();
    const begun = performance.now();
    await job(to);
    const milliseconds = performance.now() - begun;
    const { user, system } = process.cpuUsage(before);
    console.log(`done ${milliseconds} ${(user + system) / 1000}`);
  }
}
