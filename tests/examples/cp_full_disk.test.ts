/** What examples/cp.ts says of a full disk: coreutils' words, which tell how the copy was made. */

import { assertEquals } from "@std/assert";
import {
  canMount,
  mountSmall,
  pattern,
  remove,
  scratch,
} from "../support/utilities.ts";
import { shell } from "./cp_support.ts";

const OPTIONS = [
  "",
  "--reflink=never",
  "--reflink=auto",
  "--sparse=always",
  "--sparse=never",
];

/** Whether coreutils' cp lets the kernel copy: 9.0 and later, on a kernel that can. */
async function kernelCopies(directory: string): Promise<boolean> {
  const { stderr } = await shell("cp disk/within disk/b", false, directory);
  return stderr.includes("error copying");
}

Deno.test({
  name: "cp: what it says of a full disk is what coreutils says",
  ignore: !canMount,
  async fn(context) {
    const directory = scratch();
    using cleaning = new DisposableStack();
    cleaning.defer(() => remove(directory));
    Deno.mkdirSync(`${directory}/disk`);
    cleaning.use(mountSmall(`${directory}/disk`, "1m"));
    Deno.writeFileSync(`${directory}/from-outside`, pattern(1_500_000));
    Deno.writeFileSync(`${directory}/disk/within`, pattern(600_000));
    const modern = await kernelCopies(directory);
    for (const options of OPTIONS) {
      for (const from of ["disk/within", "from-outside"]) {
        await context.step({
          name: `cp ${options} ${from}`,
          ignore: !modern,
          async fn() {
            const script =
              `cp ${options} ${from} disk/b; echo $?; rm -f disk/b`;
            const expected = await shell(script, false, directory);
            assertEquals(await shell(script, true, directory), expected);
          },
        });
      }
    }
    await context.step({
      name: "a file with holes",
      ignore: !modern,
      async fn() {
        const script = "truncate -s 2m disk/within; cp disk/within disk/b; " +
          "echo $?; rm -f disk/b";
        const expected = await shell(script, false, directory);
        assertEquals(await shell(script, true, directory), expected);
      },
    });
  },
});
