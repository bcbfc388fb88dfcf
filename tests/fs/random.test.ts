/** Random programs on an open file do the same with Deno's and with ours. */

import { Random } from "../simulated/random.ts";
import { same } from "./both.ts";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const STEPS = 200;

for (const seed of SEEDS) {
  same(`FsFile: a random program, seed ${seed}`, async ({ fs, path, step }) => {
    const random = new Random(seed);
    const below = (most: number) => random.below(most);
    const append = below(4) === 0;
    Deno.writeFileSync(path("file"), new Uint8Array(below(10_000)).fill(7));
    using file = await fs.open(path("file"), {
      read: true,
      write: true,
      append,
    });
    const fill = () => new Uint8Array(below(5000)).fill(below(256));
    const digest = (data: Uint8Array) =>
      data.reduce((sum, byte, at) => (sum * 31 + byte + at) | 0, 0);
    const read = async (length: number) => {
      const buffer = new Uint8Array(length);
      const count = await file.read(buffer);
      return [count, digest(buffer)];
    };
    const actions: (() => unknown)[] = [
      () => read(below(6000)),
      () => file.write(fill()),
      () => file.seek(below(20_000) - 5000, below(3)),
      () => file.truncate(below(15_000)).then(() => "cut"),
      async () => (await file.stat()).size,
      () =>
        Promise.all([read(below(100)), file.write(fill()), file.seek(0, 1)]),
      () => [file.seekSync(below(9000), 0), file.writeSync(fill())],
      async () => digest(await fs.readFile(path("file"))),
    ];
    for (let at = 0; at < STEPS; at++) {
      const action = actions[below(actions.length)];
      if (action !== undefined) await step(`${at}`, action);
    }
    await step("the end", async () => digest(await fs.readFile(path("file"))));
  });
}
