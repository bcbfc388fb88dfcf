/** Removes the trees that it is given, and says what came of it. */

import { remove } from "../../fs/remove.ts";

for (const path of Deno.args) {
  try {
    await remove(path, { recursive: true });
    console.log("removed");
  } catch (error) {
    console.log(String(error));
  }
}
