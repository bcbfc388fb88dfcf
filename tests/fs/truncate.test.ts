/** `truncate` beside Deno's. */

import { assertEquals } from "@std/assert";
import { truncate } from "../../fs/truncate.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { same } from "./both.ts";

same("truncate: lengths", async ({ fs, path, step }) => {
  const sizes = [undefined, 0, 3, 20, 1.9, -5, NaN, 2 ** 33 + 5];
  for (const size of sizes) {
    Deno.writeTextFileSync(path("file"), "hello world");
    await step(`to ${size}`, () => fs.truncate(path("file"), size));
    const { size: now } = Deno.statSync(path("file"));
    await step("size", () => now);
    if (now < 100) await step("text", () => fs.readTextFile(path("file")));
  }
  await step("text", () => fs.truncate(path("file"), "3" as never), {
    message: false,
  });
});

same("truncate: paths", async ({ fs, path, step }) => {
  Deno.writeTextFileSync(path("file"), "hello world");
  Deno.mkdirSync(path("folder"));
  Deno.symlinkSync("file", path("link"));
  Deno.symlinkSync("nothing", path("dangling"));
  // Only in the last place no link is followed.
  Deno.symlinkSync("folder", path("to folder"));
  Deno.writeTextFileSync(path("folder/inside"), "hello world");
  const names = ["file", "folder", "link", "nothing", "file/x", "dangling"];
  for (const name of [...names, "to folder/inside", "to folder"]) {
    await step(name, () => fs.truncate(path(name), 4));
  }
  await step("inside", () => fs.readTextFile(path("folder/inside")));
  await step("text", () => fs.readTextFile(path("file")));
  await step("a device", () => fs.truncate("/dev/null", 0));
  // A copy: not every file system keeps what runs from being written to.
  Deno.copyFileSync("/bin/sleep", path("sleep"));
  const child = new Deno.Command(path("sleep"), { args: ["1000"] }).spawn();
  await step("a running program", () => fs.truncate(path("sleep"), 0));
  child.kill("SIGKILL");
  await child.status;
});

Deno.test("truncate: takes URLs, which Deno only says it does", async () => {
  using home = new TemporaryDirectory();
  const path = home.file("file", "hello");
  await truncate(new URL(`file://${path}`), 2);
  assertEquals(Deno.readTextFileSync(path), "he");
});
