/**
 * Copies a file to many places, and prints how each copy ended:
 *
 *     copy_permission_target_program.ts Deno|fs|in-place|tree HOME NAME...
 */

import { copyFile } from "../../fs/copy_file.ts";
import { copyTree } from "../../fs/copy_tree.ts";

const [which, home, ...names] = Deno.args;

function copy(from: string, to: string): Promise<unknown> {
  if (which === "Deno") return Deno.copyFile(from, to);
  if (which === "tree") return copyTree(from, to);
  return copyFile(from, to, which === "in-place" ? { inPlace: true } : {});
}

for (const name of names) {
  const [from = "", to = ""] = name.split(" -> ")
    .map((name) => name === "" ? "" : `${home}/${name}`);
  const outcome = await copy(from, to).then(
    () => "done",
    (error: Error) => `${error.name}: ${error.message}`,
  );
  console.log(`${name}: ${outcome}`);
}
