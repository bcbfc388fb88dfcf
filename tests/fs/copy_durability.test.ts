/** Copies that are killed, and copies onto full disks: the old file or the new one. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { copyFile } from "../../fs/copy_file.ts";
import { copyTree } from "../../fs/copy_tree.ts";
import { TemporaryDirectory } from "../support/files.ts";
import { pattern } from "./copies.ts";

const PROGRAM = new URL("./copy_program.ts", import.meta.url).pathname;

/** Runs the program for so long, then kills it as nothing can be prepared for. */
async function killedAfter(
  milliseconds: number,
  args: string[],
): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", PROGRAM, ...args],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  child.kill("SIGKILL");
  await reader.cancel();
  const { signal } = await child.status;
  assertEquals(signal, "SIGKILL");
}

function sameBytes(one: Uint8Array, two: Uint8Array): boolean {
  return one.length === two.length &&
    one.every((byte, i) => byte === two[i]);
}

Deno.test("copyFile: killed at any time, it leaves the old file or the new one", async () => {
  using home = new TemporaryDirectory();
  const old = pattern(700_000, 1);
  const fresh = pattern(9_000_001, 2);
  const from = home.file("from", fresh);
  for (let round = 0; round < 10; round++) {
    const to = home.file("to", old);
    const added = home.join("added");
    await killedAfter(4 + round * 3, ["file", from, to, added]);
    const found = Deno.readFileSync(to);
    assert(sameBytes(found, old) || sameBytes(found, fresh));
    try {
      assert(sameBytes(Deno.readFileSync(added), fresh));
      Deno.removeSync(added);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
});

Deno.test("copyTree: killed at any time, every file is the old one or the new one", async () => {
  using home = new TemporaryDirectory();
  Deno.mkdirSync(home.join("tree"));
  Deno.mkdirSync(home.join("copy"));
  for (let i = 0; i < 200; i++) {
    home.file(`tree/${i}`, pattern(1000 + i * 100, i));
  }
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 100; i++) home.file(`copy/${i}`, "old");
    const args = ["tree", home.join("tree"), home.join("copy")];
    await killedAfter(5 + round * 7, args);
    for (const { name } of Deno.readDirSync(home.join("copy"))) {
      // What replaces another has a hidden name for a moment.
      if (name.startsWith(".uring-")) {
        Deno.removeSync(home.join(`copy/${name}`));
        continue;
      }
      const found = Deno.readFileSync(home.join(`copy/${name}`));
      const i = Number(name);
      const whole = sameBytes(found, pattern(1000 + i * 100, i));
      assert(whole || new TextDecoder().decode(found) === "old");
    }
  }
});

/** Whether this process may mount. */
function canMount(): boolean {
  using home = new TemporaryDirectory();
  const mounted = run("mount", "-t", "tmpfs", "tmpfs", home.path);
  if (mounted) run("umount", home.path);
  return mounted;
}

function run(command: string, ...args: string[]): boolean {
  const quiet = { stdout: "null", stderr: "null" } as const;
  try {
    return new Deno.Command(command, { args, ...quiet }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A disk of so many bytes. */
class Disk implements Disposable {
  readonly path: string;
  readonly #home = new TemporaryDirectory();

  constructor(size: number) {
    this.path = this.#home.path;
    const options = `size=${size},nr_inodes=64`;
    const mounted = run("mount", "-t", "tmpfs", "-o", options, "t", this.path);
    if (!mounted) throw new Error("mount failed");
  }

  names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    run("umount", this.path);
    this.#home[Symbol.dispose]();
  }
}

const ignore = Deno.uid() !== 0 || !canMount();
const PAGE = 4096;

Deno.test({
  name:
    "copyFile: a disk that is full at any page leaves the old file, and no part",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    for (const length of [20_000, 300_000, 3_000_000]) {
      const fresh = pattern(length, 5);
      const from = home.file("from", fresh);
      const pages = Math.ceil(length / PAGE);
      const room = [1, 2, pages >> 1, pages - 1, pages, pages + 1, pages + 2];
      for (const free of room) {
        // The old file takes a page.
        using disk = new Disk((free + 1) * PAGE);
        const to = `${disk.path}/to`;
        Deno.writeTextFileSync(to, "old");
        const outcome = await copyFile(from, to).then(() => "new", (error) => {
          assertEquals(error.code, "ENOSPC");
          assert(error.message.includes(`copy '${from}' -> '${to}'`));
          return "old";
        });
        assertEquals(disk.names(), ["to"]);
        const found = Deno.readFileSync(to);
        if (outcome === "new") assertEquals(found, fresh);
        else assertEquals(new TextDecoder().decode(found), "old");
        assertEquals(outcome, free < pages ? "old" : "new");
      }
    }
  },
});

Deno.test({
  name: "copyTree: a full disk leaves whole files only",
  ignore,
  fn: async () => {
    using home = new TemporaryDirectory();
    Deno.mkdirSync(home.join("tree"));
    for (let i = 0; i < 40; i++) home.file(`tree/${i}`, pattern(10_000, i));
    using disk = new Disk(60 * PAGE);
    let failed = 0;
    const result = await copyTree(home.join("tree"), `${disk.path}/copy`, {
      onError: (error) => {
        assertEquals((error as { code?: string }).code, "ENOSPC");
        failed++;
      },
    });
    assertEquals([result.failed, result.files], [failed, 40 - failed]);
    assert(failed > 0 && failed < 40);
    const names = [...Deno.readDirSync(`${disk.path}/copy`)];
    assertEquals(names.length, 40 - failed);
    for (const { name } of names) {
      const found = Deno.readFileSync(`${disk.path}/copy/${name}`);
      assertEquals(found, pattern(10_000, Number(name)));
    }
  },
});

Deno.test({
  name:
    "copyFile: a folder that may not be written to leaves the file as it is",
  ignore: Deno.uid() === 0,
  fn: async () => {
    using home = new TemporaryDirectory();
    Deno.mkdirSync(home.join("folder"));
    const to = home.file("folder/to", "old");
    Deno.chmodSync(home.join("folder"), 0o555);
    const from = home.file("from", "new");
    await assertRejects(() => copyFile(from, to), Deno.errors.PermissionDenied);
    assertEquals(Deno.readTextFileSync(to), "old");
    await copyFile(from, to, { inPlace: true });
    assertEquals(Deno.readTextFileSync(to), "new");
    Deno.chmodSync(home.join("folder"), 0o755);
  },
});

Deno.test({
  name: "copyTree, readFiles: where descriptors are few, they are waited for",
  ignore: !run("prlimit", "--version"),
  fn: async () => {
    using home = new TemporaryDirectory();
    Deno.mkdirSync(home.join("tree"));
    for (let i = 0; i < 300; i++) {
      if (i % 30 === 0) Deno.mkdirSync(home.join(`tree/${i / 30}`));
      home.file(`tree/${Math.floor(i / 30)}/${i}`, pattern(3000, i));
    }
    const program = new URL("./few_descriptors.ts", import.meta.url).pathname;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", program],
        ...[home.join("tree"), home.join("copy")],
      ],
      // Who waits for what is never given back waits for ever.
      signal: AbortSignal.timeout(60_000),
    }).output();
    const text = new TextDecoder();
    // What Deno does on the side, such as reading certificates, may complain.
    assertEquals(
      [code, text.decode(stdout)],
      [0, "300 300 300\n"],
      text.decode(stderr),
    );
  },
});
