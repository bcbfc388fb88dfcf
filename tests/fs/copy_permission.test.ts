/** Copies and batches ask Deno's permissions, path by path where not all is allowed. */

import { assertEquals } from "@std/assert";
import { TemporaryDirectory } from "../support/files.ts";

const PROGRAM =
  new URL("./copy_permission_program.ts", import.meta.url).pathname;

Deno.test("copies and batches touch nothing that is not allowed", async () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("allowed/tree/folder"), { recursive: true });
  Deno.mkdirSync(home.join("allowed/linked"));
  home.file("allowed/file", "text");
  home.file("allowed/tree/folder/file", "text");
  Deno.symlinkSync("/etc", home.join("allowed/linked/link"));
  const elsewhere = home.file("elsewhere", "secret");
  const folder = home.join("allowed");
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt", "--allow-ffi"],
      ...[`--allow-read=${folder}`, `--allow-write=${folder}`],
      ...[PROGRAM, folder, elsewhere],
    ],
  }).output();
  const refused = "NotCapable";
  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), {
    copy: "done",
    copyFromElsewhere: refused,
    copyToElsewhere: refused,
    copySpecial: refused,
    tree: "done",
    treeFromElsewhere: refused,
    treeToElsewhere: refused,
    // Where a link leads is found out only by who follows it, so all must be allowed, as in Deno.
    treeWithLink: refused,
    read: "done",
    readElsewhere: refused,
    stat: "done",
    statElsewhere: refused,
    yielded: [refused, "done"],
  });
  const names = [...Deno.readDirSync(home.path)].map(({ name }) => name);
  assertEquals(names.sort(), ["allowed", "elsewhere"]);
});
