/** `copyTree` where no descriptor is left: whom it waits for, and for how long. */

import { assertEquals } from "@std/assert";
import { TemporaryDirectory } from "../support/files.ts";

/** A program that has taken all descriptors there are, and copies a tree then. */
const PROGRAM = `
const [home] = Deno.args;
const copy = async (to) => {
  try {
    return (await fs.copyTree(home + "/tree", home + "/" + to)).files;
  } catch (error) {
    return error.code;
  }
};
// Deno sets up a signal a second after its start, and panics if it has no descriptor for that.
await new Promise((resolve) => setTimeout(resolve, 1500));
await copy("first");
const taken = [];
const takeAll = async () => {
  try {
    for (;;) taken.push(await Deno.open(home + "/tree/a"));
  } catch {
    // That was the last one.
  }
};
const release = () => taken.splice(0).forEach((file) => file.close());

await takeAll();
setTimeout(release, 300);
const other = await copy("other");

await takeAll();
const nobody = await copy("nobody");

// A call that has a descriptor, and is stuck until it ends.
release();
const path = home + "/fifo";
const ends = await Deno.open(path, { read: true, write: true });
const reading = fs.readTextFile(path);
await new Promise((resolve) => setTimeout(resolve, 100));
await takeAll();
const stuck = await copy("stuck");
const again = copy("again");
setTimeout(release, 200);
console.log(other, nobody, stuck, await again);
ends.close();
await reading;
`;

/** Whether there is a program to run others with few descriptors. */
function hasLimits(): boolean {
  try {
    return new Deno.Command("prlimit", { args: ["--version"] })
      .outputSync().success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "copyTree: waits for descriptors that others have, for a second",
  ignore: !hasLimits(),
  fn: async () => {
    using home = new TemporaryDirectory();
    Deno.mkdirSync(home.join("tree/b"), { recursive: true });
    home.file("tree/a", "one");
    home.file("tree/b/c", "two");
    const mkfifo = new Deno.Command("mkfifo", { args: [home.join("fifo")] });
    assertEquals(mkfifo.outputSync().code, 0);
    const fs = import.meta.resolve("../../fs/mod.ts");
    const program = home.file(
      "program.ts",
      `import * as fs from ${JSON.stringify(fs)};${PROGRAM}`,
    );
    const { stdout, stderr } = await new Deno.Command("prlimit", {
      args: [
        ...["--nofile=100", Deno.execPath(), "run", "-A", "--no-check"],
        ...[program, home.path],
      ],
      // Who waits for what is never given back waits for ever.
      signal: AbortSignal.timeout(60_000),
    }).output();
    const text = new TextDecoder();
    assertEquals(
      text.decode(stdout),
      "2 EMFILE EMFILE 2\n",
      text.decode(stderr),
    );
  },
});
